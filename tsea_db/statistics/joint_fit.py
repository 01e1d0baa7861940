"""Logit weights of a feature as a sum of token sets' contributions: all sets at once.

Least squares of the centred logit weights ``l`` on the sets' membership columns X (n_tokens x n_sets):
``beta = (X'X + ridge * diag(X'X))^-1 X'l``. ``X'X`` are the intersections and ``X'l`` the sums of members'
logit weights, which are linear in the feature's direction, so no array of n_tokens x n_features is formed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array

from tsea_db.errors import InputError
from tsea_db.statistics.overlap import intersections

Floats = NDArray[np.float64]

_ROW_BLOCK = 64


@dataclass(frozen=True)
class JointFit:
    """What every feature's joint fit shares.

    Attributes:
        member_sums: n_sets x d_model, sums of the members' unembedding columns less the mean column.
        factor: n_sets x n_sets, lower Cholesky factor of ``X'X + ridge * diag(X'X)``.

    """

    member_sums: Floats
    factor: Floats


def joint_fit(
    U: NDArray[np.floating], offsets: NDArray[np.integer], token_ids: NDArray[np.integer], ridge: float
) -> JointFit:
    """Prepare the fit for sets given as CSR in the vocabulary of ``U`` (d_model x n_tokens).

    ``ridge`` is relative to each set's size. Near-duplicate sets need it: 1e-3 splits a contribution evenly
    between two copies and shrinks a single set's coefficient by 0.1 %.

    Raises:
        InputError: if the ridge is not positive or a set is empty.

    """
    if ridge <= 0.0:
        raise InputError(f"the ridge must be positive, got {ridge}: without it, sets that add up to others fail")
    if np.any(np.diff(offsets) == 0):
        raise InputError("a set without members has no coefficient: leave it out of the joint fit")
    d_model, n_tokens = U.shape
    shared = intersections(offsets, token_ids, n_tokens).astype(np.float64)
    sizes = np.diag(shared)
    memberships = csr_array((np.ones(len(token_ids)), token_ids, offsets), shape=(len(sizes), n_tokens))
    sums = np.empty((len(sizes), d_model))
    for start in range(0, d_model, _ROW_BLOCK):
        block = np.ascontiguousarray(U[start : start + _ROW_BLOCK].T, dtype=np.float64)
        sums[:, start : start + _ROW_BLOCK] = memberships @ block - sizes[:, None] * block.mean(axis=0)
    factor, _ = cho_factor(shared + ridge * np.diag(sizes), lower=True)
    return JointFit(sums, factor)


def joint_coefficients(rows: NDArray[np.floating], fit: JointFit) -> Floats:
    """Return each feature's coefficients (n_features x n_sets) from directions (n_features x d_model).

    In units of logit weight: what membership adds to a token's logit weight, the other sets held fixed.
    Tokens in no set sit at the mean of the vocabulary.
    """
    sums = np.asarray(rows, dtype=np.float64) @ fit.member_sums.T
    return np.asarray(cho_solve((fit.factor, True), sums.T).T)
