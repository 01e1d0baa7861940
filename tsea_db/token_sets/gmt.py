"""GMT files, the format of gene-set libraries: a line is a set; name, description and members are divided by tabs.

The description is the set's phrase and, in braces, what else is known of it. Members are tokens, written as
:mod:`tsea_db.token_sets.member_text` says. Reading what was written gives the same sets.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tsea_db.errors import TokenSetError
from tsea_db.token_sets.building import BuiltSets, Dropped
from tsea_db.token_sets.member_text import MemberTexts, escape, unescape
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tsea_db.vocabulary.vocabulary import Vocabulary

_ABOUT = ' {"family": '
_FIELDS = {"family": str, "version": int, "definition": str, "source": str, "tags": list}


def format_gmt(sets: Iterable[TokenSet], vocabulary: Vocabulary) -> str:
    """Write sets as GMT. Sets without members are left out: a line of GMT has at least one."""
    texts = MemberTexts(vocabulary).written
    lines = []
    for token_set in sets:
        if len(token_set):
            about = json.dumps({field: getattr(token_set, field) for field in _FIELDS}, ensure_ascii=False)
            head = [escape(token_set.name.encode()), f"{escape(token_set.phrase.encode())} {about}"]
            lines.append("\t".join([*head, *(texts[i] for i in token_set.token_ids)]) + "\n")
    return "".join(lines)


def parse_gmt(text: str, vocabulary: Vocabulary, name: str) -> BuiltSets:
    """Read GMT, of ours or of anybody; ``name`` stands for the file in messages.

    Members that are no token of this vocabulary are dropped and reported.

    Raises:
        TokenSetError: A line has no members or none that is a token, or two lines have the same name.
    """
    texts = MemberTexts(vocabulary)
    built = BuiltSets()
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        fields = line.removesuffix("\r").split("\t")
        if fields == [""]:
            continue
        token_set = _parse_line(fields, texts, f"{name}, line {number}", built)
        first = lines.setdefault(token_set.name, number)
        if first != number:
            msg = (
                f"{name}, lines {first} and {number} both define the token set {token_set.name!r}: rename one of them."
            )
            raise TokenSetError(msg)
        built.sets.append(token_set)
    if not built.sets:
        msg = f"{name} has no token sets."
        raise TokenSetError(msg)
    return built


def _parse_line(fields: list[str], texts: MemberTexts, where: str, built: BuiltSets) -> TokenSet:
    members = [field for field in fields[2:] if field]
    if not fields[0] or not members:
        what = "has no members" if fields[0] else "has no name"
        msg = f"{where}: the line {what}. A line is name, description and members, divided by tabs."
        raise TokenSetError(msg)
    ids = []
    try:
        name = unescape(fields[0]).decode()
        for member in members:
            token_id = texts.id_of(member)
            if token_id is None:
                built.dropped.append(Dropped(name, member, "not a token of this vocabulary"))
            else:
                ids.append(token_id)
    except (TokenSetError, UnicodeDecodeError) as error:
        msg = f"{where}: {error}"
        raise TokenSetError(msg) from error
    if not ids:
        msg = (
            f"{where}: none of the {len(members)} members of {name!r} is a token of this vocabulary. Members are "
            "tokens with their leading space; for words give a TOML file with words = [...]."
        )
        raise TokenSetError(msg)
    phrase, about = _read_description(fields[1], where)
    file = where.rpartition(", line ")[0]
    known: dict[str, Any] = {"family": "own", "definition": f"Listed in {file}.", "source": file} | about
    return TokenSet.of(ids, name=name, phrase=phrase or name, **known)


def _read_description(text: str, where: str) -> tuple[str, dict[str, object]]:
    """Split a description into the phrase and what :func:`format_gmt` put behind it, if it did."""
    phrase, mark, rest = text.partition(_ABOUT)
    if not mark:
        return text, {}
    try:
        about = json.loads(_ABOUT.strip() + " " + rest)
        fine = about.keys() <= _FIELDS.keys() and all(isinstance(about[key], _FIELDS[key]) for key in about)
        if not fine:
            msg = f"keys {sorted(about)}"
            raise ValueError(msg)
        return unescape(phrase).decode(), about
    except (TokenSetError, ValueError) as error:
        msg = (
            f"{where}: what the description says in braces cannot be read ({error}). Leave it out, or write it as JSON."
        )
        raise TokenSetError(msg) from error
