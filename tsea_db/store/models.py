"""Models and their tokens: entered into a store once, found again by content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from sqlalchemy import func, insert, select

from tsea_db.errors import InputError
from tsea_db.store import schema
from tsea_db.store.bulk import bulk_load

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection

    from tsea_db.vocabulary import Vocabulary
    from tsea_db.weights.model import ModelWeights


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
