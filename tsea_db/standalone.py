"""Enrichment without a store: arrays in, a table out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsea_db.errors import WeightsError
from tsea_db.kernels.scoring import score_features
from tsea_db.kernels.set_matrix import SetMatrix
from tsea_db.token_sets import load_catalogue
from tsea_db.weights.model import load_model
from tsea_db.weights.unembedding import process_unembedding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tsea_db.token_sets.token_set import TokenSet


def enrichment(W_dec: Any, W_U: Any, sets: Mapping[str, Iterable[int]] | Sequence[TokenSet]) -> pd.DataFrame:
    """Signed enrichment scores of some features for some token sets.

    Replaces ``sae_lens.tutorial.tsea.get_enrichment_df``: the absolute values are the same, the sign says whether the
    set is promoted or suppressed, and memory does not grow with features x sets x vocabulary.

    Args:
        W_dec: Decoder directions in the residual stream, (n_features, d_model), or one of them, (d_model,); a NumPy
            array or a PyTorch tensor.
        W_U: Unembedding, (d_model, d_vocab), processed as wanted (TransformerLens folds and centres by default).
        sets: Token ids by name, or token sets of the library.

    Returns:
        ES by set (rows) and feature (columns, numbered from 0), float32. Features without any effect on the logits have
        NaN, as have sets that hold no token or every token.

    Raises:
        WeightsError: Shapes do not fit, or there is NaN or infinity.
        TokenSetError: An id lies outside the vocabulary, or is given twice.
    """
    directions, unembedding = np.atleast_2d(_float32(W_dec)), _float32(W_U)
    names, members = _named(sets)
    matrix = SetMatrix.from_sets(members, unembedding.shape[-1])
    blocks = list(score_features(directions, unembedding, matrix))
    es = np.concatenate([np.where(b.zero_direction[:, None], np.float32(np.nan), b.es) for b in blocks])
    es[:, ~matrix.scorable] = np.nan
    return pd.DataFrame(es.T, index=pd.Index(names, name="set"), columns=pd.RangeIndex(len(es), name="feature"))


def score_direction(
    vector: NDArray[np.float32] | Any, model: str | Path | Any, *, processing: str | None = None
) -> pd.DataFrame:
    """Score any residual-stream direction (a probe, a steering vector, a neuron) against the whole library.

    Args:
        vector: The direction, (d_model,), or several, (n, d_model).
        model: See :func:`tsea_db.weights.model.load_model`.
        processing: See :func:`tsea_db.weights.unembedding.process_unembedding`.

    Returns:
        One row for each direction and set: direction, name, family, phrase, size, es, peak_rank, leading_edge; the most
        promoted set of a direction first.

    Raises:
        WeightsError: The vector is not as wide as the model, is zero, or has NaN or infinity; or the model is unusable.
    """
    directions = np.atleast_2d(_float32(vector))
    loaded = load_model(model)
    if directions.ndim != 2 or directions.shape[1] != loaded.d_model:
        width = loaded.d_model
        msg = f"The vector has shape {np.shape(vector)}; {loaded.name} needs ({width},) or (n, {width})."
        raise WeightsError(msg)
    unembedding = process_unembedding(loaded, processing)
    sets = [s for s in load_catalogue(loaded.vocabulary) if 1 < len(s) < loaded.d_vocab - 1]
    matrix = SetMatrix.from_sets([s.token_ids for s in sets], loaded.d_vocab)
    tables = []
    for block in score_features(directions, unembedding.matrix, matrix):
        if block.zero_direction.any():
            msg = f"Direction {block.start + int(np.argmax(block.zero_direction))} has no effect on the logits."
            raise WeightsError(msg)
        for row in range(len(block)):
            leading = np.where(block.es[row] >= 0, block.hits[row], matrix.sizes - block.hits[row])
            tables.append(
                pd.DataFrame(
                    {
                        "direction": block.start + row,
                        "name": [s.name for s in sets],
                        "family": [s.family for s in sets],
                        "phrase": [s.phrase for s in sets],
                        "size": matrix.sizes,
                        "es": block.es[row],
                        "peak_rank": block.peak_rank[row],
                        "leading_edge": leading,
                    }
                ).sort_values("es", ascending=False, kind="stable")
            )
    return pd.concat(tables, ignore_index=True)


def _float32(array: Any) -> NDArray[np.float32]:
    if hasattr(array, "detach"):
        array = array.detach().cpu().float().numpy()
    return np.ascontiguousarray(array, dtype=np.float32)


def _named(sets: Mapping[str, Iterable[int]] | Sequence[TokenSet]) -> tuple[list[str], list[NDArray[np.int64]]]:
    if isinstance(sets, Mapping):
        return list(sets), [np.fromiter(ids, dtype=np.int64) for ids in sets.values()]
    return [s.name for s in sets], [s.token_ids.astype(np.int64) for s in sets]
