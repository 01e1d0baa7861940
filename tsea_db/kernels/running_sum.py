"""The signed enrichment score: the running sum's largest deviation from zero, in exact integers.

Walk down the tokens by descending logit weight. With c members of a set of k tokens among the first r of V tokens, the
running sum is ``(c*V - r*k) / (k*(V - k))``. The numerator is an integer, so extremes and ties between them are decided
exactly. Tokens of equal logit weight are one step: the sum is looked at only where a tie group ends. The score is the
value of largest magnitude, positive if a positive and a negative one are equally large; its rank is where a maximum is
first reached, or a minimum last.

Source: Subramanian et al. 2005 (doi:10.1073/pnas.0506580102) with weight 0, that is the two-sample Kolmogorov-Smirnov
statistic with its sign kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tsea_db.kernels.compiled import compiled
from tsea_db.kernels.ranking import LISTED_TOKENS, list_extremes, rank_row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsea_db.kernels.set_matrix import SetMatrix, WalkedSets

_BELOW_ALL = -(1 << 62)
_COUNT, _HIGHEST, _HIGHEST_RANK, _LOWEST, _LOWEST_RANK = range(5)
"""Columns of the walk's state: members so far, extreme numerators c*V - r*k and the ranks where they are reached."""


class EnrichmentScores(NamedTuple):
    """Scores of n features against S sets.

    Attributes:
        es: float32 ``(n, S)``, -1 to 1; the correctly rounded quotient of two exact integers.
        peak_rank: int32 ``(n, S)``, tokens walked when the extreme is reached, 1 to V.
        hits: int32 ``(n, S)``, members among those tokens. The leading edge has ``hits`` members where es > 0 and
            ``k - hits`` where es < 0.

    Sets with no members or no others have es 0, peak_rank V and hits k. So has every set where all weights are equal.
    """

    es: NDArray[np.float32]
    peak_rank: NDArray[np.int32]
    hits: NDArray[np.int32]


class RankedScores(NamedTuple):
    """Listed tokens and scores of n features; the order of the arrays is known to the C form as well.

    Attributes:
        top_ids: int32 ``(n, T)``, tokens of highest logit weight, highest first.
        bottom_ids: int32 ``(n, T)``, tokens of lowest logit weight, lowest first.
        es, peak_rank, hits: ``(n, S)``; see :class:`EnrichmentScores`.
    """

    top_ids: NDArray[np.int32]
    bottom_ids: NDArray[np.int32]
    es: NDArray[np.float32]
    peak_rank: NDArray[np.int32]
    hits: NDArray[np.int32]

    @classmethod
    def empty(cls, n_rows: int, sets: SetMatrix) -> RankedScores:
        """Room for ``n_rows`` features, not yet filled in."""
        listed, scored = (n_rows, min(LISTED_TOKENS, sets.n_tokens)), (n_rows, sets.n_sets)
        return cls(
            np.empty(listed, np.int32),
            np.empty(listed, np.int32),
            np.empty(scored, np.float32),
            np.empty(scored, np.int32),
            np.empty(scored, np.int32),
        )

    def rows(self, first: int, last: int) -> RankedScores:
        """Views of rows ``first .. last - 1``."""
        here = slice(first, last)
        return RankedScores(
            self.top_ids[here], self.bottom_ids[here], self.es[here], self.peak_rank[here], self.hits[here]
        )


@compiled
def _step_single(rank: int, token: np.int64, walked: WalkedSets, state: NDArray[np.int64]) -> None:
    """Walk over one token that ties with no other; ``rank`` tokens lie before it."""
    n_tokens = walked.token_offsets.shape[0] - 1
    for s in walked.set_ids[walked.token_offsets[token] : walked.token_offsets[token + 1]]:
        late = np.int64(walked.complemented[s])
        before = state[s, _COUNT] * n_tokens - rank * walked.sizes[s]
        if rank > 0 and before <= state[s, _LOWEST] - late:
            state[s, _LOWEST] = before
            state[s, _LOWEST_RANK] = rank
        state[s, _COUNT] += 1
        after = before + n_tokens - walked.sizes[s]
        if after + late > state[s, _HIGHEST]:
            state[s, _HIGHEST] = after
            state[s, _HIGHEST_RANK] = rank + 1


@compiled
def _step_group(ranked: NDArray[np.uint64], start: int, end: int, walked: WalkedSets, state: NDArray[np.int64]) -> None:
    """Walk over the tie group at places ``start .. end - 1``: sums are looked at before and after it, never inside."""
    n_tokens = ranked.shape[0]
    for stage in range(3):
        rank = start if stage == 0 else end
        for place in range(start, end):
            token = np.int64(ranked[place] & np.uint64(0xFFFFFFFF))
            for s in walked.set_ids[walked.token_offsets[token] : walked.token_offsets[token + 1]]:
                if stage == 1:
                    state[s, _COUNT] += 1
                    continue
                late = np.int64(walked.complemented[s])
                deviation = state[s, _COUNT] * n_tokens - rank * walked.sizes[s]
                if stage == 0 and start > 0 and deviation <= state[s, _LOWEST] - late:
                    state[s, _LOWEST] = deviation
                    state[s, _LOWEST_RANK] = rank
                elif stage == 2 and deviation + late > state[s, _HIGHEST]:
                    state[s, _HIGHEST] = deviation
                    state[s, _HIGHEST_RANK] = rank


