"""Tails of random cosines against exact rational integrals, scipy, and closed forms."""

from fractions import Fraction
from math import comb, log, log10, sqrt

import numpy as np
import pytest
from scipy import special, stats

from tsea_db.errors import InputError
from tsea_db.statistics.cosine_tail import (
    MIN_SINE_SQUARED,
    cosines_of_z,
    critical_cosine,
    log_normal_tail,
    log_tail,
    normal_equivalent,
    z_and_log10_p,
)


def log_fraction(value: Fraction) -> float:
    """ln of a positive fraction of any size: math.log takes integers that no float holds."""
    return log(value.numerator) - log(value.denominator)


def exact_log_p(cosine: Fraction, dimension: int) -> float:
    """ln P(|C| > cosine) for odd dimensions: the density is the polynomial (1 - x^2)^((d - 3) / 2)."""
    power = (dimension - 3) // 2

    def antiderivative(x: Fraction) -> Fraction:
        return sum(
            (Fraction((-1) ** i * comb(power, i), 2 * i + 1) * x ** (2 * i + 1) for i in range(power + 1)),
            Fraction(0),
        )

    whole = antiderivative(Fraction(1))
    return log_fraction((whole - antiderivative(cosine)) / whole)


@pytest.mark.parametrize("dimension", [3, 9, 127, 767])
@pytest.mark.parametrize(
    "cosine", [Fraction(1, 1000), Fraction(1, 20), Fraction(1, 3), Fraction(4, 5), Fraction(99, 100)]
)
def test_log10_p_equals_the_exact_rational_integral(dimension: int, cosine: Fraction) -> None:
    expected = exact_log_p(cosine, dimension) / log(10)
    z, log10_p = z_and_log10_p(np.array([float(cosine), -float(cosine)]), dimension)
    np.testing.assert_allclose(log10_p, expected, rtol=2e-9, atol=2e-10)
    np.testing.assert_allclose(special.log_ndtr(-z[0]) + log(2), expected * log(10), rtol=2e-9, atol=1e-9)
    assert z[1] == -z[0]


@pytest.mark.parametrize("dimension", [8, 128, 191, 768, 4095])
def test_z_and_p_equal_scipys_student_t_where_it_does_not_underflow(dimension: int) -> None:
    t = np.linspace(-20.0, 20.0, 4001)
    cosines = t / np.sqrt(dimension - 1 + t**2)
    p = 2 * stats.t.sf(np.abs(t), dimension - 1)
    z, log10_p = z_and_log10_p(cosines, dimension)
    np.testing.assert_allclose(log10_p, np.log10(p), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(z, np.sign(t) * stats.norm.isf(p / 2), rtol=1e-8, atol=1e-9)


def test_uniform_cosine_in_three_dimensions_gives_the_probit() -> None:
    cosines = np.array([0.0, 0.25, 0.9, 0.999999])
    z, _ = z_and_log10_p(cosines, 3)
    np.testing.assert_allclose(z, special.ndtri((1 + cosines) / 2), rtol=1e-9)


def test_nothing_is_infinite_at_cosine_one_and_p_is_one_at_cosine_zero() -> None:
    z, log10_p = z_and_log10_p(np.array([1.0, -1.0, 0.0]), 768)
    limit = exact_log_p(Fraction(sqrt(1 - MIN_SINE_SQUARED)), 769) / log(10)
    assert log10_p[0] == log10_p[1] == pytest.approx(limit, rel=2e-3)
    assert z[1] == -z[0]
    assert (z[2], log10_p[2]) == (0.0, 0.0)


def test_z_grows_with_the_cosine_over_the_whole_range() -> None:
    cosines = np.sqrt(-np.expm1(-(np.linspace(0.001, 4.2, 200_001) ** 2)))
    for dimension in (8, 191, 4095):
        z, log10_p = z_and_log10_p(cosines, dimension)
        assert np.all(np.diff(z) > 0)
        assert np.all(np.diff(log10_p) < 0)


def test_log_normal_tail_equals_scipys() -> None:
    z = np.concatenate([np.linspace(-12, 12, 241), [9.999999, 10.0, 40.0, 300.0, 1e4]])
    ours = np.array([log_normal_tail(float(value)) for value in z])
    np.testing.assert_allclose(ours, special.log_ndtr(-z), rtol=1e-11)


def test_both_forms_of_the_tail_meet() -> None:
    dimension = 768
    edge = -log((383.5 + 1) / (383.5 + 2.5))
    below, above = log_tail(np.sqrt([edge - 1e-9, edge + 1e-9]), dimension)
    assert below == pytest.approx(above, abs=1e-5)
    assert below > above


@pytest.mark.parametrize("level", [0.05, 1e-3, 1e-20])
def test_critical_cosine_has_the_level_as_its_p(level: float) -> None:
    _, log10_p = z_and_log10_p(np.array([critical_cosine(level, 191)]), 191)
    assert log10_p[0] == pytest.approx(log10(level), rel=1e-8)


def test_levels_and_dimensions_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        critical_cosine(0.0, 191)
    with pytest.raises(InputError, match="at least 3"):
        normal_equivalent(2)


@pytest.mark.parametrize("dimension", [8, 191, 767, 4096])
def test_cosines_come_back_from_z(dimension: int) -> None:
    cosines = np.concatenate([[0.0, 1e-9, -0.5, 0.999, 1 - 1e-7], np.random.default_rng(0).uniform(-0.9, 0.9, 500)])
    z, _ = z_and_log10_p(cosines, dimension)
    np.testing.assert_allclose(cosines_of_z(z, dimension), cosines, rtol=1e-9, atol=1e-14)
