"""Fixtures that the whole suite shares."""

from __future__ import annotations

import importlib
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tsea_db
from tests import tiny_lm
from tsea_db import Store, schema


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep caches out of the user's folder; subprocesses of the tests inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSEA_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tutorial() -> ModuleType:
    """Import ``sae_lens.tutorial.tsea``, the method's reference implementation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies warn on import
        return importlib.import_module("sae_lens.tutorial.tsea")


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store with all SAEs of the small model, for reading only."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.duckdb"
    tsea_db.create(path).ingest(tiny_lm.MODEL, tiny_lm.SAES, progress=False)
    return tsea_db.open(path)


@pytest.fixture(scope="session")
def labelled_store(tiny_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a labelled copy of the small model's store, for reading only."""
    path = tmp_path_factory.mktemp("labelled") / "labelled.duckdb"
    copy_of(tiny_store, path).label()
    return tsea_db.open(path)


def copy_of(store: Store, path: Path) -> Store:
    """Copy a store with its weights and open the copy for writing."""
    shutil.copy(store.path, path)
    path.with_name(path.name + ".weights").symlink_to(store.path.with_name(store.path.name + ".weights"))
    return tsea_db.open(path, mode="rw")


@pytest.fixture
def own_store(labelled_store: Store, tmp_path: Path) -> Store:
    """Return a labelled copy of the small model's store that a test may change."""
    return copy_of(labelled_store, tmp_path / "own.duckdb")


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """Return the path of a new, empty store."""
    return tsea_db.create(tmp_path / "new.duckdb").path


@pytest.fixture(scope="session")
def primed_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store with the small model, its sets and their nulls, but no SAE: nulls take most of an ingest's time."""
    path = tmp_path_factory.mktemp("primed") / "primed.duckdb"
    store = tsea_db.create(path)
    one = tsea_db.SaeWeights("one", "memory", "blocks.0.hook_resid_post", "standard", np.eye(1, 192, dtype=np.float32))
    store.ingest(tiny_lm.MODEL, [one], keep_weights=False, progress=False)
    for table in store.sql("select table_name from duckdb_columns() where column_name = 'sae_id'").fetchall():
        if table[0] in schema.metadata.tables:
            store.sql(f"delete from {table[0]}")
    return path


@pytest.fixture
def primed_path(tmp_path: Path, primed_file: Path) -> Path:
    """Return the path of a store of one's own that has the small model, its sets and their nulls, but no SAE."""
    return Path(shutil.copy(primed_file, tmp_path / "primed.duckdb"))
