"""The pass on a torch device, run on CPU tensors, against the pass on the CPU."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest
import torch

import tsea_db.kernels.torch_scoring as module
from tests.support.oracle import Rows
from tsea_db.errors import InputError, WeightsError
from tsea_db.kernels.scoring import FeatureBlock, score_features
from tsea_db.kernels.set_matrix import SetMatrix
from tsea_db.kernels.torch_scoring import DEVICE_TILE_ROWS, rank_on_device, resolve_device, score_features_on_device

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
    assert [block.start for block in theirs] == list(range(0, len(directions), DEVICE_TILE_ROWS))

    def whole(blocks: list[FeatureBlock], name: str) -> np.ndarray:
        return np.concatenate([getattr(block, name) for block in blocks])

    for name in EXACT:
        np.testing.assert_array_equal(whole(ours, name), whole(theirs, name), err_msg=name)
    for name in CLOSE:
        np.testing.assert_allclose(whole(ours, name), whole(theirs, name), rtol=1e-9, atol=1e-9, err_msg=name)
    for field in dataclasses.fields(FeatureBlock):
        if field.name != "start":
            assert whole(ours, field.name).dtype == whole(theirs, field.name).dtype
    return theirs


@pytest.mark.parametrize("d_model", [1, 2, 40])
def test_blocks_equal_those_of_the_cpu(rng: np.random.Generator, d_model: int) -> None:
    directions = small_integers(rng, DEVICE_TILE_ROWS + 9, d_model)  # d_model 1 and 2 give many ties
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


@pytest.mark.parametrize("d_model", [2, 24])
def test_walking_few_blocks_at_once_changes_nothing(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, d_model: int
) -> None:
    monkeypatch.setattr(module, "_BLOCKS_AT_ONCE", 7)
    assert_same_blocks(small_integers(rng, 50, d_model), small_integers(rng, d_model, 1_000), some_sets(rng, 1_000))


def test_results_depend_neither_on_other_features_nor_on_the_order_of_sets(rng: np.random.Generator) -> None:
    directions = rng.standard_normal((DEVICE_TILE_ROWS + 30, 24), dtype=np.float32)
    unembedding = rng.standard_normal((24, 301), dtype=np.float32)
    members = [rng.choice(301, k, replace=False) for k in (2, 9, 150, 152, 299)]
    one = list(score_features_on_device(directions, unembedding, SetMatrix.from_sets(members, 301), device="cpu"))
    sets = SetMatrix.from_sets(members[::-1], 301)
    [part] = score_features_on_device(directions[DEVICE_TILE_ROWS:], unembedding, sets, device="cpu")
    for name in ("es", "peak_rank", "hits"):
        np.testing.assert_array_equal(getattr(part, name)[:, ::-1], getattr(one[1], name), err_msg=name)
    for name in ("top_ids", "top_values", "kurtosis"):
        np.testing.assert_array_equal(getattr(part, name), getattr(one[1], name), err_msg=name)


class ShortMemory:
    """Ranks at most so many features at once, as a device with little memory does."""

    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, logit_weights: torch.Tensor) -> module.Ranking:
        if len(logit_weights) > self.most:
            raise torch.OutOfMemoryError
        return rank_on_device(logit_weights)


def test_short_memory_means_fewer_features_at_once_and_a_word_about_it(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "rank_on_device", ShortMemory(70))
    with caplog.at_level(logging.WARNING):
        assert_same_blocks(small_integers(rng, 300, 8), small_integers(rng, 8, 301), some_sets(rng, 301))
    assert [record.getMessage() for record in caplog.records] == [
        "Memory is short: scoring 128 features at once on cpu instead of 256.",
        "Memory is short: scoring 64 features at once on cpu instead of 128.",
    ]


def test_known_short_memory_is_not_tried(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "available_memory", lambda: 1 << 20)
    with caplog.at_level(logging.WARNING):
        assert_same_blocks(small_integers(rng, 30, 8), small_integers(rng, 8, 301), some_sets(rng, 301))
    assert "features at once on cpu instead of 256" in caplog.text


def test_memory_too_small_for_one_feature_is_told(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "rank_on_device", ShortMemory(0))
    with pytest.raises(InputError, match="memory of cpu is too small"):
        list(
            score_features_on_device(
                small_integers(rng, 30, 8), small_integers(rng, 8, 301), some_sets(rng, 301), device="cpu"
            )
        )


def test_the_precision_of_others_is_left_alone(rng: np.random.Generator) -> None:
    before = torch.get_float32_matmul_precision()
    blocks = score_features_on_device(
        small_integers(rng, 600, 8), small_integers(rng, 8, 301), some_sets(rng, 301), device="cpu",
        matmul_precision="high",
    )  # fmt: skip
    for _ in blocks:
        assert torch.get_float32_matmul_precision() == before


def test_overflowing_products_name_their_row(rng: np.random.Generator) -> None:
    directions, unembedding = small_integers(rng, 20, 4), np.full((4, 50), 1e20, np.float32)
    directions[7] = 1e20
    with pytest.raises(WeightsError, match="logit weights of row 7 of the decoder overflow"):
        list(score_features_on_device(directions, unembedding, some_sets(rng, 50), device="cpu"))


def test_non_finite_weights_name_their_row(rng: np.random.Generator) -> None:
    directions = small_integers(rng, DEVICE_TILE_ROWS + 20, 4)
    directions[DEVICE_TILE_ROWS + 3, 1] = np.inf
    with pytest.raises(WeightsError, match=rf"The decoder has NaN or infinity in row {DEVICE_TILE_ROWS + 3}\b"):
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
