"""Nulls of a size and seed of one's own, and part of the library: what is stored, kept to, and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsea_db
from tests.support import tiny_lm
from tests.support.stores import content, made_up
from tests.support.tiny_lm import LIBRARY, PLAN, SMALL
from tsea_db import NullPlan, Store, TokenSet
from tsea_db.errors import InputError


def opened(path: Path) -> Store:
    return tsea_db.open(path, mode="rw")


def plans(store: Store) -> set[tuple[int, ...]]:
    """Draws and seed behind the nulls of sets, draws and seed behind those of moments."""
    return set(
        store.sql(
            "select s.n_draws, s.seed, m.n_draws, m.seed "
            "from set_nulls s join moment_nulls m using (model_id, processing)"
        ).fetchall()
    )


def test_the_plan_is_stored_and_kept_to(primed_path: Path, tmp_path: Path) -> None:
    """By later ingests that name none, by other sets, and by sets of one's own."""
    store = opened(primed_path)
    assert plans(store) == {(200, 0, 2_000, 0)}
    store.ingest(tiny_lm.model(), [made_up()], library=[*LIBRARY, "letter_b"], progress=False)
    (tmp_path / "own.toml").write_text('[[set]]\nname = "mine"\nids = [5, 6, 7, 100, 2000]')
    store.add_sets(tmp_path / "own.toml")
    assert [sae.n_sets for sae in store.ingest_pending(progress=False)] == [len(LIBRARY) + 2]
    assert plans(store) == {(200, 0, 2_000, 0)}
    assert store.sql("select count(*) from set_nulls where set_id >= 0").fetchall() == [(len(LIBRARY) + 2,)]


@pytest.mark.parametrize(
    ("plan", "stored", "given"),
    [
        (NullPlan(), "draws=200, moment_draws=2000, seed=0", "draws=4000, moment_draws=20000, seed=0"),
        (NullPlan(201, 2_000), "draws=200, moment_draws=2000, seed=0", "draws=201, moment_draws=2000, seed=0"),
        (NullPlan(200, 2_001), "draws=200, moment_draws=2000, seed=0", "draws=200, moment_draws=2001, seed=0"),
        (NullPlan(200, 2_000, 1), "draws=200, moment_draws=2000, seed=0", "draws=200, moment_draws=2000, seed=1"),
    ],
)
def test_another_plan_is_refused_and_changes_nothing(
    primed_path: Path, plan: NullPlan, stored: str, given: str
) -> None:
    store = opened(primed_path)
    before = primed_path.read_bytes()
    with pytest.raises(InputError, match=f"come from {stored}; the plan given has {given}"):
        store.ingest(tiny_lm.model(), [made_up()], null_plan=plan, progress=False)
    assert primed_path.read_bytes() == before
    assert list(primed_path.parent.iterdir()) == [primed_path]


def test_after_an_interruption_the_half_of_the_plan_that_is_stored_counts(primed_path: Path) -> None:
    store = opened(primed_path)
    store.sql("delete from moment_nulls")
    with pytest.raises(InputError, match=r"come from draws=200, seed=0; the plan given has draws=200, seed=3\."):
        store.ingest(tiny_lm.model(), [made_up()], null_plan=NullPlan(200, 3_000, seed=3), progress=False)
    store.ingest(tiny_lm.model(), [made_up()], library=LIBRARY, null_plan=NullPlan(200, 3_000), progress=False)
    assert plans(store) == {(200, 0, 3_000, 0)}


def test_each_processing_has_a_plan_of_its_own(primed_path: Path) -> None:
    store = opened(primed_path)
    store.ingest(
        tiny_lm.model(),
        [made_up()],
        library=LIBRARY,
        processing="raw",
        null_plan=NullPlan(250, 2_000, 1),
        progress=False,
    )
    assert plans(store) == {(200, 0, 2_000, 0), (250, 1, 2_000, 1)}


def test_the_seed_changes_what_is_sampled_and_nothing_else(primed_path: Path, store_path: Path) -> None:
    other = opened(store_path)
    other.ingest(tiny_lm.model(), [made_up()], library=LIBRARY, null_plan=NullPlan(200, 2_000, seed=9), progress=False)
    store = opened(primed_path)
    store.ingest(tiny_lm.model(), [made_up()], **SMALL)
    query = "select set_name, feature, {} from scored order by all"
    exact = "es, peak_rank, z_direction, log10_p, log10_q, log10_p_token"
    pd.testing.assert_frame_equal(*(each.sql(query.format(exact)).df() for each in (store, other)))
    ours, theirs = (each.sql("select mean_abs_es from set_nulls order by set_id desc").df() for each in (store, other))
    assert (ours["mean_abs_es"] != theirs["mean_abs_es"]).all()
    np.testing.assert_allclose(ours["mean_abs_es"], theirs["mean_abs_es"], rtol=0.25)
    nes = [each.sql(query.format("nes")).df()["nes"] for each in (store, other)]
    assert (nes[0] != nes[1]).all()
    with pytest.raises(InputError, match="Seed 9 is that of the stored null's own directions"):
        other.calibrate(seed=9, progress=False)
    settings = other.calibrate(draws=400, seed=1, levels=[0.05], features=50, progress=False).report["settings"]
    assert (settings["null_seed"], settings["null_draws"]) == (9, 200)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 199}, "draws of a null plan is a whole number from 200 to 2147483647, not 199"),
        ({"moment_draws": 1_999}, "moment_draws of a null plan is a whole number from 2000 to .*, not 1999"),
        ({"seed": -1}, "seed of a null plan is a whole number from 0 to .*, not -1"),
        ({"draws": 2**31}, "not 2147483648"),
        ({"draws": 400.0}, r"not 400\.0"),
        ({"seed": True}, "not True"),
    ],
)
def test_plans_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        NullPlan(**options)
    assert NullPlan() == NullPlan(draws=4_000, moment_draws=20_000, seed=0)


def test_sets_of_the_store_stay_when_other_ones_are_entered(primed_path: Path) -> None:
    """The library given is what is entered; contrasts come with the second of their sets."""
    store = opened(primed_path)
    own = TokenSet.of([3, 1, 400], name="mine", family="own", phrase="my words", definition="three", source="a test")
    store.ingest(tiny_lm.model(), [made_up()], library=[own, "suffix_er"], progress=False)
    assert set(store.token_sets()["name"]) == {*LIBRARY, "mine", "suffix_er"}
    assert store.members("mine")["token_id"].tolist() == [1, 3, 400]
    directly = tsea_db.enrichment(made_up().W_dec, tiny_lm.reference_unembedding(), [own])
    stored = store.sql("select es from scored where set_name = 'mine' order by feature").df()
    np.testing.assert_allclose(stored["es"], directly.loc["mine"], atol=1e-6)
    query = "select count(*) from contrasts join token_sets on set_id = set_a where name = 'adjective_comparative'"
    assert store.sql(query).fetchall() == [(0,)]
    store.ingest(tiny_lm.model(), [made_up()], library=["adjective_comparative"], progress=False)
    assert store.sql(query).fetchall() == [(1,)]


def test_a_library_that_is_not_there_stores_nothing(store_path: Path) -> None:
    store = opened(store_path)
    with pytest.raises(InputError, match="no token set called 'verb_pst' in the library. Did you mean verb_past"):
        store.ingest(tiny_lm.model(), [made_up()], library=["verb_past", "verb_pst"], null_plan=PLAN, progress=False)
    assert all(rows.empty for rows in content(store).values())
