"""Sums in a fixed order against numpy, against Python's own loops, and bit for bit on other processors."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tsea_db.kernels.in_order import add_gram, factorise, symmetric

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("n", "d"), [(1, 1), (64, 8), (65, 7), (200, 50)])
def test_each_entry_is_one_sum_in_order_of_the_rows(n: int, d: int) -> None:
    rows = np.random.default_rng(n).normal(size=(n, d))
    total = np.zeros((d, d))
    add_gram(rows, total)
    found = symmetric(total)
    expected = np.zeros((d, d))
    for row in rows:
        expected += np.outer(row, row)  # one product and one sum for each entry
    np.testing.assert_array_equal(found, expected)
    add_gram(rows, total)
    np.testing.assert_allclose(symmetric(total), 2 * rows.T @ rows, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rank", [1, 20, 29, 30])
def test_a_factor_solves_in_the_range_and_knows_the_null_space(rank: int) -> None:
    rng = np.random.default_rng(rank)
    basis = rng.normal(size=(30, rank)) * np.geomspace(1, 1e-3, rank)
    G = basis @ basis.T
    factor = factorise(G, rank)
    assert sorted(factor.pivots) == list(range(30))
    np.testing.assert_allclose(factor.lower @ factor.lower.T, G[np.ix_(factor.pivots, factor.pivots)], atol=1e-12)
    columns = basis @ rng.normal(size=(rank, 5))
    expected = np.einsum("ds,ds->s", columns, np.linalg.pinv(G, rcond=1e-11) @ columns)
    np.testing.assert_allclose((factor.solve(columns) ** 2).sum(axis=0), expected, rtol=1e-7)
    unread = factor.null_space()
    assert unread.shape == (30 - rank, 30)
    np.testing.assert_allclose(unread @ unread.T, np.eye(30 - rank), atol=1e-13)
    assert np.abs(unread @ basis).max(initial=0.0) < 1e-9


BITS = """
import hashlib
import numpy as np
from tsea_db.statistics import direction_null as null
from tsea_db.statistics.decodability import decodability
rng = np.random.default_rng(0)
U = rng.normal(size=(90, 1500)).astype(np.float32)
U[:30] -= U[60:]
U -= U.mean(axis=0)
U[:2] = U[:2].mean(axis=0)  # one more direction that is not read
subspace = null.unembedding_subspace(U)
sets = null.set_directions(U, np.array([0, 50, 90]), np.arange(90), subspace)
gram = null.unembedding_gram(U, centred=True)
scores = null.direction_scores(rng.normal(size=(500, 90)), sets, subspace)
numbers = [subspace.unread, gram, decodability(gram, sets, np.array([50, 40]), 1500), sets.unit, scores.z]
print(subspace.d_eff, hashlib.sha256(b"".join(array.tobytes() for array in numbers)).hexdigest())
"""


def test_bits_depend_neither_on_the_processor_nor_on_threads() -> None:
    found = set()
    for core, threads in (("Haswell", "1"), ("Haswell", "2"), ("Zen", "2"), ("SkylakeX", "1"), ("Nehalem", "1")):
        names = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, threads) | {"OPENBLAS_CORETYPE": core}
        command = [sys.executable, "-c", BITS]
        found.add(subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert len(found) == 1
    assert found.pop().startswith("88 ")
