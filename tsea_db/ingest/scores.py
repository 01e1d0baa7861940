"""One SAE's scores and what they are worth, into ``scores``, ``sae_sets`` and the tables of contrasts and controls.

False-discovery rates need all features of a set. So scores wait until all features are done; then sets are taken a few
at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from tsea_db.kernels.resources import in_threads, usable_cores
from tsea_db.statistics.cosine_tail import z_and_log10_p
from tsea_db.statistics.direction_null import MIN_DIMENSION, paired_cosines
from tsea_db.statistics.es_null import log10_p_es
from tsea_db.statistics.fdr import benjamini_hochberg
from tsea_db.statistics.overlap import conditional_scores, distinct_directions
from tsea_db.statistics.sae_spread import MIN_FEATURES, SaeSpread, sae_spread
from tsea_db.statistics.token_null import log10_p_token
from tsea_db.store import schema
from tsea_db.store.bulk import bulk_load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from tsea_db.ingest.spool import ScoreSpool
    from tsea_db.store.derived_sets import Contrast
    from tsea_db.store.nulls import MeasuredSets
    from tsea_db.store.token_sets import StoredSet

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

Item = TypeVar("Item")

PAIRS_AT_ONCE = 1_000_000
"""Pairs of feature and set whose statistics a thread computes at once; with what waits to be written, 100 MB."""

_LOG10_05 = float(np.log10(0.05))
FEW_FEATURES = f"fewer than {MIN_FEATURES} scored features, or all with the same z"
SAME_DIRECTION = "both sets have the same direction"


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
    spread: SaeSpread


class ScoreWriter:
    """Writes what all features of one SAE score; every method is part of the transaction of the connection given."""

    def __init__(
        self,
        connection: Connection,
        sae_id: int,
        measured: MeasuredSets,
        spool: ScoreSpool,
        features: NDArray[np.int32],
    ) -> None:
        """Prepare to write scores of an SAE.

        Args:
            connection: Where to write to.
            sae_id: The SAE.
            measured: All sets of its model, side sets included.
            spool: What the pass found.
            features: The features that have scores, ascending.
        """
        self._connection = connection
        self._sae_id = sae_id
        self._measured = measured
        self._spool = spool
        self._features = features

    def write_library(self, sets: list[StoredSet]) -> None:
        """Write ``scores`` and ``sae_sets`` of library sets."""
        for found, rows in self._statistics(sets):
            bulk_load(self._connection, schema.scores, rows)
            bulk_load(self._connection, schema.sae_sets, self._sae_set_rows(found))

    def write_partitions(self, sets: list[StoredSet]) -> None:
        """Write ``partition_scores``."""
        for _, rows in self._statistics(sets):
            bulk_load(self._connection, schema.partition_scores, rows)

    def write_controls(self, sets: list[StoredSet]) -> None:
        """Write which share of the features has p below 0.05 for each random control."""
        for found, _ in self._statistics(sets):
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
        reasons: list[str | None] = []
        parts = in_threads(lambda part: self._contrast_rows(part, sets), self._in_parts(contrasts, 2), usable_cores())
        for part, rows in parts:
            reasons += part
            if rows is not None:
                bulk_load(self._connection, schema.contrast_scores, rows)
        markers = {
            "sae_id": np.full(len(contrasts), self._sae_id, np.int32),
            "contrast_id": pa.array([contrast.contrast_id for contrast in contrasts], pa.int32()),
            "n_scored": pa.array([len(self._features) if r is None else 0 for r in reasons], pa.int32()),
            "reason": pa.array(reasons, pa.string()),
        }
        bulk_load(self._connection, schema.sae_contrasts, pa.table(markers))

    def _contrast_rows(
        self, contrasts: list[Contrast], sets: dict[int, StoredSet]
    ) -> tuple[list[str | None], pa.Table | None]:
        """Return why each contrast has no scores, or None, and the scores of those that have."""
        a, b = (self._measured.of([sets[i] for i in ids]).directions for ids in _ends(contrasts))
        null_corr = paired_cosines(a.unit, b.unit)
        reasons = [
            next((str(reason) for reason in pair if reason is not None), None if distinct else SAME_DIRECTION)
            for *pair, distinct in zip(a.reasons, b.reasons, distinct_directions(null_corr), strict=True)
        ]
        kept = np.flatnonzero([reason is None for reason in reasons])
        if not len(kept):
            return reasons, None
        scored = [contrasts[i] for i in kept]
        cosine_a, cosine_b = (self._spool.cosines([sets[i] for i in ids], self._features) for ids in _ends(scored))
        found = conditional_scores(cosine_a, cosine_b, null_corr[kept], a.d_eff)
        log10_q = benjamini_hochberg(found.log10_p, found.distinct)
        rows = self._rows("contrast_id", np.array([contrast.contrast_id for contrast in scored], dtype=np.int32)) | {
            "z_a_given_b": _single(found.z).ravel(),
            "log10_p": _single(found.log10_p).ravel(),
            "log10_q": _single(log10_q).ravel(),
        }
        return reasons, pa.table(rows)

    def _statistics(self, sets: list[StoredSet]) -> Iterator[tuple[Statistics, pa.Table]]:
        """Compute statistics of a few sets at a time, and their rows, on all cores, ahead of what is being written."""
        return in_threads(self._statistics_of, self._in_parts(sets, 1), usable_cores())

    def _in_parts(self, items: list[Item], pairs: int) -> Iterator[list[Item]]:
        """Cut what takes some pairs for each feature into parts of `PAIRS_AT_ONCE`."""
        at_once = max(1, PAIRS_AT_ONCE // (pairs * max(len(self._features), 1)))
        return (items[start : start + at_once] for start in range(0, len(items), at_once))

    def _statistics_of(self, sets: list[StoredSet]) -> tuple[Statistics, pa.Table]:
        measured = self._measured.of(sets)
        es, peak_rank = self._spool.read(sets, self._features)
        cosines = self._spool.cosines(sets, self._features)
        valid = np.broadcast_to(measured.directions.usable, cosines.shape)
        z, log10_p = np.zeros_like(cosines), np.zeros_like(cosines)
        if measured.directions.d_eff >= MIN_DIMENSION:
            z, log10_p = z_and_log10_p(cosines, measured.directions.d_eff)
        found = Statistics(
            sets=measured,
            es=es,
            peak_rank=peak_rank,
            z=_single(z),
            log10_p=_single(log10_p),
            log10_q=_single(benjamini_hochberg(log10_p, valid)),
            log10_p_es=_single(log10_p_es(es.T, measured.es_null)),
            log10_p_token=_single(log10_p_token(es.T, measured.sizes, measured.token_null)),
            spread=sae_spread(z, cosines, valid),
        )
        return found, self._score_rows(found)

    def _score_rows(self, found: Statistics) -> pa.Table:
        n = len(self._features)
        undirected = np.repeat(~found.sets.directions.usable, n)
        unfitted = np.repeat(~found.sets.es_null.fitted, n)
        set_ids = np.array([stored.set_id for stored in found.sets.sets], dtype=np.int32)
        rows = self._rows("set_id", set_ids) | {
            "es": found.es.ravel(),
            "peak_rank": found.peak_rank.ravel(),
            "z_direction": _nullable(found.z.ravel(), undirected),
            "log10_p": _nullable(found.log10_p.ravel(), undirected),
            "log10_q": _nullable(found.log10_q.ravel(), undirected),
            "log10_p_es": _nullable(found.log10_p_es.ravel(), unfitted),
            "log10_p_token": found.log10_p_token.ravel(),
        }
        return pa.table(rows)

    def _rows(self, name: str, ids: NDArray[np.int32]) -> dict[str, Any]:
        """Return the key columns of rows for each id, and for each feature of it."""
        n = len(self._features)
        return {
            "sae_id": np.full(len(ids) * n, self._sae_id, np.int32),
            name: np.repeat(ids, n),
            "feature": np.tile(self._features, len(ids)),
        }

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


def _ends(contrasts: list[Contrast]) -> tuple[list[int], list[int]]:
    """Return the ids of the sets asked about and of those given."""
    return [contrast.set_a for contrast in contrasts], [contrast.set_b for contrast in contrasts]


def _nullable(values: Singles, missing: NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, mask=missing if missing.any() else None)


def _single(values: Floats) -> Singles:
    """Turn (n_scored, n_sets) into float32 (n_sets, n_scored)."""
    return np.ascontiguousarray(values.T, np.float32)
