"""Inputs of the benchmarks: real token sets of the GPT-2 vocabulary, weights of GPT-2's size with the sets in them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from tests import gpt2
from tsea_db.kernels.set_matrix import SetMatrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

D_MODEL = 768
VOCABULARY = 50_257


def load_sets(n_sets: int) -> SetMatrix:
    """The built-in library on the GPT-2 vocabulary, filled up with sets of tokens that begin or end alike.

    The sets that fill up hold tokens of at least four letters with one prefix or suffix of two or three, largest first.
    """
    members = [token_set.token_ids for token_set in gpt2.catalogue().values()]
    members = [ids for ids in members if 0 < len(ids) < VOCABULARY][:n_sets]
    alike: dict[str, list[int]] = defaultdict(list)
    for spelling, token in gpt2.spellings().items():
        letters = spelling.lstrip("Ġ").lower()
        if len(letters) >= 4 and letters.isalpha():
            for affix in (letters[:2] + "-", letters[:3] + "-", "-" + letters[-2:], "-" + letters[-3:]):
                alike[affix].append(token)
    by_size = sorted(alike.items(), key=lambda item: (-len(item[1]), item[0]))
    members += [np.array(ids, np.int32) for _, ids in by_size[: n_sets - len(members)]]
    return SetMatrix.from_sets(members, VOCABULARY)


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
