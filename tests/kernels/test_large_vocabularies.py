"""Every form of the pass on vocabularies beyond 16 and 20 bits, against counting in numpy."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.support.oracle import enrichment_by_counting
from tsea_db.kernels.native import installed_library
from tsea_db.kernels.scoring import score_features
from tsea_db.kernels.set_matrix import SetMatrix
from tsea_db.kernels.torch_scoring import score_features_on_device

FORMS: dict[str, Any] = {
    "C": score_features,
    "numba": score_features,
    "torch": partial(score_features_on_device, device="cpu"),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_tokens", [70_000, 256_000, 1_100_000])
def test_scores_are_those_of_counting(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, n_tokens: int, form: str
) -> None:
    if form == "C" and installed_library() is None:
        pytest.skip("the C form is not installed")
    if form == "numba":
        monkeypatch.setenv("TSEA_DB_NO_EXTENSION", "1")
    # Products with 1 and 0 are the factors themselves; the second feature has thousands of ties.
    unembedding = rng.standard_normal((2, n_tokens), dtype=np.float32)
    unembedding[1] = np.round(unembedding[1], 2)
    unembedding[0, n_tokens - 9 :] += 2.0
    members = [rng.choice(n_tokens, k, replace=False) for k in (1, 7, n_tokens // 3, n_tokens // 2 + 1, n_tokens - 1)]
    members.append(np.arange(n_tokens - 9, n_tokens))
    [block] = FORMS[form](np.eye(2, dtype=np.float32), unembedding, SetMatrix.from_sets(members, n_tokens))
    for feature in range(2):
        order = np.argsort(-unembedding[feature], kind="stable")
        np.testing.assert_array_equal(block.top_ids[feature], order[:20])
        np.testing.assert_array_equal(block.bottom_ids[feature], order[:-21:-1])
        for position, ids in enumerate(members):
            es, peak_rank, hits = enrichment_by_counting(unembedding[feature], ids)
            assert block.es[feature, position] == np.float32(es)
            assert (block.peak_rank[feature, position], block.hits[feature, position]) == (peak_rank, hits)
