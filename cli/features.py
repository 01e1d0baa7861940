"""Commands for single features and directions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .printing import cell, print_table

if TYPE_CHECKING:
    import pandas as pd

_MOMENTS = ("mean", "std", "skewness", "kurtosis", "cosine_variance", "decoder_norm", "log10_density")
_SCORES = ["name", "phrase", "size", "es", "peak_rank", "leading_edge"]


@click.command()
@click.argument("sae")
@click.argument("index", type=int)
@click.option("--top", default=10, show_default=True, help="Sets shown each way.")
@click.pass_obj
def feature(store: Path, sae: str, index: int, top: int) -> None:
    """Show one feature: moments, strongest tokens, strongest sets both ways."""
    import tsea_db

    report = tsea_db.open(store).feature(sae, index)
    columns = report.columns
    click.echo(
        f"{sae} feature {index}: writes at {columns['hook_point']} of {columns['model']} ({columns['processing']})"
    )
    for name in _MOMENTS:
        click.echo(f"  {name:<16}{cell(columns[name])}")
    if columns["zero_direction"]:
        click.echo("  Its direction has no effect on the logits, so it has no scores.")
        return
    if columns["dead"]:
        click.echo("  It never fires.")
    for end in ("top", "bottom"):
        click.echo(f"\n{end} tokens (logit weight)")
        pairs = zip(columns[f"{end}_tokens"], columns[f"{end}_logits"], strict=True)
        click.echo("  " + "  ".join(f"{token!r} {value:.2f}" for token, value in pairs))
    _print_both_ways(report.scores, top)


@click.command()
@click.argument("vector", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", required=True, metavar="DIR", help="Hugging Face model directory, or hub:NAME to fetch one.")
@click.option("--processing", metavar="NAME", help="Processing of the unembedding, as for ingest.")
@click.option("--top", default=10, show_default=True, help="Sets shown each way.")
def score(vector: Path, model: str, processing: str | None, top: int) -> None:
    """Score a direction of the residual stream: a probe, a steering vector.

    VECTOR is a .npy file of shape (d_model,) or (n, d_model). No store is needed.
    """
    import tsea_db

    rows = tsea_db.score_direction(_load_vector(vector), model, processing=processing)
    for direction, its_rows in rows.groupby("direction"):
        click.echo(f"Direction {direction}")
        _print_both_ways(its_rows, top)


def _load_vector(path: Path) -> object:
    import numpy as np

    from tsea_db.errors import WeightsError

    try:
        return np.load(path, allow_pickle=False).astype(np.float32)
    except (ValueError, OSError, EOFError) as error:
        msg = f"{path} is not an array of numbers in NumPy's .npy format: {error}"
        raise WeightsError(msg) from error


def _print_both_ways(scores: pd.DataFrame, top: int) -> None:
    promoted, suppressed = scores[scores["es"] > 0], scores[scores["es"] < 0]
    print_table(promoted.head(top)[_SCORES], title="promotes")
    print_table(suppressed.tail(top)[::-1][_SCORES], title="suppresses")
