"""The demo, fresh and repeated: seconds, peak memory, size of the store.

Run ``python -m benchmarks.demo [--json]``. Installation is not counted.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import click

from tsea_db.cli.printing import print_table

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


def run_demo(store: Path) -> dict[str, float]:
    """Run the demo in a process of its own; return seconds and the peak memory of any such process so far, in MB."""
    started = perf_counter()
    subprocess.run([sys.executable, str(DEMO), str(store)], check=True, capture_output=True)
    peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"seconds": round(perf_counter() - started, 1), "peak_rss_mb": round(peak_kb / 1024)}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(as_json: bool) -> None:
    """Measure the demo."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "demo.duckdb"
        runs = {"fresh": run_demo(store), "repeated": run_demo(store)}
        weights = sum(file.stat().st_size for file in store.with_name("demo.duckdb.weights").iterdir())
        sizes = {"store_mb": round(store.stat().st_size / 1e6, 1), "weights_mb": round(weights / 1e6, 1)}
    if as_json:
        click.echo(json.dumps({**runs, **sizes}))
        return
    import pandas as pd

    print_table(pd.DataFrame([{"run": name, **figures} for name, figures in runs.items()]))
    click.echo(f"store {sizes['store_mb']} MB, kept weights {sizes['weights_mb']} MB")


if __name__ == "__main__":
    main()
