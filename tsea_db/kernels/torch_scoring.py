"""The streaming pass on a torch device: same definitions, same block format, ranks equal to the CPU's bit for bit.

For the same float32 logit weights the ranking, the listed tokens, the peak ranks and the hits are those of
:mod:`tsea_db.kernels.scoring`, and the scores equal to 1e-6. The logit weights themselves come from the device's own
matrix product and may differ in their last bits, so near-equal tokens may swap.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tsea_db.errors import InputError, WeightsError
from tsea_db.kernels.logit_weights import TILE_ROWS, column_norms, refuse_mismatch, refuse_non_finite
from tsea_db.kernels.moments import inverse_norms
from tsea_db.kernels.ranking import LISTED_TOKENS
from tsea_db.kernels.resources import available_memory
from tsea_db.kernels.scoring import FeatureBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from tsea_db.kernels.set_matrix import SetMatrix

_LOG = logging.getLogger(__name__)

_CELLS_PER_STEP = 1 << 24
"""(feature, token or membership) pairs looked at at once; fewer where memory is short."""

_BYTES_PER_CELL = 100

_SHORT_KEYS = 1 << 31  # below this a (set, place) pair fits 32 bits, which sort faster
_RANK_BITS = 21
_RANK_MASK = (1 << _RANK_BITS) - 1
_BEYOND = 1 << 62
_MOMENTS = ("mean", "std", "skewness", "kurtosis", "cosine_variance")


class _DeviceSets(NamedTuple):
    """The counted sides of all sets on the device, memberships in runs by set; unscorable sets have none.

    Attributes:
        set_ids: int64 ``(M,)``, ascending.
        token_ids: int64 ``(M,)``.
        order_in_set: int64 ``(M,)``, 1 to k.
        sizes: int64 ``(S,)``.
        complemented: bool ``(S,)``.
    """

    set_ids: Tensor
    token_ids: Tensor
    order_in_set: Tensor
    sizes: Tensor
    complemented: Tensor


class Ranking(NamedTuple):
    """The order of m features' tokens, each int64 ``(m, V)``.

    Attributes:
        order: tokens by descending logit weight, equal ones by ascending id.
        places: per token, its place in that order, from 0.
        starts: per place, tokens walked before its tie group.
        ends: per place, tokens walked when its tie group ends.
    """

    order: Tensor
    places: Tensor
    starts: Tensor
    ends: Tensor


def resolve_device(name: str) -> torch.device:
    """Turn ``cpu``, ``cuda``, ``cuda:1``, ... into a device that can be used.

    Raises:
        InputError: there is no such device here.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cuda, reason = torch.cuda.device_count(), str(error).splitlines()[0].rstrip(".")
        raise InputError(
            f"The device {name!r} cannot be used: {reason}. "
            f"This machine offers cpu{''.join(f', cuda:{i}' for i in range(cuda))}."
        ) from error
    return device


def score_features_on_device(
    directions: NDArray[np.float32],
    unembedding: NDArray[np.float32],
    sets: SetMatrix,
    *,
    device: str,
    unembedding_norms: NDArray[np.float64] | None = None,
    matmul_precision: str = "highest",
) -> Iterator[FeatureBlock]:
    """Score every feature against every set on a torch device, a block of TILE_ROWS features at a time.

    Within a block, as many features are ranked and walked at once as fit the device's memory; where it turns out to be
    short, fewer, which the log tells.

    Args:
        directions: D, float32 ``(n, d_model)``, may be memory-mapped.
        unembedding: U, float32 ``(d_model, V)``.
        sets: token sets over the V tokens.
        device: what :func:`resolve_device` takes.
        unembedding_norms: norms of U's columns, float64 ``(V,)``, if known already.
        matmul_precision: as :func:`torch.set_float32_matmul_precision` takes it, for this pass's products only.

    Yields:
        Blocks in order of feature, as :func:`tsea_db.kernels.scoring.score_features` yields them.

    Raises:
        WeightsError: shapes do not fit, or NaN or infinity in D (found when its block is reached), U or the product.
        InputError: the device cannot be used or its memory is too small for one feature, or the sets are over another
            vocabulary.
    """
    refuse_mismatch(directions, unembedding)
    if sets.n_tokens != unembedding.shape[1]:
        raise InputError(
            f"The token sets are over {sets.n_tokens} tokens but the unembedding has {unembedding.shape[1]} columns: "
            "build the sets from this model's tokenizer."
        )
    refuse_non_finite(unembedding, "The unembedding")
    norms = column_norms(unembedding) if unembedding_norms is None else unembedding_norms
    chosen = resolve_device(device)
    try:
        tables = _DevicePass(unembedding, sets, inverse_norms(norms), chosen)
    except torch.OutOfMemoryError as error:
        raise _too_small(chosen) from error
    return _score_blocks(directions, tables, matmul_precision)


def _too_small(device: torch.device) -> InputError:
    return InputError(
        f"The memory of {device} is too small for this model and these sets, even a feature at a time: "
        "free some of it, or leave --device out."
    )


