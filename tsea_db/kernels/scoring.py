"""The single streaming pass: logit weights, moments, listed tokens and enrichment scores of all features.

Memory does not grow with the number of features, and no result depends on the number of threads, on which
other features or sets are scored, or on whether the C form or the numba form does the work.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from tsea_db.errors import InputError, WeightsError
from tsea_db.kernels.compiled_walk import CompiledWalk
from tsea_db.kernels.logit_weights import packed_for
from tsea_db.kernels.moments import inverse_norms, moments_rows
from tsea_db.kernels.native_sets import NativeSets
from tsea_db.kernels.product import TILE_ROWS, PackedUnembedding, TileProduct, check_finite
from tsea_db.kernels.resources import available_memory, in_threads, one_blas_thread, usable_cores
from tsea_db.kernels.running_sum import NumbaWalk, RankedScores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tsea_db.kernels.set_matrix import SetMatrix

_LOG = logging.getLogger(__name__)
_MOMENTS = ("mean", "std", "skewness", "kurtosis", "cosine_variance")


@dataclass(frozen=True, eq=False)
class FeatureBlock:
    """Results of n consecutive features against S sets. T is 20, or V if the vocabulary is smaller.

    Attributes:
        start: index of the first feature.
        zero_direction: bool ``(n,)``; the logit weights are all equal. The other numbers are finite and mean nothing.
        mean, std, skewness, kurtosis, cosine_variance: float64 ``(n,)``; see :mod:`tsea_db.kernels.moments`.
        top_ids: int32 ``(n, T)``, tokens of highest logit weight, highest first.
        top_values: float32 ``(n, T)``, their logit weights.
        bottom_ids: int32 ``(n, T)``, tokens of lowest logit weight, lowest first.
        bottom_values: float32 ``(n, T)``, their logit weights.
        es: float32 ``(n, S)``; this and the next two: see :class:`tsea_db.kernels.running_sum.EnrichmentScores`.
        peak_rank: int32 ``(n, S)``.
        hits: int32 ``(n, S)``.
    """

    start: int
    zero_direction: NDArray[np.bool_]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    skewness: NDArray[np.float64]
    kurtosis: NDArray[np.float64]
    cosine_variance: NDArray[np.float64]
    top_ids: NDArray[np.int32]
    top_values: NDArray[np.float32]
    bottom_ids: NDArray[np.int32]
    bottom_values: NDArray[np.float32]
    es: NDArray[np.float32]
    peak_rank: NDArray[np.int32]
    hits: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.mean)


def score_features(
    directions: NDArray[np.float32],
    unembedding: NDArray[np.float32] | PackedUnembedding,
    sets: SetMatrix,
    *,
    unembedding_norms: NDArray[np.float64] | None = None,
    threads: int | None = None,
) -> Iterator[FeatureBlock]:
    """Score every feature against every set, a block of TILE_ROWS features at a time.

    Each thread takes a block through all stages, so that products, sorting and walking overlap. Memory is
    :func:`bytes_per_thread` for each thread; where the machine has less to spare, fewer threads are used, which the log
    tells.

    Args:
        directions: D, decoder directions mapped to the residual stream, float32 ``(n, d_model)``, may be memory-mapped.
        unembedding: U, float32 ``(d_model, V)``; pass it packed if there will be other passes.
        sets: token sets over the V tokens.
        unembedding_norms: what cosines divide by, float64 ``(V,)``, by default the norms of U's columns.
        threads: how many threads to use, by default one for each usable core.

    Yields:
        Blocks in order of feature.

    Raises:
        WeightsError: shapes do not fit, or NaN or infinity in D (found when its block is reached), U or the product.
        InputError: the sets are over another vocabulary, or the number of threads is not positive.
    """
    packed = packed_for(directions, unembedding)
    if sets.n_tokens != packed.n_tokens:
        raise InputError(
            f"The token sets are over {sets.n_tokens} tokens but the unembedding has {packed.n_tokens} columns: "
            "build the sets from this model's tokenizer."
        )
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}; it needs to be at least 1.")
    norms = packed.norms if unembedding_norms is None else unembedding_norms
    threads = _affordable_threads(threads or usable_cores(), len(directions), sets)
    return _score_in_threads(directions, _make_workers(packed, inverse_norms(norms), sets, threads))


def bytes_per_thread(sets: SetMatrix) -> int:
    """Memory that a thread needs: a tile of logit weights, sorting and counting of one row, two blocks of results."""
    return sets.n_tokens * (4 * TILE_ROWS + 64 + sets.n_sets // 64) + 2 * TILE_ROWS * 12 * sets.n_sets


def _affordable_threads(wanted: int, n_features: int, sets: SetMatrix) -> int:
    wanted = max(1, min(wanted, -(-n_features // TILE_ROWS)))
    spare = available_memory()
    if spare is None:
        return wanted
    affordable = max(1, spare // 2 // bytes_per_thread(sets))
    if affordable < wanted:
        _tell_fewer_threads(affordable, wanted, bytes_per_thread(sets) >> 20)
    return min(wanted, affordable)


@cache
def _tell_fewer_threads(affordable: int, wanted: int, needed_mb: int) -> None:
    """Say so once: an ingest makes a pass for every SAE."""
    _LOG.warning(
        "Memory is short: scoring on %d threads instead of %d, each of which needs %d MB.",
        affordable,
        wanted,
        needed_mb,
    )


class _Worker:
    """Takes blocks of features through all stages. One instance serves one thread at a time: it owns the memory."""

    def __init__(
        self,
        product: TileProduct,
        walk: CompiledWalk | NumbaWalk,
        inverse_column_norms: NDArray[np.float64],
        sets: SetMatrix,
    ) -> None:
        self._product = product
        self._walk = walk
        self._inverse_column_norms = inverse_column_norms
        self._sets = sets

    def score(self, directions: NDArray[np.float32], start: int) -> FeatureBlock:
        """Score the directions of one block; ``start`` is the index of the first."""
        check_finite(directions, "The decoder", start)
        logit_weights = self._product(directions)
        numbers, zero_direction = np.empty((len(directions), 5)), np.empty(len(directions), np.bool_)
        moments_rows(logit_weights, self._inverse_column_norms, numbers, zero_direction)
        _finish_moments(numbers, directions, start)
        moments = dict(zip(_MOMENTS, np.ascontiguousarray(numbers.T), strict=True))
        scores = RankedScores.empty(len(directions), self._sets)
        self._walk.score_rows(logit_weights, moments["mean"], moments["std"], scores)
        return FeatureBlock(
            start=start,
            zero_direction=zero_direction,
            **moments,
            **scores._asdict(),
            top_values=np.take_along_axis(logit_weights, scores.top_ids, axis=1),
            bottom_values=np.take_along_axis(logit_weights, scores.bottom_ids, axis=1),
        )


def _make_workers(
    unembedding: PackedUnembedding, inverse_column_norms: NDArray[np.float64], sets: SetMatrix, threads: int
) -> list[_Worker]:
    library = unembedding.library
    native_sets = NativeSets.from_matrix(sets) if library else None
    return [
        _Worker(
            TileProduct(unembedding),
            CompiledWalk(library, native_sets) if library and native_sets else NumbaWalk(sets),
            inverse_column_norms,
            sets,
        )
        for _ in range(threads)
    ]


def _score_in_threads(directions: NDArray[np.float32], workers: list[_Worker]) -> Iterator[FeatureBlock]:
    """Hand out blocks to the workers and yield the results in order."""
    idle: SimpleQueue[_Worker] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def score(start: int) -> FeatureBlock:
        worker = idle.get()
        try:
            return worker.score(directions[start : start + TILE_ROWS], start)
        finally:
            idle.put(worker)

    with one_blas_thread():  # numpy's product, where the C library does not make it, keeps its bits with one
        yield from in_threads(score, range(0, len(directions), TILE_ROWS), len(workers))


def _finish_moments(numbers: NDArray[np.float64], rows: NDArray[np.float32], start: int) -> None:
    """Scale the cosine variance by the directions' norms and refuse products that overflowed float32."""
    overflowed = ~np.isfinite(numbers[:, 0])
    if overflowed.any():
        row = start + int(np.argmax(overflowed))
        raise WeightsError(f"The logit weights of row {row} of the decoder overflow float32: scale the weights down.")
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    numbers[:, 4] *= inverse_norms(norms) ** 2
