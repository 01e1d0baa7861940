"""The random-direction null against naive means, its own distribution, planted signals and bad input."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tsea_db.errors import InputError, WeightsError
from tsea_db.statistics.direction_null import (
    NoScore,
    ReadSubspace,
    direction_scores,
    exact_cosines,
    random_rotation,
    read_subspace,
    sample_directions,
    set_directions,
    unembedding_gram,
    unembedding_subspace,
    unit_directions,
)
from tsea_db.statistics.fdr import benjamini_hochberg

Floats = NDArray[np.float64]
ROOT = Path(__file__).parents[2]


def csr(sets: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    offsets = np.cumsum([0] + [len(members) for members in sets]).astype(np.int64)
    return offsets, np.array([token for members in sets for token in members], dtype=np.int32)


@pytest.fixture(scope="module", name="U")
def unembedding() -> Floats:
    """A centred unembedding whose columns share directions, as a LayerNorm model's do: 48 x 600."""
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(48, 48)) @ rng.normal(size=(48, 600)) + 3.0
    weights -= weights.mean(axis=0)
    return np.asarray(weights - weights.mean(axis=1, keepdims=True))


@pytest.fixture(scope="module")
def subspace(U: Floats) -> ReadSubspace:
    return read_subspace(unembedding_gram(U))


def test_layernorm_centring_costs_one_dimension(U: Floats, subspace: ReadSubspace) -> None:
    assert (subspace.d_model, subspace.d_eff) == (48, 47)
    np.testing.assert_array_equal(subspace.unread, np.full((1, 48), 1 / np.sqrt(48)))
    assert np.abs(subspace.project(np.ones((1, 48)))).max() < 1e-14
    assert read_subspace(unembedding_gram(U + 1.0)).d_eff == 48
    assert read_subspace(unembedding_gram(U.astype(np.float32))).d_eff == 47


def test_any_unread_direction_is_found(U: Floats) -> None:
    hidden = np.random.default_rng(0).normal(size=48)
    hidden = (hidden - hidden.mean()) / np.linalg.norm(hidden - hidden.mean())
    found = read_subspace(unembedding_gram(U - np.outer(hidden, hidden @ U)))
    assert found.d_eff == 46
    assert np.linalg.norm(found.unread @ hidden) == pytest.approx(1.0, abs=1e-9)


def test_a_part_of_the_tokens_gives_the_subspace_of_all() -> None:
    """Where they settle it and where they do not: unread directions, and a dimension that only one token has."""
    rng = np.random.default_rng(4)
    plain = rng.normal(size=(24, 2000))
    centred = plain - plain.mean(axis=0)
    hidden = rng.normal(size=24)
    hidden -= hidden.mean()
    hidden /= np.linalg.norm(hidden)
    once = np.hstack([centred[:, :1999] - np.outer(hidden, hidden @ centred[:, :1999]), hidden[:, None]])
    for U, d_eff in ((plain, 24), (centred, 23), (once[:, :1999], 22), (once, 23), (centred + 1e-6, 23)):
        found, expected = unembedding_subspace(U), read_subspace(unembedding_gram(U))
        assert found.d_eff == expected.d_eff == d_eff
        np.testing.assert_allclose(found.unread.T @ found.unread, expected.unread.T @ expected.unread, atol=1e-12)
    with pytest.raises(WeightsError, match="not finite"):
        unembedding_subspace(np.full((9, 30), np.inf))
    with pytest.raises(WeightsError, match="zero everywhere"):
        unembedding_subspace(np.zeros((9, 30)))


def test_centred_gram_equals_numpys_covariance(U: Floats) -> None:
    shifted = U + np.arange(48)[:, None]
    expected = np.cov(shifted, bias=True) * 600
    np.testing.assert_allclose(unembedding_gram(shifted, centred=True), expected, rtol=1e-9, atol=1e-6)


def test_delta_is_mean_of_members_minus_mean_of_others(U: Floats, subspace: ReadSubspace) -> None:
    sets = [[0, 5, 9], list(range(2, 598)), list(range(100, 400))]
    found = set_directions(U.astype(np.float32), *csr(sets), subspace)
    for s, members in enumerate(sets):
        inside = np.isin(np.arange(600), members)
        delta = U[:, inside].mean(axis=1) - U[:, ~inside].mean(axis=1)
        np.testing.assert_allclose(found.unit[s] * found.length[s], delta, atol=1e-6)
    assert found.reasons == (None, None, None)


