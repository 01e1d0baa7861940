"""Every column that views and macros give, counted again from the tables."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pandas as pd
import pytest

from tsea_db import Store
from tsea_db.statistics.fdr import benjamini_hochberg


@pytest.fixture(scope="module")
def client(labelled_store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB client that knows nothing of the package."""
    with duckdb.connect(str(labelled_store.path), read_only=True) as connection:
        yield connection


def test_the_view_of_scores_counts_the_leading_edge(labelled_store: Store) -> None:
    """Members at or before the peak, or after the trough, walked again along the logit weights of three features."""
    members = {
        set_id: np.asarray(ids)
        for set_id, ids in labelled_store.sql("select set_id, list(token_id) from memberships group by 1").fetchall()
    }
    signs = set()
    for sae, feature in (("blocks.3.hook_resid_post", 394), ("blocks.2.mlp", 3), ("blocks.2.attn.hook_z", 389)):
        weights = labelled_store.logit_weights(sae, feature)
        rank = np.empty(len(weights), np.int64)
        rank[np.argsort(-weights, kind="stable")] = np.arange(1, len(weights) + 1)
        rows = labelled_store.sql(
            "from scored where sae = $sae and feature = $feature", {"sae": sae, "feature": feature}
        ).df()
        for row in rows.itertuples():
            before = rank[members[row.set_id]] <= row.peak_rank
            assert row.leading_edge == (before if row.es >= 0 else ~before).sum()
            signs.add(row.es >= 0)
    assert signs == {True, False}


def test_the_view_of_scores_is_its_tables(client: duckdb.DuckDBPyConnection) -> None:
    rows = client.sql("from scored where sae = 'blocks.2.attn.hook_z' order by feature, set_id").df()
    table = client.sql(
        "select scores.* from scores join saes using (sae_id) where name = 'blocks.2.attn.hook_z' "
        "order by feature, set_id"
    ).df()
    same = ["sae_id", "set_id", "feature", "es", "peak_rank", "z_direction", "log10_p", "log10_q", "log10_p_es"]
    pd.testing.assert_frame_equal(rows[same], table[same])
    sets = client.sql("from token_sets join set_nulls using (set_id)").df().set_index("set_id").loc[rows["set_id"]]
    for name, source in (("set_name", "name"), ("family", "family"), ("phrase", "phrase"), ("size", "size")):
        assert rows[name].tolist() == sets[source].tolist()
    np.testing.assert_allclose(rows["nes"], rows["es"] / sets["mean_abs_es"].to_numpy(), rtol=1e-5)
    beyond = rows["log10_p_es"].notna() & (rows["es"].abs() > sets["threshold"].to_numpy())
    assert rows["log10_p_es_extrapolated"].tolist() == beyond.tolist()
    assert 0 < beyond.sum() < len(beyond)


@pytest.mark.parametrize(("macro", "sign"), [("enriched", 1), ("suppressed", -1)])
@pytest.mark.parametrize("q", [None, 0.2])
def test_enriched_and_suppressed_give_the_scores_strongest_first(
    client: duckdb.DuckDBPyConnection, macro: str, sign: int, q: float | None
) -> None:
    rows = client.sql(f"from {macro}('verb_past'{'' if q is None else f', q := {q}'})").df()
    scored = client.sql("select *, z_direction as z from scored where set_name = 'verb_past'").df()
    wanted = scored[(scored["z"] * sign > 0) & (scored["log10_q"] < np.log10(q or 0.05))]
    wanted = wanted.assign(strength=wanted["z"].abs()).sort_values(
        ["strength", "sae", "feature"], ascending=[False, True, True], ignore_index=True
    )
    assert len(wanted) > 20
    pd.testing.assert_frame_equal(rows, wanted[["sae", "feature", "z", "log10_q", "es", "nes"]])


