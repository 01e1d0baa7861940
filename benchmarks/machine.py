"""What a benchmark says about where it ran, and how it watches memory."""

from __future__ import annotations

import platform
import threading
from pathlib import Path
from typing import Self

from tsea_db.kernels.native import installed_library
from tsea_db.kernels.resources import usable_cores


def describe() -> str:
    """Processor, usable cores and whether the C form is in use."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    vectors = "AVX-512" if any("avx512bw" in line for line in lines) else "no AVX-512"
    walk = "C walk" if installed_library() else "numba walk"
    return f"{model}, {usable_cores()} cores, {vectors}, {walk}"


class PeakMemory:
    """Watches the process's resident memory while a block of code runs.

    Attributes:
        above_mb: the highest value seen, in MB above that at the start.
    """

    above_mb: float

    def __enter__(self) -> Self:
        self._start = self._highest = _resident_mb()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.above_mb = self._highest - self._start

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self._highest = max(self._highest, _resident_mb())


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
