"""A whole layer of GPT-2's size into a DuckDB file, against the matrix product alone, in one run.

Run ``python -m benchmarks.ingest [--features N] [--sets N] [--json]``. A first ingest of a few features, which is not
measured, enters the model, its tokens, its sets and their nulls, as they are once for all layers; everything that the
ingest does for one more SAE is counted. Stages are timed on the thread that drives them; what several threads do
counts once.
"""

from __future__ import annotations

import json
import resource
import tempfile
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import click

import tsea_db
from benchmarks import gpt2_size
from benchmarks.enrichment import blas_products, seconds
from benchmarks.machine import describe
from benchmarks.workload import scored_sets
from tsea_db.cli.printing import print_table
from tsea_db.ingest import features as feature_rows
from tsea_db.ingest import job, scorer, scores, spool
from tsea_db.kernels.device import Device
from tsea_db.store import nulls
from tsea_db.weights.unembedding import process_unembedding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STAGES: tuple[tuple[Any, str, str], ...] = (
    (Device, "score_features", "pass"),
    (scorer, "unit_directions", "unit_directions"),
    (spool.ScoreSpool, "add", "spool"),
    (feature_rows.FeatureLoader, "_feature_rows", "feature_rows"),
    (feature_rows, "bulk_load", "load"),
    (scores, "in_threads", "statistics"),
    (scores.ScoreWriter, "_score_rows", "score_rows"),
    (scores, "bulk_load", "load"),
    (scores.ScoreWriter, "write_contrasts", "contrasts"),
    (job, "summarise", "summary"),
    (scorer, "measured_sets", "nulls_read"),
    (job, "load_sae", "sae"),
    (job, "process_unembedding", "unembedding"),
    (nulls, "unembedding_subspace", "subspace"),
    (nulls, "set_directions", "set_directions"),
    (job._Job, "prepare", "prepare"),
)
"""Functions of the ingest, by where they are looked up, and the stage that their time counts for."""


_PRODUCT_ROWS = 2_048

TABLE_SIZE = """
select count(distinct block_id) * (select any_value(block_size) from pragma_database_size())
    / (select count(*) from scores)
from pragma_storage_info('scores') where block_id >= 0
"""
"""Bytes that a row of ``scores`` takes on disk; the file also holds features, partition sets and contrasts."""


class Stages:
    """Measures the seconds of each stage, without those of the stages inside it."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.rows, self.rows_s = 0, 0.0
        self._inside = [0.0]

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch the stages while a block of code runs."""
        with ExitStack() as stack:
            for owner, name, stage in STAGES:
                stack.enter_context(patch.object(owner, name, self._timed(getattr(owner, name), stage)))
            yield

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            with self._clock(stage):
                started = perf_counter()
                result = function(*arguments, **options)
                if stage == "load" and arguments[1].name == "scores":
                    self.rows += len(arguments[2])
                    self.rows_s += perf_counter() - started
            return self._timed_items(result, stage) if hasattr(result, "__next__") else result

        return timed

    def _timed_items(self, items: Iterator[Any], stage: str) -> Iterator[Any]:
        nothing = object()
        while True:
            with self._clock(stage):
                item = next(items, nothing)
            if item is nothing:
                return
            yield item

    @contextmanager
    def _clock(self, stage: str) -> Iterator[None]:
        self._inside.append(0.0)
        started = perf_counter()
        try:
            yield
        finally:
            spent = perf_counter() - started
            self.seconds[stage] += spent - self._inside.pop()
            self._inside[-1] += spent


def matmul_seconds(n_features: int, unembedding: Any) -> float:
    """Seconds of the fp32 matrix product alone: numpy's or torch's, whichever is faster, 2,048 features at a time."""
    directions = gpt2_size.sae(n_features).W_dec
    products = blas_products(directions[:_PRODUCT_ROWS], unembedding)
    for product in products:
        product()
    best = min(seconds(product) for product in products for _ in range(3))
    return best * n_features / min(n_features, _PRODUCT_ROWS)


def measure(features: int, n_sets: int | None) -> dict[str, Any]:
    """Ingest a layer and report on it."""
    model, stages = gpt2_size.model(), Stages()
    unembedding = process_unembedding(model).matrix
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(job, "load_catalogue", lambda tokens: scored_sets(tokens, n_sets)),
    ):
        store = tsea_db.create(Path(folder) / "layer.duckdb")
        store.ingest(model, [gpt2_size.sae(64)], progress=False)
        before = store.path.stat().st_size
        matmul = [matmul_seconds(features, unembedding)]
        with stages.watch():
            started = perf_counter()
            [done] = store.ingest(model, [gpt2_size.sae(features)], progress=False)
            total = perf_counter() - started
        matmul.append(matmul_seconds(features, unembedding))
        grown = store.path.stat().st_size - before
        others = store.sql("select count(*) from partition_scores where sae_id = 1").fetchall()[0][0]
        table = store.sql(TABLE_SIZE).fetchall()[0][0]
    matmul_s = sum(matmul) / 2
    return {
        "machine": describe(),
        "n_features": features,
        "n_sets": done.n_sets,
        "n_scores": done.n_scores,
        "n_partition_scores": others,
        "matmul_s": matmul_s,
        "total_s": total,
        "ratio_to_matmul": total / matmul_s,
        "rows_per_s": stages.rows / stages.rows_s,
        "bytes_per_score": table,
        "file_bytes_per_score": grown / done.n_scores,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "stages_s": dict(stages.seconds) | {"rest": total - sum(stages.seconds.values())},
    }


@click.command()
@click.option("--features", default=gpt2_size.D_SAE, show_default=True, help="Features of the layer.")
@click.option("--sets", "n_sets", type=int, help="Token sets, spread evenly over the library. [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(features: int, n_sets: int | None, as_json: bool) -> None:
    """Measure the ingest of a whole layer."""
    figures = measure(features, n_sets)
    if as_json:
        click.echo(json.dumps(figures))
        return
    import pandas as pd

    shares = {f"share of {name}": f"{s / figures['total_s']:.1%}" for name, s in figures.pop("stages_s").items()}
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
    print_table(pd.DataFrame((rounded | shares).items(), columns=["figure", "value"]), title=f"{features:,} features")


if __name__ == "__main__":
    main()
