"""What the documentation of labels shows works on the shipped model."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path

import duckdb
import pytest

import tsea_db
from tests.support.command_line import tsea
from tests.support.tiny_lm import ROOT
from tsea_db import Store
from tsea_db.rules.columns import FEATURE_COLUMNS, SCORE_COLUMNS
from tsea_db.rules.file import parse_rules

LABELS = (ROOT / "docs" / "labels.md").read_text()
README = (ROOT / "README.md").read_text()
README = README[README.index("## Labels and questions") : README.index("## From Python")]


def blocks(language: str, text: str = LABELS) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_notebook_runs(labelled_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell by cell, each ending in a value to look at."""
    (tmp_path / "demo.duckdb").symlink_to(labelled_store.path)
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((ROOT / "docs" / "tour.ipynb").read_text())
    names: dict[str, object] = {}
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 10
    for cell in cells:
        *steps, last = ast.parse(cell).body
        exec(compile(ast.Module(steps, []), "tour.ipynb", "exec"), names)
        assert isinstance(last, ast.Expr)
        shown = eval(compile(ast.Expression(last.value), "tour.ipynb", "eval"), names)
        assert len(shown) > 0, cell


def test_sql_of_the_documentation(labelled_store: Store) -> None:
    with duckdb.connect(str(labelled_store.path), read_only=True) as client:
        counts = [len(client.sql(text).fetchall()) for text in blocks("sql") + blocks("sql", README)]
    assert counts == [21, 4, 10, 10]
    assert "The filter returns 21 features, the test below 4." in LABELS
    assert "This gives 10 features" in LABELS


def test_commands_of_the_documentation(own_small_store: Store) -> None:
    commands = "".join(blocks("console") + blocks("console", README)).splitlines()
    commands += re.findall(r"`(tsea (?:query run|thresholds|find)[^`]*\"[^`]*)`", LABELS)
    assert len(commands) >= 9
    for command in commands:
        done = tsea(*shlex.split(command, comments=True)[1:], store=own_small_store.path)
        assert done.exit_code == 0, done.output


def test_python_of_the_documentation(labelled_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo.duckdb").symlink_to(labelled_store.path)
    monkeypatch.chdir(tmp_path)
    for text in blocks("python"):
        for line in text.splitlines()[1:]:
            rows = eval(line, {"store": tsea_db.open("demo.duckdb")})
            assert len(rows) > 0, line


def test_rules_and_columns_of_the_documentation() -> None:
    [text] = blocks("toml")
    assert [rule.name for rule in parse_rules(text, "docs").rules] == ["promotes", "past tense", "peaked and alive"]
    listed = LABELS[LABELS.index("Columns of features:") : LABELS.index("Of your own:")]
    named = set(re.findall(r"\w+", listed))
    assert named >= {*FEATURE_COLUMNS, *SCORE_COLUMNS}


def test_figures_of_the_documentation(labelled_store: Store) -> None:
    [(named, high, labels)] = labelled_store.sql(
        "select count(distinct (sae_id, feature)) filter (kind <> 'class') / 10240, "
        "count(*) filter (kind <> 'class' and confidence = 'high'), count(*) filter (kind <> 'class') from labels"
    ).fetchall()
    assert round(100 * named) == 13
    assert 1 / 7 < high / labels < 1 / 5
    overlap = labelled_store.sql(
        "select intersection, null_corr from set_overlaps join token_sets a on a.set_id = set_a "
        "join token_sets b on b.set_id = set_b where (a.name, b.name) = ('verb_past', 'verb_past_participle') "
        "or (a.name, b.name) = ('verb_past_strict', 'verb_past_participle_strict') order by 1 desc"
    ).fetchall()
    assert overlap[0][0] == 380
    assert [round(r, 2) for _, r in overlap] == [0.99, 0.32]
    quantile = labelled_store.sql("select kurtosis[list_position(shares, 0.999)] from moment_nulls").fetchall()
    assert 13.5 < quantile[0][0] < 14.5


def test_files_that_contributors_are_sent_to_are_there() -> None:
    text = (ROOT / "docs" / "contributing.md").read_text()
    paths = {path for path in re.findall(r"`([\w./-]+)`", text) if "/" in path}
    assert len(paths) >= 15
    assert [path for path in paths if not (ROOT / path).exists()] == []
