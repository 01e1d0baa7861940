"""Slow and obviously right: the definitions of scores written with Python integers and fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tsea_db.kernels.running_sum import EnrichmentScores

Rows = NDArray[np.float32]
Members = Sequence[int] | NDArray[np.int64]


def running_sum_oracle(weights: Sequence[float], members: Members) -> tuple[Fraction, int, int]:
    """ES as a fraction, peak rank and members at the peak of one feature and one set, straight from the definition."""
    n_tokens, k = len(weights), len(members)
    inside = {int(token) for token in members}
    order = sorted(range(n_tokens), key=lambda token: -weights[token])
    deviations = []
    hits = 0
    for place, token in enumerate(order):
        hits += token in inside
        ends_tie_group = place + 1 == n_tokens or weights[order[place + 1]] != weights[token]
        if ends_tie_group:
            deviations.append((Fraction(hits, k) - Fraction(place + 1 - hits, n_tokens - k), place + 1, hits))
    highest = max(deviation for deviation, _, _ in deviations)
    lowest = min(deviation for deviation, _, _ in deviations)
    if abs(highest) >= abs(lowest):
        return next(entry for entry in deviations if entry[0] == highest)
    return next(entry for entry in reversed(deviations) if entry[0] == lowest)


def assert_matches_oracle(scores: EnrichmentScores, logit_weights: Rows, sets: Sequence[Members]) -> None:
    """Every score, peak rank and hit count equals the definition's."""
    for row, weights in enumerate(logit_weights):
        for position, members in enumerate(sets):
            if not 0 < len(members) < len(weights):
                continue
            es, peak_rank, hits = running_sum_oracle([float(weight) for weight in weights], members)
            got = (scores.es[row, position], scores.peak_rank[row, position], scores.hits[row, position])
            assert got == (np.float32(es.numerator / es.denominator), peak_rank, hits), (row, position)


def enrichment_by_counting(weights: Rows, members: NDArray[np.int64]) -> tuple[float, int, int]:
    """The same of one feature and one set in numpy, for vocabularies of any size."""
    n_tokens, k = len(weights), len(members)
    order = np.argsort(-weights, kind="stable")
    hits = np.cumsum(np.isin(order, members))
    ends = np.flatnonzero(np.append(np.diff(weights[order]) != 0, True))
    deviations = hits[ends] * n_tokens - (ends + 1) * k
    highest, lowest = int(deviations.max()), int(deviations.min())
    found = np.flatnonzero(deviations == (highest if highest >= -lowest else lowest))
    place = found[0] if highest >= -lowest else found[-1]
    es = int(deviations[place]) / (k * (n_tokens - k))
    return es, int(ends[place]) + 1, int(hits[ends[place]])
