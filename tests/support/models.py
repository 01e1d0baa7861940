"""What tests of models share."""

from __future__ import annotations

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig


class Tokenizer:
    """Just enough of a slow tokenizer for a model made up in a test."""

    all_special_ids = (0,)
    added_tokens_decoder: dict[int, str] = {}

    def __init__(self, size: int) -> None:
        self.size = size

    def get_vocab(self) -> dict[str, int]:
        return {f"Ġt{i}": i for i in range(self.size)}

    def convert_ids_to_tokens(self, token_id: int) -> str:
        return f"Ġt{token_id}"


def hooked(normalization: str, seed: int = 0) -> HookedTransformer:
    """A HookedTransformer with a final norm far from one."""
    torch.manual_seed(seed)
    cfg = HookedTransformerConfig(
        n_layers=2, d_model=24, n_ctx=8, d_head=6, n_heads=4, d_vocab=61, d_mlp=40, act_fn="gelu",
        normalization_type=normalization, model_name="made-up", seed=seed,
    )  # fmt: skip
    model = HookedTransformer(cfg)
    with torch.no_grad():
        model.unembed.W_U.normal_()
        torch.nn.init.uniform_(model.get_parameter("ln_final.w"), 0.2, 3)
    model.tokenizer = Tokenizer(61)  # type: ignore[assignment]
    return model
