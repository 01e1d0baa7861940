"""Models and SAEs against TransformerLens, the files themselves and broken input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from transformer_lens import HookedTransformer

import tsea_db
from tests.support import tiny_lm
from tests.support.models import hooked
from tsea_db import ModelWeights, SaeWeights
from tsea_db.errors import WeightsError
from tsea_db.store.archive import WeightsArchive
from tsea_db.weights.hook_points import HookPoint
from tsea_db.weights.sae import directions
from tsea_db.weights.unembedding import default_processing, process_unembedding

# The reference for our processing is the class that transformer-lens 4 will drop.
pytestmark = pytest.mark.filterwarnings("ignore:HookedTransformer is deprecated:DeprecationWarning")


def processed(model: HookedTransformer) -> HookedTransformer:
    """The same model after TransformerLens' default processing."""
    other = HookedTransformer(model.cfg.__class__(**vars(model.cfg)))
    other.load_and_process_state_dict({name: value.clone() for name, value in model.state_dict().items()})
    other.tokenizer = model.tokenizer
    return other


@pytest.mark.parametrize("normalization", ["LN", "RMS"])
def test_default_processing_is_transformer_lens(normalization: str) -> None:
    raw = hooked(normalization)
    expected = processed(raw).W_U.detach().numpy()
    ours = process_unembedding(tsea_db.load_model(raw))
    assert ours.processing == "folded+centred"
    np.testing.assert_allclose(ours.matrix, expected, atol=2e-6)
    assert np.abs(expected - raw.W_U.detach().numpy()).max() > 0.5


def test_processed_models_are_recognised() -> None:
    model = processed(hooked("LN"))
    loaded = tsea_db.load_model(model)
    np.testing.assert_allclose(process_unembedding(loaded).matrix, model.W_U.detach().numpy(), atol=2e-6)
    with pytest.raises(WeightsError, match="folded into its unembedding already"):
        process_unembedding(loaded, "raw")


def test_every_processing_of_the_small_model() -> None:
    model = tiny_lm.model()
    weights = load_file(tiny_lm.MODEL / "model.safetensors")
    raw = weights["transformer.wte.weight"].astype(np.float32).T
    folded = raw * weights["transformer.ln_f.weight"].astype(np.float32)[:, None]
    np.testing.assert_array_equal(process_unembedding(model, "raw").matrix, raw)
    np.testing.assert_allclose(process_unembedding(model, "folded").matrix, folded, rtol=1e-6)
    centred = process_unembedding(model, "folded+centred").matrix
    np.testing.assert_allclose(centred, tiny_lm.reference_unembedding(), atol=1e-6)
    cosine = process_unembedding(model, "folded+centred+cosine").matrix
    np.testing.assert_allclose(np.linalg.norm(cosine, axis=0), 1, atol=1e-6)
    with pytest.raises(WeightsError, match="choose raw, folded"):
        process_unembedding(model, "centred")


def test_soft_capped_models_are_not_centred_by_default() -> None:
    capped = hooked("RMS")
    capped.cfg.output_logits_soft_cap = 30.0
    assert default_processing(tsea_db.load_model(capped)) == "folded"


def test_the_bridge_in_compatibility_mode_gives_the_same_unembedding() -> None:
    from transformer_lens.model_bridge import TransformerBridge

    bridge = TransformerBridge.boot_transformers(str(tiny_lm.MODEL))
    bridge.enable_compatibility_mode()
    loaded = tsea_db.load_model(bridge)
    assert loaded.norm_folded
    np.testing.assert_allclose(process_unembedding(loaded).matrix, tiny_lm.reference_unembedding(), atol=1e-6)


@pytest.mark.parametrize("folder", tiny_lm.SAES, ids=lambda folder: folder.name)
def test_directions_of_the_shipped_saes(folder: Path) -> None:
    sae = tsea_db.load_sae(folder)
    W_dec = load_file(folder / "sae_weights.safetensors")["W_dec"].astype(np.float32)
    expected = W_dec
    if folder.name.endswith("hook_z"):
        # GPT-2's c_proj maps the concatenated heads to the residual stream.
        expected = W_dec @ load_file(tiny_lm.MODEL / "model.safetensors")["transformer.h.2.attn.c_proj.weight"].astype(
            np.float32
        )
    np.testing.assert_allclose(directions(sae, tiny_lm.model()), expected, atol=1e-6)
    assert sae.name == folder.name
    assert sae.dead is not None
    assert sae.dead.sum() == 0


def test_a_transcoder_writes_at_its_output() -> None:
    sae = tsea_db.load_sae(tiny_lm.sae("blocks.2.mlp"))
    assert (sae.hook_point, sae.architecture) == ("blocks.2.hook_mlp_out", "transcoder")


