"""The ingest on a torch device, run on the CPU, against the ingest on the CPU; devices that cannot be used."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tsea_db
from tests.support import tiny_lm
from tests.support.tiny_lm import ROOT, SMALL
from tsea_db import SaeWeights
from tsea_db.errors import InputError
from tsea_db.kernels.device import choose_device, precision_of, with_precision


@cache
def some_features() -> SaeWeights:
    """An SAE of 64 features: tensors on the CPU are slow."""
    whole = tsea_db.load_sae(tiny_lm.sae("blocks.2.mlp"))
    assert whole.log10_density is not None
    return replace(whole, W_dec=whole.W_dec[:64].copy(), log10_density=whole.log10_density[:64])


def scores(path: Path, device: str) -> pd.DataFrame:
    store = tsea_db.open(path, mode="rw")
    store.ingest(tiny_lm.model(), [some_features()], device=device, **SMALL)
    return store.sql("from scores order by set_id, feature").df()


def test_an_ingest_by_torch_stores_the_same_numbers(primed_path: Path, tmp_path: Path) -> None:
    other = tmp_path / "torch.duckdb"
    shutil.copy(primed_path, other)
    ours, theirs = scores(primed_path, "cpu"), scores(other, "torch:cpu")
    pd.testing.assert_frame_equal(ours[["set_id", "feature"]], theirs[["set_id", "feature"]])
    for column in ("z_direction", "log10_p", "log10_q"):  # need no logit weights
        np.testing.assert_array_equal(ours[column], theirs[column])
    # Another product has other last bits: near-equal tokens swap, which moves few scores, and those by little.
    differing = (ours["es"] - theirs["es"]).abs() > 1e-6
    assert differing.mean() < 1e-3
    for column in ("es", "log10_p_es", "log10_p_token"):
        np.testing.assert_allclose(ours[column][~differing], theirs[column][~differing], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours["es"], theirs["es"], atol=1e-3)


def test_pending_sets_are_scored_on_the_device(primed_path: Path, tmp_path: Path) -> None:
    store = tsea_db.open(primed_path, mode="rw")
    store.ingest(tiny_lm.model(), [some_features()], **SMALL)
    (tmp_path / "own.toml").write_text('[[set]]\nname = "mine"\nids = [5, 6, 7, 100, 2000]')
    store.add_sets(tmp_path / "own.toml")
    [done] = store.ingest_pending(device="torch:cpu", progress=False)
    assert done.n_sets == len(store.token_sets())


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_devices_that_are_not_there_are_refused_before_anything_is_read(primed_path: Path, device: str) -> None:
    store = tsea_db.open(primed_path, mode="rw")
    with pytest.raises(InputError, match=f"The device '{device}' cannot be used"):
        store.ingest("no/such/model", ["no/such/sae"], device=device)
    with pytest.raises(InputError, match=f"The device '{device}' cannot be used"):
        store.ingest_pending(device=device)


def test_precisions() -> None:
    for device in ("cpu", "torch:cpu"):
        with pytest.raises(InputError, match="is for --device cuda"):
            choose_device(device, "high")
    with pytest.raises(InputError, match="'low' is unknown"):
        choose_device("cpu", "low")
    assert with_precision("folded", "highest") == "folded"
    for precision in ("highest", "high"):
        assert precision_of(with_precision("folded+centred", precision)) == precision


def test_pending_keeps_to_the_precision_that_was_stored(primed_path: Path) -> None:
    store = tsea_db.open(primed_path, mode="rw")
    store.ingest(tiny_lm.model(), [some_features()], **SMALL)
    for table in ("saes", "unembeddings"):
        store.sql(f"update {table} set processing = '{with_precision('folded+centred', 'high')}'")
    with pytest.raises(InputError, match="is for --device cuda"):
        store.ingest_pending(progress=False)


SHORT_OF_MEMORY = """
import tsea_db.ingest.job as ingest
import tsea_db.kernels.scoring as scoring
from tests.support.tiny_lm import read_kept
from tsea_db.cli.main import run

ingest.load_model = ingest.load_sae = read_kept  # TransformerLens takes longer to import than all else together
scoring.available_memory, scoring.usable_cores = lambda: 1 << 20, lambda: 4
run()
"""


def command_line(code: str, *options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_command_line_says_once_that_memory_is_short(primed_path: Path, kept_model: Path, tmp_path: Path) -> None:
    options: list[str | Path] = ["--model", kept_model]
    for name in ("blocks.2.mlp", "blocks.2.attn.hook_z"):
        (tmp_path / name).write_bytes(pickle.dumps(tsea_db.load_sae(tiny_lm.sae(name))))
        options += ["--sae", tmp_path / name]
    done = command_line(SHORT_OF_MEMORY, "--store", primed_path, "ingest", *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Memory is short: scoring on 1 threads instead of 4") == 1


def test_the_command_line_refuses_what_cannot_be_used(primed_path: Path) -> None:
    for options, message in (
        (["--device", "cuda:99"], "The device 'cuda:99' cannot be used"),
        (["--matmul-precision", "high"], "is for --device cuda"),
    ):
        code = "from tsea_db.cli.main import run; run()"
        done = command_line(code, "--store", primed_path, "ingest", "--model", "x", "--sae", "y", *options)
        assert done.returncode == 2
        assert message in done.stderr
