"""Fixtures that the whole suite shares."""

from __future__ import annotations

import importlib
import shutil
import warnings
from pathlib import Path
from types import ModuleType

import pytest

import tsea_db
from tests import tiny_lm
from tsea_db import Store


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
