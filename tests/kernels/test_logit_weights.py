"""The product keeps its bits whatever the block size, the company and the threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.kernels.oracle import Rows
from tsea_db.errors import WeightsError
from tsea_db.kernels.logit_weights import TILE_ROWS, logit_weight_tiles, refuse_non_finite

N_FEATURES = TILE_ROWS + 37


def product(directions: Rows, unembedding: Rows) -> Rows:
    return np.concatenate([tile.copy() for _, tile in logit_weight_tiles(directions, unembedding)])


@pytest.fixture
def factors(rng: np.random.Generator) -> tuple[Rows, Rows]:
    return rng.standard_normal((N_FEATURES, 130), dtype=np.float32), rng.standard_normal((130, 1_003), dtype=np.float32)


def test_tiles_are_the_product(factors: tuple[Rows, Rows]) -> None:
    directions, unembedding = factors
    got = product(directions, unembedding)
    np.testing.assert_allclose(got, directions.astype(np.float64) @ unembedding, atol=1e-4)


def test_bits_do_not_depend_on_the_other_features(factors: tuple[Rows, Rows]) -> None:
    directions, unembedding = factors
    whole = product(directions, unembedding)
    for rows in (slice(0, 1), slice(3, 8), slice(1, None), slice(TILE_ROWS - 5, TILE_ROWS + 5)):
        np.testing.assert_array_equal(product(directions[rows], unembedding), whole[rows])


@pytest.mark.parametrize("d_model", [770, 768])
def test_bits_do_not_depend_on_the_threads_of_blas(d_model: int) -> None:
    script = (
        "import hashlib, numpy as np;"
        "from tsea_db.kernels.logit_weights import logit_weight_tiles as tiles;"
        "rng = np.random.default_rng(1);"
        f"D, U = (rng.standard_normal(s, dtype=np.float32) for s in ((300, {d_model}), ({d_model}, 5003)));"
        "print(hashlib.sha256(b''.join(tile.tobytes() for _, tile in tiles(D, U))).hexdigest())"
    )
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    digests = set()
    for threads in ("1", "2", "3"):
        environment = os.environ | dict.fromkeys(names, threads)
        command = [sys.executable, "-c", script]
        digests.add(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert len(digests) == 1


def test_memory_mapped_directions(factors: tuple[Rows, Rows], tmp_path: Path) -> None:
    directions, unembedding = factors
    np.save(tmp_path / "directions.npy", directions)
    mapped = np.load(tmp_path / "directions.npy", mmap_mode="r")
    np.testing.assert_array_equal(product(mapped, unembedding), product(directions, unembedding))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_first_bad_row_is_named(bad: float) -> None:
    matrix = np.zeros((1_000, 3), np.float32)
    matrix[[700, 900], 1] = bad
    with pytest.raises(WeightsError, match=r"The decoder has NaN or infinity in row 5700\b"):
        refuse_non_finite(matrix, "The decoder", first_row=5_000)


@pytest.mark.parametrize(
    ("directions", "unembedding", "message"),
    [
        (np.zeros((2, 3), np.float32), np.zeros((4, 5), np.float32), r"\(2, 3\) do not fit .* \(4, 5\)"),
        (np.zeros(3, np.float32), np.zeros((3, 5), np.float32), r"do not fit"),
        (np.zeros((2, 3)), np.zeros((3, 5), np.float32), "float64 directions"),
        (np.zeros((2, 3), np.float32), np.zeros((3, 0), np.float32), "empty"),
    ],
)
def test_factors_that_do_not_fit_are_refused(directions: Rows, unembedding: Rows, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        next(logit_weight_tiles(directions, unembedding))


def test_no_directions_give_no_tiles() -> None:
    assert list(logit_weight_tiles(np.zeros((0, 3), np.float32), np.zeros((3, 5), np.float32))) == []
