"""How far the forms of the pass and rounded factors move ranks and scores: ``python -m benchmarks.agreement [--json]``.

On the six SAEs of the demo and on weights of GPT-2's size, against the pass as it is by default. TF32 and bfloat16 are
what GPUs round the factors of a product to; here they are rounded first and multiplied in float32.
"""

from __future__ import annotations

import argparse
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import tiny_lm
from benchmarks.enrichment import Report, show
from benchmarks.workload import load_library, make_weights
from tsea_db import load_model, load_sae
from tsea_db.kernels.device import choose_device
from tsea_db.kernels.logit_weights import logit_weight_tiles
from tsea_db.kernels.product import PackedUnembedding
from tsea_db.kernels.ranking import LISTED_TOKENS, order_rows
from tsea_db.kernels.running_sum import enrichment_scores
from tsea_db.kernels.set_matrix import SetMatrix
from tsea_db.token_sets import load_catalogue
from tsea_db.weights.sae import directions
from tsea_db.weights.unembedding import process_unembedding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Rounding = Callable[[Rows], Rows]

RANKED_FEATURES = 64
"""Features of each SAE whose whole rankings are compared."""


@dataclass(frozen=True)
class Case:
    """Directions (n, d_model), an unembedding (d_model, V) and sets over its tokens."""

    directions: Rows
    unembedding: Rows
    sets: SetMatrix


def demo() -> Iterator[Case]:
    """The SAEs of the demo."""
    model = load_model(tiny_lm.MODEL)
    members = [s.token_ids for s in load_catalogue(model.vocabulary) if 2 <= len(s) <= model.d_vocab - 2]
    unembedding, sets = process_unembedding(model).matrix, SetMatrix.from_sets(members, model.d_vocab)
    for folder in tiny_lm.SAES:
        yield Case(directions(load_sae(folder), model), unembedding, sets)


def gpt2_size() -> Iterator[Case]:
    """512 made-up features of GPT-2's size."""
    sets = load_library()
    yield Case(*make_weights(512, sets), sets)


def to_bits(kept: int) -> Rounding:
    """Return what rounds float32 numbers to some bits of mantissa, ties to even."""
    dropped = 23 - kept

    def rounded(numbers: Rows) -> Rows:
        bits = np.ascontiguousarray(numbers).view(np.uint32)
        half = np.uint32((1 << (dropped - 1)) - 1) + ((bits >> np.uint32(dropped)) & np.uint32(1))
        return ((bits + half) & ~np.uint32((1 << dropped) - 1)).view(np.float32)

    return rounded


@contextmanager
def without_c() -> Iterator[None]:
    """Leave the C form out."""
    os.environ["TSEA_DB_NO_EXTENSION"] = "1"
    try:
        yield
    finally:
        del os.environ["TSEA_DB_NO_EXTENSION"]


def scores(case: Case, device: str = "cpu") -> tuple[Rows, NDArray[np.int32]]:
    """ES (n, S) and the highest tokens (n, 20)."""
    packed = PackedUnembedding.pack(case.unembedding)
    blocks = list(choose_device(device).score_features(case.directions, packed, case.sets))
    return np.concatenate([block.es for block in blocks]), np.concatenate([block.top_ids for block in blocks])


def numba_scores(case: Case) -> tuple[Rows, NDArray[np.int32]]:
    """The same from the same logit weights, ranked and walked by the numba kernels."""
    tiles = [tile.copy() for _, tile in logit_weight_tiles(case.directions, case.unembedding)]
    es = [enrichment_scores(tile, case.sets).es for tile in tiles]
    return np.concatenate(es), np.concatenate([order_rows(tile)[:, :LISTED_TOKENS] for tile in tiles])


def ranks(case: Case) -> NDArray[np.int64]:
    """Rank of each token for the first features, (RANKED_FEATURES, V)."""
    order = order_rows(case.directions[:RANKED_FEATURES] @ case.unembedding)
    places = np.empty(order.shape, np.int64)
    np.put_along_axis(places, order.astype(np.int64), np.arange(order.shape[1])[None], axis=1)
    return places


def compare(cases: Callable[[], Iterator[Case]], form: str) -> Report:
    """Count what differs from the default between one form and it."""
    moved, lists, rank_moves = [], [], []
    rounding = {"TF32 factors": to_bits(10), "bfloat16 factors": to_bits(7)}.get(form)
    for case in cases():
        expected, expected_top = scores(case)
        if rounding:
            other = Case(rounding(case.directions), rounding(case.unembedding), case.sets)
            got, top = scores(other)
            rank_moves.append(np.abs(ranks(other) - ranks(case)).ravel())
        elif form == "numba walk":
            got, top = numba_scores(case)
        elif form == "without the C library":
            with without_c():
                got, top = scores(case)
        else:
            got, top = scores(case, form)
        moved.append(np.abs(got - expected).ravel())
        lists.append((np.sort(top, axis=1) != np.sort(expected_top, axis=1)).any(axis=1))
    changes, ranking = np.concatenate(moved), np.concatenate(rank_moves) if rank_moves else np.zeros(1)
    return {
        "weights": cases.__name__,
        "form": form,
        "pairs": changes.size,
        "es_off_1e-6": int((changes > 1e-6).sum()),
        "share": float((changes > 1e-6).mean()),
        "es_p99": float(np.quantile(changes, 0.99)),
        "es_largest": float(changes.max()),
        "other_top20": float(np.concatenate(lists).mean()),
        "rank_median": float(np.median(ranking)),
        "rank_largest": float(ranking.max()),
    }


def main() -> None:
    """Parse, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    forms = ("numba walk", "without the C library", "torch:cpu", "TF32 factors", "bfloat16 factors")
    rows = [compare(cases, form) for cases in (demo, gpt2_size) for form in forms]
    if options.json:
        print(json.dumps({"rows": rows}))
    else:
        show(rows)


if __name__ == "__main__":
    main()
