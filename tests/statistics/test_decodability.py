"""Multiple correlation against least squares on the memberships themselves."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tsea_db.statistics.decodability import chance_decodability, decodability
from tsea_db.statistics.direction_null import read_subspace, set_directions, unembedding_gram


def csr(sets: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    offsets = np.cumsum([0] + [len(members) for members in sets]).astype(np.int64)
    return offsets, np.array([token for members in sets for token in members], dtype=np.int32)


def found(U: NDArray[np.float64], sets: list[list[int]]) -> NDArray[np.float64]:
    directions = set_directions(U, *csr(sets), read_subspace(unembedding_gram(U)))
    sizes = np.array([len(members) for members in sets])
    return decodability(unembedding_gram(U, centred=True), directions, sizes, U.shape[1])


@pytest.mark.parametrize("offset", [0.0, 5.0])
@pytest.mark.parametrize("centred", [False, True])
def test_r_equals_that_of_least_squares_with_intercept(offset: float, centred: bool) -> None:
    rng = np.random.default_rng(0)
    U = rng.normal(size=(20, 300)) + offset
    if centred:
        U -= U.mean(axis=0)
    readable = np.flatnonzero(U[0] - U[1] > 1.0).tolist()
    sets = [readable, rng.choice(300, 40, replace=False).tolist(), [0, 1], list(range(250))]
    for members, R in zip(sets, found(U, sets), strict=True):
        y = np.isin(np.arange(300), members).astype(float)
        design = np.column_stack([np.ones(300), U.T])
        fitted = design @ np.linalg.lstsq(design, y)[0]
        assert pytest.approx(np.corrcoef(fitted, y)[0, 1], abs=1e-8) == R


def test_random_sets_are_at_chance_and_sets_without_delta_have_none() -> None:
    rng = np.random.default_rng(1)
    U = rng.normal(size=(50, 2000))
    sets = [rng.choice(2000, 100, replace=False).tolist() for _ in range(200)]
    assert np.sqrt(np.mean(found(U, sets) ** 2)) == pytest.approx(chance_decodability(50, 2000), rel=0.03)
    assert found(U, [[], [3]]).tolist() == [0.0, 0.0]
    assert chance_decodability(50, 20) == 1.0
