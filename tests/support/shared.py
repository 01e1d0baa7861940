"""What is made once in a run of the tests, however many processes it has."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


class Shared:
    """Folders that the first process to need one fills, while the others wait."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root

    def folder(self, name: str, fill: Callable[[Path], object]) -> Path:
        """Return the folder of that name; ``fill`` is called on it, empty, in one process only."""
        folder, whole = self.root / name, self.root / f"{name}.whole"
        with FileLock(self.root / f"{name}.lock"):
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process in which filling failed
                folder.mkdir()
                fill(folder)
                whole.touch()
        return folder
