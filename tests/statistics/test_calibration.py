"""Counting of shares, tolerances, limits and QQ points."""

import numpy as np
import pytest

from tsea_db.errors import InputError
from tsea_db.statistics.calibration import (
    discovery_limit,
    draws_needed,
    qq_points,
    set_tolerance,
    sets_out_of_tolerance,
    sets_with_discoveries,
    share_p_below,
)


def test_shares_of_uniform_p_and_of_a_set_that_is_off() -> None:
    p = np.random.default_rng(0).uniform(size=(8000, 6))
    p[:, 5] **= 2
    found = share_p_below(np.log10(p), np.ones_like(p, dtype=bool))
    for i, level in enumerate((0.05, 0.01, 0.001)):
        np.testing.assert_allclose(found.per_set[i], (p < level).mean(axis=0))
        assert found.overall[i] == pytest.approx((p < level).mean())
        assert sets_out_of_tolerance(found, level, None).tolist() == [5]


def test_pairs_that_are_not_valid_do_not_count() -> None:
    log10_p = np.where(np.arange(100)[:, None] < 50, -9.0, 0.0) * np.ones(3)
    valid = np.ones((100, 3), dtype=bool)
    valid[:25, 0] = False
    valid[:, 2] = False
    found = share_p_below(log10_p, valid, (0.05,))
    assert found.per_set.tolist() == [[25 / 75, 0.5, 0.0]]
    assert found.overall.tolist() == [75 / 175]
    assert found.n_per_set.tolist() == [75, 100, 0]
    assert sets_out_of_tolerance(found, 0.05, None).tolist() == [0, 1]


def test_tolerance_is_five_standard_errors_of_both_samples() -> None:
    assert set_tolerance(0.05, 4000, 4000) == pytest.approx(5 * np.sqrt(0.0475 / 2000))
    assert set_tolerance(0.05, None, 4000) == pytest.approx(5 * np.sqrt(0.0475 / 4000))
    rng = np.random.default_rng(0)
    shares = (rng.uniform(size=(4000, 500)) < 0.05).mean(axis=0)
    assert set_tolerance(0.05, None, 4000) == pytest.approx(5 * shares.std(), rel=0.1)


@pytest.mark.parametrize(("level", "n"), [(0.05, 80), (0.01, 400), (0.001, 4000), (0.0003, 13334)])
def test_a_level_needs_draws_in_inverse_proportion(level: float, n: int) -> None:
    assert draws_needed(level) == n


def test_levels_that_draws_cannot_show_say_how_many_are_needed() -> None:
    log10_p = np.zeros((3999, 2))
    with pytest.raises(InputError, match=r"p < 0.001: 4000 are needed"):
        share_p_below(log10_p, log10_p == 0)
    with pytest.raises(InputError, match="between 0 and 1"):
        draws_needed(0.0)
    with pytest.raises(InputError, match=r"no share below 0.02"):
        sets_out_of_tolerance(share_p_below(log10_p, log10_p == 0, (0.05,)), 0.02, None)


def test_sets_with_discoveries_counts_sets_not_pairs() -> None:
    log10_q = np.array([[-3.0, -1.0, -5.0], [-4.0, -1.9, -5.0]])
    valid = np.array([[True, True, False], [True, True, False]])
    assert sets_with_discoveries(log10_q, valid) == 1
    assert sets_with_discoveries(log10_q, valid, 0.02) == 2
    assert discovery_limit(350) == 10.0


def test_qq_points_lie_on_the_diagonal_for_uniform_p_and_show_the_extremes() -> None:
    n = 100_000
    log10_p = np.log10((np.arange(n) + 1) / (n + 1))
    expected, observed = qq_points(np.random.default_rng(0).permutation(log10_p).reshape(-1, 10), 50)
    np.testing.assert_allclose(observed, expected, atol=1e-12)
    assert len(expected) <= 50
    assert np.all(np.diff(expected) > 0)
    assert (expected[-1], expected[-2]) == (-np.log10(1 / (n + 1)), -np.log10(2 / (n + 1)))
    with pytest.raises(InputError, match="at least one"):
        qq_points(np.array([]))
