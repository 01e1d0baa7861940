"""Sets in a store: own ones added, changed, scored later, taken out and in again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sqlalchemy import select

import tsea_db
from tests.support import gpt2, tiny_lm
from tests.support.shared import Shared
from tests.support.tiny_lm import SMALL
from tsea_db import ModelWeights, SaeWeights, Store, TokenSet
from tsea_db.cli.main import main
from tsea_db.errors import InputError, StoreError, TokenSetError
from tsea_db.store import schema
from tsea_db.store.file import StoreFile
from tsea_db.store.token_sets import upsert_sets
from tsea_db.token_sets import load_sets

SPEECH = """
family = "mine"
[[set]]
name = "speech_verbs"
phrase = "verbs of saying"
words = "said told asked answered replied {more} antidisestablishmentarianism"
[[set]]
name = "past_only"
phrase = "past tense without participles"
expression = "verb_past - verb_past_participle"
"""


def made_up(seed: int = 0, width: int = 192) -> SaeWeights:
    W_dec = np.random.default_rng(seed).standard_normal((40, width)).astype(np.float32)
    return SaeWeights(f"made up {seed}", "memory", "blocks.0.hook_resid_post", "standard", W_dec)


@pytest.fixture(scope="module")
def two_saes(shared: Shared, primed_file: Path) -> Path:
    def fill(folder: Path) -> None:
        store = tsea_db.open(shutil.copy(primed_file, folder / "two.duckdb"), mode="rw")
        store.ingest(tiny_lm.model(), [made_up(0), made_up(1)], **SMALL)

    return shared.folder("two", fill)


@pytest.fixture
def store(tmp_path: Path, two_saes: Path) -> Store:
    shutil.copytree(two_saes, tmp_path / "store")
    return tsea_db.open(tmp_path / "store" / "two.duckdb", mode="rw")


def write(folder: Path, more: str = "cried") -> Path:
    file = folder / "speech.toml"
    file.write_text(SPEECH.format(more=more))
    return file


def scores(store: Store) -> pd.DataFrame:
    return store.sql("select name, scores.* from scores join token_sets using (set_id) order by all").df()


def test_new_sets_are_scored_for_all_saes_and_nothing_else_is_touched(store: Store, tmp_path: Path) -> None:
    before = scores(store)
    features = store.sql("from features order by all").df()
    assert store.ingest_pending(progress=False) == []
    added = store.add_sets(write(tmp_path))
    assert added.changes.new == ["speech_verbs", "past_only"]
    assert [dropped.entry for dropped in added.built.dropped] == ["antidisestablishmentarianism"]
    assert store.pending() == 4
    done = store.ingest_pending(progress=False)
    assert [sae.sae for sae in done] == ["made up 0", "made up 1"]
    assert store.pending() == 0
    after = scores(store)
    own = after["name"].isin(["speech_verbs", "past_only"])
    assert own.sum() == 2 * 2 * 40
    pd.testing.assert_frame_equal(after[~own].reset_index(drop=True), before)
    pd.testing.assert_frame_equal(store.sql("from features order by all").df(), features)


def test_a_late_set_gets_the_scores_it_would_have_got_at_first(store: Store, tmp_path: Path) -> None:
    store.add_sets(write(tmp_path))
    store.ingest_pending(progress=False)
    late = scores(store)
    store.ingest(tiny_lm.model(), [made_up(2)], **SMALL)
    store.sql("delete from scores where sae_id = 0")
    store.sql("delete from sae_sets where sae_id = 0")
    store.ingest(tiny_lm.model(), [made_up(0)], **SMALL)
    again = scores(store)
    for sae_id in (0, 1):
        pd.testing.assert_frame_equal(
            again[again["sae_id"] == sae_id].reset_index(drop=True),
            late[late["sae_id"] == sae_id].reset_index(drop=True),
        )


def test_a_changed_set_is_a_new_version_and_its_scores_are_stale_until_replaced(store: Store, tmp_path: Path) -> None:
    store.add_sets(write(tmp_path))
    store.ingest_pending(progress=False)
    before = scores(store)
    assert store.add_sets(write(tmp_path)).changes.unchanged == ["speech_verbs", "past_only"]
    assert store.add_sets(write(tmp_path, "cried shouted")).changes.changed == ["speech_verbs"]
    row = store.token_sets(family="mine").set_index("name").loc["speech_verbs"]
    assert (row["version"], row["size"], row["stale"]) == (2, 7, 2)
    pd.testing.assert_frame_equal(scores(store), before)
    assert store.pending() == 2
    store.ingest_pending(progress=False)
    after = scores(store)
    other = after["name"] != "speech_verbs"
    pd.testing.assert_frame_equal(
        after[other].reset_index(drop=True), before[before["name"] != "speech_verbs"].reset_index(drop=True)
    )
    assert not after[~other]["es"].equals(before[before["name"] == "speech_verbs"]["es"])
    assert store.token_sets(family="mine")["stale"].tolist() == [0, 0]
    directly = tsea_db.enrichment(
        made_up(0).W_dec, tiny_lm.reference_unembedding(), {"s": store.members("speech_verbs")["token_id"]}
    )
    mine = after[(after["name"] == "speech_verbs") & (after["sae_id"] == 0)]
    np.testing.assert_allclose(mine["es"], directly.loc["s"], atol=1e-6)


def test_changing_a_set_of_a_contrast_redoes_the_contrast(store: Store) -> None:
    """The library itself changes when a newer tsea-db brings other definitions."""
    from tsea_db.store.derived_sets import delete_derived
    from tsea_db.store.file import StoreFile
    from tsea_db.store.token_sets import upsert_sets

    current = store.model_sets()
    past = next(token_set for token_set in current.sets if token_set.name == "verb_past")
    smaller = type(past)(**{**vars(past), "token_ids": past.token_ids[:-3]})
    contrasts = store.sql("select count(*) from contrasts").fetchall()
    with StoreFile(store.path).writer() as engine, engine.begin() as connection:
        changes = upsert_sets(connection, current.model_id, [smaller], len(current.vocabulary))
        assert changes.changed == ["verb_past"]
        delete_derived(connection, changes.changed_ids)
    assert store.sql("select count(*) from contrasts").fetchall() < contrasts
    store.ingest_pending(progress=False)
    assert store.sql("select count(*) from contrasts").fetchall() == contrasts
    for query in (
        "select count(*) from contrast_scores anti join contrasts using (contrast_id)",
        "select count(*) from partition_scores anti join side_sets using (set_id)",
        "select count(*) from set_nulls where set_id < 0 and set_id not in (select set_id from side_sets)",
        "select count(*) from token_sets anti join set_nulls using (set_id)",
    ):
        assert store.sql(query).fetchall() == [(0,)], query


def test_bad_files_store_nothing(store: Store, tmp_path: Path) -> None:
    before = store.sql("from token_sets order by all").df()
    file = tmp_path / "bad.toml"
    for text, message in (
        ('[[set]]\nname = "x"\nregex = "a(b"', "x.*position"),
        ('[[set]]\nname = "x"\nwords = "qqqqqq"', "none of its 1 words"),
        ('[[set]]\nname = "x"\nids = [1, 8192]', "8192 is outside the vocabulary"),
        ('[[set]]\nname = "letter_a"\nids = [1, 2]', "letter_a"),
        ('[[set]]\nname = "x"\nexpression = "verb_pst"', "verb_past"),
        ('[[set]]\nname = "x"\nexpression = "y"\n[[set]]\nname = "y"\nexpression = "x"', "circle"),
        ('[[set]]\nname = "x"\nwrods = "a"', "line 3.*wrods"),
        ('[[set]]\nname = "x"\nids = [1, 2]\n[[set]]\nname = "x"\nids = [3, 4]', "2 token sets are called 'x'"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            store.add_sets(file)
    pd.testing.assert_frame_equal(store.sql("from token_sets order by all").df(), before)
    with pytest.raises(StoreError, match="mode"):
        tsea_db.open(store.path).add_sets(file)
    with pytest.raises(InputError, match="has the models tiny-lm"):
        store.add_sets(write(tmp_path), model="other")
    file.write_text('[[set]]\nname = "one"\nids = [7]')
    assert store.add_sets(file).changes.not_scored == {"one": "only one member"}
    assert "one" in set(store.unscored_sets()["name"])


def test_sizes_without_a_score_are_listed_with_the_reason(store: Store) -> None:
    d_vocab = 8_192
    sets = [
        TokenSet(f"of {k}", "own", f"{k} tokens", "ids", "a test", np.arange(k, dtype=np.int32))
        for k in (0, 1, 2, d_vocab - 2, d_vocab - 1, d_vocab)
    ]
    with StoreFile(store.path).writer() as engine, engine.begin() as connection:
        model_id = connection.execute(select(schema.models.c.model_id)).scalar_one()
        assert upsert_sets(connection, model_id, sets, d_vocab).new == ["of 2", "of 8190"]
    listed = store.unscored_sets().set_index("name").loc[["of 0", "of 1", "of 8191", "of 8192"]]
    assert list(listed["size"]) == [0, 1, d_vocab - 1, d_vocab]
    assert list(listed["reason"]) == [
        "no member in this vocabulary",
        "only one member",
        *["all tokens but one, or all of them, are members"] * 2,
    ]
    assert store.token_sets()["name"].isin(["of 2", "of 8190"]).sum() == 2
    shown = CliRunner().invoke(main, ["--store", str(store.path), "sets", "list", "--unscored"])
    assert "only one member" in shown.output
    assert "all tokens but one" in shown.output


def test_a_set_with_scores_may_not_shrink_to_nothing(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[[set]]\nname = "x"\nids = [7, 8]')
    store.add_sets(file)
    store.ingest_pending(progress=False)
    file.write_text('[[set]]\nname = "x"\nids = [7]')
    with pytest.raises(TokenSetError, match="only one member"):
        store.add_sets(file)


def test_weights_that_were_not_kept_cannot_be_scored_later(primed_path: Path, tmp_path: Path) -> None:
    store = tsea_db.open(primed_path, mode="rw")
    store.ingest(tiny_lm.model(), [made_up()], keep_weights=False, **SMALL)
    store.add_sets(write(tmp_path))
    with pytest.raises(InputError, match="made up 0 were not kept"):
        store.ingest_pending(progress=False)
    store.ingest(tiny_lm.model(), [made_up()], keep_weights=False, **SMALL)
    assert store.pending() == 0


def test_gmt_out_and_in_is_the_identity(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "all.gmt"
    assert CliRunner().invoke(main, ["--store", str(store.path), "sets", "export", str(file)]).exit_code == 0
    current = store.model_sets()
    again = load_sets(file, current.vocabulary, current.sets).sets
    assert [vars(s) | {"token_ids": s.token_ids.tolist()} for s in again] == [
        {key: value for key, value in vars(s).items() if key != "content_hash"} | {"token_ids": s.token_ids.tolist()}
        for s in current.sets
    ]
    assert store.add_sets(file).changes.unchanged == [token_set.name for token_set in current.sets]


def test_the_commands(store: Store, tmp_path: Path) -> None:
    def tsea(*arguments: object) -> str:
        result = CliRunner().invoke(main, ["--store", str(store.path), *map(str, arguments)])
        assert result.exit_code == 0, result.output
        return result.output

    file = write(tmp_path)
    assert "speech_verbs: added" in tsea("sets", "diff", file)
    added = tsea("sets", "add", file)
    assert "new: speech_verbs, past_only" in added
    assert "dropped from speech_verbs, not a single token: antidisestablishmentarianism" in added
    assert "4 pairs of SAE and token set" in tsea("status")
    assert "made up 1" in tsea("ingest", "--pending")
    assert "Nothing is pending" in tsea("ingest", "--pending")
    assert "No difference" in tsea("sets", "diff", file)
    assert "findings in" in tsea("sets", "lint")
    library = tmp_path / "library.csv"
    assert "Wrote" in tsea("sets", "build", "--tokenizer", tiny_lm.MODEL, "--out", library)
    assert library.read_text().startswith("set,token_id,token\n")
    for wrong in (["ingest"], ["ingest", "--pending", "--model", "x"]):
        assert CliRunner().invoke(main, ["--store", str(store.path), *wrong]).exit_code == 2


@pytest.mark.slow
def test_a_store_of_gpt2s_vocabulary_has_the_library(store_path: Path) -> None:
    rng = np.random.default_rng(0)
    model = ModelWeights(
        name="gpt2-tokens",
        source="memory",
        unembedding=rng.standard_normal((16, 50_257)).astype(np.float32),
        norm_weight=None,
        norm_folded=False,
        normalization="none",
        soft_cap=None,
        n_layers=1,
        vocabulary=gpt2.vocabulary(),
        output_matrix=lambda _: np.zeros((16, 16), np.float32),
    )
    store = tsea_db.open(store_path, mode="rw")
    store.ingest(model, [made_up(width=16)], null_plan=tiny_lm.PLAN, progress=False)
    sets = store.token_sets()
    assert (sets["size"] >= 5).sum() >= 350
    assert sets["family"].nunique() >= 20
    assert " began" in set(store.members("verb_past_strict")["text"])
