"""Do the p-values of a store keep their promise? Tests on directions that promote nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from tsea_db.analysis.plots import qq_page
from tsea_db.errors import InputError
from tsea_db.ingest.spool import log10_q_of_directions
from tsea_db.kernels.scoring import score_features
from tsea_db.sql.named import ask
from tsea_db.statistics.calibration import (
    LEVELS,
    Calibration,
    discovery_limit,
    draws_needed,
    qq_points,
    sets_out_of_tolerance,
    sets_with_discoveries,
    share_p_below,
)
from tsea_db.statistics.direction_null import direction_scores, random_rotation
from tsea_db.statistics.es_null import log10_p_es
from tsea_db.statistics.token_null import log10_p_token
from tsea_db.store.archive import WeightsArchive
from tsea_db.store.nulls import MeasuredSets, ModelGeometry, measured_sets
from tsea_db.store.token_sets import set_matrix, stored_sets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tsea_db.store.file import StoreFile

    Floats = NDArray[np.float64]
    Tests = dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]

NULL_FEATURES = 24_576
_Q = 0.01
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Calibrated:
    """What the tests found.

    Attributes:
        report: ``share_p_below`` (by null, then by level), ``null_sae`` and ``rotated_sae`` (sets with a discovery at
            q < 0.01, how many there may be), ``settings``, ``sets_out_of_tolerance`` (by null). Plain values for JSON.
        per_set: name, size and, for each null and level, the share of draws with p below it.
        qq: For each null, expected and observed ``-log10 p``.
    """

    report: dict[str, Any]
    per_set: pd.DataFrame
    qq: dict[str, tuple[Floats, Floats]]

    def html(self) -> str:
        """Return a page with QQ plots and the shares, complete in itself."""
        return qq_page(self.report, self.per_set, self.qq)


def calibrate(
    store: StoreFile,
    model: str | None = None,
    processing: str | None = None,
    *,
    draws: int = 4_000,
    seed: int = 1,
    levels: Sequence[float] = LEVELS,
    sae: str | None = None,
    features: int = NULL_FEATURES,
    progress: bool = True,
) -> Calibrated:
    """Score fresh random directions, a null SAE and a rotated SAE against all sets of a model.

    Args:
        store: A store with SAEs whose weights were kept.
        model: Name of a model; None if there is one.
        processing: Processing of its unembedding; None if there is one.
        draws: Fresh directions whose p are counted.
        seed: Their seed; the null's own would test it on itself.
        levels: Levels below which p are counted.
        sae: The SAE to rotate; by default the first of the model.
        features: Directions of the null SAE, and features rotated at most.
        progress: Show a progress bar on standard error, if that is a terminal.

    Raises:
        InputError: No such model or SAE, weights that were not kept, the null's seed, or too few draws for a level
            (the message says how many it takes).
    """
    _check_draws(draws, levels)
    measured, rotated_name, rows = _read(store, model, processing, sae, features)
    if seed == measured.seed:
        msg = f"Seed {seed} is that of the stored null's own directions: fresh ones need another."
        raise InputError(msg)
    tests = _test_draws(measured, draws, seed, progress=progress)
    names = _names(store, measured)
    geometry = measured.geometry
    unused = -(-draws // _ROWS_AT_ONCE) * _ROWS_AT_ONCE
    rotation = random_rotation(rows.shape[1], seed)
    counted = {name: share_p_below(*test, tuple(levels)) for name, test in tests.items()}
    report = _shares(measured, counted, names) | {
        "null_sae": _discoveries(measured, features, lambda start, n: geometry.draw(n, unused + start, seed)),
        "rotated_sae": {
            "sae": rotated_name,
            **_discoveries(measured, len(rows), lambda start, n: rows[start : start + n] @ rotation),
        },
        "settings": {
            "processing": geometry.processing,
            "n_sets": len(names),
            "draws": draws,
            "seed": seed,
            "null_draws": measured.es_null.n_draws,
            "null_seed": measured.seed,
            "tolerance_level": levels[0],
        },
    }
    by_set = {f"{n} p<{_key(level)}": c.per_set[i] for n, c in counted.items() for i, level in enumerate(levels)}
    per_set = pd.DataFrame({"name": names, "size": measured.sizes, **by_set})
    qq = {name: qq_points(log10_p[valid]) for name, (log10_p, valid) in tests.items() if valid.any()}
    return Calibrated(report, per_set, qq)


def _check_draws(draws: int, levels: Sequence[float]) -> None:
    for level in levels:
        if draws < draws_needed(level):
            msg = f"{draws} draws cannot show p < {level:g}: draw {draws_needed(level)} or more."
            raise InputError(msg)


def _shares(measured: MeasuredSets, counted: dict[str, Calibration], names: list[str]) -> dict[str, Any]:
    """Return the shares overall, and which sets are out of tolerance at the first level."""
    behind = {"random_direction": None, "es": measured.es_null.n_draws}
    return {
        "share_p_below": {
            name: dict(zip(map(_key, found.levels), found.overall.tolist(), strict=True))
            for name, found in counted.items()
        },
        "sets_out_of_tolerance": {
            name: [names[i] for i in sets_out_of_tolerance(counted[name], counted[name].levels[0], n)]
            for name, n in behind.items()
        },
    }


def _key(level: float) -> str:
    return f"{level:g}"


def _read(
    store: StoreFile, model: str | None, processing: str | None, sae: str | None, features: int
) -> tuple[MeasuredSets, str, NDArray[np.float32]]:
    """Read a model's sets and nulls, and the decoder to rotate."""
    with store.reader() as reader:
        found = ask(reader, "unembeddings", model=model, processing=processing)
        if len(found) != 1:
            choices = ", ".join(f"{row['model']} ({row['processing']})" for row in found) or "none"
            msg = f"Name one model and processing of the store to calibrate; there is: {choices}."
            raise InputError(msg)
        unembedding = found[0]
        saes = ask(reader, "rotatable_saes", model_id=unembedding["model_id"], processing=unembedding["processing"])
    chosen = next((row for row in saes if sae is None or row["name"] == sae), None)
    if not unembedding["kept"] or chosen is None:
        msg = "Calibration needs an SAE of the model whose weights were kept: ingest one without --no-keep-weights."
        raise InputError(msg)
    archive = WeightsArchive.beside(store.path)
    U = archive.open(unembedding["content_hash"])
    geometry = ModelGeometry(unembedding["model_id"], unembedding["processing"], U)
    with store.engine(read_only=True) as engine, engine.connect() as connection:
        sets = stored_sets(connection, geometry.model_id)
        measured = measured_sets(connection, geometry, sets)
    return measured, chosen["name"], archive.open(chosen["directions_hash"])[:features]


