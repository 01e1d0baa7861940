"""Where compiled kernels are kept, and when they are compiled anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import tsea_db
from tsea_db.kernels.compiled import kernel_sources_hash

PACKAGE = Path(tsea_db.__file__).parent
RANK = """
import numpy as np
from tsea_db.kernels import compiled, ranking
print(compiled._compiled_code_folder())
print(ranking.order_rows(np.array([[1, 3, 2]], np.float32)).tolist())
"""


def copied_package(folder: Path) -> Path:
    shutil.copytree(PACKAGE, folder / "tsea_db", ignore=shutil.ignore_patterns("__pycache__", "data"))
    return folder / "tsea_db"


def ranked(package: Path, **environment: str) -> tuple[Path, str]:
    """Rank three tokens in a process of its own: the folder of compiled code, and the order."""
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    variables = kept | environment | {"PYTHONPATH": str(package.parent)}
    command = [sys.executable, "-c", RANK]
    done = subprocess.run(command, env=variables, cwd=package.parent, capture_output=True, text=True, check=True)
    folder, order = done.stdout.splitlines()
    return Path(folder), order


def test_an_edit_of_any_kernel_file_changes_the_hash(tmp_path: Path) -> None:
    kernels = copied_package(tmp_path) / "kernels"
    before = kernel_sources_hash((kernels,))
    kernel_sources_hash.cache_clear()
    assert kernel_sources_hash((kernels,)) == before
    file = kernels / "ranking.py"
    file.write_text(file.read_text().replace("_DIGIT_BITS = 11", "_DIGIT_BITS = 12"))
    kernel_sources_hash.cache_clear()
    assert kernel_sources_hash((kernels,)) != before


def test_code_is_kept_beside_the_sources_and_an_edit_of_a_callee_is_noticed(tmp_path: Path) -> None:
    package = copied_package(tmp_path)
    folder, order = ranked(package)
    assert order == "[[1, 2, 0]]"
    assert folder.parent == package / "kernels" / "__pycache__"
    assert list(folder.rglob("*.nbi"))
    # rank_row calls descending_key; turn that over in a file whose time does not change for its caller
    file = package / "kernels" / "ranking.py"
    file.write_text(file.read_text().replace("return np.uint32(0x7FFFFFFF) - bits", "return bits"))
    other, order = ranked(package)
    assert (other != folder, order) == (True, "[[0, 2, 1]]")


def test_without_a_folder_to_write_to_a_temporary_one_serves(tmp_path: Path) -> None:
    package = copied_package(tmp_path)
    (package / "kernels" / "__pycache__").write_text("in the way")
    (tmp_path / "cache").write_text("in the way")
    folder, order = ranked(package, TSEA_CACHE_DIR=str(tmp_path / "cache"), PYTHONDONTWRITEBYTECODE="1")
    assert order == "[[1, 2, 0]]"
    assert not folder.is_relative_to(tmp_path / "tsea_db")
    assert not folder.exists()  # it went with the process


def test_the_users_cache_comes_before_a_temporary_folder(tmp_path: Path) -> None:
    package = copied_package(tmp_path)
    (package / "kernels" / "__pycache__").write_text("in the way")
    folder, _ = ranked(package, TSEA_CACHE_DIR=str(tmp_path / "cache"), PYTHONDONTWRITEBYTECODE="1")
    assert folder.parent == tmp_path / "cache"
    assert list(folder.rglob("*.nbi"))
