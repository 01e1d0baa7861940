"""How long each question, macro and the labelling take on a store of made-up scores.

``python -m benchmarks.queries`` builds the store (12 SAEs x 24,576 features x 350 sets: 103 M scores, about 3 GB, some
minutes) unless it is there, and prints the best of three runs of everything. Options make it smaller.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import tsea_db
from benchmarks.generated_store import Size, generate
from benchmarks.machine import describe
from tsea_db.labels.stored import label
from tsea_db.rules import default_rules
from tsea_db.sql.named import named_queries
from tsea_db.store.file import StoreFile

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

_A, _B = "past-tense verbs", "past participles"
_SAE, _OTHER = "blocks.1.hook_resid_pre", "blocks.2.hook_resid_pre"
_GIVEN = {
    "a": _A, "b": _B, "set": _A, "sae": _SAE, "feature": 123, "token": " token123", "class": "partition",
}  # fmt: skip
_MACROS = {
    "mission: specific": (f"from specific('{_A}', '{_B}')", 0.1),
    "mission: anti join": (f"from enriched('{_A}') anti join enriched('{_B}') using (sae, feature)", 0.1),
    "enriched": (f"from enriched('{_A}')", 1.0),
    "suppressed": (f"from suppressed('{_A}')", 1.0),
    "profile": (f"from profile('{_SAE}', 123)", 1.0),
    "global_q": (f"from global_q('{_SAE}')", 1.0),
    "feature_labels": ("select label, count(*) from feature_labels group by all", 1.0),
    "feature_classes": ("select layer, class, count(*) from feature_classes group by all", 1.0),
}


def main() -> None:
    """Build the store where it is missing, then measure."""
    options = _options()
    print(describe())
    size = Size(options.saes, options.features, options.sets)
    if not options.store.exists():
        clock = perf_counter()
        generate(options.store, size)
        print(f"built in {perf_counter() - clock:.0f} s, {options.store.stat().st_size / 1e9:.2f} GB")
    clock = perf_counter()
    report = label(StoreFile(options.store), default_rules())
    labelled = perf_counter() - clock
    rows = [(f"label everything ({len(report.labelling.labels):,} labels)", labelled, 60.0)]
    rows.append(("open", _best(lambda: tsea_db.open(options.store)), 0.3))
    store = tsea_db.open(options.store)
    rows.append(("tsea feature, in Python", _best(lambda: store.feature(_SAE, 123)), 0.2))
    with StoreFile(options.store).reader() as reader:
        for name, (query, limit) in _MACROS.items():
            rows.append((name, _best(partial(_ask, reader, query, None)), limit))
        for name, one in named_queries().items():
            given = {p.name: _GIVEN[p.name] for p in one.parameters if p.required}
            if name == "compare_saes":
                given |= {"a": _SAE, "b": _OTHER}
            values = one.values(given)
            rows.append((f"query {name}", _best(partial(_ask, reader, one.sql, values)), 1.0))
    for name, seconds, limit in rows:
        print(f"{seconds * 1000:10,.0f} ms  {'' if seconds <= limit else f'over {limit * 1000:,.0f} ms':<14} {name}")


def _ask(reader: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any] | None) -> None:
    reader.execute(query, values).fetchall()


def _best(job: Callable[[], object]) -> float:
    """Return the seconds of the fastest of three runs, after one to warm up."""
    times = []
    for _ in range(4):
        clock = perf_counter()
        job()
        times.append(perf_counter() - clock)
    return min(times[1:])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure questions on a store of made-up scores.")
    parser.add_argument("--store", type=Path, default=Path("generated.duckdb"))
    parser.add_argument("--saes", type=int, default=12)
    parser.add_argument("--features", type=int, default=24_576)
    parser.add_argument("--sets", type=int, default=350)
    return parser.parse_args()


if __name__ == "__main__":
    main()
