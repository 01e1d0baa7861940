"""Joint coefficients against ridge regression on explicit membership columns, and planted contributions."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tsea_db.errors import InputError
from tsea_db.statistics.joint_fit import joint_coefficients, joint_fit

SETS = [list(range(30)), list(range(15, 60)), list(range(100, 130)), list(range(100, 130))]


def csr(sets: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    offsets = np.cumsum([0] + [len(members) for members in sets]).astype(np.int64)
    return offsets, np.array([token for members in sets for token in members], dtype=np.int32)


def columns(n_tokens: int) -> NDArray[np.float64]:
    return np.stack([np.isin(np.arange(n_tokens), members) for members in SETS], axis=1).astype(float)


@pytest.mark.parametrize("ridge", [1e-6, 1e-3, 0.5])
def test_coefficients_equal_ridge_regression_on_the_logit_weights(ridge: float) -> None:
    rng = np.random.default_rng(0)
    U, rows = rng.normal(2, 1, (90, 200)), rng.normal(size=(7, 90))
    X, logits = columns(200), rows @ U
    logits -= logits.mean(axis=1, keepdims=True)
    # Ridge regression is least squares with one extra row for each coefficient.
    padded = np.vstack([X, np.diag(np.sqrt(ridge * X.sum(axis=0)))])
    expected = np.linalg.lstsq(padded, np.vstack([logits.T, np.zeros((4, 7))]))[0].T
    found = joint_coefficients(rows, joint_fit(U, *csr(SETS), ridge))
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_planted_contributions_come_back_and_copies_share_theirs() -> None:
    n_tokens = 4000
    X = columns(n_tokens)
    truth = np.array([2.0, 0.0, -1.0, -1.0])
    logits = X @ truth
    U = np.vstack([logits - logits.mean(), np.random.default_rng(0).normal(size=(3, n_tokens))])
    found = joint_coefficients(np.array([[1.0, 0.0, 0.0, 0.0]]), joint_fit(U, *csr(SETS), 1e-3))
    np.testing.assert_allclose(found[0], truth, atol=0.02)


def test_no_ridge_and_empty_sets_are_refused() -> None:
    U = np.ones((4, 200))
    with pytest.raises(InputError, match="must be positive"):
        joint_fit(U, *csr(SETS), 0.0)
    with pytest.raises(InputError, match="without members"):
        joint_fit(U, *csr([[1], []]), 1e-3)
