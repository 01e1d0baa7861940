"""A whole layer of GPT-2's size into a DuckDB file, against the matrix product alone, in one run.

Run ``python -m benchmarks.ingest [--features N] [--json]``. The model, its tokens and sets are entered before the clock
starts, as they are once for all layers; everything the ingest does for one SAE is counted.
"""

from __future__ import annotations

import json
import resource
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

import tsea_db
from benchmarks import gpt2_size
from tsea_db import bulk_load, feature_rows
from tsea_db.cli.printing import print_table
from tsea_db.kernels.logit_weights import logit_weight_tiles
from tsea_db.weights.unembedding import process_unembedding

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


@contextmanager
def load_clock() -> Iterator[defaultdict[str, float]]:
    """Measure seconds and rows of the bulk loads of features and scores."""
    spent: defaultdict[str, float] = defaultdict(float)
    load = bulk_load.bulk_load

    def timed(connection: Any, table: Any, rows: pa.Table) -> int:
        started = perf_counter()
        n = load(connection, table, rows)
        spent[f"{table.name}_s"] += perf_counter() - started
        spent[f"{table.name}_rows"] += n
        return n

    feature_rows.bulk_load = timed  # type: ignore[attr-defined]
    try:
        yield spent
    finally:
        feature_rows.bulk_load = load  # type: ignore[attr-defined]


def matmul_seconds(n_features: int, unembedding: Any) -> float:
    """Seconds of the fp32 matrix product alone, in the blocks that the ingest uses."""
    directions = gpt2_size.sae(n_features).W_dec
    started = perf_counter()
    for _ in logit_weight_tiles(directions, unembedding):
        pass
    return perf_counter() - started


@click.command()
@click.option("--features", default=gpt2_size.D_SAE, show_default=True, help="Features of the layer.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(features: int, as_json: bool) -> None:
    """Measure the ingest of a whole layer."""
    model = gpt2_size.model()
    with tempfile.TemporaryDirectory() as folder:
        store = tsea_db.create(Path(folder) / "layer.duckdb")
        store.ingest(model, [gpt2_size.sae(64)], progress=False)  # enters model and sets, compiles
        before = store.path.stat().st_size
        with load_clock() as spent:
            [done] = store.ingest(model, [gpt2_size.sae(features)], progress=False)
        grown = store.path.stat().st_size - before
    figures = {
        "matmul_s": matmul_seconds(features, process_unembedding(model).matrix),
        "total_s": done.seconds,
        "n_sets": done.n_sets,
        "load_s": spent["scores_s"] + spent["features_s"],
        "rows_per_s": spent["scores_rows"] / spent["scores_s"],
        "bytes_per_score": grown / done.n_scores,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    figures["ratio_to_matmul"] = figures["total_s"] / figures["matmul_s"]
    figures["share_of_load"] = figures["load_s"] / figures["total_s"]
    if as_json:
        click.echo(json.dumps({name: round(value, 3) for name, value in figures.items()}))
        return
    import pandas as pd

    print_table(pd.DataFrame(figures.items(), columns=["figure", "value"]), title=f"{features:,} features")


if __name__ == "__main__":
    main()
