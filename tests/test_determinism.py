"""A store has the same tables whatever processor and however many threads it was made with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

DIGESTS = """
import hashlib
import sys
from unittest.mock import patch

import numpy as np

import tsea_db
from tests import tiny_lm
from tsea_db import ingest, model_nulls, schema
from tsea_db.token_sets import load_catalogue

def few(vocabulary):
    return load_catalogue(vocabulary)[::12]

path, from_product, *threads = sys.argv[1:]
model_nulls.NULL_DRAWS, model_nulls.MOMENT_DRAWS = 256, 2048
store = tsea_db.create(path)
with patch.object(ingest, "load_catalogue", few):
    store.ingest(tiny_lm.model(), [tiny_lm.sae("blocks.2.mlp")], keep_weights=False, progress=False)
for table in sorted(schema.metadata.tables.values(), key=lambda table: table.name):
    left_out = {"started_at", "finished_at", "created_at"}
    if from_product == "without":
        left_out |= set(FROM_PRODUCT)
    columns = [f'"{column.name}"' for column in table.columns if column.name not in left_out]
    rows = store.sql(f"select {', '.join(columns)} from {table.name} order by all").df()
    text = rows.to_csv(index=False, float_format="%.17g")
    print(table.name, len(rows), hashlib.sha256(text.encode()).hexdigest())
"""

FROM_PRODUCT = (
    *("mean", "std", "skewness", "kurtosis", "cosine_variance", "cos_var_ratio"),
    *("top_logits", "bottom_logits", "top_token_ids", "bottom_token_ids", "top_tokens", "bottom_tokens"),
    *("es", "peak_rank", "log10_p_es", "log10_p_token", "share_p_es", "share_p_token"),
    *("mean_abs_es", "quantiles", "mu", "sigma", "fit_error", "threshold"),
)
"""Columns that follow from logit weights."""

MACHINES = {
    "Haswell, one thread": {"OPENBLAS_CORETYPE": "Haswell", "threads": "1"},
    "Haswell, two threads": {"OPENBLAS_CORETYPE": "Haswell", "threads": "2"},
    "SkylakeX, two threads": {"OPENBLAS_CORETYPE": "SkylakeX", "threads": "2"},
    "numpy without AVX-512": {
        "OPENBLAS_CORETYPE": "Haswell",
        "threads": "1",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
    },
}


def tables(path: Path, machine: dict[str, str], from_product: str) -> dict[str, str]:
    """Make a store as on a machine and return a digest of each of its tables."""
    options = dict(machine)
    threads = options.pop("threads")
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
    script = f"FROM_PRODUCT = {FROM_PRODUCT}\n{DIGESTS}"
    command = [sys.executable, "-W", "ignore", "-c", script, str(path), from_product]
    environment = os.environ | dict.fromkeys(names, threads) | options
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return dict(line.split(" ", 1) for line in run.stdout.splitlines())


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return tables(tmp_path_factory.mktemp("reference") / "store.duckdb", {"threads": "1"}, "without")


@pytest.mark.parametrize("machine", MACHINES)
def test_tables_are_the_same_on_every_machine(machine: str, reference: dict[str, str], tmp_path: Path) -> None:
    assert int(reference["scores"].split()[0]) > 10_000
    assert tables(tmp_path / "store.duckdb", MACHINES[machine], "without") == reference
