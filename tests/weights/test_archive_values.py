"""Arrays beside a store: nothing half written, nothing written twice, nothing written to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tsea_db.errors import WeightsError
from tsea_db.store.archive import WeightsArchive, content_hash

ARRAY = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_it_lies_beside_the_store() -> None:
    assert WeightsArchive.beside(Path("/data/a.duckdb")).folder == Path("/data/a.duckdb.weights")


def test_names_are_hashes_of_shape_and_values() -> None:
    assert content_hash(ARRAY) == hashlib.sha256(b"(3, 4)" + ARRAY.astype("<f4").tobytes()).hexdigest()
    assert content_hash(np.asfortranarray(ARRAY)) == content_hash(ARRAY.astype(np.float64)) == content_hash(ARRAY)
    assert len({content_hash(ARRAY), content_hash(ARRAY.T.copy()), content_hash(ARRAY.reshape(4, 3))}) == 3


def test_what_could_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    archive = WeightsArchive(tmp_path / "weights")
    in_the_way = archive.folder / f"{content_hash(ARRAY)}.npy"
    in_the_way.mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        archive.keep(ARRAY)
    assert list(archive.folder.iterdir()) == [in_the_way]


def test_kept_once_in_single_precision_and_rows_in_order(tmp_path: Path) -> None:
    archive = WeightsArchive(tmp_path / "weights")
    name = archive.keep(np.asfortranarray(ARRAY.astype(np.float64)))
    [file] = archive.folder.iterdir()
    written = file.stat()
    assert archive.keep(ARRAY) == name
    assert file.stat().st_ino == written.st_ino
    kept = archive.open(name)
    assert kept.dtype == np.float32
    assert kept.flags.c_contiguous
    assert kept.shape == (3, 4)
    np.testing.assert_array_equal(kept, ARRAY)
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 1
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(WeightsError, match="damaged"):
        archive.open(name)
