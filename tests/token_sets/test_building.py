"""Sets that users define: TOML files, expressions, words of several tokens, and every mistake in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import gpt2
from tsea_db.errors import TokenSetError
from tsea_db.token_sets import BuiltSets, TokenSet, load_sets
from tsea_db.token_sets.patterns import matching
from tsea_db.vocabulary import Vocabulary

TOKENS = [b" walk", b" Walk", b"Walking", b"walk", b" 12", b"ed", b" x", b"x", b"\xff", b"\n", b"<|end|>", b" talk"]
VOCABULARY = Vocabulary.from_bytes(TOKENS, special=[10])


def load(tmp_path: Path, text: str, **arguments: object) -> BuiltSets:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_sets(path, VOCABULARY, **arguments)  # type: ignore[arg-type]


def one(tmp_path: Path, lines: str, **arguments: object) -> TokenSet:
    [token_set] = load(tmp_path, f'[[set]]\nname = "a"\n{lines}', **arguments).sets
    return token_set


def ids(token_set: TokenSet) -> list[int]:
    return [int(i) for i in token_set.token_ids]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('words = "walk talk"', [0, 1, 11]),
        ('words = ["walk", "walking"]', [0, 1, 2]),
        ('words = ["walk"]\ncase = "exact"', [0]),
        ('words = ["Walk"]\ncase = "exact"', [1]),
        ('texts = ["x", "12"]', [4, 6, 7]),
        ("ids = [3, 10, 3]", [3, 10]),
        ("regex = ' ?x'", [6, 7]),
        ("regex = '.*alk.*'\non = 'word'", [0, 1, 11]),
        ("regex = 'Ġ.*'\non = 'spelling'", [0, 1, 4, 6, 11]),
        ("regex = '<.*'\ndefinition = 'x'", []),  # special tokens never match
    ],
)
def test_kinds_of_definitions(lines: str, expected: list[int], tmp_path: Path) -> None:
    assert ids(one(tmp_path, lines)) == expected


def test_what_a_set_says_of_itself(tmp_path: Path) -> None:
    built = load(
        tmp_path,
        'family = "verbs"\nsource = "me"\n[[set]]\nname = "a"\nphrase = "moves"\nversion = 3\ntags = ["VB"]\nids = [0]',
    )
    [token_set] = built.sets
    assert (token_set.family, token_set.source, token_set.phrase) == ("verbs", "me", "moves")
    assert (token_set.version, token_set.tags, token_set.definition) == (3, ("VB",), "One of 1 listed token ids.")
    assert one(tmp_path, "ids = [0]").phrase == "a"
    assert one(tmp_path, "ids = [0]").source == "mine.toml"


LETTERS = """
[[set]]
name = "a"
ids = [0, 1, 2, 3]
[[set]]
name = "b c"
ids = [2, 3, 4]
[[set]]
name = "result"
expression = '''{}'''
"""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('a - "b c"', [0, 1]),
        ('a & "b c"', [2, 3]),
        ("a | 'b c'", [0, 1, 2, 3, 4]),
        ("~a", [4, 5, 6, 7, 8, 9, 10, 11]),
        ("a - a | 'b c'", [2, 3, 4]),  # left to right
        ("a - (a | 'b c')", []),
        ("a | 'b c' & a", [0, 1, 2, 3]),  # & binds tighter
        ("~(a | 'b c') & ~known_1", [5, 6, 8, 9, 10, 11]),
        ("~ ~a", [0, 1, 2, 3]),
    ],
)
def test_expressions(expression: str, expected: list[int], tmp_path: Path) -> None:
    known = [
        TokenSet.of([7], name="known_1", family="library", phrase="p", definition="d", source="s"),
    ]
    built = load(tmp_path, LETTERS.format(expression), known=known)
    assert ids(built.sets[-1]) == expected
    assert bool(built.warnings) == (not expected)


def test_expressions_may_come_before_what_they_need(tmp_path: Path) -> None:
    text = (
        '[[set]]\nname = "z"\nexpression = "y"\n[[set]]\nname = "y"\nexpression = "x"\n[[set]]\nname = "x"\nids = [5]'
    )
    built = load(tmp_path, text)
    assert [(s.name, ids(s)) for s in built.sets] == [("z", [5]), ("y", [5]), ("x", [5])]


def encode(text: str) -> list[int]:
    """Splits "x walked" into " x"?-less pieces: x, walk, ed."""
    pieces = {"x": [7], "x walked": [7, 0, 5], "x walk12": [7, 0, 4]}
    return pieces[text]


def test_words_of_several_tokens(tmp_path: Path) -> None:
    skip = load(tmp_path, '[[set]]\nname = "a"\nwords = "talk walked"')
    assert ids(skip.sets[0]) == [11]
    assert [(d.set_name, d.entry, d.reason) for d in skip.dropped] == [("a", "walked", "not a single token")]
    first = load(tmp_path, '[[set]]\nname = "a"\nwords = "talk walked"\npieces = "first"', encode=encode)
    assert ids(first.sets[0]) == [0, 11]
    assert not first.warnings
    every = load(tmp_path, '[[set]]\nname = "a"\nwords = "talk walked"\npieces = "all"', encode=encode)
    assert ids(every.sets[0]) == [0, 5, 11]
    assert "all pieces of 1 words add 2 fragments to 1 whole words" in every.warnings[0]


def test_pieces_of_real_words(tmp_path: Path) -> None:
    from tests.support.tokenizers import shipped_tokenizer
    from tsea_db.vocabulary.tokenizers import encoder, vocabulary_from_tokenizer

    tokenizer = shipped_tokenizer()
    (tmp_path / "s.toml").write_text('[[set]]\nname = "a"\nwords = "hippopotamus"\npieces = "all"')
    built = load_sets(tmp_path / "s.toml", vocabulary_from_tokenizer(tokenizer), encode=encoder(tokenizer))
    assert ids(built.sets[0]) == sorted(set(tokenizer.encode(" hippopotamus")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[set]\n", "not valid TOML.*line 1"),
        ("family = 3\n[[set]]\nname='a'\nids=[1]", "line 1: family must be a text"),
        ("set = 3", "no table"),
        ("familie = 'x'\n[[set]]\nname='a'\nids=[1]", "line 1: unknown key 'familie'. Known here are family"),
        ("[[set]]\nname='a'\nids=[1]\n\n[[set]]\nname='b'\nwordz=['x']", "line 7: unknown key 'wordz'.*words"),
        ("[[set]]\nids=[1]", "line 1: the set needs a name"),
        ("[[set]]\nname='a'\n", "needs exactly one of words, texts, regex, ids, expression"),
        ("[[set]]\nname='a'\nids=[1]\nregex='x'", "needs exactly one of"),
        ("[[set]]\nname='a'\nids=['x']", "line 3: set 'a': ids must be a list of whole numbers"),
        ("[[set]]\nname='a'\nids=[true]", "whole numbers"),
        ("[[set]]\nname='a'\nwords=[]", "words is empty"),
        ("[[set]]\nname='a'\nwords=3", "words must be a list of texts"),
        ("[[set]]\nname='a'\nregex=['x']", "regex must be a text"),
        ("[[set]]\nname='a'\nregex=''", "regex is empty"),
        ("[[set]]\nname='a'\nids=[1]\nversion=0", "line 4: set 'a': version must be 1 or more"),
        ("[[set]]\nname='a'\nids=[1]\nphrase=''", "line 4: set 'a': phrase must be a text that is not empty"),
        ('[[set]]\nname="a\\tb"\nids=[1]', "name must fit on one line"),
        ("[[set]]\nname='a'\nids=[1]\ntags='VB'", "tags must be a list"),
        ("[[set]]\nname='a'\nwords='x'\ncase='lower'", "line 4: set 'a': case must be one of any, exact"),
        ("[[set]]\nname='a'\nids=[1]\ncase='any'", "case goes with words only"),
        ("[[set]]\nname='a'\nids=[1]\n[[set]]\nname='a'\nids=[2]", "2 token sets are called 'a'.*line 1.*line 4"),
        ("[[set]]\nname='library'\nids=[1]", "'library' already, in family 'built in'"),
        (
            "[[set]]\nname='a'\nregex='x(y'",
            r"'a': its pattern does not compile \(missing \)\) at position 3: x\(y<here>",
        ),
        ("[[set]]\nname='a'\nwords=['zebra']", "none of its 1 words is in this vocabulary.*not a single token"),
        ("[[set]]\nname='a'\ntexts=['zebra']", "none of its 1 texts"),
        ("[[set]]\nname='a'\nids=[3, 12]", "id 12 is outside the vocabulary, whose ids are 0 to 11"),
        ("[[set]]\nname='a'\nids=[-1]", "id -1 is outside"),
        ("[[set]]\nname='a'\nwords='zebra'\npieces='first'", "needs the tokenizer"),
        ("[[set]]\nname='a'\nexpression='libary - b'", "names 'libary', which does not exist. Did you mean 'library'"),
        ("[[set]]\nname='a'\nexpression='qqqq'", "No set has a name like it"),
        ("[[set]]\nname='a'\nexpression='library -'", "cannot be read at character 10: library -<here>"),
        ("[[set]]\nname='a'\nexpression='library ? b'", "cannot be read at character 9"),
        ("[[set]]\nname='a'\nexpression='library b'", "cannot be read at character 9: library <here>b"),
        ("[[set]]\nname='a'\nexpression='a'", "in a circle: a -> a"),
    ],
)
def test_mistakes(text: str, message: str, tmp_path: Path) -> None:
    library = TokenSet.of([1], name="library", family="built in", phrase="p", definition="d", source="s")
    with pytest.raises(TokenSetError, match=message):
        load(tmp_path, text, known=[library])


def test_circle_of_expressions_is_named(tmp_path: Path) -> None:
    rows = {"a": "b", "b": "c & d", "c": "a", "d": "~e", "e": "e0"}
    text = "".join(f"[[set]]\nname = '{name}'\nexpression = '{needs}'\n" for name, needs in rows.items())
    with pytest.raises(TokenSetError, match=r"(a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)\. Define"):
        load(tmp_path, text + "[[set]]\nname = 'e0'\nids = [1]")


def test_own_set_may_be_defined_again(tmp_path: Path) -> None:
    earlier = one(tmp_path, "ids = [0]")
    assert ids(one(tmp_path, "ids = [1]", known=[earlier])) == [1]


def test_endless_pattern_is_stopped() -> None:
    with pytest.raises(
        TokenSetError, match=r"'slow': its pattern \(a\|aa\)\+\$ takes more than 0.2 s; it was at token 7"
    ):
        matching("(a|aa)+$", [3, 7], ["a", "a" * 60 + "!"], "slow", limit=0.2)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(TokenSetError, match=r"none\.toml cannot be read"):
        load_sets(tmp_path / "none.toml", VOCABULARY)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(TokenSetError, match=r"read from \.toml and \.gmt"):
        load_sets(tmp_path / "a.txt", VOCABULARY)
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(TokenSetError, match=r"a\.toml cannot be read"):
        load_sets(tmp_path / "a.toml", VOCABULARY)


def test_algebra_over_the_library(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("""[[set]]\nname = "tagger_disputes"\nexpression = 'nltk_pos_VBD - verb_past & "word_starts"'\n""")
    [built] = load_sets(path, gpt2.vocabulary(), list(gpt2.catalogue().values())).sets
    expected = set(gpt2.catalogue()["nltk_pos_VBD"].token_ids) - (
        set(gpt2.catalogue()["verb_past"].token_ids) & set(gpt2.catalogue()["word_starts"].token_ids)
    )
    assert set(built.token_ids) == expected
