"""The enrichment score under the random-direction null: mean, empirical p, and a fitted tail.

A few thousand random directions are scored once for each (unembedding, set). p is empirical down to 0.1;
beyond, ``y = probit((1 + |ES|) / 2)`` follows a normal truncated at its 90th percentile, fitted by maximum
likelihood. On that scale the tails of |ES| are close to normal; a generalised Pareto tail ends at a finite
bound and gives p = 0. The fit stays anti-conservative for sets of 14 tokens or fewer (0.7 decades at 1e-5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import log_ndtr

from tsea_db.errors import InputError
from tsea_db.kernels.compiled import compiled
from tsea_db.statistics.cosine_tail import log_normal_tail, normal_equivalent, normal_equivalent_of, z_and_log10_p

Floats = NDArray[np.float64]

TAIL_SHARE = 0.1
MIN_DRAWS = 200

# Shares of the draws whose |ES| is stored: p is read off them down to the tail's start.
QUANTILE_SHARES = np.linspace(0.0, 1.0 - TAIL_SHARE, 91)

_UNIFORM_COSINE = 3
_SHARE_NODES = 1025
_GUIDE_STEPS = 512
# (start - mu) / sigma of the fits. At the upper end sigma is 30 mean excesses.
_LOWEST_ALPHA, _HIGHEST_ALPHA = -50.0, 29.933407


@dataclass(frozen=True)
class EsNull:
    """Null distribution of |ES| for each set, everything that `log10_p_es` needs.

    Attributes:
        n_draws: Random directions scored.
        mean_abs_es: n_sets, mean |ES|; ``nes = es / mean_abs_es``.
        quantiles: n_sets x 91, |ES| at the shares `QUANTILE_SHARES`. The last is where the tail begins.
        mu: n_sets, location of the truncated normal on the probit scale.
        sigma: n_sets, its scale.
        fit_error: n_sets, largest difference of log10 p between fit and draws beyond the tail's start, over
            the
            draws whose empirical p is at least 10 / n_draws.
        fitted: n_sets, False where no draw lies beyond the tail's start (the same score for every
            direction): the
            set's other numbers are 0 there and mean nothing.

    """

    n_draws: int
    mean_abs_es: Floats
    quantiles: Floats
    mu: Floats
    sigma: Floats
    fit_error: Floats
    fitted: NDArray[np.bool_]

    @property
    def threshold(self) -> Floats:
        """|ES| at which the fitted tail begins (n_sets)."""
        last: Floats = self.quantiles[:, -1]
        return last


def fit_es_null(abs_es: NDArray[np.floating]) -> EsNull:
    """Fit the null of each set from |ES| of random directions (n_draws x n_sets).

    Raises:
        InputError: with fewer than 200 draws, which leave no 20 for the tail, scores outside [0, 1], or a
            set with
            the same score for every draw.

    """
    n_draws, n_sets = abs_es.shape
    if n_draws < MIN_DRAWS:
        raise InputError(f"{n_draws} random directions are too few for a null: draw {MIN_DRAWS} or more")
    ordered = np.sort(np.asarray(abs_es, dtype=np.float64), axis=0)
    if not (ordered.min(initial=0.0) >= 0.0 and ordered.max(initial=0.0) <= 1.0):
        raise InputError("null scores must be absolute enrichment scores between 0 and 1")
    quantiles = np.quantile(ordered, QUANTILE_SHARES, axis=0).T
    fitted = ordered[-1] > quantiles[:, -1]
    probits, _ = z_and_log10_p(ordered, _UNIFORM_COSINE)
    starts, _ = z_and_log10_p(quantiles[:, -1], _UNIFORM_COSINE)
    fit = np.zeros((3, n_sets))
    for column in np.flatnonzero(fitted):
        start = float(starts[column])
        tail = probits[ordered[:, column] > quantiles[column, -1], column]
        mu, sigma = fit_truncated_normal(tail, start)
        fit[:, column] = mu, sigma, _fit_error(tail, start, mu, sigma)
    # Set by set in memory: the mean's last bits must not depend on which other sets are fitted.
    mean = np.where(fitted, np.ascontiguousarray(ordered.T).mean(axis=1), 0.0)
    return EsNull(n_draws, mean, np.where(fitted[:, None], quantiles, 0.0), fit[0], fit[1], fit[2], fitted)


def fit_truncated_normal(tail: Floats, start: float) -> tuple[float, float]:
    """Fit a normal truncated to values above ``start`` by maximum likelihood; return its mu and sigma.

    The likelihood is highest where the first two moments of the excess agree. With ``alpha = (start - mu) /
    sigma`` and the hazard h of a standard normal at alpha, ``E[x**2] / E[x]**2 = (1 - alpha*h + alpha**2) /
    (h - alpha)**2`` grows from 1 to the 2 of an exponential and fixes alpha; the mean then fixes sigma. For
    heavier tails the likelihood grows towards infinite sigma: alpha stops where sigma is 30 mean excesses,
    exponential in all but name. Values much tighter than their distance from ``start`` stop at alpha = -50.
    """
    mean = float(np.mean(tail - start))
    wanted = float(np.mean((tail - start) ** 2)) / mean**2
    if wanted >= _moment_ratio(_HIGHEST_ALPHA):
        alpha = _HIGHEST_ALPHA
    elif wanted <= _moment_ratio(_LOWEST_ALPHA):
        alpha = _LOWEST_ALPHA
    else:
        found = brentq(lambda a: _moment_ratio(a) - wanted, _LOWEST_ALPHA, _HIGHEST_ALPHA, xtol=1e-12)
        alpha = float(found)
    sigma = mean / _mean_excess(alpha)
    return start - alpha * sigma, sigma


def _mean_excess(alpha: float) -> float:
    """Mean excess over alpha of a standard normal truncated to values above it."""
    log_hazard = -0.5 * alpha * alpha - 0.5 * math.log(2.0 * math.pi) - float(log_ndtr(-alpha))
    return math.exp(log_hazard) - alpha


def _moment_ratio(alpha: float) -> float:
    excess = _mean_excess(alpha)
    return (1.0 - alpha * excess) / excess**2


def _fit_error(tail: Floats, start: float, mu: float, sigma: float) -> float:
    ranks = np.arange(len(tail), 0, -1)
    judged = ranks >= min(10, len(tail))
    empirical = np.log10(ranks[judged] / len(tail))
    log_beyond = log_ndtr(-(tail[judged] - mu) / sigma) - log_ndtr(-(start - mu) / sigma)
    return float(np.abs(log_beyond / math.log(10.0) - empirical).max())


def normalised_es(es: NDArray[np.floating], null: EsNull) -> Floats:
    """Return ``es / mean |null es|`` (n_features x n_sets), signed; 0 for sets without a fitted null."""
    scale = np.where(null.fitted, null.mean_abs_es, 1.0)
    return np.where(null.fitted, es / scale, 0.0)


def is_extrapolated(es: NDArray[np.floating], null: EsNull) -> NDArray[np.bool_]:
    """Tell which scores (n_features x n_sets) lie in the fitted tail, beyond 90 % of the draws."""
    return np.asarray(null.fitted & (np.abs(es) > null.threshold))


def log10_p_es(es: NDArray[np.floating], null: EsNull) -> Floats:
    """Return the two-sided log10 p of scores (n_features x n_sets) under the random-direction null.

    Down to 0.1 the share of draws at least as large, interpolated between the stored quantiles; beyond, 0.1
    times the fitted tail. ``|ES| = 1`` counts as the next smaller double that `cosine_tail` tells apart
    from 1.

    Raises:
        InputError: if a score is not in [-1, 1].

    """
    if not np.abs(es).max(initial=0.0) <= 1.0:
        raise InputError("enrichment scores lie in [-1, 1]: mask features without scores before asking for p")
    starts, _ = z_and_log10_p(null.threshold, _UNIFORM_COSINE)
    table = normal_equivalent(_UNIFORM_COSINE)
    log10_p = np.empty(es.shape[::-1]).T
    tail = np.stack([starts, null.mu, np.where(null.fitted, null.sigma, 1.0)], axis=1)
    _fill(es, null.quantiles, tail, (table.step, table.coefficients), _log10_of_rest(), log10_p)
    log10_p[:, ~null.fitted] = 0.0
    return log10_p


@lru_cache(maxsize=1)
def _log10_of_rest() -> Floats:
    """Table of ``log10(1 - share)`` for shares up to 0.9, cubic pieces."""
    shares = np.linspace(0.0, 1.0 - TAIL_SHARE, _SHARE_NODES)
    return np.ascontiguousarray(CubicSpline(shares, [math.log10(1.0 - share) for share in shares]).c.T)


@compiled
def _fill(
    es: NDArray[np.floating],
    quantiles: Floats,
    tail: Floats,
    probit: tuple[float, Floats],
    log10_of_rest: Floats,
    log10_p: Floats,
) -> None:
    step, coefficients = probit
    last = quantiles.shape[1] - 1
    scale = log10_of_rest.shape[0] / last
    for column in range(es.shape[1]):
        start, mu, sigma = tail[column]
        log_start = log_normal_tail((start - mu) / sigma)
        ascending = quantiles[column]
        guide = _guide(ascending)
        for row in range(es.shape[0]):
            value = abs(float(es[row, column]))
            if value > ascending[last]:
                y = normal_equivalent_of(value, step, coefficients)
                beyond = log_normal_tail((y - mu) / sigma) - log_start
                log10_p[row, column] = math.log10(TAIL_SHARE) + beyond / math.log(10.0)
            else:
                position = _quantiles_below(value, ascending, guide) * scale
                piece = min(int(position), log10_of_rest.shape[0] - 1)
                x = (position - piece) * ((1.0 - TAIL_SHARE) / log10_of_rest.shape[0])
                c = log10_of_rest[piece]
                log10_p[row, column] = c[3] + x * (c[2] + x * (c[1] + x * c[0]))


@compiled
def _guide(quantiles: Floats) -> NDArray[np.int64]:
    """Return how many quantiles lie below each of many even steps from 0 to the last."""
    counts = np.empty(_GUIDE_STEPS + 1, np.int64)
    position = 0
    for step in range(_GUIDE_STEPS + 1):
        while position < len(quantiles) - 1 and quantiles[position] < quantiles[-1] * (step / _GUIDE_STEPS):
            position += 1
        counts[step] = position
    return counts


@compiled
def _quantiles_below(value: float, quantiles: Floats, guide: NDArray[np.int64]) -> float:
    """Return the position of a value, at most the last, among ascending quantiles; ties count as not below."""
    if value <= quantiles[0]:
        return 0.0
    position = max(1, guide[int(value / quantiles[-1] * _GUIDE_STEPS)])
    while position > 1 and quantiles[position - 1] >= value:  # rounding of the step
        position -= 1
    while quantiles[position] < value:
        position += 1
    low, high = quantiles[position - 1], quantiles[position]
    return float(position - 1 + (value - low) / (high - low))
