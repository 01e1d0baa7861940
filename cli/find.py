"""Search for features on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .answers import answer_options, write_answer

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--enriched", multiple=True, metavar="SET", help="They promote this set. Repeat for more; all must hold.")
@click.option("--suppressed", multiple=True, metavar="SET", help="They suppress this set.")
@click.option("--not-enriched", multiple=True, metavar="SET", help="They do not promote this set.")
@click.option("--given", metavar="SET", help="Test each --enriched given this set: promoted beyond what it implies.")
@click.option("--class", "classes", multiple=True, help="They are in this class: prediction, partition, dead, ...")
@click.option("--label", "labels", multiple=True, help="They have this label.")
@click.option("--confidence", type=click.Choice(["high", "medium", "low"]), help="A label of theirs is this sure.")
@click.option("--sae", "saes", multiple=True, help="In this SAE, or in one of several.")
@click.option("--layer", "layers", multiple=True, type=int, help="In this layer, or in one of several.")
@click.option("--min-z", type=float, help="Least z of every --enriched, and of every --suppressed without its sign.")
@click.option("--min-density", type=float, help="Least log10 density.")
@click.option("--max-density", type=float, help="Greatest log10 density.")
@click.option("--min-kurtosis", type=float, help="Least kurtosis.")
@click.option("-q", "--q", type=float, default=0.05, show_default=True, help="False-discovery rate.")
@click.option("--limit", type=int, default=50, show_default=True, help="Features shown, the strongest first.")
@click.option("--explain", is_flag=True, help="Show the SQL and do not run it.")
@answer_options
@click.pass_obj
def find(store: Path, /, explain: bool, form: str, output: Path | None, timeout: float, **wanted: object) -> None:
    """Find features by the sets they promote or suppress, their class, layer, density and kurtosis.

    SET is a name or a phrase of `tsea sets list`.
    """
    import tsea_db
    from tsea_db.sql.search import Search

    search = Search(**wanted)  # type: ignore[arg-type]
    if explain:
        click.echo(search.sql)
        return
    write_answer(store, tsea_db.open(store).sql_of_search(search), None, form, output, timeout)
