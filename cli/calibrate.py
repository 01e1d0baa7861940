"""Calibration on the command line."""

from __future__ import annotations

from pathlib import Path

import click

from .printing import print_table


@click.command()
@click.option("--model", help="Name of the model in the store, if there are several.")
@click.option("--processing", help="Processing of its unembedding, if there are several.")
@click.option("--draws", default=4000, show_default=True, help="Fresh random directions.")
@click.option("--seed", default=1, show_default=True, help="Their seed.")
@click.option(
    "--level", "levels", type=float, multiple=True, help="Level of p; repeat for more. [default: .05 .01 .001]"
)
@click.option("--sae", help="SAE whose decoder is rotated. [default: the model's first]")
@click.option("--features", default=24_576, show_default=True, help="Directions of the null SAE.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write QQ plots to this HTML file.")
@click.pass_obj
def calibrate(
    store: Path,
    model: str | None,
    processing: str | None,
    draws: int,
    seed: int,
    levels: tuple[float, ...],
    sae: str | None,
    features: int,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Test the p-values on random directions, which promote nothing."""
    import tsea_db

    options = {"levels": levels} if levels else {}
    found = tsea_db.open(store).calibrate(
        model, processing, draws=draws, seed=seed, sae=sae, features=features, **options
    )
    if plot is not None:
        try:
            plot.write_text(found.html(), encoding="utf-8")
        except OSError as error:
            raise click.UsageError(str(error)) from error
    if as_json:
        import json

        click.echo(json.dumps(found.report))
        return
    import pandas as pd

    shares = pd.DataFrame(found.report["share_p_below"]).T.reset_index(names="null")
    shares.columns = pd.Index(["null", *(f"p < {level}" for level in shares.columns[1:])])
    print_table(shares, title=f"Share of p below the level, {draws:,} random directions")
    for name, part in (("Null SAE", found.report["null_sae"]), ("Rotated SAE", found.report["rotated_sae"])):
        click.echo(
            f"{name}, {part['n_features']:,} directions: {part['sets_with_discoveries']} of {part['n_sets']} sets have "
            f"a discovery at q < {part['q_below']}; at most {part['limit']:.2f} may."
        )
    for name, sets in found.report["sets_out_of_tolerance"].items():
        click.echo(f"Sets out of tolerance by {name}: {', '.join(sets) or 'none'}.")
