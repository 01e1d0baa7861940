"""How tokenizers spell their tokens: from a spelling back to the bytes it stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsea_db.errors import TokenSetError
from tsea_db.vocabulary.vocabulary import Token, bytes_from_spelling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE_MARK = "▁"
_ENOUGH = 0.02  # share of tokens that must carry a mark for it to be the tokenizer's own


@dataclass(frozen=True)
class Scheme:
    """A way of spelling tokens.

    Attributes:
        name: For messages.
        decode: From a spelling to the bytes that it adds to a text.
        starts_word: From a spelling to whether the token opens a word.
    """

    name: str
    decode: Callable[[str], bytes]
    starts_word: Callable[[str], bool]

    def token(self, spelling: str) -> Token:
        """Read the spelling of an ordinary token."""
        return Token(self.decode(spelling), self.starts_word(spelling))

    def added_token(self, content: str, *, special: bool) -> Token:
        """Read a token that was added to a finished vocabulary; its content is plain text.

        Every added token counts as special but runs of white space, which are ordinary text ("    " in GPT-NeoX's and
        the line ends in Gemma's vocabulary).
        """
        text = content.replace(_SPACE_MARK, " ")
        if special or text.strip():
            return Token(content.encode(), special=True)
        return Token(text.encode(), text.startswith(" "))


def byte_level() -> Scheme:
    """GPT-2's byte alphabet, where ``Ġ`` is a space."""
    return Scheme("byte-level", bytes_from_spelling, lambda spelling: spelling.startswith("Ġ"))


def sentencepiece(spellings: Iterable[str]) -> Scheme:
    """SentencePiece's ``▁`` for a space, at the start of a word or (``treat_whitespace_as_suffix``) at its end.

    Byte tokens such as ``<0x0A>`` stand for their byte. Which end carries the mark is counted.
    """
    bare = [spelling for spelling in spellings if spelling.strip(_SPACE_MARK)]
    leading = sum(spelling.startswith(_SPACE_MARK) for spelling in bare)
    trailing = sum(spelling.endswith(_SPACE_MARK) for spelling in bare)

    def decode(spelling: str) -> bytes:
        if byte := _BYTE_TOKEN.fullmatch(spelling):
            return bytes([int(byte[1], 16)])
        return spelling.replace(_SPACE_MARK, " ").encode("utf-8", "surrogatepass")

    if trailing > leading:
        return Scheme("SentencePiece (trailing marks)", decode, lambda spelling: spelling.endswith(_SPACE_MARK))
    return Scheme("SentencePiece", decode, lambda spelling: spelling.startswith(_SPACE_MARK))


def wordpiece(prefix: str = "##") -> Scheme:
    """BERT's ``##`` before each piece that continues a word."""
    return Scheme(
        "WordPiece",
        lambda spelling: spelling.removeprefix(prefix).encode(),
        lambda spelling: not spelling.startswith(prefix),
    )


def whole_words() -> Scheme:
    """Every token is a word of its own."""
    return Scheme("whole words", str.encode, lambda _: True)


def word_ends(suffix: str, inner: Callable[[str], bytes]) -> Scheme:
    """A suffix such as ``</w>`` behind each token that ends a word; it decodes to a space."""

    def decode(spelling: str) -> bytes:
        body = inner(spelling.removesuffix(suffix))
        return body + b" " if spelling.endswith(suffix) else body

    return Scheme("end-of-word marks", decode, lambda spelling: spelling.endswith(suffix))


def _types(part: Any) -> set[str]:
    """Return the ``type`` of every component in a part of a ``tokenizer.json``, however deeply it is nested."""
    if isinstance(part, dict):
        nested = set().union(*(_types(value) for value in part.values()))
        return nested | {part["type"]} if isinstance(part.get("type"), str) else nested
    if isinstance(part, list):
        return set().union(*(_types(value) for value in part))
    return set()


def of_specification(specification: Mapping[str, Any], spellings: Iterable[str]) -> Scheme:
    """Tell the scheme of a ``tokenizer.json`` from its decoder, pre-tokenizer, normaliser and model.

    Raises:
        TokenSetError: None of the known schemes fits.
    """
    model = specification["model"]
    stages = [specification.get(stage) for stage in ("decoder", "pre_tokenizer")]
    types = _types(stages) | {model.get("type")}
    suffix = model.get("end_of_word_suffix")
    if suffix:
        return word_ends(suffix, bytes_from_spelling if "ByteLevel" in types else str.encode)
    if "WordPiece" in types:
        return wordpiece(model.get("continuing_subword_prefix") or "##")
    if "ByteLevel" in types:
        return byte_level()
    marks = str([*stages, specification.get("normalizer")])
    if types & {"Metaspace", "Unigram", "ByteFallback"} or _SPACE_MARK in marks:
        return sentencepiece(spellings)
    if "WordLevel" in types:
        return whole_words()
    msg = (
        f"A tokenizer with the model {model.get('type')!r} and the stages {sorted(types - {None})} has no mark of "
        "where words start. Known are byte-level, SentencePiece, WordPiece, end-of-word and whole-word tokenizers."
    )
    raise TokenSetError(msg)


def of_spellings(spellings: Iterable[str]) -> Scheme:
    """Tell the scheme from the marks that the spellings carry, for tokenizers that do not say.

    Raises:
        TokenSetError: No known mark is frequent enough.
    """
    known = list(spellings)
    counts = {
        "Ġ": sum(spelling.startswith("Ġ") for spelling in known),
        _SPACE_MARK: sum(_SPACE_MARK in spelling for spelling in known),
        "##": sum(spelling.startswith("##") and len(spelling) > 2 for spelling in known),
    }
    mark = max(counts, key=lambda key: counts[key])
    if counts[mark] <= _ENOUGH * len(known):
        msg = (
            f"None of the marks Ġ, {_SPACE_MARK} and ## is frequent in this tokenizer's {len(known)} spellings, "
            "so that word starts cannot be told. Give its tokenizer.json or tokenizer.model."
        )
        raise TokenSetError(msg)
    if mark == _SPACE_MARK:
        return sentencepiece(known)
    return byte_level() if mark == "Ġ" else wordpiece()
