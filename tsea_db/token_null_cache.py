"""Tables of the random-token null, kept on disk because they take seconds to compute.

They depend on a vocabulary's length and sets' sizes only. A cached table is used only if the same files of this package
made it; a file that is damaged is made anew, and a folder that cannot be written to is done without.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
import zlib
from dataclasses import fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tsea_db.disk_cache import cache_folder
from tsea_db.kernels.token_null import TokenNull, build_token_null

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ARRAYS = tuple(field.name for field in fields(TokenNull) if field.name != "n_tokens")


def load_token_null(sizes: NDArray[np.int64], n_tokens: int, folder: Path | None = None) -> TokenNull:
    """Return what :func:`tsea_db.kernels.token_null.build_token_null` returns, from the cache if it is there.

    Args:
        sizes: Number of members of each set.
        n_tokens: Number of tokens, V.
        folder: Where tables are kept; by default :func:`tsea_db.disk_cache.cache_folder`.
    """
    key = hashlib.sha256(f"{n_tokens} {_code_hash()}".encode() + np.unique(sizes).astype("<i8").tobytes()).hexdigest()
    path = (folder or cache_folder()) / f"token-null-{key[:32]}.npz"
    null = _read(path, n_tokens)
    if null is None:
        null = build_token_null(sizes, n_tokens)
        _write(path, null)
    return null


@cache
def _code_hash() -> str:
    kernels = files("tsea_db.kernels")
    parts = (kernels.joinpath(name).read_bytes() for name in ("token_null.py", "lattice_paths.py"))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _digest(arrays: list[NDArray[np.generic]]) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def _write(path: Path, null: TokenNull) -> None:
    """Write under another name first, so that no reader sees half a file."""
    arrays = [getattr(null, name) for name in _ARRAYS]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            np.savez(file, digest=np.array(_digest(arrays)), **dict(zip(_ARRAYS, arrays, strict=True)))
        Path(file.name).replace(path)
    except OSError:
        return  # the cache only saves time


def _read(path: Path, n_tokens: int) -> TokenNull | None:
    """Return the tables in a file, None if there is no file or it is not as it was written."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            arrays, digest = [content[name] for name in _ARRAYS], str(content["digest"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    if digest != _digest(arrays):
        return None
    return TokenNull(n_tokens, **dict(zip(_ARRAYS, arrays, strict=True)))
