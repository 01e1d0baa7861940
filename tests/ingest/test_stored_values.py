"""What a store holds of a small made-up model, value by value: entered, replaced, kept, grown."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select

import tsea_db
from tests.support import made_up
from tests.support.stores import CONTENT, content
from tsea_db import Store, TokenSet, Vocabulary
from tsea_db.errors import InputError, TokenSetError
from tsea_db.store import schema
from tsea_db.store.derived_sets import delete_derived, register_controls, stored_derived_sets
from tsea_db.store.file import StoreFile
from tsea_db.store.saes import SaeKey, check_names_free
from tsea_db.store.token_sets import stored_sets, upsert_sets
from tsea_db.weights.unembedding import process_unembedding

OWN = """
[[set]]
name = "own"
phrase = "tokens of my own"
ids = [3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377]
"""


@pytest.fixture(scope="module")
def primed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the SAE "first" of the made-up model."""
    path = tmp_path_factory.mktemp("made-up") / "store.duckdb"
    tsea_db.create(path).ingest(made_up.model(), [made_up.sae("first", seed=9)], progress=False)
    return path.parent


@pytest.fixture
def store(tmp_path: Path, primed: Path) -> Store:
    shutil.copytree(primed, tmp_path / "store")
    return tsea_db.open(tmp_path / "store" / "store.duckdb", mode="rw")


def copied(store: Store, folder: Path) -> Store:
    shutil.copytree(store.path.parent, folder)
    return tsea_db.open(folder / store.path.name, mode="rw")


def of_sae(store: Store, name: str) -> dict[str, pd.DataFrame]:
    """All rows of an SAE, without its id and the time."""
    [(sae_id,)] = store.sql("select sae_id from saes where name = $name", {"name": name}).fetchall()
    tables = [*(t for t in schema.metadata.sorted_tables if "sae_id" in t.c and t.name != "ingest_runs")]
    with StoreFile(store.path).reader() as reader:
        return {
            table.name: reader.execute(
                f"select * exclude (sae_id) from {table.name} where sae_id = {sae_id} order by all"
            ).df()
            for table in tables
        }


