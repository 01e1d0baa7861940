"""Fixtures that the whole suite shares."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import tsea_db
from tests import tiny_lm
from tsea_db import Store


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


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """Return the path of a new, empty store."""
    return tsea_db.create(tmp_path / "new.duckdb").path
