"""Tokens in descending order of logit weight.

The order is total: equal logit weights (-0.0 equals +0.0) are ordered by ascending token id. Scores do not depend on
that, because equal weights count as one step of the running sum; the lists of highest and lowest tokens do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsea_db.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

LISTED_TOKENS = 20
"""How many of the highest and of the lowest tokens are kept with a feature."""

_DIGIT_BITS = 11
_N_DIGITS = 3
_N_BUCKETS = 1 << _DIGIT_BITS


@compiled
def descending_key(bits: np.uint32) -> np.uint32:
    """Map the bits of a finite float32 to an integer that falls as the float rises; -0.0 and +0.0 get one key."""
    if bits == np.uint32(0x80000000):
        bits = np.uint32(0)
    if bits & np.uint32(0x80000000):
        return bits
    return np.uint32(0x7FFFFFFF) - bits


@compiled
def rank_row(
    weight_bits: NDArray[np.uint32], packed: NDArray[np.uint64], spare: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Sort one feature's tokens by descending logit weight, equal weights by ascending token id.

    A radix sort of (32-bit key, token id) pairs, least significant digit first: stable, so that ids stay ascending, and
    independent of how the weights are distributed.

    Args:
        weight_bits: the float32 logit weights of all tokens seen as uint32, ``(V,)``.
        packed: scratch, uint64 ``(V,)``.
        spare: scratch, uint64 ``(V,)``.

    Returns:
        One of the two buffers: ``key << 32 | token id``, ascending, where equal keys are equal weights.
    """
    n_tokens = weight_bits.shape[0]
    starts = np.zeros((_N_DIGITS, _N_BUCKETS), np.int64)
    for token in range(n_tokens):
        key = np.uint64(descending_key(weight_bits[token]))
        packed[token] = (key << np.uint64(32)) | np.uint64(token)
        for digit in range(_N_DIGITS):
            starts[digit, (key >> np.uint64(_DIGIT_BITS * digit)) & np.uint64(_N_BUCKETS - 1)] += 1
    source, target = packed, spare
    for digit in range(_N_DIGITS):
        before = 0
        for bucket in range(_N_BUCKETS):
            count = starts[digit, bucket]
            starts[digit, bucket] = before
            before += count
        shift = np.uint64(32 + _DIGIT_BITS * digit)
        for position in range(n_tokens):
            pair = source[position]
            place = np.int64((pair >> shift) & np.uint64(_N_BUCKETS - 1))
            target[starts[digit, place]] = pair
            starts[digit, place] += 1
        source, target = target, source
    return source


@compiled
def list_extremes(ranked: NDArray[np.uint64], top_ids: NDArray[np.int32], bottom_ids: NDArray[np.int32]) -> None:
    """Read the first tokens of a ranking into ``top_ids`` and the last, lowest first, into ``bottom_ids``."""
    last = ranked.shape[0] - 1
    for place in range(top_ids.shape[0]):
        top_ids[place] = np.int32(ranked[place] & np.uint64(0xFFFFFFFF))
        bottom_ids[place] = np.int32(ranked[last - place] & np.uint64(0xFFFFFFFF))


def order_rows(logit_weights: NDArray[np.float32]) -> NDArray[np.int32]:
    """Token ids by descending logit weight, equal weights by ascending id.

    Args:
        logit_weights: float32 ``(n, V)``, finite.

    Returns:
        int32 ``(n, V)``.
    """
    bits = np.ascontiguousarray(logit_weights, np.float32).view(np.uint32)
    packed, spare = np.empty((2, bits.shape[1]), np.uint64)
    order = np.empty(bits.shape, np.int32)
    for row in range(bits.shape[0]):
        order[row] = (rank_row(bits[row], packed, spare) & np.uint64(0xFFFFFFFF)).astype(np.int32)
    return order
