"""What each named question answers on its example, counted again from the tables with pandas."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tsea_db import Store
from tsea_db.sql.named import named_queries, named_query

Answers = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def answers(labelled_store: Store) -> Answers:
    """The answer of every question to its example."""
    found: Answers = {}
    for name in named_queries():
        words = shlex.split(named_query(name).example)
        given = dict(word.split("=", 1) for word in words if "=" in word)
        found[name] = labelled_store.query(name, **given).df()
    return found


@pytest.fixture(scope="module")
def scored(labelled_store: Store) -> pd.DataFrame:
    """All scores, by number of SAE and set."""
    return labelled_store.sql("select sae_id, feature, set_id, z_direction z, log10_q, es from scores").df()


@pytest.fixture(scope="module")
def sets(labelled_store: Store) -> pd.DataFrame:
    return labelled_store.sql("from token_sets order by set_id").df().set_index("set_id")


@pytest.fixture(scope="module")
def saes(labelled_store: Store) -> dict[str, int]:
    """Numbers of SAEs by name."""
    return dict(labelled_store.sql("select name, sae_id from saes").fetchall())


@pytest.fixture(scope="module")
def features(labelled_store: Store) -> pd.DataFrame:
    return labelled_store.sql("select saes.name sae, layer, f.* from features f join saes using (sae_id)").df()


@pytest.fixture(scope="module")
def labels(labelled_store: Store) -> pd.DataFrame:
    return labelled_store.sql("select l.*, saes.name sae, layer from labels l join saes using (sae_id)").df()


def same(found: pd.DataFrame, expected: pd.DataFrame, **close: Any) -> None:
    """Compare rows in order, columns of the second one only."""
    assert len(expected) > 0
    pd.testing.assert_frame_equal(
        found[list(expected.columns)], expected.reset_index(drop=True), check_dtype=False, check_names=False, **close
    )


def strongest(rows: pd.DataFrame, n: int, top: pd.Series | None = None) -> list[list[str]]:
    top = rows["skewness"] >= 0 if top is None else top
    return [list((a if up else b)[:n]) for a, b, up in zip(rows["top_tokens"], rows["bottom_tokens"], top, strict=True)]


def test_class_counts(answers: Answers, labelled_store: Store, labels: pd.DataFrame) -> None:
    found = answers["class_counts"].set_index(["sae", "class"])
    shapes = labelled_store.sql("from feature_shapes").df()
    for column, rows, by in (
        ("labelled", labels[labels["kind"] == "class"], "label"),
        ("random_directions", shapes, "random_directions"),
        ("published", shapes, "published"),
    ):
        counted = rows.groupby(["sae", by]).size()
        assert found[column][found[column] > 0].to_dict() == counted.to_dict()
    assert answers["class_counts"][["layer", "sae", "class"]].apply(tuple, axis=1).is_monotonic_increasing


def test_compare_saes(answers: Answers, scored: pd.DataFrame, sets: pd.DataFrame, saes: dict[str, int]) -> None:
    promoting = scored.assign(hit=(scored["z"] > 0) & (scored["log10_q"] < np.log10(0.05)))
    grouped = promoting.groupby(["sae_id", "set_id"]).agg(hits=("hit", "sum"), best=("z", "max"))
    a, b = (grouped.loc[saes[name]] for name in ("blocks.1.hook_resid_pre", "blocks.3.hook_resid_post"))
    rows = pd.DataFrame(
        {"promoting_a": a["hits"], "promoting_b": b["hits"], "highest_z_a": a["best"], "highest_z_b": b["best"]}
    ).dropna(subset=["promoting_a", "promoting_b"])
    rows["set_name"] = sets["name"]
    rows["difference"] = (rows["promoting_a"] - rows["promoting_b"]).abs()
    rows = rows.sort_values(["difference", "set_id"], ascending=[False, True], kind="stable").drop(columns="difference")
    same(answers["compare_saes"], rows)


def test_filters_and_the_conditional_test(answers: Answers, labelled_store: Store) -> None:
    a, b = (
        labelled_store.sql(f"select sae, feature, z, log10_q, es from enriched('{name}')").df()
        for name in ("past-tense verbs", "past participles")
    )
    key = ["sae", "feature"]
    filtered = a.merge(b[key], on=key, how="left", indicator=True)
    filtered = filtered[filtered["_merge"] == "left_only"].drop(columns="_merge")
    same(answers["enriched_not"], filtered.sort_values(["z", *key], ascending=[False, True, True]))
    given = labelled_store.sql("from conditional('past-tense verbs', 'past participles')").df()
    beyond = labelled_store.sql("from specific('past-tense verbs', 'past participles')").df()
    passed = set(beyond[key].apply(tuple, axis=1))
    wrong = filtered[~filtered[key].apply(tuple, axis=1).isin(passed)]
    wrong = wrong.merge(given.rename(columns={"z": "z_given"})[[*key, "z_given"]], on=key)
    same(answers["confusable_features"], wrong.sort_values(["z", *key], ascending=[False, True, True]))
    specific = labelled_store.sql("from specific('past-tense-only verbs', 'participle-only verbs', q := 0.01)").df()
    same(answers["enriched_given"], specific)


def test_coverage(answers: Answers, labels: pd.DataFrame, features: pd.DataFrame) -> None:
    named = labels[labels["kind"] != "class"]
    grade = named["confidence"].map({"high": 1, "medium": 2, "low": 3}).groupby([named["sae"], named["feature"]]).min()
    by_sae = features.groupby(["layer", "sae_id", "sae"])
    expected = pd.DataFrame({"features": by_sae.size(), "scored": by_sae["std"].count()}).reset_index()
    for column, wanted in (("high", 1), ("medium", 2), ("low", 3)):
        expected[column] = expected["sae"].map((grade == wanted).groupby("sae").sum())
    expected["named"] = expected[["high", "medium", "low"]].sum(axis=1)
    expected["share_named"] = expected["named"] / expected["scored"]
    same(answers["coverage"], expected.drop(columns="sae_id"))


def test_dead_features(own_store: Store) -> None:
    """The small model's SAEs have none, so that three are made."""
    own_store.sql("update features set dead = feature in (3, 40) and sae_id = 0 or feature = 7 and sae_id = 1")
    rows = own_store.query("dead_features").df()
    table = own_store.sql("from features where dead order by sae_id, feature").df()
    assert len(rows) == 3
    for column in ("feature", "log10_density", "decoder_norm", "kurtosis"):
        assert rows[column].tolist() == table[column].tolist()
    assert [list(tokens) for tokens in rows["top_tokens"]] == [list(tokens[:6]) for tokens in table["top_tokens"]]
    [(first,)] = own_store.sql("select name from saes where sae_id = 0").fetchall()
    assert own_store.query("dead_features", sae=first).df()["feature"].tolist() == [3, 40]