@pytest.mark.parametrize("q", [0.3, 0.9])
def test_specific_wants_the_set_itself_promoted(client: duckdb.DuckDBPyConnection, q: float) -> None:
    """A feature that suppresses A less than suppressing B implies does not promote A."""
    given = client.execute("from conditional_q('verb_past', 'verb_past_participle', q := $q)", {"q": q}).df()
    beyond = given[(given["z"] > 0) & (given["log10_q"] < np.log10(q)) & (given["log10_q_a"] < np.log10(q))]
    wanted = beyond[beyond["z_a"] > 0].sort_values(
        ["z", "sae", "feature"], ascending=[False, True, True], ignore_index=True
    )
    assert 0 < len(wanted) < len(beyond)
    found = client.execute("from specific('verb_past', 'verb_past_participle', q := $q)", {"q": q}).df()
    columns = ["sae", "feature", "z", "log10_q", "z_a", "z_b", "log10_q_a", "es"]
    pd.testing.assert_frame_equal(found, wanted[columns])


def test_a_conditional_score_comes_with_both_sets_scores(client: duckdb.DuckDBPyConnection) -> None:
    rows = client.sql("from conditional('verb_past', 'all_caps') order by sae_id, feature").df()
    for name, columns in (
        ("verb_past", {"set_id": "set_id", "z_a": "z_direction", "log10_q_a": "log10_q", "es": "es"}),
        ("all_caps", {"given_id": "set_id", "z_b": "z_direction"}),
    ):
        scored = client.execute("from scored where set_name = $name order by sae_id, feature", {"name": name}).df()
        assert scored["sae"].tolist() == rows["sae"].tolist()
        for column, source in columns.items():
            np.testing.assert_array_equal(rows[column], scored[source])


def test_q_of_the_conditional_macro_is_left_out_only_where_it_cannot_matter(client: duckdb.DuckDBPyConnection) -> None:
    everything = client.sql("from conditional_q('verb_past_strict', 'verb_past_participle_strict', q := 1.0)").df()
    assert len(everything) == 10_240
    for q in (0.05, 0.2):
        some = client.execute(
            "from conditional_q('verb_past_strict', 'verb_past_participle_strict', q := $q)", {"q": q}
        ).df()
        both = everything.merge(some, on=["sae", "feature"], suffixes=("", "_some"), how="left")
        assert len(some) < len(everything)
        below = both["log10_q"] < np.log10(q)
        assert below.any()
        np.testing.assert_allclose(both["log10_q_some"][below], both["log10_q"][below], atol=1e-9)
        assert (both["log10_q_some"][~below].dropna() >= np.log10(q)).all()


def test_a_profile_is_all_scores_of_a_feature(client: duckdb.DuckDBPyConnection) -> None:
    rows = client.sql("from profile('blocks.3.hook_resid_pre', 1438)").df()
    scored = client.sql(
        "select set_name, s.phrase, s.family, s.size, s.z_direction z, log10_q, es, nes, peak_rank, n.decodability "
        "from scored s join set_nulls n using (set_id) where sae = 'blocks.3.hook_resid_pre' and feature = 1438 "
        "order by z desc nulls last, set_id"
    ).df()
    pd.testing.assert_frame_equal(rows, scored)
    [(sets,)] = client.sql("select count(*) from sae_sets join saes using (sae_id) where sae_id = 0").fetchall()
    assert len(rows) == sets


def test_global_q_names_its_pairs(client: duckdb.DuckDBPyConnection) -> None:
    sae = "blocks.2.mlp"
    family = client.execute("from scored where sae = $s", {"s": sae}).df()
    family["log10_global"] = benjamini_hochberg(
        family[["log10_p"]].to_numpy(np.float64), np.ones((len(family), 1), bool)
    )[:, 0]
    for q in (0.05, 0.001):
        found = client.execute("from global_q($s, q := $q)", {"s": sae, "q": q}).df()
        assert found["log10_q"].is_monotonic_increasing
        both = found.merge(family[family["log10_global"] < np.log10(q)], on=["feature", "set_name"], how="outer")
        assert len(both) == len(found) > 0
        np.testing.assert_allclose(both["log10_q_x"], both["log10_global"], atol=1e-6)
        np.testing.assert_array_equal(both["z"], both["z_direction"])
        assert both["phrase_x"].tolist() == both["phrase_y"].tolist()


