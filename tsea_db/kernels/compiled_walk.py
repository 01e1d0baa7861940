"""The C form of ranking and walking: several times faster than the numba form, with the same results.

It is an optional part of the package (``_walk.c``), built where a C compiler is at hand, and picks its instructions by
what the processor has. Set the environment variable TSEA_DB_NO_EXTENSION=1 to go without it.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tsea_db.kernels.bit_rows import aligned_empty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsea_db.kernels.running_sum import RankedScores
    from tsea_db.kernels.set_matrix import SetMatrix

BEST_INSTRUCTIONS = 2
"""Levels of instructions: 0 plain C, 1 AVX2, 2 AVX-512. The processor's own is used if it is lower."""


class _SetTables(ctypes.Structure):
    """``set_tables`` of ``_walk.c``."""

    _fields_ = (
        ("n_tokens", ctypes.c_int64),
        ("n_sets", ctypes.c_int64),
        ("sizes", ctypes.c_void_p),
        ("complemented", ctypes.c_void_p),
        ("first_rows", ctypes.c_void_p),
        ("row_of_token", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("columns", ctypes.c_void_p),
    )


class _FeatureResults(ctypes.Structure):
    """``feature_results`` of ``_walk.c``."""

    _fields_ = (
        ("n_listed", ctypes.c_int64),
        ("top_ids", ctypes.c_void_p),
        ("bottom_ids", ctypes.c_void_p),
        ("es", ctypes.c_void_p),
        ("peak_rank", ctypes.c_void_p),
        ("hits", ctypes.c_void_p),
    )


def open_library(path: Path) -> ctypes.CDLL:
    """Open a build of ``_walk.c`` and declare its functions."""
    library = ctypes.CDLL(str(path))
    library.tsea_workspace_bytes.restype = ctypes.c_int64
    library.tsea_workspace_bytes.argtypes = [ctypes.c_int64, ctypes.c_int64]
    library.tsea_score_rows.restype = None
    library.tsea_score_rows.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.POINTER(_SetTables),
        ctypes.POINTER(_FeatureResults),
        ctypes.c_void_p,
        ctypes.c_int32,
    ]
    return library


@cache
def _installed_library() -> ctypes.CDLL | None:
    folder = Path(__file__).parent
    built = [folder / f"_walk{suffix}" for suffix in EXTENSION_SUFFIXES if (folder / f"_walk{suffix}").exists()]
    return open_library(built[0]) if built else None


def installed_library() -> ctypes.CDLL | None:
    """The library that was built with the package; None if there is none or TSEA_DB_NO_EXTENSION is set."""
    return None if os.environ.get("TSEA_DB_NO_EXTENSION") else _installed_library()


class CompiledWalk:
    """Ranks and scores rows in C. One instance serves one thread at a time: it owns the working memory.

    Args:
        library: see :func:`installed_library`.
        sets: the token sets.
        instructions: the highest level to use.
    """

    def __init__(self, library: ctypes.CDLL, sets: SetMatrix, instructions: int = BEST_INSTRUCTIONS) -> None:
        walked, rows = sets.walked, sets.bit_rows
        self._arrays = (walked.sizes, walked.complemented, rows.first_rows, rows.row_of_token, rows.rows, rows.columns)
        self._tables = _SetTables(sets.n_tokens, sets.n_sets, *(array.ctypes.data for array in self._arrays))
        self._memory = aligned_empty(library.tsea_workspace_bytes(sets.n_tokens, sets.n_sets), np.uint8)
        self._score_rows = library.tsea_score_rows
        self._instructions = instructions

    def score_rows(
        self,
        logit_weights: NDArray[np.float32],
        means: NDArray[np.float64],
        stds: NDArray[np.float64],
        scores: RankedScores,
    ) -> None:
        """Rank and score consecutive rows; releases the GIL.

        Args:
            logit_weights: float32 ``(n, V)``, finite, contiguous.
            means: float64 ``(n,)``, means of the rows.
            stds: float64 ``(n,)``, their standard deviations. They only spread the work of sorting evenly.
            scores: where the results go, each array of n contiguous rows.
        """
        results = _FeatureResults(scores.top_ids.shape[1], *(array.ctypes.data for array in scores))
        self._score_rows(
            logit_weights.ctypes.data,
            len(logit_weights),
            means.ctypes.data,
            stds.ctypes.data,
            self._tables,
            results,
            self._memory.ctypes.data,
            self._instructions,
        )