def test_features_of_class(answers: Answers, labels: pd.DataFrame, features: pd.DataFrame) -> None:
    wanted = labels[(labels["kind"] == "class") & (labels["label"] == "partition") & (labels["layer"] == 2)]
    rows = wanted[["sae", "feature", "sentence"]].merge(features, on=["sae", "feature"])
    rows = rows.sort_values(["sae", "kurtosis", "feature"], ascending=[True, False, True])
    same(answers["features_of_class"], rows[["sae", "feature", "sentence", "kurtosis", "skewness", "cosine_variance"]])


def test_features_of_token(answers: Answers, features: pd.DataFrame) -> None:
    rows = []
    for row in features.itertuples():
        for end in ("top", "bottom"):
            tokens = list(getattr(row, f"{end}_tokens"))
            if " began" in tokens:
                place = tokens.index(" began")
                logit = getattr(row, f"{end}_logits")[place]
                rows.append((place + 1, -abs(logit), row.sae_id, row.feature, row.sae, end, logit, tokens[:6]))
                break
    rows = sorted(rows)[:100]
    found = answers["features_of_token"]
    assert found["feature"].tolist() == [row[3] for row in rows]
    assert found["sae"].tolist() == [row[4] for row in rows]
    assert found["at_the"].tolist() == [row[5] for row in rows]
    assert found["place"].tolist() == [row[0] for row in rows]
    assert found["logit_weight"].tolist() == [row[6] for row in rows]
    assert [list(tokens) for tokens in found["strongest"]] == [row[7] for row in rows]


