"""Vocabularies read from tokenizers, held against what the tokenizers themselves decode."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests import gpt2
from tsea_db.errors import TokenSetError
from tsea_db.token_sets.tokenizers import vocabulary_from_tokenizer

MODEL = Path(__file__).parents[2] / "examples" / "tiny-lm" / "model"


@cache
def shipped_tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL)


def test_shipped_tokenizer_says_what_it_decodes() -> None:
    tokenizer = shipped_tokenizer()
    vocabulary = vocabulary_from_tokenizer(tokenizer, 8192)
    assert len(vocabulary) == 8192
    assert vocabulary.special == {0}
    assert list(vocabulary.texts) == [tokenizer.decode([i], clean_up_tokenization_spaces=False) for i in range(8192)]
    assert vocabulary.words[tokenizer.encode(" walked")[0]] == "walked"
    assert vocabulary.words[tokenizer.encode("walked")[0]] is None


def test_padding_of_the_unembedding_and_too_small_an_unembedding() -> None:
    assert vocabulary_from_tokenizer(shipped_tokenizer(), 8200).special == {0, *range(8192, 8200)}
    with pytest.raises(TokenSetError, match="unembedding has 8000 columns"):
        vocabulary_from_tokenizer(shipped_tokenizer(), 8000)


def test_tokenizer_of_the_tokenizers_library_equals_the_byte_level_files() -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models

    tokenizer = Tokenizer(models.BPE(vocab=gpt2.spellings(), merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    assert vocabulary_from_tokenizer(tokenizer, 50257).content_hash == gpt2.vocabulary().content_hash


def test_what_is_no_tokenizer_is_refused() -> None:
    with pytest.raises(TokenSetError, match="is no tokenizer"):
        vocabulary_from_tokenizer(object(), 10)
