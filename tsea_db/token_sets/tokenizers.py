"""Vocabularies of tokenizers of any kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tsea_db.errors import TokenSetError
from tsea_db.token_sets import schemes
from tsea_db.token_sets.vocabulary import Token, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping


def vocabulary_from_tokenizer(tokenizer: Any, n_tokens: int | None = None) -> Vocabulary:
    """Read the vocabulary of a Hugging Face tokenizer, fast or slow.

    Args:
        tokenizer: A tokenizer of transformers or of the tokenizers library.
        n_tokens: Columns of the unembedding, which may exceed the tokenizer's ids (the rest are padding tokens).
            None: as many as the tokenizer has.

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
    for i in special - tokens.keys():
        tokens[i] = scheme.added_token(tokenizer.convert_ids_to_tokens(i), special=True)
    return _sized(tokens, n_tokens)


def vocabulary_from_specification(specification: Mapping[str, Any], n_tokens: int | None = None) -> Vocabulary:
    """Read the content of a ``tokenizer.json`` (the tokenizers library's format).

    Raises:
        TokenSetError: It has no vocabulary, is spelled in an unknown way, or has more ids than the unembedding.
    """
    try:
        pieces = specification["model"]["vocab"]
        # Unigram models list (piece, score) in id order; the others map spelling to id.
        ids = dict(pieces) if isinstance(pieces, dict) else {piece: i for i, (piece, _) in enumerate(pieces)}
        added = [(t["id"], t["content"], t["special"]) for t in specification.get("added_tokens") or ()]
    except (KeyError, TypeError, ValueError) as error:
        msg = f"This tokenizer.json has no vocabulary that can be read ({type(error).__name__}: {error})."
        raise TokenSetError(msg) from error
    added_ids = {i for i, _, _ in added}
    scheme = schemes.of_specification(specification, ids)
    tokens = {i: scheme.token(spelling) for spelling, i in ids.items() if i not in added_ids}
    tokens |= {i: scheme.added_token(content, special=special) for i, content, special in added}
    return _sized(tokens, n_tokens)


def _sized(tokens: Mapping[int, Token], n_tokens: int | None) -> Vocabulary:
    if not tokens:
        msg = "The tokenizer has no tokens."
        raise TokenSetError(msg)
    return Vocabulary.from_tokens(tokens, max(tokens) + 1 if n_tokens is None else n_tokens)