def test_label_counts(answers: Answers, labels: pd.DataFrame) -> None:
    rows = labels[labels["confidence"] == "high"]
    grouped = rows.groupby(["kind", "direction", "label"])
    expected = pd.DataFrame({"features": grouped.size(), "saes": grouped["sae"].nunique()}).reset_index()
    expected = expected.sort_values(["features", "label", "direction"], ascending=[False, True, True])
    same(answers["label_counts"], expected)
    loudest = rows.assign(size=rows["z"].abs()).sort_values("size").groupby(["direction", "label"])["sentence"].last()
    for row in answers["label_counts"].itertuples():
        assert row.strongest == loudest[row.direction, row.label]


def test_labels_of_set(answers: Answers, labels: pd.DataFrame, labelled_store: Store) -> None:
    [(set_id,)] = labelled_store.sql("select set_id from token_sets where phrase = 'gerunds'").fetchall()
    rows = labels[labels["set_id"] == set_id]
    rows = rows.assign(size=-rows["z"].abs()).sort_values(["size", "sae", "feature"])
    columns = ["sae", "feature", "direction", "confidence", "z", "log10_q", "es", "nes", "top_share", "sentence"]
    same(answers["labels_of_set"], rows[columns])


def test_near_misses(answers: Answers, labelled_store: Store, features: pd.DataFrame) -> None:
    rows = labelled_store.sql("select n.*, phrase from near_misses n join token_sets using (set_id)").df()
    rows = rows.merge(features, on=["sae_id", "feature"]).assign(size=-rows["z"].abs())
    first = rows.sort_values(["size", "sae_id", "feature"])[:10]
    columns = ["sae", "feature", "direction", "phrase", "z", "log10_q", "es", "why"]
    same(answers["near_misses"], first[columns])
    assert [list(t) for t in answers["near_misses"]["strongest_tokens"]] == strongest(first, 6, first["z"] > 0)
    one = labelled_store.query("near_misses", sae="blocks.2.mlp", limit=None).df()
    assert len(one) == (rows["sae"] == "blocks.2.mlp").sum()
    peaked = rows[rows["kurtosis"] >= 8].sort_values(["kurtosis", "sae_id", "feature"], ascending=[False, True, True])[
        :50
    ]
    found = answers["unlabelled_high_kurtosis"]
    columns = ["sae", "feature", "kurtosis", "skewness", "z", "log10_q", "why"]
    same(found, peaked[columns])
    assert found["nearest_set"].tolist() == peaked["phrase"].tolist()
    assert [list(t) for t in found["strongest_tokens"]] == strongest(peaked, 8)


def test_redundant_sets(answers: Answers, labelled_store: Store) -> None:
    rows = labelled_store.sql(
        "select a.set_id i, b.set_id j, a.name set_a, b.name set_b, a.size size_a, b.size size_b, intersection, "
        "jaccard, null_corr from set_overlaps join token_sets a on a.set_id = set_a "
        "join token_sets b on b.set_id = set_b"
    ).df()
    rows["pair"] = [tuple(sorted(pair)) for pair in zip(rows["i"], rows["j"], strict=True)]
    rows = rows[(rows["null_corr"] >= 0.95) & (rows["i"] != rows["j"])]
    found = answers["redundant_sets"]
    assert len(found) == rows["pair"].nunique() > 10
    both = found.merge(rows, on=["set_a", "set_b"], suffixes=("", "_again"))
    assert len(both) == len(found)
    for column in ("size_a", "size_b", "intersection", "jaccard", "null_corr"):
        assert both[column].tolist() == both[f"{column}_again"].tolist()
    assert (both["i"] < both["j"]).all()
    assert found["null_corr"].is_monotonic_decreasing


