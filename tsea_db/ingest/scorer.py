"""Scoring an SAE of the store: all that does not depend on where its weights come from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import insert

from tsea_db.ingest.nulls import add_moment_null, add_overlaps, add_set_nulls
from tsea_db.ingest.scores import ScoreWriter
from tsea_db.ingest.spool import ScoreSpool
from tsea_db.progress import progress_bar
from tsea_db.statistics.direction_null import unit_directions
from tsea_db.store import schema
from tsea_db.store.derived_sets import (
    Contrast,
    register_contrasts,
    register_controls,
    stored_contrasts,
    stored_derived_sets,
)
from tsea_db.store.models import next_id
from tsea_db.store.nulls import (
    MeasuredSets,
    ModelGeometry,
    NullPlan,
    agreed_plan,
    has_moment_null,
    measured_sets,
    sets_without_null,
)
from tsea_db.store.saes import contrasts_to_score, controls_to_score, delete_scores, sets_to_score
from tsea_db.store.token_sets import StoredSet, set_matrix, stored_sets
from tsea_db.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy import Connection, Engine
    from tqdm.auto import tqdm

    from tsea_db.ingest.features import FeatureLoader
    from tsea_db.kernels.device import Device


@dataclass(frozen=True)
class Missing:
    """What an SAE has no scores for yet."""

    sets: list[StoredSet]
    controls: list[StoredSet]
    contrasts: list[Contrast]

    def __bool__(self) -> bool:
        return bool(self.sets or self.controls or self.contrasts)


class Scorer:
    """A model of the store under one processing, with everything that its SAEs are scored for."""

    def __init__(
        self, folder: Path, geometry: ModelGeometry, device: Device, null_plan: NullPlan | None = None
    ) -> None:
        """Prepare to score on a device; ``folder`` is where scores wait until an SAE is done."""
        self.geometry = geometry
        self._plan = null_plan
        self._device = device
        self._folder = folder
        self._sets: list[StoredSet] = []
        self._controls: list[StoredSet] = []
        self._partitions: list[StoredSet] = []
        self._contrasts: list[Contrast] = []
        self._measured: MeasuredSets | None = None

    def agree_on_plan(self, connection: Connection) -> NullPlan:
        """Settle on the plan of the nulls before any is forgotten; see :func:`tsea_db.store.nulls.agreed_plan`."""
        self._plan = agreed_plan(connection, self.geometry, self._plan)
        return self._plan

    def read_sets(self, connection: Connection) -> None:
        """Read the model's sets; enter the controls and contrasts that it lacks."""
        model_id, d_vocab = self.geometry.model_id, self.geometry.d_vocab
        self._sets = stored_sets(connection, model_id)
        register_controls(connection, model_id, self._sets, d_vocab)
        register_contrasts(connection, model_id, self._sets, d_vocab)
        self._controls = stored_derived_sets(connection, model_id, "control")
        self._partitions = stored_derived_sets(connection, model_id, "partition")
        self._contrasts = stored_contrasts(connection, model_id)

    def complete_nulls(self, engine: Engine, *, progress: bool) -> None:
        """Compute what is missing of the nulls, in a transaction for each kind."""
        everything = [*self._sets, *self._controls, *self._partitions]
        with engine.begin() as connection:
            plan = self.agree_on_plan(connection)
            add_overlaps(connection, self.geometry, self._sets)
            missing = sets_without_null(connection, self.geometry, everything)
            if missing:
                with progress_bar("nulls of sets", plan.draws, "direction", progress=progress) as bar:
                    add_set_nulls(connection, self.geometry, missing, plan, self._device, bar.update)
        with engine.begin() as connection:
            if not has_moment_null(connection, self.geometry):
                with progress_bar("nulls of moments", plan.moment_draws, "direction", progress=progress) as bar:
                    add_moment_null(connection, self.geometry, plan, bar.update)

    def everything(self) -> Missing:
        """What an SAE without any scores lacks."""
        return Missing(self._sets, self._controls, self._contrasts)

    def missing(self, connection: Connection, sae_id: int) -> Missing:
        """What an SAE of the store lacks, or has of earlier members of a set."""
        return Missing(
            sets_to_score(connection, sae_id, self._sets),
            controls_to_score(connection, sae_id, self._controls),
            contrasts_to_score(connection, sae_id, self._contrasts),
        )

    def score(
        self,
        connection: Connection,
        sae_id: int,
        rows: NDArray[np.float32],
        missing: Missing,
        loader: FeatureLoader | None,
        bar: tqdm[Any],
    ) -> int:
        """Score all features for what is missing, in place of stale scores; return the number of scores."""
        delete_scores(connection, sae_id, missing.sets)
        needed = {part for contrast in missing.contrasts for part in (contrast.only_a, contrast.a_and_b)}
        partitions = [stored for stored in self._partitions if stored.set_id in needed]
        sets = [*missing.sets, *missing.controls, *partitions]
        geometry, measured = self.geometry, self._measure(connection)
        others = self._only_compared(missing.contrasts, sets)
        directions = measured.of([*sets, *others]).directions
        spool = ScoreSpool(self._folder, len(rows), sets, others, directions.unit)
        scored = np.empty(len(rows), dtype=np.bool_)
        matrix = set_matrix(sets, geometry.d_vocab)
        for block in self._device.score_features(rows, geometry.packed, matrix):
            part = slice(block.start, block.start + len(block))
            units, usable = unit_directions(rows[part], geometry.subspace)
            scored[part] = usable & ~block.zero_direction
            spool.add(block, units)
            if loader is not None:
                loader.add(block, scored[part])
            bar.update(len(block))
        if loader is not None:
            loader.finish()
        bar.set_postfix_str("p and q")
        features = np.flatnonzero(scored).astype(np.int32)
        writer = ScoreWriter(connection, sae_id, measured, spool, features)
        writer.write_library(missing.sets)
        writer.write_controls(missing.controls)
        writer.write_partitions(partitions)
        writer.write_contrasts(missing.contrasts, {stored.set_id: stored for stored in self._sets})
        bar.set_postfix_str("")
        return len(features) * len(missing.sets)

    def _measure(self, connection: Connection) -> MeasuredSets:
        """Read the nulls of all sets, once for all SAEs."""
        if self._measured is None:
            everything = [*self._sets, *self._controls, *self._partitions]
            self._measured = measured_sets(connection, self.geometry, everything)
        return self._measured

    def _only_compared(self, contrasts: list[Contrast], scored: list[StoredSet]) -> list[StoredSet]:
        """Return the sets of contrasts that are not scored themselves."""
        compared = {set_id for contrast in contrasts for set_id in (contrast.set_a, contrast.set_b)}
        compared -= {stored.set_id for stored in scored}
        return [stored for stored in self._sets if stored.set_id in compared]

    def insert_run(
        self, connection: Connection, sae_id: int, started: datetime, n_features: int, n_sets: int, n_scores: int
    ) -> None:
        """Note when an SAE was scored for how much."""
        connection.execute(
            insert(schema.ingest_runs).values(
                run_id=next_id(connection, schema.ingest_runs.c.run_id),
                sae_id=sae_id,
                started_at=started,
                finished_at=now(),
                n_features=n_features,
                n_sets=n_sets,
                n_scores=n_scores,
                package_version=__version__,
                product=self._device.product_name(self.geometry.packed),
            )
        )


def now() -> datetime:
    """Return the time as the store has it: UTC, without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)