def _names(store: StoreFile, measured: MeasuredSets) -> list[str]:
    with store.reader() as reader:
        names = dict(reader.execute("select set_id, name from token_sets").fetchall())
    return [names[stored.set_id] for stored in measured.sets]


def _test_draws(measured: MeasuredSets, draws: int, seed: int, *, progress: bool) -> Tests:
    """Return log10 p and validity, (draws, n_sets), of fresh directions under each null."""
    geometry = measured.geometry
    rows = geometry.draw(draws, 0, seed)
    es = np.empty((draws, len(measured.sets)), np.float32)
    matrix = set_matrix(measured.sets, geometry.d_vocab)
    with tqdm(total=draws, unit="direction", disable=None if progress else True) as bar:
        for block in score_features(rows, geometry.packed, matrix):
            es[block.start : block.start + len(block)] = block.es
            bar.update(len(block))
    direction = direction_scores(rows, measured.directions, geometry.subspace)
    fitted = np.broadcast_to(measured.es_null.fitted, es.shape)
    return {
        "random_direction": (direction.log10_p, direction.valid),
        "es": (log10_p_es(es, measured.es_null), fitted),
        "random_token": (log10_p_token(es, measured.sizes, measured.token_null), np.ones(es.shape, dtype=np.bool_)),
    }


def _discoveries(
    measured: MeasuredSets, n: int, take: Callable[[int, int], NDArray[np.floating]]
) -> dict[str, int | float]:
    """Count the sets with a discovery among n directions that promote nothing."""
    directions, below, with_any = measured.directions, 0, 0
    for log10_q, valid in log10_q_of_directions(n, take, directions, measured.geometry.subspace):
        with_any += sets_with_discoveries(log10_q, valid, _Q)
        below += int(((log10_q < np.log10(_Q)) & valid).sum())
    n_sets = int(directions.usable.sum())
    return {
        "sets_with_discoveries": with_any,
        "limit": discovery_limit(n_sets, _Q),
        "discoveries": below,
        "n_sets": n_sets,
        "n_features": n,
        "q_below": _Q,
    }
