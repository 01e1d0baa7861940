"""What the machine lends to a pass: cores, memory, and BLAS kept to one thread where the pass brings its own."""

from __future__ import annotations

import math
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np  # noqa: F401 - its BLAS must be loaded before it can be found
from threadpoolctl import ThreadpoolController

from tsea_db.kernels.container import core_quota, memory_left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")


def usable_cores() -> int:
    """Cores that this process may run on, or the time of as many that its container may use, begun ones included."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = core_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def available_memory() -> int | None:
    """Bytes that can be used without swapping, in the machine and in the container; None where no system says it."""
    known = [spare for spare in (_machine_memory(), memory_left()) if spare is not None]
    return min(known, default=None)


def _machine_memory() -> int | None:
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
        if "MemAvailable" in fields:
            return int(fields["MemAvailable"].split()[0]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


@cache
def blas_libraries() -> ThreadpoolController:
    """Return the BLAS libraries of this process, numpy's and scipy's; finding them takes a millisecond."""
    return ThreadpoolController().select(user_api="blas")


class _Blas:
    """Keeps BLAS to one thread while it has users; the last one gives back what was set before the first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._limits = ExitStack()

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._limits.enter_context(blas_libraries().limit(limits=1))

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limits.close()


_BLAS = _Blas()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to the calling thread, in the whole process, until the last user leaves.

    Threads that multiply a tile each need no help, and OpenBLAS's own threads go on spinning for some 25 ms after a
    product, on cores that others could use.
    """
    _BLAS.enter()
    try:
        yield
    finally:
        _BLAS.leave()


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int, *, ahead: int | None = None
) -> Iterator[Result]:
    """Do work for each item in some threads and yield the results in order.

    Args:
        work: releases the GIL for most of its time. Its matrix products stay on its own thread.
        items: taken in the calling thread, when a result is asked for.
        threads: how many threads to use. One leaves BLAS its own threads: nobody else would use the cores.
        ahead: how many results may be under way or wait to be taken, by default two for each thread.
    """
    blas = one_blas_thread() if threads > 1 else nullcontext()
    with blas, ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > (2 * threads if ahead is None else ahead):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
