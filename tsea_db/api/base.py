"""What every part of an open store shares: its file, and whether it may be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tsea_db.errors import StoreError

if TYPE_CHECKING:
    from tsea_db.store.file import StoreFile

Mode = Literal["ro", "rw"]


class StoreBase:
    """A store's file, opened for reading ("ro") or for writing too ("rw")."""

    def __init__(self, file: StoreFile, mode: Mode) -> None:
        self._file = file
        self._mode = mode

    def _check_writable(self, what: str) -> None:
        """Raise StoreError if the store was opened for reading."""
        if self._mode != "rw":
            msg = f'The store is open for reading; to {what}, open it with tsea_db.open(path, mode="rw").'
            raise StoreError(msg)
