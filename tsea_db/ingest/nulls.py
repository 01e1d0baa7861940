"""Null distributions for a model's token sets: computed once for each unembedding and stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from sqlalchemy import select

from tsea_db.kernels.resources import usable_cores
from tsea_db.statistics.decodability import chance_decodability
from tsea_db.statistics.es_null import fit_es_null
from tsea_db.statistics.moment_null import SHARES, moment_null, moments_of_directions
from tsea_db.statistics.overlap import set_overlaps
from tsea_db.store import schema
from tsea_db.store.bulk import bulk_load
from tsea_db.store.token_sets import set_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from tsea_db.kernels.device import Device
    from tsea_db.store.nulls import ModelGeometry, NullPlan
    from tsea_db.store.token_sets import StoredSet

SAME_ES = "every random direction has the same enrichment score"


def add_set_nulls(
    connection: Connection,
    geometry: ModelGeometry,
    sets: list[StoredSet],
    plan: NullPlan,
    device: Device,
    progress: Callable[[int], object],
) -> None:
    """Score random directions against sets that have no null yet, and store their nulls."""
    matrix = set_matrix(sets, geometry.d_vocab)
    directions = geometry.directions(sets)
    drawn = np.empty((plan.draws, len(sets)), np.float32)
    rows_drawn = geometry.draw(plan.draws, 0, plan.seed)
    for block in device.score_features(rows_drawn, geometry.packed, matrix):
        drawn[block.start : block.start + len(block)] = np.abs(block.es)
        progress(len(block))
    null = fit_es_null(drawn)
    unfitted = ~null.fitted
    n = len(sets)
    readable = geometry.decodability(directions, matrix)
    rows = {
        "model_id": np.full(n, geometry.model_id, np.int32),
        "processing": [geometry.processing] * n,
        "set_id": pa.array([stored.set_id for stored in sets], pa.int32()),
        "n_draws": np.full(n, plan.draws, np.int32),
        "seed": np.full(n, plan.seed, np.int32),
        "d_eff": np.full(n, geometry.subspace.d_eff, np.int32),
        "mean_abs_es": pa.array(null.mean_abs_es, mask=unfitted),
        "quantiles": pa.array([list(q) if ok else None for q, ok in zip(null.quantiles, null.fitted, strict=True)]),
        "mu": pa.array(null.mu, mask=unfitted),
        "sigma": pa.array(null.sigma, mask=unfitted),
        "fit_error": pa.array(null.fit_error, mask=unfitted),
        "threshold": pa.array(null.threshold, mask=unfitted),
        "decodability": pa.array(readable, mask=~directions.usable),
        "chance_decodability": np.full(n, chance_decodability(geometry.subspace.d_eff, geometry.d_vocab)),
        "reason": pa.array([None if r is None else str(r) for r in directions.reasons], pa.string()),
        "es_reason": pa.array([None if ok else SAME_ES for ok in null.fitted], pa.string()),
    }
    bulk_load(connection, schema.set_nulls, pa.table(rows))


def add_moment_null(
    connection: Connection, geometry: ModelGeometry, plan: NullPlan, progress: Callable[[int], object]
) -> None:
    """Store quantiles of the moments of random directions' logit weights."""
    kurtosis, skewness, cosine_variance = moments_of_directions(
        plan.moment_draws,
        lambda start, n: geometry.draw(n, start, plan.seed),
        geometry.packed,
        usable_cores(),
        progress,
    )
    d_eff = geometry.subspace.d_eff
    null = moment_null(kurtosis, skewness, cosine_variance, d_eff)
    rows = {
        "model_id": pa.array([geometry.model_id], pa.int32()),
        "processing": [geometry.processing],
        "n_draws": pa.array([null.n_draws], pa.int32()),
        "seed": pa.array([plan.seed], pa.int32()),
        "d_eff": pa.array([d_eff], pa.int32()),
        "shares": [list(SHARES)],
        "kurtosis": [null.kurtosis.tolist()],
        "skewness": [null.skewness.tolist()],
        "cos_var_ratio": [null.cos_var_ratio.tolist()],
    }
    bulk_load(connection, schema.moment_nulls, pa.table(rows))


def add_overlaps(connection: Connection, geometry: ModelGeometry, sets: list[StoredSet]) -> None:
    """Store the overlap of every ordered pair of sets of which one is new."""
    table = schema.set_overlaps.c
    here = (table.model_id == geometry.model_id) & (table.processing == geometry.processing)
    known = set(connection.execute(select(table.set_a).where(here).distinct()).scalars())
    old = np.array([stored.set_id in known for stored in sets])
    a, b = np.nonzero(~(old[:, None] & old[None, :]) & ~np.eye(len(sets), dtype=bool))
    if not len(a):
        return
    matrix, directions = set_matrix(sets, geometry.d_vocab), geometry.directions(sets)
    found = set_overlaps(matrix.offsets, matrix.token_ids, geometry.d_vocab, directions)
    ids = np.array([stored.set_id for stored in sets], dtype=np.int32)
    undirected = ~(directions.usable[a] & directions.usable[b])
    rows = {
        "model_id": np.full(len(a), geometry.model_id, np.int32),
        "processing": [geometry.processing] * len(a),
        "set_a": ids[a],
        "set_b": ids[b],
        "intersection": found.intersection[a, b].astype(np.int32),
        "jaccard": found.jaccard[a, b],
        "overlap_coefficient": found.overlap_coefficient[a, b],
        "null_corr": pa.array(found.null_corr[a, b], mask=undirected),
    }
    bulk_load(connection, schema.set_overlaps, pa.table(rows))
