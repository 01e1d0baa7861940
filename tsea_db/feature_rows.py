"""Kernel results into the tables ``features``, ``scores`` and ``sae_sets``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tsea_db import schema
from tsea_db.bulk_load import bulk_load

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from tsea_db.kernels.scoring import FeatureBlock
    from tsea_db.stored_sets import StoredSet
    from tsea_db.token_sets import Vocabulary
    from tsea_db.weights.sae import SaeWeights

_SCORES_A_CHUNK = 4_000_000
"""Scores held before they are written, about 100 MB of them; memory does not grow with the SAE."""


class FeatureLoader:
    """Takes the blocks of one SAE in order and writes them in chunks, sorted by set and then by feature.

    Everything happens in the transaction of the connection given.
    """

    def __init__(
        self,
        connection: Connection,
        sae_id: int,
        sets: list[StoredSet],
        sae: SaeWeights | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        """Prepare to load scores for ``sets``, and ``features`` too where an SAE and its vocabulary are given."""
        self._connection = connection
        self._sae_id = sae_id
        self._sets = sets
        self._sae = sae
        self._texts = None if vocabulary is None else pa.array(vocabulary.texts, pa.string())
        self._blocks: list[FeatureBlock] = []
        self._n_held = 0
        self._n_scored = 0

    def add(self, block: FeatureBlock) -> None:
        """Take the next block."""
        self._blocks.append(block)
        self._n_held += block.es.size
        if self._n_held >= _SCORES_A_CHUNK:
            self._flush()

    def finish(self) -> int:
        """Write what is left and enter which sets the SAE now has scores for; return the number of scores."""
        self._flush()
        n = len(self._sets)
        rows = {
            "sae_id": pa.array(np.full(n, self._sae_id, np.int32)),
            "set_id": pa.array([stored.set_id for stored in self._sets], pa.int32()),
            "content_hash": pa.array([stored.content_hash for stored in self._sets], pa.string()),
            "n_scored": pa.array(np.full(n, self._n_scored, np.int32)),
        }
        bulk_load(self._connection, schema.sae_sets, pa.table(rows))
        return self._n_scored * n

    def _flush(self) -> None:
        if not self._blocks:
            return
        scored = np.concatenate([~block.zero_direction for block in self._blocks])
        features = np.concatenate([np.arange(b.start, b.start + len(b), dtype=np.int32) for b in self._blocks])
        if self._sae is not None:
            bulk_load(self._connection, schema.features, self._feature_rows(self._sae, features, scored))
        bulk_load(self._connection, schema.scores, self._score_rows(features[scored], scored))
        self._n_scored += int(scored.sum())
        self._blocks.clear()
        self._n_held = 0

    def _stack(self, column: str) -> NDArray[Any]:
        return np.concatenate([getattr(block, column) for block in self._blocks])

    def _score_rows(self, features: NDArray[np.int32], scored: NDArray[np.bool_]) -> pa.Table:
        n_sets, n_features = len(self._sets), len(features)
        set_ids = np.array([stored.set_id for stored in self._sets], dtype=np.int32)
        return pa.table(
            {
                "sae_id": np.full(n_sets * n_features, self._sae_id, np.int32),
                "set_id": np.repeat(set_ids, n_features),
                "feature": np.tile(features, n_sets),
                "es": self._stack("es")[scored].T.ravel(),
                "peak_rank": self._stack("peak_rank")[scored].T.ravel(),
            }
        )

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
            columns[f"{end}_tokens"] = _lists(self._texts.take(pa.array(ids.ravel())), ids.shape[1], scored)  # type: ignore[union-attr]
            values = self._stack(f"{end}_values").ravel()
            columns[f"{end}_logits"] = _lists(pa.array(values), ids.shape[1], scored)
        return pa.table(columns)


def _lists(values: pa.Array, length: int, scored: NDArray[np.bool_]) -> pa.ListArray:
    """Cut a flat array into lists of ``length``, NULL for features that are not scored."""
    offsets = np.arange(0, len(values) + 1, length, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(~scored))
