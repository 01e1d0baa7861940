"""One SAE's scores and what they are worth, into ``scores``, ``sae_sets`` and the tables of contrasts and controls.

False-discovery rates need all features of a set, scores come a few features at a time. So scores wait in a file without
a name until all features are done; then sets are taken a few at a time. Memory grows with neither.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tsea_db import schema
from tsea_db.bulk_load import bulk_load
from tsea_db.kernels.cosine_tail import z_and_log10_p
from tsea_db.kernels.direction_null import MIN_DIMENSION, exact_cosines, grid_cosines, on_grid
from tsea_db.kernels.es_null import log10_p_es
from tsea_db.kernels.fdr import benjamini_hochberg
from tsea_db.kernels.overlap import conditional_scores
from tsea_db.kernels.resources import in_threads, usable_cores
from tsea_db.kernels.sae_null import MIN_FEATURES, SaeNull, sae_null
from tsea_db.kernels.token_null import log10_p_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from tsea_db.kernels.scoring import FeatureBlock
    from tsea_db.model_nulls import MeasuredSets
    from tsea_db.side_sets import Contrast
    from tsea_db.stored_sets import StoredSet

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

PAIRS_AT_ONCE = 1_000_000
"""Pairs of feature and set whose statistics a thread computes at once; with what waits to be written, 100 MB."""

_ROWS_AT_ONCE = 4096
_LOG10_05 = float(np.log10(0.05))
FEW_FEATURES = f"fewer than {MIN_FEATURES} scored features, or all with the same z"
SAME_DIRECTION = "both sets have the same direction"


class WaitingScores:
    """What a pass finds out about all features, in a file that vanishes with the process.

    ES and peak rank wait set by set, unit directions feature by feature.
    """

    def __init__(self, folder: Path, n_features: int, n_sets: int, d_model: int) -> None:
        shape, n = (max(n_sets, 1), max(n_features, 1)), max(n_sets * n_features, 1)
        with tempfile.TemporaryFile(dir=folder) as file:  # the maps outlive it
            self._es = np.memmap(file, np.float32, "w+", 0, shape)
            self._peak_rank = np.memmap(file, np.int32, "w+", 4 * n, shape)
            self._units = np.memmap(file, np.int32, "w+", 8 * n, (max(n_features, 1), d_model))

    def add(self, block: FeatureBlock, units: Floats) -> None:
        """Take the scores of a block of features and their unit directions (n, d_model)."""
        features = slice(block.start, block.start + len(block))
        n_sets = block.es.shape[1]
        self._es[:n_sets, features] = block.es.T
        self._peak_rank[:n_sets, features] = block.peak_rank.T
        self._units[features] = on_grid(units)

    def read(self, sets: slice, scored: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return ES and peak rank of the scored features, each (n_sets, n_scored)."""
        return np.asarray(self._es[sets][:, scored]), np.asarray(self._peak_rank[sets][:, scored])

    def cosines(self, units: Floats, scored: NDArray[np.int32]) -> Floats:
        """Return cosines of the scored features with unit Deltas (n_sets, d_model), as (n_scored, n_sets).

        The result lies in memory set by set.
        """
        found, columns = np.empty((len(units), len(scored))), on_grid(units)
        for start in range(0, len(scored), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            found[:, part] = grid_cosines(columns, self._units[scored[part]])
        return found.T


@dataclass(frozen=True)
class Statistics:
    """Statistics of one SAE's scored features and some sets; all arrays (n_sets, n_scored), 0 where there is none.

    Attributes:
        sets: The sets.
        es, peak_rank: Scores.
        z, log10_p, log10_q: Under the random-direction null.
        log10_p_es, log10_p_token: Of the enrichment score, under either null.
        spread: Of z over the features.
    """

    sets: MeasuredSets
    es: NDArray[np.float32]
    peak_rank: NDArray[np.int32]
    z: Singles
    log10_p: Singles
    log10_q: Singles
    log10_p_es: Singles
    log10_p_token: Singles
    spread: SaeNull


class ScoreWriter:
    """Writes what all features of one SAE score; every method is part of the transaction of the connection given."""

    def __init__(
        self,
        connection: Connection,
        sae_id: int,
        measured: MeasuredSets,
        waiting: WaitingScores,
        features: NDArray[np.int32],
    ) -> None:
        """Prepare to write scores of an SAE.

        Args:
            connection: Where to write to.
            sae_id: The SAE.
            measured: All sets of its model, side sets included.
            waiting: What the pass found.
            features: The features that have scores, ascending.
        """
        self._connection = connection
        self._sae_id = sae_id
        self._measured = measured
        self._waiting = waiting
        self._features = features

    def write_library(self, sets: list[StoredSet], first: int) -> None:
        """Write ``scores`` and ``sae_sets`` of library sets, which wait from position ``first`` on."""
        for found in self._statistics(sets, first):
            bulk_load(self._connection, schema.scores, self._score_rows(found))
            bulk_load(self._connection, schema.sae_sets, self._sae_set_rows(found))

    def write_partitions(self, sets: list[StoredSet], first: int) -> None:
        """Write ``partition_scores``."""
        for found in self._statistics(sets, first):
            bulk_load(self._connection, schema.partition_scores, self._score_rows(found))

    def write_controls(self, sets: list[StoredSet], first: int) -> None:
        """Write which share of the features has p below 0.05 for each random control."""
        for found in self._statistics(sets, first):
            n = len(found.sets.sets)
            rows: dict[str, Any] = {
                "sae_id": np.full(n, self._sae_id, np.int32),
                "set_id": pa.array([stored.set_id for stored in found.sets.sets], pa.int32()),
                "n_scored": np.full(n, len(self._features), np.int32),
            }
            for column, log10_p, missing in (
                ("share_p_direction", found.log10_p, ~found.sets.directions.usable),
                ("share_p_es", found.log10_p_es, ~found.sets.es_null.fitted),
                ("share_p_token", found.log10_p_token, np.zeros(n, dtype=bool)),
            ):
                shares = (log10_p < _LOG10_05).sum(axis=1) / max(len(self._features), 1)
                rows[column] = pa.array(shares, mask=missing | (len(self._features) == 0))
            bulk_load(self._connection, schema.control_scores, pa.table(rows))

    def write_contrasts(self, contrasts: list[Contrast], sets: dict[int, StoredSet]) -> None:
        """Write ``contrast_scores``: z of set A given set B, from the cosines with both."""
        at_once = max(1, PAIRS_AT_ONCE // (2 * max(len(self._features), 1)))
        reasons: list[str | None] = []
        for start in range(0, len(contrasts), at_once):
            part = contrasts[start : start + at_once]
            both = [sets[set_id] for contrast in part for set_id in (contrast.set_a, contrast.set_b)]
            directions = self._measured.of(both).directions
            cosines = self._waiting.cosines(directions.unit, self._features)
            for i, contrast in enumerate(part):
                pair = slice(2 * i, 2 * i + 2)
                reason = next((str(r) for r in directions.reasons[pair] if r is not None), None)
                reasons.append(
                    reason or self._write_contrast(contrast.contrast_id, cosines[:, pair], directions.unit[pair])
                )
        markers = {
            "sae_id": np.full(len(contrasts), self._sae_id, np.int32),
            "contrast_id": pa.array([contrast.contrast_id for contrast in contrasts], pa.int32()),
            "n_scored": pa.array([len(self._features) if r is None else 0 for r in reasons], pa.int32()),
            "reason": pa.array(reasons, pa.string()),
        }
        bulk_load(self._connection, schema.sae_contrasts, pa.table(markers))

    def _write_contrast(self, contrast_id: int, cosines: Floats, units: Floats) -> str | None:
        """Write the scores of one contrast; return why there are none, or None."""
        null_corr = float(exact_cosines(units[:1], units[1:])[0, 0])
        d_eff = self._measured.directions.d_eff
        found = conditional_scores(cosines[:, :1], cosines[:, 1:], null_corr, d_eff)
        if not found.distinct.all():
            return SAME_DIRECTION
        log10_q = benjamini_hochberg(found.log10_p, np.ones(found.z.shape, dtype=bool))
        n = len(self._features)
        rows = {
            "sae_id": np.full(n, self._sae_id, np.int32),
            "contrast_id": np.full(n, contrast_id, np.int32),
            "feature": self._features,
            "z_a_given_b": found.z[:, 0].astype(np.float32),
            "log10_p": found.log10_p[:, 0].astype(np.float32),
            "log10_q": log10_q[:, 0].astype(np.float32),
        }
        bulk_load(self._connection, schema.contrast_scores, pa.table(rows))
        return None

    def _statistics(self, sets: list[StoredSet], first: int) -> Iterator[Statistics]:
        """Compute statistics of a few sets at a time, on all cores, ahead of what is being written."""
        at_once = max(1, PAIRS_AT_ONCE // max(len(self._features), 1))
        parts = ((start, self._measured.of(sets[start : start + at_once])) for start in range(0, len(sets), at_once))
        return in_threads(lambda part: self._statistics_of(first + part[0], part[1]), parts, usable_cores())

    def _statistics_of(self, first: int, sets: MeasuredSets) -> Statistics:
        d_eff = sets.directions.d_eff
        es, peak_rank = self._waiting.read(slice(first, first + len(sets.sets)), self._features)
        cosines = self._waiting.cosines(sets.directions.unit, self._features)
        valid = np.broadcast_to(sets.directions.usable, cosines.shape)
        z, log10_p = np.zeros_like(cosines), np.zeros_like(cosines)
        if d_eff >= MIN_DIMENSION:
            z, log10_p = z_and_log10_p(cosines, d_eff)
        return Statistics(
            sets=sets,
            es=es,
            peak_rank=peak_rank,
            z=_single(z),
            log10_p=_single(log10_p),
            log10_q=_single(benjamini_hochberg(log10_p, valid)),
            log10_p_es=_single(log10_p_es(es.T, sets.es_null)),
            log10_p_token=_single(log10_p_token(es.T, sets.sizes, sets.token_null)),
            spread=sae_null(z, cosines, valid),
        )

    def _score_rows(self, found: Statistics) -> pa.Table:
        n_sets, n = found.es.shape
        undirected = np.repeat(~found.sets.directions.usable, n)
        unfitted = np.repeat(~found.sets.es_null.fitted, n)
        set_ids = np.array([stored.set_id for stored in found.sets.sets], dtype=np.int32)
        return pa.table(
            {
                "sae_id": np.full(n_sets * n, self._sae_id, np.int32),
                "set_id": np.repeat(set_ids, n),
                "feature": np.tile(self._features, n_sets),
                "es": found.es.ravel(),
                "peak_rank": found.peak_rank.ravel(),
                "z_direction": pa.array(found.z.ravel(), mask=undirected),
                "log10_p": pa.array(found.log10_p.ravel(), mask=undirected),
                "log10_q": pa.array(found.log10_q.ravel(), mask=undirected),
                "log10_p_es": pa.array(found.log10_p_es.ravel(), mask=unfitted),
                "log10_p_token": found.log10_p_token.ravel(),
            }
        )

    def _sae_set_rows(self, found: Statistics) -> pa.Table:
        n, spread = len(found.sets.sets), found.spread
        reasons = [
            reason or (None if enough else FEW_FEATURES)
            for reason, enough in zip(found.sets.directions.reasons, spread.enough, strict=True)
        ]
        missing = np.array([reason is not None for reason in reasons])
        return pa.table(
            {
                "sae_id": pa.array(np.full(n, self._sae_id, np.int32)),
                "set_id": pa.array([stored.set_id for stored in found.sets.sets], pa.int32()),
                "content_hash": pa.array([stored.content_hash for stored in found.sets.sets], pa.string()),
                "n_scored": pa.array(np.full(n, len(self._features), np.int32)),
                "null_median": pa.array(spread.median, mask=missing),
                "null_mad": pa.array(spread.mad, mask=missing),
                "lambda": pa.array(spread.inflation, mask=missing),
                "cosine_sd": pa.array(spread.cosine_sd, mask=missing),
                "reason": pa.array(reasons, pa.string()),
            }
        )


def _single(values: Floats) -> NDArray[np.float32]:
    """Turn (n_scored, n_sets) into float32 (n_sets, n_scored)."""
    return np.ascontiguousarray(values.T, np.float32)
