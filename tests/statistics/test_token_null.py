"""The random-token null against published check values, counts of paths, scipy, and direct evaluation."""

import math
import time
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from tsea_db.errors import InputError
from tsea_db.statistics.lattice_paths import (
    ballot_sum,
    cell_programme,
    factorials,
    few_first_entries,
    first_entries,
    two_sided,
)
from tsea_db.statistics.token_null import build_token_null, log10_p_token, log_p_exact, mean_abs_es

CHECK_VALUES = [
    (4, 8, 3, 0, math.log10(8 / 70), math.log10(16 / 70)),
    (10, 50257, 8, 9000, math.log10(1.509776015203e-4), math.log10(3.019552030407e-4)),
    (100, 50257, 60, 5000, math.log10(6.321381612927e-24), math.log10(1.264276322585e-23)),
    (742, 50257, 500, 8000, math.log10(1.128580934398e-178), math.log10(2.257161868796e-178)),
    (3000, 50257, 2500, 15000, math.log10(2.148977732700e-300) - 395, -694.366738088898),
]


def log_factorials(n: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(gammaln(np.arange(n + 1) + 1.0))


def counted_p(h: int, k: int, m: int, two: bool) -> Fraction:
    """Share of the orders that touch, from whole numbers of paths that do not: Python integers are exact."""
    free = {(0, 0): 1}
    for j in range(k + 1):
        for i in range(m + 1):
            difference = j * m - i * k
            inside = difference < h and (difference > -h or not two)
            if (i or j) and inside:
                free[j, i] = free.get((j - 1, i), 0) + free.get((j, i - 1), 0)
    return 1 - Fraction(free.get((k, m), 0), math.comb(k + m, k))


def attainable(k: int, m: int) -> list[int]:
    return sorted({abs(j * m - i * k) for j in range(k + 1) for i in range(m + 1)} - {0})


@pytest.mark.parametrize(("k", "V", "hits", "misses", "one", "two"), CHECK_VALUES)
def test_published_check_values(k: int, V: int, hits: int, misses: int, one: float, two: float) -> None:
    m, h = V - k, hits * (V - k) - misses * k
    assert first_entries(h, k, m, log_factorials(V)) / math.log(10) == pytest.approx(one, rel=1e-9)
    null = build_token_null([k], V)
    looked_up = log10_p_token(np.array([[h / (k * m)], [-h / (k * m)]]), [k], null)
    np.testing.assert_allclose(looked_up * math.log(10), two * math.log(10), atol=4e-3)
    assert log_p_exact(hits, misses, k, V) / math.log(10) == pytest.approx(two, rel=1e-9)
    assert log_p_exact(k - hits, m - misses, k, V) / math.log(10) == pytest.approx(two, rel=1e-9)
    if two > -300:
        assert math.log10(cell_programme(h, k, m, False)) == pytest.approx(one, rel=1e-10)


def test_one_member_has_a_closed_form() -> None:
    """k = 1 with i others before it: one-sided (i + 1) / V, and both signs for |ES| above 1/2."""
    V = 5000
    null = build_token_null([1], V)
    misses = np.array([0, 1, 17, 1000, 2400])
    log10_p = log10_p_token((1 - misses / (V - 1))[:, None], [1], null)[:, 0]
    np.testing.assert_allclose(10**log10_p, 2 * (misses + 1) / V, rtol=1e-9)


@pytest.mark.parametrize(("k", "m"), [(1, 1), (1, 7), (2, 3), (3, 3), (3, 8), (4, 6), (5, 5), (6, 9), (7, 20)])
def test_every_value_of_small_cases_equals_the_count_of_orders(k: int, m: int) -> None:
    null = build_token_null([k], k + m)
    for h in attainable(k, m):
        one, two = counted_p(h, k, m, False), counted_p(h, k, m, True)
        assert cell_programme(h, k, m, False) == pytest.approx(float(one), rel=1e-12)
        assert cell_programme(h, k, m, True) == pytest.approx(float(two), rel=1e-12)
        assert first_entries(h, k, m, log_factorials(k + m)) == pytest.approx(math.log(one), abs=1e-11)
        looked_up = log10_p_token(np.array([[h / (k * m)]]), [k], null)[0, 0]
        assert looked_up == pytest.approx(math.log10(two), abs=1e-3 / math.log(10))


def test_large_small_case_equals_the_count_of_orders() -> None:
    k, m = 30, 170
    for h in attainable(k, m)[200::400]:
        expected = counted_p(h, k, m, True)
        assert math.log(cell_programme(h, k, m, True)) == pytest.approx(math.log(expected), abs=1e-10)
        one = math.log(counted_p(h, k, m, False))
        assert first_entries(h, k, m, log_factorials(k + m)) == pytest.approx(one, abs=1e-10)


@pytest.mark.parametrize(
    ("k", "m", "shift", "tolerance"),
    [(12, 200, 0.3, 2e-3), (60, 900, 0.2, 4e-3), (200, 3000, 0.25, 4e-3), (450, 500, 0.1, 0.015)],
)
def test_scipys_exact_p_of_random_orders(k: int, m: int, shift: float, tolerance: float) -> None:
    rng = np.random.default_rng(7)
    null = build_token_null([k], k + m)
    for _ in range(10):
        members, others = rng.normal(shift, 1, k), rng.normal(0, 1, m)
        expected = stats.ks_2samp(members, others, method="exact")
        ours = log10_p_token(np.array([[expected.statistic]]), [k], null)[0, 0]
        assert ours * math.log(10) == pytest.approx(math.log(expected.pvalue), abs=tolerance)


def peaks(k: int, m: int, n: int, seed: int) -> list[int]:
    """Attainable values of h spread over (0, k*m), denser where p is large."""
    rng = np.random.default_rng(seed)
    found = []
    for d in rng.uniform(0, 1, n) ** 2:
        hits = int(rng.integers(math.ceil(k * d), k + 1))
        misses = round(hits * m / k - d * m)
        if 0 <= misses <= m and hits * m > misses * k:
            found.append(hits * m - misses * k)
    return found


@pytest.mark.parametrize(("V", "tolerance"), [(700, 0.01), (2048, 3e-3), (8192, 1e-3)])
@pytest.mark.parametrize("k", [1, 2, 3, 5, 10, 20, 27, 31, 40])
def test_tables_of_small_sets_are_close_to_the_exact_programme(k: int, V: int, tolerance: float) -> None:
    null = build_token_null([k], V)
    m = V - k
    for h in peaks(k, m, 40, seed=k):
        exact = math.log(cell_programme(h, k, m, True))
        ours = log10_p_token(np.array([[h / (k * m)]]), [k], null)[0, 0] * math.log(10)
        assert ours == pytest.approx(exact, abs=tolerance)


@pytest.mark.parametrize(("k", "V"), [(41, 8192), (100, 50257), (742, 50257), (3000, 50257), (25128, 50257)])
def test_tables_of_large_sets_are_within_a_thousandth_of_direct_evaluation(k: int, V: int) -> None:
    null = build_token_null([k], V)
    m = V - k
    factorials = log_factorials(V)
    for h in peaks(k, m, 60, seed=k):
        d = h / (k * m)
        few_beyond = k * (1 - d) < 30
        direct = two_sided(first_entries(h, k, m, factorials) if few_beyond else ballot_sum(d, k, m))
        ours = log10_p_token(np.array([[d]]), [k], null)[0, 0] * math.log(10)
        assert ours == pytest.approx(direct, abs=1e-3)


@pytest.mark.parametrize(
    ("k", "V", "tolerance"), [(45, 50257, 4e-3), (100, 50257, 4e-3), (742, 50257, 4e-3), (300, 8192, 0.03)]
)
def test_ballot_form_is_close_to_the_exact_recursion(k: int, V: int, tolerance: float) -> None:
    m = V - k
    factorials = log_factorials(V)
    for h in peaks(k, m, 15, seed=2):
        d = h / (k * m)
        if k * (1 - d) >= 30:
            assert ballot_sum(d, k, m) == pytest.approx(first_entries(h, k, m, factorials), abs=tolerance)


def test_ballot_form_is_exact_where_the_set_divides_the_others() -> None:
    factorials = log_factorials(5050)
    for h in peaks(50, 5000, 30, seed=0):
        if 50 - h / 5000 > 3:
            assert ballot_sum(h / 250_000, 50, 5000) == pytest.approx(first_entries(h, 50, 5000, factorials), abs=1e-7)


def test_p_far_below_1e_4000_stays_finite_and_ordered() -> None:
    null = build_token_null([25000], 50257)
    log10_p = log10_p_token(np.linspace(0, 1, 400)[:, None], [25000], null)[:, 0]
    assert np.all(np.isfinite(log10_p))
    assert np.all(np.diff(log10_p) <= 0)
    assert (log10_p[0], log10_p[-1] < -15000) == (0.0, True)
    all_on_top = math.log10(2) - (math.lgamma(50258) - math.lgamma(25001) - math.lgamma(25258)) / math.log(10)
    assert log10_p[-1] == pytest.approx(all_on_top, rel=1e-12)


def test_a_set_and_its_complement_have_the_same_p() -> None:
    es = np.linspace(-0.9, 0.9, 31)[:, None]
    null = build_token_null([90, 910], 1000)
    assert null.sizes.tolist() == [90]
    np.testing.assert_array_equal(log10_p_token(es, [90], null), log10_p_token(es, [910], null))


def test_single_precision_scores_get_nearly_the_same_p() -> None:
    """At every attainable value: rounding a score may not drop it below a value of the lattice."""
    k, m = 25, 975
    null = build_token_null([k], k + m)
    es = np.array(attainable(k, m))[:, None] / (k * m)
    exact, rounded = log10_p_token(es, [k], null), log10_p_token(es.astype(np.float32), [k], null)
    np.testing.assert_allclose(rounded, exact, atol=1e-4)


def test_mean_of_random_orders_equals_the_formula() -> None:
    rng = np.random.default_rng(0)
    k, V = 60, 3000
    positions = np.sort(rng.random((4000, V)).argsort(axis=1)[:, :k] + 1, axis=1)
    hits = np.arange(1, k + 1)
    above = (hits / k - (positions - hits) / (V - k)).max(axis=1)
    below = ((positions - hits) / (V - k) - (hits - 1) / k).max(axis=1)
    observed = np.maximum(above, below)
    assert observed.mean() == pytest.approx(float(mean_abs_es(k, V)), rel=0.02)
    null = build_token_null([k], V)
    p = 10 ** log10_p_token(observed[:, None], [k], null)[:, 0]
    for level in (0.5, 0.05, 0.01):
        assert abs((p <= level).mean() - level) < 5 * math.sqrt(level * (1 - level) / 4000)


def test_tables_and_lookup_are_fast() -> None:
    """350 sizes of a 50,257-token vocabulary in seconds, and more than a million scores a second."""
    rng = np.random.default_rng(0)
    sizes = np.unique(np.concatenate([np.arange(5, 25), rng.integers(25, 2000, 330)]))
    build_token_null([3, 50], 100)
    start = time.perf_counter()
    null = build_token_null(sizes, 50257)
    assert time.perf_counter() - start < 30
    es = np.clip(rng.normal(0, 0.25, (4000, len(sizes))), -1, 1)
    log10_p_token(es[:2], sizes, null)
    start = time.perf_counter()
    log10_p_token(es, sizes, null)
    assert es.size / (time.perf_counter() - start) > 2e5


@pytest.mark.parametrize("size", [0, 100, -1])
def test_sets_without_a_score_are_refused(size: int) -> None:
    with pytest.raises(InputError, match="between 1 and 99 of 100"):
        build_token_null([size], 100)


def test_scores_that_are_none_and_unknown_sizes_are_refused() -> None:
    null = build_token_null([10], 100)
    for bad in (np.nan, 1.5):
        with pytest.raises(InputError, match="mask features"):
            log10_p_token(np.array([[bad]]), [10], null)
    with pytest.raises(InputError, match="sizes of all sets"):
        log10_p_token(np.array([[0.5]]), [11], null)
    assert log_p_exact(1, 9, 10, 100) == 0.0
    with pytest.raises(InputError, match="11 hits"):
        log_p_exact(11, 0, 10, 100)


@pytest.mark.parametrize("V", [60, 2_000, 50_257, 2**21 - 1])
def test_few_entries_are_counted_as_all_are(V: int) -> None:
    logs, table, rng = log_factorials(V), factorials(V), np.random.default_rng(0)
    for k in (1, 2, 3, 8, 20, 30):
        m = V - k
        for share in (0.0, 1e-3, 0.5, 1.0, *rng.random(6)):
            h = max(1, int((1.0 - share * min(44, k) / k) * k * m))
            few, all_of_them = few_first_entries(h, k, m, table), first_entries(h, k, m, logs)
            # The logs of the factorials of a large vocabulary have lost their last digits.
            assert few == pytest.approx(all_of_them, rel=1e-12, abs=1e-15 * logs[-1])


def test_few_entries_of_large_sets() -> None:
    V, k = 50_257, 20_000
    m = V - k
    for hits_beyond in (0, 1, 7, 29, 44):
        h = (k - hits_beyond) * m
        expected = first_entries(h, k, m, log_factorials(V))
        assert few_first_entries(h, k, m, factorials(V)) == pytest.approx(expected, rel=1e-11)
