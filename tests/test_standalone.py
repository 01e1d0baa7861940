"""Scores without a store."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import tsea_db
from tests.support import tiny_lm
from tsea_db.errors import TokenSetError, WeightsError


def test_it_replaces_the_tutorials_function(tutorial: ModuleType) -> None:
    rng = np.random.default_rng(0)
    W_dec, W_U = rng.standard_normal((6, 16), np.float32), rng.standard_normal((16, 500), np.float32)
    sets = {"a": [3, 1, 400], "b": list(range(100, 200)), "c": [0, 499]}
    ours = tsea_db.enrichment(torch.tensor(W_dec), torch.tensor(W_U), sets)
    theirs = tutorial.get_enrichment_df(torch.tensor(W_dec @ W_U), list(range(6)), {k: set(v) for k, v in sets.items()})
    np.testing.assert_allclose(ours.abs().to_numpy(), theirs.to_numpy(), atol=1e-6)
    assert list(ours.index) == list(theirs.index)
    assert list(ours.columns) == list(theirs.columns)


def test_what_has_no_score_is_nan() -> None:
    W_U = np.random.default_rng(0).standard_normal((4, 9)).astype(np.float32)
    table = tsea_db.enrichment(np.stack([np.ones(4), np.zeros(4)]), W_U, {"one": [2], "none": [], "all": range(9)})
    assert table.isna().to_numpy().tolist() == [[False, True], [True, True], [True, True]]
    assert tsea_db.enrichment(np.ones(4), W_U, {"one": [2]}).shape == (1, 1)


def test_sets_of_the_library() -> None:
    sets = tsea_db.build_catalogue(tiny_lm.model().vocabulary)
    direction = tsea_db.load_sae(tiny_lm.sae("blocks.3.hook_resid_post")).W_dec[394]
    table = tsea_db.enrichment(direction, tiny_lm.reference_unembedding(), sets)
    assert table.loc["verb_past", 0] > 0.7


def test_bad_arguments() -> None:
    W_U = np.ones((4, 9), np.float32)
    with pytest.raises(TokenSetError, match="outside"):
        tsea_db.enrichment(np.ones(4), W_U, {"x": [9]})
    with pytest.raises(WeightsError, match=r"shape \(1, 5\) do not fit an unembedding of shape \(4, 9\)"):
        tsea_db.enrichment(np.ones(5), W_U, {"x": [1, 2]})
    with pytest.raises(WeightsError, match="NaN or infinity in row 0"):
        tsea_db.enrichment(np.full(4, np.nan), W_U, {"x": [1, 2]})


def test_any_direction_can_be_scored() -> None:
    directions = tsea_db.load_sae(tiny_lm.sae("blocks.3.hook_resid_post")).W_dec[[394, 1432]]
    rows = tsea_db.score_direction(directions, tiny_lm.model())
    past = rows[(rows["direction"] == 0) & (rows["name"] == "verb_past")]
    assert past["es"].item() > 0.7
    capitals = rows[(rows["direction"] == 1) & (rows["name"] == "starts_with_capital")]
    assert capitals["es"].item() > 0.55
    assert rows["direction"].value_counts().tolist() == [len(rows) // 2] * 2
    with pytest.raises(WeightsError, match=r"shape \(7,\); tiny-lm needs \(192,\)"):
        tsea_db.score_direction(np.ones(7), tiny_lm.model())
    with pytest.raises(WeightsError, match="Direction 1 has no effect"):
        tsea_db.score_direction(np.stack([directions[0], np.zeros(192)]), tiny_lm.model())


def test_stored_scores_are_the_same(tiny_store: tsea_db.Store, tmp_path: Path) -> None:
    direction = tsea_db.load_sae(tiny_lm.sae("blocks.3.hook_resid_post")).W_dec[7]
    fresh = tsea_db.score_direction(direction, tiny_lm.model()).set_index("name")["es"]
    stored = tiny_store.feature("blocks.3.hook_resid_post", 7).scores.set_index("name")["es"]
    np.testing.assert_allclose(fresh[stored.index], stored, atol=1e-6)
