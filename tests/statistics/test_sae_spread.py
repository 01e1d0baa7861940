"""Summaries over one SAE's features against numpy, the explicit covariance, and random directions."""

import numpy as np
import pytest
from scipy import stats

from tsea_db.statistics.direction_null import ReadSubspace, sample_directions
from tsea_db.statistics.sae_spread import MIN_FEATURES, deviation, sae_spread, z_cov


def test_summaries_equal_numpys_and_scipys_on_the_valid_features() -> None:
    rng = np.random.default_rng(0)
    z, cosine = rng.normal(1, 3, (501, 4)), rng.normal(0, 0.1, (501, 4))
    valid = rng.uniform(size=z.shape) < 0.7
    null = sae_spread(np.where(valid, z, 1e9), np.where(valid, cosine, 1e9), valid)
    for column in range(4):
        used = z[valid[:, column], column]
        assert null.n_features[column] == used.size
        assert null.median[column] == pytest.approx(np.median(used))
        assert null.mad[column] == pytest.approx(stats.median_abs_deviation(used, scale="normal"))
        assert null.inflation[column] == pytest.approx(np.median(used**2) / stats.chi2.median(1))
    np.testing.assert_allclose(deviation(z, null), (z - null.median) / null.mad)


def test_cosine_sd_is_the_spread_of_delta_under_the_rows_covariance() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(300, 20)) @ rng.normal(size=(20, 20))
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    delta = rng.normal(size=(5, 20))
    delta /= np.linalg.norm(delta, axis=1)[:, None]
    cosine = rows @ delta.T
    null = sae_spread(cosine * 4, cosine, np.ones_like(cosine, dtype=bool))
    covariance = np.cov(rows.T, bias=True)
    expected = np.sqrt(np.einsum("sd,de,se->s", delta, covariance, delta))
    np.testing.assert_allclose(null.cosine_sd, expected, rtol=1e-10)
    np.testing.assert_allclose(z_cov(cosine, null), cosine / expected, rtol=1e-10)


def test_random_directions_have_inflation_one() -> None:
    rows = sample_directions(20_000, 0, ReadSubspace(64, np.empty((0, 64))))
    z = rows[:, :3] * 8
    null = sae_spread(z, rows[:, :3], np.ones_like(z, dtype=bool))
    np.testing.assert_allclose(null.inflation, 1.0, atol=0.06)
    np.testing.assert_allclose(null.mad, 1.0, atol=0.03)
    np.testing.assert_allclose(null.median, 0.0, atol=0.04)


def test_too_few_or_equal_features_have_no_summary() -> None:
    z = np.random.default_rng(0).normal(size=(MIN_FEATURES, 3))
    z[:, 2] = 1.5
    valid = np.ones_like(z, dtype=bool)
    valid[0, 1] = False
    null = sae_spread(z, z / 10, valid)
    assert null.enough.tolist() == [True, False, False]
    assert null.n_features.tolist() == [MIN_FEATURES, MIN_FEATURES - 1, MIN_FEATURES]
    for array in (null.median, null.mad, null.inflation, null.cosine_sd):
        assert not array[1:].any()
    assert not deviation(z, null)[:, 1:].any()
    assert not z_cov(z, null)[:, 1:].any()
