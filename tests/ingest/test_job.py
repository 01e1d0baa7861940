"""The main job on the real model, against the tutorial, scipy and exact counts; killed, repeated, replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch

import tsea_db
from tests.support import tiny_lm
from tests.support.stores import content, made_up
from tests.support.tiny_lm import SMALL
from tsea_db import Store
from tsea_db.errors import InputError, StoreError, WeightsError
from tsea_db.ingest import features as feature_rows
from tsea_db.ingest import nulls
from tsea_db.ingest import scores as score_rows
from tsea_db.store import bulk, derived_sets, models, token_sets


def logit_weights(name: str, features: list[int]) -> np.ndarray:
    """Logit weights of an identity-mapped SAE, in float32, straight from the files."""
    W_dec = tsea_db.load_sae(tiny_lm.sae(name)).W_dec[features]
    return W_dec @ tiny_lm.reference_unembedding().astype(np.float32)


def test_every_scored_feature_has_every_set(tiny_store: Store) -> None:
    expected = tiny_store.sql(
        "select sum(n * sets) from "
        "(select model_id, count(std) as n from features join saes using (sae_id) group by model_id)"
        " join (select model_id, count(*) as sets from token_sets group by model_id) using (model_id)"
    ).fetchall()
    assert tiny_store.sql("select count(*) from scores").fetchall() == expected
    assert expected[0][0] == 10_240 * len(tiny_store.token_sets())
    assert list(tiny_store.status()["scores"]) == list(
        tiny_store.sql("select count(*) n from scores group by sae_id order by sae_id").df()["n"]
    )


def test_nothing_refers_to_nothing(tiny_store: Store) -> None:
    for query in (
        "select count(*) from scores anti join features using (sae_id, feature)",
        "select count(*) from scores anti join token_sets using (set_id)",
        "select count(*) from memberships anti join token_sets using (set_id)",
        "select count(*) from features anti join saes using (sae_id)",
        "select count(*) from tokens anti join models using (model_id)",
        "select count(*) from saes anti join unembeddings using (model_id, processing)",
    ):
        assert tiny_store.sql(query).fetchall() == [(0,)], query


@pytest.mark.parametrize("name", ["blocks.1.hook_resid_pre", "blocks.3.hook_resid_post"])
def test_scores_are_the_tutorials_with_a_sign(tiny_store: Store, tutorial: ModuleType, name: str) -> None:
    features = list(range(0, 2048, 64))
    sets = {
        s: tiny_store.members(s)["token_id"].tolist()
        for s in ("verb_past", "verb_past_strict", "letter_q", "starts_with_space", "nltk_pos_VBD", "1 digit")
    }
    padded = torch.tensor(list(tutorial.pad_gene_sets(dict(sets)).values()))
    expected = tutorial.calculate_batch_enrichment_scores(torch.tensor(logit_weights(name, features)), padded).numpy()
    stored = tiny_store.sql(
        "select token_sets.name, feature, es from scores join saes using (sae_id) join token_sets using (set_id) "
        "where saes.name = $sae and list_contains($features, feature)",
        {"sae": name, "features": features},
    ).df()
    table = stored.pivot(index="name", columns="feature", values="es").loc[list(sets), features]
    np.testing.assert_allclose(table.abs().to_numpy(), expected, atol=1e-6)
    assert (table < 0).to_numpy().any()
    assert (table > 0).to_numpy().any()


def test_moments_are_scipys(tiny_store: Store) -> None:
    weights = logit_weights("blocks.2.hook_resid_pre", list(range(64))).astype(np.float64)
    stored = tiny_store.sql(
        "select features.* from features join saes using (sae_id) "
        "where name = 'blocks.2.hook_resid_pre' and feature < 64 order by feature"
    ).df()
    np.testing.assert_allclose(stored["mean"], weights.mean(axis=1), atol=1e-7)
    np.testing.assert_allclose(stored["std"], weights.std(axis=1), rtol=1e-6)
    np.testing.assert_allclose(stored["skewness"], scipy.stats.skew(weights, axis=1), atol=1e-6)
    np.testing.assert_allclose(stored["kurtosis"], scipy.stats.kurtosis(weights, axis=1, fisher=False), rtol=1e-6)
    W_dec = tsea_db.load_sae(tiny_lm.sae("blocks.2.hook_resid_pre")).W_dec[:64].astype(np.float64)
    norms = np.linalg.norm(W_dec, axis=1)
    U = tiny_lm.reference_unembedding()
    cosines = W_dec @ U / norms[:, None] / np.linalg.norm(U, axis=0)
    np.testing.assert_allclose(stored["cosine_variance"], cosines.var(axis=1), rtol=1e-5)
    np.testing.assert_allclose(stored["decoder_norm"], norms, rtol=1e-6)


def test_listed_tokens(tiny_store: Store) -> None:
    weights = logit_weights("blocks.3.hook_resid_post", [394])[0]
    columns = tiny_store.feature("blocks.3.hook_resid_post", 394).columns
    order = np.argsort(-weights, kind="stable")
    assert columns["top_token_ids"] == order[:20].tolist()
    assert columns["bottom_token_ids"] == order[::-1][:20].tolist()
    assert columns["top_tokens"][:3] == [" said", " went", " answered"]  # as its README says
    np.testing.assert_allclose(columns["top_logits"], weights[order[:20]], atol=1e-6)


def test_leading_edge_counts_members(tiny_store: Store) -> None:
    scores = tiny_store.feature("blocks.1.hook_resid_pre", 401).scores.set_index("name")
    order = np.argsort(-logit_weights("blocks.1.hook_resid_pre", [401])[0], kind="stable")
    for name in ("verb_past", "letter_s", "starts_with_space", "length_1"):
        row = scores.loc[name]
        walked = set(order[: row["peak_rank"]].tolist())
        members = set(tiny_store.members(name)["token_id"])
        expected = len(members & walked) if row["es"] > 0 else len(members - walked)
        assert row["leading_edge"] == expected


def test_the_answer_of_the_demo(tiny_store: Store) -> None:
    answer = tiny_store.enriched_but_not("verb_past_strict", "verb_past_participle_strict", evidence="verb_past")
    found = set(zip(answer["sae"], answer["feature"], strict=True))
    assert {
        ("blocks.1.hook_resid_pre", 401),
        *(("blocks.3.hook_resid_pre", f) for f in (1438, 324, 1977, 1014)),
    } <= found
    assert (answer["es_enriched"] >= 0.6).all()
    assert (answer["es_but_not"] < 0.35).all()
    assert len(answer) < 200


def test_logit_weights_from_the_kept_files(tiny_store: Store) -> None:
    ours = tiny_store.logit_weights("blocks.3.hook_resid_post", 394)
    np.testing.assert_allclose(ours, logit_weights("blocks.3.hook_resid_post", [394])[0], atol=1e-6)


def test_logit_weights_load_no_model(tiny_store: Store) -> None:
    code = """
    import sys, tsea_db
    assert tsea_db.open(sys.argv[1]).logit_weights("blocks.2.mlp", 3).shape == (8192,)
    print(sorted({"torch", "transformer_lens", "sae_lens", "numba"} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tiny_store.path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.fixture
def two() -> list[Path]:
    return [tiny_lm.sae("blocks.2.mlp"), tiny_lm.sae("blocks.2.attn.hook_z")]


def test_repeating_changes_nothing(primed_path: Path) -> None:
    store = tsea_db.open(primed_path, mode="rw")
    folder = tiny_lm.sae("blocks.3.hook_resid_pre")
    first = store.ingest(tiny_lm.MODEL, [folder], **SMALL)
    before = content(store)
    runs = store.sql("from ingest_runs").fetchall()
    again = store.ingest(tiny_lm.MODEL, [folder], **SMALL)
    assert again[0].seconds == 0
    assert first[0].n_scores == again[0].n_scores > 90_000
    for table, rows in content(store).items():
        pd.testing.assert_frame_equal(rows, before[table])
    assert store.sql("from ingest_runs").fetchall() == runs


def ingest_and_die(store: Path, model: Any, saes: list[Any], fatal_table: str, n_loads: int) -> None:
    """Ingest in a process that is killed right after its n-th load into a table."""
    load, loads_left = bulk.bulk_load, n_loads

    def counted(connection: Any, table: Any, rows: Any) -> int:
        nonlocal loads_left
        loaded = load(connection, table, rows)
        loads_left -= table.name == fatal_table
        if loads_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return loaded

    for module in (models, token_sets, feature_rows, derived_sets, nulls, score_rows):
        module.bulk_load = counted  # type: ignore[attr-defined]
    tsea_db.open(store, mode="rw").ingest(model, saes, **SMALL)


@pytest.mark.slow
def test_killed_anywhere_and_run_again_gives_the_same_rows(tmp_path: Path, two: list[Path], kept_model: Path) -> None:
    # The processes that die are forked from one that has all loaded and has never started a thread.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    model, saes = tiny_lm.read_kept(kept_model), [tsea_db.load_sae(path) for path in two]
    whole = tsea_db.create(tmp_path / "whole.duckdb")
    whole.ingest(model, saes, **SMALL)
    expected = content(whole)
    for table, n_loads, n_saes in (("set_nulls", 1, 0), ("scores", 1, 0), ("scores", 2, 1)):
        broken = tsea_db.create(tmp_path / f"killed-after-{table}-{n_loads}.duckdb")
        process = processes.Process(target=ingest_and_die, args=(broken.path, model, saes, table, n_loads))
        process.start()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
        assert len(broken.status()) == n_saes
        broken.ingest(model, saes, **SMALL)
        for name, rows in content(broken).items():
            pd.testing.assert_frame_equal(rows, expected[name])


def test_an_interrupt_in_the_middle_of_an_sae_leaves_nothing_of_it(
    primed_path: Path, two: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tsea_db.ingest.features import FeatureLoader

    store = tsea_db.open(primed_path, mode="rw")
    store.ingest(tiny_lm.MODEL, two[:1], **SMALL)
    before = content(store)
    with monkeypatch.context() as patch:
        finish = FeatureLoader.finish

        def interrupted(self: FeatureLoader) -> int:
            finish(self)
            raise KeyboardInterrupt("by the test")

        patch.setattr(FeatureLoader, "finish", interrupted)
        with pytest.raises(KeyboardInterrupt, match="by the test"):
            store.ingest(tiny_lm.MODEL, two, **SMALL)
    for table, rows in content(store).items():
        pd.testing.assert_frame_equal(rows, before[table])
    assert store.ingest(tiny_lm.MODEL, two, **SMALL)[1].n_features == 1024


def test_zero_directions_have_no_scores(primed_path: Path) -> None:
    sae = made_up()
    sae.W_dec[3] = 0
    sae.W_dec[5] = 2.5  # the same in every dimension: LayerNorm removes it
    store = tsea_db.open(primed_path, mode="rw")
    [done] = store.ingest(tiny_lm.model(), [sae], **SMALL)
    rows = store.sql("from features order by feature").df()
    zero = rows["feature"][rows["zero_direction"]].tolist()
    assert zero == [3, 5]
    assert done.n_zero_direction == len(zero)
    assert rows["std"].isna().tolist() == rows["zero_direction"].tolist()
    assert rows["top_tokens"].isna().tolist() == rows["zero_direction"].tolist()
    assert done.n_scores == (12 - len(zero)) * done.n_sets
    assert done.n_dead is None
    assert store.sql("select count(*) from scores where isnan(es)").fetchall() == [(0,)]
    assert store.feature("made up", 3).scores.empty


def test_names_and_replacement(primed_path: Path) -> None:
    store = tsea_db.open(primed_path, mode="rw")
    store.ingest(tiny_lm.model(), [made_up()], **SMALL)
    before = content(store)
    with pytest.raises(InputError, match="another SAE called 'made up'"):
        store.ingest(tiny_lm.model(), [made_up(seed=1)], **SMALL)
    for table, rows in content(store).items():
        pd.testing.assert_frame_equal(rows, before[table])
    store.ingest(tiny_lm.model(), [made_up(seed=1)], names=["second"], **SMALL)
    assert list(store.status()["sae"]) == ["made up", "second"]
    store.ingest(tiny_lm.model(), [made_up(seed=2)], replace=True, **SMALL)
    assert sorted(store.status()["sae"]) == ["made up", "second"]
    assert store.sql("select count(*) from features").fetchall() == [(24,)]
    assert store.sql("select count(*) from scores anti join saes using (sae_id)").fetchall() == [(0,)]
    with pytest.raises(InputError, match="Two of the SAEs are called 'x'"):
        store.ingest(tiny_lm.model(), [made_up(seed=3), made_up(seed=4)], names=["x", "x"], **SMALL)
    with pytest.raises(InputError, match="1 names were given for 2"):
        store.ingest(tiny_lm.model(), [made_up(seed=3), made_up(seed=4)], names=["x"], **SMALL)


def test_processings_live_side_by_side(primed_path: Path) -> None:
    store = tsea_db.open(primed_path, mode="rw")
    store.ingest(tiny_lm.model(), [made_up()], **SMALL)
    store.ingest(tiny_lm.model(), [made_up()], processing="raw", **SMALL)
    status = store.status()
    assert list(status["sae"]) == ["made up", "made up (raw)"]
    assert list(status["processing"]) == ["folded+centred", "raw"]
    assert not np.allclose(store.logit_weights("made up", 0), store.logit_weights("made up (raw)", 0))


def test_weights_need_not_be_kept(primed_path: Path) -> None:
    store = tsea_db.open(primed_path, mode="rw")
    folder = tiny_lm.sae("blocks.2.mlp")
    store.ingest(tiny_lm.MODEL, [folder], keep_weights=False, **SMALL)
    assert [file.name for file in primed_path.parent.iterdir()] == [primed_path.name]
    assert store.sql("select source, length(directions_hash), kept from saes").fetchall() == [(str(folder), 64, False)]
    with pytest.raises(InputError, match="were not kept"):
        store.logit_weights("blocks.2.mlp", 0)


def test_nothing_is_stored_when_one_of_several_is_bad(store_path: Path, two: list[Path]) -> None:
    store = tsea_db.open(store_path, mode="rw")
    bad = made_up("bad")
    bad.W_dec[4, 2] = np.nan
    with pytest.raises(WeightsError, match="first in feature 4"):
        store.ingest(tiny_lm.MODEL, [*two, bad], **SMALL)
    assert all(rows.empty for rows in content(store).values())
    with pytest.raises(InputError, match="No SAE"):
        store.ingest(tiny_lm.MODEL, [], **SMALL)
    with pytest.raises(StoreError, match='mode="rw"'):
        tsea_db.open(store_path).ingest(tiny_lm.MODEL, two, **SMALL)


def test_another_model_of_the_same_name(primed_path: Path) -> None:
    from dataclasses import replace

    store = tsea_db.open(primed_path, mode="rw")
    store.ingest(tiny_lm.model(), [made_up()], **SMALL)
    other = replace(tiny_lm.model(), unembedding=tiny_lm.model().unembedding * 2)
    with pytest.raises(InputError, match="--model-name"):
        store.ingest(other, [made_up()], **SMALL)
    store.ingest(replace(other, name="louder"), [made_up()], names=["made up, louder"], **SMALL)
    assert store.sql("select model_id, count(*) from tokens group by all order by all").fetchall() == [
        (0, 8192),
        (1, 8192),
    ]
