"""False-discovery rates on log p, one family for each column.

The family is the scored features of one (SAE, set), so adding a set changes no other set's q.
Benjamini and Hochberg, J. R. Statist. Soc. B 57, 1995.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from tsea_db.errors import InputError

Floats = NDArray[np.float64]


def benjamini_hochberg(log10_p: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Return log10 q of every valid entry, with its column's valid entries as the family.

    With p ascending and n of them, ``q_(i) = min over j >= i of p_(j) * n / j``.

    Args:
        log10_p: n_features x n_sets, at most 0. It may lie far below -308.
        valid: n_features x n_sets, which entries belong to the family. The others come back as 0.

    Raises:
        InputError: if a valid entry is above 0 or not finite.

    """
    used = log10_p[valid]
    if not (np.all(np.isfinite(used)) and np.all(used <= 0.0)):
        raise InputError("log10 p must be finite and at most 0: mask pairs without a p before asking for q")
    log10_q = np.zeros(log10_p.shape)
    _fill(log10_p, valid, log10_q)
    return log10_q


@njit(cache=True, parallel=True)
def _fill(log10_p: Floats, valid: NDArray[np.bool_], log10_q: Floats) -> None:
    for column in prange(log10_p.shape[1]):
        rows = np.flatnonzero(valid[:, column])
        values = log10_p[rows, column]
        order = np.argsort(values)
        log10_n = math.log10(max(1, len(rows)))
        smallest = 0.0
        for rank in range(len(rows), 0, -1):
            position = order[rank - 1]
            smallest = min(smallest, values[position] + log10_n - math.log10(rank))
            log10_q[rows[position], column] = smallest
