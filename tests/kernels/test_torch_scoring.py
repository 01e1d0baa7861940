"""The pass on a torch device, run on CPU tensors, against the pass on the CPU."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tsea_db.kernels.torch_scoring as module
from tests.kernels.oracle import Rows
from tsea_db.errors import InputError, WeightsError
from tsea_db.kernels.logit_weights import TILE_ROWS
from tsea_db.kernels.scoring import FeatureBlock, score_features
from tsea_db.kernels.set_matrix import SetMatrix
from tsea_db.kernels.torch_scoring import resolve_device, score_features_on_device

EXACT = ("zero_direction", "top_ids", "top_values", "bottom_ids", "bottom_values", "peak_rank", "hits")
CLOSE = ("mean", "std", "skewness", "kurtosis", "cosine_variance", "es")


def some_sets(rng: np.random.Generator, n_tokens: int) -> SetMatrix:
    sizes = (0, 1, 5, n_tokens // 3, n_tokens // 2, n_tokens // 2 + 1, n_tokens - 2, n_tokens - 1, n_tokens)
    return SetMatrix.from_sets([rng.choice(n_tokens, k, replace=False) for k in sizes], n_tokens)


def small_integers(rng: np.random.Generator, *shape: int) -> Rows:
    """Weights whose products are exact in any order of summation, so that both passes see the same logit weights."""
    return rng.integers(-8, 9, shape).astype(np.float32)


def assert_same_blocks(directions: Rows, unembedding: Rows, sets: SetMatrix) -> list[FeatureBlock]:
    ours = list(score_features(directions, unembedding, sets))
    theirs = list(score_features_on_device(directions, unembedding, sets, device="cpu"))
    assert [block.start for block in theirs] == [block.start for block in ours]
    for one, other in zip(ours, theirs, strict=True):
        for name in EXACT:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        for name in CLOSE:
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-9, err_msg=name)
        for field in dataclasses.fields(FeatureBlock):
            if field.name != "start":
                assert getattr(one, field.name).dtype == getattr(other, field.name).dtype
    return theirs


@pytest.mark.parametrize("d_model", [1, 2, 40])
def test_blocks_equal_those_of_the_cpu(rng: np.random.Generator, d_model: int) -> None:
    directions = small_integers(rng, TILE_ROWS + 9, d_model)  # d_model 1 and 2 give many ties
    directions[5] = 0.0
    blocks = assert_same_blocks(directions, small_integers(rng, d_model, 301), some_sets(rng, 301))
    assert blocks[0].zero_direction[5]


def test_steps_within_a_block_change_nothing(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CELLS_PER_STEP", 3_000)
    assert_same_blocks(small_integers(rng, 50, 8), small_integers(rng, 8, 301), some_sets(rng, 301))


@pytest.mark.parametrize("n_tokens", [1, 2, 7])
def test_vocabularies_smaller_than_the_lists(rng: np.random.Generator, n_tokens: int) -> None:
    sets = SetMatrix.from_sets([[0]], n_tokens)
    assert_same_blocks(small_integers(rng, 4, 3), small_integers(rng, 3, n_tokens), sets)


def test_long_keys_change_nothing(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHORT_KEYS", 0)
    assert_same_blocks(small_integers(rng, 50, 8), small_integers(rng, 8, 301), some_sets(rng, 301))


def test_vocabulary_beyond_16_bits(rng: np.random.Generator) -> None:
    n_tokens = 70_000
    sets = SetMatrix.from_sets([[5], np.arange(n_tokens // 2), np.arange(n_tokens // 4, n_tokens)], n_tokens)
    assert_same_blocks(small_integers(rng, 1, 2), small_integers(rng, 2, n_tokens), sets)


def test_overflowing_products_name_their_row(rng: np.random.Generator) -> None:
    directions, unembedding = small_integers(rng, 20, 4), np.full((4, 50), 1e20, np.float32)
    directions[7] = 1e20
    with pytest.raises(WeightsError, match="logit weights of row 7 of the decoder overflow"):
        list(score_features_on_device(directions, unembedding, some_sets(rng, 50), device="cpu"))


def test_non_finite_weights_name_their_row(rng: np.random.Generator) -> None:
    directions = small_integers(rng, TILE_ROWS + 20, 4)
    directions[TILE_ROWS + 3, 1] = np.inf
    with pytest.raises(WeightsError, match=rf"The decoder has NaN or infinity in row {TILE_ROWS + 3}\b"):
        list(score_features_on_device(directions, small_integers(rng, 4, 50), some_sets(rng, 50), device="cpu"))


def test_sets_of_another_vocabulary_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="51 tokens but the unembedding has 50"):
        score_features_on_device(
            small_integers(rng, 2, 4), small_integers(rng, 4, 50), some_sets(rng, 51), device="cpu"
        )


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "meta:x"])
def test_devices_that_are_not_there_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"The device '{name}' cannot be used"):
        resolve_device(name)
