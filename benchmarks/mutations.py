"""Would the tests notice? Small bugs are put in one at a time and the tests of that part run.

``python -m benchmarks.mutations`` draws bugs with a seed (``--sample`` for each area, ``--minutes`` in all, an hour by
default), each in a temporary copy of the checkout, and prints for each area how many were noticed. Those that no test
noticed follow with what they change: write a test, or, where the bug changes nothing that anybody can see, name it in
``benchmarks/equivalent_mutants.toml`` with the reason. Operators for Python come from cosmic-ray (``pip install -e
'.[mutation]'``); those for SQL and C are in ``benchmarks/mutants.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from benchmarks.mutants import Mutant, draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Area:
    """A part of the package: globs of its sources, and the tests that should notice a bug in them."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


AREAS = {
    "kernels": Area(
        ("tsea_db/kernels/*.py", "tsea_db/kernels/*.c", "tsea_db/kernels/*.h", "tsea_db/statistics/*.py"),
        ("tests/kernels", "tests/statistics"),
    ),
    "token sets": Area(
        ("tsea_db/token_sets/*.py", "tsea_db/token_sets/families/*.py", "tsea_db/vocabulary/*.py"),
        ("tests/token_sets", "tests/vocabulary"),
    ),
    "store": Area(
        ("tsea_db/store/*.py", "tsea_db/ingest/*.py", "tsea_db/analysis/*.py", "!tsea_db/analysis/plots.py"),
        ("tests/store", "tests/ingest", "tests/analysis", "tests/test_standalone.py"),
    ),
    "weights": Area(("tsea_db/weights/*.py",), ("tests/weights",)),
    "labels": Area(
        (
            "tsea_db/labels/*.py",
            "tsea_db/rules/*.py",
            "migrations/sql/*.sql",
            "queries/*.sql",
            "queries/internal/*.sql",
        ),
        ("tests/rules", "tests/labels", "tests/store", "tests/sql", "tests/analysis", "tests/cli/test_values.py"),
    ),
    "command line": Area(
        ("cli/*.py", "tsea_db/api/*.py", "tsea_db/sql/*.py"),
        ("tests/cli", "tests/sql", "tests/labels", "tests/ingest/test_user_sets.py", "tests/test_readme.py"),
    ),
}
"""A glob after ``!`` takes files out again. Quick tests come first: the first failure ends a run."""

_EQUIVALENTS = Path(__file__).with_name("equivalent_mutants.toml")
_LEAST_SECONDS = 60.0
_BASELINES = 3.0
"""A run of the tests is stopped after this many times the baseline's seconds, and counts as noticed."""


@dataclass
class Outcome:
    """What became of the bugs of one area."""

    area: str
    baseline_seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    survivors: list[dict[str, str]] = field(default_factory=list)

    @property
    def noticed(self) -> float | None:
        """Share that was noticed of those that change something; None if there was none."""
        seen = self.counts["killed"] + self.counts["timeout"]
        total = seen + self.counts["survived"]
        return seen / total if total else None


def sources(root: Path, area: Area) -> dict[str, str]:
    """Return the source files of an area, text by path from the root."""
    taken_out = {file for glob in area.sources if glob.startswith("!") for file in root.glob(glob[1:])}
    files = {file for glob in area.sources if not glob.startswith("!") for file in root.glob(glob)} - taken_out
    return {str(file.relative_to(root)): file.read_text(encoding="utf-8") for file in sorted(files)}


