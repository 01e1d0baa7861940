"""Token sets that overlap in tokens or in direction, and tests that tell them apart.

Disjoint sets still share directions of the unembedding, so the overlap that matters for a feature's z is
``null_corr``, the cosine of two sets' Delta. The conditional test asks whether A is promoted beyond what
promoting B implies: it scores the part of A's unit Delta that is orthogonal to B's, a fixed direction like
any other, so its cosine has the same exact tail. It needs nothing but two cosines and null_corr.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import prange
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tsea_db.errors import InputError
from tsea_db.kernels.compiled import compiled, compiled_parallel
from tsea_db.statistics.cosine_tail import MIN_SINE_SQUARED, critical_cosine, z_and_log10_p
from tsea_db.statistics.direction_null import SetDirections, exact_cosines

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class SetOverlaps:
    """Overlap of every pair of sets, each n_sets x n_sets and symmetric.

    Attributes:
        intersection: int64, tokens in both.
        jaccard: Tokens in both over tokens in either; 0 for two empty sets.
        overlap_coefficient: Tokens in both over the size of the smaller; 0 with an empty set.
        null_corr: Cosine of the two Delta, which is the correlation of their cosines under the
            random-direction
            null; 0 with a set that has no Delta.

    """

    intersection: NDArray[np.int64]
    jaccard: Floats
    overlap_coefficient: Floats
    null_corr: Floats


def intersections(offsets: NDArray[np.integer], token_ids: NDArray[np.integer], n_tokens: int) -> NDArray[np.int64]:
    """Count the tokens that each pair of sets (CSR offsets and members) shares; sizes are on the diagonal."""
    ones = np.ones(len(token_ids), dtype=np.int64)
    memberships = csr_array((ones, token_ids, offsets), shape=(len(offsets) - 1, n_tokens))
    shared: NDArray[np.int64] = (memberships @ memberships.T).toarray()
    return shared


def set_overlaps(
    offsets: NDArray[np.integer], token_ids: NDArray[np.integer], n_tokens: int, sets: SetDirections
) -> SetOverlaps:
    """Compare all pairs of sets by tokens and by direction."""
    shared = intersections(offsets, token_ids, n_tokens)
    sizes = np.diag(shared)
    union = sizes[:, None] + sizes[None, :] - shared
    smaller = np.minimum(sizes[:, None], sizes[None, :])
    return SetOverlaps(
        shared,
        shared / np.maximum(union, 1),
        shared / np.maximum(smaller, 1),
        exact_cosines(sets.unit, sets.unit),
    )


@dataclass(frozen=True)
class ConditionalScores:
    """z and p of A given B for each feature (arrays of the cosines' shape).

    ``distinct`` is False where A and B have the same direction: nothing of A is left, z is 0 and log10 p is
    0.
    """

    z: Floats
    log10_p: Floats
    distinct: Bools


def conditional_scores(cosine_a: Floats, cosine_b: Floats, null_corr: Floats | float, d_eff: int) -> ConditionalScores:
    """Score A given B: z of ``Delta_A - r * Delta_B``, with unit Deltas and ``r = null_corr``.

    The cosine of a feature with that direction is ``(cosine_a - r * cosine_b) / sqrt(1 - r**2)``. The
    arguments broadcast; d_eff is the dimension that the unembedding reads.
    """
    r = np.asarray(null_corr, dtype=np.float64)
    left, distinct = 1.0 - r**2, distinct_directions(r)
    residual = (cosine_a - r * cosine_b) / np.sqrt(np.where(distinct, left, 1.0))
    residual = np.where(distinct, np.clip(residual, -1.0, 1.0), 0.0)
    z, log10_p = z_and_log10_p(residual, d_eff)
    return ConditionalScores(z, log10_p, np.broadcast_to(distinct, residual.shape))


def distinct_directions(null_corr: Floats) -> Bools:
    """Tell which pairs of sets have directions that rounding can tell apart, from the cosines of their Delta."""
    return np.asarray(1.0 - null_corr**2 > MIN_SINE_SQUARED)


def distinct_sets(cosine: Floats, significant: Bools, null_corr: Floats, d_eff: int, level: float) -> Bools:
    """Drop each feature's significant sets that the stronger ones explain.

    Sets are taken by falling |cosine| (falling |z|). A set stays if it is still promoted (or suppressed,
    with the same sign) at the two-sided ``level`` given all sets already kept: the part of its Delta
    orthogonal to all of theirs is scored. The order of equal cosines is that of the sets.

    Args:
        cosine: n_features x n_sets, cosines with the sets' Delta.
        significant: n_features x n_sets, the pairs to choose from.
        null_corr: n_sets x n_sets, cosines of the Deltas.
        d_eff: Dimensions that the unembedding reads.
        level: Two-sided p that the conditional test must stay below.

    Returns:
        n_features x n_sets, the significant pairs that stay. A feature's strongest set always does.

    """
    if cosine.shape != significant.shape or null_corr.shape != (cosine.shape[1],) * 2:
        raise InputError(f"shapes do not fit: {cosine.shape}, {significant.shape} and {null_corr.shape}")
    kept = np.zeros(cosine.shape, dtype=np.bool_)
    _choose(cosine, significant, null_corr, critical_cosine(level, d_eff), kept)
    return kept


@compiled_parallel
def _choose(cosine: Floats, significant: Bools, null_corr: Floats, least: float, kept: Bools) -> None:
    for row in prange(cosine.shape[0]):
        sets = np.flatnonzero(significant[row])
        if len(sets) > 0:
            order = np.argsort(-np.abs(cosine[row, sets]), kind="mergesort")
            _choose_one(cosine[row], sets[order], null_corr, least, kept[row])


@compiled
def _choose_one(cosine: Floats, sets: NDArray[np.int64], null_corr: Floats, least: float, kept: Bools) -> None:
    """Gram-Schmidt on correlations: row i of ``factor`` is a Cholesky row of the kept sets' null_corr."""
    factor = np.zeros((len(sets), len(sets)))
    scores = np.zeros(len(sets))
    chosen = np.zeros(len(sets), dtype=np.int64)
    n = 0
    for candidate in sets:
        left, residual = 1.0, cosine[candidate]
        for i in range(n):
            shared = null_corr[candidate, chosen[i]]
            for k in range(i):
                shared -= factor[n, k] * factor[i, k]
            factor[n, i] = shared / factor[i, i]
            left -= factor[n, i] ** 2
            residual -= factor[n, i] * scores[i]
        if n > 0:
            if left <= MIN_SINE_SQUARED:
                continue
            same_sign = residual * cosine[candidate] > 0.0
            if not same_sign or abs(residual) <= least * math.sqrt(left):
                continue
        factor[n, n] = math.sqrt(left)
        scores[n] = residual / factor[n, n]
        chosen[n] = candidate
        n += 1
        kept[candidate] = True


_FEATURES_A_BLOCK = 16_384


def non_redundant(
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
        bool ``(n,)``; see :func:`tsea_db.statistics.overlap.distinct_sets`.
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
