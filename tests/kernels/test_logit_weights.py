"""The product keeps its bits whatever the block size, the company, the threads, the processor and its instructions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest

from tests.support.oracle import Rows
from tsea_db.errors import InputError, WeightsError
from tsea_db.kernels.logit_weights import logit_weight_tiles
from tsea_db.kernels.native import Instructions, installed_library
from tsea_db.kernels.product import TILE_ROWS, check_finite

N_FEATURES = TILE_ROWS + 37
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

needs_library = pytest.mark.skipif(installed_library() is None, reason="the C library is not built or turned off")


def product(directions: Rows, unembedding: Rows) -> Rows:
    return np.concatenate([tile.copy() for _, tile in logit_weight_tiles(directions, unembedding)])


@pytest.fixture
def factors(rng: np.random.Generator) -> tuple[Rows, Rows]:
    return rng.standard_normal((N_FEATURES, 130), dtype=np.float32), rng.standard_normal((130, 1_003), dtype=np.float32)


def test_tiles_are_the_product(factors: tuple[Rows, Rows]) -> None:
    directions, unembedding = factors
    got = product(directions, unembedding)
    np.testing.assert_allclose(got, directions.astype(np.float64) @ unembedding, atol=1e-4)


@needs_library
def test_bits_do_not_depend_on_the_other_features(factors: tuple[Rows, Rows]) -> None:
    directions, unembedding = factors
    whole = product(directions, unembedding)
    for rows in (slice(0, 1), slice(3, 8), slice(1, None), slice(TILE_ROWS - 5, TILE_ROWS + 5)):
        np.testing.assert_array_equal(product(directions[rows], unembedding), whole[rows])


def test_without_the_library_bits_depend_on_the_place_in_a_tile_at_most(
    factors: tuple[Rows, Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TSEA_DB_NO_EXTENSION", "1")
    directions, unembedding = factors
    whole = product(directions, unembedding)
    np.testing.assert_allclose(whole, directions.astype(np.float64) @ unembedding, atol=1e-4)
    others = directions[::-1].copy()
    others[[3, TILE_ROWS + 5]] = directions[[3, TILE_ROWS + 5]]
    np.testing.assert_array_equal(product(others, unembedding)[[3, TILE_ROWS + 5]], whole[[3, TILE_ROWS + 5]])
    np.testing.assert_array_equal(product(directions[TILE_ROWS:], unembedding), whole[TILE_ROWS:])


def fused_chain(direction: Rows, column: Rows) -> float:
    """One logit weight by arithmetic of 24 bits: each product is exact, and rounded once it has been added."""
    total = mpmath.mpf(0)
    for weight, factor in zip(direction.tolist(), column.tolist(), strict=True):
        total = mpmath.fadd(mpmath.fmul(weight, factor, exact=True), total, prec=24)
    return float(total)


@needs_library
@pytest.mark.parametrize("level", list(Instructions))
@pytest.mark.parametrize("shape", [(1, 1, 1), (13, 40, 33), (7, 3, 70)])
def test_each_logit_weight_is_one_chain_of_fused_multiply_adds(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator, level: Instructions, shape: tuple[int, int, int]
) -> None:
    monkeypatch.setenv("TSEA_DB_INSTRUCTIONS", level.name)
    n, d_model, n_tokens = shape
    directions = rng.standard_normal((n, d_model), dtype=np.float32)
    unembedding = rng.standard_normal((d_model, n_tokens), dtype=np.float32)
    expected = [[fused_chain(direction, column) for column in unembedding.T] for direction in directions]
    np.testing.assert_array_equal(product(directions, unembedding), np.array(expected, np.float32))


@needs_library
@pytest.mark.parametrize("d_model", [1, 767, 1_024, 1_025, 2_304])
def test_bits_do_not_depend_on_the_instructions(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator, d_model: int
) -> None:
    directions = rng.standard_normal((50, d_model), dtype=np.float32)
    unembedding = rng.standard_normal((d_model, 101), dtype=np.float32)
    products = []
    for level in Instructions:
        monkeypatch.setenv("TSEA_DB_INSTRUCTIONS", level.name)
        products.append(product(directions, unembedding))
    np.testing.assert_array_equal(products[0], products[1])
    np.testing.assert_array_equal(products[0], products[2])


def test_unknown_instructions_are_refused(factors: tuple[Rows, Rows], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSEA_DB_INSTRUCTIONS", "sse9")
    with pytest.raises(InputError, match="TSEA_DB_INSTRUCTIONS is 'sse9'; it can be one of plain, avx2, avx512"):
        product(*factors)


@needs_library
@pytest.mark.parametrize("d_model", [770, 768])
def test_bits_do_not_depend_on_blas(d_model: int) -> None:
    digests = {digest_in_new_process(d_model, OPENBLAS_CORETYPE=core) for core in ("Haswell", "Zen", "SkylakeX", "")}
    assert len(digests) == 1


@pytest.mark.parametrize("d_model", [770, 768])
def test_bits_do_not_depend_on_the_threads_of_blas(d_model: int) -> None:
    assert len({digest_in_new_process(d_model, **dict.fromkeys(THREADS, n)) for n in ("1", "2", "3")}) == 1


def digest_in_new_process(d_model: int, **environment: str) -> bytes:
    """SHA-256 of a product made in a process of its own, where BLAS reads the environment."""
    script = (
        "import hashlib, numpy as np;"
        "from tsea_db.kernels.logit_weights import logit_weight_tiles as tiles;"
        "rng = np.random.default_rng(1);"
        f"D, U = (rng.standard_normal(s, dtype=np.float32) for s in ((300, {d_model}), ({d_model}, 5003)));"
        "print(hashlib.sha256(b''.join(tile.tobytes() for _, tile in tiles(D, U))).hexdigest())"
    )
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, check=True).stdout


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
        check_finite(matrix, "The decoder", first_row=5_000)


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
