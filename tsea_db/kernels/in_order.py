"""Linear algebra whose every number is one chain of operations in a fixed order.

BLAS and LAPACK sum in an order that depends on the processor and on the number of threads. What is stored, or decides
what is stored, is computed here instead: vectors hold different numbers, never parts of one sum, and nothing is fused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import prange
from numpy.typing import NDArray

from tsea_db.kernels.compiled import compiled, compiled_parallel

Floats = NDArray[np.float64]

_TILE = 64
"""Rows of which all products are added before the next are read: they fit a core's cache."""

_AT_ONCE = 4
"""Rows of the sum that share what is read."""


def add_gram(rows: Floats, total: Floats) -> None:
    """Add ``rows' rows`` (d x d) of rows (n x d) to the upper triangle of ``total``; below it is nothing of use."""
    d = rows.shape[1]
    wide = -(-d // _AT_ONCE) * _AT_ONCE
    sums = np.zeros((wide, wide))
    sums[:d, :d] = total
    for start in range(0, len(rows), _TILE):
        tile = np.zeros((_TILE, wide))
        part = rows[start : start + _TILE]
        tile[: len(part), :d] = part
        _add_products(tile, sums)
    total[:] = sums[:d, :d]


def symmetric(upper: Floats) -> Floats:
    """Return the symmetric matrix with this upper triangle."""
    return np.asarray(np.triu(upper) + np.triu(upper, 1).T)


@compiled_parallel
def _add_products(rows: Floats, total: Floats) -> None:
    d = rows.shape[1]
    for group in prange(d // _AT_ONCE):
        i = np.int64(group) * _AT_ONCE
        sums = total[i : i + _AT_ONCE, i:].copy()
        a, b, c, e = sums[0], sums[1], sums[2], sums[3]
        for t in range(0, rows.shape[0], 2):
            one, two = rows[t, i:], rows[t + 1, i:]
            for j in range(d - i):
                x, y = one[j], two[j]
                a[j] = (a[j] + one[0] * x) + two[0] * y
                b[j] = (b[j] + one[1] * x) + two[1] * y
                c[j] = (c[j] + one[2] * x) + two[2] * y
                e[j] = (e[j] + one[3] * x) + two[3] * y
        total[i : i + _AT_ONCE, i:] = sums


@dataclass(frozen=True)
class Factor:
    """Cholesky factor of a positive semidefinite matrix G of rank r, with pivots: ``G = L L'``.

    Attributes:
        pivots: d, the order in which columns were taken: each time that with the most left.
        lower: d x r, L with its rows in the order of ``pivots``; its first r rows are lower triangular.
    """

    pivots: NDArray[np.int64]
    lower: Floats

    def solve(self, columns: Floats) -> Floats:
        """Return ``L^+ x`` (r x n) for the columns x (d x n), which must lie in the range of G.

        The sum of its squares is ``x' G^+ x``.
        """
        rank = self.lower.shape[1]
        solved = np.ascontiguousarray(columns[self.pivots[:rank]])
        _substitute(self.lower[:rank], solved)
        return solved

    def null_space(self) -> Floats:
        """Return orthonormal rows (d - r, d) that G maps to zero."""
        d, rank = self.lower.shape
        # G (x, -I) = 0 for x = L11^-T L21'.
        bottom = np.ascontiguousarray(self.lower[rank:].T)
        _substitute_back(self.lower[:rank], bottom)
        rows = np.zeros((d - rank, d))
        rows[:, self.pivots[:rank]] = bottom.T
        rows[np.arange(d - rank), self.pivots[rank:]] = -1.0
        for _ in range(2):  # once leaves rounding where rows are nearly parallel
            _orthonormalise(rows)
        return rows


def factorise(matrix: Floats, rank: int) -> Factor:
    """Factorise a symmetric positive semidefinite matrix (d x d) of known rank; its lower triangle is not read."""
    left, pivots = symmetric(matrix), np.arange(len(matrix))
    lower = np.zeros((len(matrix), rank))
    _pivoted_cholesky(left, pivots, lower)
    return Factor(pivots, lower)


@compiled
def _pivoted_cholesky(left: Floats, pivots: NDArray[np.int64], lower: Floats) -> None:
    """Take what is largest on the diagonal, and its share from the rest; ``left`` is used up."""
    d, rank = lower.shape
    for k in range(rank):
        best = k
        for i in range(k + 1, d):
            if left[i, i] > left[best, best]:
                best = i
        if best != k:
            _swap(left, pivots, lower, k, best)
        root = np.sqrt(left[k, k])
        lower[k, k] = root
        for i in range(k + 1, d):
            lower[i, k] = left[k, i] / root
        for i in range(k + 1, d):
            share = lower[i, k]
            for j in range(k + 1, d):
                left[i, j] -= share * (left[k, j] / root)


@compiled
def _swap(left: Floats, pivots: NDArray[np.int64], lower: Floats, a: int, b: int) -> None:
    for j in range(left.shape[0]):
        left[a, j], left[b, j] = left[b, j], left[a, j]
    for i in range(left.shape[0]):
        left[i, a], left[i, b] = left[i, b], left[i, a]
    for j in range(lower.shape[1]):
        lower[a, j], lower[b, j] = lower[b, j], lower[a, j]
    pivots[a], pivots[b] = pivots[b], pivots[a]


@compiled
def _substitute(lower: Floats, right: Floats) -> None:
    """Solve ``lower x = right`` in place."""
    for i in range(lower.shape[0]):
        for k in range(i):
            share = lower[i, k]
            for j in range(right.shape[1]):
                right[i, j] -= share * right[k, j]
        for j in range(right.shape[1]):
            right[i, j] /= lower[i, i]


@compiled
def _substitute_back(lower: Floats, right: Floats) -> None:
    """Solve ``lower' x = right`` in place."""
    for i in range(lower.shape[0] - 1, -1, -1):
        for j in range(right.shape[1]):
            right[i, j] /= lower[i, i]
        for k in range(i):
            share = lower[i, k]
            for j in range(right.shape[1]):
                right[k, j] -= share * right[i, j]


@compiled
def _orthonormalise(rows: Floats) -> None:
    """Gram-Schmidt, in place."""
    for i in range(rows.shape[0]):
        for k in range(i):
            shared = 0.0
            for j in range(rows.shape[1]):
                shared += rows[i, j] * rows[k, j]
            for j in range(rows.shape[1]):
                rows[i, j] -= shared * rows[k, j]
        square = 0.0
        for j in range(rows.shape[1]):
            square += rows[i, j] * rows[i, j]
        length = np.sqrt(square)
        for j in range(rows.shape[1]):
            rows[i, j] /= length