@compiled
def _report(first_group: int, walked: WalkedSets, state: NDArray[np.int64], scores: RankedScores, row: int) -> None:
    """Turn the extremes of the counted sides into one row of scores; ``first_group`` is the first tie group's size."""
    n_tokens = walked.token_offsets.shape[0] - 1
    for s in range(walked.sizes.shape[0]):
        k = walked.sizes[s]
        complemented = walked.complemented[s]
        if k == 0:
            scores.es[row, s] = np.float32(0.0)
            scores.peak_rank[row, s] = n_tokens
            scores.hits[row, s] = n_tokens if complemented else 0
            continue
        highest, lowest = state[s, _HIGHEST], state[s, _LOWEST]
        if highest == 0 and lowest == 0:
            deviation, rank = np.int64(0), np.int64(first_group)
        elif highest > -lowest or (highest == -lowest and not complemented):
            deviation, rank = highest, state[s, _HIGHEST_RANK]
        else:
            deviation, rank = lowest, state[s, _LOWEST_RANK]
        count = (deviation + rank * k) // n_tokens
        if complemented:
            deviation, count = -deviation, rank - count
        scores.es[row, s] = np.float32(np.float64(deviation) / np.float64(k * (n_tokens - k)))
        scores.peak_rank[row, s] = rank
        scores.hits[row, s] = count


@compiled
def walk_row(ranked: NDArray[np.uint64], walked: WalkedSets, scores: RankedScores, row: int) -> None:
    """Score one feature against all sets.

    The sum of a set rises only at its members, so a maximum lies just after a tie group with members and a minimum just
    before one: only those are looked at. A counted complement has the set's sum with its sign turned, so its maximum is
    the set's minimum, wanted at its last rank instead of its first, and the reverse.

    Args:
        ranked: what :func:`tsea_db.kernels.ranking.rank_row` returns, uint64 ``(V,)``.
        walked: the sets over the V tokens.
        scores: where the results go.
        row: the row of ``scores`` that is filled in.
    """
    n_tokens = ranked.shape[0]
    state = np.zeros((walked.sizes.shape[0], 5), np.int64)
    state[:, _HIGHEST] = _BELOW_ALL
    first_group = 0
    start = 0
    while start < n_tokens:
        key = ranked[start] >> np.uint64(32)
        end = start + 1
        while end < n_tokens and ranked[end] >> np.uint64(32) == key:
            end += 1
        if end == start + 1:
            _step_single(start, np.int64(ranked[start] & np.uint64(0xFFFFFFFF)), walked, state)
        else:
            _step_group(ranked, start, end, walked, state)
        if start == 0:
            first_group = end
        start = end
    _report(first_group, walked, state, scores, row)


@compiled
def _score_rows(
    weight_bits: NDArray[np.uint32], walked: WalkedSets, scores: RankedScores, scratch: NDArray[np.uint64]
) -> None:
    for row in range(weight_bits.shape[0]):
        ranked = rank_row(weight_bits[row], scratch[0], scratch[1])
        list_extremes(ranked, scores.top_ids[row], scores.bottom_ids[row])
        walk_row(ranked, walked, scores, row)


class NumbaWalk:
    """Ranks and scores rows with the numba kernels. One instance serves one thread at a time: it owns its memory."""

    def __init__(self, sets: SetMatrix) -> None:
        self._walked = sets.walked
        self._scratch = np.empty((2, sets.n_tokens), np.uint64)

    def score_rows(
        self,
        logit_weights: NDArray[np.float32],
        means: NDArray[np.float64],
        stds: NDArray[np.float64],
        scores: RankedScores,
    ) -> None:
        """Rank and score consecutive rows, as :meth:`tsea_db.kernels.compiled_walk.CompiledWalk.score_rows` does."""
        _score_rows(logit_weights.view(np.uint32), self._walked, scores, self._scratch)


def enrichment_scores(logit_weights: NDArray[np.float32], sets: SetMatrix) -> EnrichmentScores:
    """Signed enrichment scores of rows of logit weights, by the numba kernels.

    Args:
        logit_weights: float32 ``(n, V)``, finite.
        sets: the token sets over the same V tokens.
    """
    rows = np.ascontiguousarray(logit_weights, np.float32)
    scores = RankedScores.empty(len(rows), sets)
    ignored = np.empty(0)
    NumbaWalk(sets).score_rows(rows, ignored, ignored, scores)
    return EnrichmentScores(scores.es, scores.peak_rank, scores.hits)
