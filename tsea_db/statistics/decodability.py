"""How well membership in a token set can be read linearly from the unembedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsea_db.kernels.in_order import factorise

if TYPE_CHECKING:
    from tsea_db.statistics.direction_null import SetDirections

Floats = NDArray[np.float64]

_RANK_TOLERANCE = 1e-10


def decodability(centred_gram: Floats, sets: SetDirections, sizes: NDArray[np.integer], n_tokens: int) -> Floats:
    """Return each set's multiple correlation R of membership with the unembedding's rows, intercept included.

    ``R**2 = (k * (V - k) / V) * Delta' G^+ Delta`` with ``G = U U'`` of the unembedding less its mean
    token: the least-squares fit of V memberships on d_model columns without forming it. Sets without a
    Delta get 0. Eigenvalues only tell the rank of G, so no bit depends on the processor or on threads.

    Args:
        centred_gram: d_model x d_model, `unembedding_gram(U, centred=True)`.
        sets: Delta of each set.
        sizes: n_sets, k.
        n_tokens: V.

    """
    values = np.linalg.eigvalsh(centred_gram)
    factor = factorise(centred_gram, int((values > _RANK_TOLERANCE * values[-1]).sum()))
    parts = factor.solve((sets.unit * sets.length[:, None]).T) ** 2
    k = np.asarray(sizes, dtype=np.float64)
    squared: Floats = k * (n_tokens - k) / n_tokens * parts.sum(axis=0)
    return np.asarray(np.sqrt(np.clip(squared, 0.0, 1.0)))


def chance_decodability(d_eff: int, n_tokens: int) -> float:
    """Return ``sqrt(d_eff / V)``: a random set's R (its R**2 is ``d_eff / (V - 1)`` on average)."""
    return float(np.sqrt(min(1.0, d_eff / n_tokens)))
