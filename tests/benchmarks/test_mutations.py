"""The mutation run: bugs are small, repeatable and real, and what it needs is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from benchmarks import mutations
from benchmarks.mutants import draw, mutants
from benchmarks.mutations import AREAS, Area, Checkout, Outcome, equivalents, report, run, sources
from tests.support.tiny_lm import ROOT

SQL = "-- a < b in a comment\nselect abs(x) as z\nfrom t\nwhere a < 3\n    and b is not null\norder by z desc\n"
C = "/* 0 < 1 */\n#define N 1\nint f(int a) { return a < 5 && a != 0 ? a : -a; }\n"
PYTHON = "def f(a: int | None, b: bool = False) -> bool:\n    return a is not None and a >= 2 and not b\n"


def changed(file: str, text: str) -> set[str]:
    return {mutant.lines[1] for mutant in mutants(file, text)}


def test_bugs_in_sql_are_one_condition_order_or_sign() -> None:
    lines = changed("x.sql", SQL)
    assert lines == {
        "select (x) as z", "where a <= 3", "where a > 3", "where a < (3 + 1)", "and b is null", "or b is not null", "",
        "order by z asc",
    }  # fmt: skip


def test_bugs_in_c_leave_comments_and_definitions() -> None:
    lines = changed("x.c", C)
    assert "int f(int a) { return a <= 5 && a != 0 ? a : -a; }" in lines
    assert "int f(int a) { return a < 5 || a != 0 ? a : -a; }" in lines
    assert all("/*" not in line and "#define" not in line for line in lines)


def test_bugs_in_python_leave_annotations() -> None:
    lines = changed("x.py", PYTHON)
    assert "return a is None and a >= 2 and not b" in lines
    assert "return a is not None and a > 2 and not b" in lines
    assert "return a is not None or a >= 2 and not b" in lines
    assert "def f(a: int | None, b: bool = True) -> bool:" in lines
    assert all("int | None" in line for line in lines if line.startswith("def"))


def test_a_seed_draws_the_same_bugs_and_another_others() -> None:
    files = {"x.sql": SQL, "x.c": C, "x.py": PYTHON}
    first, again, other = ([m.diff for m in draw(files, seed)] for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == len(set(first)) > 15
    assert set(first) < {mutant.diff for item in files.items() for mutant in mutants(*item)}
    for mutant in draw(files, 0):
        assert len(mutant.diff.splitlines()) in (4, 5)  # two names, a place, and one line out, in or both
        assert mutant.text != files[mutant.file]


def test_most_bugs_in_sql_still_parse() -> None:
    parsed = Counter[bool]()
    scripts = {file: text for file, text in sources(ROOT, AREAS["labels"]).items() if file.endswith(".sql")}
    for mutant in draw(scripts, 0):
        try:
            duckdb.extract_statements(mutant.text)
        except duckdb.Error:
            parsed[False] += 1
        else:
            parsed[True] += 1
    assert parsed[True] > 300
    assert parsed[False] < 0.05 * parsed[True]


@pytest.mark.parametrize("name", list(AREAS))
def test_areas_name_what_is_there(name: str) -> None:
    assert len(sources(ROOT, AREAS[name])) >= 5
    for test in AREAS[name].tests:
        assert (ROOT / test).exists(), test


def test_named_equivalents_can_still_be_made() -> None:
    """Each names a line that is there and a bug that can be drawn."""
    named = equivalents()
    assert named
    for file, removed, added in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert (removed, added) in {mutant.lines for mutant in mutants(file, text)}, (file, removed)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout of one module and its test, which notices one of three bugs."""
    root = tmp_path / "checkout"
    (root / "tsea_db").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "tsea_db" / "__init__.py").write_text("")
    (root / "tsea_db" / "n.py").write_text("def f(a):\n    return a > 3\n")
    (root / "tests" / "test_n.py").write_text(
        "from tsea_db.n import f\n\ndef test_f():\n    assert f(9) and not f(1)\n"
    )
    subprocess.run([str(shutil.which("git")), "init", "-q"], cwd=root, check=True)
    monkeypatch.setitem(AREAS, "weights", Area(("tsea_db/n.py",), ("tests",)))
    return root


def test_a_run_counts_and_leaves_the_checkout_alone(project: Path) -> None:
    before = (project / "tsea_db" / "n.py").read_bytes()
    [outcome] = run(["weights"], 2, 0, 5.0, project)
    assert outcome.counts["killed"] + outcome.counts["survived"] == 2
    assert (project / "tsea_db" / "n.py").read_bytes() == before
    assert sorted(file.name for file in project.iterdir()) == [".git", "tests", "tsea_db"]
    assert run(["weights"], 2, 0, 0.0, project)[0].counts == Counter()  # no time, no bug


def test_a_bug_is_noticed_or_not(project: Path, tmp_path: Path) -> None:
    copy = Checkout(tmp_path / "copy", project)
    assert copy.test(["tests"]) == "passed"
    for text, result in (("a < 3", "failed"), ("a >= 3", "passed")):
        assert copy.write("tsea_db/n.py", f"def f(a):\n    return {text}\n")
        assert copy.test(["tests"]) == result
    copy.write("tsea_db/n.py", "import time\ntime.sleep(60)\n")
    assert copy.test(["tests"], 0.5) == "timeout"
    (project / "tests" / "test_n.py").write_text("def test_f():\n    assert False\n")
    with pytest.raises(RuntimeError, match="tests of weights do not pass without any bug"):
        run(["weights"], 1, 0, 5.0, project)


def test_the_table_leaves_equivalents_out_of_the_share() -> None:
    outcome = Outcome(
        "labels", 1.0, Counter(killed=7, timeout=2, survived=1, equivalent=5), [{"file": "f", "diff": "-a\n+b"}]
    )
    assert outcome.noticed == 0.9
    header, row, *rest = report([outcome, Outcome("weights")]).splitlines()
    assert re.split(r"  +", header) == ["area", "bugs", "noticed", "timeout", "not noticed", "equivalent", "share"]
    assert row.split() == ["labels", "10", "7", "2", "1", "5", "90%"]
    assert "\n".join(rest).endswith("labels, not noticed:\n-a\n+b")
    assert mutations.Outcome("weights").noticed is None