def test_z_ignores_length_and_unread_part_of_a_direction(U: Floats, subspace: ReadSubspace) -> None:
    sets = set_directions(U, *csr([[1, 2, 3], [4, 5]]), subspace)
    rows = np.random.default_rng(1).normal(size=(20, 48))
    plain = direction_scores(rows, sets, subspace)
    scaled = direction_scores(rows * np.geomspace(1e-200, 1e200, 20)[:, None], sets, subspace)
    shifted = direction_scores(rows + 7.0, sets, subspace)
    np.testing.assert_allclose(scaled.z, plain.z, atol=1e-6)
    np.testing.assert_allclose(shifted.z, plain.z, atol=1e-5)
    flat = rows - rows.mean(axis=1, keepdims=True)
    expected = (flat @ sets.unit.T) / np.linalg.norm(flat, axis=1)[:, None]
    np.testing.assert_allclose(plain.cosine, expected, atol=1e-7)
    t = expected * np.sqrt(46 / (1 - expected**2))
    np.testing.assert_allclose(plain.z, stats.norm.ppf(stats.t.cdf(t, 46)), atol=1e-6)


def test_fresh_directions_have_uniform_p(U: Floats, subspace: ReadSubspace) -> None:
    """One set on 200,000 directions: the shares below each level within 5 standard errors."""
    sets = set_directions(U, *csr([list(range(30))]), subspace)
    p = 10 ** direction_scores(sample_directions(200_000, 0, subspace), sets, subspace).log10_p[:, 0]
    for level in (0.05, 0.01, 0.001):
        assert abs((p < level).mean() - level) < 5 * np.sqrt(level / 200_000)
    assert stats.kstest(p, "uniform").pvalue > 1e-4


def test_sampled_directions_are_isotropic_units_in_the_read_subspace(subspace: ReadSubspace) -> None:
    rows = sample_directions(50_000, 4, subspace)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-12)
    assert np.abs(rows.sum(axis=1)).max() < 1e-12
    expected = (np.eye(48) - 1 / 48) / 47
    assert np.abs(rows.T @ rows / 50_000 - expected).max() < 6 * np.sqrt(2 / 50_000) / 47


def test_sampled_directions_depend_on_the_seed_and_nothing_else(subspace: ReadSubspace) -> None:
    whole = sample_directions(1000, 0, subspace)
    parts = [sample_directions(n, 0, subspace, start) for start, n in ((0, 1), (1, 300), (301, 699))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert len({float(sample_directions(1, seed, subspace)[0, 0]) for seed in (0, 1, 2)}) == 3
    assert sample_directions(0, 0, subspace).shape == (0, 48)


def test_cosines_are_the_same_bits_in_any_block_and_order() -> None:
    rng = np.random.default_rng(5)
    left, right = (rows / np.linalg.norm(rows, axis=1)[:, None] for rows in (rng.normal(size=(2, 300, 777))))
    whole = exact_cosines(left, right)
    order = rng.permutation(777)
    np.testing.assert_array_equal(exact_cosines(left[:, order], right[:, order]), whole)
    np.testing.assert_array_equal(np.vstack([exact_cosines(row[None], right) for row in left]), whole)
    np.testing.assert_allclose(whole, left @ right.T, atol=5e-8)
    assert exact_cosines(left, left).max() <= 1.0


HASH_OF_ALL_NUMBERS = """
import hashlib
import numpy as np
from tsea_db.statistics import direction_null as null, es_null, fdr, token_null
U = np.random.default_rng(0).normal(size=(96, 700)).astype(np.float32)
U -= U.mean(axis=0)
subspace = null.read_subspace(null.unembedding_gram(U))
sets = null.set_directions(U, np.array([0, 50, 90]), np.arange(90), subspace)
scores = null.direction_scores(null.sample_directions(3000, 0, subspace), sets, subspace)
es = np.tanh(scores.z / 4)
numbers = [scores.cosine, scores.z, scores.log10_p, fdr.benjamini_hochberg(scores.log10_p, scores.valid)]
numbers += [token_null.log10_p_token(es, [50, 40], token_null.build_token_null([50, 40], 700))]
numbers += [es_null.log10_p_es(es, es_null.fit_es_null(np.abs(es)))]
print(hashlib.sha256(b"".join(array.tobytes() for array in numbers)).hexdigest())
"""


def test_numbers_are_the_same_bits_on_any_thread_count() -> None:
    found = set()
    for threads in ("1", "2", "3"):
        names = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, threads)
        command = [sys.executable, "-c", HASH_OF_ALL_NUMBERS]
        run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        found.add(run.stdout)
    assert len(found) == 1