def equivalents(path: Path = _EQUIVALENTS) -> set[tuple[str, str, str]]:
    """Return the bugs that change nothing, as (file, line taken out, line put in)."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])
    return {(entry["file"], entry["removed"].strip(), entry["added"].strip()) for entry in entries}


class Checkout:
    """A copy of the checkout in a temporary folder, with the package importable from it; nothing else is changed."""

    def __init__(self, folder: Path, root: Path = ROOT) -> None:
        self.folder = folder
        names = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=root, capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        built = [str(file.relative_to(root)) for file in (root / "tsea_db").rglob("*.so")]
        for name in [*names, *built]:
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, folder / name)
        for name in ("cli", "queries", "migrations"):  # where pyproject.toml installs these folders
            if (folder / name).is_dir():
                (folder / "tsea_db" / name).symlink_to(folder / name, target_is_directory=True)

    def write(self, file: str, text: str) -> bool:
        """Write a source file and build what is built from it; return whether that worked."""
        (self.folder / file).write_text(text, encoding="utf-8")
        if file.endswith((".c", ".h")):
            build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "--force"]
            done = subprocess.run(build, cwd=self.folder, capture_output=True, text=True, check=False)
            # The extension is optional: where it does not compile setuptools only warns.
            return done.returncode == 0 and "failed" not in done.stderr
        return True

    def test(self, tests: Sequence[str], seconds: float | None = None) -> str:
        """Run tests until the first failure: "passed", "failed", or "timeout"."""
        there = [test for test in tests if (self.folder / test).exists()]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *there]
        settings = {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        settings |= {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "NUMBA")}
        with (
            (self.folder / "tests.log").open("w") as log,
            subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, **settings}, stdout=log, stderr=log, start_new_session=True
            ) as process,
        ):
            try:
                return "passed" if process.wait(seconds) == 0 else "failed"
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)  # its subprocesses too
                return "timeout"


def run(names: Sequence[str], sample: int, seed: int, minutes: float, root: Path = ROOT) -> list[Outcome]:
    """Put bugs into the areas in turn until each has its sample or the time is over.

    Raises:
        RuntimeError: Tests of an area fail without any bug, or there are none.
    """
    end = monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        copy = Checkout(Path(folder), root)
        outcomes, drawn = [], []
        for name in names:
            outcomes.append(_baseline(copy, name))
            drawn.append(draw(sources(root, AREAS[name]), seed))
        known = equivalents()
        for _ in range(sample):
            for outcome, mutants in zip(outcomes, drawn, strict=True):
                if monotonic() < end:
                    _try_one(copy, outcome, mutants, known)
        return outcomes


def _baseline(copy: Checkout, name: str) -> Outcome:
    clock = monotonic()
    if copy.test(AREAS[name].tests) != "passed":
        lines = (copy.folder / "tests.log").read_text().splitlines()
        msg = f"The tests of {name} do not pass without any bug:\n" + "\n".join(lines[-20:])
        raise RuntimeError(msg)
    outcome = Outcome(name, monotonic() - clock)
    print(f"{name}: {outcome.baseline_seconds:.0f} s without any bug", file=sys.stderr)
    return outcome


def _try_one(copy: Checkout, outcome: Outcome, drawn: Iterator[Mutant], known: set[tuple[str, str, str]]) -> None:
    """Put in the next bug that builds and is not known to change nothing, and see whether a test notices."""
    for mutant in drawn:
        if (mutant.file, *mutant.lines) in known:
            outcome.counts["equivalent"] += 1
            continue
        original = (copy.folder / mutant.file).read_text(encoding="utf-8")
        try:
            if not copy.write(mutant.file, mutant.text):
                continue
            seconds = max(_LEAST_SECONDS, _BASELINES * outcome.baseline_seconds)
            result = copy.test(AREAS[outcome.area].tests, seconds)
        finally:
            copy.write(mutant.file, original)
        what = {"passed": "survived", "failed": "killed", "timeout": "timeout"}[result]
        outcome.counts[what] += 1
        print(f"{outcome.area}: {what}: {mutant.file}: {mutant.lines[1][:100]}", file=sys.stderr)
        if what == "survived":
            outcome.survivors.append({"file": mutant.file, "diff": mutant.diff})
        return


def report(outcomes: Sequence[Outcome]) -> str:
    """Return the table of areas, then every bug that was not noticed."""
    lines = [f"{'area':<14}{'bugs':>6}{'noticed':>9}{'timeout':>9}{'not noticed':>13}{'equivalent':>12}{'share':>8}"]
    for outcome in outcomes:
        n = outcome.counts
        share = "" if outcome.noticed is None else f"{outcome.noticed:.0%}"
        total = n["killed"] + n["timeout"] + n["survived"]
        lines.append(
            f"{outcome.area:<14}{total:>6}{n['killed']:>9}{n['timeout']:>9}{n['survived']:>13}"
            f"{n['equivalent']:>12}{share:>8}"
        )
    lines += [f"\n{outcome.area}, not noticed:\n{each['diff']}" for outcome in outcomes for each in outcome.survivors]
    return "\n".join(lines)


def main() -> None:
    """Run on the areas asked for and print the table."""
    options = _options()
    outcomes = run(options.area or list(AREAS), options.sample, options.seed, options.minutes)
    if options.json:
        print(json.dumps([{**asdict(outcome), "noticed": outcome.noticed} for outcome in outcomes]))
    else:
        print(report(outcomes))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mutations", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--area", action="append", choices=list(AREAS), help="only this area; repeat for more")
    parser.add_argument("--sample", type=int, default=10, help="bugs in each area [10]")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other bugs [0]")
    parser.add_argument("--minutes", type=float, default=60.0, help="put no bug in after this time [60]")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
