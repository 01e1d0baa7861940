"""The shape of a feature's logit-weight distribution over the vocabulary.

Central differences with float64 accumulators: ``mean``, ``std`` of the population, ``skewness = m3 / m2**1.5``,
``kurtosis = m4 / m2**2`` (a normal distribution has 3), with ``m_j`` the mean of ``(x - mean)**j``. ``cosine_variance``
is the variance over the vocabulary of the cosine between the feature's direction and each column of the unembedding
(Gurnee et al. 2024, arXiv 2401.12181); a column of zeros counts as cosine 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tsea_db.kernels.compiled import compiled
from tsea_db.kernels.native import allowed_instructions, installed_library

if TYPE_CHECKING:
    from numpy.typing import NDArray


_SUM_LANES = 16


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


@compiled
def _add_lanes(sums: NDArray[np.float64]) -> tuple[float, float, float]:
    """Add up the lanes of three sums, (3, 16), in order."""
    a, b, c = 0.0, 0.0, 0.0
    for lane in range(_SUM_LANES):
        a += sums[0, lane]
        b += sums[1, lane]
        c += sums[2, lane]
    return a, b, c


@compiled
def moments_row(
    weights: NDArray[np.float32], inverse_column_norms: NDArray[np.float64], numbers: NDArray[np.float64]
) -> bool:
    """Write mean, std, skewness, kurtosis and the variance of ``x * inverse_column_norms`` to ``numbers`` (5,).

    Sums run in 16 lanes, token ``t`` in lane ``t % 16``, which are added up in order at the end: fast on vectors of any
    length, and the same bits on all of them and in ``_moments_kernel.h``.

    Returns:
        Whether the row's values are all equal; then ``numbers`` are zeros. If a value is not finite the mean is not.
    """
    n_tokens = weights.shape[0]
    first, central = np.zeros((3, _SUM_LANES)), np.zeros((3, _SUM_LANES))
    n_differing = 0
    for start in range(0, n_tokens, _SUM_LANES):
        for lane in range(min(_SUM_LANES, n_tokens - start)):
            weight = np.float64(weights[start + lane])
            scaled = weight * inverse_column_norms[start + lane]
            first[0, lane] += weight
            first[1, lane] += scaled
            first[2, lane] += scaled * scaled
            n_differing += weights[start + lane] != weights[0]
    total, scaled_total, scaled_squares = _add_lanes(first)
    mean, scaled_mean = total / n_tokens, scaled_total / n_tokens
    numbers[:] = 0.0
    if n_differing == 0 and np.isfinite(mean):
        return True
    for start in range(0, n_tokens, _SUM_LANES):
        for lane in range(min(_SUM_LANES, n_tokens - start)):
            difference = np.float64(weights[start + lane]) - mean
            square = difference * difference
            central[0, lane] += square
            central[1, lane] += square * difference
            central[2, lane] += square * square
    m2, m3, m4 = _add_lanes(central)
    variance = m2 / n_tokens
    std = np.sqrt(variance)
    numbers[0] = mean
    numbers[1] = std
    numbers[2] = m3 / n_tokens / (variance * std)
    numbers[3] = m4 / n_tokens / (variance * variance)
    # In float64 this difference loses nothing that counts unless the mean cosine is millions of times the spread.
    numbers[4] = max(0.0, scaled_squares / n_tokens - scaled_mean * scaled_mean)
    return False


@compiled
def _moments_rows(
    logit_weights: NDArray[np.float32],
    inverse_column_norms: NDArray[np.float64],
    numbers: NDArray[np.float64],
    zero_direction: NDArray[np.bool_],
) -> None:
    for row in range(logit_weights.shape[0]):
        zero_direction[row] = moments_row(logit_weights[row], inverse_column_norms, numbers[row])


def moments_rows(
    logit_weights: NDArray[np.float32],
    inverse_column_norms: NDArray[np.float64],
    numbers: NDArray[np.float64],
    zero_direction: NDArray[np.bool_],
) -> None:
    """:func:`moments_row` for several rows; row ``i`` goes to ``numbers[i]`` ``(n, 5)`` and ``zero_direction[i]``.

    The C library does the work where there is one; the results are the same.
    """
    library = installed_library()
    if library is None:
        _moments_rows(np.ascontiguousarray(logit_weights), inverse_column_norms, numbers, zero_direction)
        return
    library.tsea_moments(
        logit_weights.ctypes.data,
        *logit_weights.shape,
        logit_weights.strides[0] // logit_weights.itemsize,
        inverse_column_norms.ctypes.data,
        numbers.ctypes.data,
        zero_direction.ctypes.data,
        allowed_instructions(),
    )


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
    moments_rows(np.ascontiguousarray(logit_weights), inverse_norms(column_norms), numbers, zero_direction)
    numbers[:, 4] *= inverse_norms(row_norms) ** 2
    return Moments(zero_direction, *numbers.T)
