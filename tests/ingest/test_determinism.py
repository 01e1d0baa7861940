"""A store has the same tables whatever processor and however many threads it was made with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import tiny_lm
from tests.support.shared import Shared
from tsea_db.kernels.native import installed_library

ROOT = Path(__file__).parents[2]

DIGESTS = """
import hashlib
import sys

import tsea_db
from tests.support import tiny_lm
from tsea_db.store import schema

path, model, sae = sys.argv[1:]
store = tsea_db.create(path)
store.ingest(tiny_lm.read_kept(model), [tiny_lm.read_kept(sae)], keep_weights=False, **tiny_lm.SMALL)
for table in sorted(schema.metadata.tables.values(), key=lambda table: table.name):
    left_out = {"started_at", "finished_at", "created_at"}
    columns = [f'"{column.name}"' for column in table.columns if column.name not in left_out]
    rows = store.sql(f"select {', '.join(columns)} from {table.name} order by all").df()
    text = rows.to_csv(index=False, float_format="%.17g")
    print(table.name, len(rows), hashlib.sha256(text.encode()).hexdigest())
"""

MACHINES = {
    "Haswell, two threads": {"OPENBLAS_CORETYPE": "Haswell", "threads": "2"},
    "SkylakeX, two threads": {"OPENBLAS_CORETYPE": "SkylakeX", "threads": "2"},
    "AVX2 kernels": {"TSEA_DB_INSTRUCTIONS": "avx2", "threads": "2"},
    "numpy without AVX-512": {
        "OPENBLAS_CORETYPE": "Haswell",
        "threads": "1",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
    },
}


pytestmark = pytest.mark.skipif(installed_library() is None, reason="without the C library BLAS decides last bits")


def tables(path: Path, weights: tuple[Path, Path], machine: dict[str, str]) -> dict[str, str]:
    """Make a store as on a machine and return a digest of each of its tables."""
    options = dict(machine)
    threads = options.pop("threads")
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
    command = [sys.executable, "-W", "ignore", "-c", DIGESTS, *map(str, (path, *weights))]
    environment = os.environ | dict.fromkeys(names, threads) | options
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return dict(line.split(" ", 1) for line in run.stdout.splitlines())


@pytest.fixture(scope="module")
def weights(shared: Shared, kept_model: Path) -> tuple[Path, Path]:
    """Return files with the model and an SAE."""
    folder = shared.folder("determinism-sae", lambda folder: tiny_lm.keep_sae("blocks.2.mlp", folder / "sae.pickle"))
    return kept_model, folder / "sae.pickle"


@pytest.fixture(scope="module")
def reference(shared: Shared, weights: tuple[Path, Path]) -> dict[str, str]:
    """Return the digests of a store made with one thread, whichever process of the run makes it."""

    def fill(folder: Path) -> None:
        (folder / "digests.json").write_text(json.dumps(tables(folder / "store.duckdb", weights, {"threads": "1"})))

    digests: dict[str, str] = json.loads((shared.folder("determinism", fill) / "digests.json").read_text())
    return digests


@pytest.mark.parametrize("machine", MACHINES)
def test_tables_are_the_same_on_every_machine(
    machine: str, reference: dict[str, str], weights: tuple[Path, Path], tmp_path: Path
) -> None:
    assert int(reference["scores"].split()[0]) > 10_000
    assert tables(tmp_path / "store.duckdb", weights, MACHINES[machine]) == reference
