"""Do p-values keep their promise? Shares below a level on data where nothing is to be found.

Fresh random directions, or an SAE whose decoder was rotated at random, have no token set to promote. Their
p should be uniform, and hardly any q small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsea_db.errors import InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVELS = (0.05, 0.01, 0.001)

# A level is shown if this many of the draws are expected below it.
_EXPECTED_BELOW = 4


@dataclass(frozen=True)
class Calibration:
    """Shares of p below each level.

    Attributes:
        levels: The levels, n_levels.
        overall: n_levels, over all valid pairs.
        per_set: n_levels x n_sets; 0 for a set without valid pairs.
        n_per_set: n_sets, valid pairs of each set.

    """

    levels: tuple[float, ...]
    overall: Floats
    per_set: Floats
    n_per_set: NDArray[np.int64]


def draws_needed(level: float) -> int:
    """Return how many draws show a share as small as ``level``: 4 are expected below it.

    Raises:
        InputError: if the level is not between 0 and 1.

    """
    if not 0.0 < level < 1.0:
        raise InputError(f"a significance level lies between 0 and 1, got {level}")
    # The division leaves 4 / 0.001 above 4000 by a rounding error.
    return math.ceil(round(_EXPECTED_BELOW / level, 6))


def share_p_below(log10_p: Floats, valid: Bools, levels: tuple[float, ...] = LEVELS) -> Calibration:
    """Count p (n_draws x n_sets, log10) below each level among the valid pairs.

    Raises:
        InputError: if there are too few draws to show a level, saying how many are needed.

    """
    n_draws = log10_p.shape[0]
    for level in levels:
        if n_draws < draws_needed(level):
            raise InputError(f"{n_draws} draws cannot show p < {level}: {draws_needed(level)} are needed")
    n_per_set = valid.sum(axis=0)
    below = np.stack([((log10_p < math.log10(level)) & valid).sum(axis=0) for level in levels])
    overall = below.sum(axis=1) / max(1, int(n_per_set.sum()))
    return Calibration(levels, overall, below / np.maximum(n_per_set, 1), n_per_set)


def set_tolerance(level: float, n_null: int | None, n_test: int) -> float:
    """Return how far one set's share may be from the level: 5 standard errors.

    ``5 * sqrt(level * (1 - level) * (1/n_null + 1/n_test))`` with the draws behind the null and those tested;
    ``n_null`` is None for an exact null.
    """
    behind = 0.0 if n_null is None else 1.0 / n_null
    return 5.0 * math.sqrt(level * (1.0 - level) * (behind + 1.0 / n_test))


def sets_out_of_tolerance(found: Calibration, level: float, n_null: int | None) -> NDArray[np.int64]:
    """Return the indices of sets whose share below ``level`` is off by more than `set_tolerance`."""
    if level not in found.levels:
        raise InputError(f"no share below {level} was counted, only below {found.levels}")
    shares = found.per_set[found.levels.index(level)]
    allowed = [set_tolerance(level, n_null, int(n)) if n else math.inf for n in found.n_per_set]
    return np.flatnonzero(np.abs(shares - level) > allowed)


def sets_with_discoveries(log10_q: Floats, valid: Bools, level: float = 0.01) -> int:
    """Count the sets with any valid pair of q below ``level``."""
    return int(np.any((log10_q < math.log10(level)) & valid, axis=0).sum())


def discovery_limit(n_sets: int, level: float = 0.01) -> float:
    """Return how many sets may have a discovery where nothing is to be found: ``2*level*n + 3``."""
    return 2.0 * level * n_sets + 3.0


def qq_points(log10_p: Floats, n_points: int = 200) -> tuple[Floats, Floats]:
    """Return expected and observed ``-log10 p`` of a QQ plot, both ascending, at most ``n_points`` of each.

    The i-th smallest of n is expected at ``i / (n + 1)``. Points are spaced evenly in log rank: all of the
    extreme ones are shown, few of the bulk.

    Raises:
        InputError: without any p.

    """
    n = log10_p.size
    if n == 0:
        raise InputError("a QQ plot needs at least one p")
    ranks = np.unique(np.rint(np.geomspace(1, n, min(n_points, n))).astype(np.int64))
    observed = np.partition(log10_p.ravel(), ranks - 1)[ranks - 1]
    return -np.log10(ranks / (n + 1.0))[::-1], -observed[::-1]
