"""Sets that are scored beside the library: random controls, and what contrasts leave of two sets.

They have ids below zero and are counted nowhere as library sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
from sqlalchemy import delete, func, insert, select

from tsea_db.store import schema
from tsea_db.store.bulk import bulk_load
from tsea_db.store.models import next_id
from tsea_db.store.token_sets import StoredSet, reason_not_scored
from tsea_db.token_sets import read_contrasts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from sqlalchemy import Connection

N_CONTROLS = 20
CONTROL_SEED = 0

Kind = Literal["control", "partition"]


@dataclass(frozen=True)
class Contrast:
    """Set A given set B.

    Attributes:
        contrast_id: Its id in the store.
        set_a: The set asked about.
        set_b: The set given.
        only_a: Id of the side set A-B, None if that has too few or too many members.
        a_and_b: Id of the side set A&B, likewise.
    """

    contrast_id: int
    set_a: int
    set_b: int
    only_a: int | None
    a_and_b: int | None


def register_controls(connection: Connection, model_id: int, sets: list[StoredSet], d_vocab: int) -> None:
    """Enter a model's random controls unless they are there.

    Their sizes are those of the library's sets at twenty evenly spaced ranks. They stay when the library grows.
    """
    if stored_derived_sets(connection, model_id, "control") or not sets:
        return
    sizes = np.sort([len(stored.token_ids) for stored in sets])
    chosen = sizes[np.linspace(0, len(sizes) - 1, N_CONTROLS).round().astype(int)]
    stream = np.random.Generator(np.random.Philox(np.random.SeedSequence(CONTROL_SEED)))
    members = {
        f"random_{i + 1:02d}": np.sort(stream.choice(d_vocab, size, replace=False)) for i, size in enumerate(chosen)
    }
    _insert(connection, model_id, "control", members, CONTROL_SEED)


def register_contrasts(connection: Connection, model_id: int, sets: list[StoredSet], d_vocab: int) -> None:
    """Enter declared contrasts of stored sets, both ways, with the side sets that they need."""
    names, table = schema.token_sets.c, schema.contrasts
    by_id = {stored.set_id: stored.token_ids for stored in sets}
    named = connection.execute(select(names.name, names.set_id).where(names.model_id == model_id))
    ids: dict[str, int] = {row.name: row.set_id for row in named}
    known = {(contrast.set_a, contrast.set_b) for contrast in stored_contrasts(connection, model_id)}
    for a, b, _ in read_contrasts():
        if a not in ids or b not in ids or (ids[a], ids[b]) in known:
            continue
        tokens_a, tokens_b = by_id[ids[a]], by_id[ids[b]]
        parts = {
            f"{a} - {b}": np.setdiff1d(tokens_a, tokens_b),
            f"{b} - {a}": np.setdiff1d(tokens_b, tokens_a),
            f"{a} & {b}": np.intersect1d(tokens_a, tokens_b),
        }
        scorable = {name: part for name, part in parts.items() if reason_not_scored(len(part), d_vocab) is None}
        entered = _insert(connection, model_id, "partition", scorable, None)
        only_a, only_b, both = (entered.get(name) for name in parts)
        first = next_id(connection, table.c.contrast_id)
        shared = {"model_id": model_id, "a_and_b": both}
        rows = [
            shared | {"contrast_id": first, "set_a": ids[a], "set_b": ids[b], "only_a": only_a},
            shared | {"contrast_id": first + 1, "set_a": ids[b], "set_b": ids[a], "only_a": only_b},
        ]
        connection.execute(insert(table), rows)


def delete_derived(connection: Connection, set_ids: list[int]) -> None:
    """Delete what follows from the members of some sets and is shared by all SAEs: nulls, overlaps, contrasts.

    The sets' own scores stay: they are stale, not wrong.
    """
    contrasts, overlaps = schema.contrasts.c, schema.set_overlaps
    rows = connection.execute(
        select(contrasts.contrast_id, contrasts.only_a, contrasts.a_and_b).where(
            contrasts.set_a.in_(set_ids) | contrasts.set_b.in_(set_ids)
        )
    ).fetchall()
    gone = [row.contrast_id for row in rows]
    partitions = {part for row in rows for part in (row.only_a, row.a_and_b) if part is not None}
    for table in (schema.contrasts, schema.sae_contrasts, schema.contrast_scores):
        connection.execute(delete(table).where(table.c.contrast_id.in_(gone)))
    for table in (schema.side_sets, schema.partition_scores):
        connection.execute(delete(table).where(table.c.set_id.in_(partitions)))
    nulls = schema.set_nulls
    connection.execute(delete(nulls).where(nulls.c.set_id.in_([*set_ids, *partitions])))
    connection.execute(delete(overlaps).where(overlaps.c.set_a.in_(set_ids) | overlaps.c.set_b.in_(set_ids)))


def stored_contrasts(connection: Connection, model_id: int) -> list[Contrast]:
    """Read a model's contrasts, in order of id."""
    table = schema.contrasts.c
    rows = connection.execute(
        select(table.contrast_id, table.set_a, table.set_b, table.only_a, table.a_and_b)
        .where(table.model_id == model_id)
        .order_by(table.contrast_id)
    ).fetchall()
    return [Contrast(*row) for row in rows]


def stored_derived_sets(connection: Connection, model_id: int, kind: Kind) -> list[StoredSet]:
    """Read a model's side sets of a kind, in the order in which they were entered."""
    table = schema.side_sets.c
    rows = connection.execute(
        select(table.set_id, table.token_ids)
        .where(table.model_id == model_id, table.kind == kind)
        .order_by(table.set_id.desc())
    ).fetchall()
    return [StoredSet(set_id, "", np.array(ids, dtype=np.int32)) for set_id, ids in rows]


def _insert(
    connection: Connection, model_id: int, kind: Kind, members: Mapping[str, NDArray[np.int32]], seed: int | None
) -> dict[str, int]:
    """Enter side sets; return their ids by name."""
    if not members:
        return {}
    table = schema.side_sets
    last = int(connection.execute(select(func.coalesce(func.min(table.c.set_id), 0))).scalar_one())
    ids = {name: last - 1 - i for i, name in enumerate(members)}
    rows = {
        "set_id": pa.array(ids.values(), pa.int32()),
        "model_id": pa.array([model_id] * len(ids), pa.int32()),
        "kind": [kind] * len(ids),
        "name": list(ids),
        "size": pa.array([len(part) for part in members.values()], pa.int32()),
        "seed": pa.array([seed] * len(ids), pa.int32()),
        "token_ids": pa.array([part.astype(np.int32) for part in members.values()], pa.list_(pa.int32())),
    }
    bulk_load(connection, table, pa.table(rows))
    return ids
