"""Fixtures that the whole suite shares."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def tutorial() -> ModuleType:
    """Import ``sae_lens.tutorial.tsea``, the method's reference implementation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies warn on import
        return importlib.import_module("sae_lens.tutorial.tsea")
