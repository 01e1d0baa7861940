"""The benchmark of questions, on a store small enough for a test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import queries
from tsea_db.sql.named import named_queries


@pytest.mark.slow
def test_every_question_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = ["--saes", "3", "--features", "256", "--sets", "20"]
    monkeypatch.setattr(sys, "argv", ["queries", "--store", str(tmp_path / "made.duckdb"), *size])
    queries.main()
    said = capsys.readouterr().out
    assert "label everything (" in said
    assert "mission: specific" in said
    assert all(f"query {name}" in said for name in named_queries())
