"""An unembedding with its token sets and their stored null distributions, shared by all SAEs of a model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from tsea_db.errors import InputError
from tsea_db.kernels.product import PackedUnembedding
from tsea_db.statistics.decodability import decodability
from tsea_db.statistics.direction_null import (
    ReadSubspace,
    SetDirections,
    sample_directions,
    set_directions,
    unembedding_gram,
    unembedding_subspace,
)
from tsea_db.statistics.es_null import MIN_DRAWS, QUANTILE_SHARES, EsNull
from tsea_db.statistics.moment_null import MIN_DRAWS as MIN_MOMENT_DRAWS
from tsea_db.statistics.token_null import load_token_null
from tsea_db.store import schema
from tsea_db.store.token_sets import set_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from tsea_db.kernels.set_matrix import SetMatrix
    from tsea_db.statistics.token_null import TokenNull
    from tsea_db.store.token_sets import StoredSet

_LEAST = {"draws": MIN_DRAWS, "moment_draws": MIN_MOMENT_DRAWS, "seed": 0}

_DECIMALS = 6
"""Decodability is rounded to what means something."""


@dataclass(frozen=True)
class NullPlan:
    """How many random directions the sampled nulls of a model come from, and which ones.

    z, p and q need no samples: they are the same under every plan. NES, the p of enrichment scores and the thresholds
    of feature classes are not.

    Attributes:
        draws: Directions behind the null of each set's enrichment score, 200 or more.
        moment_draws: Directions behind the quantiles of moments, 2,000 or more.
        seed: Seed of both, 0 or more.

    Raises:
        InputError: One of them is no whole number, or too small.
    """

    draws: int = 4_000
    moment_draws: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is not int or not _LEAST[name] <= value < 2**31:
                msg = f"{name} of a null plan is a whole number from {_LEAST[name]} to {2**31 - 1}, not {value!r}."
                raise InputError(msg)


@dataclass(frozen=True)
class ModelGeometry:
    """An unembedding of the store and what follows from it alone.

    Attributes:
        model_id: Its model.
        processing: What was done to it.
        U: float32, d_model x d_vocab.
    """

    model_id: int
    processing: str
    U: NDArray[np.float32]

    @property
    def d_vocab(self) -> int:
        """Number of tokens, V."""
        return int(self.U.shape[1])

    @cached_property
    def norms(self) -> NDArray[np.float64]:
        """Norms of the unembedding's columns, d_vocab."""
        return self.packed.norms

    @cached_property
    def packed(self) -> PackedUnembedding:
        """The unembedding ready for the product."""
        return PackedUnembedding.pack(self.U)

    @cached_property
    def subspace(self) -> ReadSubspace:
        """The part of the residual stream that it reads."""
        return unembedding_subspace(self.U)

    def directions(self, sets: list[StoredSet]) -> SetDirections:
        """Return the Delta of each set."""
        matrix = set_matrix(sets, self.d_vocab)
        return set_directions(self.U, matrix.offsets, matrix.token_ids, self.subspace)

    def decodability(self, directions: SetDirections, matrix: SetMatrix) -> NDArray[np.float64]:
        """Return how well each set can be read off linearly."""
        gram = unembedding_gram(self.U, centred=True)
        return np.round(decodability(gram, directions, matrix.sizes, self.d_vocab), _DECIMALS)

    def draw(self, n: int, start: int, seed: int) -> NDArray[np.float32]:
        """Draw random directions, float32 (n, d_model), as the kernels score them."""
        return sample_directions(n, seed, self.subspace, start).astype(np.float32)


