"""Arrays kept beside a store, named by their content."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsea_db.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def content_hash(array: NDArray[np.float32]) -> str:
    """Return the SHA-256 of an array's shape and float32 values."""
    digest = hashlib.sha256(repr(array.shape).encode())
    digest.update(np.ascontiguousarray(array, dtype="<f4").data)
    return digest.hexdigest()


@dataclass(frozen=True)
class WeightsArchive:
    """A folder of ``<sha256>.npy`` files, memory-mapped when read.

    It lies beside the store (``tsea.duckdb`` has ``tsea.duckdb.weights/``) and moves with it.
    """

    folder: Path

    @classmethod
    def beside(cls, store: Path) -> WeightsArchive:
        """Return the archive that belongs to a store."""
        return cls(store.with_name(store.name + ".weights"))

    def keep(self, array: NDArray[np.float32]) -> str:
        """Write an array unless it is there already; return its hash.

        The file appears whole or not at all, so that a killed process leaves nothing half written.
        """
        name = content_hash(array)
        target = self._file(name)
        if target.is_file():
            return name
        self.folder.mkdir(exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.partial")
        try:
            with partial.open("wb") as file:
                np.save(file, np.ascontiguousarray(array, dtype=np.float32), allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return name

    def open(self, name: str) -> NDArray[np.float32]:
        """Map a kept array into memory, read-only.

        Raises:
            WeightsError: The file is missing or damaged.
        """
        target = self._file(name)
        try:
            array: NDArray[np.float32] = np.load(target, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            msg = f"{target} is missing: it belongs beside the store. Ingest the SAE again to remake it."
            raise WeightsError(msg) from None
        except (ValueError, OSError) as error:
            msg = f"{target} is damaged ({error}). Delete it and ingest the SAE again to remake it."
            raise WeightsError(msg) from error
        return array

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.npy"
