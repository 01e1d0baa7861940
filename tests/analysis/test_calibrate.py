"""Calibration of the p-values, on the small model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tsea_db
from tests.support import tiny_lm
from tests.support.stores import made_up
from tests.support.tiny_lm import SMALL
from tsea_db import Store
from tsea_db.errors import InputError

SAE = "blocks.3.hook_resid_post"


@pytest.fixture(scope="module", name="calibrated")
def of_the_small_model(tiny_store: Store) -> tsea_db.Calibrated:
    return tiny_store.calibrate(progress=False)


def test_p_keep_their_promise_but_for_the_random_tokens(calibrated: tsea_db.Calibrated) -> None:
    shares = calibrated.report["share_p_below"]
    for null in ("random_direction", "es"):
        for level, allowed in (("0.05", 0.004), ("0.01", 0.0015), ("0.001", 0.0004)):
            assert shares[null][level] == pytest.approx(float(level), abs=allowed)
        assert calibrated.report["sets_out_of_tolerance"][null] == []
    assert shares["random_token"]["0.05"] > 0.3
    assert set(shares) == {"random_direction", "es", "random_token"}


@pytest.mark.parametrize("kind", ["null_sae", "rotated_sae"])
def test_hardly_anything_is_discovered_where_nothing_is(
    calibrated: tsea_db.Calibrated, tiny_store: Store, kind: str
) -> None:
    n_sets = len(tiny_store.token_sets())
    found = calibrated.report[kind]
    assert found["sets_with_discoveries"] <= found["limit"] == pytest.approx(2 * 0.01 * n_sets + 3)
    assert found["n_features"] == {"null_sae": 24_576, "rotated_sae": 2048}[kind]


def test_the_real_saes_have_more(tiny_store: Store) -> None:
    query = "select count(distinct set_name) from scored where sae = $sae and log10_q < -2"
    assert tiny_store.sql(query, {"sae": SAE}).fetchall()[0][0] > 10


def test_calibration_by_set_and_as_a_page(calibrated: tsea_db.Calibrated) -> None:
    table = calibrated.per_set.set_index("name")
    assert table.loc["starts_with_capital", "random_token p<0.05"] > 0.5
    assert abs(table.loc["starts_with_capital", "random_direction p<0.05"] - 0.05) < 0.02
    page = calibrated.html()
    assert page.count("<svg") == 3
    assert "starts_with_capital" in page
    expected, observed = calibrated.qq["random_direction"]
    assert np.abs(expected - observed)[expected < 2].max() < 0.2


def test_what_cannot_be_calibrated(tiny_store: Store, store_path: Path) -> None:
    with pytest.raises(InputError, match="draw 40000 or more"):
        tiny_store.calibrate(levels=[0.05, 1e-4])
    with pytest.raises(InputError, match="fresh ones need another"):
        tiny_store.calibrate(seed=0)
    with pytest.raises(InputError, match="there is: none"):
        tiny_store.calibrate("nothing")
    store = tsea_db.open(store_path, mode="rw")
    store.ingest(tiny_lm.model(), [made_up()], keep_weights=False, **SMALL)
    with pytest.raises(InputError, match="--no-keep-weights"):
        store.calibrate()