@dataclass(frozen=True)
class MeasuredSets:
    """Sets of a model with all that their scores are measured against.

    Attributes:
        geometry: The unembedding.
        sets: The sets.
        es_null: Null of the enrichment score of each.
        seed: Seed of the directions behind those nulls.
    """

    geometry: ModelGeometry
    sets: list[StoredSet]
    es_null: EsNull
    seed: int

    @cached_property
    def directions(self) -> SetDirections:
        """Delta of each set."""
        return self.geometry.directions(self.sets)

    @cached_property
    def token_null(self) -> TokenNull:
        """Tables of the random-token null for the sets' sizes."""
        return load_token_null(self.sizes, self.geometry.d_vocab)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Number of members of each set."""
        return np.array([len(stored.token_ids) for stored in self.sets], dtype=np.int64)

    @cached_property
    def _positions(self) -> dict[int, int]:
        return {stored.set_id: i for i, stored in enumerate(self.sets)}

    def of(self, sets: list[StoredSet]) -> MeasuredSets:
        """Return some of the sets, in the order given, without computing anything again."""
        at = np.array([self._positions[stored.set_id] for stored in sets], dtype=np.int64)
        null, directions = self.es_null, self.directions
        arrays = ("mean_abs_es", "quantiles", "mu", "sigma", "fit_error", "fitted")
        es_null = replace(null, **{name: getattr(null, name)[at] for name in arrays})
        part = MeasuredSets(self.geometry, sets, es_null, self.seed)
        part.__dict__["directions"] = SetDirections(
            directions.unit[at], directions.length[at], directions.d_eff, tuple(directions.reasons[i] for i in at)
        )
        part.__dict__["token_null"] = self.token_null
        return part


def agreed_plan(connection: Connection, geometry: ModelGeometry, wanted: NullPlan | None) -> NullPlan:
    """Return the plan that the nulls of an unembedding follow, or are to follow where it has none yet.

    Args:
        connection: A connection to the store.
        geometry: The unembedding.
        wanted: The plan asked for; None for the one of the stored nulls, by default ``NullPlan()``.

    Raises:
        InputError: Stored nulls follow another plan than the one asked for.
    """
    stored = _stored_plan(connection, geometry)
    plan = NullPlan(**stored) if wanted is None else wanted
    asked = {name: getattr(plan, name) for name in stored}
    if asked != stored:
        of_the_store, of_the_call = (", ".join(f"{k}={v}" for k, v in each.items()) for each in (stored, asked))
        msg = (
            f"The nulls that the store has of this model ({geometry.processing}) come from {of_the_store}; the plan "
            f"given has {of_the_call}. Leave it out to go on with the store's, or take a new store."
        )
        raise InputError(msg)
    return plan


def _stored_plan(connection: Connection, geometry: ModelGeometry) -> dict[str, int]:
    """Return what the stored nulls tell of their plan, by field: nothing, part of it after an interruption, or all."""
    found: dict[str, int] = {}
    for table, name in ((schema.set_nulls.c, "draws"), (schema.moment_nulls.c, "moment_draws")):
        here = (table.model_id == geometry.model_id) & (table.processing == geometry.processing)
        row = connection.execute(select(table.n_draws, table.seed).where(here).limit(1)).first()
        if row is not None:
            found |= {name: row.n_draws, "seed": row.seed}
    return {name: found[name] for name in _LEAST if name in found}


def sets_without_null(connection: Connection, geometry: ModelGeometry, sets: list[StoredSet]) -> list[StoredSet]:
    """Return the sets that have no null under the processing yet."""
    table = schema.set_nulls.c
    here = (table.model_id == geometry.model_id) & (table.processing == geometry.processing)
    known = set(connection.execute(select(table.set_id).where(here)).scalars())
    return [stored for stored in sets if stored.set_id not in known]


def measured_sets(connection: Connection, geometry: ModelGeometry, sets: list[StoredSet]) -> MeasuredSets:
    """Read the nulls of some sets; all must have one."""
    table = schema.set_nulls.c
    here = (table.model_id == geometry.model_id) & (table.processing == geometry.processing)
    found = {row.set_id: row for row in connection.execute(select(schema.set_nulls).where(here))}
    rows: list[Any] = [found[stored.set_id] for stored in sets]
    quantiles = [np.zeros(len(QUANTILE_SHARES)) if row.quantiles is None else row.quantiles for row in rows]

    def column(name: str) -> NDArray[np.float64]:
        return np.array([getattr(row, name) or 0.0 for row in rows], dtype=np.float64)

    null = EsNull(
        n_draws=rows[0].n_draws if rows else 0,
        mean_abs_es=column("mean_abs_es"),
        quantiles=np.array(quantiles, dtype=np.float64).reshape(len(rows), len(QUANTILE_SHARES)),
        mu=column("mu"),
        sigma=column("sigma"),
        fit_error=column("fit_error"),
        fitted=np.array([row.es_reason is None for row in rows], dtype=bool),
    )
    return MeasuredSets(geometry, sets, null, rows[0].seed if rows else 0)


def has_moment_null(connection: Connection, geometry: ModelGeometry) -> bool:
    """Tell whether the quantiles of random directions' moments are stored."""
    table = schema.moment_nulls.c
    here = (table.model_id == geometry.model_id) & (table.processing == geometry.processing)
    return connection.execute(select(table.seed).where(here)).first() is not None
