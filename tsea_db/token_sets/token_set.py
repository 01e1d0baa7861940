"""A token set: the tokens of one kind, and where that kind comes from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tsea_db.errors import TokenSetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TokenSet:
    """A named set of token ids of one vocabulary.

    Attributes:
        name: Identifier, unique among the sets of a model (``verb_past_strict``).
        family: Name of the family that built it (``verb_forms``).
        phrase: What its members are called in a label ("past-tense-only verbs").
        definition: What makes a token a member, for a person.
        source: Where the definition or its data come from.
        token_ids: Members, int32, ascending, without repeats.
        version: Raised when the definition changes.
        tags: Penn tags of which a lexicon should give each member one; none if the set claims no part of speech.
    """

    name: str
    family: str
    phrase: str
    definition: str
    source: str
    token_ids: NDArray[np.int32]
    version: int = 1
    tags: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        ids: Iterable[int],
        *,
        name: str,
        family: str,
        phrase: str,
        definition: str,
        source: str,
        version: int = 1,
        tags: Iterable[str] = (),
    ) -> TokenSet:
        """Make a set of any iterable of ids.

        Raises:
            TokenSetError: An id is negative.
        """
        token_ids = np.unique(np.fromiter(ids, dtype=np.int64))
        if token_ids.size and token_ids[0] < 0:
            msg = f"Token set {name!r} has a negative token id ({token_ids[0]})."
            raise TokenSetError(msg)
        return cls(name, family, phrase, definition, source, token_ids.astype(np.int32), version, tuple(tags))

    def __len__(self) -> int:
        """Number of members, k."""
        return len(self.token_ids)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the members: two sets with the same hash have the same scores."""
        return hashlib.sha256(self.token_ids.astype("<i4").tobytes()).hexdigest()
