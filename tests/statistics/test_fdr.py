"""Benjamini-Hochberg in log space against scipy's."""

import numpy as np
import pytest
from scipy import stats

from tsea_db.errors import InputError
from tsea_db.statistics.fdr import benjamini_hochberg


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_q_equals_scipys_on_every_column_with_ties_and_gaps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.uniform(size=(301, 7)) ** rng.integers(1, 9, size=7)
    p[::5] = p[0]
    valid = rng.uniform(size=p.shape) < 0.8
    log10_q = benjamini_hochberg(np.log10(p), valid)
    for column in range(7):
        rows = valid[:, column]
        expected = stats.false_discovery_control(p[rows, column], method="bh")
        np.testing.assert_allclose(10 ** log10_q[rows, column], expected, rtol=1e-12)
    assert not log10_q[~valid].any()


def test_values_that_no_float_holds_keep_their_order_and_size() -> None:
    log10_p = np.array([[-4000.0], [-5000.0], [-1.0], [0.0]])
    q = benjamini_hochberg(log10_p, np.ones((4, 1), dtype=bool))[:, 0]
    np.testing.assert_allclose(q, [-4000 + np.log10(2), -5000 + np.log10(4), -1 + np.log10(4 / 3), 0.0])


def test_a_family_without_members_has_no_q() -> None:
    assert not benjamini_hochberg(np.full((3, 2), np.nan), np.zeros((3, 2), dtype=bool)).any()
    assert benjamini_hochberg(np.zeros((0, 2)), np.zeros((0, 2), dtype=bool)).shape == (0, 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.1])
def test_values_that_are_no_log_p_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="at most 0"):
        benjamini_hochberg(np.array([[bad], [-1.0]]), np.ones((2, 1), dtype=bool))
