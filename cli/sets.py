"""Commands for token sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .printing import print_table

if TYPE_CHECKING:
    from tsea_db.token_sets import BuiltSets

_FILE = click.Path(path_type=Path, dir_okay=False)
_IN_MODEL = click.option("--model", help="Of this model; may be left out if the store has just one.")
_SHOWN = 20


@click.group()
def sets() -> None:
    """Look at the token sets, add your own, take them elsewhere."""


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
        rows = opened.token_sets(model, family)[["model", "family", "name", "size", "version", "stale", "phrase"]]
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


@sets.command()
@click.argument("file", type=_FILE)
@_IN_MODEL
@click.pass_obj
def add(store: Path, file: Path, model: str | None) -> None:
    """Add the token sets of a TOML or GMT FILE; docs/token-sets.md says how to write one."""
    import tsea_db

    added = tsea_db.open(store, mode="rw").add_sets(file, model)
    for what in ("new", "changed", "unchanged"):
        names = getattr(added.changes, what)
        if names:
            click.echo(f"{what}: {', '.join(names)}")
    for name, reason in added.changes.not_scored.items():
        click.echo(f"not scored: {name} ({reason})")
    _print_remarks(added.built)
    if added.changes.new or added.changes.changed:
        click.echo(f"Next: tsea --store {store} ingest --pending")


@sets.command()
@click.argument("file", type=_FILE)
@_IN_MODEL
@click.pass_obj
def diff(store: Path, file: Path, model: str | None) -> None:
    """Show what adding the token sets of FILE would change."""
    import tsea_db
    from tsea_db.ingest.user_sets import load_for
    from tsea_db.token_sets import diff as compare

    current = tsea_db.open(store).model_sets(model)
    built = load_for(current, file)
    named = {token_set.name for token_set in built.sets}
    changes = compare([token_set for token_set in current.sets if token_set.name in named], built.sets)
    for change in changes:
        click.echo(f"{change.name}: {change.kind}")
        for sign, ids in (("+", change.gained), ("-", change.lost)):
            if ids:
                more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
                click.echo(f"  {sign} {current.vocabulary.show(ids[:_SHOWN])}{more}")
        for field in change.fields:
            click.echo(f"  other {field}")
    if not changes:
        click.echo("No difference.")
    _print_remarks(built)


@sets.command()
@_IN_MODEL
@click.option("--smallest", default=5, show_default=True, help="Report sets with fewer members.")
@click.option("--jaccard", default=0.8, show_default=True, help="Report pairs of sets at least this alike.")
@click.option("--disputed", default=0.05, show_default=True, help="Report sets with this share of disputed members.")
@click.pass_obj
def lint(store: Path, model: str | None, smallest: int, jaccard: float, disputed: float) -> None:
    """Look for sets that are tiny, too alike, or at odds with the lexicon."""
    import tsea_db
    from tsea_db.token_sets import lint as check

    current = tsea_db.open(store).model_sets(model)
    found = check(current.sets, current.vocabulary, smallest=smallest, jaccard=jaccard, disputed=disputed)
    for finding in found:
        click.echo(f"{finding.kind}: {finding.message}")
    click.echo(f"{len(found)} findings in {len(current.sets)} sets.")


@sets.command()
@click.argument("file", type=_FILE)
@_IN_MODEL
@click.pass_obj
def export(store: Path, file: Path, model: str | None) -> None:
    """Write a model's token sets to FILE, as .gmt or .csv."""
    import tsea_db
    from tsea_db.token_sets import write_sets

    current = tsea_db.open(store).model_sets(model)
    write_sets(current.sets, current.vocabulary, file)
    click.echo(f"Wrote {len(current.sets)} token sets to {file}.")


@sets.command()
@click.option(
    "--tokenizer",
    "files",
    required=True,
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Tokenizer folder or file: tokenizer.json, tokenizer.model, vocab.txt, tiktoken ranks, or encoder.json with a "
    "second --tokenizer for vocab.bpe.",
)
@click.option("--out", required=True, type=_FILE, help="The file to write, .gmt or .csv.")
def build(files: tuple[Path, ...], out: Path) -> None:
    """Build the library of token sets for any tokenizer, without a store."""
    from tsea_db.token_sets import load_catalogue, write_sets
    from tsea_db.vocabulary import read_vocabulary

    vocabulary = read_vocabulary(list(files))
    library = load_catalogue(vocabulary)
    empty = write_sets(library, vocabulary, out)
    click.echo(f"Wrote {len(library) - len(empty)} token sets to {out}.")
    if empty:
        click.echo(f"{len(empty)} sets have no member in this vocabulary.")


def _print_remarks(built: BuiltSets) -> None:
    """Print warnings, and entries that became no members."""
    for warning in built.warnings:
        click.echo(f"warning: {warning}", err=True)
    by_set: dict[tuple[str, str], list[str]] = {}
    for dropped in built.dropped:
        by_set.setdefault((dropped.set_name, dropped.reason), []).append(dropped.entry)
    for (name, reason), entries in by_set.items():
        more = f" and {len(entries) - _SHOWN:,} more" if len(entries) > _SHOWN else ""
        click.echo(f"dropped from {name}, {reason}: {', '.join(entries[:_SHOWN])}{more}", err=True)
