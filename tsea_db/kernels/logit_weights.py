"""Logit weights ``L = D @ U`` of features, a block at a time.

The product is always made in tiles of TILE_ROWS directions, the last one filled up with zeros: BLAS picks its routine
by the shape of the factors, and another routine gives other last bits. So a feature's logit weights do not depend on
how many features are asked for at once, nor on which others are in the block. A width that is no multiple of 64 is
filled up with zeros too: elsewhere OpenBLAS cuts the sum over d_model into other pieces with one thread than with
several (seen at 770). So the number of threads changes no bit either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsea_db.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

TILE_ROWS = 256
"""Directions in one product. Changing it may change last bits of logit weights."""

_WIDTH_MULTIPLE = 64
_CHECKED_ROWS = 512


def refuse_non_finite(matrix: NDArray[np.float32], name: str, first_row: int = 0) -> None:
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


def refuse_mismatch(directions: NDArray[np.float32], unembedding: NDArray[np.float32]) -> None:
    """Refuse matrices that cannot be multiplied.

    Raises:
        WeightsError: they are not two float32 matrices ``(n, d_model)`` and ``(d_model, V)``, or the latter is empty.
    """
    if directions.ndim != 2 or unembedding.ndim != 2 or directions.shape[1] != unembedding.shape[0]:
        raise WeightsError(
            f"Directions of shape {directions.shape} do not fit an unembedding of shape {unembedding.shape}: "
            "they need (n, d_model) and (d_model, V)."
        )
    if directions.dtype != np.float32 or unembedding.dtype != np.float32:
        raise WeightsError(
            f"Logit weights are float32 products; got {directions.dtype} directions and "
            f"a {unembedding.dtype} unembedding."
        )
    if unembedding.size == 0:
        raise WeightsError(f"The unembedding of shape {unembedding.shape} is empty.")


def column_norms(unembedding: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean norm of each column of the unembedding, float64 ``(V,)``, summed in float64."""
    squares = np.zeros(unembedding.shape[1])
    for row in unembedding:
        squares += np.square(row, dtype=np.float64)
    return np.sqrt(squares)


class TileProduct:
    """Multiplies tiles of directions with one unembedding. One instance serves one thread at a time.

    Args:
        unembedding: U, float32 ``(d_model, V)``.
        filled_up: :func:`filled_up` of it, which instances may share.
    """

    def __init__(self, unembedding: NDArray[np.float32], filled_up: NDArray[np.float32]) -> None:
        self._d_model = len(unembedding)
        self._unembedding = filled_up
        self._tile = np.zeros((TILE_ROWS, len(filled_up)), np.float32)
        self._product = np.empty((TILE_ROWS, unembedding.shape[1]), np.float32)

    def __call__(self, directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logit weights of at most TILE_ROWS directions ``(n, d_model)``: float32 ``(n, V)``, overwritten next time."""
        self._tile[: len(directions), : self._d_model] = directions
        self._tile[len(directions) :] = 0.0
        with np.errstate(over="ignore", invalid="ignore"):  # overflow is noticed, with its row, in the moments
            np.matmul(self._tile, self._unembedding, out=self._product)
        return self._product[: len(directions)]


def filled_up(unembedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """The unembedding with rows of zeros up to a multiple of 64; itself if its width is one already."""
    missing = -len(unembedding) % _WIDTH_MULTIPLE
    if not missing:
        return unembedding
    return np.concatenate([unembedding, np.zeros((missing, unembedding.shape[1]), np.float32)])


def logit_weight_tiles(
    directions: NDArray[np.float32], unembedding: NDArray[np.float32]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Stream ``D @ U`` in tiles of features.

    Args:
        directions: D, float32 ``(n, d_model)``, may be memory-mapped.
        unembedding: U, float32 ``(d_model, V)``.

    Yields:
        The first feature of the tile and its logit weights, float32 ``(rows, V)``. The next tile reuses the array.

    Raises:
        WeightsError: shapes or types do not fit.
    """
    refuse_mismatch(directions, unembedding)
    product = TileProduct(unembedding, filled_up(unembedding))
    for start in range(0, len(directions), TILE_ROWS):
        yield start, product(directions[start : start + TILE_ROWS])
