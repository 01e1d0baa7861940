"""The package as a whole: what it exports, how it imports, what its wheel holds."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tsea_db
from tests.support.tiny_lm import ROOT


def test_public_names() -> None:
    assert sorted(tsea_db.__all__) == [
        "Calibrated", "FeatureReport", "ModelWeights", "NullPlan", "SaeWeights", "Store", "TokenSet", "TseaError",
        "Vocabulary", "__version__", "build_catalogue", "create", "enrichment", "load_model", "load_sae", "open",
        "score_direction", "upgrade", "weighted_es",
    ]  # fmt: skip
    assert all(getattr(tsea_db, name) is not None for name in tsea_db.__all__)
    assert dir(tsea_db) == sorted(tsea_db.__all__)


def test_imports_point_one_way() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_nothing_imports_the_command_line() -> None:
    for file in (ROOT / "tsea_db").rglob("*.py"):
        assert "tsea_db.cli" not in file.read_text(), file


@pytest.mark.slow
def test_the_wheel_works_and_leaves_no_stray_packages(tmp_path: Path) -> None:
    source = tmp_path / "source"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if not name.startswith(("examples/", "tests/")) and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, source],
        check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {name.split("/")[0].split("-")[0] for name in archive.namelist()} == {"tsea_db"}
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", site, wheel],
        check=True, capture_output=True,
    )  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(site)}
    where = subprocess.run(
        [sys.executable, "-c", "import tsea_db, tsea_db.cli.main; print(tsea_db.__file__, tsea_db.cli.__file__)"],
        env=environment, cwd=tmp_path, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert where.split() == [str(site / "tsea_db/__init__.py"), str(site / "tsea_db/cli/__init__.py")]
    store = tmp_path / "from-wheel.duckdb"
    for command in (["init"], ["status"], ["sets", "list"]):
        subprocess.run([site / "bin" / "tsea", "--store", store, *command], env=environment, cwd=tmp_path, check=True)
    assert store.is_file()
