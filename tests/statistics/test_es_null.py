"""The fitted null of |ES| against scipy's fits, order statistics, and distributions of known tail."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from tsea_db.errors import InputError
from tsea_db.statistics.es_null import (
    TAIL_SHARE,
    fit_es_null,
    fit_truncated_normal,
    is_extrapolated,
    log10_p_es,
    normalised_es,
)


def folded_normal_es(n: int, scale: float, seed: int) -> NDArray[np.float64]:
    """|ES| whose probit is exactly half-normal, as the tail model assumes; its p is known everywhere."""
    y = np.abs(np.random.default_rng(seed).normal(0, scale, n))
    return np.asarray(2 * special.ndtr(y) - 1)


def test_tail_p_is_near_the_truth_far_beyond_the_draws() -> None:
    null = fit_es_null(np.stack([folded_normal_es(4000, 0.4, seed) for seed in range(40)], axis=1))
    for p in (0.05, 0.01, 1e-3, 1e-4, 1e-5):
        es = 2 * special.ndtr(0.4 * stats.norm.isf(p / 2)) - 1
        error = log10_p_es(np.full((1, 40), es), null)[0] - np.log10(p)
        assert abs(np.median(error)) < 0.03 * -np.log10(p)
        assert np.abs(error).max() < 0.3 * -np.log10(p)


def test_shares_below_each_level_on_fresh_draws() -> None:
    draws = np.stack([folded_normal_es(4000, s, seed) for seed, s in enumerate(np.linspace(0.1, 1.2, 50))], axis=1)
    fresh = np.stack([folded_normal_es(4000, s, 99 + i) for i, s in enumerate(np.linspace(0.1, 1.2, 50))], axis=1)
    log10_p = log10_p_es(fresh, fit_es_null(draws))
    for level, tolerance in ((0.5, 0.006), (0.05, 0.004), (0.01, 0.0015), (0.001, 0.0004)):
        assert (log10_p < np.log10(level)).mean() == pytest.approx(level, abs=tolerance)


def test_p_above_a_tenth_is_the_share_of_draws_at_least_as_large() -> None:
    draws = np.random.default_rng(1).uniform(0, 0.5, (5000, 3))
    null = fit_es_null(draws)
    for es in (0.01, 0.2, 0.4, 0.44):
        expected = (draws >= es).mean(axis=0)
        p = 10 ** log10_p_es(np.array([[es] * 3, [-es] * 3]), null)
        np.testing.assert_allclose(p, [expected, expected], atol=0.004)
    assert not log10_p_es(np.zeros((1, 3)), null).any()


def test_p_is_continuous_where_the_tail_begins_and_flagged_beyond() -> None:
    null = fit_es_null(folded_normal_es(4000, 0.3, 0)[:, None])
    edge = null.threshold[0]
    es = np.array([[edge - 1e-9], [edge], [edge + 1e-9], [-edge - 1e-9]])
    np.testing.assert_allclose(log10_p_es(es, null), np.log10(TAIL_SHARE), atol=1e-6)
    assert is_extrapolated(es, null)[:, 0].tolist() == [False, False, True, True]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fit_is_the_maximum_of_scipys_truncated_likelihood(seed: int) -> None:
    start = 0.8
    sample = stats.truncnorm.rvs(
        (start - 0.2) / 0.5, np.inf, loc=0.2, scale=0.5, size=400, random_state=np.random.default_rng(seed)
    )
    mu, sigma = fit_truncated_normal(sample, start)

    def likelihood(m: float, s: float) -> float:
        return float(stats.truncnorm.logpdf(sample, (start - m) / s, np.inf, loc=m, scale=s).sum())

    best = likelihood(mu, sigma)
    for m in (-0.01, 0.01):
        for s in (-0.005, 0.005):
            assert likelihood(mu + m, sigma + s) < best
    assert likelihood(0.2, 0.5) <= best


def test_a_large_sample_gives_back_its_parameters() -> None:
    rng = np.random.default_rng(0)
    normals = rng.normal(0.1, 0.3, 3_000_000)
    mu, sigma = fit_truncated_normal(normals[normals > 0.5], 0.5)
    assert mu == pytest.approx(0.1, abs=0.03)
    assert sigma == pytest.approx(0.3, abs=0.01)


def test_a_tail_heavier_than_exponential_is_fitted_as_exponential() -> None:
    excess = np.random.default_rng(0).pareto(3.0, 400) / 10
    mu, sigma = fit_truncated_normal(1.0 + excess, 1.0)
    assert sigma == pytest.approx(30 * excess.mean(), rel=1e-6)
    far = stats.norm.logsf((1 + 5 * excess.mean() - mu) / sigma) - stats.norm.logsf((1 - mu) / sigma)
    assert far == pytest.approx(-5.0, abs=0.1)


def test_scores_of_one_and_beyond_all_draws_have_finite_ordered_p() -> None:
    null = fit_es_null(folded_normal_es(4000, 0.1, 3)[:, None])
    log10_p = log10_p_es(np.linspace(0, 1, 1001)[:, None], null)[:, 0]
    assert np.all(np.isfinite(log10_p))
    assert np.all(np.diff(log10_p) <= 0)
    assert log10_p[-1] < -300


def test_nes_keeps_the_sign_and_has_mean_one_over_the_draws() -> None:
    draws = folded_normal_es(4000, 0.4, 0)[:, None]
    null = fit_es_null(draws)
    assert np.abs(normalised_es(-draws, null)).mean() == pytest.approx(1.0)
    assert normalised_es(np.array([[-0.2]]), null)[0, 0] == pytest.approx(-0.2 / draws.mean())


def test_single_precision_scores_are_taken_as_they_are() -> None:
    null = fit_es_null(folded_normal_es(4000, 0.4, 0).astype(np.float32)[:, None])
    es = np.linspace(-0.9, 0.9, 50)[:, None]
    np.testing.assert_allclose(log10_p_es(es.astype(np.float32), null), log10_p_es(es, null), rtol=1e-5, atol=1e-6)


def test_fit_error_is_small_where_the_model_holds_and_large_where_not() -> None:
    good = folded_normal_es(4000, 0.4, 0)
    two_lumps = np.where(np.arange(4000) % 50 == 0, 0.9, good / 4)
    errors = fit_es_null(np.stack([good, two_lumps], axis=1)).fit_error
    assert errors[0] < 0.2
    assert errors[1] > 2 * errors[0]


def test_a_set_with_one_score_for_every_direction_has_no_null_and_leaves_others_alone() -> None:
    draws = folded_normal_es(1000, 0.4, 0)
    null = fit_es_null(np.stack([np.full(1000, 0.3), draws], axis=1))
    alone = fit_es_null(draws[:, None])
    assert null.fitted.tolist() == [False, True]
    es = np.array([[0.9, 0.9], [0.1, -0.1]])
    np.testing.assert_array_equal(log10_p_es(es, null)[:, 1:], log10_p_es(es[:, 1:], alone))
    for array in (log10_p_es(es, null), normalised_es(es, null), is_extrapolated(es, null)):
        assert not array[:, 0].any()


def test_nulls_that_cannot_be_fitted_are_refused() -> None:
    with pytest.raises(InputError, match="too few"):
        fit_es_null(np.full((199, 1), 0.3))
    with pytest.raises(InputError, match="between 0 and 1"):
        fit_es_null(np.linspace(-1, 1, 300)[:, None])
    null = fit_es_null(folded_normal_es(300, 0.4, 0)[:, None])
    with pytest.raises(InputError, match="mask features"):
        log10_p_es(np.array([[np.nan]]), null)


def test_a_sets_null_does_not_depend_on_the_sets_beside_it() -> None:
    draws = np.random.default_rng(0).beta(2, 5, (1000, 7)).astype(np.float32)
    together, alone = fit_es_null(draws), fit_es_null(draws[:, 3:4])
    for name in ("mean_abs_es", "quantiles", "mu", "sigma", "fit_error"):
        assert np.array_equal(getattr(together, name)[3], getattr(alone, name)[0]), name


def test_p_of_tied_scores_counts_the_draws_that_equal_them() -> None:
    """Whole blocks of quantiles are equal; the threshold itself lies in one, so that nothing comes after it."""
    levels = np.array([0.125, 0.25, 0.375, 0.5, 0.625])
    counts = np.array([500, 1500, 1200, 600, 200])
    draws = np.repeat(levels, counts)[:, None].repeat(3, axis=1)
    null = fit_es_null(draws)
    assert null.threshold.tolist() == [0.5] * 3
    for level in levels[:-1]:
        share = (draws[:, 0] >= level).mean()
        p = 10 ** log10_p_es(np.array([[level] * 3, [-level] * 3]), null)
        np.testing.assert_allclose(p, share, atol=0.011)  # quantiles lie at every hundredth
    between = 10 ** log10_p_es(np.full((1, 3), 0.3), null)
    assert (between < (draws[:, 0] >= 0.25).mean() - 0.3).all()
