"""Token sets as arrays: which tokens belong to which set, seen from either side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tsea_db.errors import TokenSetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

MAX_TOKENS = (1 << 21) - 1
"""Largest vocabulary the kernels take: token ids and ranks are packed into 21 bits."""


@dataclass(frozen=True, eq=False)
class SetMatrix:
    """Membership of ``n_tokens`` tokens in ``n_sets`` sets, compressed by set.

    Set ``s`` holds ``token_ids[offsets[s]:offsets[s + 1]]``, ascending and without repeats. Build it with
    :meth:`from_sets`, which checks that.

    Attributes:
        n_tokens: V, the number of columns of the unembedding.
        offsets: int64 ``(n_sets + 1,)``.
        token_ids: int32 ``(n_memberships,)``.
    """

    n_tokens: int
    offsets: NDArray[np.int64]
    token_ids: NDArray[np.int32]

    @classmethod
    def from_sets(cls, sets: Sequence[ArrayLike], n_tokens: int) -> SetMatrix:
        """Check and pack sets of token ids, each in any order.

        Raises:
            TokenSetError: an id is not an integer, lies outside ``0 .. n_tokens - 1`` or is given twice in a set, or
                the vocabulary is empty or has 2**21 tokens or more. The message names the set by its position.
        """
        if not 0 < n_tokens <= MAX_TOKENS:
            raise TokenSetError(f"A vocabulary has 1 to {MAX_TOKENS} tokens; this one has {n_tokens}.")
        members = [_sorted_members(ids, position, n_tokens) for position, ids in enumerate(sets)]
        offsets = np.zeros(len(members) + 1, np.int64)
        np.cumsum([len(ids) for ids in members], out=offsets[1:])
        token_ids = np.concatenate(members) if members else np.empty(0, np.int32)
        return cls(n_tokens=n_tokens, offsets=offsets, token_ids=token_ids)

    @property
    def n_sets(self) -> int:
        """Number of sets, those that cannot be scored included."""
        return len(self.offsets) - 1

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Number of members of each set (k), int64 ``(n_sets,)``."""
        return np.diff(self.offsets)

    @cached_property
    def scorable(self) -> NDArray[np.bool_]:
        """Sets that have both members and others (0 < k < V), bool ``(n_sets,)``; the rest have no enrichment score."""
        return (self.sizes > 0) & (self.sizes < self.n_tokens)

    @cached_property
    def walked(self) -> WalkedSets:
        """The sets as the walk down a ranking wants them: by token, a large set replaced by its small complement."""
        return WalkedSets.from_matrix(self)


class WalkedSets(NamedTuple):
    """What the running sum counts: every set, or its complement where that is smaller, compressed by token.

    The running sum of a complement is the negative of the set's own, so counting the smaller side changes no score and
    saves work: a vocabulary of words has sets that hold two thirds of it.

    Attributes:
        sizes: k of each counted side, int64 ``(n_sets,)``, at most V / 2; 0 for sets that cannot be scored.
        complemented: bool ``(n_sets,)``, True where the counted side is the complement.
        token_offsets: int64 ``(V + 1,)``.
        set_ids: int32; token ``t`` is counted in ``set_ids[token_offsets[t]:token_offsets[t + 1]]``.
    """

    sizes: NDArray[np.int64]
    complemented: NDArray[np.bool_]
    token_offsets: NDArray[np.int64]
    set_ids: NDArray[np.int32]

    @classmethod
    def from_matrix(cls, sets: SetMatrix) -> WalkedSets:
        """Turn a set-by-set matrix into a token-by-token one."""
        n_tokens = sets.n_tokens
        complemented = 2 * sets.sizes > n_tokens
        sizes = np.where(complemented, n_tokens - sets.sizes, sets.sizes)
        counted = [_counted_side(sets, s, bool(complemented[s])) for s in range(sets.n_sets)]
        tokens = np.concatenate(counted) if counted else np.empty(0, np.int32)
        set_ids = np.repeat(np.arange(sets.n_sets, dtype=np.int32), sizes)
        token_offsets = np.zeros(n_tokens + 1, np.int64)
        np.cumsum(np.bincount(tokens, minlength=n_tokens), out=token_offsets[1:])
        by_token = np.argsort(tokens, kind="stable")
        return cls(sizes, complemented, token_offsets, set_ids[by_token])


def _counted_side(sets: SetMatrix, position: int, complemented: bool) -> NDArray[np.int32]:
    members = sets.token_ids[sets.offsets[position] : sets.offsets[position + 1]]
    if not complemented:
        return members
    outside = np.ones(sets.n_tokens, np.bool_)
    outside[members] = False
    return np.flatnonzero(outside).astype(np.int32)


def _sorted_members(ids: ArrayLike, position: int, n_tokens: int) -> NDArray[np.int32]:
    given = np.asarray(ids).reshape(-1)
    if given.size == 0:
        return np.empty(0, np.int32)
    if given.dtype.kind not in "iu":
        raise TokenSetError(f"Token set {position} holds {given.dtype} values; token ids are integers.")
    members = np.sort(given)
    outside = members[0] if members[0] < 0 else members[-1]
    if not 0 <= outside < n_tokens:
        raise TokenSetError(
            f"Token set {position} holds token {outside}, outside the vocabulary's 0 to {n_tokens - 1}: "
            "build the set from the tokenizer of this model."
        )
    repeated = np.flatnonzero(members[1:] == members[:-1])
    if repeated.size:
        raise TokenSetError(f"Token set {position} holds token {members[repeated[0]]} twice: give each token once.")
    return members.astype(np.int32)