def test_mlp_neurons_go_through_w_out() -> None:
    sae = SaeWeights("neurons", "memory", "blocks.1.mlp.hook_post", "standard", np.eye(768, dtype=np.float32))
    expected = load_file(tiny_lm.MODEL / "model.safetensors")["transformer.h.1.mlp.c_proj.weight"]
    np.testing.assert_allclose(directions(sae, tiny_lm.model()), expected.astype(np.float32), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("blocks.7.hook_resid_pre", 7), ("blocks.0.hook_resid_mid", 0), ("hook_embed", -1), ("blocks.3.attn.hook_z", 3)],
)
def test_hook_points(name: str, layer: int) -> None:
    assert HookPoint.parse(name).layer == layer


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("blocks.1.attn.hook_q", "softmax"),
        ("blocks.1.attn.hook_k", "softmax"),
        ("blocks.1.attn.hook_v", "attention patterns"),
        ("blocks.1.attn.hook_attn_scores", "attention scores"),
        ("blocks.1.mlp.hook_pre", "nonlinearity"),
        ("blocks.1.ln2.hook_normalized", "input to a block"),
        ("blocks.1.hook_nonsense", "Unknown hook point"),
    ],
)
def test_refused_hook_points(name: str, reason: str) -> None:
    with pytest.raises(WeightsError, match=reason):
        HookPoint.parse(name)


def test_an_sae_of_another_model() -> None:
    for hook_point, width in (("blocks.1.hook_resid_pre", 64), ("blocks.1.attn.hook_z", 100)):
        sae = SaeWeights("other", "memory", hook_point, "standard", np.ones((5, width), np.float32))
        with pytest.raises(WeightsError, match=f"width {width}, but tiny-lm is 192 wide"):
            directions(sae, tiny_lm.model())
    deep = SaeWeights("deep", "memory", "blocks.9.hook_resid_pre", "standard", np.ones((5, 192), np.float32))
    with pytest.raises(WeightsError, match="has 4 layers"):
        directions(deep, tiny_lm.model())


def broken_sae(tmp_path: Path, name: str = "blocks.2.mlp") -> Path:
    return Path(shutil.copytree(tiny_lm.sae(name), tmp_path / name))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_weights_name_the_first_row(tmp_path: Path, value: float) -> None:
    folder = broken_sae(tmp_path)
    weights = load_file(folder / "sae_weights.safetensors")
    weights["W_dec"][[17, 30], 3] = value
    save_file(weights, folder / "sae_weights.safetensors")
    with pytest.raises(WeightsError, match="2 of 1024 rows, first in feature 17"):
        tsea_db.load_sae(folder)


def test_damaged_files(tmp_path: Path) -> None:
    folder = broken_sae(tmp_path)
    weights = folder / "sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="truncated"):
        tsea_db.load_sae(folder)
    weights.unlink()
    with pytest.raises(WeightsError, match="could not be loaded"):
        tsea_db.load_sae(folder)
    (folder / "cfg.json").write_text("{")
    with pytest.raises(WeightsError, match="could not be loaded"):
        tsea_db.load_sae(folder)
    (folder / "cfg.json").unlink()
    with pytest.raises(WeightsError, match="it has no cfg.json"):
        tsea_db.load_sae(folder)


def test_a_transcoder_that_does_not_say_where_it_writes(tmp_path: Path) -> None:
    folder = broken_sae(tmp_path)
    cfg = json.loads((folder / "cfg.json").read_text())
    del cfg["metadata"]["hook_name_out"]
    (folder / "cfg.json").write_text(json.dumps(cfg))
    with pytest.raises(WeightsError, match="hook_name_out"):
        tsea_db.load_sae(folder)


def test_damaged_models(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="No such directory"):
        tsea_db.load_model(tmp_path / "none")
    with pytest.raises(WeightsError, match="no config.json"):
        tsea_db.load_model(tmp_path)
    folder = Path(shutil.copytree(tiny_lm.MODEL, tmp_path / "model"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="could not be loaded"):
        tsea_db.load_model(folder)


def test_hub_names_are_checked_before_the_network() -> None:
    for source, message in (
        ("hub:gpt2-small-res-jb", "names no SAE"),
        ("hub:no-such-release/x", "no release"),
        ("hub:gpt2-small-res-jb/blocks.99.hook_resid_pre", "has no SAE"),
    ):
        with pytest.raises(WeightsError, match=message):
            tsea_db.load_sae(source)


def test_the_hub_is_asked_for_known_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The download path runs up to the network, which is shut."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=r"hub:gpt2-small-res-jb/blocks.8.hook_resid_pre could not be fetched"):
        tsea_db.load_sae("hub:gpt2-small-res-jb/blocks.8.hook_resid_pre")
    with pytest.raises(WeightsError, match="The model no-such-owner/no-such-model could not be loaded"):
        tsea_db.load_model("hub:no-such-owner/no-such-model")


def test_objects_in_memory_are_taken_as_they_are() -> None:
    from sae_lens import SAE

    folder = tiny_lm.sae("blocks.1.hook_resid_pre")
    from_disk, from_memory = tsea_db.load_sae(folder), tsea_db.load_sae(SAE.load_from_disk(folder), "mine")
    assert from_memory.name == "mine"
    assert from_memory.weights_hash == from_disk.weights_hash
    assert isinstance(tsea_db.load_model(tiny_lm.model()), ModelWeights)


def test_the_archive_is_whole_or_not_there(tmp_path: Path) -> None:
    archive = WeightsArchive.beside(tmp_path / "s.duckdb")
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    name = archive.keep(array)
    assert archive.keep(array) == name
    kept = archive.open(name)
    assert isinstance(kept, np.memmap)
    np.testing.assert_array_equal(kept, array)
    assert [file.name for file in archive.folder.iterdir()] == [f"{name}.npy"]
    assert archive.keep(array.reshape(4, 3)) != name
    (archive.folder / f"{name}.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(WeightsError, match="damaged"):
        archive.open(name)
    with pytest.raises(WeightsError, match="missing"):
        archive.open("0" * 64)