@contextmanager
def _precision(name: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _score_blocks(
    directions: NDArray[np.float32], tables: _DevicePass, matmul_precision: str
) -> Iterator[FeatureBlock]:
    tile = np.zeros((TILE_ROWS, directions.shape[1]), np.float32)
    for start in range(0, len(directions), TILE_ROWS):
        rows = np.array(directions[start : start + TILE_ROWS])
        refuse_non_finite(rows, "The decoder", start)
        # Always the same shape: BLAS picks its routine, and with it the last bits, by the shape of the factors.
        tile[: len(rows)] = rows
        tile[len(rows) :] = 0.0
        with _precision(matmul_precision):
            logit_weights = (torch.from_numpy(tile).to(tables.device) @ tables.factor)[: len(rows)]
        if not bool(logit_weights.isfinite().all()):
            row = start + int(logit_weights.isfinite().all(dim=1).int().argmin())
            raise WeightsError(
                f"The logit weights of row {row} of the decoder overflow float32: scale the weights down."
            )
        yield tables.score(start, rows, logit_weights)


class _DevicePass:
    """What stays on the device throughout a pass, and how many features are looked at at once."""

    def __init__(
        self,
        unembedding: NDArray[np.float32],
        sets: SetMatrix,
        inverse_column_norms: NDArray[np.float64],
        device: torch.device,
    ) -> None:
        self.device = device
        self.factor = torch.from_numpy(np.array(unembedding)).to(device)
        self._inverse = torch.from_numpy(inverse_column_norms).to(device)
        self._sets = _put_on_device(sets, device)
        cells_per_feature = max(sets.n_tokens, len(self._sets.set_ids))
        wanted = min(TILE_ROWS, max(1, _CELLS_PER_STEP // cells_per_feature))
        spare = _spare_memory(device)
        fitting = wanted if spare is None else max(1, spare // 2 // (_BYTES_PER_CELL * cells_per_feature))
        self._rows_at_once = min(wanted, fitting)
        if fitting < wanted:
            self._tell_fewer(wanted)

    def _tell_fewer(self, wanted: int) -> None:
        _LOG.warning(
            "Memory is short: scoring %d features at once on %s instead of %d.", self._rows_at_once, self.device, wanted
        )

    def score(self, start: int, rows: NDArray[np.float32], logit_weights: Tensor) -> FeatureBlock:
        """Score one block, with fewer features at once if they do not fit."""
        while True:
            try:
                return self._score(start, rows, logit_weights)
            except torch.OutOfMemoryError as error:
                if self._rows_at_once == 1:
                    raise _too_small(self.device) from error
            # Outside of the handler, whose traceback would keep the memory.
            self._rows_at_once //= 2
            self._tell_fewer(2 * self._rows_at_once)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _score(self, start: int, rows: NDArray[np.float32], logit_weights: Tensor) -> FeatureBlock:
        n_rows, n_tokens = logit_weights.shape
        n_listed = min(LISTED_TOKENS, n_tokens)
        listed = torch.empty((2, n_rows, n_listed), dtype=torch.int64, device=self.device)
        es = torch.empty((n_rows, len(self._sets.sizes)), dtype=torch.float32, device=self.device)
        ranks_and_hits = torch.empty((2, *es.shape), dtype=torch.int32, device=self.device)
        numbers = torch.empty((5, n_rows), dtype=torch.float64, device=self.device)
        for first in range(0, n_rows, self._rows_at_once):
            part = slice(first, first + self._rows_at_once)
            numbers[:, part] = moments_on_device(logit_weights[part], self._inverse)
            ranking = rank_on_device(logit_weights[part])
            listed[0, part] = ranking.order[:, :n_listed]
            listed[1, part] = ranking.order.flip(1)[:, :n_listed]
            es[part], ranks_and_hits[0, part], ranks_and_hits[1, part] = _walk_on_device(ranking, self._sets)
        values = [logit_weights.gather(1, ids).cpu().numpy() for ids in listed]
        moments = dict(zip(_MOMENTS, numbers.cpu().numpy(), strict=True))
        moments["cosine_variance"] *= inverse_norms(np.linalg.norm(rows.astype(np.float64), axis=1)) ** 2
        return FeatureBlock(
            start=start,
            zero_direction=(logit_weights == logit_weights[:, :1]).all(dim=1).cpu().numpy(),
            **moments,
            top_ids=listed[0].int().cpu().numpy(),
            top_values=values[0],
            bottom_ids=listed[1].int().cpu().numpy(),
            bottom_values=values[1],
            es=es.cpu().numpy(),
            peak_rank=ranks_and_hits[0].cpu().numpy(),
            hits=ranks_and_hits[1].cpu().numpy(),
        )


def _spare_memory(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return available_memory() if device.type == "cpu" else None


def moments_on_device(logit_weights: Tensor, inverse_column_norms: Tensor) -> Tensor:
    """Mean, std, skewness, kurtosis and variance of the scaled rows, float64 ``(5, m)``; 0 for rows of one value."""
    exact = logit_weights.double()
    mean = exact.mean(dim=1)
    scaled_variance = (exact * inverse_column_norms).var(dim=1, correction=0)
    difference = exact - mean[:, None]
    square = difference.square()
    variance = square.mean(dim=1)
    third, fourth = (square * difference).mean(dim=1), square.square().mean(dim=1)
    numbers = torch.stack([mean, variance.sqrt(), third / variance**1.5, fourth / variance**2, scaled_variance])
    constant = (logit_weights == logit_weights[:, :1]).all(dim=1)
    return torch.where(constant, 0.0, numbers)


def rank_on_device(logit_weights: Tensor) -> Ranking:
    """Order the tokens of each row ``(m, V)``; -0.0 and +0.0 are equal."""
    n_tokens = logit_weights.shape[1]
    values, order = torch.sort(logit_weights + 0.0, dim=1, descending=True, stable=True)
    walked = torch.arange(n_tokens, device=order.device).expand_as(order)
    places = torch.empty_like(order).scatter_(1, order, walked)
    edge = values[:, 1:] != values[:, :-1]
    starts, ends = torch.zeros_like(order), torch.full_like(order, n_tokens)
    starts[:, 1:] = torch.where(edge, walked[:, 1:], 0).cummax(dim=1).values
    ends[:, :-1] = torch.where(edge, walked[:, 1:], n_tokens).flip(1).cummin(dim=1).values.flip(1)
    return Ranking(order, places, starts, ends)


def _put_on_device(sets: SetMatrix, device: torch.device) -> _DeviceSets:
    walked = sets.walked
    tokens = np.repeat(np.arange(sets.n_tokens), np.diff(walked.token_offsets))
    by_set = np.argsort(walked.set_ids, kind="stable")
    set_ids = walked.set_ids[by_set].astype(np.int64)
    order_in_set = np.arange(1, len(set_ids) + 1) - (np.cumsum(walked.sizes) - walked.sizes)[set_ids]
    arrays = (set_ids, tokens[by_set], order_in_set, walked.sizes, walked.complemented)
    return _DeviceSets(*(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays))


def _walk_on_device(ranking: Ranking, sets: _DeviceSets) -> tuple[Tensor, Tensor, Tensor]:
    """ES, peak rank and hits ``(m, S)`` of m rankings.

    The members of each set are sorted by place. After the i-th of them, at the end of its tie group, the numerator is
    at least ``i*V - end*k``, and exactly that if it is the group's last; before its tie group it is at most
    ``(i - 1)*V - start*k``, and exactly that if it is the first. So the extremes over all members are exact.
    """
    n_rows, n_tokens = ranking.order.shape
    n_sets = len(sets.sizes)
    keys = sets.set_ids * n_tokens + ranking.places[:, sets.token_ids]
    keys = keys.int() if n_sets * n_tokens < _SHORT_KEYS else keys
    places = keys.sort(dim=1).values.long() - sets.set_ids * n_tokens
    ends, starts = ranking.ends.gather(1, places), ranking.starts.gather(1, places)
    k, late = sets.sizes[sets.set_ids], sets.complemented[sets.set_ids]
    after = sets.order_in_set * n_tokens - ends * k
    before = (sets.order_in_set - 1) * n_tokens - starts * k
    # A numerator and its rank in one number: of equal maxima the first counts, of equal minima the last, or the reverse
    # for complements.
    after = (after << _RANK_BITS) + torch.where(late, ends, _RANK_MASK - ends)
    before = (before << _RANK_BITS) + torch.where(late, starts, _RANK_MASK - starts)
    before = torch.where(starts > 0, before, _BEYOND)
    index = sets.set_ids.expand(n_rows, -1)
    highest = torch.full((n_rows, n_sets), -_BEYOND, device=index.device).scatter_reduce_(1, index, after, "amax")
    lowest = torch.full((n_rows, n_sets), _RANK_MASK, device=index.device).scatter_reduce_(1, index, before, "amin")
    return _report_on_device(highest, lowest, ranking, sets)


def _report_on_device(
    highest: Tensor, lowest: Tensor, ranking: Ranking, sets: _DeviceSets
) -> tuple[Tensor, Tensor, Tensor]:
    n_tokens = ranking.order.shape[1]
    k, late = sets.sizes, sets.complemented
    up, down = highest >> _RANK_BITS, lowest >> _RANK_BITS
    take_up = (up > -down) | ((up == -down) & ~late)
    deviation = torch.where(take_up, up, down)
    rank = torch.where(take_up, highest, lowest) & _RANK_MASK
    rank = torch.where(late, rank, _RANK_MASK - rank)
    rank = torch.where((up == 0) & (down == 0), ranking.ends[:, :1], rank)
    count = (deviation + rank * k) // n_tokens
    unscorable = k == 0
    scale = torch.where(unscorable, 1, k * (n_tokens - k)).double()
    es = torch.where(late, -deviation, deviation).double() / scale
    hits = torch.where(late, rank - count, count)
    return (
        torch.where(unscorable, 0.0, es).float(),
        torch.where(unscorable, n_tokens, rank).int(),
        torch.where(unscorable, torch.where(late, n_tokens, 0), hits).int(),
    )
