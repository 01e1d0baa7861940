"""The random-token null: p of an enrichment score if the set were k tokens drawn at random.

What GSEA pre-ranked and its relatives report, exact and in log space. |ES| is the two-sided two-sample
Kolmogorov-Smirnov statistic; the p conditional on the sign equals the two-sided p up to ties of the largest
positive and negative deviation. Tokens of one kind share directions in the unembedding, so this p is a
baseline that people know, never evidence.

Evaluation of one score, with n the smaller of k and V - k:

- where few members lie beyond the peak (``n * (1 - |ES|) < 30``) the exact first-entry recursion;
- for n <= 40 and one-sided p above 0.05 (|ES| at most 1/2), a table of the exact two-sided cell programme;
- otherwise a table of the ballot form, whose ln p is within 4e-3 of the exact value for k << V, 0.01 for k
near
  V/2, and 0.03 in the far tails (p below 1e-50) of vocabularies of a few thousand tokens.

Look-up adds at most 1e-3 in ln p for vocabularies above 5,000 tokens, 3e-3 from 2,000 on, and 0.01 below: p
has steps there that no smooth curve follows.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.special import gammaln

from tsea_db.disk_cache import cache_folder, read_arrays, write_arrays
from tsea_db.errors import InputError
from tsea_db.kernels.compiled import compiled, compiled_parallel
from tsea_db.statistics.lattice_paths import (
    Factorials,
    ballot_sum,
    cell_programme,
    factorials,
    few_first_entries,
    first_entries,
    two_sided,
)

if TYPE_CHECKING:
    from pathlib import Path

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SMALL = 40
_FEW_BEYOND = 30
# sqrt(-ln(0.05) / 2): the one-sided p is near 0.05 at this value of |ES| * sqrt(k * (V - k) / V).
_CENTRE = 1.2239
# Every attainable value of a small vocabulary gets a node if the programmes visit no more cells than this.
_CELLS_FOR_ALL = 5e7
_GUIDE_STEPS = 1024


@dataclass(frozen=True)
class TokenNull:
    """Tables of ln p against |ES|, one for each distinct size of a set or of its complement.

    Attributes:
        n_tokens: V.
        sizes: Distinct ``min(k, V - k)``, ascending.
        starts: (n_sizes + 1) positions of each table's nodes.
        nodes: |ES| at the nodes of all tables, ascending within each.
        pieces: n_nodes x 4, cubic in ``|ES| - node`` from each node to the next, highest power first; a
            table's
            last row is unused. Below a table's first node p is 1, beyond its last the recursion is evaluated.

    """

    n_tokens: int
    sizes: Integers
    starts: Integers
    nodes: Floats
    pieces: Floats


def mean_abs_es(sizes: ArrayLike, n_tokens: int) -> Floats:
    """Return the mean of |ES|: ``0.868731 / (sqrt(k*m/V) + 0.19)``, within 0.1 % for k << V."""
    k = np.asarray(sizes, dtype=np.float64)
    return 0.868731 / (np.sqrt(k * (n_tokens - k) / n_tokens) + 0.19)


def log_p_exact(hits: int, misses: int, size: int, n_tokens: int) -> float:
    """Return the exact two-sided ln p of a peak after ``hits`` members and ``misses`` other tokens.

    For single scores and checks: it takes up to k * (V - k) steps, against a look-up of `log10_p_token`.

    Raises:
        InputError: if there are not that many members or other tokens, or the set is empty or holds every
            token.

    """
    k, m = size, n_tokens - size
    if not (1 <= k < n_tokens and 0 <= hits <= k and 0 <= misses <= m):
        raise InputError(f"no peak of {size} among {n_tokens} tokens has {hits} hits and {misses} misses")
    h = abs(hits * m - misses * k)
    if h == 0:
        return 0.0
    k, m = min(k, m), max(k, m)
    one_sided = first_entries(h, k, m, gammaln(np.arange(n_tokens + 1) + 1.0))
    # Orders that reach both lines are about P1**3 of those that reach one: here less than rounding.
    if one_sided < -30.0:
        return math.log(2.0) + float(one_sided)
    return math.log(cell_programme(h, k, m, True))


def build_token_null(sizes: ArrayLike, n_tokens: int) -> TokenNull:
    """Build the tables for sets of these sizes in a vocabulary of ``n_tokens``.

    Raises:
        InputError: if a set is empty or holds every token: it has no enrichment score.

    """
    distinct = np.unique(_folded(np.asarray(sizes, dtype=np.int64), n_tokens))
    grids = [_node_numerators(int(k), n_tokens) for k in distinct]
    starts = np.concatenate([[0], np.cumsum([len(grid) for grid in grids])]).astype(np.int64)
    numerators = np.concatenate([np.empty(0), *grids])
    log_p = np.empty(len(numerators))
    _fill_nodes(distinct, starts, n_tokens, numerators, log_p)
    nodes = np.empty_like(numerators)
    pieces = np.zeros((len(numerators), 4))
    for index, k in enumerate(distinct):
        span = slice(starts[index], starts[index + 1])
        nodes[span] = numerators[span] / (float(k) * float(n_tokens - k))
        curve = PchipInterpolator if k <= _SMALL else CubicSpline
        pieces[starts[index] : starts[index + 1] - 1] = curve(nodes[span], log_p[span]).c.T
    return TokenNull(n_tokens, distinct, starts, nodes, pieces)


def _folded(sizes: Integers, n_tokens: int) -> Integers:
    if np.any((sizes < 1) | (sizes >= n_tokens)):
        raise InputError(f"a set must have between 1 and {n_tokens - 1} of {n_tokens} tokens to have a score")
    return np.minimum(sizes, n_tokens - sizes)


def _node_numerators(k: int, n_tokens: int) -> Floats:
    """Choose the values of ``h = |ES| * k * m`` where the table of one size has its nodes, ascending."""
    m = n_tokens - k
    effective = math.sqrt(k * m / n_tokens)
    if k <= _SMALL:
        return _lattice_numerators(k, m, min(0.5, _CENTRE / effective))
    end = 1.0 - _FEW_BEYOND / k
    far = 3.0 / effective
    nodes = np.linspace(0.2 / effective, min(far, end), 141)
    if end > far:
        # Even steps of the logit: the curve bends where few tokens remain before or after the peak.
        logits = np.linspace(math.log(far / (1 - far)), math.log(end / (1 - end)), 121)[1:]
        nodes = np.concatenate([nodes, 1.0 / (1.0 + np.exp(-logits))])
    return nodes * (float(k) * m)


def _lattice_numerators(k: int, m: int, end: float) -> Floats:
    """Choose attainable ``h`` between 0 and just above ``end * k * m``, close around the kinks at 1/(2k)."""
    divisor = math.gcd(k, m)
    limit = end * k * m
    if limit / divisor * (limit * 2.0) <= _CELLS_FOR_ALL:
        every = np.arange(0, math.ceil(limit / divisor) + 1) * divisor
        return every[every <= k * m].astype(np.float64)
    kinks = math.ceil(end * 2 * k)
    wanted = np.linspace(0.0, kinks, kinks * max(8, -(-96 // kinks)) + 1) * (m / 2.0)
    wanted = np.append(wanted[wanted < limit], limit)
    hits = np.maximum(k - k // 2, np.ceil(wanted / m)).astype(np.int64)
    # The rounding goes up: the last node may not lie below the limit.
    attained = hits * m - np.floor((hits * m - wanted) / k).astype(np.int64) * k
    return np.unique(np.clip(attained, 0, k * m)).astype(np.float64)


@compiled_parallel
def _fill_nodes(sizes: Integers, starts: Integers, n_tokens: int, numerators: Floats, log_p: Floats) -> None:
    for node in prange(len(numerators)):
        k = sizes[np.searchsorted(starts, node, side="right") - 1]
        m = n_tokens - k
        if numerators[node] < 1.0:
            log_p[node] = 0.0
        elif k <= _SMALL:
            log_p[node] = math.log(cell_programme(int(numerators[node]), k, m, True))
        else:
            log_p[node] = two_sided(ballot_sum(numerators[node] / (float(k) * m), k, m))


@compiled
def _guide(nodes: Floats) -> Integers:
    """Return the last piece that starts at or before each of many even steps between the first and the last node."""
    pieces = np.empty(_GUIDE_STEPS + 1, np.int64)
    piece = 0
    for step in range(_GUIDE_STEPS + 1):
        value = nodes[0] + (nodes[-1] - nodes[0]) * (step / _GUIDE_STEPS)
        while piece < len(nodes) - 2 and nodes[piece + 1] <= value:
            piece += 1
        pieces[step] = piece
    return pieces


@compiled
def _last_not_above(d: float, scale: float, nodes: Floats, guide: Integers) -> int:
    """Find the piece that a value between the first and the last node lies in."""
    piece = guide[int((d - nodes[0]) * scale)]
    while piece > 0 and nodes[piece] > d:  # rounding of the step
        piece -= 1
    while piece < len(nodes) - 2 and nodes[piece + 1] <= d:
        piece += 1
    return int(piece)


@compiled
def _log_p_beyond(h: int, k: int, m: int, factorials_to_v: Factorials) -> float:
    one_sided = few_first_entries(h, k, m, factorials_to_v)
    # Above 1/2 no order reaches both lines: that would take more than all members, or all others.
    return math.log(2.0) + one_sided if 2 * h > k * m else two_sided(one_sided)


@compiled
def _fill(
    es: NDArray[np.floating],
    rounding: float,
    spans: Integers,
    tables: tuple[int, Floats, Floats, Factorials],
    log10_p: Floats,
) -> None:
    n_tokens, all_nodes, all_pieces, factorials_to_v = tables
    to_log10 = 1.0 / math.log(10.0)
    for column in range(es.shape[1]):
        k, first, last = spans[column]
        m = n_tokens - k
        nodes, pieces = all_nodes[first:last], all_pieces[first:last]
        guide, scale = _guide(nodes), _GUIDE_STEPS / (nodes[-1] - nodes[0])
        for row in range(es.shape[0]):
            d = min(abs(float(es[row, column])), 1.0)
            if d <= nodes[0] or d <= 0.0:
                log10_p[row, column] = 0.0
            elif d > nodes[-1]:
                h = math.ceil(d * k * m * (1.0 - rounding))
                log10_p[row, column] = _log_p_beyond(h, k, m, factorials_to_v) * to_log10
            else:
                piece = _last_not_above(d, scale, nodes, guide)
                x = d - nodes[piece]
                c = pieces[piece]
                log10_p[row, column] = min(0.0, c[3] + x * (c[2] + x * (c[1] + x * c[0]))) * to_log10


def log10_p_token(es: NDArray[np.floating], sizes: ArrayLike, null: TokenNull) -> Floats:
    """Return the two-sided log10 p of enrichment scores, float64 of the scores' shape.

    Args:
        es: n_features x n_sets, signed or not, float64 or float32. What rounding leaves of a float32 score
            counts
            against significance: p is that of the score less four units of its last place.
        sizes: n_sets, k of each.
        null: Tables that hold these sizes.

    Raises:
        InputError: if a score is not in [-1, 1] or the tables were not built for a size.

    """
    folded = _folded(np.asarray(sizes, dtype=np.int64), null.n_tokens)
    tables = np.searchsorted(null.sizes, folded)
    if np.any(null.sizes[np.minimum(tables, len(null.sizes) - 1)] != folded):
        raise InputError("the random-token tables lack a set's size: build them with the sizes of all sets")
    if not np.abs(es).max(initial=0.0) <= 1.0:
        raise InputError("enrichment scores lie in [-1, 1]: mask features without scores before asking for p")
    log10_p = np.empty(es.shape[::-1]).T
    spans = np.stack([folded, null.starts[tables], null.starts[tables + 1]], axis=1)
    rounding = 4.0 * float(np.finfo(es.dtype).eps)
    arrays = (null.n_tokens, null.nodes, null.pieces, factorials(null.n_tokens))
    _fill(es, rounding, spans, arrays, log10_p)
    return log10_p


_ARRAYS = tuple(field.name for field in fields(TokenNull) if field.name != "n_tokens")


def load_token_null(sizes: NDArray[np.int64], n_tokens: int, folder: Path | None = None) -> TokenNull:
    """Return what :func:`tsea_db.statistics.token_null.build_token_null` returns, from the cache if it is there.

    Args:
        sizes: Number of members of each set.
        n_tokens: Number of tokens, V.
        folder: Where tables are kept; by default :func:`tsea_db.disk_cache.cache_folder`.
    """
    key = hashlib.sha256(f"{n_tokens} {_code_hash()}".encode() + np.unique(sizes).astype("<i8").tobytes()).hexdigest()
    path = (folder or cache_folder()) / f"token-null-{key[:32]}.npz"
    arrays = read_arrays(path)
    if arrays is not None:
        return TokenNull(n_tokens, **arrays)
    null = build_token_null(sizes, n_tokens)
    write_arrays(path, {name: getattr(null, name) for name in _ARRAYS})
    return null


@cache
def _code_hash() -> str:
    statistics = files("tsea_db.statistics")
    parts = (statistics.joinpath(name).read_bytes() for name in ("token_null.py", "lattice_paths.py"))
    return hashlib.sha256(b"".join(parts)).hexdigest()
