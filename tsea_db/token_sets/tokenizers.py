"""Tokenizers read into vocabularies."""

from __future__ import annotations

import json
from typing import Any

from tsea_db.errors import TokenSetError
from tsea_db.token_sets.vocabulary import Vocabulary


def vocabulary_from_tokenizer(tokenizer: Any, n_tokens: int) -> Vocabulary:
    """Return the vocabulary of a byte-level tokenizer (GPT-2 and its kin).

    Args:
        tokenizer: A fast tokenizer of ``transformers``.
        n_tokens: Columns of the unembedding; those the tokenizer does not use are padding.

    Raises:
        TokenSetError: The tokenizer is of another kind, or has ids outside the unembedding.
    """
    backend = json.loads(tokenizer.backend_tokenizer.to_str()) if getattr(tokenizer, "is_fast", False) else {}
    if (backend.get("decoder") or {}).get("type") != "ByteLevel":
        msg = f"The tokenizer {type(tokenizer).__name__} is not byte-level BPE, the one kind that is read so far."
        raise TokenSetError(msg)
    special = [token["content"] for token in backend["added_tokens"]]
    return Vocabulary.from_byte_level(tokenizer.get_vocab(), n_tokens, special)
