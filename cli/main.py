"""The command ``tsea``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tsea_db.errors import TseaError

from .calibrate import calibrate
from .features import feature, score
from .find import find
from .ingest import ingest
from .labels import label, thresholds
from .leaving import leave_at_once_after
from .queries import query
from .sets import sets
from .sql import sql
from .stores import init, status, upgrade


class _Failure(click.ClickException):
    """An error that the user can do something about."""

    exit_code = 2


class _Commands(click.Group):
    """Prints tsea-db's errors without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TseaError as error:
            raise _Failure(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("tsea.duckdb"),
    envvar="TSEA_STORE",
    show_default=True,
    show_envvar=True,
    help="The store's file.",
)
@click.version_option(package_name="tsea-db")
@click.pass_context
def main(ctx: click.Context, store: Path) -> None:
    """Ask a database what every SAE feature does to a language model's output.

    Start with `tsea init`, then `tsea ingest --model DIR --sae DIR`, then `tsea status`.
    """
    ctx.obj = store


for command in (init, upgrade, status, ingest, sets, feature, score, label, thresholds, find, query, calibrate, sql):
    main.add_command(command)


def run() -> None:
    """Run the command given on the command line."""
    leave_at_once_after(main)