def test_ratios_of_the_feature_view(client: duckdb.DuckDBPyConnection) -> None:
    rows = client.sql("from feature_columns order by sae_id, feature").df()
    nulls = client.sql("from moment_nulls").df()
    assert len(nulls) == 1
    at = list(nulls["shares"][0]).index(0.999)
    kurtosis, cos_var, d_eff = nulls["kurtosis"][0][at], nulls["cos_var_ratio"][0][at], nulls["d_eff"][0]
    np.testing.assert_allclose(rows["kurtosis_ratio"], (rows["kurtosis"] - 3) / (kurtosis - 3), rtol=1e-6)
    np.testing.assert_allclose(rows["cos_var_ratio"], d_eff * rows["cosine_variance"], rtol=1e-6)
    np.testing.assert_allclose(rows["cos_var_null_ratio"], rows["cos_var_ratio"] / cos_var, rtol=1e-6)
    saes = client.sql("from saes").df().set_index("sae_id").loc[rows["sae_id"]]
    for column, source in (("sae", "name"), ("hook_point", "hook_point"), ("layer", "layer")):
        assert rows[column].tolist() == saes[source].tolist()


def test_shapes_by_both_presets(own_store: Store) -> None:
    """With some moments made larger, so that features of every shape are there under both presets."""
    own_store.sql("update features set kurtosis = 8 * kurtosis where feature % 5 = 0")
    own_store.sql("update features set cosine_variance = 4 * cosine_variance where feature % 3 = 0")
    rows = own_store.sql("from feature_columns join feature_shapes using (sae_id, feature)").df()
    for preset, peaked, flat in (
        (
            "random_directions",
            rows["kurtosis_ratio"] > 5,
            (rows["cos_var_ratio"] > 2) & (rows["cos_var_null_ratio"] > 1),
        ),
        ("published", rows["kurtosis"] > 10, rows["cos_var_ratio"] > 3.84),
    ):
        wanted = np.where(
            peaked,
            np.where(rows["skewness"] > 0, "prediction", "suppression"),
            np.where(flat, "partition", "none"),
        )
        assert rows[preset].fillna("none").tolist() == wanted.tolist()
        assert set(wanted) == {"prediction", "suppression", "partition", "none"}


def test_labels_with_names_are_the_labels(client: duckdb.DuckDBPyConnection) -> None:
    order = ["sae_id", "feature", "position"]
    named = client.sql("from feature_labels").df().sort_values(order, ignore_index=True)
    table = client.sql("from labels").df().sort_values(order, ignore_index=True)
    shared = [c for c in table.columns if c in named.columns and c not in ("label", "evidence_tokens")]
    assert {"direction", "confidence", "sentence", "z", "given_z", "es", "nes", "top_share", "rule"} <= set(shared)
    pd.testing.assert_frame_equal(named[shared], table[shared])
    names = client.sql("from token_sets").df().set_index("set_id")["name"]
    for column, ids in (("set_name", "set_id"), ("given", "given_id")):
        known = table[ids].notna()
        assert named[column][known].tolist() == names.loc[table[ids][known]].tolist()
        assert named[column][~known].isna().all()
        assert known.any()
    classes = client.sql("from feature_classes").df()
    assert len(classes) == (table["kind"] == "class").sum() > 0
    assert sorted(classes["sentence"]) == sorted(table["sentence"][table["kind"] == "class"])
    assert sorted(classes["class"]) == sorted(table["label"][table["kind"] == "class"])
