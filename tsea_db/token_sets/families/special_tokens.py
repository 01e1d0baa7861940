"""Tokens that are no text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsea_db.token_sets.family import Family
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from tsea_db.vocabulary.vocabulary import Vocabulary


def _build(vocabulary: Vocabulary) -> list[TokenSet]:
    return [
        TokenSet.of(
            vocabulary.special,
            name="special_tokens",
            family="special_tokens",
            phrase="special tokens",
            definition="Special, added and padding tokens: no other set but those named by the TSEA tutorial has them.",
            source="the tokenizer",
        )
    ]


FAMILY = Family("special_tokens", "Special, added and padding tokens", _build)
