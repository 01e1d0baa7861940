"""Where the streaming pass runs, and how exactly it multiplies there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsea_db.errors import InputError
from tsea_db.kernels.scoring import score_features

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from tsea_db.kernels.product import PackedUnembedding
    from tsea_db.kernels.scoring import FeatureBlock
    from tsea_db.kernels.set_matrix import SetMatrix

PRECISIONS = ("highest", "high")
"""What factors are rounded to before they are multiplied, in PyTorch's terms: nothing (float32), or TF32."""

_TORCH_ON_CPU = "torch:cpu"
_TF32 = "+tf32"


def with_precision(processing: str, matmul_precision: str) -> str:
    """Return what the store calls a processing of the unembedding multiplied in some precision.

    Scores of other precision are other scores: under another processing they have nulls of their own and cannot be
    taken for those of float32 products.
    """
    return processing if matmul_precision == "highest" else processing + _TF32


def precision_of(processing: str) -> str:
    """Return the precision that a processing of the store stands for."""
    return "high" if processing.endswith(_TF32) else "highest"


@dataclass(frozen=True)
class Device:
    """A device that can be used; made by :func:`choose_device`.

    Attributes:
        name: ``cpu``, ``torch:cpu``, ``cuda``, ``cuda:1``, ...
        matmul_precision: one of :data:`PRECISIONS`.
    """

    name: str = "cpu"
    matmul_precision: str = "highest"

    def product_name(self, unembedding: PackedUnembedding) -> str:
        """How it multiplies: ``fused`` or ``blas`` (see :class:`PackedUnembedding`), or ``torch``."""
        return unembedding.product_name if self.name == "cpu" else "torch"

    def score_features(
        self,
        directions: NDArray[np.float32],
        unembedding: PackedUnembedding,
        sets: SetMatrix,
    ) -> Iterator[FeatureBlock]:
        """Score every feature against every set; see :func:`tsea_db.kernels.scoring.score_features`."""
        if self.name == "cpu":
            return score_features(directions, unembedding, sets)
        from tsea_db.kernels.torch_scoring import score_features_on_device

        return score_features_on_device(
            directions,
            unembedding.matrix,
            sets,
            device=self.name.removeprefix("torch:"),
            unembedding_norms=unembedding.norms,
            matmul_precision=self.matmul_precision,
        )


def choose_device(name: str = "cpu", matmul_precision: str = "highest") -> Device:
    """Return a device after checking that it is there.

    Args:
        name: ``cpu``; a device that PyTorch knows, such as ``cuda`` or ``cuda:1``; or ``torch:cpu``, which runs what
            runs on a GPU on the CPU: slow, to compare with.
        matmul_precision: ``highest`` or, on a GPU, ``high``.

    Raises:
        InputError: there is no such device here, or it does not offer that precision.
    """
    if matmul_precision not in PRECISIONS:
        raise InputError(f"The matmul precision {matmul_precision!r} is unknown: choose {' or '.join(PRECISIONS)}.")
    if name not in ("cpu", _TORCH_ON_CPU):
        from tsea_db.kernels.torch_scoring import resolve_device

        resolve_device(name)
    if matmul_precision != "highest" and not name.startswith("cuda"):
        raise InputError(
            f"The matmul precision {matmul_precision!r} is for --device cuda, where products are faster with it; "
            f"on {name} leave it at 'highest'."
        )
    return Device(name, matmul_precision)
