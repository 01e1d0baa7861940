"""Token sets as the store knows them: entered, changed, read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from sqlalchemy import delete, select, update

from tsea_db.errors import TokenSetError
from tsea_db.kernels.set_matrix import SetMatrix
from tsea_db.store import schema
from tsea_db.store.bulk import bulk_load, bulk_read
from tsea_db.store.models import next_id
from tsea_db.token_sets import TokenSet

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection, Row

_SET_SCHEMA = pa.schema(
    [(name, pa.int32()) for name in ("set_id", "model_id", "size", "version")]
    + [(name, pa.string()) for name in ("name", "family", "phrase", "content_hash", "definition", "source")]
    + [("tags", pa.list_(pa.string()))]
)


@dataclass(frozen=True)
class StoredSet:
    """A token set of the store that can be scored."""

    set_id: int
    content_hash: str
    token_ids: NDArray[np.int32]


@dataclass(frozen=True)
class SetChanges:
    """What entering sets did, each a list of names.

    Attributes:
        new: Sets that were not there.
        changed: Sets with other members than before; they have a new version, and their scores are stale.
        changed_ids: Their ids.
        unchanged: Sets with the members they had.
        not_scored: Reasons why sets cannot be scored, by name; they are listed in ``unscored_sets``.
    """

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    changed_ids: list[int] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    not_scored: dict[str, str] = field(default_factory=dict)


def upsert_sets(connection: Connection, model_id: int, sets: list[TokenSet], d_vocab: int) -> SetChanges:
    """Enter token sets: new ones, and new versions of those whose members changed.

    A changed set keeps its id. Scores computed for its earlier version stay until they are replaced; ``sae_sets``
    holds the hash of the members they were computed for.

    Raises:
        TokenSetError: A set that has scores would change into one that cannot be scored.
    """
    table = schema.token_sets
    rows = connection.execute(select(table).where(table.c.model_id == model_id)).fetchall()
    known = {row.name: row for row in rows}
    changes = SetChanges()
    to_insert: list[TokenSet] = []
    for token_set in sets:
        row = known.get(token_set.name)
        reason = reason_not_scored(len(token_set), d_vocab)
        if reason is not None:
            if row is not None:
                msg = f"Token set {token_set.name!r} has scores, but as defined now it has none to compute: {reason}."
                raise TokenSetError(msg)
            changes.not_scored[token_set.name] = reason
        elif row is None:
            changes.new.append(token_set.name)
            to_insert.append(token_set)
        elif row.content_hash == token_set.content_hash:
            changes.unchanged.append(token_set.name)
        else:
            changes.changed.append(token_set.name)
            changes.changed_ids.append(row.set_id)
            _replace(connection, row.set_id, row.version + 1, token_set)
    _upsert_unscored(connection, model_id, [s for s in sets if s.name in changes.not_scored], changes.not_scored)
    _insert(connection, model_id, to_insert)
    return changes


def reason_not_scored(size: int, d_vocab: int) -> str | None:
    """Say why a set of that size has no useful enrichment score, or None if it has one."""
    if size == 0:
        return "no member in this vocabulary"
    if size == 1:
        return "only one member"
    if size >= d_vocab - 1:
        return "all tokens but one, or all of them, are members"
    return None


def stored_sets(connection: Connection, model_id: int) -> list[StoredSet]:
    """Read a model's token sets for scoring, in order of id."""
    return [StoredSet(set_id, s.content_hash, s.token_ids) for set_id, s in read_sets(connection, model_id).items()]


def read_sets(connection: Connection, model_id: int) -> dict[int, TokenSet]:
    """Read a model's token sets with everything known about them, by id, in order of id."""
    table, members = schema.token_sets, schema.memberships
    rows = connection.execute(select(table).where(table.c.model_id == model_id).order_by(table.c.set_id)).fetchall()
    pairs = bulk_read(
        connection,
        select(members.c.set_id, members.c.token_id)
        .join(table, table.c.set_id == members.c.set_id)
        .where(table.c.model_id == model_id)
        .order_by(members.c.set_id, members.c.token_id),
    )
    set_ids, token_ids = (np.asarray(pairs[name], np.int32) for name in ("set_id", "token_id"))

    def token_set(row: Row[Any]) -> TokenSet:
        first, last = np.searchsorted(set_ids, [row.set_id, row.set_id + 1])
        about = {key: getattr(row, key) for key in ("name", "family", "phrase", "definition", "source", "version")}
        return TokenSet(**about, token_ids=token_ids[first:last], tags=tuple(row.tags))

    return {int(row.set_id): token_set(row) for row in rows}


def set_matrix(sets: list[StoredSet], d_vocab: int) -> SetMatrix:
    """Pack sets of the store for the kernels."""
    return SetMatrix.from_sets([stored.token_ids for stored in sets], d_vocab)


def _upsert_unscored(connection: Connection, model_id: int, sets: list[TokenSet], reasons: dict[str, str]) -> None:
    table = schema.unscored_sets
    connection.execute(delete(table).where(table.c.model_id == model_id, table.c.name.in_(list(reasons))))
    if sets:
        rows = [
            {"model_id": model_id, "name": s.name, "family": s.family, "size": len(s), "reason": reasons[s.name]}
            for s in sets
        ]
        bulk_load(connection, table, pa.Table.from_pylist(rows))


def _insert(connection: Connection, model_id: int, sets: list[TokenSet]) -> None:
    if not sets:
        return
    unscored = schema.unscored_sets
    names = [token_set.name for token_set in sets]
    connection.execute(delete(unscored).where(unscored.c.model_id == model_id, unscored.c.name.in_(names)))
    first = next_id(connection, schema.token_sets.c.set_id)
    rows = [{"set_id": first + i, "model_id": model_id, **_about(s), "version": s.version} for i, s in enumerate(sets)]
    bulk_load(connection, schema.token_sets, pa.Table.from_pylist(rows, schema=_SET_SCHEMA))
    bulk_load(connection, schema.memberships, _memberships(dict(enumerate(sets, start=first))))


def _replace(connection: Connection, set_id: int, version: int, token_set: TokenSet) -> None:
    table, members = schema.token_sets, schema.memberships
    connection.execute(
        update(table)
        .where(table.c.set_id == set_id)
        .values(**_about(token_set), version=max(version, token_set.version))
    )
    connection.execute(delete(members).where(members.c.set_id == set_id))
    bulk_load(connection, members, _memberships({set_id: token_set}))


def _memberships(sets: dict[int, TokenSet]) -> pa.Table:
    sizes = [len(token_set) for token_set in sets.values()]
    return pa.table(
        {
            "set_id": np.repeat(np.array(list(sets), np.int32), sizes),
            "token_id": np.concatenate([token_set.token_ids for token_set in sets.values()]),
        }
    )


def _about(token_set: TokenSet) -> dict[str, object]:
    return {
        "name": token_set.name,
        "family": token_set.family,
        "phrase": token_set.phrase,
        "size": len(token_set),
        "content_hash": token_set.content_hash,
        "definition": token_set.definition,
        "source": token_set.source,
        "tags": list(token_set.tags),
    }