def assert_same(got: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    assert got.keys() == expected.keys()
    for table, rows in expected.items():
        pd.testing.assert_frame_equal(got[table], rows, obj=table)


# --- SAEs replaced, named, found again


def test_a_replaced_sae_is_as_if_it_had_been_the_first_of_its_name(store: Store, tmp_path: Path) -> None:
    straight = copied(store, tmp_path / "straight")
    new = made_up.sae("x", seed=2, rows=55, hook_point="blocks.2.hook_resid_pre")
    straight.ingest(made_up.model(), [new], progress=False)
    store.ingest(made_up.model(), [made_up.sae("x", seed=1), made_up.sae("other", seed=3)], progress=False)
    other, first = of_sae(store, "other"), of_sae(store, "first")
    [done] = store.ingest(made_up.model(), [new], replace=True, progress=False)
    assert (done.sae, done.hook_point, done.n_features) == ("x", "blocks.2.hook_resid_pre", 55)
    assert_same(of_sae(store, "x"), of_sae(straight, "x"))
    assert_same(of_sae(store, "other"), other)
    assert_same(of_sae(store, "first"), first)
    for table in schema.metadata.sorted_tables:
        if "sae_id" in table.c:
            orphans = f"select count(*) from {table.name} where sae_id not in (select sae_id from saes)"
            assert store.sql(orphans).fetchall() == [(0,)], table.name


def test_nothing_that_belongs_to_a_replaced_sae_stays(store: Store) -> None:
    """A row of the SAE in each table that has an sae_id, whether the store fills it or not."""
    tables = [table for table in schema.metadata.sorted_tables if "sae_id" in table.c]
    with StoreFile(store.path).writer() as engine, engine.begin() as connection:
        for table in tables:
            row = {c.name: _filler(c.type.python_type, 7) for c in table.c if not c.nullable}
            connection.execute(table.insert().values(**row))
            if not connection.execute(select(table).where(table.c.sae_id == 0)).first():
                other = {c.name: _filler(c.type.python_type, 0) for c in table.c if not c.nullable}
                connection.execute(table.insert().values(**other))
        check_names_free(connection, "made up 7", SaeKey("another", 7, "made up 7"), replace=True)
        for table in tables:
            ids = set(connection.execute(select(table.c.sae_id)).scalars())
            assert 7 not in ids, table.name
            assert 0 in ids, table.name


def _filler(kind: type, number: int) -> object:
    return {int: number, float: 0.5, str: f"made up {number}", bool: False, datetime: datetime(2026, 1, 1)}[kind]


def test_an_sae_is_known_by_weights_model_and_processing(store: Store) -> None:
    sae = made_up.sae("first", seed=9)
    assert store.ingest(made_up.model(), [sae], progress=False)[0].seconds == 0
    assert store.ingest(made_up.model(), [sae], names=["renamed"], progress=False)[0].sae == "first"
    store.ingest(made_up.model(), [sae], processing="folded", progress=False)
    other = made_up.model("other", seed=4)
    with pytest.raises(InputError, match="another SAE called 'first', with other weights, model or processing"):
        store.ingest(other, [sae], progress=False)
    store.ingest(other, [sae], names=["of the other"], progress=False)
    rows = store.sql("select sae_id, model_id, processing, name from saes order by sae_id").fetchall()
    assert rows == [
        (0, 0, "folded+centred", "first"),
        (1, 0, "folded", "first (folded)"),
        (2, 1, "folded+centred", "of the other"),
    ]
    assert store.sql("select count(distinct es) > 900 from scores where sae_id = 2").fetchall() == [(True,)]
    models = store.sql("select model_id, count(*) from tokens group by all order by all").fetchall()
    assert models == [(0, made_up.N_TOKENS), (1, made_up.N_TOKENS)]
    sets = store.sql("select model_id, count(*), min(set_id), max(set_id) from token_sets group by all order by all")
    (_, n, first, last), (_, n_other, first_other, last_other) = sets.fetchall()
    assert (first, last, first_other, last_other) == (0, n - 1, n, n + n_other - 1)
    assert n == n_other


def test_names_say_which_processing_is_not_the_models_default(tmp_path: Path) -> None:
    capped = replace(made_up.model("capped"), soft_cap=30.0)
    store = tsea_db.create(tmp_path / "capped.duckdb")
    store.ingest(capped, [made_up.sae(rows=5)], progress=False)
    store.ingest(capped, [made_up.sae(rows=5)], processing="folded+centred", progress=False)
    rows = store.sql("select name, processing from saes order by sae_id").fetchall()
    assert rows == [("made up", "folded"), ("made up (folded+centred)", "folded+centred")]
    assert store.sql("select soft_cap from models").fetchall() == [(30.0,)]


def test_what_is_entered_of_a_model_and_an_sae(store: Store) -> None:
    model, sae = made_up.model(), made_up.sae("first", seed=9)
    columns = "name, source, weights_hash, vocabulary_hash, d_model, d_vocab, n_layers, normalization, soft_cap"
    assert store.sql(f"select {columns} from models").fetchall() == [
        ("small", "memory", model.weights_hash, model.vocabulary.content_hash, 16, made_up.N_TOKENS, 3, "RMS", None)
    ]
    columns = "name, hook_point, layer, d_sae, architecture, weights_hash, source, kept, package_version"
    assert store.sql(f"select {columns} from saes").fetchall() == [
        ("first", "blocks.1.hook_resid_post", 1, 60, "standard", sae.weights_hash, "memory", True, tsea_db.__version__)
    ]
    tokens = store.sql("select token_id, text, bytes, special, starts_word from tokens order by token_id").fetchall()
    vocabulary = model.vocabulary
    assert [tuple(row) for row in tokens] == [
        (i, vocabulary.texts[i], vocabulary.data[i], i in vocabulary.special, vocabulary.starts_word[i])
        for i in range(made_up.N_TOKENS)
    ]
    assert len({row[4] for row in tokens}) == 2


def test_special_tokens_are_entered_as_such(tmp_path: Path) -> None:
    store = tsea_db.create(tmp_path / "x.duckdb")
    data = [b" walked", b" went", b"<s>", b" said", *(f" {c}{d}".encode() for c in "abcdefgh" for d in "ijklmno")]
    model = replace(
        made_up.model(), vocabulary=Vocabulary.from_bytes(data, [2]), unembedding=made_up.model().unembedding[:, :60]
    )
    store.ingest(model, [made_up.sae()], progress=False)
    assert store.sql("select token_id from tokens where special").fetchall() == [(2,)]
    assert store.sql("select token_id from tokens where not starts_word").fetchall() == [(2,)]
    assert store.sql("select text from tokens where token_id < 4 order by token_id").fetchall() == [
        (" walked",), (" went",), ("<s>",), (" said",)
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["weights", "tokens"])
def test_another_model_of_a_known_name(store: Store, what: str) -> None:
    model = made_up.model()
    other = (
        replace(model, unembedding=-model.unembedding)
        if what == "weights"
        else replace(model, vocabulary=replace(model.vocabulary, special=frozenset([17])))
    )
    with pytest.raises(InputError, match="another model called 'small', with other weights or tokens"):
        store.ingest(other, [made_up.sae()], progress=False)


def test_runs_are_noted(store: Store) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    [done] = store.ingest(made_up.model(), [made_up.sae("second", seed=1, rows=33)], progress=False)
    columns = "run_id, sae_id, n_features, n_sets, n_scores, package_version, started_at, finished_at"
    [first, (*second, started, finished)] = store.sql(f"select {columns} from ingest_runs order by run_id").fetchall()
    n_sets = len(store.token_sets())
    assert first[:6] == (0, 0, 60, n_sets, 60 * n_sets, tsea_db.__version__)
    assert second == [1, 1, 33, n_sets, 33 * n_sets, tsea_db.__version__]
    assert before <= started <= finished <= datetime.now(UTC).replace(tzinfo=None)
    assert (done.n_sets, done.n_scores, done.n_features) == (n_sets, 33 * n_sets, 33)


def test_features_dead_and_without_direction_are_counted(store: Store) -> None:
    density = np.full(20, -2.0, np.float32)
    density[[4, 7, 9]] = -10
    sae = replace(made_up.sae("dead", rows=20), log10_density=density)
    sae.W_dec[[1, 4]] = 0
    [done] = store.ingest(made_up.model(), [sae], progress=False)
    assert (done.n_dead, done.n_zero_direction, done.n_features) == (3, 2, 20)
    assert done.n_scores == 18 * done.n_sets
    rows = store.sql("select * from features join saes using (sae_id) where name = 'dead' order by feature").df()
    assert rows["feature"].tolist() == list(range(20))
    assert rows["feature"][rows["dead"]].tolist() == [4, 7, 9]
    assert rows["feature"][rows["zero_direction"]].tolist() == [1, 4]
    np.testing.assert_allclose(rows["log10_density"], density)
    np.testing.assert_allclose(rows["decoder_norm"], np.linalg.norm(sae.W_dec.astype(np.float64), axis=1), rtol=1e-6)
    scored = store.sql("select distinct feature from scores join saes using (sae_id) where name = 'dead' order by all")
    assert [feature for (feature,) in scored.fetchall()] == [i for i in range(20) if i not in (1, 4)]
    shares = store.sql(
        "select avg(share_p_direction), avg(share_p_es), avg(share_p_token), min(n_scored), max(n_scored) "
        "from control_scores join saes using (sae_id) where name = 'dead'"
    ).fetchall()[0]
    assert shares == (done.controls_direction, done.controls_es, done.controls_token, 18, 18)
    assert store.ingest(made_up.model(), [made_up.sae("first", seed=9)], progress=False)[0].n_dead is None


def test_features_are_written_a_chunk_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from tsea_db.ingest import features

    expected = of_sae(store, "first")["features"]
    monkeypatch.setattr(features, "_FEATURES_A_CHUNK", 1)
    store.ingest(made_up.model(), [made_up.sae("first", seed=1)], replace=True, progress=False)
    store.ingest(made_up.model(), [made_up.sae("first", seed=9)], replace=True, progress=False)
    pd.testing.assert_frame_equal(of_sae(store, "first")["features"], expected)


# --- weights kept or not


def test_weights_that_are_not_kept_change_no_number(store: Store, tmp_path: Path) -> None:
    kept = copied(store, tmp_path / "kept")
    sae = made_up.sae("second", seed=1)
    files = sorted(file.name for file in (store.path.parent / "store.duckdb.weights").iterdir())
    assert len(files) == 2
    kept.ingest(made_up.model(), [sae], progress=False)
    store.ingest(made_up.model(), [sae], keep_weights=False, progress=False)
    one, other = of_sae(store, "second"), of_sae(kept, "second")
    assert one.pop("saes")["kept"].tolist() == [False]
    assert other.pop("saes")["kept"].tolist() == [True]
    assert_same(one, other)
    assert sorted(file.name for file in (store.path.parent / "store.duckdb.weights").iterdir()) == files
    assert store.sql("select name, kept from saes order by name").fetchall() == [("first", True), ("second", False)]
    assert store.sql("select kept from unembeddings").fetchall() == [(True,)]
    with pytest.raises(InputError, match="weights of second were not kept"):
        store.logit_weights("second", 3)
    (tmp_path / "own.toml").write_text(OWN)
    store.add_sets(tmp_path / "own.toml")
    with pytest.raises(InputError, match="The weights of second were not kept"):
        store.ingest_pending(progress=False)
    expected = sae.W_dec[3] @ process_unembedding(made_up.model()).matrix
    np.testing.assert_allclose(kept.logit_weights("second", 3), expected, atol=1e-5)


def test_an_unembedding_is_kept_as_soon_as_an_sae_wants_it(tmp_path: Path) -> None:
    store = tsea_db.create(tmp_path / "a.duckdb")
    store.ingest(made_up.model(), [made_up.sae("first", seed=9)], keep_weights=False, progress=False)
    assert store.sql("select kept from unembeddings").fetchall() == [(False,)]
    store.ingest(made_up.model(), [made_up.sae("second")], progress=False)
    assert store.sql("select kept from unembeddings").fetchall() == [(True,)]
    assert store.sql("select kept from saes order by sae_id").fetchall() == [(False,), (True,)]
    assert store.logit_weights("second", 0).shape == (made_up.N_TOKENS,)
    store.ingest(made_up.model(), [made_up.sae("third", seed=4)], keep_weights=False, progress=False)
    assert store.sql("select kept from unembeddings").fetchall() == [(True,)]


# --- nulls of each processing


def test_each_processing_has_nulls_of_its_own(store: Store, tmp_path: Path) -> None:
    alone = tsea_db.create(tmp_path / "alone.duckdb")
    sae = made_up.sae("first", seed=9)
    alone.ingest(made_up.model(), [sae], processing="raw", progress=False)
    before = content(store)
    store.ingest(made_up.model(), [sae], processing="raw", progress=False)
    for table in ("set_nulls", "moment_nulls", "set_overlaps"):
        rows = store.sql(f"from {table} where processing = 'raw' order by all").df()
        pd.testing.assert_frame_equal(rows, alone.sql(f"from {table} order by all").df(), obj=table)
        other = store.sql(f"from {table} where processing <> 'raw' order by all").df()
        pd.testing.assert_frame_equal(other, before[table], obj=table)
    query = "select * exclude (sae_id, sae) from scored where sae = 'first (raw)' order by all"
    scored = store.sql(query).df()
    pd.testing.assert_frame_equal(scored, alone.sql(query).df())
    nes = store.sql(
        "select nes, es / mean_abs_es as expected from scored join set_nulls using (set_id) "
        "where sae = 'first (raw)' and processing = 'raw'"
    ).df()
    assert len(nes) == len(scored)
    np.testing.assert_allclose(nes["nes"], nes["expected"], rtol=1e-6)
    means = store.sql("select processing, avg(mean_abs_es) from set_nulls group by all order by all").fetchall()
    assert abs(means[0][1] - means[1][1]) > 1e-4
    assert sorted(of_sae(store, "first (raw)")) == sorted(of_sae(alone, "first (raw)"))
    for macro in ("enriched", "suppressed"):
        nes = f"select feature, es, nes from {macro}('verb_past', q := 1) where sae = 'first (raw)' order by all"
        found = store.sql(nes).df()
        pd.testing.assert_frame_equal(found, alone.sql(nes).df())
        assert len(found) > 10
    given = "from conditional('verb_past', 'verb_past_participle') where sae = 'first (raw)' order by feature"
    pd.testing.assert_frame_equal(
        store.sql(f"select z {given}").df(), alone.sql(f"select z {given}").df(), check_exact=True
    )


# --- sets that are new, changed, or no longer


def delta(token_ids: np.ndarray) -> np.ndarray:
    U = process_unembedding(made_up.model()).matrix.astype(np.float64)
    inside = np.isin(np.arange(U.shape[1]), token_ids)
    return np.asarray(U[:, inside].mean(axis=1) - U[:, ~inside].mean(axis=1))


def test_a_new_set_overlaps_every_older_one_both_ways(store: Store, tmp_path: Path) -> None:
    before = store.sql("from set_overlaps order by all").df()
    (tmp_path / "own.toml").write_text(OWN)
    store.add_sets(tmp_path / "own.toml")
    store.ingest_pending(progress=False)
    [(own,)] = store.sql("select set_id from token_sets where name = 'own'").fetchall()
    old = f"from set_overlaps where {own} not in (set_a, set_b) order by all"
    pd.testing.assert_frame_equal(store.sql(old).df(), before)
    sets = {
        s: set(ids) for s, ids in store.sql("select set_id, list(token_id) from memberships group by all").fetchall()
    }
    mine = sets.pop(own)
    rows = store.sql(f"from set_overlaps where {own} in (set_a, set_b)").df()
    assert sorted(zip(rows["set_a"], rows["set_b"], strict=True)) == sorted(
        pair for other in sets for pair in ((own, other), (other, own))
    )
    da = delta(np.array(sorted(mine)))
    for row in rows.itertuples():
        other = sets[row.set_a if row.set_b == own else row.set_b]
        db = delta(np.array(sorted(other)))
        assert row.intersection == len(mine & other)
        assert row.jaccard == pytest.approx(len(mine & other) / len(mine | other))
        assert row.overlap_coefficient == pytest.approx(len(mine & other) / min(len(mine), len(other)))
        assert row.null_corr == pytest.approx(da @ db / np.linalg.norm(da) / np.linalg.norm(db), abs=1e-5)


def changed(store: Store, name: str, token_ids: np.ndarray, **about: str) -> list[int]:
    """Enter a set with other members, as a newer library would, and forget what followed from the earlier ones."""
    current = store.model_sets()
    old = next(token_set for token_set in current.sets if token_set.name == name)
    new = replace(old, token_ids=token_ids, **about)  # type: ignore[arg-type]
    with StoreFile(store.path).writer() as engine, engine.begin() as connection:
        changes = upsert_sets(connection, current.model_id, [new], len(current.vocabulary))
        delete_derived(connection, changes.changed_ids)
    return changes.changed_ids


def test_what_follows_from_a_changed_set_is_forgotten_and_nothing_else(store: Store) -> None:
    before = content(store)
    ids = store.members("verb_past")["token_id"].to_numpy()
    [set_id] = changed(store, "verb_past", ids[:-3].astype(np.int32), phrase="other words")
    after = content(store)
    contrasts = before["contrasts"]
    gone = contrasts[(contrasts["set_a"] == set_id) | (contrasts["set_b"] == set_id)]
    assert len(gone) >= 2
    parts = set(gone["only_a"].dropna()) | set(gone["a_and_b"].dropna())
    assert parts
    lost = {
        "contrasts": contrasts["contrast_id"].isin(gone["contrast_id"]),
        "sae_contrasts": before["sae_contrasts"]["contrast_id"].isin(gone["contrast_id"]),
        "contrast_scores": before["contrast_scores"]["contrast_id"].isin(gone["contrast_id"]),
        "side_sets": before["side_sets"]["set_id"].isin(parts),
        "partition_scores": before["partition_scores"]["set_id"].isin(parts),
        "set_nulls": before["set_nulls"]["set_id"].isin({set_id, *parts}),
        "set_overlaps": (before["set_overlaps"]["set_a"] == set_id) | (before["set_overlaps"]["set_b"] == set_id),
        "memberships": (before["memberships"]["set_id"] == set_id) & before["memberships"]["token_id"].isin(ids[-3:]),
    }
    for table in CONTENT:
        if table == "token_sets":
            continue
        rows = before[table]
        expected = rows[~lost[table]] if table in lost else rows
        assert table not in lost or len(expected) < len(rows)
        pd.testing.assert_frame_equal(after[table], expected.reset_index(drop=True), check_dtype=False, obj=table)
    row = store.sql("select version, size, phrase from token_sets where name = 'verb_past'").fetchall()
    assert row == [(2, len(ids) - 3, "other words")]
    others = before["token_sets"][before["token_sets"]["set_id"] != set_id].reset_index(drop=True)
    rest = after["token_sets"][after["token_sets"]["set_id"] != set_id].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, others)


