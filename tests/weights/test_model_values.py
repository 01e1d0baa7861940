"""Models: what tells one from another, the final norm as the model applies it, and every processing by its formula."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, GemmaConfig, GemmaForCausalLM, PreTrainedModel

import tsea_db
from tests.support import made_up, tiny_lm
from tests.support.models import hooked
from tsea_db.errors import WeightsError
from tsea_db.weights.hook_points import HookPoint
from tsea_db.weights.unembedding import default_processing, process_unembedding

pytestmark = pytest.mark.filterwarnings("ignore:HookedTransformer is deprecated:DeprecationWarning")


def test_what_tells_one_model_from_another() -> None:
    model = made_up.model()
    assert model.norm_weight is not None
    others = [
        replace(model, unembedding=model.unembedding * np.float32(1.001)),
        replace(model, unembedding=model.unembedding.reshape(8, 2 * made_up.N_TOKENS)),
        replace(model, norm_weight=model.norm_weight + np.float32(1e-3)),
        replace(model, norm_weight=None),
        replace(model, normalization="LN"),
        replace(model, norm_folded=True),
    ]
    assert len({other.weights_hash for other in [model, *others]}) == 7
    strided = np.repeat(model.unembedding, 2, axis=1)[:, ::2]
    same = replace(model, name="other", source="elsewhere", soft_cap=30.0, unembedding=strided)
    assert same.weights_hash == model.weights_hash


def gemma(kind: str) -> PreTrainedModel:
    sizes: dict[str, Any] = {
        "vocab_size": 8192, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 32,
    }  # fmt: skip
    torch.manual_seed(0)
    model = GemmaForCausalLM(GemmaConfig(**sizes)) if kind == "gemma" else Gemma2ForCausalLM(Gemma2Config(**sizes))
    with torch.no_grad():
        model.model.norm.weight.uniform_(-0.5, 2)
    return model


@pytest.mark.parametrize(("kind", "soft_cap"), [("gemma", None), ("gemma2", 30.0)])
def test_gemmas_norm_is_one_more_than_its_weight(kind: str, soft_cap: float | None, tmp_path: Path) -> None:
    """What the norm multiplies by is read off the model itself."""
    reference = gemma(kind)
    reference.save_pretrained(tmp_path / "made-up-gemma")
    for file in tiny_lm.MODEL.glob("*token*"):
        shutil.copy(file, tmp_path / "made-up-gemma")
    loaded = tsea_db.load_model(tmp_path / "made-up-gemma")
    with torch.no_grad():
        scale = reference.model.norm(torch.ones(16)).numpy()
    assert np.abs(scale - reference.model.norm.weight.detach().numpy()).min() > 0.9
    assert loaded.norm_weight is not None
    np.testing.assert_allclose(loaded.norm_weight, scale, atol=1e-5)
    W_U = reference.lm_head.weight.detach().numpy().T
    np.testing.assert_allclose(process_unembedding(loaded, "folded").matrix, W_U * scale[:, None], atol=1e-5)
    assert (loaded.normalization, loaded.norm_folded, loaded.soft_cap) == ("RMS", False, soft_cap)
    assert loaded.n_layers == 1


def test_names_and_sources_of_models(tmp_path: Path) -> None:
    loaded = tsea_db.load_model(tiny_lm.MODEL)
    assert (loaded.name, loaded.source) == ("tiny-lm", str(tiny_lm.MODEL.resolve()))
    assert (loaded.n_layers, loaded.d_model, loaded.d_vocab) == (4, 192, 8192)
    assert (loaded.normalization, loaded.norm_folded, loaded.soft_cap) == ("LN", False, None)
    elsewhere = tmp_path / "mine"
    elsewhere.symlink_to(tiny_lm.MODEL)
    assert tsea_db.load_model(str(elsewhere)).name == "tiny-lm"
    raw = hooked("LN")
    assert (tsea_db.load_model(raw).name, tsea_db.load_model(raw).source) == ("made-up", "memory")
    assert tsea_db.load_model(raw, "mine").name == "mine"
    model = made_up.model()
    assert tsea_db.load_model(model) is model


@pytest.mark.parametrize(
    ("cap", "expected", "processing"),
    [(30.0, 30.0, "folded"), (0.0, None, "folded+centred"), (-1.0, None, "folded+centred")],
)
def test_a_soft_cap_of_zero_is_none(cap: float, expected: float | None, processing: str) -> None:
    model = hooked("LN")
    model.cfg.output_logits_soft_cap = cap
    loaded = tsea_db.load_model(model)
    assert loaded.soft_cap == expected
    assert default_processing(loaded) == process_unembedding(loaded).processing == processing


@pytest.mark.parametrize(
    ("kind", "normalization", "folded"),
    [("LN", "LN", False), ("LNPre", "LN", True), ("RMS", "RMS", False), ("RMSPre", "RMS", True), (None, "none", False)],
)
def test_kinds_of_final_norms(kind: str | None, normalization: str, folded: bool) -> None:
    model = hooked("LN")
    model.cfg.normalization_type = kind
    loaded = tsea_db.load_model(model)
    assert (loaded.normalization, loaded.norm_folded) == (normalization, folded)
    if folded or kind is None:
        assert loaded.norm_weight is None
    else:
        np.testing.assert_array_equal(loaded.norm_weight, model.get_parameter("ln_final.w").detach().numpy())


def test_a_model_without_a_tokenizer() -> None:
    model = hooked("LN")
    model.tokenizer = None
    with pytest.raises(WeightsError, match="The model made-up has no tokenizer"):
        tsea_db.load_model(model)


@pytest.mark.parametrize("layer", [0, 1])
def test_output_matrices_flatten_the_heads(layer: int) -> None:
    model = hooked("LN")
    loaded = tsea_db.load_model(model)
    block = model.blocks[layer]
    W_O = loaded.output_matrix(HookPoint(f"blocks.{layer}.attn.hook_z", layer, "W_O"))
    heads = block.attn.W_O.detach().numpy()  # head, d_head, d_model
    np.testing.assert_array_equal(W_O, np.concatenate(list(heads)))
    W_out = loaded.output_matrix(HookPoint(f"blocks.{layer}.mlp.hook_post", layer, "W_out"))
    np.testing.assert_array_equal(W_out, block.mlp.W_out.detach().numpy())


def expected_matrix(model: tsea_db.ModelWeights, steps: str) -> np.ndarray:
    """Row by row and column by column, as the documentation says."""
    U = model.unembedding.astype(np.float64).copy()
    if steps != "raw" and model.norm_weight is not None:
        for row in range(len(U)):
            U[row] *= float(model.norm_weight[row])
    if steps == "folded+centred":
        if model.normalization == "LN":
            for column in range(U.shape[1]):
                U[:, column] -= U[:, column].mean()
        for row in range(len(U)):
            U[row] -= U[row].mean()
    return U


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("steps", ["raw", "folded", "folded+centred"])
@pytest.mark.parametrize("normalization", ["LN", "RMS", "none"])
def test_every_processing_of_every_norm(normalization: str, steps: str, cosine: bool) -> None:
    model = replace(made_up.model(norm_weight=normalization != "none"), normalization=normalization)  # type: ignore[arg-type]
    model.unembedding[:] += 0.5  # so that centring matters
    expected = expected_matrix(model, steps)
    if cosine:
        expected /= np.sqrt((expected**2).sum(axis=0))
    found = process_unembedding(model, steps + ("+cosine" if cosine else ""))
    assert found.processing == steps + ("+cosine" if cosine else "")
    assert found.matrix.dtype == np.float32
    assert found.matrix.flags.c_contiguous
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-6, atol=1e-6)


def test_a_token_without_a_direction_stays_so_in_cosines() -> None:
    model = made_up.model()
    model.unembedding[:, 5] = 0
    matrix = process_unembedding(model, "folded+cosine").matrix
    assert not matrix[:, 5].any()
    np.testing.assert_allclose(np.linalg.norm(np.delete(matrix, 5, axis=1), axis=0), 1, atol=1e-6)


def test_an_unembedding_that_is_not_finite() -> None:
    model = made_up.model()
    model.unembedding[3, [7, 9]] = np.nan
    with pytest.raises(WeightsError, match="of small has NaN or infinity, first for token 7"):
        process_unembedding(model, "raw")


def test_folded_models_fold_no_second_time() -> None:
    model = replace(made_up.model(), norm_folded=True, norm_weight=None)
    np.testing.assert_array_equal(process_unembedding(model, "folded").matrix, model.unembedding)
    with pytest.raises(WeightsError, match="final norm of small is folded"):
        process_unembedding(model, "raw+cosine")
    with pytest.raises(WeightsError, match="Unknown processing 'raw[+]centred'"):
        process_unembedding(model, "raw+centred")
