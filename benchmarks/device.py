"""The pass on a GPU: seconds of computing, of transfer and of the load into DuckDB, each apart.

``python -m benchmarks.device [--device cuda] [--layers 12] [--features 24576] [--sets 300] [--json]``. Weights are made
up, of GPT-2's size; the sets are spread evenly over the built-in library. ``--device cpu`` runs the same code on the
CPU, slowly: take few features.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import torch

import tsea_db
from benchmarks.machine import describe
from benchmarks.workload import load_library, make_weights
from tsea_db.errors import InputError
from tsea_db.kernels.product import column_norms
from tsea_db.kernels.torch_scoring import resolve_device, score_features_on_device
from tsea_db.store import schema
from tsea_db.store.bulk import bulk_load
from tsea_db.store.file import StoreFile

if TYPE_CHECKING:
    from tsea_db.kernels.scoring import FeatureBlock

WARM_UP_FEATURES = 256


def transfer_seconds(device: torch.device, unembedding: np.ndarray, blocks: list[FeatureBlock]) -> float:
    """Seconds that the weights take to the device and the scores take back."""
    weights, scores = torch.from_numpy(unembedding), torch.empty(blocks[0].es.shape, device=device)
    started = perf_counter()
    weights.to(device)
    for _ in range(3 * len(blocks)):  # ES, peak rank, hits
        scores.cpu()
    return perf_counter() - started


def load_seconds(blocks: list[FeatureBlock]) -> float:
    """Seconds that the scores of one layer take into a DuckDB file, without statistics."""
    features = np.concatenate([np.arange(block.start, block.start + len(block), dtype=np.int32) for block in blocks])
    es = np.concatenate([block.es for block in blocks]).T
    ranks = np.concatenate([block.peak_rank for block in blocks]).T
    rows = {
        "sae_id": np.zeros(es.size, np.int32),
        "set_id": np.repeat(np.arange(len(es), dtype=np.int32), es.shape[1]),
        "feature": np.tile(features, len(es)),
        "es": es.ravel(),
        "peak_rank": ranks.ravel(),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.duckdb"
        tsea_db.create(path)
        with StoreFile(path).engine() as engine, engine.begin() as connection:
            started = perf_counter()
            bulk_load(connection, schema.scores, pa.table(rows))
            return perf_counter() - started


def measure(device: str, layers: int, features: int, n_sets: int) -> dict[str, float | int | str]:
    """Score some layers, one after the other."""
    chosen = resolve_device(device)
    sets = load_library(n_sets)
    directions, unembedding = make_weights(features, sets)
    norms = column_norms(unembedding)

    def run(rows: np.ndarray) -> list[FeatureBlock]:
        return list(score_features_on_device(rows, unembedding, sets, device=device, unembedding_norms=norms))

    run(directions[:WARM_UP_FEATURES])
    total = 0.0
    for _ in range(layers):
        started = perf_counter()
        blocks = run(directions)
        total += perf_counter() - started
    transfer = layers * transfer_seconds(chosen, unembedding, blocks)
    name = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else describe()
    return {
        "device": name,
        "n_sets": sets.n_sets,
        "n_scores": layers * features * sets.n_sets,
        "compute_s": total - transfer,
        "transfer_s": transfer,
        "load_s": layers * load_seconds(blocks),
        "ms_per_feature": 1e3 * total / (layers * features),
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--features", type=int, default=24_576)
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    try:
        figures = measure(options.device, options.layers, options.features, options.sets)
    except InputError as error:
        parser.error(str(error))
    if options.json:
        print(json.dumps(figures))
        return
    for figure, value in figures.items():
        print(f"{figure:16} {value:.3f}" if isinstance(value, float) else f"{figure:16} {value}")


if __name__ == "__main__":
    main()
