"""Hook points: where an SAE writes, and how that reaches the residual stream.

Names are TransformerLens'. A decoder row at a hook point is a direction of the residual stream after the matrix below;
where a nonlinearity lies between, there is no such direction and the hook point is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from tsea_db.errors import WeightsError

Route = Literal["identity", "W_O", "W_out"]

_ROUTES: tuple[tuple[str, Route], ...] = (
    (r"blocks\.(\d+)\.hook_resid_(?:pre|mid|post)", "identity"),
    (r"blocks\.(\d+)\.hook_(?:mlp|attn)_out", "identity"),
    (r"blocks\.(\d+)\.(?:hook_in|hook_out|(?:mlp|attn)\.hook_out)", "identity"),
    (r"(?:hook_embed|hook_pos_embed|embed\.hook_out|pos_embed\.hook_out)", "identity"),
    (r"blocks\.(\d+)\.attn\.hook_z", "W_O"),
    (r"blocks\.(\d+)\.mlp\.hook_post", "W_out"),
)
_REFUSED: tuple[tuple[str, str], ...] = (
    (r".*attn\.hook_(?:q|k|rot_q|rot_k)", "queries and keys act through the attention softmax"),
    (r".*attn\.hook_v", "values reach the residual stream through attention patterns, which change with the input"),
    (r".*attn\.hook_(?:attn_scores|pattern)", "attention scores are no direction of the model's vectors"),
    (r".*mlp\.hook_(?:pre|pre_linear|mid)", "the MLP's nonlinearity comes after it"),
    (r".*(?:ln1|ln2|ln_final)\..*", "it is an input to a block, not something written to the residual stream"),
    (r".*hook_(?:mlp|attn)_in", "it is an input to a block, not something written to the residual stream"),
)


@dataclass(frozen=True)
class HookPoint:
    """A place where an SAE writes.

    Attributes:
        name: TransformerLens' name.
        layer: Index of the block; -1 for the embeddings, which come before block 0.
        route: The matrix between the hook point and the residual stream.
    """

    name: str
    layer: int
    route: Route

    @classmethod
    def parse(cls, name: str) -> HookPoint:
        """Look a hook point up by name.

        Raises:
            WeightsError: There is no linear path from it to the logits, or it is unknown.
        """
        for pattern, route in _ROUTES:
            if match := re.fullmatch(pattern, name):
                return cls(name, int(match[1]) if match.groups() and match[1] else -1, route)
        for pattern, reason in _REFUSED:
            if re.fullmatch(pattern, name):
                msg = f"The hook point {name} has no linear path to the logits: {reason}."
                raise WeightsError(msg)
        msg = (
            f"Unknown hook point {name!r}. Known are the residual stream (blocks.L.hook_resid_pre, _mid, _post), "
            "blocks.L.hook_mlp_out, blocks.L.hook_attn_out, blocks.L.attn.hook_z, blocks.L.mlp.hook_post and the "
            "embeddings."
        )
        raise WeightsError(msg)
