"""False-discovery rates on log p, one family for each column.

The family is the scored features of one (SAE, set), so adding a set changes no other set's q.
Benjamini and Hochberg, J. R. Statist. Soc. B 57, 1995.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tsea_db.errors import InputError

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
        values = log10_p[rows, column]
        if not (np.all(np.isfinite(values)) and np.all(values <= 0.0)):
            raise InputError("log10 p must be finite and at most 0: mask pairs without a p before asking for q")
        order = np.argsort(values)  # equal p get equal q, in whatever order they come
        steps = values[order] + (math.log10(max(1, len(rows))) - np.log10(np.arange(1, len(rows) + 1)))
        smallest = np.minimum.accumulate(np.minimum(steps, 0.0)[::-1])[::-1]
        log10_q[rows[order], column] = smallest
    return log10_q
