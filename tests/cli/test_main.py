"""The command line: what it prints, and how it fails."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support import tiny_lm
from tests.support.command_line import tsea
from tsea_db import Store


@pytest.mark.slow
def test_from_nothing_to_an_answer(tmp_path: Path) -> None:
    store = tmp_path / "new.duckdb"
    assert "Next: tsea --store" in tsea("init", store=store).output
    assert "is empty" in tsea("status", store=store).output
    folder = tiny_lm.sae("blocks.2.mlp")
    done = tsea("ingest", "--model", tiny_lm.MODEL, "--sae", folder, store=store)
    assert done.exit_code == 0, done.output
    assert "blocks.2.hook_mlp_out" in done.output
    assert "1,024" in done.output
    assert "stored already" in tsea("ingest", "--model", tiny_lm.MODEL, "--sae", folder, store=store).output
    assert "transcoder" in tsea("status", store=store).output
    assert "up to date" in tsea("upgrade", store=store).output


def test_sets(tiny_store: Store) -> None:
    listed = tsea("sets", "list", "--family", "verb_forms", store=tiny_store.path)
    assert "verb_past_strict" in listed.output
    assert "letter_a" not in listed.output
    shown = tsea("sets", "show", "verb_past_strict", store=tiny_store.path)
    assert "' began'" in shown.output
    assert "lemminflect" in shown.output
    assert "reason" in tsea("sets", "list", "--unscored", store=tiny_store.path).output


def test_feature(tiny_store: Store) -> None:
    shown = tsea("feature", "blocks.3.hook_resid_post", 394, store=tiny_store.path)
    assert shown.exit_code == 0
    for part in ("kurtosis", "' said'", "promotes", "suppresses", "past-tense verbs", "folded+centred"):
        assert part in shown.output


def test_a_feature_given_a_set_and_for_all_sets_at_once(tiny_store: Store) -> None:
    given = tsea("feature", "blocks.3.hook_resid_post", 394, "--given", "verb_past_participle", store=tiny_store.path)
    assert given.exit_code == 0, given.output
    assert "z_given" in given.output
    joint = tsea("feature", "blocks.3.hook_resid_post", 394, "--joint", store=tiny_store.path)
    assert joint.exit_code == 0, joint.output
    assert "coefficient" in joint.output
    assert tsea("feature", "blocks.2.mlp", 3, "--given", "verb_pst", store=tiny_store.path).exit_code == 2


def test_overlaps(tiny_store: Store) -> None:
    shown = tsea("sets", "overlaps", "verb_past_strict", "--top", 3, store=tiny_store.path)
    assert shown.exit_code == 0, shown.output
    assert "nltk_pos_VBD" in shown.output
    assert "null_corr" in shown.output


def test_calibrate(small_store: Store, tmp_path: Path) -> None:
    page = tmp_path / "qq.html"
    shown = tsea("calibrate", "--features", 2000, "--json", "--plot", page, store=small_store.path)
    assert shown.exit_code == 0, shown.output
    report = json.loads(shown.stdout)
    assert set(report["share_p_below"]) == {"random_direction", "es", "random_token"}
    assert all(set(shares) == {"0.05", "0.01", "0.001"} for shares in report["share_p_below"].values())
    assert report["rotated_sae"]["sae"] == "blocks.1.hook_resid_pre"
    assert "<svg" in page.read_text()
    table = tsea("calibrate", "--features", 500, "--level", 0.05, store=small_store.path)
    assert "Share of p below the level" in table.output
    refused = tsea("calibrate", "--level", "0.0001", store=small_store.path)
    assert (refused.exit_code, "draw 40000 or more" in refused.stderr) == (2, True)


def test_status_shows_controls(tiny_store: Store) -> None:
    assert "random sets of the same sizes" in tsea("status", store=tiny_store.path).output


def test_sql_formats(tiny_store: Store, tmp_path: Path) -> None:
    query = "select name, layer, [1, null] as list from saes order by sae_id limit 2"
    assert "blocks.1.hook_resid_pre" in tsea("sql", query, store=tiny_store.path).output
    rows = list(csv.DictReader(io.StringIO(tsea("sql", query, "--format", "csv", store=tiny_store.path).output)))
    assert rows[0] == {"name": "blocks.1.hook_resid_pre", "layer": "1", "list": "[1, NULL]"}
    assert json.loads(tsea("sql", query, "--format", "json", store=tiny_store.path).output)[0]["list"] == [1, None]
    file = tmp_path / "rows.parquet"
    assert tsea("sql", query, "--format", "parquet", "-o", file, store=tiny_store.path).exit_code == 0
    import duckdb

    assert duckdb.connect().sql(f"select layer from '{file}'").fetchall() == [(1,), (2,)]
    assert tsea("sql", query, "-o", file, store=tiny_store.path).exit_code == 2


def test_score(tmp_path: Path) -> None:
    vector = tmp_path / "probe.npy"
    np.save(vector, np.random.default_rng(0).standard_normal(192))
    shown = tsea("score", vector, "--model", tiny_lm.MODEL)
    assert shown.exit_code == 0, shown.output
    assert "promotes" in shown.output
    np.save(vector, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "not an array of numbers" in tsea("score", vector, "--model", tiny_lm.MODEL).output
    np.save(vector, np.ones(5))
    assert tsea("score", vector, "--model", tiny_lm.MODEL).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ingest", "--model", "/no/such", "--sae", tiny_lm.SAES[0]), "No such directory: /no/such"),
        (("ingest", "--model", tiny_lm.MODEL, "--sae", "/no/such"), "No such directory: /no/such"),
        (("ingest", "--model", tiny_lm.FOLDER, "--sae", tiny_lm.SAES[0]), "it has no config.json"),
        (("ingest", "--model", tiny_lm.MODEL, "--sae", tiny_lm.FOLDER), "it has no cfg.json"),
        (("ingest", "--model", tiny_lm.MODEL, "--sae", tiny_lm.SAES[0], "--processing", "x"), "Unknown processing"),
        (("sets", "show", "nothing"), "no token set called 'nothing'"),
        (("feature", "nothing", "1"), "no SAE called 'nothing'"),
        (("sql", "selec 1"), "syntax error"),
        (("sql", "delete from saes"), "only reads"),
        (("init",), "exists already"),
    ],
)
def test_bad_input_is_told_and_nothing_is_stored(store_path: Path, arguments: tuple[object, ...], message: str) -> None:
    before = store_path.read_bytes()
    result = tsea(*arguments, store=store_path)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert store_path.read_bytes() == before


def test_damaged_weights_and_other_models_exit_with_2(store_path: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_lm.sae("blocks.2.mlp"), tmp_path / "cut"))
    weights = folder / "sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    result = tsea("ingest", "--model", tiny_lm.MODEL, "--sae", folder, store=store_path)
    assert (result.exit_code, "truncated" in result.stderr) == (2, True)
    cfg = json.loads((folder / "cfg.json").read_text())
    shutil.copy(tiny_lm.sae("blocks.2.mlp") / "sae_weights.safetensors", weights)
    cfg["metadata"]["hook_name_out"] = "blocks.2.attn.hook_q"
    (folder / "cfg.json").write_text(json.dumps(cfg))
    result = tsea("ingest", "--model", tiny_lm.MODEL, "--sae", folder, store=store_path)
    assert (result.exit_code, "no linear path" in result.stderr) == (2, True)


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom tsea_db.cli.main import main\n"
        "for command in ([], ['ingest'], ['sets', 'list'], ['sql'], ['score']):\n"
        "    assert CliRunner().invoke(main, [*command, '--help']).exit_code == 0\n"
        "print(sorted({'torch', 'numba', 'duckdb', 'sqlalchemy', 'pandas', 'numpy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
