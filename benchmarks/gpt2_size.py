"""Weights of GPT-2's size over GPT-2's real vocabulary: the numbers are random, the tokens and their sets are not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tsea_db import ModelWeights, SaeWeights, Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsea_db.weights.hook_points import HookPoint

D_MODEL, D_VOCAB, D_SAE = 768, 50_257, 24_576
_ENCODER = Path(__file__).parents[1] / "tests" / "data" / "gpt2-tokenizer" / "encoder.json.gz"


def vocabulary() -> Vocabulary:
    """GPT-2's vocabulary."""
    with gzip.open(_ENCODER, "rt", encoding="utf-8") as file:
        ids: dict[str, int] = json.load(file)
    return Vocabulary.from_byte_level(ids, D_VOCAB, special=["<|endoftext|>"])


def model(seed: int = 0) -> ModelWeights:
    """A model of GPT-2's size with a random unembedding, float32 (768, 50257)."""

    def output_matrix(hook_point: HookPoint) -> NDArray[np.float32]:
        raise AssertionError(hook_point)  # only residual-stream SAEs are measured

    rng = np.random.default_rng(seed)
    return ModelWeights(
        name="gpt2-size",
        source="benchmarks.gpt2_size",
        unembedding=rng.standard_normal((D_MODEL, D_VOCAB), np.float32),
        norm_weight=rng.uniform(0.5, 2, D_MODEL).astype(np.float32),
        norm_folded=False,
        normalization="LN",
        soft_cap=None,
        n_layers=12,
        vocabulary=vocabulary(),
        output_matrix=output_matrix,
    )


def sae(n_features: int = D_SAE, seed: int = 1) -> SaeWeights:
    """An SAE of ``n_features`` random unit directions."""
    W_dec = np.random.default_rng(seed).standard_normal((n_features, D_MODEL), np.float32)
    W_dec /= np.linalg.norm(W_dec, axis=1, keepdims=True)
    return SaeWeights(f"layer 8, {n_features} features", "benchmarks", "blocks.8.hook_resid_pre", "standard", W_dec)
