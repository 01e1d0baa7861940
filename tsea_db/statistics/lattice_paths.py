"""Exact and fast tails of the running sum of k members among V tokens in random order.

Every order of k members and ``m = V - k`` others is a lattice path from (0, 0) to (k, m). After j members
and i others the running sum is ``(j*m - i*k) / (k*m)``, so "ES at least h / (k*m)" is "the path touches the
line ``j*m - i*k = h``": integers throughout. This is the two-sample Kolmogorov-Smirnov statistic. All
functions take ``1 <= k <= m`` and ``h >= 1``; the statistic is the same for a set and its complement.

Sources: J. L. Hodges, Arkiv Matematik 3, 1958 (the programme over cells); the first-entry recursion and the
    ballot form are the classical decompositions of paths that cross a line (W. Feller, An Introduction to
    Probability Theory, vol. 1, chapter III).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsea_db.kernels.compiled import compiled

Floats = NDArray[np.float64]

_LARGEST_POWER = 1022
_POWERS = np.ldexp(1.0, np.arange(-_LARGEST_POWER, _LARGEST_POWER + 1))

# A summand this many nats below the largest changes no float64 sum.
_NEGLIGIBLE = 42.0


@compiled
def cell_programme(h: int, k: int, m: int, two_sided: bool) -> float:
    """Return P(touching the line, or either line), exact while above 1e-308, in O(cells between the lines).

    ``c(j, i)``, the share of paths to a cell that have touched, is 1 on or beyond a line and otherwise
    ``(j*c(j-1, i) + i*c(j, i-1)) / (j + i)``: positive terms only, so nothing cancels.
    """
    touched = np.ones(m + 1)
    reciprocal = 1.0 / np.maximum(1.0, np.arange(k + m + 1))
    for j in range(k + 1):
        # Misses strictly between the lines: j*m - h < i*k < j*m + h.
        first = max(0, (j * m - h) // k + 1)
        last = min(m, (j * m + h - 1) // k) if two_sided else m
        below = 1.0 if first > 0 else 0.0
        for i in range(first, last + 1):
            if j + i == 0:
                below = 0.0
            else:
                left = touched[i] if j > 0 else 0.0
                below = (j * left + i * below) * reciprocal[j + i]
            touched[i] = below
        touched[last + 1 :] = 1.0
        touched[:first] = 1.0
    return float(touched[m])


@compiled
def _log_choose(n: int, k: int, log_factorial: Floats) -> float:
    return float(log_factorial[n] - log_factorial[k] - log_factorial[n - k])


@compiled
def first_entries(h: int, k: int, m: int, log_factorial: Floats) -> float:
    """Return ``ln P(touching the upper line)``, exact, in O(n**2) with n = k - h/m the hits beyond the line.

    Read backwards, a path first enters the region beyond the line at one of the cells ``(j, b_j)``,
    ``b_j = (j*m - h) // k``, one for each j. With ``T_j`` paths from (k, m) to that cell and ``N_j`` of
    them entering there first, ``N_j = T_j - sum over l > j of N_l * C(l-j + b_l-b_j, l-j)``.

    ``log_factorial`` holds ``ln n!`` for n = 0 .. k + m.
    """
    lowest = -(-h // m)
    entries = np.empty(k - lowest + 1)
    total = -math.inf
    for j in range(k, lowest - 1, -1):
        b = (j * m - h) // k
        paths = _log_choose(k - j + m - b, k - j, log_factorial)
        share = 1.0
        for other in range(j + 1, k + 1):
            steps, rise = other - j, (other * m - h) // k - b
            between = _log_choose(steps + rise, steps, log_factorial)
            share -= math.exp(entries[k - other] + between - paths)
        entries[k - j] = paths + math.log(share)
        term = entries[k - j] + _log_choose(j + b, j, log_factorial)
        high = max(total, term)
        total = high + math.log(math.exp(total - high) + math.exp(term - high))
    return min(0.0, total - _log_choose(k + m, k, log_factorial))


class Factorials(NamedTuple):
    """``n! = mantissas[n] * 2**exponents[n]`` for n = 0 .. N; ``inverses`` are one over the mantissas."""

    mantissas: Floats
    inverses: Floats
    exponents: NDArray[np.int64]


@lru_cache(maxsize=4)
def factorials(n: int) -> Factorials:
    """Tabulate the factorials up to n."""
    mantissas, exponents = np.empty(n + 1), np.empty(n + 1, np.int64)
    _fill_factorials(mantissas, exponents)
    return Factorials(mantissas, 1.0 / mantissas, exponents)


@compiled
def _fill_factorials(mantissas: Floats, exponents: NDArray[np.int64]) -> None:
    mantissa, exponent = 1.0, 0
    for n in range(len(mantissas)):
        mantissa, step = math.frexp(mantissa * max(1, n))
        exponent += step
        mantissas[n], exponents[n] = mantissa, exponent


@compiled
def few_first_entries(h: int, k: int, m: int, table: Factorials) -> float:
    """Return what `first_entries` returns, several times faster, if at most 45 hits lie beyond the line.

    The paths of its recursion are counted as plain numbers, which must stay below 1e300: C(V, 45) does for V up to
    2**21. Only the paths of whole orders are kept as mantissa and exponent.

    ``table`` holds the factorials up to k + m.
    """
    lowest = -(-h // m)
    n = k - lowest + 1
    misses, entries = np.empty(n, np.int64), np.empty(n)
    total, base = 0.0, 0
    for place in range(n):
        j = k - place
        b = (j * m - h) // k
        misses[place] = b
        entered = _choose(place, m - b, table)
        for other in range(place):
            entered -= entries[other] * _choose(place - other, misses[other] - b, table)
        entries[place] = entered
        exponent = table.exponents[j + b] - table.exponents[j] - table.exponents[b]
        if place == 0:
            base = exponent
        paths = table.mantissas[j + b] * table.inverses[j] * table.inverses[b]
        total += entered * paths * _POWERS[max(exponent - base + _LARGEST_POWER, 0)]
    whole = table.exponents[k + m] - table.exponents[k] - table.exponents[m]
    orders = table.mantissas[k + m] * table.inverses[k] * table.inverses[m]
    return float(min(0.0, math.log(total / orders) + (base - whole) * math.log(2.0)))


@compiled
def _choose(steps: int, rise: int, table: Factorials) -> float:
    """Return ``C(steps + rise, steps)``."""
    exponent = table.exponents[steps + rise] - table.exponents[steps] - table.exponents[rise]
    mantissa = table.mantissas[steps + rise] * table.inverses[steps] * table.inverses[rise]
    return float(mantissa * _POWERS[exponent + _LARGEST_POWER])


@compiled
def _log_gamma(x: float) -> float:
    """Return ``ln Gamma(x)`` for x >= 1; Stirling's series is several times faster than math.lgamma."""
    if x < 16.0:
        return math.lgamma(x)
    r = 1.0 / (x * x)
    series = (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r / 1680.0))) / x
    return (x - 0.5) * math.log(x) - x + 0.9189385332046727 + series


