"""The GPT-2 vocabulary (encoder.json of OpenAI's release, MIT licence) as tests use it."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

from tsea_db.token_sets import TokenSet, build_catalogue
from tsea_db.vocabulary import Vocabulary

FOLDER = Path(__file__).parents[1] / "data" / "gpt2-tokenizer"


@cache
def spellings() -> dict[str, int]:
    """Byte-level spelling to token id, 50,257 of them."""
    with gzip.open(FOLDER / "encoder.json.gz", "rt", encoding="utf-8") as file:
        ids: dict[str, int] = json.load(file)
    return ids


@cache
def vocabulary() -> Vocabulary:
    return Vocabulary.from_byte_level(spellings(), len(spellings()), special=["<|endoftext|>"])


@cache
def catalogue() -> dict[str, TokenSet]:
    return {token_set.name: token_set for token_set in build_catalogue(vocabulary())}
