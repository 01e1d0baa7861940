"""What scores are worth, end to end on the small model: against scipy and plain NumPy."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from alembic import command
from alembic.config import Config

import tsea_db
from tests.support import tiny_lm
from tests.support.stores import CONTENT, content, made_up
from tests.support.tiny_lm import LIBRARY, ROOT, SMALL
from tsea_db import NullPlan, Store
from tsea_db.errors import InputError
from tsea_db.statistics.token_null import log_p_exact
from tsea_db.store.file import StoreFile
from tsea_db.token_sets import read_contrasts

SAE = "blocks.3.hook_resid_post"
D_EFF = 191


def members(store: Store, name: str) -> np.ndarray:
    return np.asarray(store.members(name)["token_id"])


def delta(token_ids: np.ndarray) -> np.ndarray:
    """Mean column of the members less that of the others, from the reference unembedding."""
    U = tiny_lm.reference_unembedding()
    inside = np.zeros(U.shape[1], dtype=bool)
    inside[token_ids] = True
    return np.asarray(U[:, inside].mean(axis=1) - U[:, ~inside].mean(axis=1))


def cosines(direction: np.ndarray, name: str = SAE) -> np.ndarray:
    """Cosine of every feature, less its part along the all-ones direction, with a direction."""
    rows = tsea_db.load_sae(tiny_lm.sae(name)).W_dec.astype(np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    return np.asarray(rows @ direction / np.linalg.norm(rows, axis=1) / np.linalg.norm(direction))


def log10_p_of(cosine: np.ndarray) -> np.ndarray:
    t = np.abs(cosine) * np.sqrt((D_EFF - 1) / (1 - cosine**2))
    return np.asarray((np.log(2) + scipy.stats.t.logsf(t, D_EFF - 1)) / np.log(10))


def scored(store: Store, set_name: str, sae: str = SAE) -> pd.DataFrame:
    query = "from scored where sae = $sae and set_name = $set order by feature"
    return store.sql(query, {"sae": sae, "set": set_name}).df()


@pytest.mark.parametrize("name", ["verb_past_strict", "starts_with_capital", "letter_q", "nltk_pos_VBG"])
def test_z_p_and_q_are_scipys(tiny_store: Store, name: str) -> None:
    rows = scored(tiny_store, name)
    cosine = cosines(delta(members(tiny_store, name)))
    log10_p = log10_p_of(cosine)
    np.testing.assert_allclose(rows["log10_p"], log10_p, rtol=2e-5, atol=1e-6)
    z = np.sign(cosine) * -scipy.stats.norm.ppf(10.0 ** (log10_p) / 2)
    np.testing.assert_allclose(rows["z_direction"], z, rtol=2e-5, atol=2e-6)
    q = scipy.stats.false_discovery_control(10.0**log10_p)
    np.testing.assert_allclose(rows["log10_q"], np.log10(q), rtol=2e-5, atol=1e-6)


def test_the_random_token_p_is_exact(tiny_store: Store) -> None:
    """For these sizes the tables are within 4e-3 of ln p; the peak's hits are in the view."""
    for name in ("verb_past_strict", "letter_q", "nltk_pos_VBG"):
        rows = scored(tiny_store, name).iloc[:200:10]
        for row in rows.itertuples():
            hits = row.leading_edge if row.es >= 0 else row.size - row.leading_edge
            expected = log_p_exact(int(hits), int(row.peak_rank - hits), int(row.size), 8192) / np.log(10)
            assert row.log10_p_token == pytest.approx(expected, abs=2e-3)


