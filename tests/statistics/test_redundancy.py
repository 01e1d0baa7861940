"""Collapsing of overlapping sets, against a plain loop over features."""

from __future__ import annotations

import numpy as np
import pytest

from tsea_db.statistics import overlap
from tsea_db.statistics.overlap import conditional_scores, non_redundant


def test_a_copy_goes_and_an_independent_set_stays() -> None:
    null_corr = np.array([[1, 0.99, 0], [0.99, 1, 0], [0, 0, 1.0]])
    features = np.array([0, 0, 0, 7, 7])
    sets = np.array([0, 1, 2, 1, 2])
    cosines = np.array([0.5, 0.49, 0.4, 0.4, -0.5])
    kept = non_redundant(features, sets, cosines, null_corr, 191, 0.01)
    assert kept.tolist() == [True, False, True, True, True]
    assert non_redundant(features[:0], sets[:0], cosines[:0], null_corr, 191, 0.01).tolist() == []


@pytest.mark.parametrize("block", [1, 3, 1000])
def test_two_sets_follow_the_conditional_test(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(overlap, "_FEATURES_A_BLOCK", block)
    rng = np.random.default_rng(0)
    n, r, d_eff, level = 200, 0.7, 191, 0.01
    a = rng.uniform(0.2, 0.5, n)
    b = a * rng.uniform(0.3, 1.0, n)
    features = np.repeat(np.arange(n), 2)
    kept = non_redundant(features, np.tile([0, 1], n), np.c_[a, b].ravel(), np.array([[1, r], [r, 1]]), d_eff, level)
    given = conditional_scores(b, a, r, d_eff)
    expected = (given.z > 0) & (given.log10_p < np.log10(level))
    assert kept.reshape(n, 2)[:, 0].all()
    np.testing.assert_array_equal(kept.reshape(n, 2)[:, 1], expected)
    assert 0 < expected.sum() < n
