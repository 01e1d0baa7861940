"""How the numba kernels are compiled: one place for the options that decide speed and reproducibility.

Compiled code is kept on disk. numba itself notices a change of the file that holds a kernel, not of the files whose
kernels it calls; so it is kept in a folder that is named after all of them, and an edit or an upgrade never meets code
compiled from other sources.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba

from tsea_db.disk_cache import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable

Kernel = TypeVar("Kernel", bound="Callable[..., object]")

_FOLDERS = tuple(Path(__file__).parents[1] / package for package in ("kernels", "statistics"))
"""Packages that hold kernels."""


def compiled(function: Kernel) -> Kernel:
    """Compile a kernel; its floating-point operations stay in their order.

    The compiled code is cached on disk and runs without the GIL, so that rows can be spread over ordinary threads.
    """
    return _compile(function, parallel=False)


def compiled_parallel(function: Kernel) -> Kernel:
    """Compile a kernel whose ``prange`` loops run on numba's threads; otherwise as :func:`compiled`."""
    return _compile(function, parallel=True)


def _compile(function: Kernel, *, parallel: bool) -> Kernel:
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(_compiled_code_folder())  # numba reads it when a function is decorated
    try:
        return cast("Kernel", numba.njit(cache=True, nogil=True, parallel=parallel)(function))
    finally:
        config.CACHE_DIR = before


@cache
def kernel_sources_hash(folders: tuple[Path, ...] = _FOLDERS) -> str:
    """SHA-256 of all Python files that hold kernels."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def _compiled_code_folder() -> Path:
    """The first folder that can be written to: beside the sources, the user's cache, one that goes with the process."""
    name = f"numba-{kernel_sources_hash()[:16]}"
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"]) / name
    for folder in (Path(__file__).parent / "__pycache__" / name, cache_folder() / name):
        if _is_writable(folder):
            return folder
    temporary = tempfile.mkdtemp(prefix="tsea-db-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return Path(temporary) / name


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
