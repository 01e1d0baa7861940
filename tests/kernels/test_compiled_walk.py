"""The C form against the numba form and the definition, at every level of instructions, and the package without it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.support.oracle import Rows, assert_matches_oracle
from tsea_db.errors import InstallationError
from tsea_db.kernels.compiled_walk import CompiledWalk
from tsea_db.kernels.native import Instructions, installed_library, open_library
from tsea_db.kernels.native_sets import SMALL_SET, NativeSets
from tsea_db.kernels.native_sources import FOLDER, sources_hash
from tsea_db.kernels.ranking import order_rows
from tsea_db.kernels.running_sum import EnrichmentScores, NumbaWalk, RankedScores
from tsea_db.kernels.set_matrix import MAX_TOKENS, SetMatrix

LEVELS = list(Instructions)
V = 150


def build(folder: Path, built_from: str) -> Path:
    """Build the sources as they are now, as setup.py does, with a hash of one's own."""
    compiler = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    built = folder / "native.so"
    flags = ["-O3", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    macro = f'-DTSEA_SOURCES_HASH="{built_from}"'
    subprocess.run([compiler, *flags, macro, *map(str, FOLDER.glob("*.c")), "-o", str(built), "-lm"], check=True)
    return built


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return open_library(build(tmp_path_factory.mktemp("native"), sources_hash()))


def test_a_library_built_from_other_sources_is_refused(tmp_path: Path) -> None:
    built = build(tmp_path, "0" * 64)
    with pytest.raises(InstallationError, match=r"native.so was built from other C files.*pip install.*NO_EXTENSION=1"):
        open_library(built)


def test_the_hash_covers_every_c_file(tmp_path: Path) -> None:
    for path in [*FOLDER.glob("*.c"), *FOLDER.glob("*.h")]:
        shutil.copy(path, tmp_path)
    assert sources_hash(tmp_path) == sources_hash()
    for path in tmp_path.iterdir():
        text = path.read_text()
        path.write_text(text + "/* changed */")
        assert sources_hash(tmp_path) != sources_hash(), path.name
        path.write_text(text)


def walked(library: ctypes.CDLL, logit_weights: Rows, sets: SetMatrix, level: int, spread: float = 1.0) -> RankedScores:
    scores = RankedScores.empty(len(logit_weights), sets)
    walk = CompiledWalk(library, NativeSets.from_matrix(sets), level)
    with np.errstate(all="ignore"):
        means, stds = logit_weights.mean(axis=1, dtype=np.float64), logit_weights.std(axis=1, dtype=np.float64)
    walk.score_rows(logit_weights, means, stds * spread, scores)
    return scores


def assert_same_as_numba(library: ctypes.CDLL, logit_weights: Rows, sets: SetMatrix) -> None:
    expected = RankedScores.empty(len(logit_weights), sets)
    NumbaWalk(sets).score_rows(logit_weights, np.empty(0), np.empty(0), expected)
    for level in LEVELS:
        got = walked(library, logit_weights, sets, level)
        for name, array in got._asdict().items():
            np.testing.assert_array_equal(array, getattr(expected, name), err_msg=f"{name}, level {level}")


def some_sets(rng: np.random.Generator, n_tokens: int, n_sets: int) -> SetMatrix:
    sizes = rng.integers(0, n_tokens + 1, n_sets)
    sizes[: n_sets // 2] //= 20
    sizes[:4] = [0, 1, n_tokens - 1, n_tokens][: len(sizes[:4])]
    return SetMatrix.from_sets([rng.choice(n_tokens, k, replace=False) for k in sizes], n_tokens)


@given(
    arrays(np.float32, (2, V), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
    st.lists(st.sets(st.integers(0, V - 1)).map(sorted), min_size=1, max_size=5),
)
def test_any_weights_and_sets(library: ctypes.CDLL, logit_weights: Rows, members: list[list[int]]) -> None:
    assert_same_as_numba(library, logit_weights, SetMatrix.from_sets(members, V))


@given(
    arrays(np.float32, (2, V), elements=st.sampled_from([0.0, -0.0, 1.0, 1.5, -1.0, 7.0])),
    st.lists(st.sets(st.integers(0, V - 1)).map(sorted), min_size=1, max_size=5),
)
def test_weights_full_of_ties(library: ctypes.CDLL, logit_weights: Rows, members: list[list[int]]) -> None:
    assert_same_as_numba(library, logit_weights, SetMatrix.from_sets(members, V))


@pytest.mark.parametrize("level", LEVELS)
def test_scores_equal_the_definition(library: ctypes.CDLL, rng: np.random.Generator, level: int) -> None:
    logit_weights = rng.standard_normal((4, 400), dtype=np.float32).round(1)
    members = [rng.choice(400, k, replace=False) for k in (1, 2, 17, 199, 200, 201, 380, 399)]
    got = walked(library, logit_weights, SetMatrix.from_sets(members, 400), level)
    assert_matches_oracle(EnrichmentScores(got.es, got.peak_rank, got.hits), logit_weights, members)
    order = order_rows(logit_weights)
    np.testing.assert_array_equal(got.top_ids, order[:, :20])
    np.testing.assert_array_equal(got.bottom_ids, order[:, :-21:-1])


@pytest.mark.parametrize("n_tokens", [1, 2, 15, 16, 17, 63, 64, 65, 128, 1_000])
@pytest.mark.parametrize("n_sets", [0, 1, 64, 65])
def test_shapes_that_fill_no_block(library: ctypes.CDLL, rng: np.random.Generator, n_tokens: int, n_sets: int) -> None:
    logit_weights = rng.standard_normal((3, n_tokens), dtype=np.float32)
    assert_same_as_numba(library, logit_weights, some_sets(rng, n_tokens, n_sets))


@pytest.mark.parametrize("tied", [False, True])
def test_sets_on_either_side_of_the_size_that_counts_as_small(
    library: ctypes.CDLL, rng: np.random.Generator, tied: bool
) -> None:
    n_tokens = 400 * (SMALL_SET + 1)
    logit_weights = rng.standard_normal((3, n_tokens), dtype=np.float32)
    if tied:
        logit_weights = logit_weights.round(2)
    sizes = [0, 1, *(k for near in (16, 32, SMALL_SET) for k in (near - 1, near, near + 1))]
    members = [rng.choice(n_tokens, k, replace=False) for k in [*sizes, *(n_tokens - k for k in sizes)]]
    sets = SetMatrix.from_sets(members, n_tokens)
    assert NativeSets.from_matrix(sets).lane_sizes.tolist() == [SMALL_SET + 1] * 2
    assert_same_as_numba(library, logit_weights, sets)


def test_more_sets_than_a_row_of_bits_holds(library: ctypes.CDLL, rng: np.random.Generator) -> None:
    logit_weights = rng.standard_normal((3, 900), dtype=np.float32)
    assert_same_as_numba(library, logit_weights, some_sets(rng, 900, 1_100))


@pytest.mark.parametrize("shape", ["outlier", "two_values", "constant", "huge", "tiny", "steps", "reversed"])
def test_distributions_that_fill_buckets_unevenly(library: ctypes.CDLL, rng: np.random.Generator, shape: str) -> None:
    weights = rng.standard_normal(5_000).astype(np.float32)
    weights = {
        "outlier": np.append(weights[1:], np.float32(1e30)),
        "two_values": np.sign(weights),
        "constant": np.full(5_000, 0.25, np.float32),
        "huge": np.clip(weights, -3, 3) * np.float32(1e38),
        "tiny": weights * np.float32(1e-43),
        "steps": np.round(weights * 3),
        "reversed": -np.sort(-weights),
    }[shape]
    assert_same_as_numba(library, weights[None].astype(np.float32), some_sets(rng, 5_000, 40))


@pytest.mark.parametrize("before", [1, 2, 63])
@pytest.mark.parametrize("after", [1, 2, 63])
def test_a_tie_group_across_blocks_among_blocks_without_ties(library: ctypes.CDLL, before: int, after: int) -> None:
    weights = np.arange(640, 0, -1, dtype=np.float32)
    weights[320 - before : 320 + after] = weights[320 - before]
    members = [[40, 140, token, 500, 600] for token in range(320 - before, 320 + after)]
    members += [[token, 500] for token in range(300, 340)]
    sets = SetMatrix.from_sets([*members, *[sorted(set(range(640)) - set(ids)) for ids in members]], 640)
    assert_same_as_numba(library, np.stack([weights, -weights]), sets)


def test_vocabulary_of_gemma_size(library: ctypes.CDLL, rng: np.random.Generator) -> None:
    logit_weights = rng.standard_normal((2, 256_000), dtype=np.float32)
    assert_same_as_numba(library, logit_weights, some_sets(rng, 256_000, 12))


@pytest.mark.slow
def test_largest_vocabulary(library: ctypes.CDLL) -> None:
    n_tokens = MAX_TOKENS
    weights = np.arange(n_tokens, 0, -1, dtype=np.float32)[None]
    members = [np.arange(n_tokens // 2), np.arange(n_tokens // 4, n_tokens), np.array([n_tokens - 1])]
    assert_same_as_numba(library, weights, SetMatrix.from_sets(members, n_tokens))


@pytest.mark.parametrize("spread", [0.0, 0.01, 100.0, np.nan])
def test_a_wrong_spread_costs_time_only(library: ctypes.CDLL, rng: np.random.Generator, spread: float) -> None:
    logit_weights = rng.standard_normal((2, 2_000), dtype=np.float32)
    sets = some_sets(rng, 2_000, 20)
    right = walked(library, logit_weights, sets, Instructions.AVX512)
    for array, expected in zip(walked(library, logit_weights, sets, Instructions.AVX512, spread), right, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_the_environment_can_turn_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSEA_DB_NO_EXTENSION", "1")
    assert installed_library() is None


def test_sums_whose_extreme_is_at_the_end_of_a_block_of_members(library: ctypes.CDLL) -> None:
    """The bound of a block that is all members is its sum at the end: which is larger is up to the rounding."""
    n_blocks = 16
    weights = np.arange(64 * n_blocks - 24, 0, -1, dtype=np.float32)
    runs = [np.arange(64 * a, 64 * b) for b in range(n_blocks) for a in range(b)]
    others = [np.setdiff1d(np.arange(len(weights)), run) for run in runs]
    sets = SetMatrix.from_sets([*runs, *others], len(weights))
    assert_same_as_numba(library, np.stack([weights, -weights]), sets)
