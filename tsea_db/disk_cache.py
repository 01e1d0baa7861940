"""Files that can be made again: where they are kept, and arrays among them, each with a digest of its content."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def cache_folder() -> Path:
    """Return the user's folder for files that can be made again: ``TSEA_CACHE_DIR``, or the system's custom."""
    if own := os.environ.get("TSEA_CACHE_DIR"):
        return Path(own)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "tsea-db"


def read_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """Return the arrays in a file by name, None if there is no file or it is not as it was written."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    digest = arrays.pop("digest", None)
    return arrays if digest is not None and str(digest) == _digest(arrays) else None


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays, under another name first, so that no reader sees half a file."""
    contents: dict[str, Any] = {**arrays, "digest": np.array(_digest(arrays))}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            np.savez_compressed(file, **contents)
        Path(file.name).replace(path)
    except OSError:
        return  # the cache only saves time


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
