"""Quantiles of random directions' moments."""

import numpy as np
import pytest
from scipy import stats

from tsea_db.errors import InputError
from tsea_db.kernels.product import PackedUnembedding
from tsea_db.statistics.moment_null import SHARES, moment_null, moments_of_directions


def test_quantiles_of_known_distributions() -> None:
    n = 200_000
    rng = np.random.default_rng(0)
    null = moment_null(rng.exponential(size=n), rng.normal(size=n), rng.uniform(0, 0.02, n), 100)
    np.testing.assert_allclose(null.kurtosis, stats.expon.ppf(SHARES), rtol=0.05, atol=1e-3)
    np.testing.assert_allclose(null.skewness, stats.norm.ppf(SHARES), atol=0.06)
    np.testing.assert_allclose(null.cos_var_ratio, np.multiply(SHARES, 2), atol=0.01)
    assert null.n_draws == n
    assert (null.kurtosis[-1], SHARES[-1]) == (pytest.approx(np.log(1000), rel=0.05), 0.999)


def test_draws_that_show_no_quantile_are_refused() -> None:
    good = np.zeros(2000)
    with pytest.raises(InputError, match="1999 random directions"):
        moment_null(good[1:], good[1:], good[1:], 8)
    with pytest.raises(InputError, match="all three"):
        moment_null(good, good[1:], good, 8)
    with pytest.raises(InputError, match="not finite"):
        moment_null(good, good, np.append(good[1:], np.nan), 8)


def test_moments_of_directions_are_those_of_their_logit_weights() -> None:
    rng = np.random.default_rng(0)
    rows, U = rng.standard_normal((1100, 64), np.float32), rng.standard_normal((64, 300), np.float32)
    done: list[int] = []
    norms = np.linalg.norm(U, axis=0).astype(np.float64)
    packed = PackedUnembedding.pack(U)
    found = [
        moments_of_directions(len(rows), lambda start, n: rows[start : start + n], packed, threads, done.append)
        for threads in (1, 3)
    ]
    logits = rows.astype(np.float64) @ U
    np.testing.assert_allclose(found[0][0], stats.kurtosis(logits, axis=1, fisher=False), rtol=1e-4)
    np.testing.assert_allclose(found[0][1], stats.skew(logits, axis=1), atol=1e-4)
    np.testing.assert_allclose(found[0][2], (logits / norms).var(axis=1), rtol=1e-4)
    assert all(np.array_equal(one, three) for one, three in zip(*found, strict=True))
    assert sum(done) == 2 * len(rows)
