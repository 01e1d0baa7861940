"""Commands for token sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .printing import print_table

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def sets() -> None:
    """Look at the token sets."""


@sets.command("list")
@click.option("--family", help="Only this family.")
@click.option("--model", help="Only this model's sets.")
@click.option("--unscored", is_flag=True, help="The sets that cannot be scored, and why.")
@click.pass_obj
def list_sets(store: Path, family: str | None, model: str | None, unscored: bool) -> None:
    """List token sets with their sizes."""
    import tsea_db

    opened = tsea_db.open(store)
    if unscored:
        rows = opened.unscored_sets(model, family)
    else:
        rows = opened.token_sets(model, family)[["model", "family", "name", "size", "phrase"]]
    print_table(rows, title=f"{len(rows)} token sets")


@sets.command()
@click.argument("name")
@click.option("--model", help="In this model's vocabulary.")
@click.option("--limit", default=200, show_default=True, help="Members shown for each model.")
@click.pass_obj
def show(store: Path, name: str, model: str | None, limit: int) -> None:
    """Show what a token set is and its members."""
    import tsea_db

    opened = tsea_db.open(store)
    members = opened.members(name, model)
    about = opened.token_sets(model)
    for row in about[about["name"] == name].itertuples():
        click.echo(f"{row.name} ({row.phrase}), {row.size:,} of the tokens of {row.model}")
        click.echo(f"  family      {row.family}, version {row.version}")
        click.echo(f"  definition  {row.definition}")
        click.echo(f"  source      {row.source}\n")
        texts = list(members[members["model"] == row.model]["text"])
        click.echo("  ".join(repr(text) for text in texts[:limit]))
        if len(texts) > limit:
            click.echo(f"... and {len(texts) - limit:,} more (--limit)")


@sets.command()
@click.argument("name")
@click.option("--model", help="In this model's vocabulary.")
@click.option("--top", default=20, show_default=True, help="Sets shown, the nearest in direction first.")
@click.pass_obj
def overlaps(store: Path, name: str, model: str | None, top: int) -> None:
    """Show which sets a set overlaps with, in tokens and in direction (null_corr)."""
    import tsea_db

    rows = tsea_db.open(store).overlaps(name, model)
    for (of_model, processing), its_rows in rows.groupby(["model", "processing"], sort=False):
        columns = ["name", "size", "intersection", "jaccard", "overlap_coefficient", "null_corr"]
        print_table(its_rows[columns].head(top), title=f"{name} of {of_model} ({processing}) and")
