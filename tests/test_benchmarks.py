"""The benchmarks run; what they measure is not tested, machines are noisy."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.tiny_lm import ROOT


def test_demo() -> None:
    command = [sys.executable, "-m", "benchmarks.demo", "--json"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)
    assert figures["repeated"]["seconds"] > 0
    assert figures["store_mb"] > 1
