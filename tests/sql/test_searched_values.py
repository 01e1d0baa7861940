"""Searches, false-discovery rates and names, held against plain NumPy and scipy on a small made-up model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import tsea_db
from tests.support import made_up
from tsea_db import Store
from tsea_db.errors import QueryError

A, B = "verb_past", "verb_past_participle"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two SAEs of layers 0 and 2, the lower one with features that mean the two sets; labelled."""
    path = tmp_path_factory.mktemp("searched") / "store.duckdb"
    saes = [
        made_up.sae("lower", seed=1, rows=120, hook_point="blocks.0.hook_resid_post"),
        made_up.sae("upper", seed=2, rows=80, hook_point="blocks.2.hook_resid_post"),
    ]
    model = made_up.model()
    sets = {s.name: s.token_ids for s in tsea_db.build_catalogue(model.vocabulary)}
    U = model.unembedding - model.unembedding.mean(axis=1, keepdims=True)
    of_a, of_b = (U[:, sets[name]].mean(axis=1) for name in (A, B))
    saes[0].W_dec[:12] = saes[0].W_dec[:12] * 0.01 + np.repeat([of_a, of_b, of_a - of_b], 4, axis=0)
    tsea_db.create(path).ingest(model, saes, progress=False)
    tsea_db.open(path, mode="rw").label()
    return tsea_db.open(path)


def q_of(log10_p: pd.Series) -> np.ndarray:
    return np.log10(scipy.stats.false_discovery_control(10.0 ** log10_p.to_numpy(np.float64)))


@pytest.mark.parametrize("q", [1.0, 0.5, 0.01])
def test_q_of_one_set_given_another(store: Store, q: float) -> None:
    given = store.sql(f"from conditional('{A}', '{B}')").df()
    found = store.sql(f"from conditional_q('{A}', '{B}', q := {q})").df().set_index(["sae", "feature"])
    n_below = 0
    for sae, rows in given.groupby("sae"):
        log10_p = pd.Series((np.log(2) + scipy.stats.norm.logsf(rows["z"].abs())) / np.log(10))
        for feature, p, expected in zip(rows["feature"], log10_p, q_of(log10_p), strict=True):
            if expected < np.log10(q) or q == 1:
                n_below += 1
                assert found.loc[(sae, feature), "log10_p"] == pytest.approx(p, abs=1e-5)
                assert found.loc[(sae, feature), "log10_q"] == pytest.approx(expected, abs=1e-5)
    assert n_below == ((found["log10_q"] < np.log10(q)).sum() if q < 1 else 200)
    assert n_below > 0


@pytest.mark.parametrize("q", [0.5, 0.2])
def test_q_over_all_sets_of_an_sae(store: Store, q: float) -> None:
    family = store.sql("select feature, set_name, phrase, z_direction, log10_p from scored where sae = 'lower'").df()
    family["log10_q"] = q_of(family["log10_p"])
    expected = family[family["log10_q"] < np.log10(q) - 1e-9].set_index(["feature", "set_name"]).sort_index()
    rows = store.sql(f"from global_q('lower', q := {q})").df()
    assert rows["log10_q"].is_monotonic_increasing
    found = rows.set_index(["feature", "set_name"]).sort_index()
    assert len(expected) > 0
    assert found.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(found["log10_q"], expected["log10_q"], atol=1e-5)
    np.testing.assert_array_equal(found["z"], expected["z_direction"])
    assert found["phrase"].tolist() == expected["phrase"].tolist()


def pairs(rows: pd.DataFrame) -> set[tuple[str, int]]:
    return set(zip(rows["sae"], rows["feature"], strict=True))


def test_suppressed_beside_enriched_narrows_the_search(store: Store) -> None:
    z = store.sql("select sae, feature, set_name, z_direction as z, log10_q from scored").df()
    z = z[z["log10_q"] < 0]
    up, down = z[z["z"] > 0], z[z["z"] < 0]
    names = ("starts_with_capital", "noun_singular", A)
    n_narrowed = 0
    for a in names:
        promoted = up[up["set_name"] == a]
        assert pairs(store.find(enriched=(a,), q=1.0, limit=None).df()) == pairs(promoted)
        for b in set(names) - {a}:
            suppressed = pairs(down[down["set_name"] == b])
            found = store.find(enriched=(a,), suppressed=(b,), q=1.0, limit=None).df()
            assert pairs(found) == pairs(promoted) & suppressed
            assert found["z"].is_monotonic_decreasing
            assert "top_tokens" in found
            n_narrowed += 0 < len(found) < len(promoted)
            without = store.find(enriched=(a,), not_enriched=(b,), q=1.0, limit=None).df()
            assert pairs(without) == pairs(promoted) - pairs(up[up["set_name"] == b])
            strong = pairs(promoted[promoted["z"] >= 1]) & pairs(down[(down["set_name"] == b) & (down["z"] <= -1)])
            assert pairs(store.find(enriched=(a,), suppressed=(b,), min_z=1, q=1.0, limit=None).df()) == strong
        alone = store.find(suppressed=(a,), q=1.0, limit=None).df()
        assert pairs(alone) == pairs(down[down["set_name"] == a])
        assert "bottom_tokens" in alone
        assert alone["z"].is_monotonic_increasing
    assert n_narrowed > 2


def test_searches_by_sae_layer_and_kurtosis(store: Store) -> None:
    features = store.sql("select name as sae, features.* from features join saes using (sae_id)").df()
    high = features[features["kurtosis"] >= 3]
    assert 0 < len(high) < 200
    assert pairs(store.find(min_kurtosis=3, limit=None).df()) == pairs(high)
    assert pairs(store.find(min_kurtosis=3, layers=(2,), limit=None).df()) == pairs(high[high["sae"] == "upper"])
    assert pairs(store.find(min_kurtosis=3, saes=("lower",), limit=None).df()) == pairs(high[high["sae"] == "lower"])
    assert len(store.find(limit=7).df()) == 7


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"saes": ("a name before the others",)}, "no SAE called 'a name before the others'"),
        ({"saes": ("lower", "m")}, "no SAE called 'm'"),
        ({"layers": (1,)}, "no SAE of layer 1 in the store; it has layers 0, 2"),
        ({"layers": (-1,)}, "no SAE of layer -1"),
        ({"layers": (3,)}, "no SAE of layer 3"),
        ({"classes": ("a class",)}, "no class called 'a class'"),
        ({"labels": ("a label",)}, "no label called 'a label'"),
        ({"enriched": ("a set",)}, "no token set called 'a set'"),
    ],
)
def test_names_that_come_before_known_ones_are_unknown_too(
    store: Store, asked: dict[str, object], message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        store.find(**asked)


@pytest.mark.parametrize("name", ["a name before the others", "m"])
def test_saes_before_known_ones_are_unknown_too(store: Store, name: str) -> None:
    for ask in (store.features, store.scores, store.labels):
        with pytest.raises(QueryError, match=f"no SAE called '{name}'"):
            ask(name)


def test_scores_and_features_of_an_sae_are_its_own(store: Store) -> None:
    assert set(store.features("upper").df()["sae"]) == {"upper"}
    assert len(store.features("upper").df()) == 80
    scores = store.scores("upper", token_set=A, feature=5).df()
    assert scores[["sae", "set_name", "feature"]].to_numpy().tolist() == [["upper", A, 5]]


def test_an_empty_store_has_no_names(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="no SAE called 'x'"):
        tsea_db.create(tmp_path / "empty.duckdb").find(saes=("x",))
