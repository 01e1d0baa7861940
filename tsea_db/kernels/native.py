"""The C library of the kernels: several times faster than numba and numpy, with the same scores.

It is an optional part of the package, built where a C compiler is at hand, and picks its instructions by what the
processor has. Two variables of the environment change that: ``TSEA_DB_NO_EXTENSION=1`` goes without it,
``TSEA_DB_INSTRUCTIONS=avx2`` (or ``plain``) keeps it from using more than it is told to.
"""

from __future__ import annotations

import ctypes
import os
from enum import IntEnum
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from typing import TYPE_CHECKING, Any

import numpy as np

from tsea_db.errors import InputError, InstallationError
from tsea_db.kernels.native_sources import FOLDER, sources_hash

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_ALIGNMENT = 64

_POINTER, _COUNT, _LEVEL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "tsea_instruction_level": (_LEVEL, [_LEVEL]),
    "tsea_sources_hash": (ctypes.c_char_p, []),
    "tsea_pack": (None, [_POINTER, _COUNT, _COUNT, _POINTER]),
    "tsea_multiply": (None, [_POINTER, _COUNT, _POINTER, _COUNT, _COUNT, _POINTER, _POINTER, _LEVEL]),
    "tsea_moments": (None, [_POINTER, _COUNT, _COUNT, _COUNT, _POINTER, _POINTER, _POINTER, _LEVEL]),
    "tsea_workspace_bytes": (_COUNT, [_COUNT, _COUNT, _COUNT]),
    "tsea_score_rows": (
        None,
        [_POINTER, _COUNT, _COUNT, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _LEVEL],
    ),
}


class Instructions(IntEnum):
    """Levels of instructions; the processor's own is used if it is lower. ``PLAIN`` uses NEON on 64-bit Arm."""

    PLAIN = 0
    AVX2 = 1
    AVX512 = 2


def allowed_instructions() -> Instructions:
    """The highest level that TSEA_DB_INSTRUCTIONS allows; all of them where it is not set.

    Raises:
        InputError: it names no level.
    """
    name = os.environ.get("TSEA_DB_INSTRUCTIONS")
    if not name:
        return Instructions.AVX512
    try:
        return Instructions[name.upper().replace("-", "")]
    except KeyError:
        names = ", ".join(level.name.lower() for level in Instructions)
        raise InputError(f"TSEA_DB_INSTRUCTIONS is {name!r}; it can be one of {names}.") from None


def open_library(path: Path) -> ctypes.CDLL:
    """Open a build of the sources and declare its functions.

    Raises:
        InstallationError: it was built from other C files than those that lie beside the Python files.
    """
    library = ctypes.CDLL(str(path))
    try:
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        built_from = library.tsea_sources_hash().decode()
    except AttributeError:
        built_from = "an older version"
    if built_from != sources_hash():
        raise InstallationError(
            f"The C library {path.name} was built from other C files than those installed beside it: build it again "
            "with 'pip install --force-reinstall --no-deps .' (or '--editable .'), or set TSEA_DB_NO_EXTENSION=1 to go "
            "without it."
        )
    return library


@cache
def _installed_library() -> ctypes.CDLL | None:
    paths = (FOLDER / f"_native{suffix}" for suffix in EXTENSION_SUFFIXES)
    built = next((path for path in paths if path.exists()), None)
    return open_library(built) if built else None


def installed_library() -> ctypes.CDLL | None:
    """The library that was built with the package; None if there is none or TSEA_DB_NO_EXTENSION is set.

    Raises:
        InstallationError: see :func:`open_library`.
    """
    return None if os.environ.get("TSEA_DB_NO_EXTENSION") else _installed_library()


def aligned_empty(shape: int | tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """An uninitialised array that starts on a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
