"""Cost of the streaming pass beside the matrix product alone: ``python -m benchmarks.enrichment [--json] [--growth]``.

GPT-2's size: d_model 768, 50,257 tokens, 2,048 features, 320 sets of the built-in library, which has twice as many, and
then all of it. The product and the pass are timed in turns
and the ratio is the median over the turns, because other work on the machine slows both.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
import warnings
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.machine import PeakMemory, describe
from benchmarks.workload import load_library, make_weights
from tsea_db.kernels.compiled_walk import CompiledWalk
from tsea_db.kernels.moments import inverse_norms, moments_rows
from tsea_db.kernels.native_sets import NativeSets
from tsea_db.kernels.product import TILE_ROWS, PackedUnembedding, TileProduct
from tsea_db.kernels.running_sum import NumbaWalk, RankedScores
from tsea_db.kernels.scoring import score_features
from tsea_db.kernels.set_matrix import SetMatrix

if TYPE_CHECKING:
    from collections.abc import Callable


N_FEATURES, MANY_FEATURES = 2_048, 24_576
N_SETS = 320
TUTORIAL_FEATURES = 16
Rows = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Report = dict[str, float | int | str]


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run_pass(directions: Rows, unembedding: PackedUnembedding, sets: SetMatrix) -> None:
    """The whole pass, its results thrown away."""
    for _ in score_features(directions, unembedding, sets):
        pass


def blas_products(directions: Rows, unembedding: Rows) -> tuple[Callable[[], object], ...]:
    """Numpy's and torch's product of the factors, as installed."""
    product = np.empty((len(directions), unembedding.shape[1]), np.float32)
    d, u, out = (torch.from_numpy(array) for array in (directions, unembedding, product))
    return (lambda: np.matmul(directions, unembedding, out=product), lambda: torch.mm(d, u, out=out))


def time_product_and_pass(
    directions: Rows, unembedding: PackedUnembedding, sets: SetMatrix, turns: int
) -> dict[str, float]:
    """Milliseconds a feature of the product alone (numpy's or torch's, whichever is faster) and of the pass."""
    n = len(directions)
    products = blas_products(directions, unembedding.matrix)
    for work in products:
        work()
    run_pass(directions[:TILE_ROWS], unembedding, sets)
    alone, total = [], []
    for _ in range(turns):
        alone.append(min(seconds(work) for work in products))
        total.append(seconds(lambda: run_pass(directions, unembedding, sets)))
    return {
        "matmul_ms": 1e3 * median(alone) / n,
        "total_ms": 1e3 * median(total) / n,
        "ratio_to_matmul": median(whole / part for whole, part in zip(total, alone, strict=True)),
    }


def time_stages(directions: Rows, unembedding: PackedUnembedding, sets: SetMatrix) -> dict[str, float]:
    """Milliseconds a feature that each stage takes on one core, by the clock of the thread."""
    tile = directions[:TILE_ROWS]
    product = TileProduct(unembedding)
    logit_weights = product(tile)
    numbers, flags = np.empty((TILE_ROWS, 5)), np.empty(TILE_ROWS, np.bool_)
    inverse = inverse_norms(unembedding.norms)
    moments_rows(logit_weights, inverse, numbers, flags)
    library = unembedding.library
    walk = CompiledWalk(library, NativeSets.from_matrix(sets)) if library else NumbaWalk(sets)
    scores = RankedScores.empty(TILE_ROWS, sets)
    means, stds = np.ascontiguousarray(numbers[:, :2].T)
    stages: dict[str, Callable[[], object]] = {
        "product_core_ms": lambda: product(tile),
        "moments_core_ms": lambda: moments_rows(logit_weights, inverse, numbers, flags),
        "rank_and_walk_core_ms": lambda: walk.score_rows(logit_weights, means, stds, scores),
    }
    result = {}
    for name, stage in stages.items():
        start = time.thread_time()
        stage()
        result[name] = 1e3 * (time.thread_time() - start) / TILE_ROWS
    return result


def time_tutorial(directions: Rows, unembedding: Rows, sets: SetMatrix) -> float:
    """Milliseconds a feature of ``sae_lens.tutorial.tsea`` on the same sets, product left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies warn on import
        tutorial = importlib.import_module("sae_lens.tutorial.tsea")
    logit_weights = torch.from_numpy(directions[:TUTORIAL_FEATURES] @ unembedding)
    members = {
        str(position): set(sets.token_ids[sets.offsets[position] : sets.offsets[position + 1]].tolist())
        for position in range(sets.n_sets)
    }
    index_lists = torch.tensor(list(tutorial.pad_gene_sets(members).values()))
    took = seconds(lambda: tutorial.calculate_batch_enrichment_scores(logit_weights, index_lists))
    return 1e3 * took / TUTORIAL_FEATURES


