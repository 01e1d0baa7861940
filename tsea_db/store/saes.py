"""SAEs as the store knows them: entered, found again by content, replaced, summed up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select

from tsea_db.errors import InputError
from tsea_db.store import schema
from tsea_db.store.models import next_id
from tsea_db.version import __version__
from tsea_db.weights.hook_points import HookPoint

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tsea_db.store.derived_sets import Contrast
    from tsea_db.store.token_sets import StoredSet
    from tsea_db.weights.sae import SaeWeights


_RESULTS = (
    schema.labels,
    schema.near_misses,
    schema.scores,
    schema.partition_scores,
    schema.contrast_scores,
    schema.control_scores,
    schema.sae_contrasts,
    schema.sae_sets,
    schema.features,
)


@dataclass(frozen=True)
class SaeKey:
    """What an ``sae_id`` stands for."""

    weights_hash: str
    model_id: int
    processing: str


@dataclass(frozen=True)
class IngestedSae:
    """An SAE of the store after an ingest.

    Attributes:
        sae: Its name in the store.
        hook_point: Where it writes.
        n_features: Rows of its decoder.
        n_dead: Features that never fire; None if the SAE came without firing frequencies.
        n_zero_direction: Features without any effect on the logits, which have no scores.
        n_sets: Token sets it has scores for.
        n_scores: Scores it has.
        n_sets_without_z: Token sets among them without z, p and q; ``sae_sets`` has the reasons.
        controls_direction: Mean share of features with ``log10_p`` below 0.05 over the random controls; None if the
            null does not apply. Near 0.05 if the SAE's features are no more alike than random directions.
        controls_es: The same for ``log10_p_es``.
        controls_token: The same for ``log10_p_token``.
        seconds: Time this ingest spent on it; 0 if all was there already.
    """

    sae: str
    hook_point: str
    n_features: int
    n_dead: int | None
    n_zero_direction: int
    n_sets: int
    n_scores: int
    n_sets_without_z: int
    controls_direction: float | None
    controls_es: float | None
    controls_token: float | None
    seconds: float


def find_sae(connection: Connection, key: SaeKey) -> int | None:
    """Return the id of the SAE with these weights under this model and processing, or None."""
    table = schema.saes
    found = connection.execute(
        select(table.c.sae_id).where(
            table.c.weights_hash == key.weights_hash,
            table.c.model_id == key.model_id,
            table.c.processing == key.processing,
        )
    ).scalar()
    return None if found is None else int(found)


def check_names_free(connection: Connection, name: str, key: SaeKey, *, replace: bool) -> None:
    """See to it that no other SAE has the name.

    Raises:
        InputError: Another SAE has it, and ``replace`` is not set.
    """
    table = schema.saes
    row = connection.execute(
        select(table.c.sae_id, table.c.weights_hash, table.c.model_id, table.c.processing).where(table.c.name == name)
    ).fetchone()
    if row is None or SaeKey(row.weights_hash, row.model_id, row.processing) == key:
        return
    if not replace:
        msg = (
            f"The store has another SAE called {name!r}, with other weights, model or processing. "
            "Give this one another name with --name, or put it in the other's place with --replace."
        )
        raise InputError(msg)
    delete_results(connection, row.sae_id)
    for dependent in (schema.feature_annotations, schema.ingest_runs, table):
        connection.execute(delete(dependent).where(dependent.c.sae_id == row.sae_id))


def delete_results(connection: Connection, sae_id: int) -> None:
    """Delete all that was computed for an SAE."""
    for table in _RESULTS:
        connection.execute(delete(table).where(table.c.sae_id == sae_id))


def lacks_statistics(connection: Connection, sae_id: int) -> bool:
    """Tell whether an SAE was scored by a version that stored neither z nor p."""
    table = schema.sae_sets.c
    without = select(table.set_id).where(table.sae_id == sae_id, table.null_median.is_(None), table.reason.is_(None))
    return connection.execute(without.limit(1)).first() is not None


def insert_sae(connection: Connection, sae: SaeWeights, key: SaeKey, directions_hash: str, *, kept: bool) -> int:
    """Enter an SAE; return its new id."""
    sae_id = next_id(connection, schema.saes.c.sae_id)
    connection.execute(
        insert(schema.saes).values(
            sae_id=sae_id,
            model_id=key.model_id,
            processing=key.processing,
            name=sae.name,
            hook_point=sae.hook_point,
            layer=HookPoint.parse(sae.hook_point).layer,
            d_sae=len(sae.W_dec),
            architecture=sae.architecture,
            weights_hash=key.weights_hash,
            source=sae.source,
            directions_hash=directions_hash,
            kept=kept,
            package_version=__version__,
        )
    )
    return sae_id


def sets_to_score(connection: Connection, sae_id: int, sets: list[StoredSet]) -> list[StoredSet]:
    """Return the sets that the SAE has no scores for, or scores for other members than they have now."""
    table = schema.sae_sets
    rows = connection.execute(select(table.c.set_id, table.c.content_hash).where(table.c.sae_id == sae_id)).fetchall()
    scored = {(row.set_id, row.content_hash) for row in rows}
    return [stored for stored in sets if (stored.set_id, stored.content_hash) not in scored]


def delete_scores(connection: Connection, sae_id: int, sets: list[StoredSet]) -> None:
    """Delete an SAE's scores for some sets, which are about to be replaced."""
    set_ids = [stored.set_id for stored in sets]
    for table in (schema.scores, schema.sae_sets):
        connection.execute(delete(table).where(table.c.sae_id == sae_id, table.c.set_id.in_(set_ids)))


