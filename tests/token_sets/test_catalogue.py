"""The library of token sets against the tutorial's own functions and against English."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

from tests.support import gpt2, nltk_tagger
from tsea_db.errors import TokenSetError
from tsea_db.token_sets import build_catalogue
from tsea_db.token_sets.families.tagger import tag_words
from tsea_db.vocabulary import Vocabulary

# As printed in the TSEA tutorial notebook; kept apart from the package's own table on purpose.
TUTORIAL_REGEXES = {
    "starts_with_space": r"Ġ.*",
    "starts_with_capital": r"^Ġ*[A-Z].*",
    "starts_with_lower": r"^Ġ*[a-z].*",
    "all_digits": r"^Ġ*\d+$",
    "is_punctuation": r"^[^\w\s]+$",
    "contains_close_bracket": r".*\).*",
    "contains_open_bracket": r".*\(.*",
    "all_caps": r"Ġ*[A-Z]+$",
    "1 digit": r"Ġ*\d{1}$",
    "2 digits": r"Ġ*\d{2}$",
    "3 digits": r"Ġ*\d{3}$",
    "4 digits": r"Ġ*\d{4}$",
    "length_1": r"^Ġ*\w{1}$",
    "length_2": r"^Ġ*\w{2}$",
    "length_3": r"^Ġ*\w{3}$",
    "length_4": r"^Ġ*\w{4}$",
    "length_5": r"^Ġ*\w{5}$",
}


def members(name: str) -> set[int]:
    return set(gpt2.catalogue()[name].token_ids.tolist())


def texts(name: str) -> set[str]:
    return {gpt2.vocabulary().texts[i] for i in members(name)}


@pytest.mark.parametrize("name", TUTORIAL_REGEXES)
def test_regex_classes_are_the_tutorials(name: str, tutorial: ModuleType) -> None:
    assert members(name) == tutorial.get_gene_set_from_regex(gpt2.spellings(), TUTORIAL_REGEXES[name])


def test_letters_are_the_tutorials(tutorial: ModuleType) -> None:
    reference = tutorial.get_letter_gene_sets(gpt2.spellings())
    assert len(reference) == 26
    for letter, expected in reference.items():
        assert members(f"letter_{letter}") == expected


def test_tagger_sets_are_the_tutorials(tutorial: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tutorial's function looks for downloaded tagger data; it is given the same data as shipped here.
    monkeypatch.setattr(tutorial.nltk, "pos_tag", nltk_tagger.load().tag)
    reference = tutorial.generate_pos_sets(gpt2.spellings())
    assert len(reference) > 40
    for name, expected in reference.items():
        assert members(name) == expected


def test_many_words_are_tagged_as_one_at_a_time() -> None:
    words = [spelling.strip("Ġ") for spelling in list(gpt2.spellings())[::7]]
    words += ["", "1987", "12", "well-known", "-", "İstanbul", "ﬀ", "the", "Ring"]
    tagger = nltk_tagger.load()
    assert tag_words(words) == [tagger.tag([word])[0][1] for word in words]


def test_strict_past_tense_reads_right() -> None:
    strict = texts("verb_past_strict")
    assert {" began", " went", " took", " wrote"} <= strict
    assert not strict & {" walked", " saw", " crew", " bit", " put", " lay"}
    assert not strict & texts("verb_past_participle")
    assert {" begun", " gone", " written"} <= texts("verb_past_participle_strict")
    assert {" walked", " began", " saw"} <= texts("verb_past")
    assert {" walked", " begun"} <= texts("verb_past_participle")


def test_inclusive_verb_forms_share_most_tokens() -> None:
    past, participle = members("verb_past"), members("verb_past_participle")
    assert len(past & participle) > 0.9 * len(past)


def test_first_names() -> None:
    assert {" John", " Michael"} <= texts("first_names_boys")
    assert {" Mary", " Linda"} <= texts("first_names_girls")
    assert {" John", "John"} <= texts("first_names_boys_only")
    assert {" Jordan", " Taylor"} <= texts("first_names_both")
    assert not members("first_names_boys_only_1000") & members("first_names_girls_1000")
    assert members("first_names_boys") < members("first_names_boys_1000")
    assert " will" not in texts("first_names_boys_1000")


def test_names_and_hashes() -> None:
    catalogue = gpt2.catalogue()
    assert all(re.fullmatch(r"[\w $#'(),.:`]+", name) for name in catalogue)
    again = {s.name: s.content_hash for s in build_catalogue(gpt2.vocabulary())}
    assert again == {name: s.content_hash for name, s in catalogue.items()}
    phrases = [s.phrase for s in catalogue.values()]
    assert len(set(phrases)) == len(phrases)


def test_tokenizer_larger_than_the_unembedding_is_refused() -> None:
    with pytest.raises(TokenSetError, match="unembedding has 100 columns"):
        Vocabulary.from_byte_level(gpt2.spellings(), 100)


def test_ids_without_a_spelling_are_padding() -> None:
    padded = Vocabulary.from_byte_level({"a": 0, "Ġb": 2}, 4)
    assert padded.special == {1, 3}
    assert padded.texts == ("a", "<padding 1>", " b", "<padding 3>")
    assert padded.words == (None, None, "b", None)
