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
from torch.nn.functional import embedding_bag, pad

from tsea_db.errors import InputError, WeightsError
from tsea_db.kernels.logit_weights import check_factors
from tsea_db.kernels.moments import inverse_norms
from tsea_db.kernels.product import check_finite, column_norms
from tsea_db.kernels.ranking import LISTED_TOKENS
from tsea_db.kernels.resources import available_memory
from tsea_db.kernels.scoring import FeatureBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from tsea_db.kernels.set_matrix import SetMatrix

_LOG = logging.getLogger(__name__)

DEVICE_TILE_ROWS = 256
"""Directions in one product on a device."""

_CELLS_PER_STEP = 1 << 24
"""Pairs of a feature with a token, or with a block and a set, looked at at once; fewer where memory is short."""

_BYTES_PER_CELL = 100

_BLOCK = 64
"""Ranks whose members are counted at once."""

_BLOCKS_AT_ONCE = 1 << 16
"""Blocks that are walked rank by rank at once, 200 MB of working memory."""

_RANK_BITS = 21
_RANK_MASK = (1 << _RANK_BITS) - 1
_BEYOND = 1 << 62
_MOMENTS = ("mean", "std", "skewness", "kurtosis", "cosine_variance")


class _DeviceSets(NamedTuple):
    """All sets on the device.

    Attributes:
        members: float16 ``(V + 1, S)``, 1 where a token is a member; the last row is of no token.
        sizes: int64 ``(S,)``.
    """

    members: Tensor
    sizes: Tensor


