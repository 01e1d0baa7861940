"""The main job: SAEs in; moments, enrichment scores and what those are worth in the store."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as replace_field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tsea_db.errors import InputError
from tsea_db.ingest.features import FeatureLoader
from tsea_db.ingest.scorer import Scorer, now
from tsea_db.kernels.device import Device, choose_device, with_precision
from tsea_db.progress import progress_bar
from tsea_db.store.archive import WeightsArchive, content_hash
from tsea_db.store.derived_sets import delete_derived
from tsea_db.store.models import register_model, register_unembedding
from tsea_db.store.nulls import ModelGeometry, NullPlan
from tsea_db.store.saes import (
    IngestedSae,
    SaeKey,
    check_names_free,
    delete_results,
    find_sae,
    insert_sae,
    lacks_statistics,
    summarise,
)
from tsea_db.store.token_sets import upsert_sets
from tsea_db.token_sets import TokenSet, choose_sets, load_catalogue
from tsea_db.weights.model import ModelWeights, load_model
from tsea_db.weights.sae import SaeWeights, directions, load_sae
from tsea_db.weights.unembedding import Unembedding, default_processing, process_unembedding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Engine
    from tqdm.auto import tqdm

    from tsea_db.store.file import StoreFile


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
    library: Sequence[str | TokenSet] | None = None,
    null_plan: NullPlan | None = None,
    device: str = "cpu",
    matmul_precision: str = "highest",
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
        library: Token sets to enter: names of built-in ones, or sets of your own; None for all built-in ones. Sets that
            the store has already stay and are scored too. Contrasts are those between stored sets.
        null_plan: Size and seed of the sampled nulls, which belong to a model under a processing. None for the plan
            that its stored nulls follow, or ``NullPlan()`` where it has none.
        device: Where scores are computed: ``cpu``, ``cuda``, ``cuda:1``, ...
        matmul_precision: ``highest`` for float32 products; ``high`` for TF32, on a GPU only. Such SAEs are stored, with
            nulls of their own, under a processing that says so.
        progress: Show a progress bar on standard error, if that is a terminal.

    Raises:
        TseaError: Something given cannot be used, or the store cannot, or its nulls follow another plan than the one
            given; nothing of it was stored.
    """
    chosen = choose_device(device, matmul_precision)
    with store.reader():
        pass  # a missing, old or locked store is told before the model is read
    if names and len(names) != len(saes):
        msg = f"{len(names)} names were given for {len(saes)} SAEs: give one for each, or none."
        raise InputError(msg)
    loaded = load_model(model, model_name)
    unembedding = process_unembedding(loaded, processing)
    unembedding = replace_field(unembedding, processing=with_precision(unembedding.processing, matmul_precision))
    candidates = _check_all(saes, names or [None] * len(saes), loaded, unembedding.processing)
    sets = choose_sets(load_catalogue(loaded.vocabulary), library, loaded.d_vocab)
    job = _Job(store, loaded, unembedding, chosen, keep_weights=keep_weights)
    with store.writer() as engine:
        job.prepare(engine, candidates, sets, null_plan, replace=replace, progress=progress)
        total = sum(candidate.d_sae for candidate in candidates)
        with progress_bar(None, total, "feature", progress=progress) as bar:
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


def _name_in_store(sae: SaeWeights, model: ModelWeights, processing: str) -> str:
    """Return the SAE's name, marked where the processing is not the model's default."""
    return sae.name if processing == default_processing(model) else f"{sae.name} ({processing})"


class _Job:
    """One ingest: a model under one processing, and what all its SAEs share."""

    def __init__(
        self, store: StoreFile, model: ModelWeights, unembedding: Unembedding, device: Device, *, keep_weights: bool
    ) -> None:
        self._folder = store.path.parent
        self._model = model
        self._unembedding = unembedding
        self._device = device
        self._archive = WeightsArchive.beside(store.path)
        self._keep_weights = keep_weights
        self._model_id = -1
        self._scorer: Scorer

    def prepare(
        self,
        engine: Engine,
        candidates: list[_Candidate],
        sets: list[TokenSet],
        null_plan: NullPlan | None,
        *,
        replace: bool,
        progress: bool,
    ) -> None:
        """Enter the model, its tokens and the sets, make room for the SAEs, and see to the nulls."""
        processing, d_vocab = self._unembedding.processing, self._model.d_vocab
        with engine.begin() as connection:
            self._model_id = register_model(connection, self._model)
            geometry = ModelGeometry(self._model_id, processing, self._unembedding.matrix)
            self._scorer = Scorer(self._folder, geometry, self._device, null_plan)
            self._scorer.agree_on_plan(connection)
            content = self._keep(self._unembedding.matrix)
            register_unembedding(connection, self._model_id, processing, content, kept=self._keep_weights)
            delete_derived(connection, upsert_sets(connection, self._model_id, sets, d_vocab).changed_ids)
            self._scorer.read_sets(connection)
            for candidate in candidates:
                check_names_free(connection, candidate.name, self._key(candidate), replace=replace)
        self._scorer.complete_nulls(engine, progress=progress)

    def run(self, engine: Engine, candidate: _Candidate, bar: tqdm[Any]) -> IngestedSae:
        """Store one SAE's features and the scores it lacks, in one transaction."""
        clock = perf_counter()
        bar.set_description(candidate.name)
        with engine.begin() as connection:
            sae_id = find_sae(connection, self._key(candidate))
            fresh = sae_id is None or lacks_statistics(connection, sae_id)
            missing = self._scorer.everything()
            if sae_id is not None and not fresh:
                missing = self._scorer.missing(connection, sae_id)
                if not missing:
                    bar.update(candidate.d_sae)
                    return summarise(connection, sae_id, 0.0)
            started = now()
            sae = load_sae(candidate.source, candidate.name)
            rows = directions(sae, self._model)
            if sae_id is None:
                sae_id = insert_sae(connection, sae, self._key(candidate), self._keep(rows), kept=self._keep_weights)
            elif fresh:
                delete_results(connection, sae_id)
            loader = FeatureLoader(connection, sae_id, sae, self._model.vocabulary) if fresh else None
            n_scores = self._scorer.score(connection, sae_id, rows, missing, loader, bar)
            self._scorer.insert_run(connection, sae_id, started, len(rows), len(missing.sets), n_scores)
        with engine.connect() as connection:
            return summarise(connection, sae_id, perf_counter() - clock)

    def _key(self, candidate: _Candidate) -> SaeKey:
        return SaeKey(candidate.weights_hash, self._model_id, self._unembedding.processing)

    def _keep(self, array: NDArray[np.float32]) -> str:
        return self._archive.keep(array) if self._keep_weights else content_hash(array)
