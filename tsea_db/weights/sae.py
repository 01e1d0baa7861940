"""What the store needs of an SAE or transcoder: its decoder and where it writes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsea_db.errors import WeightsError
from tsea_db.kernels.logit_weights import multiply
from tsea_db.weights.hook_points import HookPoint
from tsea_db.weights.model import HUB

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsea_db.weights.model import ModelWeights

_NEVER_FIRED = -9.995
"""SAELens stores log10(frequency + 1e-10): a feature that never fired has -10."""


@dataclass(frozen=True, eq=False)
class SaeWeights:
    """A dictionary of features.

    Attributes:
        name: What the store calls it.
        source: Where it was read from.
        hook_point: TransformerLens' name of the hook point it writes to.
        architecture: SAELens' name of the architecture ("standard", "topk", "transcoder", ...).
        W_dec: Decoder rows at the hook point, float32, (d_sae, d_hook).
        log10_density: log10 of each feature's firing frequency, float32, (d_sae,); None if it did not come with it.
    """

    name: str
    source: str
    hook_point: str
    architecture: str
    W_dec: NDArray[np.float32]
    log10_density: NDArray[np.float32] | None = None

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 of the decoder and where it writes: what tells one SAE from another."""
        digest = hashlib.sha256(repr((self.hook_point, self.W_dec.shape)).encode())
        digest.update(np.ascontiguousarray(self.W_dec, dtype="<f4").data)
        return digest.hexdigest()

    @property
    def dead(self) -> NDArray[np.bool_] | None:
        """Features that never fired, (d_sae,); None if that is not known."""
        return None if self.log10_density is None else self.log10_density <= _NEVER_FIRED


def load_sae(source: str | Path | Any, name: str | None = None) -> SaeWeights:
    """Read an SAE.

    Args:
        source: A directory in SAELens' format (``cfg.json`` and ``sae_weights.safetensors``), ``hub:RELEASE/ID`` to
            fetch one of SAELens' pretrained SAEs, an SAE of ``sae_lens`` in memory, or a :class:`SaeWeights`, which
            is returned.
        name: What the store will call it; by default the directory's name, the hub's, or the hook point.

    Raises:
        WeightsError: There is no such directory, it holds no SAE, or the SAE cannot be read or has NaN or infinity.
    """
    if isinstance(source, SaeWeights):
        sae = source if name is None else replace(source, name=name)
    elif not isinstance(source, (str, Path)):
        sae = _from_sae_lens(source, name or str(source.cfg.metadata.hook_name), "memory", None)
    elif str(source).startswith(HUB):
        sae = _from_hub(str(source), name)
    else:
        sae = _from_disk(Path(source), name)
    finite = np.isfinite(sae.W_dec).all(axis=1)
    if not finite.all():
        msg = (
            f"The decoder of {sae.name} ({sae.source}) has NaN or infinity in {int((~finite).sum())} of "
            f"{len(sae.W_dec)} rows, first in feature {int(np.argmin(finite))}. Nothing was stored."
        )
        raise WeightsError(msg)
    return sae


def directions(sae: SaeWeights, model: ModelWeights) -> NDArray[np.float32]:
    """Map decoder rows to the residual stream.

    Returns:
        float32, (d_sae, d_model): ``W_dec`` itself, or times ``W_O`` (``attn.hook_z``, heads flattened) or ``W_out``
        (``mlp.hook_post``) of the hook point's layer.

    Raises:
        WeightsError: No linear path to the logits, or the widths do not fit the model.
    """
    hook_point = HookPoint.parse(sae.hook_point)
    if hook_point.layer >= model.n_layers:
        msg = f"{sae.name} writes to layer {hook_point.layer}, but {model.name} has {model.n_layers} layers."
        raise WeightsError(msg)
    matrix = None if hook_point.route == "identity" else model.output_matrix(hook_point)
    expected = model.d_model if matrix is None else matrix.shape[0]
    if sae.W_dec.shape[1] != expected:
        msg = (
            f"{sae.name} has decoder rows of width {sae.W_dec.shape[1]}, but {model.name} is {expected} wide at "
            f"{sae.hook_point}. Was it trained on another model?"
        )
        raise WeightsError(msg)
    return sae.W_dec if matrix is None else multiply(sae.W_dec, matrix)


def _from_disk(path: Path, name: str | None) -> SaeWeights:
    if not path.is_dir():
        msg = (
            f"No such directory: {path}. Give a directory in SAELens' format, or {HUB}RELEASE/ID to fetch a "
            "pretrained SAE."
        )
        raise WeightsError(msg)
    if not (path / "cfg.json").is_file():
        msg = f"{path} is not an SAE in SAELens' format: it has no cfg.json."
        raise WeightsError(msg)
    from sae_lens import SAE
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        sae = SAE.load_from_disk(path, device="cpu")
        sparsity_file = path / "sparsity.safetensors"
        density = load_file(sparsity_file)["sparsity"] if sparsity_file.is_file() else None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        msg = f"The SAE in {path} could not be loaded (is a file truncated?): {type(error).__name__}: {error}"
        raise WeightsError(msg) from error
    return _from_sae_lens(sae, name or path.resolve().name, str(path.resolve()), density)


def _from_hub(source: str, name: str | None) -> SaeWeights:
    release, _, sae_id = source.removeprefix(HUB).partition("/")
    if not sae_id:
        msg = f"{source!r} names no SAE: write {HUB}RELEASE/ID, such as {HUB}gpt2-small-res-jb/blocks.8.hook_resid_pre."
        raise WeightsError(msg)
    from sae_lens import SAE
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    known = get_pretrained_saes_directory()
    if release not in known:
        msg = f"SAELens knows no release {release!r}. `sae_lens.loading.pretrained_saes_directory` lists them."
        raise WeightsError(msg)
    if sae_id not in known[release].saes_map:
        some = ", ".join(list(known[release].saes_map)[:5])
        msg = f"The release {release} has no SAE {sae_id!r}. It has {some}, ..."
        raise WeightsError(msg)
    try:
        sae, _, sparsity = SAE.from_pretrained_with_cfg_and_sparsity(release, sae_id, device="cpu")
    except Exception as error:  # the hub's client raises many kinds, most of them OSError
        msg = f"{source} could not be fetched: {type(error).__name__}: {error}"
        raise WeightsError(msg) from error
    density = None if sparsity is None else sparsity.float().numpy()
    return _from_sae_lens(sae, name or f"{release}/{sae_id}", source, density)


def _from_sae_lens(sae: Any, name: str, source: str, density: NDArray[np.float32] | None) -> SaeWeights:
    metadata = sae.cfg.metadata
    architecture = str(sae.cfg.architecture())
    written_to = getattr(metadata, "hook_name_out", None)
    if "transcoder" in architecture and written_to is None:
        msg = f"The transcoder {name} does not say where it writes: its configuration has no metadata.hook_name_out."
        raise WeightsError(msg)
    W_dec = sae.W_dec.detach().cpu().float().numpy()
    if density is not None and density.shape != (W_dec.shape[0],):
        msg = f"The sparsity file of {name} has {density.size} values for {W_dec.shape[0]} features."
        raise WeightsError(msg)
    return SaeWeights(
        name=name,
        source=source,
        hook_point=str(written_to or metadata.hook_name),
        architecture=architecture,
        W_dec=W_dec,
        log10_density=None if density is None else density.astype(np.float32),
    )
