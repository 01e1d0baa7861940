"""How unusual a feature's z is among the features of its own SAE.

These numbers answer "unusual here?", never "more than chance?": a null made from an SAE's own rows loses
sets that many of its features encode, and erases differences between layers. They are stored beside the
random-direction statistics and serve to mark background sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Median of a squared standard normal, and 1 over the median of its absolute value.
MEDIAN_CHI_SQUARE = 0.454936423119572
MAD_TO_SD = 1.482602218505602

MIN_FEATURES = 50


@dataclass(frozen=True)
class SaeSpread:
    """Spread of z and of the cosine over the scored features of one SAE, for each set.

    Attributes:
        n_features: n_sets, scored features behind the numbers.
        median: n_sets, median of z.
        mad: n_sets, ``1.4826 * median |z - median|``: on normal values, their standard deviation.
        inflation: n_sets, lambda = ``median(z**2) / 0.4549``: 1 for random directions, above 2 a background
            set.
        cosine_sd: n_sets, ``sqrt(D' C D)`` with D the unit Delta_S and C the covariance of the unit decoder
            rows,
            which is the standard deviation of the cosines. ``z_cov = cosine / cosine_sd``.
        enough: n_sets, False where fewer than `MIN_FEATURES` features were scored or all have the same z: the
            numbers are 0 there and mean nothing.

    """

    n_features: NDArray[np.int64]
    median: Floats
    mad: Floats
    inflation: Floats
    cosine_sd: Floats
    enough: NDArray[np.bool_]


def sae_spread(z: Floats, cosine: Floats, valid: NDArray[np.bool_]) -> SaeSpread:
    """Summarise one SAE's z and cosines (n_features x n_sets) over the valid pairs of each set."""
    n_sets = z.shape[1]
    n_features = valid.sum(axis=0)
    summary = np.zeros((4, n_sets))
    _summarise(z, cosine, valid, summary)
    _, mad, _, cosine_sd = summary
    enough = (n_features >= MIN_FEATURES) & (mad > 0.0) & (cosine_sd > 0.0)
    kept = np.where(enough, summary, 0.0)
    return SaeSpread(n_features, kept[0], kept[1], kept[2], kept[3], enough)


def _summarise(z: Floats, cosine: Floats, valid: NDArray[np.bool_], summary: Floats) -> None:
    for column in range(z.shape[1]):
        chosen = valid[:, column]
        everything = bool(chosen.all())
        values = z[:, column] if everything else z[chosen, column]
        if len(values) < MIN_FEATURES:
            continue
        median = np.median(values)
        summary[0, column] = median
        summary[1, column] = MAD_TO_SD * np.median(np.abs(values - median))
        summary[2, column] = np.median(values**2) / MEDIAN_CHI_SQUARE
        summary[3, column] = np.std(cosine[:, column] if everything else cosine[chosen, column])


def deviation(z: Floats, null: SaeSpread) -> Floats:
    """Return ``(z - median) / mad`` (n_features x n_sets), 0 for sets without enough features."""
    return np.where(null.enough, (z - null.median) / np.where(null.enough, null.mad, 1.0), 0.0)


def z_cov(cosine: Floats, null: SaeSpread) -> Floats:
    """Return ``cosine / cosine_sd`` (n_features x n_sets), 0 for sets without enough features."""
    return np.where(null.enough, cosine / np.where(null.enough, null.cosine_sd, 1.0), 0.0)
