"""The small real model that ships with the project, as tests use it."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

import tsea_db
from tsea_db import ModelWeights, NullPlan
from tsea_db.weights.hook_points import HookPoint

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "tiny-lm"
MODEL = FOLDER / "model"
SAES = sorted((FOLDER / "saes").iterdir())
SOME_SAES = [FOLDER / "saes" / name for name in ("blocks.1.hook_resid_pre", "blocks.2.mlp", "blocks.3.hook_resid_post")]

# Large sets and small ones, sets of contrasts, sets that hardly any token tells apart: for tests of what happens to a
# store, which take the same time for each set.
LIBRARY = (
    "letter_a", "letter_q", "letter_s", "length_1", "starts_with_space", "starts_with_capital",
    "starts_with_lower", "all_caps", "word_starts", "verb_past", "verb_past_strict",
    "verb_past_participle", "verb_past_participle_strict", "verb_past_regular",
    "verb_past_irregular", "verb_past_participle_irregular", "verb_gerund", "verb_base",
    "verb_third_person", "verb_third_person_strict", "suffix_ing", "noun_or_gerund",
    "noun_singular", "noun_plural", "noun_plural_strict", "adjective", "adverb", "suffix_ly",
    "nltk_pos_VBD", "nltk_pos_VBG", "nltk_pos_VBN", "first_names_boys", "first_names_girls",
    "pronouns_personal", "modals", "months", "colours", "weekdays", "kinship", "animals",
    "verbs_of_saying", "keywords_python", "function_words_french", "punctuation",
    "currency_signs",
)  # fmt: skip
PLAN = NullPlan(draws=200, moment_draws=2_000)
SMALL: dict[str, Any] = {"library": LIBRARY, "null_plan": PLAN, "progress": False}
"""Options of an ingest that takes a second instead of ten."""


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


@dataclass(frozen=True)
class KeptMatrices:
    """The output matrices of a model without the model."""

    matrices: dict[tuple[int, str], npt.NDArray[np.float32]]

    def __call__(self, hook_point: HookPoint) -> npt.NDArray[np.float32]:
        return self.matrices[hook_point.layer, hook_point.route]


def keep_model(path: Path) -> None:
    """Write the model to a file from which other processes read it without TransformerLens."""
    whole = model()
    names = ("attn.hook_z", "mlp.hook_post")
    points = [HookPoint.parse(f"blocks.{layer}.{name}") for layer in range(whole.n_layers) for name in names]
    kept = KeptMatrices({(point.layer, point.route): whole.output_matrix(point) for point in points})
    path.write_bytes(pickle.dumps(replace(whole, output_matrix=kept)))


def keep_sae(name: str, path: Path) -> None:
    """Write an SAE to a file from which other processes read it without SAELens."""
    path.write_bytes(pickle.dumps(tsea_db.load_sae(sae(name))))


def read_kept(path: str | Path, _: str | None = None) -> Any:
    """Read a pickled model or SAE, in place of ``load_model`` or ``load_sae``."""
    return pickle.loads(Path(path).read_bytes())
