"""What waits in a file until all features are done, because a false-discovery rate needs all features of a set.

Features come a block at a time and sets are taken a few at a time, so that memory grows with neither. The files have no
name and vanish with the process.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from tsea_db.statistics.cosine_tail import z_and_log10_p
from tsea_db.statistics.direction_null import MIN_DIMENSION, grid_cosines, on_grid, unit_directions
from tsea_db.statistics.fdr import benjamini_hochberg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tsea_db.kernels.scoring import FeatureBlock
    from tsea_db.statistics.direction_null import ReadSubspace, SetDirections
    from tsea_db.store.token_sets import StoredSet

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

_PAIRS_AT_ONCE = 1_000_000
_ROWS_AT_ONCE = 4096


class CosineSpool:
    """Cosines of features with sets' Delta, set by set: no direction is needed again once its block is done."""

    def __init__(self, folder: Path | None, n_features: int, units: Floats) -> None:
        """Prepare to take features.

        Args:
            folder: Where the file is to be; None for the system's folder of temporary files.
            n_features: How many features there are.
            units: Unit Delta of each set (n_sets, d_model).
        """
        self._directions = on_grid(units)
        with tempfile.TemporaryFile(dir=folder) as file:  # the map outlives it
            self._cosines = np.memmap(file, np.float64, "w+", 0, (max(len(units), 1), max(n_features, 1)))

    def add(self, start: int, units: Floats) -> None:
        """Take unit directions (n, d_model) of features; ``start`` is the first."""
        part = slice(start, start + len(units))
        self._cosines[: len(self._directions), part] = grid_cosines(self._directions, on_grid(units))

    def read(self, sets: NDArray[np.integer] | slice, features: NDArray[np.integer]) -> Floats:
        """Return cosines of some features with some sets, as (n_features, n_sets) that lies in memory set by set."""
        return _columns(self._cosines[sets], features).T


class ScoreSpool:
    """What a pass finds out about all features, set by set."""

    def __init__(
        self, folder: Path, n_features: int, scored: list[StoredSet], others: list[StoredSet], units: Floats
    ) -> None:
        """Prepare to take blocks of features.

        Args:
            folder: Where the files are to be.
            n_features: Features of the SAE.
            scored: Sets whose scores are in the blocks, in that order.
            others: Further sets whose cosines are wanted.
            units: Unit Delta of all of them (n_sets, d_model), in that order.
        """
        self._positions = {stored.set_id: i for i, stored in enumerate([*scored, *others])}
        self._n_scored = len(scored)
        self._cosines = CosineSpool(folder, n_features, units)
        shape = (max(len(scored), 1), max(n_features, 1))
        with tempfile.TemporaryFile(dir=folder) as file:  # the maps outlive it
            self._es = np.memmap(file, np.float32, "w+", 0, shape)
            self._peak_rank = np.memmap(file, np.int32, "w+", self._es.nbytes, shape)

    def add(self, block: FeatureBlock, units: Floats) -> None:
        """Take the scores of a block of features and their unit directions (n, d_model)."""
        features = slice(block.start, block.start + len(block))
        self._es[: self._n_scored, features] = block.es.T
        self._peak_rank[: self._n_scored, features] = block.peak_rank.T
        self._cosines.add(block.start, units)

    def read(self, sets: list[StoredSet], features: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return ES and peak rank of some features, each (n_sets, n_features)."""
        at = self._at(sets)
        return _columns(self._es[at], features), _columns(self._peak_rank[at], features)

    def cosines(self, sets: list[StoredSet], features: NDArray[np.int32]) -> Floats:
        """Return cosines of some features with the sets' Delta, as (n_features, n_sets) that lies set by set."""
        return self._cosines.read(self._at(sets), features)

    def _at(self, sets: list[StoredSet]) -> NDArray[np.int64]:
        return np.array([self._positions[stored.set_id] for stored in sets], dtype=np.int64)


def log10_q_of_directions(
    n: int, take: Callable[[int, int], NDArray[np.floating]], sets: SetDirections, subspace: ReadSubspace
) -> Iterator[tuple[Floats, Bools]]:
    """Yield log10 q of n directions against a few sets at a time, and where it is valid, each (n, n_sets).

    Args:
        n: Directions; all of them are the family of each set.
        take: Returns directions ``start`` to ``start + count`` (count, d_model) from ``(start, count)``.
        sets: Delta of the sets.
        subspace: What the unembedding reads.
    """
    spool, usable = CosineSpool(None, n, sets.unit), np.empty(n, dtype=np.bool_)
    for start in range(0, n, _ROWS_AT_ONCE):
        count = min(_ROWS_AT_ONCE, n - start)
        units, usable[start : start + count] = unit_directions(np.asarray(take(start, count)), subspace)
        spool.add(start, units)
    at_once = max(1, _PAIRS_AT_ONCE // max(n, 1))
    for first in range(0, len(sets.unit), at_once):
        part = slice(first, first + at_once)
        cosines = spool.read(part, np.arange(n))
        log10_p = np.zeros_like(cosines)
        if sets.d_eff >= MIN_DIMENSION:
            _, log10_p = z_and_log10_p(cosines, sets.d_eff)
        valid = usable[:, None] & sets.usable[None, part]
        yield benjamini_hochberg(log10_p, valid), valid


def _columns(values: NDArray[Any], features: NDArray[np.integer]) -> NDArray[Any]:
    """Return the columns of some features, without a copy if that is all of them."""
    return values if len(features) == values.shape[1] else values[:, features]
