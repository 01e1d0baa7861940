"""The tokenizer of the small model."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.support import tiny_lm

MODEL = tiny_lm.MODEL


@cache
def shipped_tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL)
