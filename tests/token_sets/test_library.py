"""The library as a whole: its size, its rules, and lists that read right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.support import gpt2
from tests.support.tokenizers import MODEL
from tsea_db.errors import TokenSetError
from tsea_db.token_sets import FAMILIES, Family, TokenSet, build_catalogue, catalogue, read_contrasts
from tsea_db.token_sets.families.listed import read_data
from tsea_db.vocabulary import Vocabulary, read_vocabulary

TUTORIAL = {"letters", "regex_classes", "tagger"}
SETS = MODEL.parent / "saes"


def texts(name: str) -> set[str]:
    return {gpt2.vocabulary().texts[i] for i in gpt2.catalogue()[name].token_ids}


def test_at_least_350_sets_and_every_token_in_several() -> None:
    sizes = Counter(len(token_set) >= 5 for token_set in gpt2.catalogue().values())
    assert sizes[True] >= 600
    membership = np.zeros(len(gpt2.vocabulary()), int)
    for token_set in gpt2.catalogue().values():
        membership[token_set.token_ids] += 1
    ordinary = np.delete(membership, list(gpt2.vocabulary().special))
    assert (ordinary >= 2).all()
    assert np.median(ordinary) >= 6


def test_families_are_declared_and_named_alike() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    assert all(family.title for family in FAMILIES)
    assert list(dict.fromkeys(token_set.family for token_set in gpt2.catalogue().values())) == names


def test_special_tokens_are_in_no_set_but_their_own_and_the_tutorials() -> None:
    special = gpt2.vocabulary().special
    holders = {s.family for s in gpt2.catalogue().values() if special & set(s.token_ids.tolist())}
    assert holders <= TUTORIAL | {"special_tokens"}
    assert set(gpt2.catalogue()["special_tokens"].token_ids) == special


def test_every_set_says_where_it_comes_from() -> None:
    for token_set in gpt2.catalogue().values():
        assert token_set.phrase
        assert token_set.definition
        assert token_set.source
        assert token_set.version >= 1


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("verb_past", "past-tense verbs"),
        ("verb_past_participle", "past participles"),
        ("verb_past_strict", "past-tense-only verbs"),
        ("verb_past_participle_strict", "participle-only verbs"),
        ("nltk_pos_VBD", "past-tense verbs (tagger)"),
    ],
)
def test_phrases_that_others_rely_on(name: str, phrase: str) -> None:
    assert gpt2.catalogue()[name].phrase == phrase


def test_contrasts_name_sets_of_the_library() -> None:
    contrasts = read_contrasts()
    assert 45 <= len(contrasts) <= 65
    assert len({frozenset((c.a, c.b)) for c in contrasts}) == len(contrasts)
    for contrast in contrasts:
        assert contrast.why
        for name in (contrast.a, contrast.b):
            assert len(gpt2.catalogue()[name]) >= 5


@pytest.mark.parametrize(
    ("name", "members", "others"),
    [
        ("weekdays", {" Monday", "Monday", " Sunday"}, {" Mon", " Sun", " day"}),
        ("months", {" May", "March", " December"}, {" may", " march"}),
        ("prefix_un", {" unhappy", " unable"}, {" uncle", " under", " union", " unit"}),
        ("prefix_re", {" rebuild", " rewrite"}, {" red", " ready", " refer", " refused", " religion"}),
        ("suffix_ly", {" quickly", " simply", " happily"}, {" only", " family", " supply", " July"}),
        ("suffix_er", {" teacher", " runner"}, {" water", " bigger", " river", " never"}),
        ("suffix_ness", {" happiness", " darkness"}, {" witness", " harness"}),
        ("suffix_ion", {" creation", " decision"}, {" million", " lion", " religion"}),
        ("pronouns_object", {" us", " Them"}, {" US"}),
        ("pronouns_feminine", {" she", " Her", " herself"}, {" he", " it"}),
        ("modals", {" can", " Should", " ought"}, {" is", " have"}),
        ("contraction_stems", {" didn", " isn"}, {" did"}),
        ("noun_plural", {" dogs", " children", " people"}, {" more", " time", " dog"}),
        ("noun_plural_strict", {" countries", " years"}, {" runs", " works"}),
        ("adjective_comparative", {" bigger", " worse"}, {" big", " teacher"}),
        ("adverb_strict", {" quickly", " always"}, {" fast", " table"}),
        ("verb_past_irregular", {" began", " went", " fled", " put"}, {" walked", " used", " panicked"}),
        ("verb_past_regular", {" walked", " used", " stopped", " cried"}, {" went", " fled", " led"}),
        ("verb_base_irregular", {" go", " begin", " write"}, {" walk", " use"}),
        ("countries", {" France", " Kenya", "Germany"}, {" Paris", " French"}),
        ("us_states", {" Texas", "California"}, {" Chicago"}),
        ("surnames_unambiguous", {" Johnson", " Nguyen"}, {" Jordan", " Baker", " Brown"}),
        ("years_1990s", {" 1995", "1999"}, {" 2000", " 995"}),
        ("years_2020s", {" 2020"}, {" 2019"}),
        ("roman_numerals", {" III", "VII", " XIV"}, {" I", " CD"}),
        ("ordinal_words", {" third", " fifth"}, {" three"}),
        ("opening_brackets", {" (", "[", " {"}, {")", " ]", "!"}),
        ("closing_brackets", {")", "]", "})"}, {"(", " ["}),
        ("sentence_ends", {".", "?", "!", "..."}, {",", ";", ".("}),
        ("camel_case", {" iPhone", " YouTube"}, {" Apple", " USA"}),
        ("byte_fragments", {"�"}, {" the", "é"}),
        ("punctuation", {".", " ("}, {"a", " 1"}),
        ("non_ascii", {"é"}, {"a", "."}),
        ("cyrillic_script", {"и"}, {"a", "α"}),
        ("colours", {" red", " Blue", " purple"}, {" table"}),
        ("occupations", {" doctor", " teachers", " lawyer"}, {" river"}),
        ("verbs_of_saying", {" said", " whispered"}, {" walked"}),
        ("keywords_python", {"def", " return"}, {" banana"}),
        ("function_words_german", {" und", " Der"}, {" the", " die", " war"}),
        ("function_words_french", {" les", " qui"}, {" on", " me", " CAR", " car"}),
    ],
)
def test_lists_read_right(name: str, members: set[str], others: set[str]) -> None:
    assert members <= texts(name)
    assert not others & texts(name)


def test_byte_fragments_are_no_symbols() -> None:
    data = gpt2.vocabulary().data
    fragments = set(gpt2.catalogue()["byte_fragments"].token_ids.tolist())
    assert fragments == {i for i, token in enumerate(data) if token.decode("utf-8", "ignore").encode() != token}
    for name in ("punctuation", "non_ascii", "repeated_mark", "continuations"):
        assert not fragments & set(gpt2.catalogue()[name].token_ids.tolist())


def test_lists_name_no_word_twice() -> None:
    for family in ("people", "nature", "things", "meanings", "closed_classes"):
        for definition in read_data(family):
            words = [word.lower() for word in definition.members]
            assert len(set(words)) == len(words), definition.name


@pytest.mark.parametrize("field", ["name", "phrase"])
def test_a_name_or_phrase_of_two_sets_is_refused(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_: Vocabulary) -> list[TokenSet]:
        texts = [{"name": "a", "phrase": "p"}, {"name": "b", "phrase": "q"}]
        texts[1][field] = texts[0][field]
        return [TokenSet.of([0], family="f", definition="d", source="s", **both) for both in texts]  # type: ignore[arg-type]

    monkeypatch.setattr(catalogue, "FAMILIES", (Family("f", "F", build),))
    with pytest.raises(TokenSetError, match=f"have the {field}"):
        build_catalogue(gpt2.vocabulary())


def enrichment(weights: np.ndarray, members: np.ndarray) -> float:
    """The running sum of design section 3 for one feature without ties."""
    is_member = np.isin(np.argsort(-weights, kind="stable"), members)
    k, v = len(members), len(weights)
    steps = np.cumsum(np.where(is_member, 1 / k, -1 / (v - k)))
    return float(steps[np.abs(steps).argmax()])


def test_verb_forms_of_the_shipped_model() -> None:
    from safetensors.numpy import load_file

    sets = {s.name: s.token_ids for s in build_catalogue(read_vocabulary(MODEL))}
    assert len(sets["verb_past"]) == 422
    assert len(sets["verb_past_participle"]) == 412
    weights = load_file(MODEL / "model.safetensors")
    unembedding = (weights["transformer.wte.weight"] * weights["transformer.ln_f.weight"]).T.astype(np.float64)
    unembedding -= unembedding.mean(axis=0, keepdims=True)
    unembedding -= unembedding.mean(axis=1, keepdims=True)
    for sae, features in {"blocks.1.hook_resid_pre": [401], "blocks.3.hook_resid_pre": [1438, 324, 1977, 1014]}.items():
        decoder = load_file(Path(SETS) / sae / "sae_weights.safetensors")["W_dec"].astype(np.float64)
        for feature in features:
            logits = decoder[feature] @ unembedding
            assert enrichment(logits, sets["verb_past_strict"]) >= 0.6
            assert enrichment(logits, sets["verb_past_participle_strict"]) < 0.35
