"""Logit weights ``L = D @ U`` of features, a tile at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsea_db.errors import WeightsError
from tsea_db.kernels.product import TILE_ROWS, PackedUnembedding, TileProduct
from tsea_db.kernels.resources import one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


def check_factors(directions: NDArray[np.float32], unembedding: NDArray[np.float32]) -> None:
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


def packed_for(
    directions: NDArray[np.float32], unembedding: NDArray[np.float32] | PackedUnembedding
) -> PackedUnembedding:
    """The unembedding ready to be multiplied with some directions; packs it if that has not been done.

    Raises:
        WeightsError: shapes or types do not fit, or the unembedding has NaN or infinity.
    """
    if isinstance(unembedding, PackedUnembedding):
        check_factors(directions, unembedding.matrix)
        return unembedding
    check_factors(directions, unembedding)
    return PackedUnembedding.pack(unembedding)


def logit_weight_tiles(
    directions: NDArray[np.float32], unembedding: NDArray[np.float32] | PackedUnembedding
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Stream ``D @ U`` in tiles of features.

    Args:
        directions: D, float32 ``(n, d_model)``, may be memory-mapped.
        unembedding: U, float32 ``(d_model, V)``.

    Yields:
        The first feature of the tile and its logit weights, float32 ``(rows, V)``. The next tile reuses the array.

    Raises:
        WeightsError: shapes or types do not fit, or U has NaN or infinity.
    """
    product = TileProduct(packed_for(directions, unembedding))
    with one_blas_thread():  # numpy's product, where the C library does not make it, keeps its bits with one
        for start in range(0, len(directions), TILE_ROWS):
            yield start, product(directions[start : start + TILE_ROWS])


def multiply(rows: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """The whole product of rows ``(n, k)`` with a matrix ``(k, m)``, float32 ``(n, m)``, with the bits of the tiles."""
    product = np.empty((len(rows), matrix.shape[1]), np.float32)
    for start, tile in logit_weight_tiles(rows, matrix):
        product[start : start + len(tile)] = tile
    return product