def test_sample_labels(answers: Answers, labelled_store: Store, labels: pd.DataFrame, features: pd.DataFrame) -> None:
    found = answers["sample_labels"]
    assert len(found) == 20
    assert set(found["confidence"]) == {"high"}
    key = ["sae", "feature", "sentence"]
    rows = found.merge(labels[labels["kind"] == "set"], on=key, suffixes=("", "_again")).merge(
        features, on=["sae", "feature"]
    )
    assert len(rows) == 20
    assert (rows["z"] == rows["z_again"]).all()
    by_key = {(row.sae, row.feature): row for row in features.itertuples()}
    for row in found.itertuples():
        feature = by_key[row.sae, row.feature]
        tokens = feature.bottom_tokens if row.z < 0 else feature.top_tokens
        assert list(row.strongest_tokens) == list(tokens[:12])
    again = labelled_store.query("sample_labels", n=20, confidence="high").df()
    assert again[key].equals(found[key])
    other = labelled_store.query("sample_labels", n=20, confidence="high", seed=1).df()
    assert not other[key].equals(found[key])
    one = labelled_store.query("sample_labels", n=5, kind=None, sae="blocks.2.mlp").df()
    assert set(one["sae"]) == {"blocks.2.mlp"}
    more = labelled_store.query("sample_labels", n=10_000, kind="composite").df()
    assert len(more) == (labels["kind"] == "composite").sum() > 0


def test_sets_by_lambda(answers: Answers, labelled_store: Store) -> None:
    expected = labelled_store.sql(
        'select layer, saes.name sae, t.name set_name, t.size, "lambda", null_median, null_mad from sae_sets '
        "join saes using (sae_id) join token_sets t using (set_id)"
    ).df()
    expected = expected[expected["lambda"] >= 2]
    found = answers["sets_by_lambda"]
    assert len(found) == len(expected) > 5
    both = found.merge(expected, on=["sae", "set_name"], suffixes=("", "_again"))
    assert len(both) == len(found)
    for column in ("layer", "size", "lambda", "null_median", "null_mad"):
        assert both[column].tolist() == both[f"{column}_again"].tolist()
    assert found["layer"].is_monotonic_increasing
    for _, rows in found.groupby("sae"):
        assert rows["lambda"].is_monotonic_decreasing


def test_sets_by_strength(answers: Answers, scored: pd.DataFrame, sets: pd.DataFrame, saes: dict[str, int]) -> None:
    rows = scored[scored["sae_id"] == saes["blocks.3.hook_resid_post"]]
    rows = rows.assign(set_name=rows["set_id"].map(sets["name"]))
    sure = rows["log10_q"] < np.log10(0.05)
    rows = rows.assign(up=sure & (rows["z"] > 0), down=sure & (rows["z"] < 0))
    by_set = rows.groupby("set_name").agg(
        promoting=("up", "sum"), suppressing=("down", "sum"), highest_z=("z", "max"), lowest_z=("z", "min")
    )
    found = answers["sets_by_strength"].set_index("set_name")
    assert len(found) == len(by_set)
    for column in by_set.columns:
        pd.testing.assert_series_equal(found[column].sort_index(), by_set[column], check_dtype=False)
    at = rows.set_index(["set_name", "feature"])["z"]
    for row in answers["sets_by_strength"].dropna(subset=["highest_z"]).itertuples():
        assert at[row.set_name, row.highest_feature] == row.highest_z
        assert at[row.set_name, row.lowest_feature] == row.lowest_z
    moved = found["promoting"] + found["suppressing"]
    assert moved.is_monotonic_decreasing
    assert moved.iloc[0] > 10


