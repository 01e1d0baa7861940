"""The shape of a feature's logit-weight distribution over the vocabulary.

Central differences with float64 accumulators: ``mean``, ``std`` of the population, ``skewness = m3 / m2**1.5``,
``kurtosis = m4 / m2**2`` (a normal distribution has 3), with ``m_j`` the mean of ``(x - mean)**j``. ``cosine_variance``
is the variance over the vocabulary of the cosine between the feature's direction and each column of the unembedding
(Gurnee et al. 2024, arXiv 2401.12181); a column of zeros counts as cosine 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tsea_db.kernels.compiled import compiled_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Moments(NamedTuple):
    """Moments of n rows, each float64 ``(n,)`` but for the flag.

    Attributes:
        zero_direction: bool ``(n,)``; the row has one value throughout, so it has neither shape nor ranking. Its
            numbers are 0 and mean nothing.
        mean, std, skewness, kurtosis, cosine_variance: see the module's text.
    """

    zero_direction: NDArray[np.bool_]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    skewness: NDArray[np.float64]
    kurtosis: NDArray[np.float64]
    cosine_variance: NDArray[np.float64]


@compiled_sums
def moments_row(
    weights: NDArray[np.float32], inverse_column_norms: NDArray[np.float64], numbers: NDArray[np.float64]
) -> bool:
    """Write mean, std, skewness, kurtosis and the variance of ``x * inverse_column_norms`` to ``numbers`` (5,).

    Returns:
        Whether the row's values are all equal; then ``numbers`` are zeros. If a value is not finite the mean is not.
    """
    n_tokens = weights.shape[0]
    total, scaled_total, scaled_squares = 0.0, 0.0, 0.0
    n_differing = 0
    for token in range(n_tokens):
        weight = np.float64(weights[token])
        scaled = weight * inverse_column_norms[token]
        total += weight
        scaled_total += scaled
        scaled_squares += scaled * scaled
        n_differing += weights[token] != weights[0]
    numbers[:] = 0.0
    if n_differing == 0 and np.isfinite(total):
        return True
    mean, scaled_mean = total / n_tokens, scaled_total / n_tokens
    m2, m3, m4 = 0.0, 0.0, 0.0
    for token in range(n_tokens):
        difference = np.float64(weights[token]) - mean
        square = difference * difference
        m2 += square
        m3 += square * difference
        m4 += square * square
    variance = m2 / n_tokens
    std = np.sqrt(variance)
    numbers[0] = mean
    numbers[1] = std
    numbers[2] = m3 / n_tokens / (variance * std)
    numbers[3] = m4 / n_tokens / (variance * variance)
    # In float64 this difference loses nothing that counts unless the mean cosine is millions of times the spread.
    numbers[4] = max(0.0, scaled_squares / n_tokens - scaled_mean * scaled_mean)
    return False


@compiled_sums
def moments_rows(
    logit_weights: NDArray[np.float32],
    inverse_column_norms: NDArray[np.float64],
    numbers: NDArray[np.float64],
    zero_direction: NDArray[np.bool_],
) -> None:
    """:func:`moments_row` for several rows; row ``i`` goes to ``numbers[i]`` ``(n, 5)`` and ``zero_direction[i]``."""
    for row in range(logit_weights.shape[0]):
        zero_direction[row] = moments_row(logit_weights[row], inverse_column_norms, numbers[row])


def inverse_norms(norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """One over each norm, 0 for a norm of 0: a zero vector has cosine 0 with everything."""
    return np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 0)


def moments(
    logit_weights: NDArray[np.float32],
    row_norms: NDArray[np.float64],
    column_norms: NDArray[np.float64],
) -> Moments:
    """Moments of rows of logit weights.

    Args:
        logit_weights: float32 ``(n, V)``, finite.
        row_norms: Euclidean norm of each direction, float64 ``(n,)``.
        column_norms: Euclidean norm of each column of the unembedding, float64 ``(V,)``.
    """
    numbers, zero_direction = np.empty((len(logit_weights), 5)), np.empty(len(logit_weights), np.bool_)
    moments_rows(logit_weights, inverse_norms(column_norms), numbers, zero_direction)
    numbers[:, 4] *= inverse_norms(row_norms) ** 2
    return Moments(zero_direction, *numbers.T)
