"""Token sets as the C library reads them: small ones by their members, the others as rows of bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from tsea_db.kernels.native import aligned_empty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsea_db.kernels.set_matrix import SetMatrix

SMALL_SET = 128
"""Largest set that counts as small, in any vocabulary; mirrors ``_walk.h``."""

_TOKENS_TO_A_MEMBER = 400
"""Comparing all pairs of k members takes k^2 steps, counting blocks of ranks V: measured to be even about here."""

GROUP_SETS = 256
"""Sets whose bits share a row."""

_WORDS = GROUP_SETS // 64


class BitRows(NamedTuple):
    """The counted side of some sets as bits, in groups of 256 sets.

    Many tokens belong to the same sets, so a group keeps each distinct row once: half the memory, more of it in cache.

    Attributes:
        first_rows: int64 ``(n_groups + 1,)``; group ``g`` has rows ``first_rows[g] .. first_rows[g + 1] - 1``, the
            first of them without any bit.
        row_of_token: uint32 ``(n_groups, V)``, counted from the group's first row; at least one group.
        rows: uint64 ``(n_rows, 4)``; bit ``s % 64`` of word ``s // 64`` belongs to set ``s`` of the group.
        columns: uint8 ``(n_rows * 32,)``, the same bits by bytes, each group transposed: what the walk of one set looks
            up fits the first-level cache.
    """

    first_rows: NDArray[np.int64]
    row_of_token: NDArray[np.uint32]
    rows: NDArray[np.uint64]
    columns: NDArray[np.uint8]

    @classmethod
    def from_members(cls, tokens: NDArray[np.int32], sets: NDArray[np.int64], n_sets: int, n_tokens: int) -> Self:
        """Pack the memberships ``tokens[i]`` in ``sets[i]`` of ``n_sets`` sets."""
        groups = [_distinct_rows(tokens, sets - first, n_tokens) for first in range(0, max(1, n_sets), GROUP_SETS)]
        rows = aligned_empty((sum(len(distinct) for distinct, _ in groups), _WORDS), np.uint64)
        np.concatenate([distinct for distinct, _ in groups], out=rows)
        first_rows = np.cumsum([0, *(len(distinct) for distinct, _ in groups)])
        row_of_token = np.array([row for _, row in groups], np.uint32)
        columns = [distinct.astype("<u8").view(np.uint8).T.ravel() for distinct, _ in groups]
        return cls(first_rows, row_of_token, rows, np.concatenate(columns))


@dataclass(frozen=True, eq=False)
class NativeSets:
    """All token sets, split by the size of their counted side (see :class:`tsea_db.kernels.set_matrix.WalkedSets`).

    Attributes:
        n_tokens: V.
        n_sets: number of sets, small ones included.
        small_ids: int64 ``(n_small,)``, places of the small sets among all; sets that cannot be scored are among them.
        small_complemented: bool ``(n_small,)``, True where the counted side is the complement.
        small_offsets: int64 ``(n_small + 1,)``.
        small_members: uint32; small set ``i`` counts the tokens of slots
            ``small_members[small_offsets[i]:small_offsets[i + 1]]``.
        n_slots: number of slots. Tokens of small sets have a slot each, from 1; all others share slot 0.
        places: uint32 ``(V, 2)``; each token's row in the first group of ``bits``, and its slot.
        lane_ids: int64 ``(n_lanes,)``, places of the other sets among all.
        lane_complemented: bool ``(n_lanes,)``.
        lane_sizes: int64 ``(n_lanes,)``, members of their counted sides.
        bits: those members.
    """

    n_tokens: int
    n_sets: int
    small_ids: NDArray[np.int64]
    small_complemented: NDArray[np.bool_]
    small_offsets: NDArray[np.int64]
    small_members: NDArray[np.uint32]
    n_slots: int
    places: NDArray[np.uint32]
    lane_ids: NDArray[np.int64]
    lane_complemented: NDArray[np.bool_]
    lane_sizes: NDArray[np.int64]
    bits: BitRows

    @classmethod
    def from_matrix(cls, sets: SetMatrix) -> NativeSets:
        """Split and pack sets."""
        walked = sets.walked
        tokens = np.repeat(np.arange(sets.n_tokens, dtype=np.int32), np.diff(walked.token_offsets))
        by_set = np.argsort(walked.set_ids, kind="stable")
        tokens, set_ids = tokens[by_set], walked.set_ids[by_set]
        small = walked.sizes <= min(SMALL_SET, sets.n_tokens // _TOKENS_TO_A_MEMBER)
        small_ids, lane_ids = np.flatnonzero(small), np.flatnonzero(~small)
        lane_of_set = np.cumsum(~small) - 1
        in_lane = ~small[set_ids]
        small_tokens, slots = np.unique(tokens[~in_lane], return_inverse=True)
        bits = BitRows.from_members(tokens[in_lane], lane_of_set[set_ids[in_lane]], len(lane_ids), sets.n_tokens)
        places = np.zeros((sets.n_tokens, 2), np.uint32)
        places[:, 0] = bits.row_of_token[0]
        places[small_tokens, 1] = np.arange(1, len(small_tokens) + 1)
        return cls(
            n_tokens=sets.n_tokens,
            n_sets=sets.n_sets,
            small_ids=small_ids,
            small_complemented=walked.complemented[small],
            small_offsets=np.cumsum([0, *walked.sizes[small]]),
            small_members=(slots + 1).astype(np.uint32),
            n_slots=len(small_tokens) + 1,
            places=places,
            lane_ids=lane_ids,
            lane_complemented=walked.complemented[~small],
            lane_sizes=walked.sizes[~small],
            bits=bits,
        )


def _distinct_rows(
    tokens: NDArray[np.int32], sets: NDArray[np.int64], n_tokens: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Distinct rows of one group, no bits first, and each token's row; memberships outside the group are left out."""
    inside = (sets >= 0) & (sets < GROUP_SETS)
    bits = np.zeros((n_tokens + 1, _WORDS), np.uint64)  # the last row stays empty, so that there always is one
    words, places = np.divmod(sets[inside], 64)
    np.bitwise_or.at(bits, (tokens[inside], words), np.uint64(1) << places.astype(np.uint64))
    distinct, row_of_token = np.unique(bits, axis=0, return_inverse=True)
    return distinct, row_of_token.reshape(-1)[:-1]