def test_adding_a_set_changes_no_other_sets_numbers(U: Floats, subspace: ReadSubspace) -> None:
    rows = sample_directions(50, 9, subspace)
    few = direction_scores(rows, set_directions(U, *csr([[1, 2, 3], [4, 5]]), subspace), subspace)
    more = direction_scores(rows, set_directions(U, *csr([[7, 8], [1, 2, 3], [4, 5]]), subspace), subspace)
    np.testing.assert_array_equal(more.z[:, 1:], few.z)
    np.testing.assert_array_equal(more.log10_p[:, 1:], few.log10_p)


@pytest.mark.parametrize("share", [0.001, 0.003, 0.01, 0.05, 0.2])
def test_a_planted_signal_is_found_however_many_features_carry_it(
    U: Floats, subspace: ReadSubspace, share: float
) -> None:
    """Cosine 0.5 with a set in 0.1 to 20 % of 4,096 features, in 191 read dimensions: power at least 0.99."""
    rng = np.random.default_rng(11)
    wide = rng.normal(size=(192, 2000))
    wide -= wide.mean(axis=0)
    reads = read_subspace(unembedding_gram(wide))
    sets = set_directions(wide, *csr([list(range(40))]), reads)
    rows = sample_directions(4096, 1, reads)
    planted = np.arange(4096) < max(1, round(share * 4096))
    across = rows - (rows @ sets.unit[0])[:, None] * sets.unit[0]
    across /= np.linalg.norm(across, axis=1)[:, None]
    rows[planted] = 0.5 * sets.unit[0] + np.sqrt(0.75) * across[planted]
    scores = direction_scores(rows, sets, reads)
    found = benjamini_hochberg(scores.log10_p, scores.valid)[:, 0] < -2
    assert found[planted].mean() >= 0.99
    assert found[~planted].sum() <= 0.01 * planted.sum() + 5


def test_sets_and_features_without_a_score_say_why(U: Floats, subspace: ReadSubspace) -> None:
    twice = np.hstack([U, U])
    balanced = list(range(5)) + list(range(600, 605))
    same_mean = [*range(1200)]
    sets_of = [[], [3], balanced, same_mean, same_mean[:-1], list(range(600))]
    sets = set_directions(twice, *csr(sets_of), subspace)
    assert sets.reasons == (
        NoScore.SIZE,
        NoScore.SIZE,
        None,
        NoScore.SIZE,
        NoScore.SIZE,
        NoScore.ZERO_DELTA,
    )
    rows = np.vstack([np.zeros(48), np.ones(48), np.arange(48.0)])
    scores = direction_scores(rows, sets, subspace)
    assert scores.feature_usable.tolist() == [False, False, True]
    assert scores.valid.sum() == 1
    assert scores.valid[2, 2]
    for array in (scores.cosine, scores.z, scores.log10_p):
        assert not array[~scores.valid].any()


def test_constant_unembedding_columns_give_no_delta() -> None:
    constant = np.repeat(np.arange(1.0, 11.0)[:, None], 50, axis=1)
    reads = ReadSubspace(10, np.empty((0, 10)))
    assert set_directions(constant, *csr([[0, 1, 2]]), reads).reasons == (NoScore.ZERO_DELTA,)


def test_models_with_few_dimensions_get_no_scores() -> None:
    small = np.random.default_rng(0).normal(size=(7, 50))
    reads = read_subspace(unembedding_gram(small))
    sets = set_directions(small, *csr([[0, 1, 2]]), reads)
    assert sets.reasons == (NoScore.LOW_DIMENSION,)
    scores = direction_scores(np.ones((4, 7)), sets, reads)
    assert not scores.valid.any()
    assert not scores.z.any()
    assert not scores.log10_p.any()


def test_weights_that_cannot_be_used_are_refused(subspace: ReadSubspace) -> None:
    with pytest.raises(WeightsError, match="zero everywhere"):
        read_subspace(np.zeros((9, 9)))
    with pytest.raises(WeightsError, match="not finite"):
        read_subspace(np.full((9, 9), np.nan))
    with pytest.raises(WeightsError, match="not finite"):
        unit_directions(np.full((1, 48), np.inf), subspace)
    with pytest.raises(InputError, match="48 dimensions, the unembedding 9"):
        set_directions(np.zeros((9, 20)), *csr([[0, 1]]), subspace)
    with pytest.raises(InputError, match="not be negative"):
        sample_directions(1, -1, subspace)


def test_random_rotation_is_orthogonal_and_seeded() -> None:
    rotation = random_rotation(64, 0)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(64), atol=1e-12)
    np.testing.assert_array_equal(rotation, random_rotation(64, 0))
    traces = [np.trace(random_rotation(8, seed)) for seed in range(400)]
    assert abs(np.mean(traces)) < 0.25
    assert np.var(traces) == pytest.approx(1.0, abs=0.35)
