"""Enrichment scores against their definition in exact fractions and against the tutorial."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.support.oracle import Rows, assert_matches_oracle
from tsea_db.kernels.running_sum import enrichment_scores
from tsea_db.kernels.set_matrix import MAX_TOKENS, SetMatrix

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
FEW_VALUES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.5])
V = 12
members_of_some = st.sets(st.integers(0, V - 1), min_size=1, max_size=V - 1).map(sorted)


def weights_with(elements: st.SearchStrategy[float]) -> st.SearchStrategy[Rows]:
    return arrays(np.float32, (2, V), elements=elements)


@given(weights_with(FINITE), st.lists(members_of_some, min_size=1, max_size=5))
def test_scores_equal_the_definition(logit_weights: Rows, sets: list[list[int]]) -> None:
    scores = enrichment_scores(logit_weights, SetMatrix.from_sets(sets, V))
    assert_matches_oracle(scores, logit_weights, sets)


@given(weights_with(FEW_VALUES), st.lists(members_of_some, min_size=1, max_size=5))
def test_scores_equal_the_definition_with_ties(logit_weights: Rows, sets: list[list[int]]) -> None:
    scores = enrichment_scores(logit_weights, SetMatrix.from_sets(sets, V))
    assert_matches_oracle(scores, logit_weights, sets)


@given(weights_with(FEW_VALUES), st.integers(0, V - 1))
def test_sets_of_one_token_and_of_all_but_one(logit_weights: Rows, token: int) -> None:
    sets = [[token], [other for other in range(V) if other != token]]
    scores = enrichment_scores(logit_weights, SetMatrix.from_sets(sets, V))
    assert_matches_oracle(scores, logit_weights, sets)
    np.testing.assert_array_equal(np.abs(scores.es[:, 0]), np.abs(scores.es[:, 1]))


@pytest.mark.parametrize("value", [0.0, -0.0, 3.5])
def test_equal_weights_score_zero_at_the_last_rank(value: float) -> None:
    sets = [[3], [1, 2], list(range(V - 1)), [], list(range(V))]
    scores = enrichment_scores(np.full((1, V), value, np.float32), SetMatrix.from_sets(sets, V))
    assert scores.es.tolist() == [[0.0] * 5]
    assert scores.peak_rank.tolist() == [[V] * 5]
    assert scores.hits.tolist() == [[len(members) for members in sets]]


def test_sum_that_stays_at_zero_peaks_at_the_first_group_end() -> None:
    logit_weights = np.array([[2, 2, 2, 1, 1, 1]], np.float32)
    scores = enrichment_scores(logit_weights, SetMatrix.from_sets([[0, 3], [0, 1, 3, 4]], 6))
    assert scores.es.tolist() == [[0.0, 0.0]]
    assert scores.peak_rank.tolist() == [[3, 3]]
    assert scores.hits.tolist() == [[1, 2]]


def test_equal_deviations_are_positive_and_ranks_follow_the_sign() -> None:
    logit_weights = np.arange(8, 0, -1, dtype=np.float32)[None]
    sets = [[0, 7], [1, 2, 3, 4, 5, 6], [2, 3, 4], [0, 1]]
    scores = enrichment_scores(logit_weights, SetMatrix.from_sets(sets, 8))
    np.testing.assert_allclose(scores.es[0], [0.5, 0.5, 0.6, 1.0], rtol=1e-7)
    assert scores.peak_rank[0].tolist() == [1, 7, 5, 2]
    assert scores.hits[0].tolist() == [1, 6, 3, 2]


@given(weights_with(FEW_VALUES), members_of_some, st.permutations(range(V)))
def test_permuted_vocabulary_gives_the_same_scores(
    logit_weights: Rows, members: list[int], permutation: list[int]
) -> None:
    place = np.argsort(permutation)
    original = enrichment_scores(logit_weights, SetMatrix.from_sets([members], V))
    moved = enrichment_scores(logit_weights[:, permutation], SetMatrix.from_sets([place[members]], V))
    for before, after in zip(original, moved, strict=True):
        np.testing.assert_array_equal(before, after)


@given(weights_with(FEW_VALUES), members_of_some)
def test_reversed_weights_flip_the_sign_unless_deviations_are_equal(logit_weights: Rows, members: list[int]) -> None:
    sets = SetMatrix.from_sets([members], V)
    forward, backward = enrichment_scores(logit_weights, sets), enrichment_scores(-logit_weights, sets)
    np.testing.assert_array_equal(np.abs(forward.es), np.abs(backward.es))
    kept = forward.es == backward.es
    assert (forward.es[kept] >= 0).all()
    np.testing.assert_array_equal(forward.peak_rank[~kept], V - backward.peak_rank[~kept])


def test_a_set_and_its_complement_have_opposite_scores(rng: np.random.Generator) -> None:
    logit_weights = rng.standard_normal((20, 101), dtype=np.float32)
    members = rng.choice(101, 30, replace=False)
    others = np.setdiff1d(np.arange(101), members)
    scores = enrichment_scores(logit_weights, SetMatrix.from_sets([members, others], 101))
    np.testing.assert_array_equal(scores.es[:, 0], -scores.es[:, 1])
    np.testing.assert_array_equal(scores.peak_rank[:, 0], scores.peak_rank[:, 1])
    np.testing.assert_array_equal(scores.hits.sum(axis=1), scores.peak_rank[:, 0])


def test_magnitude_equals_the_sae_lens_tutorial(rng: np.random.Generator, tutorial: ModuleType) -> None:
    n_tokens = 3_000
    logit_weights = rng.standard_normal((8, n_tokens), dtype=np.float32)
    members = [rng.choice(n_tokens, k, replace=False) for k in (1, 7, 60, 700, 1_500, 2_999)]
    padded = tutorial.pad_gene_sets({str(i): set(ids.tolist()) for i, ids in enumerate(members)})
    theirs = tutorial.calculate_batch_enrichment_scores(
        torch.from_numpy(logit_weights), torch.tensor(list(padded.values()))
    )
    ours = enrichment_scores(logit_weights, SetMatrix.from_sets(members, n_tokens))
    np.testing.assert_allclose(np.abs(ours.es).T, theirs.numpy(), atol=1e-6)


def test_integers_do_not_overflow_in_the_largest_vocabulary() -> None:
    n_tokens = MAX_TOKENS
    weights = np.arange(n_tokens, 0, -1, dtype=np.float32)[None]
    top_half = np.arange(n_tokens // 2)
    bottom = np.arange(n_tokens // 4, n_tokens)
    scores = enrichment_scores(weights, SetMatrix.from_sets([top_half, bottom], n_tokens))
    assert scores.es.tolist() == [[1.0, -1.0]]
    assert scores.peak_rank.tolist() == [[n_tokens // 2, n_tokens // 4]]
    assert scores.hits.tolist() == [[n_tokens // 2, 0]]
