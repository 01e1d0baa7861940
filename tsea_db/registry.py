"""Models, their tokens and their token sets: entered into a store once, found again by content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from sqlalchemy import func, insert, select

from tsea_db import schema
from tsea_db.bulk_load import bulk_load
from tsea_db.errors import InputError
from tsea_db.kernels.set_matrix import SetMatrix

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection

    from tsea_db.token_sets import TokenSet, Vocabulary
    from tsea_db.weights.model import ModelWeights


@dataclass(frozen=True)
class StoredSet:
    """A token set of the store that can be scored."""

    set_id: int
    content_hash: str
    token_ids: np.ndarray[tuple[int], np.dtype[np.int32]]


def next_id(connection: Connection, column: Column[int]) -> int:
    """Return the id after the highest one in use: the same inputs in the same order get the same ids."""
    return int(connection.execute(select(func.coalesce(func.max(column), -1) + 1)).scalar_one())


def register_model(connection: Connection, model: ModelWeights) -> int:
    """Enter a model and its tokens unless they are there; return its id.

    Raises:
        InputError: The store has another model of that name.
    """
    known = connection.execute(
        select(schema.models.c.model_id, schema.models.c.weights_hash, schema.models.c.vocabulary_hash).where(
            schema.models.c.name == model.name
        )
    ).fetchall()
    for model_id, weights_hash, vocabulary_hash in known:
        if (weights_hash, vocabulary_hash) == (model.weights_hash, model.vocabulary.content_hash):
            return int(model_id)
        msg = (
            f"The store has another model called {model.name!r}, with other weights or tokens. "
            "Give this one another name with --model-name."
        )
        raise InputError(msg)
    model_id = next_id(connection, schema.models.c.model_id)
    connection.execute(
        insert(schema.models).values(
            model_id=model_id,
            name=model.name,
            source=model.source,
            weights_hash=model.weights_hash,
            vocabulary_hash=model.vocabulary.content_hash,
            d_model=model.d_model,
            d_vocab=model.d_vocab,
            n_layers=model.n_layers,
            normalization=model.normalization,
            soft_cap=model.soft_cap,
        )
    )
    bulk_load(connection, schema.tokens, _token_rows(model_id, model.vocabulary))
    return model_id


def register_unembedding(connection: Connection, model_id: int, processing: str, content: str, *, kept: bool) -> None:
    """Enter which unembedding a model has under a processing, or that its matrix is now kept."""
    table = schema.unembeddings
    here = (table.c.model_id == model_id) & (table.c.processing == processing)
    was_kept = connection.execute(select(table.c.kept).where(here)).scalar()
    if was_kept is None:
        connection.execute(
            insert(table).values(model_id=model_id, processing=processing, content_hash=content, kept=kept)
        )
    elif kept and not was_kept:
        connection.execute(table.update().where(here).values(kept=True))


def register_sets(connection: Connection, model_id: int, sets: list[TokenSet], d_vocab: int) -> None:
    """Enter the token sets that a model does not have yet; those that cannot be scored go into a list of their own."""
    table = schema.token_sets
    known = set(connection.execute(select(table.c.name).where(table.c.model_id == model_id)).scalars())
    unscored = schema.unscored_sets
    known |= set(connection.execute(select(unscored.c.name).where(unscored.c.model_id == model_id)).scalars())
    new = [token_set for token_set in sets if token_set.name not in known]
    scored = [token_set for token_set in new if reason_not_scored(len(token_set), d_vocab) is None]
    left_out = [
        {"model_id": model_id, "name": s.name, "family": s.family, "size": len(s), "reason": reason}
        for s in new
        if (reason := reason_not_scored(len(s), d_vocab)) is not None
    ]
    if left_out:
        bulk_load(connection, unscored, pa.Table.from_pylist(left_out))
    if not scored:
        return
    first = next_id(connection, table.c.set_id)
    rows = [_set_row(model_id, first + i, token_set) for i, token_set in enumerate(scored)]
    bulk_load(connection, table, pa.Table.from_pylist(rows))
    sizes = [len(token_set) for token_set in scored]
    members = {
        "set_id": np.repeat(np.arange(first, first + len(scored), dtype=np.int32), sizes),
        "token_id": np.concatenate([token_set.token_ids for token_set in scored]),
    }
    bulk_load(connection, schema.memberships, pa.table(members))


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
    """Read a model's token sets, in order of id."""
    table, members = schema.token_sets, schema.memberships
    rows = connection.execute(
        select(table.c.set_id, table.c.content_hash).where(table.c.model_id == model_id).order_by(table.c.set_id)
    ).fetchall()
    pairs = connection.execute(
        select(members.c.set_id, members.c.token_id)
        .join(table, table.c.set_id == members.c.set_id)
        .where(table.c.model_id == model_id)
        .order_by(members.c.set_id, members.c.token_id)
    ).fetchall()
    set_ids, token_ids = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    bounds = {set_id: (np.searchsorted(set_ids, set_id), np.searchsorted(set_ids, set_id + 1)) for set_id, _ in rows}
    return [StoredSet(set_id, hashed, token_ids[slice(*bounds[set_id])]) for set_id, hashed in rows]


def set_matrix(sets: list[StoredSet], d_vocab: int) -> SetMatrix:
    """Pack sets of the store for the kernels."""
    return SetMatrix.from_sets([stored.token_ids for stored in sets], d_vocab)


def _token_rows(model_id: int, vocabulary: Vocabulary) -> pa.Table:
    n = len(vocabulary)
    return pa.table(
        {
            "model_id": pa.array(np.full(n, model_id, np.int32)),
            "token_id": pa.array(np.arange(n, dtype=np.int32)),
            "text": pa.array(vocabulary.texts, pa.string()),
            "bytes": pa.array(vocabulary.data, pa.binary()),
            "special": pa.array([i in vocabulary.special for i in range(n)]),
            "starts_word": pa.array(vocabulary.starts_word, pa.bool_()),
        }
    )


def _set_row(model_id: int, set_id: int, token_set: TokenSet) -> dict[str, object]:
    return {
        "set_id": set_id,
        "model_id": model_id,
        "name": token_set.name,
        "family": token_set.family,
        "phrase": token_set.phrase,
        "size": len(token_set),
        "content_hash": token_set.content_hash,
        "definition": token_set.definition,
        "source": token_set.source,
        "version": token_set.version,
    }
