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
from tsea_db.kernels.direction_null import MIN_DIMENSION, ReadSubspace, exact_cosines, unit_directions
from tsea_db.kernels.es_null import log10_p_es
from tsea_db.kernels.fdr import benjamini_hochberg
from tsea_db.kernels.overlap import conditional_scores
from tsea_db.kernels.sae_null import MIN_FEATURES, SaeNull, sae_null
from tsea_db.kernels.token_null import log10_p_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from tsea_db.kernels.scoring import FeatureBlock
    from tsea_db.model_nulls import MeasuredSets
    from tsea_db.registry import StoredSet
    from tsea_db.side_sets import Contrast

    Floats = NDArray[np.float64]

PAIRS_AT_ONCE = 4_000_000
"""Pairs of feature and set whose statistics are computed at once, about 400 MB of them."""

_ROWS_AT_ONCE = 4096
_LOG10_05 = float(np.log10(0.05))
FEW_FEATURES = f"fewer than {MIN_FEATURES} scored features, or all with the same z"
SAME_DIRECTION = "both sets have the same direction"


class WaitingScores:
    """ES and peak rank of all features and some sets, set by set, in a file that vanishes with the process."""

    def __init__(self, folder: Path, n_features: int, n_sets: int) -> None:
        shape, n = (max(n_sets, 1), max(n_features, 1)), max(n_sets * n_features, 1)
        with tempfile.TemporaryFile(dir=folder) as file:  # the maps outlive it
            self._es = np.memmap(file, np.float32, "w+", 0, shape)
            self._peak_rank = np.memmap(file, np.int32, "w+", 4 * n, shape)

    def add(self, block: FeatureBlock) -> None:
        """Take the scores of a block of features."""
        features = slice(block.start, block.start + len(block))
        n_sets = block.es.shape[1]
        self._es[:n_sets, features] = block.es.T
        self._peak_rank[:n_sets, features] = block.peak_rank.T

    def read(self, sets: slice, scored: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return ES and peak rank of the scored features, each (n_sets, n_scored)."""
        return np.asarray(self._es[sets][:, scored]), np.asarray(self._peak_rank[sets][:, scored])


class ScoredRows:
    """Directions of the features that have scores.

    Attributes:
        features: int32 (n_scored,), their indices, ascending.
    """

    def __init__(self, rows: NDArray[np.float32], features: NDArray[np.int32], subspace: ReadSubspace) -> None:
        self._rows = rows
        self.features = features
        self._subspace = subspace

    def __len__(self) -> int:
        return len(self.features)

    def cosines(self, units: Floats) -> Floats:
        """Return cosines with unit Deltas (n_sets x d_model), n_scored x n_sets, reading the rows a block at a time."""
        found = np.empty((len(self), len(units)))
        for start in range(0, len(self), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            unit, _ = unit_directions(self._rows[self.features[part]], self._subspace)
            found[part] = exact_cosines(unit, units)
        return found


@dataclass(frozen=True)
class Statistics:
    """Statistics of one SAE's scored features and some sets; all arrays (n_scored, n_sets), 0 where there is none.

    Attributes:
        sets: The sets.
        es, peak_rank: Scores, (n_sets, n_scored).
        z, log10_p, log10_q: Under the random-direction null.
        log10_p_es, log10_p_token: Of the enrichment score, under either null.
        spread: Of z over the features.
    """

    sets: MeasuredSets
    es: NDArray[np.float32]
    peak_rank: NDArray[np.int32]
    z: Floats
    log10_p: Floats
    log10_q: Floats
    log10_p_es: Floats
    log10_p_token: Floats
    spread: SaeNull


class ScoreWriter:
    """Writes what all features of one SAE score; every method is part of the transaction of the connection given."""

    def __init__(self, connection: Connection, sae_id: int, measured: MeasuredSets, rows: ScoredRows) -> None:
        """Prepare to write scores of an SAE; ``measured`` are all sets of its model, side sets included."""
        self._connection = connection
        self._sae_id = sae_id
        self._measured = measured
        self._rows = rows

    def write_library(self, sets: list[StoredSet], waiting: WaitingScores, first: int) -> None:
        """Write ``scores`` and ``sae_sets`` of library sets, which wait from position ``first`` on."""
        for found in self._statistics(sets, waiting, first):
            bulk_load(self._connection, schema.scores, self._score_rows(found))
            bulk_load(self._connection, schema.sae_sets, self._sae_set_rows(found))

    def write_partitions(self, sets: list[StoredSet], waiting: WaitingScores, first: int) -> None:
        """Write ``partition_scores``."""
        for found in self._statistics(sets, waiting, first):
            bulk_load(self._connection, schema.partition_scores, self._score_rows(found))

    def write_controls(self, sets: list[StoredSet], waiting: WaitingScores, first: int) -> None:
        """Write which share of the features has p below 0.05 for each random control."""
        for found in self._statistics(sets, waiting, first):
            n = len(found.sets.sets)
            rows: dict[str, Any] = {
                "sae_id": np.full(n, self._sae_id, np.int32),
                "set_id": pa.array([stored.set_id for stored in found.sets.sets], pa.int32()),
                "n_scored": np.full(n, len(self._rows), np.int32),
            }
            for column, log10_p, missing in (
                ("share_p_direction", found.log10_p, ~found.sets.directions.usable),
                ("share_p_es", found.log10_p_es, ~found.sets.es_null.fitted),
                ("share_p_token", found.log10_p_token, np.zeros(n, dtype=bool)),
            ):
                shares = (log10_p < _LOG10_05).sum(axis=0) / max(len(self._rows), 1)
                rows[column] = pa.array(shares, mask=missing | (len(self._rows) == 0))
            bulk_load(self._connection, schema.control_scores, pa.table(rows))

    def write_contrasts(self, contrasts: list[Contrast], sets: dict[int, StoredSet]) -> None:
        """Write ``contrast_scores``: z of set A given set B, from the cosines with both."""
        at_once = max(1, PAIRS_AT_ONCE // (2 * max(len(self._rows), 1)))
        reasons: list[str | None] = []
        for start in range(0, len(contrasts), at_once):
            part = contrasts[start : start + at_once]
            both = [sets[set_id] for contrast in part for set_id in (contrast.set_a, contrast.set_b)]
            directions = self._measured.of(both).directions
            cosines = self._rows.cosines(directions.unit)
            for i, contrast in enumerate(part):
                pair = slice(2 * i, 2 * i + 2)
                reason = next((str(r) for r in directions.reasons[pair] if r is not None), None)
                reasons.append(
                    reason or self._write_contrast(contrast.contrast_id, cosines[:, pair], directions.unit[pair])
                )
        markers = {
            "sae_id": np.full(len(contrasts), self._sae_id, np.int32),
            "contrast_id": pa.array([contrast.contrast_id for contrast in contrasts], pa.int32()),
            "n_scored": pa.array([len(self._rows) if r is None else 0 for r in reasons], pa.int32()),
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
        n = len(self._rows)
        rows = {
            "sae_id": np.full(n, self._sae_id, np.int32),
            "contrast_id": np.full(n, contrast_id, np.int32),
            "feature": self._rows.features,
            "z_a_given_b": found.z[:, 0].astype(np.float32),
            "log10_p": found.log10_p[:, 0].astype(np.float32),
            "log10_q": log10_q[:, 0].astype(np.float32),
        }
        bulk_load(self._connection, schema.contrast_scores, pa.table(rows))
        return None

    def _statistics(self, sets: list[StoredSet], waiting: WaitingScores, first: int) -> Iterator[Statistics]:
        at_once = max(1, PAIRS_AT_ONCE // max(len(self._rows), 1))
        for start in range(0, len(sets), at_once):
            part = self._measured.of(sets[start : start + at_once])
            n, d_eff = len(part.sets), part.directions.d_eff
            es, peak_rank = waiting.read(slice(first + start, first + start + n), self._rows.features)
            cosines = self._rows.cosines(part.directions.unit)
            valid = np.broadcast_to(part.directions.usable, cosines.shape)
            z, log10_p = np.zeros_like(cosines), np.zeros_like(cosines)
            if d_eff >= MIN_DIMENSION:
                z, log10_p = z_and_log10_p(cosines, d_eff)
            yield Statistics(
                sets=part,
                es=es,
                peak_rank=peak_rank,
                z=z,
                log10_p=log10_p,
                log10_q=benjamini_hochberg(log10_p, valid),
                log10_p_es=log10_p_es(es.T, part.es_null),
                log10_p_token=log10_p_token(es.T, part.sizes, part.token_null),
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
                "feature": np.tile(self._rows.features, n_sets),
                "es": found.es.ravel(),
                "peak_rank": found.peak_rank.ravel(),
                "z_direction": _by_set(found.z, undirected),
                "log10_p": _by_set(found.log10_p, undirected),
                "log10_q": _by_set(found.log10_q, undirected),
                "log10_p_es": _by_set(found.log10_p_es, unfitted),
                "log10_p_token": _by_set(found.log10_p_token, None),
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
                "n_scored": pa.array(np.full(n, len(self._rows), np.int32)),
                "null_median": pa.array(spread.median, mask=missing),
                "null_mad": pa.array(spread.mad, mask=missing),
                "lambda": pa.array(spread.inflation, mask=missing),
                "cosine_sd": pa.array(spread.cosine_sd, mask=missing),
                "reason": pa.array(reasons, pa.string()),
            }
        )


def _by_set(values: Floats, missing: NDArray[np.bool_] | None) -> pa.Array:
    """Lay (n_scored, n_sets) out set by set, as float32, NULL where ``missing``."""
    return pa.array(values.T.astype(np.float32).ravel(), mask=missing)
