"""Rankings against Python's and numpy's stable sorts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.support.oracle import Rows
from tsea_db.kernels.ranking import order_rows

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(arrays(np.float32, st.integers(1, 200), elements=FINITE))
def test_order_is_descending_with_ties_by_token_id(weights: Rows) -> None:
    expected = sorted(range(len(weights)), key=lambda token: (-float(weights[token]), token))
    assert order_rows(weights[None])[0].tolist() == expected


@given(arrays(np.float32, 64, elements=st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45])))
def test_negative_zero_ties_with_zero(weights: Rows) -> None:
    expected = np.argsort(-weights, kind="stable")
    assert order_rows(weights[None])[0].tolist() == expected.tolist()


def test_large_vocabularies_keep_their_token_ids(rng: np.random.Generator) -> None:
    weights = rng.standard_normal((2, 256_000), dtype=np.float32)
    np.testing.assert_array_equal(order_rows(weights), np.argsort(-weights, axis=1, kind="stable"))
