"""Vocabularies of tokenizers of any kind: loaded ones and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsea_db.errors import TokenSetError
from tsea_db.vocabulary import schemes, tokenizer_files
from tsea_db.vocabulary.tokenizer_files import sized, vocabulary_from_specification

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tsea_db.vocabulary.vocabulary import Vocabulary

    Encode = Callable[[str], Sequence[int]]
    """From a text to its token ids, without special tokens at its ends."""


def read_vocabulary(source: Any, n_tokens: int | None = None) -> Vocabulary:
    """Read the vocabulary of a tokenizer, loaded or in files.

    Args:
        source: A tokenizer of transformers or of the tokenizers library; the path of a folder or file
            (``tokenizer.json``, ``tokenizer.model``, ``encoder.json``, ``vocab.txt``, tiktoken ranks); or a list of
            paths (``encoder.json`` and ``vocab.bpe``).
        n_tokens: Columns of the unembedding, which may exceed the tokenizer's ids (the rest are padding tokens).
            None: as many as the tokenizer has.

    Raises:
        TokenSetError: None of these, damaged, or with more ids than the unembedding.
    """
    if isinstance(source, (str, Path)):
        return tokenizer_files.read_files([Path(source)], n_tokens)
    if isinstance(source, (list, tuple)):
        return tokenizer_files.read_files([Path(path) for path in source], n_tokens)
    return vocabulary_from_tokenizer(source, n_tokens)


def vocabulary_from_tokenizer(tokenizer: Any, n_tokens: int | None = None) -> Vocabulary:
    """Read the vocabulary of a Hugging Face tokenizer, fast or slow.

    Args:
        tokenizer: A tokenizer of transformers or of the tokenizers library.
        n_tokens: As for :func:`read_vocabulary`.

    Raises:
        TokenSetError: Not such a tokenizer, spelled in an unknown way, or with more ids than the unembedding.
    """
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if hasattr(backend, "to_str"):
        return vocabulary_from_specification(json.loads(backend.to_str()), n_tokens)
    if hasattr(tokenizer, "get_vocab") and hasattr(tokenizer, "added_tokens_decoder"):
        return _from_slow_tokenizer(tokenizer, n_tokens)
    msg = f"A {type(tokenizer).__name__} is no tokenizer of transformers or tokenizers: it has no vocabulary to read."
    raise TokenSetError(msg)


def _from_slow_tokenizer(tokenizer: Any, n_tokens: int | None) -> Vocabulary:
    """Read a tokenizer written in Python, whose spellings must tell their scheme."""
    added = tokenizer.added_tokens_decoder
    special = {*tokenizer.all_special_ids, *(i for i, token in added.items() if token.special)}
    spellings = {i: spelling for spelling, i in tokenizer.get_vocab().items() if i not in special and i not in added}
    scheme = schemes.of_spellings(spellings.values())
    tokens = {i: scheme.token(spelling) for i, spelling in spellings.items()}
    tokens |= {i: scheme.added_token(str(token), special=i in special) for i, token in added.items()}
    return sized(tokens, n_tokens)


def encoder(tokenizer: Any) -> Encode:
    """Return the function from a text to its token ids, without special tokens at its ends.

    Args:
        tokenizer: A tokenizer of transformers or of the tokenizers library.
    """

    def encode(text: str) -> Sequence[int]:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        return list(getattr(encoded, "ids", encoded))

    return encode
