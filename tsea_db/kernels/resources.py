"""What the machine lends to a pass: cores, memory, and BLAS kept to one thread where the pass brings its own."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> int | None:
    """Bytes that can be used without swapping; None where the system does not say."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
        if "MemAvailable" in fields:
            return int(fields["MemAvailable"].split()[0]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


class _Blas:
    """The thread count of the OpenBLAS that numpy brings along, if it does."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._before = 0

    @staticmethod
    @cache
    def _functions() -> tuple[Callable[[], int], Callable[[int], None]] | None:
        package = Path(np.__file__).parent
        folders = (package.with_name("numpy.libs"), package / ".dylibs")
        for path in (path for folder in folders for path in folder.glob("*openblas*")):
            library = ctypes.CDLL(str(path))  # loaded already: this is the copy that numpy uses
            for prefix, suffix in (("scipy_", "64_"), ("scipy_", ""), ("", "64_"), ("", "")):
                getter = getattr(library, f"{prefix}openblas_get_num_threads{suffix}", None)
                setter = getattr(library, f"{prefix}openblas_set_num_threads{suffix}", None)
                if getter and setter:
                    setter.restype = None
                    return getter, setter
        return None

    def enter(self) -> None:
        functions = self._functions()
        with self._lock:
            self._users += 1
            if functions and self._users == 1:
                self._before = functions[0]()
                functions[1](1)

    def leave(self) -> None:
        functions = self._functions()
        with self._lock:
            self._users -= 1
            if functions and self._users == 0:
                functions[1](self._before)


_BLAS = _Blas()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep numpy's OpenBLAS to the calling thread, in the whole process, until the last user leaves.

    Threads that multiply a tile each need no help, and OpenBLAS's own threads go on spinning for some 25 ms after a
    product, on cores that others could use. With another BLAS this does nothing; it costs time there, not correctness.
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
