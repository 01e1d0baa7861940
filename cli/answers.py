"""Answers of queries: as a table, or in a format for other programs."""

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

    from tsea_db.sql.run import Parameters


SHOWN_ROWS = 1_000
"""Rows that a table shows; the other formats have all."""


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


def answer_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that every answer has."""
    options = (
        click.option("--format", "form", type=click.Choice(list(_WRITERS)), default="table", show_default=True),
        click.option(
            "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead."
        ),
        click.option(
            "--timeout", type=float, default=60.0, show_default=True, help="Seconds until the query is stopped."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def write_answer(store: Path, query: str, params: Parameters, form: str, output: Path | None, timeout: float) -> None:
    """Run SQL that can only read the store and write its rows."""
    import tsea_db

    if form == "parquet" and output is None and sys.stdout.isatty():
        msg = "Parquet is no text: add --output FILE or redirect to a file."
        raise click.UsageError(msg)
    if form == "table" and output is not None:
        msg = "--output goes with --format csv, json or parquet."
        raise click.UsageError(msg)
    limit = SHOWN_ROWS if form == "table" else None
    try:
        answer = tsea_db.open(store).user_sql(query, params, seconds=timeout, limit=limit)
    except KeyboardInterrupt:
        click.echo("\nInterrupted: the query was stopped.", err=True)
        raise SystemExit(130) from None
    write = _WRITERS[form]
    if output is None:
        write(answer.rows, sys.stdout.buffer)
    else:
        try:
            with output.open("wb") as file:
                write(answer.rows, file)
        except OSError as error:
            raise click.UsageError(str(error)) from error
    if answer.truncated:
        click.echo(
            f"There are more than {SHOWN_ROWS:,} rows; --format csv, json or parquet writes all of them.", err=True
        )
