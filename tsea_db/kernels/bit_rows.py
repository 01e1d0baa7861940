"""Membership as bits: one bit a set, one row a token, for counting the hits of many sets at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsea_db.kernels.set_matrix import WalkedSets

GROUP_SETS = 512
"""Sets whose bits share a row."""

_WORDS = GROUP_SETS // 64
_ALIGNMENT = 64


class BitRows(NamedTuple):
    """The counted side of every set as bits, in groups of 512 sets.

    Many tokens belong to the same sets, so a group keeps each distinct row once: half the memory, more of it in cache.

    Attributes:
        first_rows: int64 ``(n_groups + 1,)``; group ``g`` has rows ``first_rows[g] .. first_rows[g + 1] - 1``, the
            first of them without any bit.
        row_of_token: uint32 ``(n_groups, V)``, counted from the group's first row.
        rows: uint64 ``(n_rows, 8)``; bit ``s % 64`` of word ``s // 64`` belongs to set ``s`` of the group.
        columns: uint8 ``(n_rows * 64,)``, the same bits by bytes, each group transposed: what the walk of one set looks
            up fits the first-level cache.
    """

    first_rows: NDArray[np.int64]
    row_of_token: NDArray[np.uint32]
    rows: NDArray[np.uint64]
    columns: NDArray[np.uint8]

    @classmethod
    def from_walked(cls, walked: WalkedSets) -> BitRows:
        """Pack the counted sides of all sets."""
        n_tokens, n_sets = len(walked.token_offsets) - 1, len(walked.sizes)
        token_of_membership = np.repeat(np.arange(n_tokens), np.diff(walked.token_offsets))
        groups = [
            _distinct_rows(token_of_membership, walked.set_ids - first, n_tokens)
            for first in range(0, n_sets, GROUP_SETS)
        ]
        rows = aligned_empty((sum(len(distinct) for distinct, _ in groups), _WORDS), np.uint64)
        np.concatenate([distinct for distinct, _ in groups] or [rows], out=rows)
        first_rows = np.cumsum([0, *(len(distinct) for distinct, _ in groups)])
        row_of_token = np.array([row for _, row in groups], np.uint32).reshape(-1, n_tokens)
        columns = [distinct.astype("<u8").view(np.uint8).T.ravel() for distinct, _ in groups]
        return cls(first_rows, row_of_token, rows, np.concatenate([*columns, np.empty(0, np.uint8)]))


def aligned_empty(shape: int | tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """An uninitialised array that starts on a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def _distinct_rows(
    tokens: NDArray[np.int64], sets: NDArray[np.int32], n_tokens: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Distinct rows of one group, no bits first, and each token's row; memberships outside the group are left out."""
    inside = (sets >= 0) & (sets < GROUP_SETS)
    bits = np.zeros((n_tokens + 1, _WORDS), np.uint64)  # the last row stays empty, so that there always is one
    words, places = np.divmod(sets[inside], 64)
    np.bitwise_or.at(bits, (tokens[inside], words), np.uint64(1) << places.astype(np.uint64))
    distinct, row_of_token = np.unique(bits, axis=0, return_inverse=True)
    return distinct, row_of_token.reshape(-1)[:-1]
