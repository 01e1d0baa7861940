"""Monte Carlo of the null distributions' tails on the model in examples/tiny-lm.

Draws random directions of the residual stream and prints, for each level, how often p falls below it: the
exact t, the fitted tail of the enrichment score, and the random-token p that treats tokens as independent.

    python -m benchmarks.null_tails [--t-draws 2000000] [--es-draws 100000]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange
from safetensors.numpy import load_file

from tsea_db.statistics.direction_null import (
    direction_scores,
    read_subspace,
    sample_directions,
    set_directions,
    unembedding_gram,
)
from tsea_db.statistics.es_null import fit_es_null, log10_p_es
from tsea_db.statistics.token_null import build_token_null, log10_p_token

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL = Path(__file__).parents[1] / "examples" / "tiny-lm" / "model"
LEVELS = (0.05, 0.01, 1e-3, 1e-4, 1e-5)
NULL_DRAWS, BLOCK = 4000, 2000


def unembedding() -> NDArray[np.float32]:
    """Tied unembedding (d_model x n_tokens) with the final norm's weight folded in, centred both ways."""
    weights = load_file(MODEL / "model.safetensors")
    U = (weights["transformer.wte.weight"].astype(np.float64) * weights["transformer.ln_f.weight"].astype(np.float64)).T
    U -= U.mean(axis=0)
    U -= U.mean(axis=1, keepdims=True)
    return U.astype(np.float32)


def token_sets(n_tokens: int) -> dict[str, NDArray[np.int32]]:
    """Make sets by spelling, and random ones of the same range of sizes."""
    vocabulary = json.loads((MODEL / "tokenizer.json").read_text())["model"]["vocab"]
    words = {token[1:]: i for token, i in vocabulary.items() if token.startswith("Ġ") and token[1:].isalpha()}
    spelled = {
        "capitalised": [i for word, i in words.items() if word.istitle()],
        "lower case": [i for word, i in words.items() if word.islower()],
        "ends in ing": [i for word, i in words.items() if word.endswith("ing") and len(word) > 5],
        "ends in ed": [i for word, i in words.items() if word.endswith("ed") and len(word) > 4],
        "ends in ly": [i for word, i in words.items() if word.endswith("ly") and len(word) > 4],
        "numbers": [i for token, i in vocabulary.items() if token.strip("Ġ").isdigit()],
        "starts with qu": [i for word, i in words.items() if word.startswith("qu")],
    }
    rng = np.random.default_rng(0)
    for size in (10, 50, 200, 800):
        spelled[f"random {size}"] = rng.choice(n_tokens, size, replace=False).tolist()
    return {name: np.sort(np.array(ids, dtype=np.int32)) for name, ids in spelled.items()}


@njit(cache=True, parallel=True)
def _scores(
    ranks: NDArray[np.int32], offsets: NDArray[np.int64], ids: NDArray[np.int32], es: NDArray[np.float64]
) -> None:
    n_tokens = ranks.shape[1]
    for row in prange(ranks.shape[0]):
        for s in range(len(offsets) - 1):
            places = np.sort(ranks[row][ids[offsets[s] : offsets[s + 1]]])
            k = len(places)
            high, low = 0.0, 0.0
            for j in range(k):
                misses = (places[j] - j) / (n_tokens - k)
                high, low = max(high, (j + 1) / k - misses), min(low, j / k - misses)
            es[row, s] = high if high >= -low else low


def enrichment_scores(
    rows: NDArray[np.float64], U: NDArray[np.float32], offsets: NDArray[np.int64], ids: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Score directions (n x d_model) by walking down each one's logit weights."""
    es = np.empty((len(rows), len(offsets) - 1))
    for start in range(0, len(rows), BLOCK):
        logits = -(rows[start : start + BLOCK].astype(np.float32) @ U)
        order = np.argsort(logits, axis=1)
        ranks = np.empty_like(order, dtype=np.int32)
        np.put_along_axis(ranks, order, np.arange(U.shape[1], dtype=np.int32)[None, :], axis=1)
        _scores(ranks, offsets, ids, es[start : start + BLOCK])
    return es


def print_shares(title: str, names: list[str], sizes: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    """Print one row for each set: its share of p below each level over that level."""
    print(f"\n{title}: share of p below the level, divided by the level")
    print(f"{'set':<16}{'k':>6}" + "".join(f"{level:>10g}" for level in LEVELS))
    for name, size, row in zip([*names, "all"], [*sizes, 0], [*shares.T, shares.mean(axis=1)], strict=True):
        ratios = "".join(f"{share / level:>10.3f}" for share, level in zip(row, LEVELS, strict=True))
        print(f"{name:<16}{size or '':>6}" + ratios)


def main() -> None:
    """Run both Monte Carlos and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--t-draws", type=int, default=2_000_000)
    parser.add_argument("--es-draws", type=int, default=100_000)
    arguments = parser.parse_args()
    U = unembedding()
    names, members = zip(*token_sets(U.shape[1]).items(), strict=True)
    sizes = np.array([len(ids) for ids in members])
    offsets, ids = np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(members)
    subspace = read_subspace(unembedding_gram(U))
    sets = set_directions(U, offsets, ids, subspace)
    print(f"d_model {U.shape[0]}, d_eff {subspace.d_eff}, {U.shape[1]} tokens, {len(names)} sets")

    start, below = time.perf_counter(), np.zeros((len(LEVELS), len(names)))
    for first in range(0, arguments.t_draws, 51_200):
        count = min(51_200, arguments.t_draws - first)
        scores = direction_scores(sample_directions(count, 1, subspace, first), sets, subspace)
        below += [(scores.log10_p < np.log10(level)).sum(axis=0) for level in LEVELS]
    print_shares(f"exact t, {arguments.t_draws} draws", list(names), sizes, below / arguments.t_draws)
    print(f"{time.perf_counter() - start:.0f} s")

    start = time.perf_counter()
    null = fit_es_null(np.abs(enrichment_scores(sample_directions(NULL_DRAWS, 2, subspace), U, offsets, ids)))
    fresh = enrichment_scores(sample_directions(arguments.es_draws, 3, subspace), U, offsets, ids)
    for title, log10_p in (
        (f"ES, tail fitted to {NULL_DRAWS} draws, {arguments.es_draws} fresh ones", log10_p_es(fresh, null)),
        (
            "random-token p of the same scores",
            log10_p_token(fresh, sizes, build_token_null(sizes, U.shape[1])),
        ),
    ):
        shares = np.stack([(log10_p < np.log10(level)).mean(axis=0) for level in LEVELS])
        print_shares(title, list(names), sizes, shares)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