@compiled
def _ballot_term(j: int, d: float, k: int, m: int) -> float:
    """Log of the paths that leave the line for the last time after j members, constants left out."""
    x = max(0.0, m * (j / k - d))
    before = _log_gamma(j + x + 1.0) - _log_gamma(j + 1.0) - _log_gamma(x + 1.0)
    after = _log_gamma(k + m - j - x) - _log_gamma(k - j + 1.0) - _log_gamma(m - x + 1.0)
    return before + after


@compiled
def ballot_sum(d: float, k: int, m: int) -> float:
    """Return ``ln P(ES >= d)`` by last passages, O(effective terms), for real d below about ``1 - 20 / k``.

    ``sum over j >= k*d of C(j+x, j) * C(V-j-x, k-j) / C(V, k) * m*d / (V-j-x)`` with ``x = m*(j/k - d)``
    real, at ``d + 1/(2m) - gcd(k, m)/(2km)``: the path meets the line at integers only, which on average is
    that much farther out. Exact where k divides m.
    """
    divisor = math.gcd(k, m)
    d = d + 0.5 / m - 0.5 * divisor / (float(k) * m)
    low = math.ceil(k * d)
    if low > k:
        return -math.inf
    mode = _mode(low, d, k, m)
    peak = _ballot_term(mode, d, k, m)
    total = 1.0
    for step in (-1, 1):
        j = mode + step
        while low <= j <= k:
            difference = _ballot_term(j, d, k, m) - peak
            if difference < -_NEGLIGIBLE:
                break
            total += math.exp(difference)
            j += step
    whole = _log_gamma(k + m + 1.0) - _log_gamma(k + 1.0) - _log_gamma(m + 1.0)
    return min(0.0, peak + math.log(total) + math.log(m * d) - whole)


@compiled
def _mode(low: int, d: float, k: int, m: int) -> int:
    """Find the largest ballot term by bisection: the terms rise and then fall."""
    high = k
    while low < high:
        middle = (low + high) // 2
        if _ballot_term(middle, d, k, m) < _ballot_term(middle + 1, d, k, m):
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def two_sided(log_p: float) -> float:
    """Return ln P2 by Kolmogorov's series, ``P2 = 2 * (P1 - P1**4 + P1**9 - ...)``."""
    # Beyond this the alternating series needs many terms, and P2 differs from 1 by less than 1e-4.
    if log_p > -0.25:
        return 0.0
    total = 0.0
    for n in range(1, 12):
        total += (-1.0) ** (n + 1) * math.exp((n * n - 1) * log_p)
    return min(0.0, math.log(2.0) + log_p + math.log(total))
