"""What the kernel tests share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings

# The first call of a kernel compiles it, which takes longer than any deadline that would mean something.
settings.register_profile("compiled", deadline=None, derandomize=True)
settings.load_profile("compiled")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
