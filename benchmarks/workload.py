"""Inputs of the benchmarks: the built-in library on GPT-2's vocabulary, weights of its size with the sets in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.gpt2_size import D_MODEL, D_VOCAB, vocabulary
from tsea_db.errors import InputError
from tsea_db.kernels.set_matrix import SetMatrix
from tsea_db.token_sets import load_catalogue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsea_db import TokenSet, Vocabulary


def load_library(n_sets: int | None = None) -> SetMatrix:
    """The sets of the built-in library that have a score on GPT-2's vocabulary.

    Args:
        n_sets: how many to take, spread evenly over the library in its order, so that every family is among them; None
            for all.

    Raises:
        InputError: the library has fewer.
    """
    sets = scored_sets(vocabulary(), n_sets)
    return SetMatrix.from_sets([token_set.token_ids for token_set in sets], D_VOCAB)


def scored_sets(tokens: Vocabulary, n_sets: int | None) -> list[TokenSet]:
    """The sets behind :func:`load_library`, which says what it takes and raises."""
    sets = [token_set for token_set in load_catalogue(tokens) if 2 <= len(token_set) <= len(tokens) - 2]
    if n_sets is None:
        return sets
    if not 1 <= n_sets <= len(sets):
        raise InputError(f"The library has {len(sets)} sets with a score; --sets takes 1 to that many.")
    return [sets[position * len(sets) // n_sets] for position in range(n_sets)]


def make_weights(n_features: int, sets: SetMatrix, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Decoder directions ``(n_features, 768)`` and an unembedding ``(768, V)`` that reads the sets' directions.

    Every set has a random direction that its tokens' columns share; every other feature leans towards that of one set.
    Without such structure all scores would be near 0 and the walk would have less to refine than on a real model.
    """
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((sets.n_sets, D_MODEL), dtype=np.float32)
    unembedding = rng.standard_normal((D_MODEL, sets.n_tokens), dtype=np.float32)
    for position in range(sets.n_sets):
        members = sets.token_ids[sets.offsets[position] : sets.offsets[position + 1]]
        unembedding[:, members] += 0.3 * shared[position][:, None]
    unembedding -= unembedding.mean(axis=1, keepdims=True)
    directions = rng.standard_normal((n_features, D_MODEL), dtype=np.float32)
    leaning = np.arange(0, n_features, 2)
    directions[leaning] += 0.5 * shared[rng.integers(0, sets.n_sets, len(leaning))]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions, unembedding
