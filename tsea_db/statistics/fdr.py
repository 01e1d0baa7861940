"""False-discovery rates on log p, one family for each column.

The family is the scored features of one (SAE, set), so adding a set changes no other set's q.
Benjamini and Hochberg, J. R. Statist. Soc. B 57, 1995.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tsea_db.errors import InputError
from tsea_db.kernels.compiled import compiled

Floats = NDArray[np.float64]


def benjamini_hochberg(log10_p: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Return log10 q of every valid entry, with its column's valid entries as the family.

    With p ascending and n of them, ``q_(i) = min over j >= i of p_(j) * n / j``. The result lies in memory column by
    column.

    Args:
        log10_p: n_features x n_sets, at most 0. It may lie far below -308.
        valid: n_features x n_sets, which entries belong to the family. The others come back as 0.

    Raises:
        InputError: if a valid entry is above 0 or not finite.

    """
    log10_q = np.zeros(log10_p.shape[::-1]).T
    for column in range(log10_p.shape[1]):
        rows = np.flatnonzero(valid[:, column])
        values = log10_p[:, column] if len(rows) == len(log10_p) else log10_p[rows, column]
        if not (np.all(np.isfinite(values)) and np.all(values <= 0.0)):
            raise InputError("log10 p must be finite and at most 0: mask pairs without a p before asking for q")
        order = np.argsort(values)  # equal p get equal q, in whatever order they come
        _step_up(np.ascontiguousarray(values), order, rows, _log10_shares(len(values)), log10_q[:, column])
    return log10_q


@lru_cache(maxsize=4)
def _log10_shares(n: int) -> Floats:
    """Return log10 of n / i for i from 1 to n."""
    return np.array([math.log10(n) - math.log10(i) for i in range(1, n + 1)])


@compiled
def _step_up(
    values: Floats, order: NDArray[np.int64], rows: NDArray[np.int64], log10_shares: Floats, log10_q: Floats
) -> None:
    """Write the q of ascending p (``values`` in this order), from the last to the first."""
    smallest = 0.0
    for i in range(len(values) - 1, -1, -1):
        smallest = min(smallest, values[order[i]] + log10_shares[i])
        log10_q[rows[order[i]]] = smallest