def peak_memory(n_features: int, unembedding: Rows, sets: SetMatrix) -> float:
    """MB that the pass takes beyond the unembedding and the directions; the packed unembedding counts."""
    directions = np.random.default_rng(1).standard_normal((n_features, len(unembedding)), dtype=np.float32)
    with PeakMemory() as memory:
        run_pass(directions, PackedUnembedding.pack(unembedding), sets)
    return memory.above_mb


def measure_library(turns: int) -> Report:
    """Product and pass with all sets of the library."""
    sets = load_library()
    directions, unembedding = make_weights(N_FEATURES, sets)
    times = time_product_and_pass(directions, PackedUnembedding.pack(unembedding), sets, turns)
    return {f"{name}_all_sets": value for name, value in {"n_sets": sets.n_sets, **times}.items()}


def measure(n_sets: int, turns: int, *, many: bool) -> Report:
    """Everything this benchmark reports; `many` adds the memory of a pass over 24,576 features."""
    sets = load_library(n_sets)
    directions, unembedding = make_weights(N_FEATURES, sets)
    result: Report = {
        "machine": describe(),
        "n_sets": sets.n_sets,
        "n_memberships": int(sets.sizes.sum()),
        "n_features": N_FEATURES,
        "peak_rss_mb": peak_memory(N_FEATURES, unembedding, sets),
    }
    if many:
        result["peak_rss_mb_24576"] = peak_memory(MANY_FEATURES, unembedding, sets)
    packed = PackedUnembedding.pack(unembedding)
    result |= time_product_and_pass(directions, packed, sets, turns)
    result |= time_stages(directions, packed, sets)
    tutorial_ms = time_tutorial(directions, unembedding, sets)
    return result | {"tutorial_ms": tutorial_ms, "speedup_over_tutorial": tutorial_ms / float(result["total_ms"])}


def growth() -> list[Report]:
    """Milliseconds a feature for vocabularies, numbers of sets and numbers of features; d_model 768."""
    rng = np.random.default_rng(0)
    cases = [(50_257, 300, n) for n in (512, 1_024, 2_048)]
    cases += [(50_257, n, 512) for n in (100, 1_000)] + [(v, 300, 512) for v in (128_256, 256_000)]
    rows: list[Report] = []
    for n_tokens, n_sets, n_features in cases:
        sizes = np.exp(rng.uniform(np.log(20), np.log(n_tokens / 4), n_sets)).astype(int)
        sets = SetMatrix.from_sets([rng.choice(n_tokens, k, replace=False) for k in sizes], n_tokens)
        directions = rng.standard_normal((n_features, 768), dtype=np.float32)
        unembedding = PackedUnembedding.pack(rng.standard_normal((768, n_tokens), dtype=np.float32))
        times = time_product_and_pass(directions, unembedding, sets, turns=3)
        rows.append({"n_tokens": n_tokens, "n_sets": n_sets, "n_features": n_features, **times})
    return rows


def show(rows: list[Report]) -> None:
    """Print dictionaries of one kind as a table, or a single one line by line."""
    if len(rows) == 1:
        for name, value in rows[0].items():
            print(f"{name:24} {value:.3f}" if isinstance(value, float) else f"{name:24} {value}")
        return
    print("  ".join(f"{name:>16}" for name in rows[0]))
    for row in rows:
        print("  ".join(f"{value:>16.3f}" if isinstance(value, float) else f"{value:>16}" for value in row.values()))


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--growth", action="store_true", help="cost against features, vocabulary and sets instead")
    parser.add_argument("--sets", type=int, default=N_SETS, help=f"token sets, spread over the library ({N_SETS})")
    parser.add_argument("--turns", type=int, default=5, help="times that product and pass are timed (5)")
    parser.add_argument("--many", action="store_true", help="also watch the memory of 24,576 features (takes longer)")
    options = parser.parse_args()
    if options.growth:
        rows = growth()
    else:
        rows = [measure(options.sets, options.turns, many=options.many) | measure_library(options.turns)]
    if options.json:
        print(json.dumps({"machine": describe(), "rows": rows} if options.growth else rows[0]))
    else:
        show(rows)


if __name__ == "__main__":
    main()
