"""The weighted enrichment score, GSEA's default (weight 1): a description, never the primary statistic.

Hits step up in proportion to ``|logit weight| ** weight``. For logit weights it has no centred null (with a
mean of half a standard deviation nearly every null score is positive), so no p goes with it. Subramanian et
al., PNAS 102, 2005; equal to fgsea's score (Korotkevich et al., bioRxiv 060012).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsea_db.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def weighted_es(
    logits: NDArray[np.floating],
    offsets: NDArray[np.integer],
    token_ids: NDArray[np.integer],
    weight: float = 1.0,
) -> NDArray[np.float64]:
    """Return the signed weighted score of one feature's logit weights (n_tokens) for each set (n_sets).

    Walking down from the highest logit weight, a member adds ``|l| ** weight`` over the sum of that for all
    members, another token subtracts ``1 / (V - k)``; the score is the largest deviation from zero, with its
    sign (positive if both are equal, where fgsea gives 0). Equal logit weights count as one step. Where
    fgsea keeps the input's order of ties, this does not depend on it. If all members weigh 0, each adds ``1
    / k``.

    Raises:
        InputError: if a logit weight is not finite, or a set is empty or holds every token.

    """
    logits = np.asarray(logits, dtype=np.float64)
    if not np.all(np.isfinite(logits)):
        raise InputError("logit weights must be finite to be ranked")
    order = np.argsort(-logits, kind="stable")
    walked = logits[order]
    n_tokens = len(walked)
    rank = np.empty(n_tokens, dtype=np.int64)
    rank[order] = np.arange(n_tokens)
    # For every rank the first and last rank of its tie group.
    starts = np.flatnonzero(np.append(True, walked[1:] != walked[:-1]))
    lengths = np.diff(np.append(starts, n_tokens))
    group_start, group_end = np.repeat(starts, lengths), np.repeat(starts + lengths - 1, lengths)
    scores = np.empty(len(offsets) - 1)
    for s in range(len(scores)):
        ranks = np.sort(rank[token_ids[offsets[s] : offsets[s + 1]]])
        if not 0 < len(ranks) < n_tokens:
            raise InputError(f"set {s} has {len(ranks)} of {n_tokens} tokens: it has no enrichment score")
        gains = np.abs(walked[ranks]) ** weight
        scores[s] = _largest_deviation(ranks, gains, group_start[ranks], group_end[ranks], n_tokens)
    return scores


def _largest_deviation(
    ranks: NDArray[np.int64],
    gains: NDArray[np.float64],
    group_start: NDArray[np.int64],
    group_end: NDArray[np.int64],
    n_tokens: int,
) -> float:
    """Evaluate the running sum after each member's tie group (peaks) and before it (troughs)."""
    k = len(ranks)
    total = gains.sum()
    climbed = np.append(0.0, np.cumsum(gains) / total if total > 0.0 else np.arange(1, k + 1) / k)
    hits_after = np.searchsorted(ranks, group_end, side="right")
    hits_before = np.searchsorted(ranks, group_start, side="left")
    after = climbed[hits_after] - (group_end + 1 - hits_after) / (n_tokens - k)
    before = climbed[hits_before] - (group_start - hits_before) / (n_tokens - k)
    highest, lowest = max(after.max(), 0.0), min(before.min(), 0.0)
    # Equal deviations differ by the rounding of two sums; their sign must not depend on it.
    return float(highest if highest >= -lowest - 1e-12 else lowest)
