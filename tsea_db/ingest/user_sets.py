"""Token sets of a store: everybody's own in, all of them out, compared with files and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from tsea_db.errors import InputError
from tsea_db.store import schema
from tsea_db.store.derived_sets import delete_derived
from tsea_db.store.token_sets import SetChanges, read_sets, upsert_sets
from tsea_db.token_sets import BuiltSets, TokenSet, load_catalogue, load_sets
from tsea_db.vocabulary import Vocabulary
from tsea_db.vocabulary.tokenizers import encoder

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tsea_db.store.file import StoreFile
    from tsea_db.vocabulary.tokenizers import Encode


@dataclass(frozen=True)
class ModelSets:
    """The token sets of one model of a store.

    Attributes:
        model_id: Its id.
        model: Its name.
        source: Where the model was read from.
        vocabulary: Its tokens, as the store has them.
        sets: Its sets that can be scored.
    """

    model_id: int
    model: str
    source: str
    vocabulary: Vocabulary
    sets: list[TokenSet]


@dataclass(frozen=True)
class AddedSets:
    """What adding a file did.

    Attributes:
        changes: Names of the sets that are new, changed, unchanged or not scored.
        built: The sets, the entries that became no members, and warnings.
    """

    changes: SetChanges
    built: BuiltSets


def model_sets(store: StoreFile, model: str | None = None) -> ModelSets:
    """Read the token sets and the vocabulary of a model.

    Args:
        store: The store.
        model: Name of the model; may be left out if the store has just one.

    Raises:
        InputError: There is no such model, none at all, or several and none is named.
    """
    with store.engine(read_only=True) as engine, engine.connect() as connection:
        return _model_sets(connection, model)


def load_for(current: ModelSets, path: str | Path) -> BuiltSets:
    """Read the sets of a TOML or GMT file for a model, without storing them; see :func:`add_sets`."""
    library = load_catalogue(current.vocabulary)
    own = {token_set.name for token_set in current.sets}
    known = [*current.sets, *(token_set for token_set in library if token_set.name not in own)]
    built = load_sets(path, current.vocabulary, known, _encode(current.source))
    shipped = {token_set.name: token_set.content_hash for token_set in library}
    for token_set in built.sets:
        if shipped.get(token_set.name, token_set.content_hash) != token_set.content_hash:
            msg = f"The library has a set {token_set.name!r} with other members: give yours another name."
            raise InputError(msg)
    return built


def add_sets(store: StoreFile, path: str | Path, model: str | None = None) -> AddedSets:
    """Enter the sets of a TOML or GMT file into a store; see :func:`tsea_db.token_sets.load_sets`.

    They are scored by ``tsea ingest --pending`` and by every later ingest. A set that is there with other members gets
    a new version, and its scores are stale until then.

    Raises:
        InputError: No such model, or a set cannot be used; nothing was stored.
    """
    with store.writer() as engine, engine.begin() as connection:
        current = _model_sets(connection, model)
        built = load_for(current, path)
        changes = upsert_sets(connection, current.model_id, built.sets, len(current.vocabulary))
        delete_derived(connection, changes.changed_ids)
        return AddedSets(changes, built)


def _model_sets(connection: Connection, model: str | None) -> ModelSets:
    models, tokens = schema.models.c, schema.tokens.c
    known = {row.name: row for row in connection.execute(select(schema.models).order_by(models.model_id)).fetchall()}
    if model is None and len(known) == 1:
        [model] = known
    if model is None or model not in known:
        what = "has no model yet: ingest an SAE first" if not known else f"has the models {', '.join(known)}"
        msg = f"Which model's token sets? The store {what}."
        raise InputError(msg)
    row = known[model]
    its_tokens = connection.execute(
        select(tokens.bytes, tokens.special, tokens.starts_word)
        .where(tokens.model_id == row.model_id)
        .order_by(tokens.token_id)
    ).fetchall()
    vocabulary = Vocabulary(
        data=tuple(bytes(token.bytes) for token in its_tokens),
        special=frozenset(np.flatnonzero([token.special for token in its_tokens]).tolist()),
        starts_word=tuple(token.starts_word for token in its_tokens),
    )
    return ModelSets(row.model_id, model, row.source, vocabulary, list(read_sets(connection, row.model_id).values()))


def _encode(source: str) -> Encode | None:
    """Return how the model's tokenizer splits a text, if its directory is still there."""
    file = Path(source) / "tokenizer.json"
    if not file.is_file():
        return None
    from tokenizers import Tokenizer

    return encoder(Tokenizer.from_file(str(file)))
