"""Overlaps and conditional tests against plain sets, explicit projections, and planted signals."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tsea_db.errors import InputError
from tsea_db.statistics.cosine_tail import z_and_log10_p
from tsea_db.statistics.direction_null import (
    ReadSubspace,
    SetDirections,
    read_subspace,
    sample_directions,
    set_directions,
    unembedding_gram,
)
from tsea_db.statistics.overlap import conditional_scores, distinct_sets, set_overlaps

Floats = NDArray[np.float64]
N_TOKENS, DIMENSION = 500, 64
SETS = [
    list(range(0, 40)),
    list(range(10, 50)),
    list(range(20, 40)),
    list(range(200, 260)),
    [],
    list(range(0, 40)),
]


def csr(sets: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    offsets = np.cumsum([0] + [len(members) for members in sets]).astype(np.int64)
    return offsets, np.array([token for members in sets for token in members], dtype=np.int32)


@pytest.fixture(scope="module", name="whole")
def whole_space() -> ReadSubspace:
    return ReadSubspace(DIMENSION, np.empty((0, DIMENSION)))


@pytest.fixture(scope="module", name="sets")
def directions(whole: ReadSubspace) -> SetDirections:
    U = np.random.default_rng(0).normal(size=(DIMENSION, N_TOKENS))
    return set_directions(U, *csr(SETS), whole)


def test_counts_equal_pythons_sets(sets: SetDirections) -> None:
    found = set_overlaps(*csr(SETS), N_TOKENS, sets)
    for a, left in enumerate(map(set, SETS)):
        for b, right in enumerate(map(set, SETS)):
            both, either = len(left & right), len(left | right)
            assert found.intersection[a, b] == both
            assert found.jaccard[a, b] == (both / either if either else 0.0)
            smaller = min(len(left), len(right))
            assert found.overlap_coefficient[a, b] == (both / smaller if smaller else 0.0)
            norms = sets.length[a] * sets.length[b] > 0
            expected = float(sets.unit[a] @ sets.unit[b]) if norms else 0.0
            assert found.null_corr[a, b] == pytest.approx(expected, abs=5e-8)


def test_null_corr_is_the_correlation_of_random_directions_cosines(sets: SetDirections, whole: ReadSubspace) -> None:
    cosines = sample_directions(100_000, 0, whole) @ sets.unit[:4].T
    expected = set_overlaps(*csr(SETS), N_TOKENS, sets).null_corr[:4, :4]
    np.testing.assert_allclose(np.corrcoef(cosines.T), expected, atol=0.015)


def test_conditional_z_is_the_t_of_the_residual_direction(sets: SetDirections, whole: ReadSubspace) -> None:
    rows = sample_directions(50, 1, whole)
    r = float(sets.unit[0] @ sets.unit[1])
    residual = sets.unit[0] - r * sets.unit[1]
    cosine = rows @ residual / np.linalg.norm(residual)
    t = cosine * np.sqrt((DIMENSION - 1) / (1 - cosine**2))
    scores = conditional_scores(rows @ sets.unit[0], rows @ sets.unit[1], r, DIMENSION)
    np.testing.assert_allclose(scores.z, stats.norm.ppf(stats.t.cdf(t, DIMENSION - 1)), atol=1e-8)
    np.testing.assert_allclose(10**scores.log10_p, 2 * stats.t.sf(np.abs(t), DIMENSION - 1), rtol=1e-7)
    assert scores.distinct.all()


def test_the_same_direction_given_itself_has_nothing_left(sets: SetDirections, whole: ReadSubspace) -> None:
    rows = sample_directions(5, 1, whole)
    scores = conditional_scores(rows @ sets.unit[0], rows @ sets.unit[5], 1.0, DIMENSION)
    assert not scores.distinct.any()
    assert not scores.z.any()
    assert not scores.log10_p.any()


def planted(direction: Floats, noise: Floats, size: float) -> Floats:
    across = noise - (noise @ direction)[:, None] * direction
    return np.asarray(size * direction + np.sqrt(1 - size**2) * across / np.linalg.norm(across, axis=1)[:, None])


def test_planted_signals_of_a_of_b_and_of_a_only(sets: SetDirections, whole: ReadSubspace) -> None:
    """A and B share three quarters of their tokens: a feature for B promotes A too, but not given B."""
    a, b = sets.unit[0], sets.unit[1]
    r = float(a @ b)
    only_a = (a - r * b) / np.sqrt(1 - r**2)
    for direction, beyond_b, beyond_a in ((b, False, True), (only_a, True, False), (a, True, False)):
        rows = planted(direction, sample_directions(400, 3, whole), 0.8)
        z_a, _ = z_and_log10_p(rows @ a, DIMENSION)
        a_given_b = conditional_scores(rows @ a, rows @ b, r, DIMENSION).z
        b_given_a = conditional_scores(rows @ b, rows @ a, r, DIMENSION).z
        assert np.mean(z_a > 3) > 0.9
        assert (np.mean(a_given_b > 3) > 0.9) == beyond_b
        assert (np.mean(np.abs(a_given_b) > 2) < 0.1) == (not beyond_b)
        assert (np.mean(b_given_a > 3) > 0.9) == beyond_a


def chosen_by_projection(row: Floats, significant: NDArray[np.bool_], units: Floats, level: float) -> list[int]:
    """The same choice from full vectors: project the candidate's Delta off the kept ones by least squares."""
    kept: list[int] = []
    for candidate in sorted(np.flatnonzero(significant), key=lambda s: -abs(row @ units[s])):
        direction = units[candidate]
        if kept:
            basis = units[kept].T
            direction = direction - basis @ np.linalg.lstsq(basis, direction)[0]
            if np.linalg.norm(direction) < 1e-6:
                continue
        cosine = row @ direction / np.linalg.norm(direction)
        t = cosine * np.sqrt((DIMENSION - 1) / (1 - cosine**2))
        lasting = 2 * stats.t.sf(abs(t), DIMENSION - 1) < level and cosine * (row @ units[candidate]) > 0
        if not kept or lasting:
            kept.append(int(candidate))
    return kept


