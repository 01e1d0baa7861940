"""The vocabulary of a tokenizer: what each token id stands for."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from tsea_db.errors import TokenSetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def _byte_spelling() -> list[str]:
    """Return the character that GPT-2's byte-level spelling uses for each of the 256 byte values.

    Printable Latin-1 characters stand for themselves; the other bytes take the code points from 256 on, in byte
    order, so that a space (byte 32) is ``Ġ``. Source: the ``encoder.py`` released with GPT-2 (Radford et al. 2019).
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + others.index(byte)) for byte in range(256)]


_LINE_START = 4  # letters of a capitalised token without a leading space, from which on it is taken for a word
_IN_CAPITALS = 4  # letters from which on a token in capitals is taken for a word, not for an abbreviation
_SPELLING = _byte_spelling()
_BYTE_OF = {character: byte for byte, character in enumerate(_SPELLING)}


def bytes_from_spelling(spelling: str) -> bytes:
    """Return the bytes that a GPT-2 byte-level spelling such as ``Ġwalked`` stands for.

    Characters outside the 256 of the byte alphabet (in tokens added by hand) stand for their UTF-8 bytes.
    """
    return b"".join(bytes([_BYTE_OF[c]]) if c in _BYTE_OF else c.encode("utf-8", "surrogatepass") for c in spelling)


