"""The library, kept on disk for each vocabulary, because building it takes seconds.

A cached library is used only for the same vocabulary and the same files of this package; a file that is damaged is
built anew, and a folder that cannot be written to is done without.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from tsea_db.disk_cache import cache_folder, read_arrays, write_arrays
from tsea_db.token_sets.catalogue import build_catalogue
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from pathlib import Path

    from tsea_db.vocabulary.vocabulary import Vocabulary

_TEXTS = ("name", "family", "phrase", "definition", "source", "version", "tags")


@cache
def catalogue_hash() -> str:
    """Return the SHA-256 of all that the library's content depends on besides the vocabulary."""
    digest = hashlib.sha256(f"lemminflect {version('lemminflect')}".encode())
    package = files(__package__)
    parts = [
        part
        for folder in (package, package / "families", package / "data", files("tsea_db.vocabulary"))
        for part in folder.iterdir()
        if part.is_file()
    ]
    for part in sorted(parts, key=str):
        digest.update(part.name.encode() + b"\0" + hashlib.sha256(part.read_bytes()).digest())
    return digest.hexdigest()


def load_catalogue(vocabulary: Vocabulary, folder: Path | None = None) -> list[TokenSet]:
    """Return the library for a vocabulary, from the cache if it is there; equal to :func:`build_catalogue`.

    Args:
        vocabulary: What the members are drawn from.
        folder: Where libraries are kept; by default :func:`tsea_db.disk_cache.cache_folder`.
    """
    key = hashlib.sha256(f"{vocabulary.content_hash} {catalogue_hash()}".encode()).hexdigest()
    path = (folder or cache_folder()) / f"token-sets-{key[:32]}.npz"
    sets = _read(path, len(vocabulary))
    if sets is None:
        sets = build_catalogue(vocabulary)
        _write(path, sets)
    return sets


def _write(path: Path, sets: list[TokenSet]) -> None:
    about = json.dumps([{field: getattr(s, field) for field in _TEXTS} | {"size": len(s)} for s in sets]).encode()
    ids = np.concatenate([s.token_ids for s in sets])
    write_arrays(path, {"about": np.frombuffer(about, np.uint8), "ids": ids})


def _read(path: Path, n_tokens: int) -> list[TokenSet] | None:
    """Return the sets in a file, None if there is no file or it is not as it was written."""
    arrays = read_arrays(path)
    if arrays is None or arrays["ids"].max(initial=0) >= n_tokens:
        return None
    rows = json.loads(arrays["about"].tobytes())
    sizes = [row.pop("size") for row in rows]
    parts = np.split(arrays["ids"], np.cumsum(sizes)[:-1])
    return [
        TokenSet(**row | {"tags": tuple(row["tags"])}, token_ids=part) for row, part in zip(rows, parts, strict=True)
    ]
