"""Views and macros of a store in a plain DuckDB client, against the kernels."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pandas as pd
import pytest

from tsea_db import Store
from tsea_db.statistics.cosine_tail import cosines_of_z, z_and_log10_p
from tsea_db.statistics.fdr import benjamini_hochberg
from tsea_db.statistics.overlap import conditional_scores

PAST, PARTICIPLES = "past-tense-only verbs", "participle-only verbs"


@pytest.fixture(scope="module")
def client(labelled_store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB client that knows nothing of the package."""
    with duckdb.connect(str(labelled_store.path), read_only=True) as connection:
        yield connection


@pytest.mark.parametrize("d_eff", [64, 191, 767, 4095])
def test_tails_of_cosines(client: duckdb.DuckDBPyConnection, d_eff: int) -> None:
    cosine = np.r_[np.linspace(-0.9, 0.9, 501), 0.0]
    expected, log10_p = z_and_log10_p(cosine, d_eff)
    sample = pd.DataFrame({"cosine": cosine, "z": expected})
    found = client.execute(
        "select z_from_cosine(cosine, $d) as z, cosine_from_z(z, $d) as back, log10_two_sided_p(z) as p from "
        "(select unnest($cosine) as cosine, unnest($z) as z)",
        {"d": d_eff, "cosine": sample["cosine"].tolist(), "z": sample["z"].tolist()},
    ).df()
    np.testing.assert_allclose(found["z"], expected, atol=1e-4, rtol=2e-5)
    near = np.abs(expected) < 35
    np.testing.assert_allclose(found["back"][near], cosine[near], atol=2e-6)
    np.testing.assert_allclose(found["p"], log10_p, atol=1e-6)


@pytest.mark.parametrize(("a", "b"), [("verb_past_strict", "verb_past_participle_strict"), ("verb_past", "all_caps")])
def test_conditional_scores_are_the_kernels(client: duckdb.DuckDBPyConnection, a: str, b: str) -> None:
    rows = client.execute("from conditional($a, $b) order by sae_id, feature", {"a": a, "b": b}).df()
    assert len(rows) == 10_240
    [(r,)] = client.execute(
        "select null_corr from set_overlaps join token_sets a on a.set_id = set_a join token_sets b on b.set_id = set_b"
        " where a.name = $a and b.name = $b",
        {"a": a, "b": b},
    ).fetchall()
    cosine_a, cosine_b = (cosines_of_z(rows[column].to_numpy(np.float64), 191) for column in ("z_a", "z_b"))
    np.testing.assert_allclose(rows["z"], conditional_scores(cosine_a, cosine_b, r, 191).z, atol=1e-5)


@pytest.mark.parametrize("q", [0.01, 0.05, 0.3])
def test_specific_controls_false_discoveries(client: duckdb.DuckDBPyConnection, q: float) -> None:
    """Benjamini-Hochberg over all features of each SAE, though the macro ranks only those that can matter."""
    given = client.execute("from conditional($a, $b) order by sae_id, feature", {"a": PAST, "b": PARTICIPLES}).df()
    expected = set()
    for sae, rows in given.groupby("sae"):
        _, log10_p = z_and_log10_p(cosines_of_z(rows["z"].to_numpy(), 191), 191)
        log10_q = benjamini_hochberg(log10_p[:, None], np.ones((len(rows), 1), bool))[:, 0]
        hits = (log10_q < np.log10(q)) & (rows["z"] > 0) & (rows["z_a"] > 0) & (rows["log10_q_a"] < np.log10(q))
        expected |= {(sae, f, round(value, 4)) for f, value in zip(rows["feature"][hits], log10_q[hits], strict=True)}
    found = client.execute("from specific($a, $b, q := $q)", {"a": PAST, "b": PARTICIPLES, "q": q}).df()
    assert {(row.sae, row.feature, round(row.log10_q, 4)) for row in found.itertuples()} == expected
    assert expected


def test_stored_contrasts_are_what_the_macro_says(client: duckdb.DuckDBPyConnection) -> None:
    both = client.execute(
        "select contrast_scores.z_a_given_b as stored, given.z as said from contrasts "
        "join token_sets as a on a.set_id = set_a join token_sets as b on b.set_id = set_b "
        "join contrast_scores using (contrast_id) join conditional('verb_past_strict', 'verb_past_participle_strict') "
        "as given using (sae_id, feature) "
        "where a.name = 'verb_past_strict' and b.name = 'verb_past_participle_strict'"
    ).df()
    assert len(both) == 10_240
    np.testing.assert_allclose(both["stored"], both["said"], atol=1e-4)


