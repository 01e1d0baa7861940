"""Thresholds: real labels against labels where nothing is to be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import tsea
from tsea_db import Store
from tsea_db.errors import InputError


def test_suggestion_and_false_labels(labelled_store: Store, tmp_path: Path) -> None:
    found = labelled_store.thresholds(levels=[0.05, 0.01, 0.001])
    by_q = found.by_q.set_index("q")
    stored = labelled_store.sql("select count(*) from labels where kind = 'set'").fetchall()
    assert [(by_q["labels"][0.01],)] == stored
    assert [(by_q["pairs"][0.01],)] == labelled_store.sql("select count(*) from scores where log10_q < -2").fetchall()
    assert by_q["labels"].is_monotonic_decreasing
    assert by_q["mean_top_share"].is_monotonic_increasing
    assert (by_q[["null_sae", "rotated_sae"]].max(axis=1) < 0.02 * by_q["pairs"]).all()
    assert found.suggested_q == 0.01 or found.suggested_q == 0.05
    assert found.by_share["labels"].is_monotonic_decreasing
    page = tmp_path / "thresholds.html"
    shown = tsea("thresholds", "--q", "0.01", "--plot", page, store=labelled_store.path)
    assert "a looser q names noise" in shown.output
    assert "polyline" in page.read_text()


def test_no_weights_no_thresholds(store_path: Path) -> None:
    import tsea_db

    with pytest.raises(InputError, match="whose weights were kept"):
        tsea_db.open(store_path).thresholds()
