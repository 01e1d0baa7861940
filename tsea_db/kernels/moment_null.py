"""What the moments of a feature's logit weights look like for random directions through the same unembedding.

Feature classes compare a feature with these quantiles, since the kurtosis of a random direction differs
between unembeddings and ``d_eff * cosine_variance`` is 1 for all of them only on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsea_db.errors import InputError

Floats = NDArray[np.float64]

# The last is the one that feature classes use, the first its mirror image for skewness.
SHARES = (0.001, 0.01, 0.05, 0.5, 0.95, 0.99, 0.999)

# With fewer draws the 0.999 quantile is the largest draw.
MIN_DRAWS = 2000


@dataclass(frozen=True)
class MomentNull:
    """Quantiles over random directions at the shares `SHARES`, each of length 7.

    Attributes:
        n_draws: Random directions.
        kurtosis: Not excess: 3 for a normal.
        skewness: Of either sign.
        cos_var_ratio: ``d_eff * cosine_variance``, near 1.

    """

    n_draws: int
    kurtosis: Floats
    skewness: Floats
    cos_var_ratio: Floats


def moment_null(kurtosis: Floats, skewness: Floats, cosine_variance: Floats, d_eff: int) -> MomentNull:
    """Summarise the moments of random directions (n_draws each).

    Raises:
        InputError: with fewer than 2,000 draws, arrays of different lengths, or values that are not finite.

    """
    draws = [np.asarray(values, dtype=np.float64) for values in (kurtosis, skewness, d_eff * cosine_variance)]
    n_draws = len(draws[0])
    if n_draws < MIN_DRAWS:
        raise InputError(
            f"{n_draws} random directions do not show a 0.999 quantile: draw {MIN_DRAWS} or more"
        )
    if any(len(values) != n_draws for values in draws):
        raise InputError("each random direction must have all three moments")
    if not all(np.all(np.isfinite(values)) for values in draws):
        raise InputError("a random direction has moments that are not finite: is the unembedding constant?")
    return MomentNull(n_draws, *(np.quantile(values, SHARES) for values in draws))