def test_nes_and_the_p_of_es_follow_fresh_random_directions(tiny_store: Store) -> None:
    """2,000 directions drawn and walked down here, not by the package."""
    rng = np.random.default_rng(5)
    U = tiny_lm.reference_unembedding().astype(np.float32)
    logits = rng.standard_normal((2000, 192)).astype(np.float32) @ U
    order = np.argsort(-logits, axis=1)
    for name in ("verb_past_strict", "letter_q"):
        inside = np.zeros(8192, dtype=bool)
        inside[ids := members(tiny_store, name)] = True
        sums = np.cumsum(np.where(inside[order], 1 / len(ids), -1 / (8192 - len(ids))), axis=1)
        null = np.abs(sums).max(axis=1)
        rows = scored(tiny_store, name)
        standard_error = null.std() / null.mean() * np.sqrt(1 / 2000 + 1 / 4000)
        assert (rows["es"] / rows["nes"]).median() == pytest.approx(null.mean(), rel=5 * standard_error)
        shares = (null[None, :] >= rows["es"].abs().to_numpy()[:, None]).mean(axis=1)
        inner = ~rows["log10_p_es_extrapolated"] & (shares > 0.1)
        assert inner.mean() > 0.5
        np.testing.assert_allclose(10 ** rows["log10_p_es"][inner], shares[inner], atol=0.06)
        assert (rows["log10_p_es"][rows["log10_p_es_extrapolated"]] < -0.999).all()


def test_nothing_is_nan_infinite_or_missing(tiny_store: Store) -> None:
    for column in ("es", "z_direction", "log10_p", "log10_q", "log10_p_es", "log10_p_token"):
        query = f"select count(*) from scores where {column} is null or not isfinite({column})"
        assert tiny_store.sql(query).fetchall() == [(0,)], column
    assert (
        tiny_store.sql("select count(*) from scored").fetchall()
        == tiny_store.sql("select count(*) from scores").fetchall()
    )
    assert tiny_store.sql("select count(*) from scored where nes is null or leading_edge > size").fetchall() == [(0,)]
    assert tiny_store.sets_without_z().empty


def test_spread_over_the_features_of_an_sae(tiny_store: Store) -> None:
    name = "verb_past_strict"
    z = scored(tiny_store, name)["z_direction"].to_numpy(dtype=np.float64)
    query = (
        "select sae_sets.* from sae_sets join saes using (sae_id) join token_sets using (set_id) "
        "where saes.name = $sae and token_sets.name = $set"
    )
    row = tiny_store.sql(query, {"sae": SAE, "set": name}).df().iloc[0]
    assert row["null_median"] == pytest.approx(np.median(z), abs=1e-5)
    assert row["null_mad"] == pytest.approx(scipy.stats.median_abs_deviation(z, scale="normal"), abs=1e-5)
    assert row["lambda"] == pytest.approx(np.median(z**2) / scipy.stats.chi2.ppf(0.5, 1), abs=1e-5)
    assert row["cosine_sd"] == pytest.approx(cosines(delta(members(tiny_store, name))).std(), rel=1e-5)


def test_overlaps(tiny_store: Store) -> None:
    rows = tiny_store.overlaps("verb_past").set_index("name")
    assert len(rows) == len(tiny_store.token_sets()) - 1
    a, b = members(tiny_store, "verb_past"), members(tiny_store, "verb_past_participle")
    row = rows.loc["verb_past_participle"]
    shared = len(set(a) & set(b))
    assert row["intersection"] == shared
    assert row["jaccard"] == pytest.approx(shared / len(set(a) | set(b)))
    assert row["overlap_coefficient"] == pytest.approx(shared / min(len(a), len(b)))
    da, db = delta(a), delta(b)
    assert row["null_corr"] == pytest.approx(da @ db / np.linalg.norm(da) / np.linalg.norm(db), abs=1e-6)
    assert rows["null_corr"].abs().is_monotonic_decreasing
    with pytest.raises(InputError, match="no token set called"):
        tiny_store.overlaps("nothing")