def controls_to_score(connection: Connection, sae_id: int, controls: list[StoredSet]) -> list[StoredSet]:
    """Return the random controls that the SAE has no shares of."""
    table = schema.control_scores
    scored = set(connection.execute(select(table.c.set_id).where(table.c.sae_id == sae_id)).scalars())
    return [stored for stored in controls if stored.set_id not in scored]


def contrasts_to_score(connection: Connection, sae_id: int, contrasts: list[Contrast]) -> list[Contrast]:
    """Return the contrasts that the SAE has no scores for."""
    table = schema.sae_contrasts
    scored = set(connection.execute(select(table.c.contrast_id).where(table.c.sae_id == sae_id)).scalars())
    return [contrast for contrast in contrasts if contrast.contrast_id not in scored]


def summarise(connection: Connection, sae_id: int, seconds: float) -> IngestedSae:
    """Count what the store has of an SAE."""
    sae, rows, sets = schema.saes, schema.features, schema.sae_sets
    name, hook_point = connection.execute(select(sae.c.name, sae.c.hook_point).where(sae.c.sae_id == sae_id)).one()
    n_features, n_known, n_dead, n_zero = connection.execute(
        select(
            func.count(),
            func.count(rows.c.dead),
            func.coalesce(func.count().filter(rows.c.dead), 0),
            func.count().filter(rows.c.zero_direction),
        ).where(rows.c.sae_id == sae_id)
    ).one()
    n_sets, n_scores = connection.execute(
        select(func.count(), func.coalesce(func.sum(sets.c.n_scored), 0)).where(sets.c.sae_id == sae_id)
    ).one()
    null, controls = schema.set_nulls, schema.control_scores
    n_without_z = connection.execute(
        select(func.count())
        .select_from(sets.join(sae, sae.c.sae_id == sets.c.sae_id))
        .join(null, (null.c.set_id == sets.c.set_id) & (null.c.processing == sae.c.processing))
        .where(sets.c.sae_id == sae_id, null.c.reason.is_not(None))
    ).scalar_one()
    shares = connection.execute(
        select(
            func.avg(controls.c.share_p_direction), func.avg(controls.c.share_p_es), func.avg(controls.c.share_p_token)
        ).where(controls.c.sae_id == sae_id)
    ).one()
    return IngestedSae(
        sae=name,
        hook_point=hook_point,
        n_features=n_features,
        n_dead=n_dead if n_known else None,
        n_zero_direction=n_zero,
        n_sets=n_sets,
        n_scores=int(n_scores),
        n_sets_without_z=n_without_z,
        controls_direction=shares[0],
        controls_es=shares[1],
        controls_token=shares[2],
        seconds=seconds,
    )
