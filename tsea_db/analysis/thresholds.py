"""How many labels each threshold of q gives, how good they look, and how many it gives where nothing is to be found."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsea_db.errors import InputError
from tsea_db.ingest.spool import log10_q_of_directions
from tsea_db.labels.apply import apply_rules
from tsea_db.progress import progress_bar
from tsea_db.rules.rule import Condition, Kind, RuleSet
from tsea_db.sql.named import ask
from tsea_db.statistics.direction_null import random_rotation
from tsea_db.store.archive import WeightsArchive
from tsea_db.store.derived_sets import stored_derived_sets
from tsea_db.store.nulls import ModelGeometry
from tsea_db.store.token_sets import StoredSet, stored_sets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tsea_db.store.file import StoreFile

    Directions = Callable[[int, int], NDArray[np.floating]]

LEVELS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.001)
SHARES = (0.0, 0.2, 0.35, 0.5, 0.75)
_SEED = 2
_ROWS_AT_ONCE = 4096
_FALSE_SHARE = 0.01
"""Most labels where nothing is to be found, over the labels of the real SAEs, for a threshold to be suggested."""


@dataclass(frozen=True)
class Thresholds:
    """What thresholds do.

    Attributes:
        by_q: q, labels (set labels after collapsing), features, share_of_features, mean_top_share (corrected), then
            the (feature, set) pairs below q: pairs on the real SAEs, null_sae, rotated_sae, and control_sets
            (real SAEs against random sets of the library's sizes, of which there are fewer).
        by_share: top_share, and for the suggested q the labels with at least that corrected share.
        suggested_q: The loosest q with at most 1 % as many pairs on the null SAE, and on the rotated SAE, as on the
            real ones; None if none is that good.
        n_features: Scored features.
    """

    by_q: pd.DataFrame
    by_share: pd.DataFrame
    suggested_q: float | None
    n_features: int


def thresholds(
    store: StoreFile, rules: RuleSet, levels: Sequence[float] = LEVELS, *, progress: bool = True
) -> Thresholds:
    """Try thresholds of q on the set rules of a rule set.

    Args:
        store: A store with SAEs whose weights were kept.
        rules: Their set rules are tried; a threshold of theirs on ``log10_q`` is replaced.
        levels: Values of q.
        progress: Show a progress bar on standard error, if that is a terminal.

    Raises:
        InputError: No SAE's weights were kept, or a level is not between 0 and 1.
    """
    for level in levels:
        if not 0 < level < 1:
            msg = f"A false-discovery rate lies between 0 and 1, not {level:g}."
            raise InputError(msg)
    with store.reader() as reader:
        saes = ask(reader, "threshold_saes")
    if not saes:
        msg = "Thresholds need an SAE whose weights were kept: ingest one without --no-keep-weights."
        raise InputError(msg)
    with progress_bar("thresholds", len(saes) + len(levels), "step", progress=progress) as bar:
        return _try_levels(store, rules, levels, _false_pairs(store, saes, levels, bar.update), bar.update)


def _try_levels(
    store: StoreFile,
    rules: RuleSet,
    levels: Sequence[float],
    false: dict[str, NDArray[np.int64]],
    advance: Callable[[], object],
) -> Thresholds:
    rows, labels = [], {}
    with store.reader() as reader:
        for level in levels:
            found = apply_rules(reader, _with_q(rules, level))
            advance()
            labels[level] = found.labels.select(["sae_id", "feature", "top_share"]).to_pandas()
            n_features = len(labels[level][["sae_id", "feature"]].drop_duplicates())
            rows.append(
                {
                    "q": level,
                    "labels": len(labels[level]),
                    "features": n_features,
                    "share_of_features": n_features / max(1, found.n_scored),
                    "mean_top_share": float(labels[level]["top_share"].mean()) if len(labels[level]) else None,
                    **{kind: int(counts[levels.index(level)]) for kind, counts in false.items()},
                }
            )
    by_q = pd.DataFrame(rows)
    good = (by_q["labels"] > 0) & (by_q[["null_sae", "rotated_sae"]].max(axis=1) <= _FALSE_SHARE * by_q["pairs"])
    suggested = float(by_q["q"][good].max()) if good.any() else None
    shown = labels[suggested or min(levels)]["top_share"]
    by_share = pd.DataFrame(
        [{"top_share": share, "labels": int((shown >= share).sum() if share else len(shown))} for share in SHARES]
    )
    return Thresholds(by_q, by_share, suggested, found.n_scored)


def _with_q(rules: RuleSet, level: float) -> RuleSet:
    """Return the set rules with another threshold of q; rules that they need, such as classes, stay without a label."""
    condition = Condition("log10_q", "below", math.log10(level))
    tried = tuple(
        replace(rule, where=(*(c for c in rule.where if c.column != "log10_q"), condition), requires=(), unless=())
        for rule in rules.of_kind(Kind.SET)
    )
    return replace(rules, rules=tried)


def _false_pairs(
    store: StoreFile, saes: list[dict[str, Any]], levels: Sequence[float], advance: Callable[[], object]
) -> dict[str, NDArray[np.int64]]:
    """Count (feature, set) pairs below each q: real, null SAE, rotated SAE, and real features against control sets."""
    counts = {kind: np.zeros(len(levels), np.int64) for kind in ("pairs", "null_sae", "rotated_sae", "control_sets")}
    archive = WeightsArchive.beside(store.path)
    for _, group in groupby(saes, key=lambda row: (row["model_id"], row["processing"])):
        members = list(group)
        first = members[0]
        geometry = ModelGeometry(first["model_id"], first["processing"], archive.open(first["unembedding_hash"]))
        with store.engine(read_only=True) as engine, engine.connect() as connection:
            library = stored_sets(connection, geometry.model_id)
            controls = stored_derived_sets(connection, geometry.model_id, "control")
        rotation = random_rotation(geometry.U.shape[0], _SEED)
        drawn = 0
        for sae in members:
            rows = np.asarray(archive.open(sae["directions_hash"]))
            for kind, take, sets in (
                ("pairs", _rows_of(rows), library),
                ("control_sets", _rows_of(rows), controls),
                ("rotated_sae", _rows_of(rows, rotation), library),
                ("null_sae", partial(_drawn, geometry, drawn), library),
            ):
                counts[kind] += _below(geometry, len(rows), take, sets, levels)
            drawn += -(-len(rows) // _ROWS_AT_ONCE) * _ROWS_AT_ONCE
            advance()
    return counts


def _rows_of(rows: NDArray[Any], rotation: NDArray[np.float64] | None = None) -> Directions:
    """Give out an SAE's directions, or those of the SAE that a rotation makes of it."""

    def take(start: int, n: int) -> NDArray[np.floating]:
        part = rows[start : start + n]
        return np.asarray(part if rotation is None else part @ rotation)

    return take


def _drawn(geometry: ModelGeometry, first: int, start: int, n: int) -> NDArray[np.floating]:
    return geometry.draw(n, first + start, _SEED)


def _below(
    geometry: ModelGeometry, n: int, take: Directions, sets: list[StoredSet], levels: Sequence[float]
) -> NDArray[np.int64]:
    counts = np.zeros(len(levels), np.int64)
    for log10_q, valid in log10_q_of_directions(n, take, geometry.directions(sets), geometry.subspace):
        counts += [int(((log10_q < math.log10(level)) & valid).sum()) for level in levels]
    return counts
