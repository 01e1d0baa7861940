"""Definitions of token sets as TOML writes them: what the shipped word lists and everybody's own sets are made of.

A file holds ``family`` and ``source`` for all its sets and one table ``[[set]]`` for each::

    family = "time"

    [[set]]
    name = "weekdays"
    phrase = "days of the week"
    words = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"

Exactly one of ``words``, ``texts``, ``regex``, ``ids`` and ``expression`` says who the members are.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsea_db.errors import TokenSetError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = ("words", "texts", "regex", "ids", "expression")
_CHOICES: dict[str, tuple[str, tuple[str, ...]]] = {
    # key -> (the kind it goes with, its values, the default first)
    "case": ("words", ("any", "exact")),
    "pieces": ("words", ("skip", "first", "all")),
    "on": ("regex", ("text", "word", "spelling")),
}
_FILE_KEYS = ("family", "source", "set")
_TEXT_KEYS = ("name", "phrase", "definition", "source")
_SET_KEYS = (*_TEXT_KEYS, "version", "tags", *_CHOICES, *_KINDS)
_TEXT = {"words", "texts"}


@dataclass(frozen=True)
class Definition:
    """What makes a token a member of a set.

    Attributes:
        name, family, phrase, definition, source, version, tags: As in :class:`tsea_db.token_sets.TokenSet`.
        kind: Which of ``words``, ``texts``, ``regex``, ``ids`` and ``expression`` gives the members.
        members: Words or texts, ids, or the one pattern or expression.
        case: For words, whether " Walk" and " WALK" are members for "walk" (``any``) or not (``exact``).
        pieces: For words of several tokens: none of the tokens (``skip``), the ``first``, or ``all``.
        on: What a pattern must match: the whole ``text``, the ``word`` a token opens, or its byte-level ``spelling``.
        where: File and line, for messages.
    """

    name: str
    family: str
    phrase: str
    definition: str
    source: str
    kind: str
    members: tuple[Any, ...]
    version: int = 1
    tags: tuple[str, ...] = ()
    case: str = "any"
    pieces: str = "skip"
    on: str = "text"
    where: str = ""


class _Lines:
    """Finds the line of a key, which tomllib does not tell."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._lines = text.splitlines()
        self._starts = [i for i, line in enumerate(self._lines) if re.match(r"\s*\[\[\s*set\s*\]\]", line)]

    def of(self, index: int | None, key: str | None = None) -> str:
        """Return ``file, line n`` of a key of the set with this index (None: of the file's own keys)."""
        first = 0 if index is None else self._starts[index] if index < len(self._starts) else 0
        last = next((start for start in self._starts if start > first), len(self._lines))
        for number in range(first, last):
            if key is not None and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", self._lines[number]):
                return f"{self.name}, line {number + 1}"
        return f"{self.name}, line {first + 1}"


def parse_definitions(text: str, name: str) -> tuple[Definition, ...]:
    """Read a TOML text of set definitions; ``name`` stands for the file in messages.

    Raises:
        TokenSetError: The text is no TOML, or has an unknown key, a missing one or a wrong type; names the line.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{name} is not valid TOML: {error}."
        raise TokenSetError(msg) from error
    lines = _Lines(text, name)
    _check_keys(content, _FILE_KEYS, lines, None)
    for key in ("family", "source"):
        _require(isinstance(content.get(key, ""), str), f"{key} must be a text", lines.of(None, key))
    tables = content.get("set")
    is_list = isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    _require(is_list and bool(tables), "there is no table [[set]]; each set needs one", name)
    family = content.get("family", "own")
    source = content.get("source", name)
    return tuple(_definition(table, family, source, lines, i) for i, table in enumerate(tables or ()))


def _require(condition: bool, problem: str, where: str) -> None:
    if not condition:
        msg = f"{where}: {problem}."
        raise TokenSetError(msg)


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...], lines: _Lines, index: int | None) -> None:
    for key in table:
        if key not in known:
            msg = f"{lines.of(index, key)}: unknown key {key!r}. Known here are {', '.join(known)}."
            raise TokenSetError(msg)


def _definition(table: Mapping[str, Any], family: str, source: str, lines: _Lines, index: int) -> Definition:
    """Read one ``[[set]]`` table."""
    _check_keys(table, _SET_KEYS, lines, index)
    name = table.get("name")
    _require(isinstance(name, str) and bool(name), "the set needs a name", lines.of(index, "name"))
    for key in _TEXT_KEYS:
        fine = isinstance(table.get(key, "x"), str) and bool(table.get(key, "x").strip())
        _require(fine, f"set {name!r}: {key} must be a text that is not empty", lines.of(index, key))
        _require(
            not re.search(r"[\t\r\n]", table.get(key, "")) or key == "definition",
            f"set {name!r}: {key} must fit on one line",
            lines.of(index, key),
        )
    version = table.get("version", 1)
    _require(
        type(version) is int and version > 0, f"set {name!r}: version must be 1 or more", lines.of(index, "version")
    )
    kinds = [kind for kind in _KINDS if kind in table]
    _require(len(kinds) == 1, f"set {name!r} needs exactly one of {', '.join(_KINDS)}", lines.of(index))
    [kind] = kinds
    members = _members(table[kind], kind, str(name), lines.of(index, kind))
    tags = table.get("tags", [])
    _require(
        isinstance(tags, list) and all(isinstance(tag, str) for tag in tags),
        f"set {name!r}: tags must be a list of Penn tags",
        lines.of(index, "tags"),
    )
    return Definition(
        name=str(name),
        family=family,
        phrase=table.get("phrase", name),
        definition=table.get("definition") or _default_definition(kind, members),
        source=table.get("source", source),
        kind=kind,
        members=members,
        version=version,
        tags=tuple(tags),
        where=lines.of(index),
        **_choices(table, kind, str(name), lines, index),
    )


def _choices(table: Mapping[str, Any], kind: str, name: str, lines: _Lines, index: int) -> dict[str, str]:
    """Read the keys that choose one of a few values."""
    chosen = {}
    for key, (its_kind, values) in _CHOICES.items():
        chosen[key] = table.get(key, values[0])
        where = lines.of(index, key)
        _require(chosen[key] in values, f"set {name!r}: {key} must be one of {', '.join(values)}", where)
        _require(key not in table or kind == its_kind, f"set {name!r}: {key} goes with {its_kind} only", where)
    return chosen


def _members(value: Any, kind: str, name: str, where: str) -> tuple[Any, ...]:
    """Check the value of the key that gives the members. Words and texts may be one text, split at white space."""
    if kind in _TEXT:
        if isinstance(value, str):
            value = value.split()
        fine = isinstance(value, list) and all(isinstance(entry, str) and entry for entry in value)
        _require(fine, f"set {name!r}: {kind} must be a list of texts, or one text with white space between", where)
    elif kind == "ids":
        fine = isinstance(value, list) and all(type(entry) is int for entry in value)
        _require(fine, f"set {name!r}: ids must be a list of whole numbers", where)
    else:
        _require(isinstance(value, str), f"set {name!r}: {kind} must be a text", where)
        value = [value]
    _require(bool(value) and value != [""], f"set {name!r}: {kind} is empty", where)
    return tuple(dict.fromkeys(value))


def _default_definition(kind: str, members: tuple[Any, ...]) -> str:
    return {
        "words": f"One of {len(members)} listed words.",
        "texts": f"One of {len(members)} listed texts; spaces around it do not count.",
        "regex": f"Matches {members[0]}",
        "ids": f"One of {len(members)} listed token ids.",
        "expression": f"{members[0]}",
    }[kind]
