"""How far out a cosine is: the tail of the angle between a fixed and a random direction, in log space.

In ``d`` dimensions ``t = cos * sqrt((d - 1) / (1 - cos**2))`` is Student t with ``d - 1`` degrees of freedom
exactly, so ``P(|C| > c) = I_{1 - c**2}((d - 1) / 2, 1 / 2)`` with the regularised incomplete beta function
``I``. Its normal equivalent ``z`` has the same tail under a standard normal and the sign of the cosine.

Most cosines are small. For them a second table gives ``z / cos`` over ``cos**2``, which is as smooth and takes neither
root nor logarithm, and a third, the same for all ``d``, log10 p over ``z``.

``z`` is close to ``q * sqrt(d - 1)`` with ``q = sqrt(-log(1 - c**2))`` (D. L. Wallace, Ann. Math. Statist.
30, 1959), and the ratio ``z / q`` is smooth: a table of it over ``q``, one for each ``d``, gives millions of
tails a second. For ``d = 3`` the cosine is uniform, so the same table turns any two-sided p into its normal
equivalent (``1 - p`` as cosine).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numba import prange
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import betainc, betaincinv, betaln, ndtri_exp

from tsea_db.errors import InputError
from tsea_db.kernels.compiled import compiled, compiled_parallel

Floats = NDArray[np.float64]

# Cosines carry an absolute error near 1e-8 (see direction_null), so 1 - c**2 below this says no more than
# "the same direction". It also keeps every z and log10 p finite.
MIN_SINE_SQUARED = 2.0**-26

_NODES = 1025
_NEAR = 0.5
_NEAR_NODES = 513
_TAIL_STEPS = 128
_TAIL_END = 25
_CONTINUED_FRACTION_STEPS = 2000
_NEWTON_STEPS = 50


@dataclass(frozen=True)
class NormalEquivalent:
    """Table of ``z / q`` against ``q = sqrt(-log(1 - cos**2))`` for one dimension.

    Attributes:
        dimension: ``d``, the dimension of the space that the random direction is uniform in.
        step: Distance of two nodes in ``q``.
        coefficients: (n_nodes - 1) x 4, cubic in ``q - node``, highest power first.

    """

    dimension: int
    step: float
    coefficients: Floats


def log_tail(q: Floats, dimension: int) -> Floats:
    """Return ``ln P(|C| > c)`` for ``q = sqrt(-log(1 - c**2))``, exact in the far tail.

    Near the centre this is scipy's incomplete beta function, farther out its continued fraction with the
    leading power taken in logs (Press et al., Numerical Recipes, section 6.4; Lentz's method), which never
    underflows.
    """
    a, b = (dimension - 1) / 2.0, 0.5
    sine_squared = np.exp(-(q**2))
    centre = sine_squared >= (a + 1.0) / (a + b + 2.0)
    result = np.empty_like(q)
    result[centre] = np.log(betainc(a, b, sine_squared[centre]))
    outer = q[~centre]
    log_power = -a * outer**2 + b * np.log(-np.expm1(-(outer**2)))
    fraction = _beta_continued_fraction(sine_squared[~centre], a, b)
    result[~centre] = log_power - math.log(a) - betaln(a, b) + np.log(fraction)
    return result


def _beta_continued_fraction(x: Floats, a: float, b: float) -> Floats:
    """Evaluate the continued fraction of the incomplete beta function at ``x < (a + 1) / (a + b + 2)``."""
    c = np.ones_like(x)
    d = 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    value = d.copy()
    for i in range(1, _CONTINUED_FRACTION_STEPS):
        even = i * (b - i) * x / ((a + 2 * i - 1.0) * (a + 2 * i))
        d = 1.0 / (1.0 + even * d)
        c = 1.0 + even / c
        value *= d * c
        odd = -(a + i) * (a + b + i) * x / ((a + 2 * i) * (a + 2 * i + 1.0))
        d = 1.0 / (1.0 + odd * d)
        c = 1.0 + odd / c
        change = d * c
        value *= change
        if np.all(np.abs(change - 1.0) < 1e-15):
            break
    return value


@lru_cache(maxsize=64)
def normal_equivalent(dimension: int) -> NormalEquivalent:
    """Build the table for directions in ``dimension`` (at least 3) dimensions.

    Raises:
        InputError: with fewer than 3 dimensions, where the density of the cosine has no single peak at 0.

    """
    if dimension < 3:
        raise InputError(f"a normal equivalent needs at least 3 dimensions, got {dimension}")
    q = np.linspace(0.0, math.sqrt(-math.log(MIN_SINE_SQUARED)) * 1.001, _NODES)
    ratio = np.empty_like(q)
    ratio[1:] = -ndtri_exp(log_tail(q[1:], dimension) - math.log(2.0)) / q[1:]
    # At the centre z is linear in the cosine with slope sqrt(2 pi) times the cosine's density at 0.
    ratio[0] = math.sqrt(2.0 * math.pi) * math.exp(-betaln((dimension - 1) / 2.0, 0.5))
    pieces = CubicSpline(q, ratio).c.T
    return NormalEquivalent(dimension, float(q[1]), np.ascontiguousarray(pieces))


@compiled
def log_normal_tail(z: float) -> float:
    """Return ``ln P(Z > z)`` for a standard normal Z, without underflow."""
    if z < -1.0:
        return math.log1p(-0.5 * math.erfc(-z / math.sqrt(2.0)))
    if z < 25.0:
        return math.log(0.5 * math.erfc(z / math.sqrt(2.0)))
    # Asymptotic series: the first term left out is below 1e-11 of the sum.
    w = 1.0 / (z * z)
    series = 1.0 - w * (1.0 - 3.0 * w * (1.0 - 5.0 * w * (1.0 - 7.0 * w)))
    return -0.5 * z * z - math.log(z * math.sqrt(2.0 * math.pi)) + math.log(series)


@compiled
def normal_equivalent_of(cosine: float, step: float, coefficients: Floats) -> float:
    """Return the normal equivalent of one cosine from the columns of a `NormalEquivalent`."""
    sine_squared = max((1.0 - cosine) * (1.0 + cosine), MIN_SINE_SQUARED)
    # log1p keeps small cosines exact, log those near 1.
    log_sine = math.log1p(-cosine * cosine) if sine_squared > 0.5 else math.log(sine_squared)
    q = math.sqrt(-log_sine)
    piece = min(int(q / step), coefficients.shape[0] - 1)
    x = q - piece * step
    c = coefficients[piece]
    return math.copysign(q * (c[3] + x * (c[2] + x * (c[1] + x * c[0]))), cosine)


@compiled
def _log10_two_sided(z: float) -> float:
    return min(0.0, (math.log(2.0) + log_normal_tail(abs(z))) / math.log(10.0))


@lru_cache(maxsize=64)
def _near_centre(dimension: int) -> Floats:
    """Table of ``z / cos`` against ``cos**2`` up to a half, cubic pieces as in `NormalEquivalent`."""
    table = normal_equivalent(dimension)
    squares = np.linspace(0.0, _NEAR, _NEAR_NODES)
    ratio = np.empty_like(squares)
    q = np.sqrt(-np.log1p(-squares[1:]))
    ratio[1:] = -ndtri_exp(log_tail(q, dimension) - math.log(2.0)) / np.sqrt(squares[1:])
    ratio[0] = table.coefficients[0, 3]  # q and the cosine are the same there
    return np.ascontiguousarray(CubicSpline(squares, ratio).c.T)


@lru_cache(maxsize=1)
def _log10_two_sided_pieces() -> Floats:
    """Table of log10 p against ``|z|`` up to 25, cubic pieces of 1/128."""
    nodes = np.arange(_TAIL_END * _TAIL_STEPS + 1) / _TAIL_STEPS
    return np.ascontiguousarray(CubicSpline(nodes, [_log10_two_sided(node) for node in nodes]).c.T)


@compiled
def _fill(cosines: Floats, step: float, tables: tuple[Floats, Floats, Floats], z: Floats, log10_p: Floats) -> None:
    far, near, tail = tables
    scale = near.shape[0] / _NEAR
    for i in range(cosines.size):
        square = cosines[i] * cosines[i]
        if square < _NEAR:
            position = square * scale
            piece = int(position)
            x = (position - piece) / scale
            c = near[piece]
            z[i] = cosines[i] * (c[3] + x * (c[2] + x * (c[1] + x * c[0])))
        else:
            z[i] = normal_equivalent_of(cosines[i], step, far)
        size = abs(z[i])
        if size < _TAIL_END:
            piece = int(size * _TAIL_STEPS)
            x = size - piece / _TAIL_STEPS
            c = tail[piece]
            log10_p[i] = min(0.0, c[3] + x * (c[2] + x * (c[1] + x * c[0])))
        else:
            log10_p[i] = _log10_two_sided(size)


def z_and_log10_p(cosines: Floats, dimension: int) -> tuple[Floats, Floats]:
    """Return the normal equivalents of cosines and their two-sided log10 p, in the cosines' shape and order in memory.

    A cosine with ``1 - cos**2`` below `MIN_SINE_SQUARED` counts as having that value, so nothing is infinite.
    """
    table = normal_equivalent(dimension)
    order: Literal["C", "F"] = "F" if cosines.flags.f_contiguous else "C"
    flat = np.asarray(cosines, dtype=np.float64).ravel(order)
    z, log10_p = np.empty_like(flat), np.empty_like(flat)
    tables = (table.coefficients, _near_centre(dimension), _log10_two_sided_pieces())
    _fill(flat, table.step, tables, z, log10_p)
    return z.reshape(cosines.shape, order=order), log10_p.reshape(cosines.shape, order=order)


@compiled_parallel
def _invert(z: Floats, step: float, coefficients: Floats, cosines: Floats) -> None:
    slope_at_0, last = coefficients[0, 3], coefficients.shape[0] * step
    for i in prange(z.size):
        q = min(abs(z[i]) / slope_at_0, last)
        for _ in range(_NEWTON_STEPS):
            piece = min(int(q / step), coefficients.shape[0] - 1)
            x = q - piece * step
            c = coefficients[piece]
            ratio = c[3] + x * (c[2] + x * (c[1] + x * c[0]))
            slope = ratio + q * (c[2] + x * (2.0 * c[1] + 3.0 * x * c[0]))
            change = (q * ratio - abs(z[i])) / slope
            q = min(max(q - change, 0.0), last)
            if abs(change) <= 1e-15 * q:
                break
        cosines[i] = math.copysign(math.sqrt(-math.expm1(-q * q)), z[i])


def cosines_of_z(z: Floats, dimension: int) -> Floats:
    """Return the cosines that have these normal equivalents: the inverse of `z_and_log10_p`.

    A store holds z, not cosines, and tests of one set given another need cosines.
    """
    table = normal_equivalent(dimension)
    flat = np.ascontiguousarray(z, dtype=np.float64).ravel()
    cosines = np.empty_like(flat)
    _invert(flat, table.step, table.coefficients, cosines)
    return cosines.reshape(z.shape)


def critical_cosine(level: float, dimension: int) -> float:
    """Return the cosine that a random direction exceeds in absolute value with probability ``level``."""
    if not 0.0 < level < 1.0:
        raise InputError(f"a significance level lies between 0 and 1, got {level}")
    return math.sqrt(1.0 - float(betaincinv((dimension - 1) / 2.0, 0.5, level)))
