"""Scores that SAEs of the store lack: of sets that are new or changed since they were ingested."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from tsea_db.errors import InputError
from tsea_db.ingest.scorer import Scorer, now
from tsea_db.kernels.device import choose_device, precision_of
from tsea_db.progress import progress_bar
from tsea_db.store import schema
from tsea_db.store.archive import WeightsArchive
from tsea_db.store.nulls import ModelGeometry
from tsea_db.store.saes import IngestedSae, lacks_statistics, summarise

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from tqdm.auto import tqdm

    from tsea_db.store.file import StoreFile


@dataclass(frozen=True)
class _StoredWeights:
    """An SAE of the store and the kept files it can be scored from."""

    sae_id: int
    name: str
    d_sae: int
    model_id: int
    processing: str
    directions_hash: str
    unembedding_hash: str
    kept: bool


def ingest_pending(store: StoreFile, *, device: str = "cpu", progress: bool = True) -> list[IngestedSae]:
    """Score every SAE of the store for the sets it has no scores for, from the weights kept beside the store.

    Other scores are neither computed again nor touched. Each SAE is one transaction.

    Args:
        store: The store, which must exist.
        device: See :func:`tsea_db.kernels.device.choose_device`. SAEs are scored in the precision that they have scores
            in.
        progress: Show progress bars on standard error, if that is a terminal.

    Returns:
        The SAEs that got scores.

    Raises:
        InputError: Weights of an SAE with something to score were not kept, or the device cannot be used or does not
            offer the precision; nothing was stored.
    """
    choose_device(device)
    archive = WeightsArchive.beside(store.path)
    done: list[IngestedSae] = []
    with store.writer() as engine:
        with engine.connect() as connection:
            saes = _stored_weights(connection)
        for model_id, processing in dict.fromkeys((sae.model_id, sae.processing) for sae in saes):
            its_saes = [sae for sae in saes if (sae.model_id, sae.processing) == (model_id, processing)]
            done += _score_model(store, engine, archive, its_saes, device, progress=progress)
    return done


def _score_model(
    store: StoreFile,
    engine: Engine,
    archive: WeightsArchive,
    saes: list[_StoredWeights],
    device: str,
    *,
    progress: bool,
) -> list[IngestedSae]:
    """Score the SAEs of one model under one processing."""
    not_kept = [sae.name for sae in saes if not sae.kept]
    if not_kept:
        msg = (
            f"The weights of {', '.join(not_kept)} were not kept, so they cannot be scored from the store alone. "
            "Run `tsea ingest --model DIR --sae DIR` on them again: it computes only what is missing."
        )
        raise InputError(msg)
    first = saes[0]
    unembedding = archive.open(first.unembedding_hash)
    geometry = ModelGeometry(first.model_id, first.processing, unembedding)
    scorer = Scorer(store.path.parent, geometry, choose_device(device, precision_of(first.processing)))
    with engine.begin() as connection:
        scorer.read_sets(connection)
        pending = [sae for sae in saes if scorer.missing(connection, sae.sae_id)]
    if not pending:
        return []
    scorer.complete_nulls(engine, progress=progress)
    with progress_bar(None, sum(sae.d_sae for sae in pending), "feature", progress=progress) as bar:
        return [_score(engine, archive, scorer, sae, bar) for sae in pending]


def _score(engine: Engine, archive: WeightsArchive, scorer: Scorer, sae: _StoredWeights, bar: tqdm[Any]) -> IngestedSae:
    clock, started = perf_counter(), now()
    bar.set_description(sae.name)
    rows = archive.open(sae.directions_hash)
    with engine.begin() as connection:
        missing = scorer.missing(connection, sae.sae_id)
        n_scores = scorer.score(connection, sae.sae_id, rows, missing, None, bar)
        scorer.insert_run(connection, sae.sae_id, started, len(rows), len(missing.sets), n_scores)
    with engine.connect() as connection:
        return summarise(connection, sae.sae_id, perf_counter() - clock)


def _stored_weights(connection: Connection) -> list[_StoredWeights]:
    saes, unembeddings = schema.saes.c, schema.unembeddings.c
    same = (unembeddings.model_id == saes.model_id) & (unembeddings.processing == saes.processing)
    rows = connection.execute(
        select(
            saes.sae_id,
            saes.name,
            saes.d_sae,
            saes.model_id,
            saes.processing,
            saes.directions_hash,
            unembeddings.content_hash,
            saes.kept & unembeddings.kept,
        )
        .join(schema.unembeddings, same)
        .order_by(saes.sae_id)
    ).fetchall()
    older = [row.name for row in rows if lacks_statistics(connection, row.sae_id)]
    if older:
        msg = (
            f"{', '.join(older)} were scored by an older tsea-db, without nulls. Run `tsea ingest --model DIR "
            "--sae DIR` on them again."
        )
        raise InputError(msg)
    return [_StoredWeights(*row) for row in rows]
