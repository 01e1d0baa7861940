"""A model made up in memory that is ingested in a second: 16 wide, with four hundred of GPT-2's tokens."""

from __future__ import annotations

from functools import cache

import numpy as np

from tests.support import gpt2
from tsea_db import ModelWeights, SaeWeights, Vocabulary

D_MODEL, N_TOKENS, N_LAYERS = 16, 400, 3
_VERBS = (
    "began begun went gone took taken wrote written gave given knew known saw seen came spoke spoken broke broken "
    "chose chosen drove driven ate eaten fell fallen flew flown forgot forgotten grew grown hid hidden rode "
    "ridden rose risen shook shaken sang sung sank sunk stole stolen swam swum threw thrown woke woken wore worn "
    "walked used"
)


@cache
def vocabulary() -> Vocabulary:
    """The verbs above and the first tokens of GPT-2, so that there are contrasts to score."""
    verbs = [f"Ġ{verb}" for verb in _VERBS.split() if f"Ġ{verb}" in gpt2.spellings()]
    spellings = list(dict.fromkeys([*verbs, *gpt2.spellings()]))[:N_TOKENS]
    return Vocabulary.from_byte_level({spelling: i for i, spelling in enumerate(spellings)}, N_TOKENS)


def model(name: str = "small", *, seed: int = 0, norm_weight: bool = True) -> ModelWeights:
    """A model with a final RMSNorm far from one and output matrices that are no identity."""
    rng = np.random.default_rng(seed)
    output = rng.standard_normal((N_LAYERS, 12, D_MODEL)).astype(np.float32)
    return ModelWeights(
        name=name,
        source="memory",
        unembedding=rng.standard_normal((D_MODEL, N_TOKENS)).astype(np.float32),
        norm_weight=rng.uniform(0.2, 3, D_MODEL).astype(np.float32) if norm_weight else None,
        norm_folded=False,
        normalization="RMS",
        soft_cap=None,
        n_layers=N_LAYERS,
        vocabulary=vocabulary(),
        output_matrix=lambda hook_point: output[hook_point.layer],
    )


def sae(
    name: str = "made up", *, seed: int = 0, rows: int = 60, hook_point: str = "blocks.1.hook_resid_post"
) -> SaeWeights:
    W_dec = np.random.default_rng([7, seed]).standard_normal((rows, D_MODEL)).astype(np.float32)
    return SaeWeights(name, "memory", hook_point, "standard", W_dec)