def test_one_set_given_another(tiny_store: Store) -> None:
    """The stored contrast and the one on demand, against the residual direction."""
    a, b = "verb_past_strict", "verb_past_participle_strict"
    da, db = (delta(members(tiny_store, name)) for name in (a, b))
    residual = da - (da @ db) / (db @ db) * db
    log10_p = log10_p_of(cosines(residual))
    on_demand = tiny_store.conditional(SAE, a, b)
    np.testing.assert_allclose(on_demand["log10_p"], log10_p, rtol=1e-4, atol=1e-5)
    stored = tiny_store.sql(
        "select contrast_scores.* from contrast_scores join contrasts using (contrast_id) join saes using (sae_id) "
        "join token_sets a on a.set_id = set_a join token_sets b on b.set_id = set_b "
        "where saes.name = $sae and a.name = $a and b.name = $b order by feature",
        {"sae": SAE, "a": a, "b": b},
    ).df()
    np.testing.assert_allclose(stored["log10_p"], log10_p, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(on_demand["z_a_given_b"], stored["z_a_given_b"], rtol=1e-4, atol=1e-5)
    q = scipy.stats.false_discovery_control(10.0**log10_p)
    np.testing.assert_allclose(stored["log10_q"], np.log10(q), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(on_demand["log10_q"], stored["log10_q"], rtol=1e-3, atol=1e-4)
    given = tiny_store.given(SAE, 394, b).set_index("name")
    assert given.loc[a, "z_given"] == pytest.approx(stored["z_a_given_b"][394], abs=1e-4)
    assert b not in given.index
    with pytest.raises(InputError, match="given itself"):
        tiny_store.conditional(SAE, a, a)
    with pytest.raises(InputError, match="no token set"):
        tiny_store.given(SAE, 394, "nothing")
    with pytest.raises(InputError, match="no SAE"):
        tiny_store.conditional("nothing", a, b)


def test_contrasts_and_partitions(tiny_store: Store) -> None:
    pairs = tiny_store.sql(
        "select a.name, b.name from contrasts "
        "join token_sets a on a.set_id = set_a join token_sets b on b.set_id = set_b"
    ).fetchall()
    scored_sets = set(tiny_store.token_sets()["name"])
    declared = [(a, b) for a, b, _ in read_contrasts() if {a, b} <= scored_sets]
    assert len(declared) > 30
    assert set(pairs) == {pair for a, b in declared for pair in ((a, b), (b, a))}
    first = ("verb_past", "verb_past_participle")
    assert first in declared
    sides = tiny_store.sql("from side_sets where kind = 'partition'").df().set_index("name")
    a, b = (set(members(tiny_store, name)) for name in first)
    expected = {f"{x} {sign} {y}": part for x, y, sign, part in (
        (*first, "-", a - b), (*reversed(first), "-", b - a), (*first, "&", a & b)
    )}  # fmt: skip
    rows = tsea_db.load_sae(tiny_lm.sae(SAE)).W_dec[:5]
    scores = tsea_db.enrichment(rows, tiny_lm.reference_unembedding(), expected)
    for name, part in expected.items():
        side = sides.loc[name]
        assert set(side["token_ids"]) == part
        stored = tiny_store.sql(
            "select partition_scores.* from partition_scores join saes using (sae_id) "
            "where name = $sae and set_id = $set_id and feature < 5 order by feature",
            {"sae": SAE, "set_id": int(side["set_id"])},
        ).df()
        np.testing.assert_allclose(stored["es"], scores.loc[name], atol=1e-6)
        expected_p = log10_p_of(cosines(delta(np.array(sorted(part)))))[:5]
        np.testing.assert_allclose(stored["log10_p"], expected_p, rtol=2e-5, atol=1e-6)
    assert tiny_store.sql("select count(*) from scores where set_id < 0").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("counts", "scores", "key"), [("sae_sets", "scores", "set_id"), ("sae_contrasts", "contrast_scores", "contrast_id")]
)
def test_scored_features_are_counted(tiny_store: Store, counts: str, scores: str, key: str) -> None:
    rows = tiny_store.sql(
        f"select n_scored, coalesce(n, 0) n from {counts} left join "
        f"(select sae_id, {key}, count(*) n from {scores} group by all) using (sae_id, {key})"
    ).df()
    assert rows["n"].max() > 1_000
    pd.testing.assert_series_equal(rows["n_scored"], rows["n"], check_names=False, check_dtype=False)


def test_random_controls_ride_along(tiny_store: Store) -> None:
    controls = tiny_store.sql("from side_sets where kind = 'control' order by set_id desc").df()
    sizes = np.sort(tiny_store.token_sets()["size"])
    assert len(controls) == 20
    assert controls["size"].tolist() == sizes[np.linspace(0, len(sizes) - 1, 20).round().astype(int)].tolist()
    stored = tiny_store.sql(
        "select control_scores.* from control_scores join saes using (sae_id) where name = $sae order by set_id desc",
        {"sae": SAE},
    ).df()
    for token_ids, share in zip(controls["token_ids"], stored["share_p_direction"], strict=True):
        expected = (log10_p_of(cosines(delta(np.array(token_ids)))) < np.log10(0.05)).mean()
        assert share == pytest.approx(expected, abs=1e-9)
    assert 0.03 < stored["share_p_es"].mean() < 0.08
    assert 0.02 < stored["share_p_token"].mean() < 0.08
    status = tiny_store.status().set_index("sae").loc[SAE]
    assert status["controls_direction"] == pytest.approx(stored["share_p_direction"].mean())


def test_all_sets_at_once(tiny_store: Store) -> None:
    table = tiny_store.joint(SAE, 394).set_index("name")["coefficient"]
    X = np.zeros((8192, len(table)))
    pairs = tiny_store.sql("select name, token_id from memberships join token_sets using (set_id)").df()
    X[pairs["token_id"], table.index.get_indexer(pairs["name"])] = 1
    assert X.sum(axis=0).min() >= 1
    weights = tiny_store.logit_weights(SAE, 394).astype(np.float64)
    ridge = 1e-3 * np.diag(X.sum(axis=0))
    expected = np.linalg.solve(X.T @ X + ridge, X.T @ (weights - weights.mean()))
    np.testing.assert_allclose(table, expected, atol=1e-4)


def test_moments_of_random_directions(tiny_store: Store) -> None:
    row = tiny_store.sql("from moment_nulls").df().iloc[0]
    rng = np.random.default_rng(3)
    logits = rng.standard_normal((1500, 192)) @ tiny_lm.reference_unembedding()
    kurtosis = scipy.stats.kurtosis(logits, axis=1, fisher=False)
    assert (row["n_draws"], row["seed"], row["d_eff"]) == (20_000, 0, D_EFF)
    assert row["kurtosis"][3] == pytest.approx(np.median(kurtosis), rel=0.03)
    assert 0.9 < row["cos_var_ratio"][3] < 1.1
    assert np.all(np.diff(row["kurtosis"]) > 0)


def test_both_confusing_cases_are_named(tiny_store: Store) -> None:
    report = tiny_store.feature(SAE, 394)
    scores = report.scores.assign(remark=report.remarks()).set_index("name")
    assert scores["z_direction"].is_monotonic_decreasing
    assert scores.loc["nltk_pos_VBN", "remark"] == "part of it"
    assert scores.loc["verb_past", "remark"] == ""
    assert scores.loc["verb_past", "members_on_top"] == len(
        set(members(tiny_store, "verb_past")) & set(report.columns["top_token_ids"])
    )
    assert (scores["remark"][scores["log10_q"] > np.log10(0.05)] == "").all()


# --- the same numbers, however they are come by

LIKE_TINY = NullPlan(moment_draws=2_000)
"""As many random directions for each set as in the store of the small model, so that all of a score is the same."""


def test_part_of_the_library_has_the_scores_of_the_whole(tiny_store: Store, store_path: Path) -> None:
    store = tsea_db.open(store_path, mode="rw")
    store.ingest(tiny_lm.MODEL, [tiny_lm.sae("blocks.2.mlp")], library=LIBRARY, null_plan=LIKE_TINY, progress=False)
    assert set(store.token_sets()["name"]) == set(LIBRARY)
    query = (
        "select * exclude (sae_id, set_id) from scored where sae = 'blocks.2.mlp' and list_contains($sets, set_name) "
        "order by set_name, feature"
    )
    ours, whole = (each.sql(query, {"sets": list(LIBRARY)}).df() for each in (store, tiny_store))
    assert len(ours) == 1024 * len(LIBRARY)
    pd.testing.assert_frame_equal(ours, whole)
    pairs = {(a, b) for a, b, _ in read_contrasts()}
    asked = (
        "select a.name, b.name from contrasts "
        "join token_sets a on a.set_id = set_a join token_sets b on b.set_id = set_b"
    )
    expected = {pair for pair in pairs if set(pair) <= set(LIBRARY)}
    assert set(store.sql(asked).fetchall()) == expected | {(b, a) for a, b in expected}
    assert len(expected) > 5
    assert store.sql("select count(*), min(size), max(size) from side_sets where kind = 'control'").fetchall() == [
        (20, *store.sql("select min(size), max(size) from token_sets").fetchall()[0])
    ]


@pytest.mark.slow
def test_a_set_added_later_changes_no_other(tiny_store: Store, store_path: Path) -> None:
    late = "starts_with_capital"
    folder = tiny_lm.sae("blocks.2.mlp")
    store = tsea_db.open(store_path, mode="rw")
    all_but_one = [name for name in LIBRARY if name != late]
    store.ingest(tiny_lm.MODEL, [folder], library=all_but_one, null_plan=LIKE_TINY, progress=False)
    before = content(store)
    store.ingest(tiny_lm.MODEL, [folder], library=LIBRARY, progress=False)
    after = content(store)
    [late_id] = set(after["token_sets"]["set_id"]) - set(before["token_sets"]["set_id"])
    for table in CONTENT:
        rows = after[table]
        for column in {"set_id", "set_a", "set_b"} & set(rows.columns):
            rows = rows[rows[column] != late_id]
        pd.testing.assert_frame_equal(rows.reset_index(drop=True), before[table])
    expected = scored(tiny_store, late, "blocks.2.mlp").drop(columns=["sae_id", "set_id"])
    pd.testing.assert_frame_equal(scored(store, late, "blocks.2.mlp").drop(columns=["sae_id", "set_id"]), expected)


OTHER_THREADS = """
import pickle, sys
import tsea_db
from pathlib import Path
from tests.support.tiny_lm import SMALL
from tsea_db.ingest import scores

scores.PAIRS_AT_ONCE = 7000
model, sae = (pickle.loads(Path(file).read_bytes()) for file in sys.argv[2:])
tsea_db.open(sys.argv[1], mode="rw").ingest(model, [sae], **SMALL)
"""


def test_neither_threads_nor_blocks_change_a_number(tmp_path: Path, store_path: Path, kept_model: Path) -> None:
    """One thread in one process, four and small blocks in the other."""
    sae = tsea_db.load_sae(tiny_lm.sae("blocks.2.mlp"))
    tsea_db.open(store_path, mode="rw").ingest(tiny_lm.MODEL, [sae], **SMALL)
    other = tsea_db.create(tmp_path / "threads.duckdb")
    (tmp_path / "sae.pickle").write_bytes(pickle.dumps(sae))
    threads = {f"{name}_NUM_THREADS": "4" for name in ("OPENBLAS", "OMP", "NUMBA")}
    arguments = [sys.executable, "-W", "ignore", "-c", OTHER_THREADS, other.path, kept_model, tmp_path / "sae.pickle"]
    subprocess.run(
        [str(argument) for argument in arguments], check=True, capture_output=True, cwd=ROOT, env=os.environ | threads
    )
    expected = content(tsea_db.open(store_path))
    for table, rows in content(other).items():
        pd.testing.assert_frame_equal(rows, expected[table])


@pytest.mark.slow
def test_an_upgraded_store_is_filled_by_ingesting_again(store_path: Path) -> None:
    folder = tiny_lm.sae("blocks.2.mlp")
    store = tsea_db.open(store_path, mode="rw")
    store.ingest(tiny_lm.MODEL, [folder], **SMALL)
    expected = content(store)
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    with StoreFile(store_path).engine() as engine, engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    assert tsea_db.upgrade(store_path) is True
    old = store.status().iloc[0]
    n_sets = len(store.token_sets())
    assert old["sets_without_statistics"] == old["sets"] == n_sets
    assert store.sql("select count(z_direction), count(es) from scores").fetchall() == [(0, n_sets * 1024)]
    [done] = store.ingest(tiny_lm.MODEL, [folder], **SMALL)
    assert done.seconds > 0
    assert store.status().iloc[0]["sets_without_statistics"] == 0
    for table, rows in content(store).items():
        pd.testing.assert_frame_equal(rows, expected[table])


# --- where there is no number


def test_few_features_have_no_spread(primed_path: Path) -> None:
    store = tsea_db.open(primed_path, mode="rw")
    store.ingest(tiny_lm.model(), [made_up()], **SMALL)
    rows = store.sql("from sae_sets").df()
    assert rows["reason"].str.contains("fewer than 50 scored features").all()
    assert rows[["null_median", "null_mad", "lambda", "cosine_sd"]].isna().all(axis=None)
    assert store.sql("select count(*) from scores where log10_q is null").fetchall() == [(0,)]
    again = store.ingest(tiny_lm.model(), [made_up()], **SMALL)
    assert again[0].seconds == 0


def test_an_sae_without_any_direction(primed_path: Path) -> None:
    sae = made_up()
    sae.W_dec[:] = 0
    store = tsea_db.open(primed_path, mode="rw")
    [done] = store.ingest(tiny_lm.model(), [sae], **SMALL)
    assert (done.n_zero_direction, done.n_scores) == (12, 0)
    assert done.controls_direction is None
    assert store.ingest(tiny_lm.model(), [sae], **SMALL)[0].seconds == 0
    with pytest.raises(InputError, match="has no z"):
        store.given("made up", 0, "verb_past")


@pytest.mark.slow
def test_a_set_without_a_direction_has_a_reason(store_path: Path) -> None:
    """Members all have the same column, the others lie around it in pairs."""
    names = {s.name: s for s in tsea_db.build_catalogue(tiny_lm.model().vocabulary)}
    ids = names["letter_q"].token_ids
    rng = np.random.default_rng(0)
    centre = rng.standard_normal(192)
    U = np.repeat(centre[:, None], 8192, axis=1)
    others = np.setdiff1d(np.arange(8192), ids)
    pairs = rng.standard_normal((192, len(others) // 2))
    U[:, others[0 : 2 * pairs.shape[1] : 2]] += pairs
    U[:, others[1 : 2 * pairs.shape[1] : 2]] -= pairs
    model = replace(tiny_lm.model(), name="flat", unembedding=U.astype(np.float32), norm_weight=None)
    store = tsea_db.open(store_path, mode="rw")
    [done] = store.ingest(model, [made_up(rows=60)], **SMALL | {"processing": "raw", "null_plan": LIKE_TINY})
    assert done.n_sets_without_z >= 1
    reasons = store.sets_without_z().set_index("name")["reason"]
    assert "same mean unembedding" in reasons["letter_q"]
    rows = scored(store, "letter_q", "made up (raw)")
    assert rows[["z_direction", "log10_p", "log10_q"]].isna().all(axis=None)
    assert rows[["es", "nes", "log10_p_es", "log10_p_token"]].notna().all(axis=None)
    assert scored(store, "verb_past", "made up (raw)")["z_direction"].notna().all()
    assert store.sql("select bool_and(null_corr is null) from set_overlaps join token_sets on set_id = set_a "
                     "where name = 'letter_q'").fetchall() == [(True,)]  # fmt: skip


@pytest.mark.slow
def test_too_few_dimensions_have_no_null(store_path: Path) -> None:
    model = replace(tiny_lm.model(), name="flat", unembedding=tiny_lm.model().unembedding[:6], norm_weight=None)
    sae = replace(made_up(rows=60), W_dec=made_up(rows=60).W_dec[:, :6].copy())
    store = tsea_db.open(store_path, mode="rw")
    [done] = store.ingest(model, [sae], null_plan=SMALL["null_plan"], progress=False)
    assert done.n_sets_without_z == done.n_sets > 500
    assert set(store.sets_without_z()["reason"]) == {"the unembedding reads fewer than 8 dimensions"}
    assert store.sql("select count(z_direction), count(log10_q) from scores").fetchall() == [(0, 0)]
    assert store.sql("select count(*) from scores where log10_p_es is null").fetchall() == [(0,)]
    assert set(store.sql("select reason from sae_contrasts").df()["reason"]) == set(store.sets_without_z()["reason"])
    found = store.calibrate(draws=4000, features=100, progress=False)
    assert found.report["null_sae"]["sets_with_discoveries"] == 0
    assert set(found.qq) == {"es", "random_token"}


# --- calibration


def test_statistics_need_no_pytorch(tiny_store: Store) -> None:
    code = """
    import sys, tsea_db
    store = tsea_db.open(sys.argv[1])
    store.conditional("blocks.2.mlp", "verb_past", "letter_q")
    store.joint("blocks.2.mlp", 3)
    print(sorted({"torch", "transformer_lens", "sae_lens"} & set(sys.modules)))
    """
    arguments = [sys.executable, "-c", textwrap.dedent(code), str(tiny_store.path)]
    assert subprocess.run(arguments, capture_output=True, text=True, check=True).stdout == "[]\n"
