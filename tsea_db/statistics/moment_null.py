"""What the moments of a feature's logit weights look like for random directions through the same unembedding.

Feature classes compare a feature with these quantiles, since the kurtosis of a random direction differs
between unembeddings and ``d_eff * cosine_variance`` is 1 for all of them only on average.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsea_db.errors import InputError
from tsea_db.kernels.logit_weights import logit_weight_tiles
from tsea_db.kernels.moments import Moments, moments
from tsea_db.kernels.product import TILE_ROWS, PackedUnembedding

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = NDArray[np.float64]

# The last is the one that feature classes use, the first its mirror image for skewness.
SHARES = (0.001, 0.01, 0.05, 0.5, 0.95, 0.99, 0.999)

_DRAWN_ROWS = 4 * TILE_ROWS

# With fewer draws the 0.999 quantile is the largest draw.
MIN_DRAWS = 2000


@dataclass(frozen=True)
class MomentNull:
    """Quantiles over random directions at the shares `SHARES`, each of length 7.

    Attributes:
        n_draws: Random directions.
        kurtosis: Not excess: 3 for a normal.
        skewness: Of either sign.
        cos_var_ratio: ``d_eff * cosine_variance``, near 1.

    """

    n_draws: int
    kurtosis: Floats
    skewness: Floats
    cos_var_ratio: Floats


def moment_null(kurtosis: Floats, skewness: Floats, cosine_variance: Floats, d_eff: int) -> MomentNull:
    """Summarise the moments of random directions (n_draws each).

    Raises:
        InputError: with fewer than 2,000 draws, arrays of different lengths, or values that are not finite.

    """
    draws = [np.asarray(values, dtype=np.float64) for values in (kurtosis, skewness, d_eff * cosine_variance)]
    n_draws = len(draws[0])
    if n_draws < MIN_DRAWS:
        raise InputError(f"{n_draws} random directions do not show a 0.999 quantile: draw {MIN_DRAWS} or more")
    if any(len(values) != n_draws for values in draws):
        raise InputError("each random direction must have all three moments")
    if not all(np.all(np.isfinite(values)) for values in draws):
        raise InputError("a random direction has moments that are not finite: is the unembedding constant?")
    return MomentNull(n_draws, *(np.quantile(values, SHARES) for values in draws))


def moments_of_directions(
    n: int,
    draw: Callable[[int, int], NDArray[np.float32]],
    unembedding: PackedUnembedding,
    threads: int,
    progress: Callable[[int], object],
) -> tuple[Floats, Floats, Floats]:
    """Return kurtosis, skewness and cosine variance of n unit directions, a block at a time.

    No token is ranked, so that it costs little more than the product with the unembedding.

    Args:
        n: Directions.
        draw: Returns directions ``start`` to ``start + count``, float32, from ``(start, count)``.
        unembedding: What they are multiplied with.
        threads: Threads for the moments; no result depends on it.
        progress: Told the number of directions of each block done.

    """
    found = np.empty((3, n))
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, n, _DRAWN_ROWS):
            rows = draw(start, min(_DRAWN_ROWS, n - start))
            for first, weights in logit_weight_tiles(rows, unembedding):
                done = _in_parts(weights, unembedding.norms, pool, threads)
                span = slice(start + first, start + first + len(weights))
                found[0, span] = np.concatenate([part.kurtosis for part in done])
                found[1, span] = np.concatenate([part.skewness for part in done])
                found[2, span] = np.concatenate([part.cosine_variance for part in done])
                progress(len(weights))
    return found[0], found[1], found[2]


def _in_parts(
    weights: NDArray[np.float32], column_norms: Floats, pool: ThreadPoolExecutor, threads: int
) -> list[Moments]:
    parts = np.array_split(weights, min(threads, len(weights)))
    jobs = [pool.submit(moments, part, np.ones(len(part)), column_norms) for part in parts]
    return [job.result() for job in jobs]
