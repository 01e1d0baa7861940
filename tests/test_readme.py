"""Every command and line of Python in the README runs."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import textwrap
from pathlib import Path

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner

from tests.support import tiny_lm
from tests.support.printed import table
from tsea_db import Store
from tsea_db.cli.main import main
from tsea_db.cli.printing import cell

README = (tiny_lm.ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str, language: str) -> str:
    found = re.search(rf"## {title}\n.*?```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def run(line: str, store: Path) -> str:
    program, *arguments = shlex.split(line)
    assert program == "tsea"
    result = CliRunner().invoke(main, ["--store", str(store), *arguments])
    assert result.exit_code == 0, (line, result.output)
    return result.output


def test_the_commands_that_look_at_features(
    small_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("probe.npy", np.random.default_rng(0).standard_normal(192))
    lines = section("Looking at features", "console").splitlines()
    assert len(lines) > 5
    shown = {line: run(line.replace("path/to/gpt2", str(tiny_lm.MODEL)), small_store.path) for line in lines}
    assert duckdb.read_parquet("scores.parquet").aggregate("count(*), count(es)").fetchall() == [(100, 100)]
    assert (tmp_path / "calibration.html").read_text().count("<svg") > 0
    [strongest] = [output for line, output in shown.items() if "z_direction desc" in line]
    enriched = small_store.sql("select sae, feature, z from enriched('verb_past', q := 0.01)").fetchall()
    rows = [(row["sae"], int(row["feature"]), row["z_direction"]) for row in table(strongest)]
    assert rows[: len(enriched)] == [(sae, feature, cell(z)) for sae, feature, z in enriched]
    [peaked] = [output for line, output in shown.items() if "kurtosis desc" in line]
    expected = small_store.sql("select kurtosis from features order by 1 desc limit 10").fetchall()
    assert [row["kurtosis"] for row in table(peaked)] == [cell(kurtosis) for (kurtosis,) in expected]


@pytest.mark.slow
def test_the_commands_that_ingest(tmp_path: Path) -> None:
    commands = [line for line in section("Your own SAEs", "console").splitlines() if line.startswith("tsea")]
    assert [line.split()[1] for line in commands] == ["init", "ingest", "status"]
    for line in commands:
        own = line.replace("path/to/gpt2", str(tiny_lm.MODEL))
        own = own.replace("path/to/blocks.8.hook_resid_pre", str(tiny_lm.SAES[0]))
        run(own.replace("path/to/blocks.9.hook_resid_pre", str(tiny_lm.SAES[1])), tmp_path / "gpt2.duckdb")


def test_the_commands_for_own_sets(small_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Path(shutil.copy(small_store.path, "own.duckdb"))
    shutil.copytree(f"{small_store.path}.weights", "own.duckdb.weights")
    Path("my_sets.toml").write_text('[[set]]\nname = "mine"\nexpression = "verb_past - verb_past_participle"\n')
    lines = section("Your own token sets", "console").splitlines()
    assert len(lines) == 6
    for line in lines:
        run(line.replace("path/to/gpt2", str(tiny_lm.MODEL)), store)
    assert (tmp_path / "library.csv").is_file()


def test_the_python(small_store: Store) -> None:
    """Line by line; no answer is empty."""
    code = textwrap.dedent(section("From Python", "python")).replace("demo.duckdb", str(small_store.path))
    names: dict[str, object] = {}
    answers = 0
    for statement in ast.parse(code).body:
        if isinstance(statement, ast.Expr):
            answer = eval(compile(ast.Expression(statement.value), "README.md", "eval"), names)
            assert len(answer) > 0, ast.unparse(statement)
            answers += 1
        else:
            exec(compile(ast.Module([statement], []), "README.md", "exec"), names)
    assert isinstance(names["store"], Store)
    assert answers >= 10


def test_the_layout_names_what_is_there() -> None:
    for name in re.findall(r"`((?:tsea_db|cli|queries|migrations|examples)[\w/]*(?:/|\.py))`", README):
        assert (tiny_lm.ROOT / name).exists(), name