def test_scores_of_a_changed_set_are_those_of_its_new_members(store: Store) -> None:
    ids = store.members("verb_past")["token_id"].to_numpy()[:-3].astype(np.int32)
    before = store.sql("select * from scored where set_name <> 'verb_past' order by all").df()
    changed(store, "verb_past", ids)
    assert store.pending() == 1
    [done] = store.ingest_pending(progress=False)
    assert (done.sae, store.pending()) == ("first", 0)
    pd.testing.assert_frame_equal(
        store.sql("select * from scored where set_name <> 'verb_past' order by all").df(), before
    )
    runs = store.sql("select n_sets, n_scores from ingest_runs order by run_id").fetchall()
    assert runs[1:] == [(1, 60)]
    directly = tsea_db.enrichment(
        made_up.sae("first", seed=9).W_dec, process_unembedding(made_up.model()).matrix, {"s": ids}
    )
    rows = store.sql("select es from scored where set_name = 'verb_past' order by feature").df()
    np.testing.assert_allclose(rows["es"], directly.loc["s"], atol=1e-6)


def test_sets_that_cannot_be_scored_come_and_go(store: Store) -> None:
    def own(*ids: int) -> TokenSet:
        return TokenSet.of(ids, name="own", family="f", phrase="p", definition="d", source="s", tags=["NN"])

    def put(token_set: TokenSet) -> object:
        with StoreFile(store.path).writer() as engine, engine.begin() as connection:
            return upsert_sets(connection, 0, [token_set], made_up.N_TOKENS)

    def listed() -> list[tuple[object, ...]]:
        query = "select size, reason from unscored_sets where name = 'own'"
        return store.sql(query).fetchall()

    others = store.sql("select count(*) from unscored_sets").fetchall()
    put(own())
    assert listed() == [(0, "no member in this vocabulary")]
    put(own(5))
    assert listed() == [(1, "only one member")]
    put(own(5, 7))
    assert listed() == []
    assert store.sql("select count(*) from unscored_sets").fetchall() == others
    row = store.sql("select family, phrase, definition, source, version, size, tags from token_sets where name = 'own'")
    assert row.fetchall() == [("f", "p", "d", "s", 1, 2, ["NN"])]
    with pytest.raises(TokenSetError, match="'own' has scores, but as defined now"):
        put(own(5))
    put(own(5, 7, 9))
    put(own(5, 7, 11))
    assert store.sql("select version, size from token_sets where name = 'own'").fetchall() == [(3, 3)]
    assert store.members("own")["token_id"].tolist() == [5, 7, 11]
    put(replace(own(1, 2), version=9))
    assert store.sql("select version from token_sets where name = 'own'").fetchall() == [(9,)]


