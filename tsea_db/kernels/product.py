"""The product of directions with one unembedding, a tile at a time.

In C each logit weight is one chain of fused multiply-adds in order of d_model, so that its bits depend on its direction
and its column alone: not on its place in a tile, the number of threads, the processor or its instructions. Without the
C library numpy multiplies, and the last bits are those of its BLAS; see :class:`TileProduct`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from tsea_db.errors import WeightsError
from tsea_db.kernels.native import aligned_empty, allowed_instructions, installed_library

if TYPE_CHECKING:
    import ctypes

    from numpy.typing import NDArray

TILE_ROWS = 120
"""Directions in one product. The unembedding is read once for each tile, so that more cost less time, but memory for
each thread; measured to be even from about here. A multiple of ``ROWS_MULTIPLE`` of ``_product.c``."""

_PANEL = 32
_WIDTH_MULTIPLE = 64
_CHECKED_ROWS = 512


@dataclass(frozen=True, eq=False)
class PackedUnembedding:
    """An unembedding laid out for the product: made once, shared by all threads and passes.

    Attributes:
        matrix: U, float32 ``(d_model, V)``.
        norms: Euclidean norms of its columns, float64 ``(V,)``.
        panels: 32 columns after another, float32 ``(ceil(V / 32), d_model, 32)``, for the C library; without it U with
            rows of zeros up to a multiple of 64.
        library: the C library, if it multiplies.
    """

    matrix: NDArray[np.float32]
    norms: NDArray[np.float64]
    panels: NDArray[np.float32]
    library: ctypes.CDLL | None

    @classmethod
    def pack(cls, unembedding: NDArray[np.float32]) -> Self:
        """Check an unembedding and lay it out; takes as much memory again as the unembedding itself.

        Raises:
            WeightsError: it is no float32 matrix, is empty, or has NaN or infinity.
        """
        if unembedding.ndim != 2 or unembedding.size == 0:
            raise WeightsError(f"The unembedding of shape {unembedding.shape} is empty or no matrix (d_model, V).")
        if unembedding.dtype != np.float32:
            raise WeightsError(f"Logit weights are float32 products; got a {unembedding.dtype} unembedding.")
        check_finite(unembedding, "The unembedding")
        library = installed_library()
        panels = _panels(library, unembedding) if library else _filled_up(unembedding)
        return cls(unembedding, column_norms(unembedding), panels, library)

    @property
    def product_name(self) -> str:
        """How it is multiplied: ``fused`` (chains of fused multiply-adds) or ``blas`` (numpy's product)."""
        return "fused" if self.library else "blas"

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.matrix.shape[0])

    @property
    def n_tokens(self) -> int:
        """Number of tokens, V."""
        return int(self.matrix.shape[1])


class TileProduct:
    """Multiplies tiles of directions with one unembedding. One instance serves one thread: it owns the memory.

    Without the C library the tile is always multiplied in full, filled up with zeros, because BLAS picks its routine by
    the shape of the factors and another routine gives other last bits. A direction's bits can still depend on its place
    in the tile and on the processor; keep BLAS to one thread, and they depend on nothing else.
    """

    def __init__(self, unembedding: PackedUnembedding) -> None:
        self._unembedding = unembedding
        self._instructions = allowed_instructions()
        columns = -(-unembedding.n_tokens // _PANEL) * _PANEL if unembedding.library else unembedding.n_tokens
        width = unembedding.d_model if unembedding.library else len(unembedding.panels)
        self._product = aligned_empty((TILE_ROWS, columns), np.float32)
        self._tile = aligned_empty((TILE_ROWS, width), np.float32)  # the directions, laid out for the product
        self._tile[:] = 0.0

    def __call__(self, directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logit weights of at most TILE_ROWS directions ``(n, d_model)``: float32 ``(n, V)``, overwritten next time."""
        if self._unembedding.library:
            self._multiply(self._unembedding.library, np.ascontiguousarray(directions))
        else:
            self._matmul(directions)
        return self._product[: len(directions), : self._unembedding.n_tokens]

    def _multiply(self, library: ctypes.CDLL, directions: NDArray[np.float32]) -> None:
        library.tsea_multiply(
            directions.ctypes.data,
            len(directions),
            self._unembedding.panels.ctypes.data,
            self._unembedding.d_model,
            self._unembedding.n_tokens,
            self._tile.ctypes.data,
            self._product.ctypes.data,
            self._instructions,
        )

    def _matmul(self, directions: NDArray[np.float32]) -> None:
        self._tile[: len(directions), : self._unembedding.d_model] = directions
        self._tile[len(directions) :] = 0.0
        with np.errstate(over="ignore", invalid="ignore"):  # overflow is noticed, with its row, in the moments
            np.matmul(self._tile, self._unembedding.panels, out=self._product)


def check_finite(matrix: NDArray[np.float32], name: str, first_row: int = 0) -> None:
    """Refuse a matrix with NaN or infinity in it, reading it once in slices.

    Args:
        matrix: float32, two-dimensional, may be memory-mapped.
        name: what to call it in the message.
        first_row: the number of the matrix's first row, if it is a part of a larger one.

    Raises:
        WeightsError: names the first bad row.
    """
    for start in range(0, len(matrix), _CHECKED_ROWS):
        finite = np.isfinite(matrix[start : start + _CHECKED_ROWS]).all(axis=1)
        if not finite.all():
            row = first_row + start + int(np.argmin(finite))
            raise WeightsError(f"{name} has NaN or infinity in row {row}: the file is damaged or training diverged.")


def column_norms(unembedding: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean norm of each column of the unembedding, float64 ``(V,)``, summed in float64."""
    squares = np.zeros(unembedding.shape[1])
    for row in unembedding:
        squares += np.square(row, dtype=np.float64)
    return np.sqrt(squares)


def _panels(library: ctypes.CDLL, unembedding: NDArray[np.float32]) -> NDArray[np.float32]:
    d_model, n_tokens = unembedding.shape
    panels: NDArray[np.float32] = aligned_empty((-(-n_tokens // _PANEL), d_model, _PANEL), np.float32)
    rows = np.ascontiguousarray(unembedding)
    library.tsea_pack(rows.ctypes.data, d_model, n_tokens, panels.ctypes.data)
    return panels


def _filled_up(unembedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """The unembedding with rows of zeros up to a multiple of 64: else OpenBLAS sums in other pieces (seen at 770)."""
    missing = -len(unembedding) % _WIDTH_MULTIPLE
    if not missing:
        return unembedding
    return np.concatenate([unembedding, np.zeros((missing, unembedding.shape[1]), np.float32)])
