"""The small real model that ships with the project, as tests use it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

import tsea_db
from tsea_db import ModelWeights

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "tiny-lm"
MODEL = FOLDER / "model"
SAES = sorted((FOLDER / "saes").iterdir())


def sae(name: str) -> Path:
    return FOLDER / "saes" / name


@cache
def model() -> ModelWeights:
    return tsea_db.load_model(MODEL)


@cache
def reference_unembedding() -> npt.NDArray[np.float64]:
    """Folded and centred, straight from the file: independent of the package and of TransformerLens."""
    weights = load_file(MODEL / "model.safetensors")
    assert json.loads((MODEL / "config.json").read_text())["tie_word_embeddings"]
    U: np.ndarray = weights["transformer.wte.weight"].astype(np.float64).T
    U *= weights["transformer.ln_f.weight"].astype(np.float64)[:, None]
    U -= U.mean(axis=0)
    U -= U.mean(axis=1, keepdims=True)
    return U