def test_controls_stay_when_the_library_grows(store: Store) -> None:
    before = store.sql("from side_sets where kind = 'control' order by set_id desc").df()
    sizes = np.sort(store.token_sets()["size"])
    assert before["name"].tolist() == [f"random_{i:02d}" for i in range(1, 21)]
    assert before["size"].tolist() == sizes[np.linspace(0, len(sizes) - 1, 20).round().astype(int)].tolist()
    assert [len(set(ids)) for ids in before["token_ids"]] == before["size"].tolist()
    assert set(before["seed"]) == {0}
    with StoreFile(store.path).writer() as engine, engine.begin() as connection:
        big = TokenSet.of(range(350), name="big", family="f", phrase="big", definition="d", source="s")
        upsert_sets(connection, 0, [big], made_up.N_TOKENS)
        register_controls(connection, 0, stored_sets(connection, 0), made_up.N_TOKENS)
        controls = stored_derived_sets(connection, 0, "control")
        assert [stored.set_id for stored in controls] == before["set_id"].tolist()
    pd.testing.assert_frame_equal(store.sql("from side_sets where kind = 'control' order by set_id desc").df(), before)


def test_every_contrast_has_the_parts_that_its_two_sets_leave(store: Store) -> None:
    sets = store.sql("select set_id, list(token_id) from memberships group by all").fetchall()
    members = {set_id: set(ids) for set_id, ids in sets}
    parts = {row[0]: set(row[1]) for row in store.sql("select set_id, token_ids from side_sets").fetchall()}
    contrasts = store.sql("select set_a, set_b, only_a, a_and_b from contrasts").fetchall()
    assert {(a, b) for a, b, _, _ in contrasts} == {(b, a) for a, b, _, _ in contrasts}
    kinds = set()
    for a, b, only_a, both in contrasts:
        for part, expected in ((only_a, members[a] - members[b]), (both, members[a] & members[b])):
            kinds.add(part is None)
            assert len(expected) < 2 if part is None else parts[part] == expected
    assert kinds == {True, False}


