"""Commands for single features and directions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .printing import cell, print_table

if TYPE_CHECKING:
    import pandas as pd

    from tsea_db import FeatureReport

_MOMENTS = ("mean", "std", "skewness", "kurtosis", "cosine_variance", "decoder_norm", "log10_density")
_SCORES = ["name", "phrase", "size", "es", "peak_rank", "leading_edge"]
_STATISTICS = ["name", "phrase", "size", "z_direction", "log10_q", "es", "nes", "members_on_top", "remark"]
_GIVEN = ["name", "phrase", "size", "z_direction", "null_corr", "z_given", "log10_p_given"]
_JOINT = ["name", "phrase", "size", "coefficient"]


@click.command()
@click.argument("sae")
@click.argument("index", type=int)
@click.option("--top", default=10, show_default=True, help="Sets shown each way.")
@click.option("--given", metavar="SET", help="Score every set given this one: what is promoted beyond it?")
@click.option("--joint", is_flag=True, help="Fit all sets at once: what membership adds to a token's logit weight.")
@click.pass_obj
def feature(store: Path, sae: str, index: int, top: int, given: str | None, joint: bool) -> None:
    """Show one feature: moments, strongest tokens, labels, strongest sets both ways."""
    import tsea_db

    opened = tsea_db.open(store)
    if given is not None:
        rows = opened.given(sae, index, given).dropna(subset=["z_given"])
        _print_ends(rows, "z_given", _GIVEN, top, f"given {given}")
        return
    if joint:
        _print_ends(opened.joint(sae, index), "coefficient", _JOINT, top, "all sets at once")
        return
    report = opened.feature(sae, index)
    _print_columns(sae, index, report.columns)
    _print_labels(report)
    if report.columns["zero_direction"]:
        return
    scores = report.scores.assign(remark=report.remarks())
    if scores["z_direction"].isna().all():
        click.echo("No set has a z: `tsea status` says why.")
        _print_ends(scores, "es", _STATISTICS, top, "by ES")
        return
    _print_ends(scores, "z_direction", _STATISTICS, top, "by z")


def _print_columns(sae: str, index: int, columns: dict[str, Any]) -> None:
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


def _print_labels(report: FeatureReport) -> None:
    if report.labels.empty and report.near_miss is None:
        return
    click.echo("\nlabels")
    for row in report.labels.itertuples():
        click.echo(f"  {row.sentence}" + (f" ({row.confidence})" if row.kind != "class" else ""))
    if report.near_miss is not None:
        near = report.near_miss
        nearest = f"{near['direction']} {near['phrase']} (z {near['z']:.2f})"
        click.echo(f"  No set names it. Nearest: {nearest}, but {near['why']}.")


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
        _print_ends(its_rows, "es", _SCORES, top, "by ES")


def _load_vector(path: Path) -> object:
    import numpy as np

    from tsea_db.errors import WeightsError

    try:
        return np.load(path, allow_pickle=False).astype(np.float32)
    except (ValueError, OSError, EOFError) as error:
        msg = f"{path} is not an array of numbers in NumPy's .npy format: {error}"
        raise WeightsError(msg) from error


def _print_ends(rows: pd.DataFrame, by: str, columns: list[str], top: int, how: str) -> None:
    """Print the sets that stand highest and lowest in a column, the strongest first."""
    ordered = rows.sort_values(by, ascending=False, kind="stable")
    print_table(ordered[ordered[by] > 0].head(top)[columns], title=f"promotes ({how})")
    print_table(ordered[ordered[by] < 0].tail(top)[::-1][columns], title=f"suppresses ({how})")
