"""SQL on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .answers import answer_options, write_answer

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("query")
@answer_options
@click.pass_obj
def sql(store: Path, query: str, form: str, output: Path | None, timeout: float) -> None:
    """Run one SQL query, which can only read the store."""
    write_answer(store, query, None, form, output, timeout)
