"""The main job on the small model that ships with the project: weights in, a queryable database out.

Run by ``make demo``. Everything it does is a call that a notebook can make.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

import click

import tsea_db
from tsea_db.cli.ingest import print_ingested
from tsea_db.cli.labels import print_counts
from tsea_db.cli.leaving import leave_at_once_after
from tsea_db.cli.printing import print_table

TINY_LM = Path(__file__).parent / "tiny-lm"
ENRICHED, BUT_NOT = "verb_past_strict", "verb_past_participle_strict"
AT_LEAST, BELOW = 0.6, 0.35
ON_TOP = 5
SHOWN = 12


def main(path: Path) -> None:
    """Fill the store at ``path`` and ask it a question."""
    started = perf_counter()
    store = tsea_db.open(path, mode="rw") if path.exists() else tsea_db.create(path)
    saes = sorted((TINY_LM / "saes").iterdir())
    click.echo(f"Ingesting {len(saes)} SAEs of a small language model into {path.name}")
    print_ingested(store.ingest(TINY_LM / "model", saes))

    sizes = store.token_sets().set_index("name")["size"]
    click.echo("Which features promote past-tense verbs but not past participles?")
    click.echo(
        f"ES >= {AT_LEAST} on {ENRICHED} ({sizes[ENRICHED]} tokens) and ES < {BELOW} on {BUT_NOT} "
        f"({sizes[BUT_NOT]} tokens)."
    )
    click.echo(
        f"The inclusive sets verb_past ({sizes['verb_past']}) and verb_past_participle "
        f"({sizes['verb_past_participle']}) share {_shared(store)} tokens and cannot tell the two apart.\n"
    )
    answer = store.enriched_but_not(ENRICHED, BUT_NOT, evidence="verb_past", at_least=AT_LEAST, below=BELOW)
    on_top = answer[answer["evidence_in_top_20"] >= ON_TOP]
    print_table(
        on_top, title=f"{len(on_top)} features with at least {ON_TOP} past-tense verbs among their 20 top tokens"
    )
    click.echo(
        f"{len(answer) - len(on_top)} more pass both thresholds without that: an enrichment score says that a set is "
        "shifted, not that it comes out on top.\n"
    )
    _ask_beyond(store)
    click.echo("Labelling every feature")
    print_counts(store.label())
    counted = store.query("label_counts", confidence="high").df()
    print_table(counted[["direction", "label", "features", "strongest"]].head(SHOWN), title="surest labels, by set")

    click.echo(f"Done in {perf_counter() - started:.1f} s. Next:\n")
    for line in (
        "export TSEA_STORE=demo.duckdb",
        ".venv/bin/tsea status",
        ".venv/bin/tsea sets show verb_past_strict",
        ".venv/bin/tsea feature blocks.3.hook_resid_pre 1438",
        ".venv/bin/tsea find --enriched 'past-tense-only verbs' --given 'participle-only verbs'",
        ".venv/bin/tsea query list",
        '.venv/bin/tsea sql "from features select sae_id, feature, kurtosis order by kurtosis desc limit 5"',
    ):
        click.echo(f"    {line}")


def _ask_beyond(store: tsea_db.Store) -> None:
    """Ask for past tense beyond what promoting participles implies, the test that tells sets of one direction apart."""
    past, participles = "past-tense-only verbs", "participle-only verbs"
    click.echo(f"from specific('{past}', '{participles}', q := 0.01)")
    beyond = store.query("enriched_given", a=past, b=participles, q=0.01).df()
    shown = beyond[["sae", "feature", "z", "log10_q", "z_a", "z_b", "top_tokens"]]
    print_table(shown, title=f"{len(beyond)} features promote them beyond what participles imply")


def _shared(store: tsea_db.Store) -> int:
    past, participles = (set(store.members(name)["token_id"]) for name in ("verb_past", "verb_past_participle"))
    return len(past & participles)


if __name__ == "__main__":
    leave_at_once_after(lambda: main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo.duckdb")))
