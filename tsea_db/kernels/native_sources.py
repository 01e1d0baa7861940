"""What the C library is built from. setup.py runs this file by itself, before anything else can be imported."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent


def sources_hash(folder: Path = FOLDER) -> str:
    """SHA-256 of the C files, whatever their line ends."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.c"), *folder.glob("*.h")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()
