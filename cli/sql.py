"""SQL on the command line."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from .printing import print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa


def _write_table(rows: pa.Table, out: IO[bytes]) -> None:
    del out  # a table is for a person to see
    print_table(rows.to_pandas(integer_object_nulls=True))


def _write_csv(rows: pa.Table, out: IO[bytes]) -> None:
    import tempfile

    import duckdb

    with tempfile.TemporaryDirectory() as folder:  # DuckDB writes lists and quotes as it reads them, but only to files
        file = Path(folder) / "rows.csv"
        duckdb.connect().from_arrow(rows).write_csv(str(file))
        out.write(file.read_bytes())


def _write_json(rows: pa.Table, out: IO[bytes]) -> None:
    import json

    out.write((json.dumps(rows.to_pylist(), ensure_ascii=False, default=str) + "\n").encode())


def _write_parquet(rows: pa.Table, out: IO[bytes]) -> None:
    from pyarrow import parquet

    buffer = io.BytesIO()
    parquet.write_table(rows, buffer)
    out.write(buffer.getvalue())


_WRITERS: dict[str, Callable[[pa.Table, IO[bytes]], None]] = {
    "table": _write_table,
    "csv": _write_csv,
    "json": _write_json,
    "parquet": _write_parquet,
}


@click.command()
@click.argument("query")
@click.option("--format", "form", type=click.Choice(list(_WRITERS)), default="table", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead.")
@click.pass_obj
def sql(store: Path, query: str, form: str, output: Path | None) -> None:
    """Run one SQL query, which can only read the store."""
    import tsea_db

    if form == "parquet" and output is None and sys.stdout.isatty():
        msg = "Parquet is no text: add --output FILE or redirect to a file."
        raise click.UsageError(msg)
    if form == "table" and output is not None:
        msg = "--output goes with --format csv, json or parquet."
        raise click.UsageError(msg)
    rows = tsea_db.open(store).sql_from_people(query)
    write = _WRITERS[form]
    if output is None:
        write(rows, sys.stdout.buffer)
        return
    try:
        with output.open("wb") as file:
            write(rows, file)
    except OSError as error:
        raise click.UsageError(str(error)) from error
