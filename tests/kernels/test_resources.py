"""Cores, memory and BLAS threads: what a pass takes, and that it gives back what it borrowed."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import tsea_db.kernels.scoring as scoring
from tsea_db.kernels.product import TILE_ROWS
from tsea_db.kernels.resources import available_memory, in_threads, one_blas_thread, usable_cores
from tsea_db.kernels.set_matrix import SetMatrix


def blas_threads() -> int:
    threads = {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
    if not threads:
        pytest.skip("numpy brings no BLAS whose threads can be counted here")
    return max(threads)


def test_the_machine_has_cores_and_memory() -> None:
    assert usable_cores() >= 1
    spare = available_memory()
    assert spare is None or spare > 1 << 20


def test_blas_threads_are_given_back_by_the_last_user() -> None:
    before = blas_threads()
    with one_blas_thread():
        assert blas_threads() == 1
        with one_blas_thread():
            assert blas_threads() == 1
        assert blas_threads() == 1
    assert blas_threads() == before


def test_what_was_set_before_is_given_back() -> None:
    with threadpool_limits(3, user_api="blas"):
        with one_blas_thread():
            assert blas_threads() == 1
        assert blas_threads() == 3


def test_a_pass_that_is_left_early_gives_the_threads_back(rng: np.random.Generator) -> None:
    before = blas_threads()
    directions = rng.standard_normal((6 * TILE_ROWS, 4), dtype=np.float32)
    unembedding = rng.standard_normal((4, 50), dtype=np.float32)
    blocks = scoring.score_features(directions, unembedding, SetMatrix.from_sets([[1, 2]], 50), threads=2)
    assert next(blocks).start == 0
    blocks.close()  # type: ignore[attr-defined]  # a generator behind its Iterator
    assert blas_threads() == before


def test_short_memory_means_fewer_threads_and_a_word_about_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, rng: np.random.Generator
) -> None:
    directions = rng.standard_normal((6 * TILE_ROWS, 4), dtype=np.float32)
    unembedding = rng.standard_normal((4, 50), dtype=np.float32)
    sets = SetMatrix.from_sets([[1, 2]], 50)
    expected = list(scoring.score_features(directions, unembedding, sets, threads=4))
    monkeypatch.setattr(scoring, "available_memory", lambda: 4 * scoring.bytes_per_thread(sets))
    scoring._tell_fewer_threads.cache_clear()
    with caplog.at_level(logging.WARNING):
        list(scoring.score_features(directions, unembedding, sets, threads=4))
        got = list(scoring.score_features(directions, unembedding, sets, threads=4))
    assert caplog.text.count("scoring on 2 threads instead of 4") == 1  # though there were two passes
    for one, other in zip(expected, got, strict=True):
        np.testing.assert_array_equal(one.es, other.es)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_yield_in_order_and_take_items_as_they_are_asked_for(threads: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    results = in_threads(lambda item: item * item, items(), threads)
    assert next(results) == 0
    assert len(taken) == 2 * threads + 1
    assert list(results) == [item * item for item in range(1, 20)]


def test_an_error_in_a_thread_reaches_the_caller() -> None:
    def work(item: int) -> float:
        return 1 / (3 - item)

    results = in_threads(work, range(10), 2)
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        list(results)
