r"""How a token is written in a line of text, so that any token comes back as itself.

A token's text stands as it is, a leading space included, with these exceptions: ``\\`` for a backslash, ``\t``, ``\n``
and ``\r`` for tab and line ends, ``\xNN`` for bytes that are no text (control characters, incomplete UTF-8) and for a
space at the end, which editors cut off. Where several tokens have the same text (WordPiece's "ing" and "##ing", a byte
token and its letter), ``\#`` and the id follow: ``ing\#1158``.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from tsea_db.errors import TokenSetError

if TYPE_CHECKING:
    from tsea_db.vocabulary.vocabulary import Vocabulary

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {"\\": b"\\", "t": b"\t", "n": b"\n", "r": b"\r"}
_ESCAPE = re.compile(r"\\(?:([\\tnr])|x([0-9a-f]{2}))|\\")
_ID = re.compile(r"(?<!\\)((?:\\\\)*)\\#(\d+)$")


def escape(data: bytes) -> str:
    """Write a token's bytes."""
    written = []
    for character in data.decode("utf-8", "surrogateescape"):
        if character in _ESCAPES:
            written.append(_ESCAPES[character])
        elif character.isprintable():
            written.append(character)
        else:
            written += [f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape")]
    text = "".join(written)
    return f"{text[:-1]}\\x20" if text.endswith(" ") else text


def unescape(text: str) -> bytes:
    """Read back what :func:`escape` wrote.

    Raises:
        TokenSetError: A backslash begins none of the escapes.
    """
    parts, end = [], 0
    for found in _ESCAPE.finditer(text):
        parts.append(text[end : found.start()].encode())
        letter, code = found.groups()
        if letter is None and code is None:
            msg = f"In {text!r} the backslash at character {found.start() + 1} begins no escape: write it as \\\\."
            raise TokenSetError(msg)
        parts.append(_UNESCAPES[letter] if letter else bytes.fromhex(code))
        end = found.end()
    return b"".join([*parts, text[end:].encode()])


class MemberTexts:
    """Writes and reads the tokens of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @cached_property
    def written(self) -> list[str]:
        """Every token as it is written, in id order."""
        counts = Counter(self._vocabulary.data)
        return [
            escape(data) + (f"\\#{i}" if counts[data] > 1 or not data else "")
            for i, data in enumerate(self._vocabulary.data)
        ]

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {text: i for i, text in enumerate(self.written)}

    @cached_property
    def _ids_of_bytes(self) -> dict[bytes, int]:
        counts = Counter(self._vocabulary.data)
        return {data: i for i, data in enumerate(self._vocabulary.data) if counts[data] == 1}

    def id_of(self, text: str) -> int | None:
        """Return the token that a text stands for, None if the vocabulary has no such token.

        Raises:
            TokenSetError: A wrong escape, or an id that stands for another token.
        """
        known = self._ids.get(text)
        if known is not None:
            return known
        if found := _ID.search(text):
            msg = f"{text!r} names token {found[2]}, which is another token in this vocabulary, or none."
            raise TokenSetError(msg)
        return self._ids_of_bytes.get(unescape(text))
