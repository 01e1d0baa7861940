"""Named questions on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .answers import answer_options, write_answer
from .printing import print_table

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def query() -> None:
    """Ask named questions."""


@query.command("list")
def list_queries() -> None:
    """List the questions."""
    import pandas as pd

    from tsea_db.sql.named import named_queries

    rows = [
        [asked.name, asked.title, ", ".join(p.name if p.required else f"[{p.name}]" for p in asked.parameters)]
        for asked in named_queries().values()
    ]
    print_table(pd.DataFrame(rows, columns=["question", "answers", "parameters"]))


@query.command("show")
@click.argument("name")
def show_query(name: str) -> None:
    """Show what a question takes, an example and its SQL."""
    from tsea_db.sql.named import named_query

    click.echo(named_query(name).sql.rstrip())


@query.command("run")
@click.argument("name")
@click.option(
    "-p",
    "--param",
    "given",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a parameter; null for none. Repeat for more.",
)
@answer_options
@click.pass_obj
def run_query(store: Path, name: str, given: tuple[str, ...], form: str, output: Path | None, timeout: float) -> None:
    """Answer a question."""
    import tsea_db

    values = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals:
            msg = f"{pair!r} is no KEY=VALUE."
            raise click.UsageError(msg)
        values[key] = None if value == "null" else value
    query, bound = tsea_db.open(store).sql_of_query(name, **values)
    write_answer(store, query, bound, form, output, timeout)
