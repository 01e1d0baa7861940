"""What the store needs of a language model: its unembedding, its final norm, two output matrices, its vocabulary."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tsea_db.errors import WeightsError
from tsea_db.vocabulary.tokenizers import vocabulary_from_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tsea_db.vocabulary.vocabulary import Vocabulary
    from tsea_db.weights.hook_points import HookPoint

HUB = "hub:"
"""Prefix of names to be fetched from the Hugging Face hub instead of read from disk."""


@dataclass(frozen=True, eq=False)
class ModelWeights:
    """The parts of a language model that decide what a direction does to the logits.

    Attributes:
        name: What the store calls the model.
        source: Where it was read from.
        unembedding: ``W_U`` as the model has it, float32, (d_model, d_vocab).
        norm_weight: Weight of the final norm, float32, (d_model,); None if there is none or it is folded in.
        norm_folded: Whether ``unembedding`` has the final norm's weight folded in already.
        normalization: Kind of the final norm.
        soft_cap: Logits are capped at this by a tanh; None if they are not.
        n_layers: Number of blocks.
        vocabulary: All d_vocab tokens.
        output_matrix: Returns the matrix from a hook point to the residual stream, float32, (d_hook, d_model).
    """

    name: str
    source: str
    unembedding: NDArray[np.float32]
    norm_weight: NDArray[np.float32] | None
    norm_folded: bool
    normalization: Literal["LN", "RMS", "none"]
    soft_cap: float | None
    n_layers: int
    vocabulary: Vocabulary
    output_matrix: Callable[[HookPoint], NDArray[np.float32]]

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return len(self.unembedding)

    @property
    def d_vocab(self) -> int:
        """Number of tokens, V."""
        return int(self.unembedding.shape[1])

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 of the unembedding and the final norm: what tells one model from another."""
        digest = hashlib.sha256(repr((self.unembedding.shape, self.normalization, self.norm_folded)).encode())
        for array in (self.unembedding, self.norm_weight):
            if array is not None:
                digest.update(np.ascontiguousarray(array, dtype="<f4").data)
        return digest.hexdigest()


def load_model(source: str | Path | Any, name: str | None = None) -> ModelWeights:
    """Read a model's weights.

    Args:
        source: A local Hugging Face directory, ``hub:NAME`` to fetch NAME from the Hugging Face hub, a
            ``TransformerBridge`` or ``HookedTransformer`` in memory, or a :class:`ModelWeights`, which is returned.
        name: What the store will call it; by default the directory's or the hub's name.

    Raises:
        WeightsError: There is no such directory, it holds no model, or the model cannot be read.
    """
    if isinstance(source, ModelWeights):
        return source
    if not isinstance(source, (str, Path)):
        return _from_transformer_lens(source, name or str(source.cfg.model_name), "memory")
    if str(source).startswith(HUB):
        hub_name = str(source).removeprefix(HUB)
        return _from_transformer_lens(_boot(hub_name), name or hub_name, str(source))
    path = Path(source)
    if not path.is_dir():
        msg = f"No such directory: {path}. Give a Hugging Face model directory, or {HUB}NAME to fetch one from the hub."
        raise WeightsError(msg)
    if not (path / "config.json").is_file():
        msg = f"{path} is not a Hugging Face model directory: it has no config.json."
        raise WeightsError(msg)
    return _from_transformer_lens(_boot(str(path)), name or _directory_name(path), str(path.resolve()))


def _directory_name(path: Path) -> str:
    """Return the folder's name, or its parent's where the folder is just called "model"."""
    resolved = path.resolve()
    return resolved.parent.name if resolved.name == "model" else resolved.name


def _boot(name_or_path: str) -> Any:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return TransformerBridge.boot_transformers(name_or_path)
    except Exception as error:  # transformers raises anything, from KeyError to SafetensorError
        msg = f"The model {name_or_path} could not be loaded: {type(error).__name__}: {error}"
        raise WeightsError(msg) from error


def _from_transformer_lens(model: Any, name: str, source: str) -> ModelWeights:
    """Take what is needed from a TransformerBridge or a HookedTransformer."""
    cfg = model.cfg
    if model.tokenizer is None:
        msg = f"The model {name} has no tokenizer, so its tokens have no text. Load it together with its tokenizer."
        raise WeightsError(msg)
    folded = cfg.normalization_type in {"LNPre", "RMSPre"} or bool(getattr(model, "compatibility_mode", False))
    kinds: dict[str, Literal["LN", "RMS"]] = {"LN": "LN", "LNPre": "LN", "RMS": "RMS", "RMSPre": "RMS"}
    normalization: Literal["LN", "RMS", "none"] = kinds.get(cfg.normalization_type, "none")
    norm_weight = None
    if normalization != "none" and not folded:
        norm_weight = _array(model.ln_final.w if hasattr(model.ln_final, "w") else model.ln_final.weight)
        if getattr(cfg, "rmsnorm_uses_offset", False):
            norm_weight = norm_weight + np.float32(1)
    unembedding = _array(model.W_U)
    soft_cap = getattr(cfg, "output_logits_soft_cap", None)

    def output_matrix(hook_point: HookPoint) -> NDArray[np.float32]:
        block = model.blocks[hook_point.layer]
        matrix = _array(block.attn.W_O if hook_point.route == "W_O" else block.mlp.W_out)
        return matrix.reshape(-1, unembedding.shape[0])

    return ModelWeights(
        name=name,
        source=source,
        unembedding=unembedding,
        norm_weight=norm_weight,
        norm_folded=folded,
        normalization=normalization,
        soft_cap=float(soft_cap) if soft_cap is not None and soft_cap > 0 else None,
        n_layers=int(cfg.n_layers),
        vocabulary=vocabulary_from_tokenizer(model.tokenizer, unembedding.shape[1]),
        output_matrix=output_matrix,
    )


def _array(tensor: Any) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().float().numpy()
    return array