class Token(NamedTuple):
    """What a tokenizer says of one id: the bytes it decodes to, whether it opens a word, whether it is no text."""

    data: bytes
    starts_word: bool = False
    special: bool = False


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """All tokens of a model in id order: the universe that token sets are drawn from.

    One entry for each of the ``d_vocab`` columns of the unembedding, special and padding tokens included. What a token
    says is kept as bytes, because a byte-level token need not be valid UTF-8.

    Attributes:
        data: The bytes each token decodes to, a leading space included.
        special: Ids of special, added and padding tokens.
        starts_word: For each token, whether it opens a word: by a leading space (byte-level spelling's ``Ġ``,
            SentencePiece's ``▁``) or, in WordPiece, by not being a ``##`` continuation. Where a tokenizer marks the
            end of a word instead, tokens that end one count, because whole words are among them.
    """

    data: tuple[bytes, ...]
    special: frozenset[int]
    starts_word: tuple[bool, ...]

    @classmethod
    def from_bytes(cls, data: Iterable[bytes], special: Iterable[int] = ()) -> Vocabulary:
        """Make a vocabulary whose word starts are the tokens with a leading space (all but WordPiece)."""
        tokens = tuple(data)
        return cls(tokens, frozenset(special), tuple(token.startswith(b" ") for token in tokens))

    @classmethod
    def from_byte_level(cls, ids: dict[str, int], n_tokens: int, special: Iterable[str] = ()) -> Vocabulary:
        """Make a vocabulary from byte-level spellings (GPT-2's ``encoder.json`` and its kin).

        Args:
            ids: Spelling to token id, special tokens included.
            n_tokens: Columns of the unembedding. Ids without a spelling become padding tokens.
            special: Spellings that are special tokens; these are plain text, not byte-level spelling.

        Raises:
            TokenSetError: An id lies outside the unembedding.
        """
        special = frozenset(special)
        return cls.from_tokens(
            {
                token_id: Token(spelling.encode(), special=True)
                if spelling in special
                else Token(data := bytes_from_spelling(spelling), data.startswith(b" "))
                for spelling, token_id in ids.items()
            },
            n_tokens,
        )

    @classmethod
    def from_tokens(cls, tokens: Mapping[int, Token], n_tokens: int) -> Vocabulary:
        """Make a vocabulary of what a tokenizer knows; ids it leaves free below ``n_tokens`` become padding tokens.

        Raises:
            TokenSetError: An id lies outside the unembedding.
        """
        outside = sorted(i for i in tokens if not 0 <= i < n_tokens)
        if outside:
            msg = (
                f"The tokenizer has token {tokens[outside[0]].data!r} at id {outside[0]}, but the unembedding has "
                f"{n_tokens} columns ({len(outside)} such tokens). Is this the tokenizer of this model?"
            )
            raise TokenSetError(msg)
        row = [tokens.get(i) or Token(f"<padding {i}>".encode(), special=True) for i in range(n_tokens)]
        return cls(
            tuple(token.data for token in row),
            frozenset(i for i, token in enumerate(row) if token.special),
            tuple(token.starts_word for token in row),
        )

    def __len__(self) -> int:
        """Number of tokens, V."""
        return len(self.data)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Display form of each token: its bytes as UTF-8, with U+FFFD where they are not."""
        return tuple(token.decode("utf-8", "replace") for token in self.data)

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """Each token in GPT-2's byte-level spelling (``Ġ`` for a space), whatever tokenizer it comes from.

        The sets of the TSEA tutorial are defined on this spelling.
        """
        return tuple("".join(_SPELLING[byte] for byte in token) for token in self.data)

    @cached_property
    def words(self) -> tuple[str | None, ...]:
        """The word each token opens, in its own case and without the space around it; None for all other tokens.

        A token opens a word if it starts one and the rest is letters only: " walked" and " Was" do, "ing" and
        " don't" do not. (Tokenizers that mark the end of a word have the space behind it.)
        """
        return tuple(
            word if starts and (word := text.removeprefix(" ").removesuffix(" ")).isalpha() else None
            for text, starts in zip(self._ordinary_texts, self.starts_word, strict=True)
        )

    @cached_property
    def _ordinary_texts(self) -> tuple[str, ...]:
        return tuple("" if i in self.special else text for i, text in enumerate(self.texts))

    @cached_property
    def _ordinary(self) -> dict[str, tuple[list[int], list[str]]]:
        texts = tuple(token.decode("utf-8", "surrogateescape") for token in self.data)
        forms = {"text": texts, "word": self.words, "spelling": self.spellings}
        kept = {
            on: [(i, text) for i, text in enumerate(rows) if text is not None and i not in self.special]
            for on, rows in forms.items()
        }
        return {on: ([i for i, _ in rows], [text for _, text in rows]) for on, rows in kept.items()}

    def ordinary(self, on: str) -> tuple[list[int], list[str]]:
        """Return the tokens that are not special: their ids and their ``text``, ``word`` or ``spelling``.

        Tokens that open no word are left out of the words. Bytes that are no complete UTF-8 character are U+DC80 to
        U+DCFF in a text here, so that no pattern takes them for a symbol, as it would U+FFFD.
        """
        return self._ordinary[on]

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of everything token sets can depend on."""
        digest = hashlib.sha256()
        for i, (token, starts) in enumerate(zip(self.data, self.starts_word, strict=True)):
            digest.update(len(token).to_bytes(4, "little") + token + bytes([starts, i in self.special]))
        return digest.hexdigest()

    @cached_property
    def _ids_of_entries(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Index of the tokens that can stand for a word of a list: by exact text, and by text in lower case."""
        exact: defaultdict[str, list[int]] = defaultdict(list)
        folded: defaultdict[str, list[int]] = defaultdict(list)
        for i, (text, starts) in enumerate(zip(self._ordinary_texts, self.starts_word, strict=True)):
            entry = text.removeprefix(" ").removesuffix(" ") if starts else text
            if starts or (len(text) >= _LINE_START and text.isalpha() and text.istitle()):
                exact[entry].append(i)
                if not entry.isupper() or len(entry) == 1 or len(entry) >= _IN_CAPITALS:
                    folded[entry.lower()].append(i)
        return exact, folded

    def ids_of_words(self, words: Iterable[str], *, fold_case: bool = False) -> list[int]:
        """Return the ids of tokens that are one of ``words``, ascending.

        Tokens that open a word count, and so do tokens without a leading space that are capitalised and at least four
        letters long: "Monday" opens a line, a quotation or a bracket. Shorter ones and lower-case ones are mostly
        pieces of longer words ("Al", "ring").

        Args:
            words: What to look for; an entry need not be letters only.
            fold_case: Whether " Walk" and " WALK" are "walk". Two or three capitals are not taken for a word, unless
                they are asked for: " US", " IT" and " WHO" are abbreviations.
        """
        exact, folded = self._ids_of_entries
        found: set[int] = set()
        for word in words:
            found.update(exact.get(word, ()))
            if fold_case:
                found.update(folded.get(word.lower(), ()))
        return sorted(found)

    @cached_property
    def _ids_of_texts(self) -> dict[str, list[int]]:
        ids: defaultdict[str, list[int]] = defaultdict(list)
        for i, text in enumerate(self.texts):
            if i not in self.special:
                ids[text.strip(" ")].append(i)
        return ids

    def ids_of_text(self, text: str) -> list[int]:
        """Return the ids of ordinary tokens with exactly this text, spaces around it apart, ascending."""
        return self._ids_of_texts.get(text.strip(" "), [])

    def show(self, token_ids: Sequence[int]) -> str:
        """Return the tokens' texts for a person: quoted, so that spaces and line ends show."""
        return " ".join(repr(self.texts[i]) for i in token_ids)
