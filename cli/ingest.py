"""The main job on the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .printing import CONTROLS, control_shares, print_table

if TYPE_CHECKING:
    from pathlib import Path

    from tsea_db.store.saes import IngestedSae


_TITLES = {
    "sae": "SAE",
    "hook_point": "hook point",
    "n_features": "features",
    "n_dead": "dead",
    "n_zero_direction": "zero direction",
    "n_sets": "sets",
    "n_scores": "scores",
    "n_sets_without_z": "sets without z",
}


@click.command()
@click.option("--model", metavar="DIR", help="Hugging Face model directory, or hub:NAME to fetch one.")
@click.option(
    "--sae",
    "saes",
    multiple=True,
    metavar="DIR",
    help="SAE directory in SAELens' format, or hub:RELEASE/ID to fetch one. Repeat for more.",
)
@click.option("--name", "names", multiple=True, help="Name of the SAE in the store; one for each --sae, in order.")
@click.option("--model-name", help="Name of the model in the store.")
@click.option(
    "--processing",
    metavar="NAME",
    help="Processing of the unembedding: raw, folded or folded+centred, each with or without +cosine. "
    "[default: folded+centred, as TransformerLens does; folded where logits are soft-capped]",
)
@click.option(
    "--keep-weights/--no-keep-weights",
    default=True,
    show_default=True,
    help="Keep decoder directions and unembedding beside the store, or only where they came from and their hash.",
)
@click.option("--replace", is_flag=True, help="Replace stored SAEs of the same name that have other weights.")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    metavar="NAME",
    help="Where scores are computed: cpu, cuda, cuda:1, ...",
)
@click.option(
    "--matmul-precision",
    type=click.Choice(["highest", "high"]),
    default="highest",
    show_default=True,
    help="Products in float32, or on a GPU in TF32, which is faster and stored under a processing that says so.",
)
@click.option(
    "--pending",
    is_flag=True,
    help="Instead of --model and --sae: score all stored SAEs for token sets that are new or changed.",
)
@click.pass_obj
def ingest(
    store: Path,
    model: str | None,
    saes: tuple[str, ...],
    names: tuple[str, ...],
    model_name: str | None,
    processing: str | None,
    keep_weights: bool,
    replace: bool,
    device: str,
    matmul_precision: str,
    pending: bool,
) -> None:
    """Compute moments and enrichment scores of every feature of some SAEs.

    Each SAE is stored as a whole: interrupt at any time and run the same command again to go on.
    """
    import tsea_db

    if pending and (model or saes):
        msg = "--pending takes the SAEs of the store: leave --model and --sae out."
        raise click.UsageError(msg)
    if pending and matmul_precision != "highest":
        msg = "--pending keeps to the precision that each SAE has scores in: leave --matmul-precision out."
        raise click.UsageError(msg)
    if not pending and not (model and saes):
        msg = "Give --model and at least one --sae, or --pending."
        raise click.UsageError(msg)
    opened = tsea_db.open(store, mode="rw")
    try:
        if pending:
            done = opened.ingest_pending(device=device)
        else:
            done = opened.ingest(
                model,
                saes,
                names=names,
                model_name=model_name,
                processing=processing,
                keep_weights=keep_weights,
                replace=replace,
                device=device,
                matmul_precision=matmul_precision,
            )
    except KeyboardInterrupt:
        click.echo("\nInterrupted. What was finished is stored; run the same command again to go on.", err=True)
        raise SystemExit(130) from None
    if done:
        print_ingested(done)
    else:
        click.echo("Nothing is pending: every SAE has scores for every set.")


def print_ingested(done: list[IngestedSae]) -> None:
    """Print what an ingest did, one row for each SAE."""
    import pandas as pd

    rows = pd.DataFrame([asdict(sae) for sae in done], dtype=object)
    rows["controls"] = [control_shares(sae) for _, sae in rows.iterrows()]
    rows = rows.drop(columns=["controls_direction", "controls_es", "controls_token"])
    rows["seconds"] = [f"{sae.seconds:.1f}" if sae.seconds else "stored already" for sae in done]
    rows["n_dead"] = ["not known" if sae.n_dead is None else sae.n_dead for sae in done]
    rows.columns = pd.Index([_TITLES.get(name, name) for name in rows.columns], name="column")
    print_table(rows)
    click.echo(CONTROLS)
