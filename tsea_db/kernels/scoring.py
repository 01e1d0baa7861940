"""The single streaming pass: logit weights, moments, listed tokens and enrichment scores of all features.

Memory does not grow with the number of features, and no result depends on the block size, the number of threads or
which other sets are scored.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsea_db.errors import InputError, WeightsError
from tsea_db.kernels.logit_weights import (
    TILE_ROWS,
    column_norms,
    logit_weight_blocks,
    refuse_mismatch,
    refuse_non_finite,
)
from tsea_db.kernels.moments import Moments, inverse_norms, moments_row
from tsea_db.kernels.ranking import LISTED_TOKENS, list_extremes, rank_row, ranking_scratch
from tsea_db.kernels.running_sum import EnrichmentScores, walk_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tsea_db.kernels.set_matrix import SetMatrix

_ROWS_PER_JOB = 8


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

    @classmethod
    def empty(cls, start: int, n_rows: int, n_listed: int, n_sets: int) -> FeatureBlock:
        """A block with room for its results, not yet filled in."""
        listed, scored = (n_rows, n_listed), (n_rows, n_sets)
        return cls(
            start,
            *Moments.empty(n_rows),
            top_ids=np.empty(listed, np.int32),
            top_values=np.empty(listed, np.float32),
            bottom_ids=np.empty(listed, np.int32),
            bottom_values=np.empty(listed, np.float32),
            es=np.empty(scored, np.float32),
            peak_rank=np.empty(scored, np.int32),
            hits=np.empty(scored, np.int32),
        )

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def scores(self) -> EnrichmentScores:
        """The enrichment scores of the block's features."""
        return EnrichmentScores(self.es, self.peak_rank, self.hits)


def score_features(
    directions: NDArray[np.float32],
    unembedding: NDArray[np.float32],
    sets: SetMatrix,
    *,
    block_rows: int = TILE_ROWS,
    unembedding_norms: NDArray[np.float64] | None = None,
    threads: int | None = None,
) -> Iterator[FeatureBlock]:
    """Score every feature against every set, a block of features at a time.

    Args:
        directions: D, decoder directions mapped to the residual stream, float32 ``(n, d_model)``, may be memory-mapped.
        unembedding: U, float32 ``(d_model, V)``.
        sets: token sets over the V tokens.
        block_rows: features to a block, rounded up to whole tiles of the matrix product.
        unembedding_norms: norms of U's columns, float64 ``(V,)``, if known already.
        threads: how many threads rank and walk, by default one for each usable core. BLAS has its own setting.

    Yields:
        Blocks in order of feature.

    Raises:
        WeightsError: shapes do not fit, or NaN or infinity in D (found when its block is reached), U or the product.
        InputError: the sets are over another vocabulary, or the number of threads is not positive.
    """
    refuse_mismatch(directions, unembedding)
    if sets.n_tokens != unembedding.shape[1]:
        raise InputError(
            f"The token sets are over {sets.n_tokens} tokens but the unembedding has {unembedding.shape[1]} columns: "
            "build the sets from this model's tokenizer."
        )
    threads = usable_cores() if threads is None else threads
    if threads < 1:
        raise InputError(f"threads is {threads}; it needs to be at least 1.")
    refuse_non_finite(unembedding, "The unembedding")
    norms = column_norms(unembedding) if unembedding_norms is None else unembedding_norms
    return _score_blocks(
        directions,
        unembedding,
        sets,
        block_rows=block_rows,
        inverse_column_norms=inverse_norms(norms),
        threads=threads,
    )


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _score_blocks(
    directions: NDArray[np.float32],
    unembedding: NDArray[np.float32],
    sets: SetMatrix,
    *,
    block_rows: int,
    inverse_column_norms: NDArray[np.float64],
    threads: int,
) -> Iterator[FeatureBlock]:
    n_listed = min(LISTED_TOKENS, sets.n_tokens)
    with ThreadPoolExecutor(threads) as pool:
        for start, logit_weights in logit_weight_blocks(directions, unembedding, block_rows):
            rows = directions[start : start + len(logit_weights)]
            refuse_non_finite(rows, "The decoder", start)
            block = FeatureBlock.empty(start, len(rows), n_listed, sets.n_sets)
            jobs = [
                pool.submit(_score_rows, first, logit_weights, inverse_column_norms, sets, block)
                for first in range(0, len(rows), _ROWS_PER_JOB)
            ]
            for job in jobs:
                job.result()
            _finish_moments(block, rows)
            yield block


def _score_rows(
    first: int,
    logit_weights: NDArray[np.float32],
    inverse_column_norms: NDArray[np.float64],
    sets: SetMatrix,
    block: FeatureBlock,
) -> None:
    """Fill in rows ``first .. first + _ROWS_PER_JOB - 1`` of a block; runs beside others of its kind."""
    packed, spare = ranking_scratch(sets.n_tokens)
    walked, scores = sets.walked, block.scores
    numbers = np.empty(5)
    for row in range(first, min(first + _ROWS_PER_JOB, len(block))):
        weights = logit_weights[row]
        block.zero_direction[row] = moments_row(weights, inverse_column_norms, numbers)
        for column, number in zip(_moment_columns(block), numbers, strict=True):
            column[row] = number
        ranked = rank_row(weights.view(np.uint32), packed, spare)
        list_extremes(ranked, block.top_ids[row], block.bottom_ids[row])
        block.top_values[row] = weights[block.top_ids[row]]
        block.bottom_values[row] = weights[block.bottom_ids[row]]
        walk_row(ranked, walked, scores, row)


def _moment_columns(block: FeatureBlock) -> tuple[NDArray[np.float64], ...]:
    return block.mean, block.std, block.skewness, block.kurtosis, block.cosine_variance


def _finish_moments(block: FeatureBlock, rows: NDArray[np.float32]) -> None:
    """Scale the cosine variance by the directions' norms and refuse products that overflowed float32."""
    overflowed = ~np.isfinite(block.mean)
    if overflowed.any():
        row = block.start + int(np.argmax(overflowed))
        raise WeightsError(f"The logit weights of row {row} of the decoder overflow float32: scale the weights down.")
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    block.cosine_variance[:] *= inverse_norms(norms) ** 2
