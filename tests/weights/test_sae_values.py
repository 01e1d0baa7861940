"""SAEs: what tells one from another, where they write, and what comes with them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import tsea_db
from tests.support import made_up, tiny_lm
from tsea_db.errors import WeightsError
from tsea_db.weights.hook_points import HookPoint
from tsea_db.weights.sae import directions


def in_memory(architecture: str = "standard", **metadata: str) -> Any:
    """An SAE as SAELens holds it, as far as it is read."""
    cfg = SimpleNamespace(architecture=lambda: architecture, metadata=SimpleNamespace(**metadata))
    return SimpleNamespace(cfg=cfg, W_dec=torch.arange(12.0).reshape(4, 3))


def test_what_tells_one_sae_from_another() -> None:
    sae = made_up.sae(rows=6)
    reshaped = sae.W_dec.reshape(12, 8)
    others = [
        replace(sae, hook_point="blocks.2.hook_resid_post"),
        replace(sae, W_dec=reshaped),
        replace(sae, W_dec=sae.W_dec + np.float32(1e-3)),
    ]
    assert len({other.weights_hash for other in [sae, *others]}) == 4
    strided = np.repeat(sae.W_dec, 2, axis=1)[:, ::2]
    same = replace(sae, name="other", source="elsewhere", architecture="topk", W_dec=strided)
    assert same.weights_hash == sae.weights_hash


def test_dead_features_never_fired() -> None:
    sae = made_up.sae(rows=4)
    assert sae.dead is None
    density = np.log10(np.array([0, 1e-10, 1e-8, 0.5]) + 1e-10).astype(np.float32)
    dead = replace(sae, log10_density=density).dead
    assert dead is not None
    assert dead.tolist() == [True, False, False, False]


def test_an_sae_in_memory() -> None:
    sae = tsea_db.load_sae(in_memory(hook_name="blocks.1.hook_resid_pre"))
    assert (sae.name, sae.source) == ("blocks.1.hook_resid_pre", "memory")
    assert (sae.hook_point, sae.architecture) == ("blocks.1.hook_resid_pre", "standard")
    np.testing.assert_array_equal(sae.W_dec, np.arange(12).reshape(4, 3))
    assert sae.W_dec.dtype == np.float32
    assert sae.log10_density is None
    renamed = tsea_db.load_sae(sae, "mine")
    assert (renamed.name, renamed.W_dec is sae.W_dec) == ("mine", True)
    assert tsea_db.load_sae(sae) is sae


def test_where_a_transcoder_writes() -> None:
    both = {"hook_name": "blocks.1.ln2.hook_normalized", "hook_name_out": "blocks.1.hook_mlp_out"}
    transcoder = tsea_db.load_sae(in_memory("skip_transcoder", **both))
    assert (transcoder.name, transcoder.hook_point) == (both["hook_name"], both["hook_name_out"])
    with pytest.raises(WeightsError, match="does not say where it writes"):
        tsea_db.load_sae(in_memory("skip_transcoder", hook_name="blocks.1.ln2.hook_normalized"))


def test_weights_in_memory_are_checked_too() -> None:
    sae = made_up.sae(rows=4)
    sae.W_dec[2, 1] = -np.inf
    with pytest.raises(WeightsError, match="in 1 of 4 rows, first in feature 2"):
        tsea_db.load_sae(sae)


def test_firing_frequencies_beside_an_sae(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_lm.sae("blocks.2.mlp"), tmp_path / "copy"))
    density = np.linspace(-10, -1, 1024).astype(np.float32)
    save_file({"sparsity": density}, folder / "sparsity.safetensors")
    sae = tsea_db.load_sae(folder)
    np.testing.assert_array_equal(sae.log10_density, density)
    assert sae.name == "copy"
    assert sae.source == str(folder.resolve())
    np.testing.assert_array_equal(sae.W_dec, load_file(folder / "sae_weights.safetensors")["W_dec"].astype(np.float32))
    save_file({"sparsity": density[1:]}, folder / "sparsity.safetensors")
    with pytest.raises(WeightsError, match="of copy has 1023 values for 1024 features"):
        tsea_db.load_sae(folder)
    (folder / "sparsity.safetensors").unlink()
    assert tsea_db.load_sae(str(folder), "named").log10_density is None
    assert tsea_db.load_sae(folder, "named").name == "named"


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("route", ["attn.hook_z", "mlp.hook_post"])
def test_directions_go_through_the_matrix_of_their_own_layer(layer: int, route: str) -> None:
    model = made_up.model()
    hook_point = f"blocks.{layer}.{route}"
    W_dec = np.random.default_rng(3).standard_normal((5, 12)).astype(np.float32)
    sae = replace(made_up.sae(), W_dec=W_dec, hook_point=hook_point)
    matrix = model.output_matrix(HookPoint(hook_point, layer, "W_O"))
    np.testing.assert_allclose(directions(sae, model), W_dec.astype(np.float64) @ matrix, atol=1e-5)


def test_directions_in_the_residual_stream_are_the_decoder() -> None:
    sae = made_up.sae()
    assert directions(sae, made_up.model()) is sae.W_dec


@pytest.mark.parametrize("layer", [3, 4])
def test_a_layer_beyond_the_last(layer: int) -> None:
    sae = replace(made_up.sae(), hook_point=f"blocks.{layer}.hook_resid_pre")
    with pytest.raises(WeightsError, match=f"writes to layer {layer}, but small has 3 layers"):
        directions(sae, made_up.model())
    last = replace(sae, hook_point="blocks.2.hook_resid_pre")
    assert directions(last, made_up.model()).shape == (60, made_up.D_MODEL)


def test_a_decoder_of_another_width() -> None:
    for hook_point, width, expected in (("blocks.1.hook_resid_pre", 12, 16), ("blocks.1.attn.hook_z", 16, 12)):
        sae = replace(made_up.sae(), hook_point=hook_point, W_dec=np.ones((2, width), np.float32))
        with pytest.raises(WeightsError, match=f"rows of width {width}, but small is {expected} wide at {hook_point}"):
            directions(sae, made_up.model())


@pytest.mark.parametrize(
    ("name", "layer", "route"),
    [
        ("blocks.12.hook_resid_pre", 12, "identity"),
        ("blocks.0.hook_resid_mid", 0, "identity"),
        ("blocks.3.hook_resid_post", 3, "identity"),
        ("blocks.4.hook_mlp_out", 4, "identity"),
        ("blocks.5.hook_attn_out", 5, "identity"),
        ("blocks.6.hook_in", 6, "identity"),
        ("blocks.7.hook_out", 7, "identity"),
        ("blocks.8.mlp.hook_out", 8, "identity"),
        ("blocks.9.attn.hook_out", 9, "identity"),
        ("hook_embed", -1, "identity"),
        ("hook_pos_embed", -1, "identity"),
        ("embed.hook_out", -1, "identity"),
        ("pos_embed.hook_out", -1, "identity"),
        ("blocks.10.attn.hook_z", 10, "W_O"),
        ("blocks.11.mlp.hook_post", 11, "W_out"),
    ],
)
def test_routes_to_the_residual_stream(name: str, layer: int, route: str) -> None:
    assert HookPoint.parse(name) == HookPoint(name, layer, route)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("blocks.0.attn.hook_rot_q", "queries and keys"),
        ("blocks.0.attn.hook_rot_k", "queries and keys"),
        ("blocks.0.attn.hook_pattern", "attention scores are"),
        ("blocks.0.mlp.hook_pre_linear", "the MLP's nonlinearity"),
        ("blocks.0.mlp.hook_mid", "the MLP's nonlinearity"),
        ("blocks.0.ln1.hook_scale", "input to a block"),
        ("ln_final.hook_normalized", "input to a block"),
        ("blocks.0.hook_attn_in", "input to a block"),
        ("blocks.0.hook_mlp_in", "input to a block"),
        ("blocks.0.hook_resid_post.hook_x", "Unknown hook point"),
        ("x.blocks.0.hook_resid_post", "Unknown hook point"),
        ("blocks.x.hook_resid_post", "Unknown hook point"),
        ("blocks.0.attn.hook_z_other", "Unknown hook point"),
    ],
)
def test_no_route_to_the_residual_stream(name: str, reason: str) -> None:
    with pytest.raises(WeightsError, match=reason):
        HookPoint.parse(name)