def test_the_question_of_the_mission(client: duckdb.DuckDBPyConnection, labelled_store: Store) -> None:
    found = client.sql(f"from specific('{PAST}', '{PARTICIPLES}', q := 0.01)").df()
    pairs = set(zip(found["sae"], found["feature"], strict=True))
    assert pairs >= {
        ("blocks.3.hook_resid_pre", 1438), ("blocks.3.hook_resid_pre", 324), ("blocks.3.hook_resid_post", 1382),
        ("blocks.3.hook_resid_post", 394), ("blocks.2.hook_resid_pre", 679),
        ("blocks.2.attn.hook_z", 1018), ("blocks.2.attn.hook_z", 389),
    }  # fmt: skip
    searched = labelled_store.find(enriched=(PAST,), given=PARTICIPLES, q=0.01, limit=None).df()
    pd.testing.assert_frame_equal(searched[["sae", "feature", "z", "log10_q", "es"]], found[searched.columns[:5]])


def test_the_filter_alone_misleads(client: duckdb.DuckDBPyConnection) -> None:
    plain = client.sql("from enriched('past-tense verbs') anti join enriched('past participles') using (sae, feature)")
    filtered = set(plain.project("sae, feature").fetchall())
    beyond = set(client.sql("select sae, feature from specific('past-tense verbs', 'past participles')").fetchall())
    assert len(filtered - beyond) > len(filtered) / 2
    [(r,)] = client.execute(
        "select null_corr from set_overlaps join token_sets a on a.set_id = set_a join token_sets b on b.set_id = set_b"
        " where a.name = 'verb_past' and b.name = 'verb_past_participle'"
    ).fetchall()
    assert r == pytest.approx(0.99, abs=0.005)


def test_enriched_and_suppressed(client: duckdb.DuckDBPyConnection) -> None:
    columns = ["sae", "feature", "z", "log10_q", "es", "nes"]
    for macro, way in (("enriched", "z_direction > 0"), ("suppressed", "z_direction < 0")):
        by_phrase = client.sql(f"from {macro}('past-tense verbs', q := 0.01)")
        assert by_phrase.columns == columns
        rows = sorted(by_phrase.project("sae, feature").fetchall())
        assert rows == sorted(client.sql(f"select sae, feature from {macro}('verb_past', q := 0.01)").fetchall())
        assert (
            rows
            == client.sql(
                f"select sae, feature from scored where set_name = 'verb_past' and {way} and log10_q < -2 order by all"
            ).fetchall()
        )
        assert rows


def test_profile_and_global_q(client: duckdb.DuckDBPyConnection) -> None:
    profile = client.sql("from profile('blocks.3.hook_resid_pre', 1438)").df()
    assert "verb_past_strict" in set(profile["set_name"][:3])
    assert profile["z"].is_monotonic_decreasing
    sae = "blocks.2.attn.hook_z"
    family = client.execute("select set_name, feature, log10_p from scored where sae = $s", {"s": sae}).df()
    log10_q = benjamini_hochberg(family[["log10_p"]].to_numpy(np.float64), np.ones((len(family), 1), bool))[:, 0]
    found = client.execute("from global_q($s, q := 0.01)", {"s": sae}).df()
    assert len(found) == (log10_q < -2).sum() > 0
    np.testing.assert_allclose(np.sort(found["log10_q"]), np.sort(log10_q[log10_q < -2]), atol=1e-4)


@pytest.mark.parametrize("query", ["from enriched('nothing')", "from specific('verb_past', 'nothing')"])
def test_an_unknown_set_is_an_error_in_any_client(client: duckdb.DuckDBPyConnection, query: str) -> None:
    with pytest.raises(duckdb.Error, match="no token set called nothing"):
        client.sql(query).fetchall()


def test_views(client: duckdb.DuckDBPyConnection) -> None:
    [(labels,)] = client.execute("select count(*) from labels").fetchall()
    assert client.execute("select count(*) from feature_labels").fetchall() == [(labels,)]
    shapes = client.execute(
        "select count(*) from feature_shapes semi join (select * from feature_classes where class = 'partition') "
        "using (sae, feature) where random_directions = 'partition'"
    ).fetchall()
    assert shapes == client.execute("select count(*) from feature_classes where class = 'partition'").fetchall()
    assert shapes[0][0] > 0
    ratio = client.execute("select avg(cos_var_ratio), max(kurtosis_ratio) from feature_columns").fetchall()[0]
    assert 0.8 < ratio[0] < 1.6
