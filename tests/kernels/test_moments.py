"""Moments against scipy and against cosines computed one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tsea_db.kernels.moments import moments
from tsea_db.kernels.native import Instructions, installed_library
from tsea_db.kernels.product import column_norms


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_moments_equal_scipy(rng: np.random.Generator, offset: float) -> None:
    rows = (rng.gamma(2.0, size=(6, 5_000)) + offset).astype(np.float32)
    result = moments(rows, np.ones(6), np.ones(5_000))
    exact = rows.astype(np.float64)
    np.testing.assert_allclose(result.mean, exact.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(result.std, exact.std(axis=1), rtol=1e-6)
    np.testing.assert_allclose(result.skewness, stats.skew(exact, axis=1), rtol=1e-6)
    np.testing.assert_allclose(result.kurtosis, stats.kurtosis(exact, axis=1, fisher=False), rtol=1e-6)
    assert not result.zero_direction.any()


def test_cosine_variance_is_that_of_the_cosines(rng: np.random.Generator) -> None:
    directions = rng.standard_normal((5, 16)).astype(np.float32)
    unembedding = rng.standard_normal((16, 400)).astype(np.float32)
    unembedding[:, 7] = 0.0
    norms = column_norms(unembedding)
    np.testing.assert_allclose(norms, np.linalg.norm(unembedding.astype(np.float64), axis=0), rtol=1e-12)
    lengths = np.linalg.norm(directions.astype(np.float64), axis=1)
    cosines = directions.astype(np.float64) @ unembedding / lengths[:, None]
    cosines = np.divide(cosines, norms, out=np.zeros_like(cosines), where=norms > 0)
    result = moments(directions @ unembedding, lengths, norms)
    np.testing.assert_allclose(result.cosine_variance, cosines.var(axis=1), rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, -0.0, 0.1])
def test_rows_of_one_value_are_flagged_and_finite(value: float) -> None:
    result = moments(np.full((1, 333), value, np.float32), np.zeros(1), np.ones(333))
    assert result.zero_direction.tolist() == [True]
    for numbers in result[1:]:
        assert numbers.tolist() == [0.0]


def test_one_differing_value_is_not_zero() -> None:
    row = np.zeros((1, 333), np.float32)
    row[0, 5] = 1e-30
    result = moments(row, np.ones(1), np.ones(333))
    assert result.zero_direction.tolist() == [False]
    np.testing.assert_allclose(
        result.kurtosis, stats.kurtosis(row[0].astype(np.float64) * 1e30, fisher=False), rtol=1e-6
    )


@pytest.mark.skipif(installed_library() is None, reason="the C library is not built or turned off")
@pytest.mark.parametrize("n_tokens", [1, 15, 16, 17, 1_000, 5_003])
def test_every_form_gives_the_same_bits(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, n_tokens: int
) -> None:
    rows = rng.standard_normal((4, n_tokens + 32), dtype=np.float32)[:, :n_tokens]  # rows apart, as in a tile
    rows[2] = 0.1
    norms = rng.uniform(0.5, 2, n_tokens)
    monkeypatch.setenv("TSEA_DB_NO_EXTENSION", "1")
    expected = moments(rows, np.ones(4), norms)
    assert expected.zero_direction.tolist() == [n_tokens == 1, n_tokens == 1, True, n_tokens == 1]
    monkeypatch.delenv("TSEA_DB_NO_EXTENSION")
    for level in Instructions:
        monkeypatch.setenv("TSEA_DB_INSTRUCTIONS", level.name)
        for name, values in moments(rows, np.ones(4), norms)._asdict().items():
            np.testing.assert_array_equal(values, getattr(expected, name), err_msg=f"{name}, {level.name}")