def test_chosen_sets_equal_those_from_explicit_projections(whole: ReadSubspace) -> None:
    rng = np.random.default_rng(5)
    shared = rng.normal(size=(4, DIMENSION))
    units = rng.normal(size=(30, 4)) @ shared + 0.7 * rng.normal(size=(30, DIMENSION))
    units /= np.linalg.norm(units, axis=1)[:, None]
    rows = planted(units[0], sample_directions(200, 0, whole), 0.6)
    cosine, corr = rows @ units.T, units @ units.T
    significant = rng.uniform(size=cosine.shape) < 0.8
    kept = distinct_sets(cosine, significant, corr, DIMENSION, 0.05)
    for row in range(200):
        expected = chosen_by_projection(rows[row], significant[row], units, 0.05)
        assert np.flatnonzero(kept[row]).tolist() == sorted(expected)
    assert 1 < kept.sum(axis=1).mean() < significant.sum(axis=1).mean() / 3


def test_of_two_copies_the_first_stays_and_independent_sets_all_do() -> None:
    cosine = np.array([[0.6, 0.6, 0.5], [0.0, 0.0, 0.0]])
    corr = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    significant = np.array([[True, True, True], [False, False, False]])
    assert distinct_sets(cosine, significant, corr, DIMENSION, 0.01).tolist() == [
        [True, False, True],
        [False] * 3,
    ]


def test_a_set_whose_sign_turns_given_others_is_dropped() -> None:
    """r = 0.9: promoting A at 0.9 implies 0.81 of B; a B of only 0.45 is suppressed given A."""
    corr = np.array([[1.0, 0.9], [0.9, 1.0]])
    both = np.ones((1, 2), dtype=bool)
    assert distinct_sets(np.array([[0.9, 0.45]]), both, corr, DIMENSION, 0.05).tolist() == [[True, False]]


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="do not fit"):
        distinct_sets(np.zeros((2, 3)), np.zeros((2, 3), dtype=bool), np.eye(2), DIMENSION, 0.05)


def test_disjoint_sets_can_share_a_direction() -> None:
    rng = np.random.default_rng(0)
    U = rng.normal(size=(32, 400))
    U[:, :80] += 3 * rng.normal(size=32)[:, None]
    reads = read_subspace(unembedding_gram(U))
    pair = [list(range(40)), list(range(40, 80))]
    found = set_overlaps(*csr(pair), 400, set_directions(U, *csr(pair), reads))
    assert found.jaccard[0, 1] == 0
    assert found.null_corr[0, 1] > 0.9
