"""The main job: SAEs in; moments, enrichment scores and what those are worth in the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import insert
from tqdm.auto import tqdm

from tsea_db import schema
from tsea_db.errors import InputError
from tsea_db.feature_rows import FeatureLoader
from tsea_db.kernels.direction_null import unit_directions
from tsea_db.kernels.scoring import score_features
from tsea_db.model_nulls import (
    MOMENT_DRAWS,
    NULL_DRAWS,
    MeasuredSets,
    ModelGeometry,
    add_moment_null,
    add_overlaps,
    add_set_nulls,
    has_moment_null,
    measured_sets,
    sets_without_null,
)
from tsea_db.registry import (
    StoredSet,
    next_id,
    register_model,
    register_sets,
    register_unembedding,
    set_matrix,
    stored_sets,
)
from tsea_db.score_rows import ScoredRows, ScoreWriter, WaitingScores
from tsea_db.side_sets import (
    Contrast,
    register_contrasts,
    register_controls,
    stored_contrasts,
    stored_side_sets,
)
from tsea_db.stored_saes import (
    IngestedSae,
    SaeKey,
    contrasts_to_score,
    controls_to_score,
    enter_sae,
    find_sae,
    forget_results,
    lacks_statistics,
    make_room,
    sets_to_score,
    summarise,
)
from tsea_db.token_sets import build_catalogue
from tsea_db.version import __version__
from tsea_db.weights.archive import WeightsArchive, content_hash
from tsea_db.weights.model import ModelWeights, load_model
from tsea_db.weights.sae import SaeWeights, directions, load_sae
from tsea_db.weights.unembedding import Unembedding, default_processing, process_unembedding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy import Connection, Engine

    from tsea_db.store import StoreFile


@dataclass(frozen=True)
class _Missing:
    """What an SAE has no scores for yet."""

    sets: list[StoredSet]
    controls: list[StoredSet]
    contrasts: list[Contrast]


@dataclass(frozen=True)
class _Candidate:
    """An SAE that was checked: read again when its turn comes, so that only one is in memory at a time."""

    source: Any
    name: str
    weights_hash: str
    d_sae: int


def ingest(
    store: StoreFile,
    model: str | Path | Any,
    saes: Sequence[str | Path | Any],
    *,
    names: Sequence[str] = (),
    model_name: str | None = None,
    processing: str | None = None,
    keep_weights: bool = True,
    replace: bool = False,
    progress: bool = True,
) -> list[IngestedSae]:
    """Compute and store the moments and enrichment scores of all features of some SAEs.

    Everything given is checked before any work starts. Each SAE is one transaction: after an interruption the same call
    goes on with the first SAE that is not stored. What is stored already is not computed again.

    Args:
        store: The store, which must exist.
        model: See :func:`tsea_db.weights.model.load_model`.
        saes: See :func:`tsea_db.weights.sae.load_sae`.
        names: What the store will call the SAEs, one for each; by default their own names.
        model_name: What the store will call the model.
        processing: Processing of the unembedding; None for the model's default.
        keep_weights: Keep decoder directions and unembedding beside the store.
        replace: Replace stored SAEs that have the name of a given one but other weights.
        progress: Show a progress bar on standard error, if that is a terminal.

    Raises:
        TseaError: Something given cannot be used, or the store cannot; nothing of it was stored.
    """
    with store.reader():
        pass  # a missing, old or locked store is told before the model is read
    if names and len(names) != len(saes):
        msg = f"{len(names)} names were given for {len(saes)} SAEs: give one for each, or none."
        raise InputError(msg)
    loaded = load_model(model, model_name)
    unembedding = process_unembedding(loaded, processing)
    candidates = _check_all(saes, names or [None] * len(saes), loaded, unembedding.processing)
    job = _Job(store, loaded, unembedding, keep_weights=keep_weights)
    with store.writer() as engine:
        job.prepare(engine, candidates, replace=replace, progress=progress)
        total = sum(candidate.d_sae for candidate in candidates)
        with _bar(None, total, "feature", progress=progress) as bar:
            return [job.run(engine, candidate, bar) for candidate in candidates]


def _check_all(
    saes: Sequence[Any], names: Sequence[str | None], model: ModelWeights, processing: str
) -> list[_Candidate]:
    """Read every SAE once, so that a bad one is told before any is scored."""
    candidates: list[_Candidate] = []
    if not saes:
        msg = "No SAE was given."
        raise InputError(msg)
    for source, name in zip(saes, names, strict=True):
        sae = load_sae(source, name)
        directions(sae, model)
        candidates.append(_Candidate(source, _name_in_store(sae, model, processing), sae.weights_hash, len(sae.W_dec)))
    seen: set[str] = set()
    for candidate in candidates:
        if candidate.name in seen:
            msg = f"Two of the SAEs are called {candidate.name!r}: tell them apart with --name, one for each --sae."
            raise InputError(msg)
        seen.add(candidate.name)
    return candidates


def _bar(title: str | None, total: int, unit: str, *, progress: bool) -> tqdm[Any]:
    return tqdm(desc=title, total=total, unit=unit, disable=None if progress else True)


def _name_in_store(sae: SaeWeights, model: ModelWeights, processing: str) -> str:
    """Return the SAE's name, marked where the processing is not the model's default."""
    return sae.name if processing == default_processing(model) else f"{sae.name} ({processing})"


class _Job:
    """One ingest: a model under one processing, and what all its SAEs share."""

    def __init__(self, store: StoreFile, model: ModelWeights, unembedding: Unembedding, *, keep_weights: bool) -> None:
        self._folder = store.path.parent
        self._model = model
        self._unembedding = unembedding
        self._archive = WeightsArchive.beside(store.path)
        self._keep_weights = keep_weights
        self._geometry = ModelGeometry(-1, unembedding.processing, unembedding.matrix)
        self._sets: list[StoredSet] = []
        self._controls: list[StoredSet] = []
        self._partitions: list[StoredSet] = []
        self._contrasts: list[Contrast] = []
        self._measured: MeasuredSets | None = None

    def prepare(self, engine: Engine, candidates: list[_Candidate], *, replace: bool, progress: bool) -> None:
        """Enter the model, its tokens and its sets, make room for the SAEs, and see to the nulls."""
        processing, d_vocab = self._unembedding.processing, self._model.d_vocab
        content = self._keep(self._unembedding.matrix)
        catalogue = build_catalogue(self._model.vocabulary)
        with engine.begin() as connection:
            model_id = register_model(connection, self._model)
            self._geometry = ModelGeometry(model_id, processing, self._unembedding.matrix)
            register_unembedding(connection, model_id, processing, content, kept=self._keep_weights)
            register_sets(connection, model_id, catalogue, d_vocab)
            self._sets = stored_sets(connection, model_id)
            register_controls(connection, model_id, self._sets, d_vocab)
            register_contrasts(connection, model_id, self._sets, d_vocab)
            self._controls = stored_side_sets(connection, model_id, "control")
            self._partitions = stored_side_sets(connection, model_id, "partition")
            self._contrasts = stored_contrasts(connection, model_id)
            for candidate in candidates:
                make_room(connection, candidate.name, self._key(candidate), replace=replace)
        self._complete_nulls(engine, progress=progress)

    def _complete_nulls(self, engine: Engine, *, progress: bool) -> None:
        """Compute what is missing of the nulls, in a transaction for each kind."""
        everything = [*self._sets, *self._controls, *self._partitions]
        with engine.begin() as connection:
            add_overlaps(connection, self._geometry, self._sets)
            missing = sets_without_null(connection, self._geometry, everything)
            if missing:
                with _bar("nulls of sets", NULL_DRAWS, "direction", progress=progress) as bar:
                    add_set_nulls(connection, self._geometry, missing, bar.update)
        with engine.begin() as connection:
            if not has_moment_null(connection, self._geometry):
                with _bar("nulls of moments", MOMENT_DRAWS, "direction", progress=progress) as bar:
                    add_moment_null(connection, self._geometry, bar.update)

    def run(self, engine: Engine, candidate: _Candidate, bar: tqdm[Any]) -> IngestedSae:
        """Store one SAE's features and the scores it lacks, in one transaction."""
        clock = perf_counter()
        bar.set_description(candidate.name)
        with engine.begin() as connection:
            sae_id = find_sae(connection, self._key(candidate))
            fresh = sae_id is None or lacks_statistics(connection, sae_id)
            if sae_id is None or fresh:
                missing = _Missing(self._sets, self._controls, self._contrasts)
            else:
                missing = _Missing(
                    sets_to_score(connection, sae_id, self._sets),
                    controls_to_score(connection, sae_id, self._controls),
                    contrasts_to_score(connection, sae_id, self._contrasts),
                )
            if sae_id is not None and not fresh and missing == _Missing([], [], []):
                bar.update(candidate.d_sae)
                return summarise(connection, sae_id, 0.0)
            started = _now()
            sae = load_sae(candidate.source, candidate.name)
            rows = directions(sae, self._model)
            if sae_id is None:
                sae_id = enter_sae(connection, sae, self._key(candidate), self._keep(rows), kept=self._keep_weights)
            elif fresh:
                forget_results(connection, sae_id)
            loader = FeatureLoader(connection, sae_id, sae, self._model.vocabulary) if fresh else None
            n_scores = self._score(connection, sae_id, rows, missing, loader, bar)
            self._enter_run(connection, sae_id, started, len(rows), len(missing.sets), n_scores)
        with engine.connect() as connection:
            return summarise(connection, sae_id, perf_counter() - clock)

    def _score(
        self,
        connection: Connection,
        sae_id: int,
        rows: NDArray[np.float32],
        missing: _Missing,
        loader: FeatureLoader | None,
        bar: tqdm[Any],
    ) -> int:
        """Score all features for what is missing; return the number of scores."""
        needed = {part for contrast in missing.contrasts for part in (contrast.only_a, contrast.a_and_b)}
        partitions = [stored for stored in self._partitions if stored.set_id in needed]
        sets = [*missing.sets, *missing.controls, *partitions]
        geometry = self._geometry
        waiting = WaitingScores(self._folder, len(rows), len(sets))
        scored = np.empty(len(rows), dtype=np.bool_)
        matrix = set_matrix(sets, geometry.d_vocab)
        for block in score_features(rows, geometry.U, matrix, unembedding_norms=geometry.norms):
            part = slice(block.start, block.start + len(block))
            scored[part] = ~block.zero_direction & unit_directions(rows[part], geometry.subspace)[1]
            waiting.add(block)
            if loader is not None:
                loader.add(block, scored[part])
            bar.update(len(block))
        if loader is not None:
            loader.finish()
        bar.set_postfix_str("p and q")
        features = np.flatnonzero(scored).astype(np.int32)
        if self._measured is None:
            self._measured = measured_sets(connection, geometry, [*self._sets, *self._controls, *self._partitions])
        writer = ScoreWriter(connection, sae_id, self._measured, ScoredRows(rows, features, geometry.subspace))
        writer.write_library(missing.sets, waiting, 0)
        writer.write_controls(missing.controls, waiting, len(missing.sets))
        writer.write_partitions(partitions, waiting, len(missing.sets) + len(missing.controls))
        writer.write_contrasts(missing.contrasts, {stored.set_id: stored for stored in self._sets})
        bar.set_postfix_str("")
        return len(features) * len(missing.sets)

    def _enter_run(
        self, connection: Connection, sae_id: int, started: datetime, n_features: int, n_sets: int, n_scores: int
    ) -> None:
        connection.execute(
            insert(schema.ingest_runs).values(
                run_id=next_id(connection, schema.ingest_runs.c.run_id),
                sae_id=sae_id,
                started_at=started,
                finished_at=_now(),
                n_features=n_features,
                n_sets=n_sets,
                n_scores=n_scores,
                package_version=__version__,
            )
        )

    def _key(self, candidate: _Candidate) -> SaeKey:
        return SaeKey(candidate.weights_hash, self._geometry.model_id, self._unembedding.processing)

    def _keep(self, array: NDArray[np.float32]) -> str:
        return self._archive.keep(array) if self._keep_weights else content_hash(array)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
