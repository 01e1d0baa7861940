"""The streaming pass against its parts, and against itself in other blocks, threads and orders."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.oracle import Rows, assert_matches_oracle
from tsea_db.errors import InputError, WeightsError
from tsea_db.kernels.logit_weights import logit_weight_tiles
from tsea_db.kernels.moments import moments
from tsea_db.kernels.product import TILE_ROWS, column_norms
from tsea_db.kernels.running_sum import enrichment_scores
from tsea_db.kernels.scoring import FeatureBlock, score_features
from tsea_db.kernels.set_matrix import SetMatrix

D_MODEL, N_TOKENS, N_FEATURES = 24, 700, 3 * TILE_ROWS + 50
NUMBERS = [field.name for field in dataclasses.fields(FeatureBlock) if field.name != "start"]


@pytest.fixture
def weights(rng: np.random.Generator) -> tuple[Rows, Rows]:
    directions = rng.standard_normal((N_FEATURES, D_MODEL), dtype=np.float32)
    unembedding = rng.standard_normal((D_MODEL, N_TOKENS), dtype=np.float32)
    directions[3] = 0.0
    return directions, unembedding


@pytest.fixture
def members(rng: np.random.Generator) -> list[NDArray[np.int64]]:
    return [rng.choice(N_TOKENS, k, replace=False) for k in (1, 5, 60, 349, 351, 690, 699)]


def gathered(blocks: Iterable[FeatureBlock]) -> dict[str, NDArray[Any]]:
    kept = list(blocks)
    return {name: np.concatenate([getattr(block, name) for block in kept]) for name in NUMBERS}


def assert_same(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> None:
    for name in NUMBERS:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_one_pass_gives_what_the_parts_give(weights: tuple[Rows, Rows], members: list[NDArray[np.int64]]) -> None:
    directions, unembedding = weights
    sets = SetMatrix.from_sets(members, N_TOKENS)
    blocks = list(score_features(directions, unembedding, sets))
    starts = [0, TILE_ROWS, 2 * TILE_ROWS, 3 * TILE_ROWS]
    assert [(block.start, len(block)) for block in blocks] == list(zip(starts, [TILE_ROWS] * 3 + [50], strict=True))
    logit_weights = np.concatenate([tile.copy() for _, tile in logit_weight_tiles(directions, unembedding)])
    np.testing.assert_allclose(logit_weights, directions.astype(np.float64) @ unembedding, atol=1e-5)
    got = gathered(blocks)
    scores = enrichment_scores(logit_weights, sets)
    shape = moments(logit_weights, np.linalg.norm(directions.astype(np.float64), axis=1), column_norms(unembedding))
    for name, expected in (scores._asdict() | shape._asdict()).items():
        np.testing.assert_array_equal(got[name], expected, err_msg=name)
    assert_matches_oracle(enrichment_scores(logit_weights[:9], sets), logit_weights[:9], members)
    order = np.argsort(-logit_weights, axis=1, kind="stable")
    np.testing.assert_array_equal(got["top_ids"], order[:, :20])
    np.testing.assert_array_equal(got["bottom_ids"], order[:, :-21:-1])
    np.testing.assert_array_equal(got["top_values"], np.take_along_axis(logit_weights, got["top_ids"], axis=1))
    np.testing.assert_array_equal(got["bottom_values"], np.take_along_axis(logit_weights, got["bottom_ids"], axis=1))


def test_zero_direction_is_flagged_and_finite(weights: tuple[Rows, Rows], members: list[NDArray[np.int64]]) -> None:
    directions, unembedding = weights
    got = gathered(score_features(directions, unembedding, SetMatrix.from_sets(members, N_TOKENS)))
    assert np.flatnonzero(got["zero_direction"]).tolist() == [3]
    for name in NUMBERS:
        assert np.isfinite(got[name]).all(), name


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_do_not_depend_on_the_number_of_threads(
    weights: tuple[Rows, Rows], members: list[NDArray[np.int64]], threads: int
) -> None:
    sets = SetMatrix.from_sets(members, N_TOKENS)
    other = gathered(score_features(*weights, sets, threads=threads))
    assert_same(gathered(score_features(*weights, sets)), other)


def test_results_do_not_depend_on_the_order_of_sets(
    weights: tuple[Rows, Rows], members: list[NDArray[np.int64]]
) -> None:
    there = gathered(score_features(*weights, SetMatrix.from_sets(members, N_TOKENS)))
    back = gathered(score_features(*weights, SetMatrix.from_sets(members[::-1], N_TOKENS)))
    for name in ("es", "peak_rank", "hits"):
        np.testing.assert_array_equal(there[name], back[name][:, ::-1])


def test_given_column_norms_are_used(weights: tuple[Rows, Rows], members: list[NDArray[np.int64]]) -> None:
    directions, unembedding = weights
    sets = SetMatrix.from_sets(members, N_TOKENS)
    doubled = gathered(score_features(directions, unembedding, sets, unembedding_norms=2 * column_norms(unembedding)))
    plain = gathered(score_features(directions, unembedding, sets))
    np.testing.assert_allclose(4 * doubled["cosine_variance"], plain["cosine_variance"], rtol=1e-12)


@pytest.mark.parametrize("n_tokens", [1, 2, 7])
def test_vocabularies_smaller_than_the_lists(rng: np.random.Generator, n_tokens: int) -> None:
    directions = rng.standard_normal((4, 3), dtype=np.float32)
    unembedding = rng.standard_normal((3, n_tokens), dtype=np.float32)
    sets = SetMatrix.from_sets([[0]], n_tokens)
    got = gathered(score_features(directions, unembedding, sets))
    assert got["top_ids"].shape == (4, n_tokens)
    np.testing.assert_array_equal(got["top_ids"], got["bottom_ids"][:, ::-1])


def test_vocabulary_of_gemma_size(rng: np.random.Generator) -> None:
    n_tokens = 256_000
    directions = rng.standard_normal((2, 4), dtype=np.float32)
    unembedding = rng.standard_normal((4, n_tokens), dtype=np.float32)
    members = rng.choice(n_tokens, 90_000, replace=False)
    got = gathered(score_features(directions, unembedding, SetMatrix.from_sets([members], n_tokens)))
    logit_weights = np.zeros((TILE_ROWS, 4), np.float32)
    logit_weights[:2] = directions
    expected = enrichment_scores(np.matmul(logit_weights, unembedding)[:2], SetMatrix.from_sets([members], n_tokens))
    np.testing.assert_array_equal(got["es"], expected.es)
    assert got["top_ids"].max() > 65_536


@pytest.mark.parametrize("place", ["decoder", "unembedding"])
def test_non_finite_weights_name_their_row(
    weights: tuple[Rows, Rows], members: list[NDArray[np.int64]], place: str
) -> None:
    directions, unembedding = weights
    spoilt, row = (directions, 290) if place == "decoder" else (unembedding, 11)
    spoilt[row, 2] = np.nan
    with pytest.raises(WeightsError, match=rf"The {place} has NaN or infinity in row {row}\b"):
        list(score_features(directions, unembedding, SetMatrix.from_sets(members, N_TOKENS)))


@pytest.mark.parametrize("everywhere", [False, True])
def test_overflowing_products_name_their_row(
    weights: tuple[Rows, Rows], members: list[NDArray[np.int64]], everywhere: bool
) -> None:
    directions, unembedding = weights
    unembedding[:, slice(None) if everywhere else 5] = 1e20
    directions[7] = 1e20
    with pytest.raises(WeightsError, match="logit weights of row 7 of the decoder overflow"):
        list(score_features(directions, unembedding, SetMatrix.from_sets(members, N_TOKENS)))


def test_sets_of_another_vocabulary_are_refused(weights: tuple[Rows, Rows]) -> None:
    with pytest.raises(InputError, match="701 tokens but the unembedding has 700"):
        score_features(*weights, SetMatrix.from_sets([[1]], 701))


def test_number_of_threads_is_checked(weights: tuple[Rows, Rows], members: list[NDArray[np.int64]]) -> None:
    with pytest.raises(InputError, match="threads is 0"):
        score_features(*weights, SetMatrix.from_sets(members, N_TOKENS), threads=0)
