"""The unembedding as features see it: with the final norm folded in, and centred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsea_db.errors import WeightsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsea_db.weights.model import ModelWeights

PROCESSINGS = ("raw", "folded", "folded+centred")
COSINE = "+cosine"
"""Suffix of a processing: each column of U is divided by its norm, so that logit weights become cosines."""


@dataclass(frozen=True)
class Unembedding:
    """The matrix that turns a residual-stream direction into logit weights.

    Attributes:
        matrix: U, float32, (d_model, d_vocab), C order.
        processing: What was done to the model's own ``W_U``.
    """

    matrix: NDArray[np.float32]
    processing: str


def default_processing(model: ModelWeights) -> str:
    """Return what TransformerLens would do: fold and centre, but not centre where logits are soft-capped.

    Centring shifts all logits of a position alike, which a soft cap does not pass on unchanged.
    """
    return "folded+centred" if model.soft_cap is None else "folded"


def process_unembedding(model: ModelWeights, processing: str | None = None) -> Unembedding:
    """Fold and centre a model's unembedding.

    ``folded`` multiplies row i of ``W_U`` by the final norm's weight i. ``folded+centred`` then subtracts each column's
    mean over d_model (for LayerNorm only, which removes that mean itself) and each row's mean over the vocabulary; this
    is ``HookedTransformer(...).W_U`` after its default processing. Computed in float64, returned in float32.

    Args:
        model: The model, whose norm may be folded in already.
        processing: One of :data:`PROCESSINGS`, with ``+cosine`` to divide columns by their norms; None for the
            model's default, see :func:`default_processing`.

    Raises:
        WeightsError: Unknown processing; raw weights asked of a model whose norm is folded in already; NaN or infinity.
    """
    chosen = default_processing(model) if processing is None else processing
    steps = chosen.removesuffix(COSINE)
    if steps not in PROCESSINGS:
        msg = f"Unknown processing {chosen!r}: choose {', '.join(PROCESSINGS)}, each with or without {COSINE}."
        raise WeightsError(msg)
    if steps == "raw" and model.norm_folded:
        msg = (
            f"The final norm of {model.name} is folded into its unembedding already, so the raw one is not to be had. "
            "Load the model without processing, or choose folded."
        )
        raise WeightsError(msg)
    matrix = model.unembedding.astype(np.float64)
    if steps != "raw" and model.norm_weight is not None:
        matrix *= model.norm_weight.astype(np.float64)[:, None]
    if steps == "folded+centred":
        if model.normalization == "LN":
            matrix -= matrix.mean(axis=0, keepdims=True)
        matrix -= matrix.mean(axis=1, keepdims=True)
    finite = np.isfinite(matrix).all(axis=0)
    if not finite.all():
        msg = f"The unembedding of {model.name} has NaN or infinity, first for token {int(np.argmin(finite))}."
        raise WeightsError(msg)
    if chosen.endswith(COSINE):
        norms = np.linalg.norm(matrix, axis=0, keepdims=True)
        matrix /= np.where(norms > 0, norms, 1)
    return Unembedding(matrix.astype(np.float32), chosen)
