"""Ranking, moments and walking in C; see :mod:`tsea_db.kernels.native`."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numpy as np

from tsea_db.kernels.native import aligned_empty, allowed_instructions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsea_db.kernels.native_sets import NativeSets
    from tsea_db.kernels.running_sum import RankedScores


class _SmallTables(ctypes.Structure):
    """``small_tables`` of ``_walk.h``."""

    _fields_ = (
        ("n_sets", ctypes.c_int64),
        ("set_ids", ctypes.c_void_p),
        ("complemented", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("members", ctypes.c_void_p),
        ("n_slots", ctypes.c_int64),
    )


class _LaneTables(ctypes.Structure):
    """``lane_tables`` of ``_walk.h``."""

    _fields_ = (
        ("n_lanes", ctypes.c_int64),
        ("set_ids", ctypes.c_void_p),
        ("complemented", ctypes.c_void_p),
        ("sizes", ctypes.c_void_p),
        ("first_rows", ctypes.c_void_p),
        ("row_of_token", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("columns", ctypes.c_void_p),
    )


class _SetTables(ctypes.Structure):
    """``set_tables`` of ``_walk.h``."""

    _fields_ = (
        ("n_tokens", ctypes.c_int64),
        ("n_sets", ctypes.c_int64),
        ("places", ctypes.c_void_p),
        ("small", _SmallTables),
        ("lanes", _LaneTables),
    )


class _FeatureResults(ctypes.Structure):
    """``feature_results`` of ``_walk.h``."""

    _fields_ = (
        ("n_listed", ctypes.c_int64),
        ("top_ids", ctypes.c_void_p),
        ("bottom_ids", ctypes.c_void_p),
        ("es", ctypes.c_void_p),
        ("peak_rank", ctypes.c_void_p),
        ("hits", ctypes.c_void_p),
    )


class CompiledWalk:
    """Ranks and scores rows in C. One instance serves one thread at a time: it owns the working memory.

    Args:
        library: see :func:`tsea_db.kernels.native.installed_library`.
        sets: the token sets, which instances may share.
        instructions: the highest level to use, by default what the environment allows.
    """

    def __init__(self, library: ctypes.CDLL, sets: NativeSets, instructions: int | None = None) -> None:
        bits = sets.bits
        small = (sets.small_ids, sets.small_complemented, sets.small_offsets, sets.small_members)
        lanes = (sets.lane_ids, sets.lane_complemented, sets.lane_sizes)
        lanes_bits = (
            bits.first_rows,
            bits.row_of_token[1:],
            bits.rows,
            bits.columns,
        )  # places hold the first group's rows
        self._sets = sets  # keeps the arrays alive that the tables point to
        self._tables = _SetTables(
            sets.n_tokens,
            sets.n_sets,
            sets.places.ctypes.data,
            _SmallTables(len(sets.small_ids), *(array.ctypes.data for array in small), sets.n_slots),
            _LaneTables(len(sets.lane_ids), *(array.ctypes.data for array in (*lanes, *lanes_bits))),
        )
        self._memory = aligned_empty(
            library.tsea_workspace_bytes(sets.n_tokens, sets.n_slots, len(sets.lane_ids)), np.uint8
        )
        self._score_rows = library.tsea_score_rows
        self._instructions = allowed_instructions() if instructions is None else instructions

    def score_rows(
        self,
        logit_weights: NDArray[np.float32],
        means: NDArray[np.float64],
        stds: NDArray[np.float64],
        scores: RankedScores,
    ) -> None:
        """Rank and score consecutive rows; releases the GIL.

        Args:
            logit_weights: float32 ``(n, V)``, finite, each row contiguous.
            means: float64 ``(n,)``, means of the rows.
            stds: float64 ``(n,)``, their standard deviations. They only spread the work of sorting evenly.
            scores: where the results go, each array of n contiguous rows.
        """
        results = _FeatureResults(scores.top_ids.shape[1], *(array.ctypes.data for array in scores))
        self._score_rows(
            logit_weights.ctypes.data,
            len(logit_weights),
            logit_weights.strides[0] // logit_weights.itemsize,
            means.ctypes.data,
            stds.ctypes.data,
            ctypes.byref(self._tables),
            ctypes.byref(results),
            self._memory.ctypes.data,
            self._instructions,
        )
