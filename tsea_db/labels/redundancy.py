"""Which of a feature's sets say something that its stronger sets do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsea_db.kernels.overlap import distinct_sets

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEATURES_A_BLOCK = 16_384


def stays(
    features: NDArray[np.integer],
    sets: NDArray[np.integer],
    cosines: NDArray[np.float64],
    null_corr: NDArray[np.float64],
    d_eff: int,
    level: float,
) -> NDArray[np.bool_]:
    """Tell which (feature, set) pairs stay when each feature's weaker sets must be more than its stronger ones imply.

    Args:
        features: ``(n,)``, ascending; the pairs of a feature lie together.
        sets: ``(n,)``, positions in ``null_corr``.
        cosines: ``(n,)``, of the feature's direction and the set's Delta.
        null_corr: ``(n_sets, n_sets)``, cosines of the sets' Deltas.
        d_eff: Dimensions that the unembedding reads.
        level: Two-sided p that a set must stay below given the stronger ones.

    Returns:
        bool ``(n,)``; see :func:`tsea_db.kernels.overlap.distinct_sets`.
    """
    kept = np.zeros(len(features), np.bool_)
    starts = np.flatnonzero(np.r_[True, features[1:] != features[:-1]]) if len(features) else np.empty(0, np.int64)
    bounds = np.r_[starts, len(features)]
    for block in range(0, len(starts), _FEATURES_A_BLOCK):
        first, last = bounds[block], bounds[min(block + _FEATURES_A_BLOCK, len(starts))]
        here = slice(first, last)
        rows = np.cumsum(np.r_[False, features[here][1:] != features[here][:-1]])
        shape = (rows[-1] + 1, len(null_corr))
        dense, significant = np.zeros(shape), np.zeros(shape, np.bool_)
        dense[rows, sets[here]] = cosines[here]
        significant[rows, sets[here]] = True
        kept[here] = distinct_sets(dense, significant, null_corr, d_eff, level)[rows, sets[here]]
    return kept
