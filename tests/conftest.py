"""Fixtures that the whole suite shares. What takes long to make is made once for all processes of a run."""

from __future__ import annotations

import importlib
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import settings

import tsea_db
from tests.support import tiny_lm
from tests.support.shared import Shared
from tsea_db import Store
from tsea_db.store import schema

# Stores take seconds to fill or to copy: `make check` leaves these tests out.
_SLOW_FIXTURES = {"tiny_store", "small_store", "primed_file", "kept_model"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a filled store as slow."""
    for item in items:
        if _SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Return the folders that the processes of this run share."""
    own = tmp_path_factory.getbasetemp()
    return Shared((own.parent if hasattr(request.config, "workerinput") else own) / "shared")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(shared: Shared) -> Iterator[None]:
    """Keep caches out of the user's folder; subprocesses of the tests inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSEA_CACHE_DIR", str(shared.root / "cache"))
        yield


@pytest.fixture(scope="session")
def tutorial() -> ModuleType:
    """Import ``sae_lens.tutorial.tsea``, the method's reference implementation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies warn on import
        return importlib.import_module("sae_lens.tutorial.tsea")


@pytest.fixture(scope="session")
def tiny_store(shared: Shared) -> Store:
    """Return a store with all SAEs of the small model, for reading only."""

    def fill(folder: Path) -> None:
        tsea_db.create(folder / "tiny.duckdb").ingest(tiny_lm.MODEL, tiny_lm.SAES, progress=False)

    return tsea_db.open(shared.folder("tiny", fill) / "tiny.duckdb")


@pytest.fixture(scope="session")
def labelled_store(tiny_store: Store, shared: Shared) -> Store:
    """Return a labelled copy of the small model's store, for reading only."""

    def fill(folder: Path) -> None:
        copy_of(tiny_store, folder / "labelled.duckdb").label()

    return tsea_db.open(shared.folder("labelled", fill) / "labelled.duckdb")


@pytest.fixture(scope="session")
def small_store(shared: Shared) -> Store:
    """Return a labelled store with some SAEs and some sets, for reading only: for what is long on all."""

    def fill(folder: Path) -> None:
        store = tsea_db.create(folder / "small.duckdb")
        store.ingest(tiny_lm.MODEL, tiny_lm.SOME_SAES, **tiny_lm.SMALL)
        store.label()

    return tsea_db.open(shared.folder("small", fill) / "small.duckdb")


@pytest.fixture
def own_small_store(small_store: Store, tmp_path: Path) -> Store:
    """Return a copy of the small labelled store that a test may change."""
    return copy_of(small_store, tmp_path / "own-small.duckdb")


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
def primed_file(shared: Shared) -> Path:
    """Make a store with the small model, some sets and their nulls, but no SAE: nulls take most of an ingest's time."""
    return shared.folder("primed", _prime) / "primed.duckdb"


def _prime(folder: Path) -> None:
    store = tsea_db.create(folder / "primed.duckdb")
    one = tsea_db.SaeWeights("one", "memory", "blocks.0.hook_resid_post", "standard", np.eye(1, 192, dtype=np.float32))
    store.ingest(tiny_lm.MODEL, [one], keep_weights=False, **tiny_lm.SMALL)
    for table in store.sql("select table_name from duckdb_columns() where column_name = 'sae_id'").fetchall():
        if table[0] in schema.metadata.tables:
            store.sql(f"delete from {table[0]}")


@pytest.fixture
def primed_path(tmp_path: Path, primed_file: Path) -> Path:
    """Return the path of a store of one's own that has the small model, some sets and their nulls, but no SAE."""
    return Path(shutil.copy(primed_file, tmp_path / "primed.duckdb"))


@pytest.fixture(scope="session")
def kept_model(shared: Shared) -> Path:
    """Return a file with the small model, for processes that should not import TransformerLens."""
    return shared.folder("model", lambda folder: tiny_lm.keep_model(folder / "model.pickle")) / "model.pickle"


# The first call of a kernel compiles it, which takes longer than any deadline that would mean something.
settings.register_profile("compiled", deadline=None, derandomize=True)

settings.load_profile("compiled")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
