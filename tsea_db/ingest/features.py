"""Kernel results into the table ``features``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tsea_db.store import schema
from tsea_db.store.bulk import bulk_load

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from tsea_db.kernels.scoring import FeatureBlock
    from tsea_db.vocabulary import Vocabulary
    from tsea_db.weights.sae import SaeWeights

_FEATURES_A_CHUNK = 8192
"""Features held before they are written; memory does not grow with the SAE."""


class FeatureLoader:
    """Takes the blocks of one SAE in order and writes ``features`` in chunks.

    Everything happens in the transaction of the connection given.
    """

    def __init__(self, connection: Connection, sae_id: int, sae: SaeWeights, vocabulary: Vocabulary) -> None:
        """Prepare to load the features of an SAE of a model with that vocabulary."""
        self._connection = connection
        self._sae_id = sae_id
        self._sae = sae
        self._texts = pa.array(vocabulary.texts, pa.string())
        self._blocks: list[FeatureBlock] = []
        self._scored: list[NDArray[np.bool_]] = []
        self._n_held = 0

    def add(self, block: FeatureBlock, scored: NDArray[np.bool_]) -> None:
        """Take the next block and which of its features have any effect on the logits."""
        self._blocks.append(block)
        self._scored.append(scored)
        self._n_held += len(block)
        if self._n_held >= _FEATURES_A_CHUNK:
            self.finish()

    def finish(self) -> None:
        """Write what is held."""
        if not self._blocks:
            return
        features = np.concatenate([np.arange(b.start, b.start + len(b), dtype=np.int32) for b in self._blocks])
        bulk_load(
            self._connection, schema.features, self._feature_rows(self._sae, features, np.concatenate(self._scored))
        )
        self._blocks.clear()
        self._scored.clear()
        self._n_held = 0

    def _stack(self, column: str) -> NDArray[Any]:
        return np.concatenate([getattr(block, column) for block in self._blocks])

    def _feature_rows(self, sae: SaeWeights, features: NDArray[np.int32], scored: NDArray[np.bool_]) -> pa.Table:
        norms = np.linalg.norm(sae.W_dec[features].astype(np.float64), axis=1)
        columns: dict[str, Any] = {
            "sae_id": pa.array(np.full(len(features), self._sae_id, np.int32)),
            "feature": pa.array(features),
            "decoder_norm": pa.array(norms),
            "zero_direction": pa.array(~scored),
        }
        if sae.log10_density is not None and sae.dead is not None:
            columns["log10_density"] = pa.array(sae.log10_density[features])
            columns["dead"] = pa.array(sae.dead[features])
        for name in ("mean", "std", "skewness", "kurtosis", "cosine_variance"):
            columns[name] = pa.array(self._stack(name), mask=~scored)
        for end in ("top", "bottom"):
            ids = self._stack(f"{end}_ids")
            columns[f"{end}_token_ids"] = _lists(pa.array(ids.ravel()), ids.shape[1], scored)
            columns[f"{end}_tokens"] = _lists(self._texts.take(pa.array(ids.ravel())), ids.shape[1], scored)
            values = self._stack(f"{end}_values").ravel()
            columns[f"{end}_logits"] = _lists(pa.array(values), ids.shape[1], scored)
        return pa.table(columns)


def _lists(values: pa.Array, length: int, scored: NDArray[np.bool_]) -> pa.ListArray:
    """Cut a flat array into lists of ``length``, NULL for features that are not scored."""
    offsets = np.arange(0, len(values) + 1, length, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(~scored))
