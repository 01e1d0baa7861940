"""Commands for the store as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .printing import CONTROLS, control_shares, print_table

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.pass_obj
def init(store: Path) -> None:
    """Create a new, empty store."""
    import tsea_db

    tsea_db.create(store)
    click.echo(f"Created {store}. Next: tsea --store {store} ingest --model DIR --sae DIR")


@click.command()
@click.pass_obj
def upgrade(store: Path) -> None:
    """Migrate an older store to this version's schema."""
    import tsea_db

    click.echo(f"Upgraded {store}." if tsea_db.upgrade(store) else f"{store} is up to date.")


@click.command()
@click.pass_obj
def status(store: Path) -> None:
    """Show the SAEs in the store and what was computed for them."""
    import tsea_db

    opened = tsea_db.open(store)
    rows = opened.status()
    if rows.empty:
        click.echo(f"{store} is empty. Next: tsea --store {store} ingest --model DIR --sae DIR")
        return
    rows["controls"] = [control_shares(row) for _, row in rows.iterrows()]
    hidden = ["sets_without_statistics", "controls_direction", "controls_es", "controls_token"]
    shown = rows.drop(columns=hidden)
    print_table(shown, title=f"{store}, {store.stat().st_size / 1e6:,.1f} MB")
    click.echo(CONTROLS)
    unfinished = rows["sae"][rows["sets_without_statistics"] > 0]
    if len(unfinished):
        click.echo(
            f"Without p and q, from an older version: {', '.join(unfinished)}. Ingest them again to fill them in."
        )
    for reason, count in opened.sets_without_z()["reason"].value_counts().items():
        click.echo(f"{count} token sets have no z or no p of their ES: {reason}.")
    pending = opened.pending()
    if pending:
        click.echo(f"{pending:,} pairs of SAE and token set have no scores or stale ones: tsea ingest --pending")
    for labelled in opened.label_status().itertuples():
        click.echo(
            f"{labelled.named:,} of {labelled.scored:,} scored features are named by a set: {labelled.title}, "
            f"{labelled.labelled_at:%Y-%m-%d %H:%M} UTC."
        )
        if labelled.outdated:
            click.echo("Scores have changed since: tsea label")
    left_out = len(opened.unscored_sets())
    if left_out:
        click.echo(f"{left_out} token sets cannot be scored; `tsea sets list --unscored` says why.")
