"""What the statistics cost beside the scores: one layer of an SAE of GPT-2's size.

Weights are random; times depend on shapes alone. Scores are timed on a share of the features and scaled up.

    python -m benchmarks.statistics [--features 24576] [--sets 350] [--scored 1024] [--json]
    python -m benchmarks.statistics --growth [--json]

With ``--growth``: seconds of the statistics of a few sets, unit directions and writing included, for SAEs of several
sizes. Scores are those of one block, repeated.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import tsea_db
from tsea_db.ingest.nulls import add_moment_null, add_overlaps, add_set_nulls
from tsea_db.ingest.scores import ScoreWriter
from tsea_db.ingest.spool import ScoreSpool
from tsea_db.kernels.device import Device
from tsea_db.kernels.resources import usable_cores
from tsea_db.kernels.scoring import score_features
from tsea_db.statistics.direction_null import unit_directions
from tsea_db.store import schema
from tsea_db.store.file import StoreFile
from tsea_db.store.nulls import ModelGeometry, NullPlan, measured_sets
from tsea_db.store.token_sets import StoredSet, set_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from sqlalchemy import Engine

    from tsea_db.store.nulls import MeasuredSets

D_MODEL, D_VOCAB, BLOCK = 768, 50_257, 256
STATISTICS_LIMIT, NULL_LIMIT = 0.25, 0.20
PLAN = NullPlan()
GROWTH = ((24_576, 128), (65_536, 128), (262_144, 128), (24_576, 768), (65_536, 768))
"""Features and d_model of the SAEs that show the growth."""

GROWTH_SETS, GROWTH_VOCAB = 24, 4_000


def token_sets(n_sets: int, rng: np.random.Generator, d_vocab: int = D_VOCAB) -> list[StoredSet]:
    """Draw sets of 5 tokens to 3 in 10, most of them small, as a library has."""
    sizes = np.exp(rng.uniform(np.log(5), np.log(0.3 * d_vocab), n_sets)).astype(int)
    members = (np.sort(rng.choice(d_vocab, size, replace=False)).astype(np.int32) for size in sizes)
    return [StoredSet(i, "", ids) for i, ids in enumerate(members)]


def timed(job: Callable[[], object]) -> float:
    """Return the seconds a job takes."""
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def score_seconds(geometry: ModelGeometry, rows: NDArray[np.float32], sets: list[StoredSet], n: int) -> float:
    """Return the seconds that moments and scores of all rows take, from n of them."""
    matrix = set_matrix(sets, D_VOCAB)

    def score(count: int) -> None:
        for _ in score_features(rows[:count], geometry.U, matrix, unembedding_norms=geometry.norms):
            pass

    score(1)
    return timed(lambda: score(n)) * len(rows) / n


def statistics_seconds(engine: Engine, measured: MeasuredSets, rows: NDArray[np.float32]) -> float:
    """Return the seconds that all statistics of some features take, and writing them."""
    geometry, sets = measured.geometry, measured.sets
    [block] = score_features(rows[:BLOCK], geometry.U, set_matrix(sets, geometry.d_vocab))
    with tempfile.TemporaryDirectory() as folder, engine.begin() as connection:

        def statistics(n: int, written: list[StoredSet]) -> None:
            spool = ScoreSpool(Path(folder), n, sets, [], measured.directions.unit)
            for start in range(0, n - BLOCK + 1, BLOCK):  # scores do not matter, places do
                units, _ = unit_directions(rows[start : start + BLOCK], geometry.subspace)
                spool.add(replace(block, start=start), units)
            ScoreWriter(connection, 0, measured, spool, np.arange(n, dtype=np.int32)).write_library(written)

        statistics(BLOCK, sets[:1])
        connection.execute(schema.scores.delete())
        seconds = timed(lambda: statistics(len(rows), sets))
        connection.execute(schema.scores.delete())
    return seconds


def growth() -> list[dict[str, float]]:
    """Time the statistics of a few sets for SAEs of several sizes, side by side."""
    found = []
    for n_features, d_model in GROWTH:
        rng = np.random.default_rng(0)
        geometry = ModelGeometry(0, "folded", rng.standard_normal((d_model, GROWTH_VOCAB), np.float32))
        sets = token_sets(GROWTH_SETS, rng, GROWTH_VOCAB)
        rows = rng.standard_normal((n_features, d_model), np.float32)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "benchmark.duckdb"
            tsea_db.create(path)
            with StoreFile(path).writer() as engine:
                with engine.begin() as connection:
                    add_set_nulls(connection, geometry, sets, PLAN, Device(), int)
                    measured = measured_sets(connection, geometry, sets)
                seconds = statistics_seconds(engine, measured, rows)
        pairs = n_features * GROWTH_SETS
        found.append(
            {"features": n_features, "d_model": d_model, "seconds": seconds, "us_per_pair": 1e6 * seconds / pairs}
        )
    return found


def measure(n_features: int, n_sets: int, n_scored: int) -> dict[str, float]:
    """Time scores, statistics and nulls in a store that is thrown away."""
    rng = np.random.default_rng(0)
    U = rng.standard_normal((D_MODEL, D_VOCAB), np.float32)
    U -= U.mean(axis=0)
    geometry = ModelGeometry(0, "folded+centred", U)
    rows = rng.standard_normal((n_features, D_MODEL), np.float32)
    sets = token_sets(n_sets, rng)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.duckdb"
        tsea_db.create(path)
        with StoreFile(path).writer() as engine:
            seconds = {"scores": score_seconds(geometry, rows, sets, n_scored)}
            with engine.begin() as connection:
                seconds["null of sets"] = timed(lambda: add_set_nulls(connection, geometry, sets, PLAN, Device(), int))
                seconds["null of moments"] = timed(lambda: add_moment_null(connection, geometry, PLAN, int))
                seconds["overlaps"] = timed(lambda: add_overlaps(connection, geometry, sets))
                measured = measured_sets(connection, geometry, sets)
                seconds["tables for random tokens"] = timed(lambda: measured.token_null)
            seconds["statistics and writing"] = statistics_seconds(engine, measured, rows)
    return seconds


def print_growth(*, as_json: bool) -> None:
    """Measure the growth and print a table, or JSON."""
    rows = growth()
    if as_json:
        print(json.dumps({"growth": rows, "sets": GROWTH_SETS, "cores": usable_cores()}))
        return
    print(f"{GROWTH_SETS} sets, {usable_cores()} cores")
    print(f"{'features':>10}{'d_model':>10}{'seconds':>10}{'us a pair':>12}")
    for row in rows:
        print(f"{row['features']:>10,}{row['d_model']:>10}{row['seconds']:>10.2f}{row['us_per_pair']:>12.3f}")


def main() -> None:
    """Measure and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=24_576)
    parser.add_argument("--sets", type=int, default=350)
    parser.add_argument("--scored", type=int, default=1024)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--growth", action="store_true")
    arguments = parser.parse_args()
    if arguments.growth:
        print_growth(as_json=arguments.json)
        return
    seconds = measure(arguments.features, arguments.sets, arguments.scored)
    layer = seconds["scores"]
    shares = {
        "statistics / scores": seconds["statistics and writing"] / layer,
        "null of sets / scores": seconds["null of sets"] / layer,
        "all nulls / scores": (seconds["null of sets"] + seconds["null of moments"]) / layer,
    }
    limits = dict(zip(shares, (STATISTICS_LIMIT, NULL_LIMIT, NULL_LIMIT), strict=True))
    if arguments.json:
        print(json.dumps({"seconds": seconds, "shares": shares, "limits": limits, "cores": usable_cores()}))
        return
    print(f"{arguments.features} features x {arguments.sets} sets, d_model {D_MODEL}, {D_VOCAB} tokens, ", end="")
    print(f"{usable_cores()} cores; {PLAN.draws} and {PLAN.moment_draws} random directions")
    for name, value in seconds.items():
        print(f"{name:<28}{value:>10.1f} s")
    for name, share in shares.items():
        print(f"{name:<28}{share:>10.1%}   (limit {limits[name]:.0%})")


if __name__ == "__main__":
    main()
