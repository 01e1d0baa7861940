"""Sets written to files and read back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import gpt2
from tsea_db.errors import TokenSetError
from tsea_db.token_sets import TokenSet, load_sets, write_sets
from tsea_db.token_sets.gmt import format_gmt, parse_gmt
from tsea_db.token_sets.member_text import MemberTexts, escape, unescape
from tsea_db.vocabulary import Vocabulary

FIELDS = ("name", "family", "phrase", "definition", "source", "version", "tags", "content_hash")


def described(sets: list[TokenSet]) -> list[tuple[object, ...]]:
    return [tuple(getattr(token_set, field) for field in FIELDS) for token_set in sets]


def test_the_library_survives_gmt(tmp_path: Path) -> None:
    sets = list(gpt2.catalogue().values())
    empty = write_sets(sets, gpt2.vocabulary(), tmp_path / "sets.gmt")
    assert set(empty) == {token_set.name for token_set in sets if not len(token_set)}
    built = load_sets(tmp_path / "sets.gmt", gpt2.vocabulary())
    assert described(built.sets) == described([token_set for token_set in sets if len(token_set)])
    assert not built.dropped
    again = tmp_path / "again.gmt"
    write_sets(built.sets, gpt2.vocabulary(), again)
    assert again.read_bytes() == (tmp_path / "sets.gmt").read_bytes()


@settings(deadline=None)
@given(
    data=st.lists(st.binary(max_size=6) | st.text(max_size=4).map(str.encode), min_size=1, max_size=8), name=st.text()
)
def test_any_token_survives_gmt(data: list[bytes], name: str) -> None:
    vocabulary = Vocabulary.from_bytes(data)
    try:
        name.encode()
    except UnicodeEncodeError:
        name = "surrogate"
    token_set = TokenSet.of(
        range(len(data)),
        name=name or "x",
        family="f\t\n",
        phrase=f"{name} p",
        definition='"\t',
        source="\\",
        tags=["VB"],
    )
    text = format_gmt([token_set], vocabulary)
    assert text.count("\n") == 1
    assert text.count("\t") == 1 + len(data)
    assert described(parse_gmt(text, vocabulary, "f").sets) == described([token_set])


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_survive_escapes(data: bytes) -> None:
    written = escape(data)
    assert unescape(written) == data
    assert written.isprintable()
    assert not written.endswith(" ")


def test_members_read_well() -> None:
    vocabulary = Vocabulary.from_bytes([b" walked", b"\t", b"\xff", b" \\", b"  ", b"A", b"A", "é".encode()])
    assert MemberTexts(vocabulary).written == [" walked", "\\t", "\\xff", " \\\\", " \\x20", "A\\#5", "A\\#6", "é"]


def test_gmt_of_others() -> None:
    vocabulary = Vocabulary.from_bytes([b" walk", b" talk", b"A", b"A"])
    built = parse_gmt("moves\thttp://x\t walk\t run\t\r\n\nmore\t\t talk\n", vocabulary, "m.gmt")
    assert [(s.name, s.phrase, s.token_ids.tolist()) for s in built.sets] == [
        ("moves", "http://x", [0]),
        ("more", "more", [1]),
    ]
    assert [(d.set_name, d.entry) for d in built.dropped] == [("moves", " run")]
    assert built.sets[0].source == "m.gmt"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\t walk\nc\td\n", "m.gmt, line 2: the line has no members"),
        ("a\tb\t\t\n", "line 1: the line has no members"),
        ("\tb\t walk\n", "line 1: the line has no name"),
        ("a\tb\twalk\n", "line 1: none of the 1 members of 'a' is a token"),
        ("a\tb\t walk\na\tb\t talk\n", "lines 1 and 2 both define the token set 'a'"),
        ("a\tb\t\\q\n", "line 1: In .* begins no escape"),
        ("a\tb\tA\\#7\n", "names token 7, which is another token"),
        ('a\tb {"family": 3}\t walk\n', "says in braces cannot be read"),
        ('a\tb {"family": "x", "size": 3}\t walk\n', "says in braces cannot be read"),
        ("\n", "has no token sets"),
    ],
)
def test_mistakes_in_gmt(text: str, message: str) -> None:
    vocabulary = Vocabulary.from_bytes([b" walk", b" talk", b"A", b"A"])
    with pytest.raises(TokenSetError, match=message):
        parse_gmt(text, vocabulary, "m.gmt")


def test_gmt_must_not_take_a_name_of_the_library(tmp_path: Path) -> None:
    (tmp_path / "m.gmt").write_text("verb_past\tx\t walked\n")
    with pytest.raises(TokenSetError, match="'verb_past' already, in another family"):
        load_sets(tmp_path / "m.gmt", gpt2.vocabulary(), list(gpt2.catalogue().values()))


def test_csv(tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_bytes([b" walk", b'"', b"\n", b"\xff"])
    token_set = TokenSet.of([0, 1, 2, 3], name="a, b", family="f", phrase="p", definition="d", source="s")
    write_sets([token_set], vocabulary, tmp_path / "sets.csv")
    with (tmp_path / "sets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["set", "token_id", "token"], *(["a, b", str(i), vocabulary.texts[i]] for i in range(4))]


def test_other_suffixes_and_places(tmp_path: Path) -> None:
    with pytest.raises(TokenSetError, match=r"written as \.gmt or \.csv"):
        write_sets([], gpt2.vocabulary(), tmp_path / "sets.xlsx")
    with pytest.raises(TokenSetError, match="cannot be written"):
        write_sets([], gpt2.vocabulary(), tmp_path / "no" / "sets.csv")
