"""Commands for labels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .printing import print_table

if TYPE_CHECKING:
    from tsea_db.labels.stored import LabelReport

_SHOWN = 40


@click.command()
@click.option(
    "--rules",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file of rules, in place of the shipped ones.",
)
@click.option("--preset", help="Thresholds of classes: random-directions or published. [default: what the rules say]")
@click.option("--dry-run", is_flag=True, help="Show counts and store nothing.")
@click.option("--diff", is_flag=True, help="Show what would change, and store nothing.")
@click.pass_obj
def label(store: Path, rules: Path | None, preset: str | None, dry_run: bool, diff: bool) -> None:
    """Label every feature by rules: its class, and the token sets it promotes or suppresses.

    Labels of earlier rules are replaced at once. Labelling again with the same rules changes nothing.
    """
    import tsea_db

    only_look = dry_run or diff
    opened = tsea_db.open(store, mode="ro" if only_look else "rw")
    report = opened.label(rules, preset=preset, dry_run=only_look)
    print_counts(report)
    if diff:
        print_changes(report)


@click.command()
@click.option(
    "--rules",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file of rules whose set rules are tried, in place of the shipped ones.",
)
@click.option("--q", "levels", type=float, multiple=True, help="Value of q to try. Repeat for more.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write a plot to this HTML file.")
@click.pass_obj
def thresholds(store: Path, rules: Path | None, levels: tuple[float, ...], plot: Path | None) -> None:
    """Suggest a threshold of q: labels against labels where nothing is to be found."""
    import tsea_db
    from tsea_db.analysis.plots import threshold_page

    found = tsea_db.open(store).thresholds(rules, levels or None)
    print_table(found.by_q.astype(object), title="set labels by q, and pairs below q where nothing is to be found")
    if found.suggested_q is None:
        click.echo("No q gives a hundred times as many pairs on the real SAEs as on null and rotated ones.")
    else:
        share = found.by_q.set_index("q")["share_of_features"][found.suggested_q]
        click.echo(
            f"Suggested: log10_q below {math.log10(found.suggested_q):.3g} (q < {found.suggested_q:g}), which names "
            f"{share:.1%} of the features. That most stay without a name is a result: a looser q names noise."
        )
    print_table(found.by_share.astype(object), title="labels with at least this corrected share of top tokens")
    if plot is not None:
        try:
            plot.write_text(threshold_page(found), encoding="utf-8")
        except OSError as error:
            raise click.UsageError(str(error)) from error


def print_counts(report: LabelReport) -> None:
    """Print labels per rule, how many features are named, and what the rules disagree about."""
    import pandas as pd

    labelling = report.labelling
    labels = labelling.labels.select(["rule", "confidence", "sae_id", "feature"]).to_pandas()
    rows = []
    for rule in labelling.rules.rules:
        own = labels[labels["rule"] == rule.name]
        graded = [int((own["confidence"] == grade).sum()) for grade in ("high", "medium", "low")]
        features = len(own[["sae_id", "feature"]].drop_duplicates())
        rows.append([rule.name, rule.kind.value, len(own), features, *graded])
    columns = ["rule", "kind", "labels", "features", "high", "medium", "low"]
    print_table(pd.DataFrame(rows, columns=columns, dtype=object), title=labelling.rules.title)
    named, scored = labelling.n_named, labelling.n_scored
    share = f" ({named / scored:.1%})" if scored else ""
    click.echo(
        f"{named:,} of {scored:,} scored features{share} are named by a set; the others have their nearest miss."
    )
    click.echo(
        f"{labelling.redundant:,} further set labels were left out: stronger sets of the same feature explain them."
    )
    print_table(report.classes.to_pandas(), title="classes by either preset of thresholds")
    for clash in labelling.clashes:
        kept = "Both labels stay" if clash.kept else f"The label of {clash.rules[0]!r} stays"
        click.echo(
            f"The rules {' and '.join(map(repr, clash.rules))} contradict each other on {clash.features:,} features, "
            f"such as {clash.example[0]} {clash.example[1]}. {kept}."
        )
    for rule_name, reason in labelling.inactive_rules:
        click.echo(f"The rule {rule_name!r} cannot fire yet: {reason}.")


def print_changes(report: LabelReport) -> None:
    """Print how many labels would be added, removed and changed, and the first of them."""
    changes = report.changes.to_pandas()
    if changes.empty:
        click.echo("Nothing would change.")
        return
    counts = changes.groupby(["change", "rule"], observed=True).size().reset_index(name="labels")
    print_table(counts, title="what would change")
    shown = ["change", "sae", "feature", "confidence_before", "confidence_after", "sentence"]
    print_table(changes.head(_SHOWN)[shown], title=f"the first {min(_SHOWN, len(changes))} of {len(changes):,}")
