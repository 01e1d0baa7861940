"""Which tokens stand for a word, and which words are which form of a verb: the rules at their edges."""

from __future__ import annotations

from functools import cache

import pytest

from tsea_db.token_sets import TokenSet, build_catalogue
from tsea_db.token_sets.lexicon import tags_of
from tsea_db.vocabulary import Vocabulary

SPELLINGS = (
    " walk", " Walk", " WALK", " walK", "Walk", "walk", "WALK", " US", " us", " Us", " IT", " A", " a", "A", " WHO",
    " who", "Who", " WHOM", "Whom", " cat's", " Cat's", " CAT", " pad", " Pads", "Al", " b2",
)  # fmt: skip
FORMS = (
    "broken broke proven swollen hidden written began begun went gone lit got burned burnt dreamed dreamt learned "
    "learnt dream burn learn hang hung hanged walk walked used use go begin write put cut read left shot born "
    "bred bound fed led bent clung drunk drank sung sang sunk sank stolen stole tied cried stopped panicked beware fled"
)


@cache
def words() -> Vocabulary:
    return Vocabulary.from_bytes([spelling.encode() for spelling in SPELLINGS], [SPELLINGS.index(" pad")])


@cache
def forms() -> dict[str, set[str]]:
    vocabulary = Vocabulary.from_bytes([f" {word}".encode() for word in FORMS.split()])

    def members(token_set: TokenSet) -> set[str]:
        return {vocabulary.texts[i].strip() for i in token_set.token_ids}

    return {token_set.name: members(token_set) for token_set in build_catalogue(vocabulary)}


@pytest.mark.parametrize(
    ("word", "own_case", "any_case"),
    [
        ("walk", {" walk"}, {" walk", " Walk", " WALK", " walK", "Walk"}),
        ("Walk", {" Walk", "Walk"}, {" walk", " Walk", " WALK", " walK", "Walk"}),
        ("us", {" us"}, {" us", " Us"}),
        ("US", {" US"}, {" US", " us", " Us"}),
        ("it", set(), set()),
        ("IT", {" IT"}, {" IT"}),
        ("a", {" a"}, {" A", " a"}),
        ("A", {" A"}, {" A", " a"}),
        ("who", {" who"}, {" who"}),
        ("WHO", {" WHO"}, {" WHO", " who"}),
        ("whom", set(), {" WHOM", "Whom"}),
        ("cat", set(), set()),
        ("cat's", {" cat's"}, {" cat's", " Cat's"}),
        ("al", set(), set()),
        ("pad", set(), set()),
        ("pads", set(), {" Pads"}),
    ],
)
def test_what_stands_for_a_word(word: str, own_case: set[str], any_case: set[str]) -> None:
    """Capitals fold from four letters on, and single ones; words open a line from four letters on."""
    found = [{SPELLINGS[i] for i in words().ids_of_words([word], fold_case=fold)} for fold in (False, True)]
    assert found == [own_case, any_case]


def test_words_are_letters_only_and_open_with_a_space() -> None:
    assert [word for word in words().words if word] == [
        "walk", "Walk", "WALK", "walK", "US", "us", "Us", "IT", "A", "a", "WHO", "who", "WHOM", "CAT", "Pads"
    ]  # fmt: skip


def test_a_participle_that_is_an_adjective_is_strict_all_the_same() -> None:
    assert {"broken", "swollen", "hidden", "written", "begun", "gone"} <= forms()["verb_past_participle_strict"]
    assert {"broken", "swollen"} <= forms()["adjective"] & forms()["verb_past_participle"]


def test_a_past_tense_that_is_an_adjective_is_strict_all_the_same() -> None:
    assert tags_of("broke") == {"VBD", "JJ"}
    assert "broke" in forms()["verb_past_strict"]


def test_verbs_with_a_regular_past_or_none_are_no_irregular_ones() -> None:
    assert forms()["verb_base_irregular"] == {"begin", "cut", "go", "put", "read", "write"}
    assert {"burned", "burnt", "dreamed", "dreamt", "learned", "learnt", "hanged", "hung"} <= forms()["verb_past"]


def test_a_base_form_is_its_own_present() -> None:
    assert {"begin", "go", "write"} & forms()["verb_base_strict"] == {"begin", "write"}


def test_past_forms_are_regular_or_irregular_by_their_own_spelling() -> None:
    for name in ("verb_past", "verb_past_participle"):
        regular = {"burned", "dreamed", "learned", "walked", "used", "tied", "cried", "stopped", "panicked"}
        assert forms()[f"{name}_regular"] - {"hanged"} == regular
        assert {"hung", "put", "fled", "bent"} <= forms()[f"{name}_irregular"]
        assert not forms()[f"{name}_irregular"] & regular
    assert "hanged" in forms()["verb_past_regular"]
    assert {"burnt", "dreamt", "learnt", "began"} <= forms()["verb_past_irregular"]
    assert {"begun", "sung"} <= forms()["verb_past_participle_irregular"]


def test_variants_in_t_serve_as_participles() -> None:
    assert {"burnt", "dreamt", "learnt"} <= forms()["verb_past"]
    strict = {"began", "broke", "drank", "got", "lit", "sang", "sank", "stole", "went"}
    assert forms()["verb_past_strict"] == strict