def test_sets_of_token(answers: Answers, labelled_store: Store) -> None:
    expected = labelled_store.sql(
        "select token_id, t.name set_name, phrase, size from token_sets t join memberships using (set_id) "
        "where token_id = (select token_id from tokens where text = ' began') order by set_id"
    ).df()
    same(answers["sets_of_token"], expected)


def test_similar_features(answers: Answers, scored: pd.DataFrame, saes: dict[str, int], labelled_store: Store) -> None:
    sae = "blocks.3.hook_resid_post"
    matrix = (
        scored[scored["sae_id"] == saes[sae]]
        .pivot_table(index="feature", columns="set_id", values="z")
        .to_numpy(np.float64)
    )
    cosine = matrix @ matrix[394] / np.linalg.norm(matrix, axis=1) / np.linalg.norm(matrix[394])
    order = np.argsort(-cosine)[:5]
    assert answers["similar_features"]["feature"].tolist() == order.tolist()
    np.testing.assert_allclose(answers["similar_features"]["similarity"], cosine[order], rtol=1e-5)
    assert len(labelled_store.query("similar_features", sae=sae, feature=1).df()) == 20


def test_top_features(answers: Answers, scored: pd.DataFrame, sets: pd.DataFrame, features: pd.DataFrame) -> None:
    rows = scored[(scored["set_id"] == sets.index[sets["phrase"] == "gerunds"][0]) & (scored["z"] > 3)]
    rows = rows.merge(features[["sae_id", "feature", "sae", "layer"]], on=["sae_id", "feature"])
    rows = rows.sort_values(["layer", "sae", "z"], ascending=[True, True, False]).groupby("sae", sort=False).head(5)
    same(answers["top_features"], rows[["layer", "sae", "feature", "z", "log10_q", "es"]])
    assert rows.groupby("sae").size().max() == 5


def test_unpromoted_sets(answers: Answers, scored: pd.DataFrame, labelled_store: Store) -> None:
    promoted = set(scored["set_id"][(scored["log10_q"] < -2) & (scored["z"] > 0)])
    rows = labelled_store.sql(
        "select set_id, name set_name, size, decodability from token_sets join set_nulls using (set_id)"
    ).df()
    rows["highest_z"] = rows["set_id"].map(scored.groupby("set_id")["z"].max())
    rows = rows[~rows["set_id"].isin(promoted) & rows["set_id"].isin(set(scored["set_id"]))]
    rows = rows.sort_values(["highest_z", "set_id"], ascending=[False, True], na_position="last")
    same(answers["unpromoted_sets"], rows[["set_name", "size", "highest_z", "decodability"]])


def test_tokens_shown_are_the_six_strongest(answers: Answers, features: pd.DataFrame) -> None:
    strongest = features.set_index(["sae", "feature"])["top_tokens"]
    shown = {name: rows for name, rows in answers.items() if {"sae", "feature", "top_tokens"} <= set(rows.columns)}
    assert len(shown) >= 5
    for name, rows in shown.items():
        expected = [list(strongest[row.sae, row.feature][:6]) for row in rows.itertuples()]
        assert [list(tokens) for tokens in rows["top_tokens"]] == expected, name


def test_every_question_has_its_test() -> None:
    tested = {
        "class_counts", "compare_saes", "enriched_not", "confusable_features", "enriched_given", "coverage",
        "dead_features", "features_of_class", "features_of_token", "label_counts", "labels_of_set",
        "near_misses", "redundant_sets", "sample_labels", "sets_by_lambda", "sets_by_strength",
        "sets_of_token", "similar_features", "top_features", "unlabelled_high_kurtosis", "unpromoted_sets",
    }  # fmt: skip
    assert set(named_queries()) == tested
