"""The benchmarks run; what they measure is not tested, machines are noisy."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks import device
from benchmarks.agreement import to_bits
from benchmarks.ingest import STAGES
from benchmarks.workload import load_library
from tests.support.tiny_lm import ROOT
from tsea_db.errors import InputError


@pytest.mark.slow
def test_demo() -> None:
    command = [sys.executable, "-m", "benchmarks.demo", "--json"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)
    assert figures["repeated"]["seconds"] > 0
    assert figures["store_mb"] > 1


@pytest.mark.slow
def test_the_sets_are_those_of_the_library() -> None:
    whole, some = load_library(), load_library(320)
    assert whole.n_sets >= 600
    assert some.n_sets == 320
    assert {len(sets.scorable[~sets.scorable]) for sets in (whole, some)} == {0}
    with pytest.raises(InputError, match="--sets takes 1 to that many"):
        load_library(whole.n_sets + 1)


def test_the_stages_of_the_ingest_are_where_they_are_looked_for() -> None:
    for owner, name, _ in STAGES:
        assert callable(getattr(owner, name))


def test_rounding_is_that_of_the_formats() -> None:
    numbers = np.random.default_rng(0).standard_normal(100_000).astype(np.float32)
    np.testing.assert_array_equal(to_bits(7)(numbers), torch.from_numpy(numbers).bfloat16().float().numpy())
    mantissas = to_bits(10)(numbers).view(np.uint32) & 0x1FFF
    assert not mantissas.any()
    np.testing.assert_allclose(to_bits(10)(numbers), numbers, rtol=2**-11)


def test_the_device_pass_is_measured() -> None:
    figures = device.measure("cpu", layers=1, features=8, n_sets=40)
    assert figures["n_scores"] == 320
    assert float(figures["compute_s"]) > 0
    assert float(figures["load_s"]) > 0