# --- what scores mean


def test_leading_edges_and_peaks_of_every_set(store: Store) -> None:
    """Walked here, one token at a time, for both signs."""
    U = process_unembedding(made_up.model()).matrix
    rows = store.sql("select * from scored where feature < 4").df()
    n = made_up.N_TOKENS
    sets = store.sql("select set_id, list(token_id) from memberships group by all").fetchall()
    members = {set_id: np.array(ids) for set_id, ids in sets}
    for feature, scores in rows.groupby("feature"):
        weights = (made_up.sae(seed=9).W_dec[int(str(feature))] @ U).astype(np.float64)
        order = np.argsort(-weights, kind="stable")
        for row in scores.itertuples():
            inside = np.isin(order, members[row.set_id])
            sums = np.cumsum(np.where(inside, 1 / row.size, -1 / (n - row.size)))
            rank = int(np.argmax(sums.round(9))) if row.es > 0 else n - 1 - int(np.argmin(sums.round(9)[::-1]))
            assert row.peak_rank == rank + 1
            assert row.es == pytest.approx(sums[rank], abs=1e-6)
            walked = int(inside[: rank + 1].sum())
            assert row.leading_edge == (walked if row.es > 0 else row.size - walked)
    assert (rows["es"] < 0).mean() > 0.2
    assert (rows["es"] > 0).mean() > 0.2