class Ranking(NamedTuple):
    """The order of m features' tokens, each int64 ``(m, V)``.

    Attributes:
        order: tokens by descending logit weight, equal ones by ascending id.
        ends: per place, tokens walked when its tie group ends.
    """

    order: Tensor
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
    """Score every feature against every set on a torch device, a block of DEVICE_TILE_ROWS features at a time.

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
    check_factors(directions, unembedding)
    if sets.n_tokens != unembedding.shape[1]:
        raise InputError(
            f"The token sets are over {sets.n_tokens} tokens but the unembedding has {unembedding.shape[1]} columns: "
            "build the sets from this model's tokenizer."
        )
    check_finite(unembedding, "The unembedding")
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
    tile = np.zeros((DEVICE_TILE_ROWS, directions.shape[1]), np.float32)
    for start in range(0, len(directions), DEVICE_TILE_ROWS):
        rows = np.array(directions[start : start + DEVICE_TILE_ROWS])
        check_finite(rows, "The decoder", start)
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
        cells_per_feature = sets.n_tokens + sets.n_sets * -(-sets.n_tokens // _BLOCK)
        wanted = min(DEVICE_TILE_ROWS, max(1, _CELLS_PER_STEP // cells_per_feature))
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
    walked = torch.arange(1, n_tokens, device=order.device)
    ends = torch.full_like(order, n_tokens)
    edge = values[:, 1:] != values[:, :-1]
    ends[:, :-1] = torch.where(edge, walked, n_tokens).flip(1).cummin(dim=1).values.flip(1)
    return Ranking(order, ends)


def _put_on_device(sets: SetMatrix, device: torch.device) -> _DeviceSets:
    members = torch.zeros((sets.n_tokens + 1, sets.n_sets), dtype=torch.float16, device=device)
    set_ids = np.repeat(np.arange(sets.n_sets), sets.sizes)
    tokens = sets.token_ids.astype(np.int64)
    members[torch.from_numpy(tokens).to(device), torch.from_numpy(set_ids).to(device)] = 1.0
    return _DeviceSets(members, torch.from_numpy(sets.sizes).to(device))


class _Blocks(NamedTuple):
    """m rankings in blocks of _BLOCK ranks, the last block filled up with no token.

    Attributes:
        order: int64 ``(m, B, _BLOCK)``, tokens.
        can_stop: bool ``(m, B, _BLOCK)``: does a tie group end at this rank?
        before: int64 ``(m, B, S)``, members walked before the block.
    """

    order: Tensor
    can_stop: Tensor
    before: Tensor


def _walk_on_device(ranking: Ranking, sets: _DeviceSets) -> tuple[Tensor, Tensor, Tensor]:
    """ES, peak rank and hits ``(m, S)`` of m rankings.

    Members are counted in blocks of ranks. That gives the running sum's numerator ``c*V - r*k`` at the end of each
    block, and bounds of it within: it is highest if all of the block's members come first, lowest if they come last.
    Only blocks that can beat the best block ends are walked rank by rank.
    """
    n_rows, n_tokens = ranking.order.shape
    k, device = sets.sizes, ranking.order.device
    n_blocks = -(-n_tokens // _BLOCK)
    filling = (0, n_blocks * _BLOCK - n_tokens)
    order = pad(ranking.order, filling, value=n_tokens).view(n_rows, n_blocks, _BLOCK)
    can_stop = pad(ranking.ends == torch.arange(1, n_tokens + 1, device=device), filling, value=False)
    # At most _BLOCK members each: exact in float16.
    counts = embedding_bag(order.view(-1, _BLOCK), sets.members, mode="sum").view(n_rows, n_blocks, len(k)).long()
    after = counts.cumsum(dim=1)
    blocks = _Blocks(order, can_stop.view(order.shape), after - counts)
    first = _BLOCK * torch.arange(n_blocks, device=device)[:, None]
    last = (first + _BLOCK).clamp(max=n_tokens)
    at_end, stops = after * n_tokens - last * k, can_stop[:, last[:, 0] - 1, None]
    best = torch.where(stops, at_end, -_BEYOND).amax(dim=1, keepdim=True)
    worst = torch.where(stops, at_end, _BEYOND).amin(dim=1, keepdim=True)
    rises = after * n_tokens - (first + counts.clamp(min=1)) * k >= best
    falls = blocks.before * n_tokens - (last - counts) * k <= worst
    chosen = ((rises | falls) & (k > 0) & (k < n_tokens)).nonzero()
    highest = torch.full((n_rows * len(k),), -_BEYOND, device=device)
    lowest = -highest
    for some in torch.split(chosen, _BLOCKS_AT_ONCE):
        _walk_blocks(some, blocks, sets, highest, lowest)
    return _report_on_device(highest.view(n_rows, -1), lowest.view(n_rows, -1), n_tokens, k)


def _walk_blocks(chosen: Tensor, blocks: _Blocks, sets: _DeviceSets, highest: Tensor, lowest: Tensor) -> None:
    """Walk blocks ``(n, 3)``: feature, block and set of each; bring ``highest`` and ``lowest`` up to date.

    These hold, for each feature and set, a numerator and its rank in one number: of equal maxima the first counts, of
    equal minima the last.
    """
    feature, block, set_id = chosen.T
    order = blocks.order[feature, block]
    members = sets.members[order, set_id[:, None]].int()
    hits = blocks.before[feature, block, set_id][:, None] + members.cumsum(dim=1)
    ranks = _BLOCK * block[:, None] + torch.arange(1, _BLOCK + 1, device=order.device)
    n_tokens = len(sets.members) - 1
    numerators = ((hits * n_tokens - ranks * sets.sizes[set_id][:, None]) << _RANK_BITS) + (_RANK_MASK - ranks)
    can_stop = blocks.can_stop[feature, block]
    place = feature * len(sets.sizes) + set_id
    highest.scatter_reduce_(0, place, torch.where(can_stop, numerators, -_BEYOND).amax(dim=1), "amax")
    lowest.scatter_reduce_(0, place, torch.where(can_stop, numerators, _BEYOND).amin(dim=1), "amin")


def _report_on_device(highest: Tensor, lowest: Tensor, n_tokens: int, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    up, down = highest >> _RANK_BITS, lowest >> _RANK_BITS
    promoted = up >= -down
    deviation = torch.where(promoted, up, down)
    rank = _RANK_MASK - (torch.where(promoted, highest, lowest) & _RANK_MASK)
    scorable = (k > 0) & (k < n_tokens)
    es = deviation.double() / torch.where(scorable, k * (n_tokens - k), 1).double()
    return (
        torch.where(scorable, es, 0.0).float(),
        torch.where(scorable, rank, n_tokens).int(),
        torch.where(scorable, (deviation + rank * k) // n_tokens, k).int(),
    )
