"""Differences between libraries, versions, and what lint finds."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import gpt2
from tsea_db.token_sets import SetChange, TokenSet, diff, lint, versioned
from tsea_db.vocabulary import Vocabulary


def make(name: str, *ids: int, phrase: str = "p", version: int = 1, tags: tuple[str, ...] = ()) -> TokenSet:
    return TokenSet.of(
        ids, name=name, family="f", phrase=phrase, definition="d", source="s", version=version, tags=tags
    )


def test_diff() -> None:
    old = [make("same", 1, 2), make("gone", 4), make("members", 1, 2, 3), make("words", 1)]
    new = [make("new", 7), make("same", 1, 2), make("members", 2, 3, 5, 6), make("words", 1, phrase="q")]
    assert diff(old, new) == [
        SetChange("new", "added", gained=(7,)),
        SetChange("members", "members", gained=(5, 6), lost=(1,)),
        SetChange("words", "description", fields=("phrase",)),
        SetChange("gone", "removed", lost=(4,)),
    ]
    assert diff(old, old) == []


def test_a_changed_definition_is_a_new_version() -> None:
    old = [make("same", 1, version=4), make("members", 1, version=2), make("words", 1), make("raised", 1)]
    new = [
        make("same", 1),
        make("members", 2),
        make("words", 1, phrase="q"),
        make("raised", 2, version=9),
        make("new", 1),
    ]
    assert {s.name: s.version for s in versioned(old, new)} == {
        "same": 4,
        "members": 3,
        "words": 2,
        "raised": 9,
        "new": 1,
    }


def test_lint_finds_small_and_similar_sets() -> None:
    vocabulary = Vocabulary.from_bytes([b"x"] * 20)
    sets = [make("a", *range(10)), make("b", *range(9)), make("c", *range(10)), make("few", 11), make("none")]
    findings = lint(sets, vocabulary)
    assert [(f.kind, f.set_name, f.other) for f in findings] == [
        ("tiny", "few", ""),
        ("empty", "none", ""),
        ("duplicate", "a", "c"),
        ("near-duplicate", "a", "b"),
        ("near-duplicate", "b", "c"),
    ]
    assert findings[3].value == pytest.approx(0.9)
    assert lint([], vocabulary) == []


def test_lint_agrees_with_sets() -> None:
    rng = np.random.default_rng(0)
    members = [set(rng.choice(12, size=rng.integers(1, 12), replace=False).tolist()) for _ in range(30)]
    sets = [make(str(i), *ids) for i, ids in enumerate(members)]
    found = {
        (f.set_name, f.other): f.value for f in lint(sets, Vocabulary.from_bytes([b"x"] * 12), jaccard=0.5) if f.other
    }
    expected = {
        (str(i), str(j)): len(a & b) / len(a | b)
        for i, a in enumerate(members)
        for j, b in enumerate(members)
        if i < j and len(a & b) / len(a | b) >= 0.5
    }
    assert found == pytest.approx(expected)


def test_lint_asks_the_lexicon() -> None:
    vocabulary = Vocabulary.from_bytes([b" began", b" Viking", b" table", b" qzx", b"ing"])
    past = make("past", 0, 1, 2, 3, 4, tags=("VBD",))
    [finding] = [f for f in lint([past, make("any", 0, 2)], vocabulary) if f.kind == "disputed"]
    assert finding.token_ids == (2,)  # the lexicon knows neither "Viking" nor "qzx"
    assert "1 of the 2 members it knows" in finding.message
    assert finding.value == 0.5


def test_lint_of_the_library() -> None:
    findings = lint(list(gpt2.catalogue().values()), gpt2.vocabulary())
    disputed = {f.set_name for f in findings if f.kind == "disputed"}
    assert {"nltk_pos_JJ", "nltk_pos_NN", "nltk_pos_VB"} <= disputed
    assert not {name for name in disputed if not name.startswith("nltk_pos_")}
