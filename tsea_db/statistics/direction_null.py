"""The random-direction null: how far a feature's direction points towards a token set's.

``Delta_S`` is the mean of the unembedding's columns in S minus the mean of those not in S. A feature's
direction ``w`` promotes S by ``w . Delta_S`` (mean logit weight of members minus that of others). Under the
null ``w`` is uniform on the unit sphere of the subspace that the unembedding reads, ``d_eff`` dimensions, so
the cosine of ``w`` and ``Delta_S`` has the exact tail of `cosine_tail`. It depends on (unembedding, set)
only.

Cosines are bit-for-bit the same for any thread count and block of features: both unit vectors are rounded to
multiples of 2**-26, so that every product and partial sum is a multiple of 2**-52 below 2 and float64 adds
them without rounding, in any order. The rounding moves a cosine by about 1e-8.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tsea_db.errors import InputError, WeightsError
from tsea_db.kernels import in_order
from tsea_db.statistics.cosine_tail import z_and_log10_p

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MIN_DIMENSION = 8

_GRID = 2.0**26
_COLUMN_BLOCK = 64
_ROW_BLOCK = 256
_TOKEN_BLOCK = 4096
_TOKENS_PER_DIMENSION = 4
_ONES_TOLERANCE = 1e-5
_RANK_TOLERANCE = 1e-10
_ZERO_TOLERANCE = 1e-6


class NoScore(StrEnum):
    """Why a set or a feature has no z, p or q."""

    SIZE = "fewer than 2 members, or fewer than 2 tokens outside"
    ZERO_DELTA = "members and other tokens have the same mean unembedding"
    LOW_DIMENSION = f"the unembedding reads fewer than {MIN_DIMENSION} dimensions"
    ZERO_DIRECTION = "the unembedding does not read the feature's direction"


@dataclass(frozen=True)
class ReadSubspace:
    """The part of the residual stream that an unembedding reads.

    Attributes:
        d_model: Dimensions of the residual stream.
        unread: (d_model - d_eff) x d_model, orthonormal rows that the unembedding maps to zero.

    """

    d_model: int
    unread: Floats

    @property
    def d_eff(self) -> int:
        """Dimensions that are read."""
        return self.d_model - len(self.unread)

    def project(self, rows: NDArray[np.floating]) -> Floats:
        """Remove the unread part of each of (n x d_model) rows; the result is float64."""
        rows = np.asarray(rows, dtype=np.float64)
        # einsum, not a matrix product: its sums do not depend on the number of rows or threads.
        coefficients = np.einsum("nd,rd->nr", rows, self.unread)
        read: Floats = rows - np.einsum("nr,rd->nd", coefficients, self.unread)
        return read


def unembedding_gram(U: NDArray[np.floating], centred: bool = False) -> Floats:
    """Return ``U U'`` (d_model x d_model) in float64; with ``centred``, of U less its mean token.

    Each entry is one sum in order of token, so no bit depends on the processor or on threads. The vocabulary is read in
    blocks: a float64 copy of U is never held.
    """
    d_model, n_tokens = U.shape
    mean = U.mean(axis=1, dtype=np.float64) if centred else np.zeros(d_model)
    total = np.zeros((d_model, d_model))
    for start in range(0, n_tokens, _TOKEN_BLOCK):
        in_order.add_gram(U[:, start : start + _TOKEN_BLOCK].T.astype(np.float64, order="C") - mean, total)
    return in_order.symmetric(total)


def read_subspace(gram: Floats) -> ReadSubspace:
    """Find what ``U`` does not read from its Gram matrix ``U U'``.

    After LayerNorm centring every column of U sums to zero, so U does not read the all-ones direction; that
    one is recognised first and kept exactly (``1 / sqrt(d_model)``). There are as many further unread directions as
    eigenvalues below 1e-10 of the largest (1e-5 as a singular value, far above float32 rounding).

    Raises:
        WeightsError: if U is zero or not finite.

    """
    d_model = gram.shape[0]
    values = _eigenvalues(gram)
    unread = np.empty((0, d_model))
    ones = np.full(d_model, 1.0 / np.sqrt(d_model))
    if np.sqrt(max(ones @ gram @ ones, 0.0) / values[-1]) < _ONES_TOLERANCE:
        unread = ones[None, :]
        gram = gram + _power_of_two(values[-1]) * np.outer(ones, ones)
        values = _eigenvalues(gram)
    n_unread = int((values < _RANK_TOLERANCE * values[-1]).sum())
    if n_unread:
        unread = np.vstack([unread, in_order.factorise(gram, d_model - n_unread).null_space()])
    return ReadSubspace(d_model, unread)


def unembedding_subspace(U: NDArray[np.floating]) -> ReadSubspace:
    """Return what `read_subspace` does, from a part of the tokens where they settle it.

    Whatever some columns of U read, all of them read: if a few thousand tokens leave nothing unread but the all-ones
    direction, or not even that, the others need no product.
    """
    d_model, n_tokens = U.shape
    energy, along_ones = _energies(U)
    part = U[:, :: max(1, n_tokens // (_TOKENS_PER_DIMENSION * d_model))].astype(np.float64)
    gram: Floats = part @ part.T
    ones = np.full(d_model, 1.0 / np.sqrt(d_model))
    # The largest eigenvalue lies between energy / d_model and energy. In between all tokens have to tell.
    if along_ones * d_model < _ONES_TOLERANCE**2 * energy:
        unread = ones[None, :]
        gram += energy / d_model * np.outer(ones, ones)
    elif along_ones > _ONES_TOLERANCE**2 * energy:
        unread = np.empty((0, d_model))
    else:
        return read_subspace(unembedding_gram(U))
    # With ten times the tolerance there is no doubt, whatever rounding does.
    if np.isfinite(energy) and _eigenvalues(gram)[0] > 10.0 * _RANK_TOLERANCE * energy:
        return ReadSubspace(d_model, unread)
    return read_subspace(unembedding_gram(U))


def _energies(U: NDArray[np.floating]) -> tuple[float, float]:
    """Return the sum of all squares of U, and that of its columns' components along the all-ones direction."""
    total, sums = 0.0, np.zeros(U.shape[1])
    for row in U:
        exact = row.astype(np.float64)
        sums += exact
        total += float(np.square(exact).sum())
    return total, float(np.square(sums).sum()) / len(U)


def _power_of_two(value: float) -> float:
    """Round down to a power of two: the last bits of an eigenvalue depend on LAPACK."""
    return float(2.0 ** np.floor(np.log2(value)))


def _eigenvalues(gram: Floats) -> Floats:
    """Eigenvalues, ascending, of a Gram matrix that is neither zero nor non-finite."""
    if not np.all(np.isfinite(gram)):
        raise WeightsError("the unembedding has values that are not finite: no null can be computed from it")
    values = np.asarray(np.linalg.eigvalsh(gram), dtype=np.float64)
    if values[-1] <= 0.0:
        raise WeightsError("the unembedding is zero everywhere: no null can be computed from it")
    return values


@dataclass(frozen=True)
class SetDirections:
    """``Delta_S`` of each token set.

    Attributes:
        unit: n_sets x d_model float64, Delta_S over its length; a zero row where the set has none.
        length: n_sets float64, ``|Delta_S|`` in the unembedding's units.
        d_eff: Dimensions of the subspace that the unembedding reads.
        reasons: For each set why it gets no score, or None.

    """

    unit: Floats
    length: Floats
    d_eff: int
    reasons: tuple[NoScore | None, ...]

    @property
    def usable(self) -> Bools:
        """Which sets get scores."""
        return np.array([reason is None for reason in self.reasons], dtype=bool)


def set_directions(
    U: NDArray[np.floating],
    offsets: NDArray[np.integer],
    token_ids: NDArray[np.integer],
    subspace: ReadSubspace,
) -> SetDirections:
    """Compute ``Delta_S`` of every set in float64.

    Args:
        U: d_model x n_tokens, the processed unembedding.
        offsets: (n_sets + 1) positions in ``token_ids``, as in a CSR matrix.
        token_ids: Members of each set.
        subspace: From `read_subspace`.

    Raises:
        InputError: if the subspace is not that of an unembedding of this shape.

    """
    d_model, n_tokens = U.shape
    if subspace.d_model != d_model:
        raise InputError(f"the subspace has {subspace.d_model} dimensions, the unembedding {d_model}")
    sizes = np.diff(offsets)
    inside, total, energy = np.empty((len(sizes), d_model)), np.empty(d_model), 0.0
    memberships = csr_array((np.ones(len(token_ids)), token_ids, offsets), shape=(len(sizes), n_tokens))
    for start in range(0, d_model, _COLUMN_BLOCK):
        block = np.ascontiguousarray(U[start : start + _COLUMN_BLOCK].T, dtype=np.float64)
        inside[:, start : start + _COLUMN_BLOCK] = memberships @ block
        total[start : start + _COLUMN_BLOCK] = block.sum(axis=0)
        energy += float(np.einsum("vd,vd->", block, block))
    scored = (sizes >= 2) & (sizes <= n_tokens - 2)
    k = np.where(scored, sizes, 1)[:, None]
    delta = inside / k - (total - inside) / (n_tokens - k)
    length = np.where(scored, np.sqrt(np.einsum("sd,sd->s", delta, delta)), 0.0)
    # Rounding of U leaves about 1e-8 of a column's length where the means are equal.
    flat = length <= _ZERO_TOLERANCE * np.sqrt(energy / n_tokens)
    reasons = tuple(
        _set_reason(bool(size_fits), bool(zero), subspace.d_eff) for size_fits, zero in zip(scored, flat, strict=True)
    )
    used = np.array([reason is None for reason in reasons], dtype=bool)
    unit = np.where(used[:, None], delta / np.where(used, length, 1.0)[:, None], 0.0)
    return SetDirections(unit, length, subspace.d_eff, reasons)


def _set_reason(size_fits: bool, zero: bool, d_eff: int) -> NoScore | None:
    if d_eff < MIN_DIMENSION:
        return NoScore.LOW_DIMENSION
    if not size_fits:
        return NoScore.SIZE
    return NoScore.ZERO_DELTA if zero else None


@dataclass(frozen=True)
class DirectionScores:
    """Statistics of features against sets. Pairs that are not ``valid`` hold 0 in every array, never NaN.

    Attributes:
        cosine: n_features x n_sets, cosine of the feature's read part and Delta_S.
        z: n_features x n_sets, its normal equivalent (`z_direction`).
        log10_p: n_features x n_sets, two-sided.
        feature_usable: n_features, False for `NoScore.ZERO_DIRECTION`.
        valid: n_features x n_sets, where both the feature and the set are usable.

    """

    cosine: Floats
    z: Floats
    log10_p: Floats
    feature_usable: Bools
    valid: Bools


def unit_directions(rows: NDArray[np.floating], subspace: ReadSubspace) -> tuple[Floats, Bools]:
    """Project rows (n x d_model) on the read subspace and divide by their length.

    Returns the float64 unit rows and which of them are usable; a row of which less than 1e-6 is read
    becomes zero.

    Raises:
        WeightsError: if a row has a value that is not finite.

    """
    unit, usable = np.empty(rows.shape), np.empty(len(rows), dtype=np.bool_)
    # Blocks that fit the processor's cache; a row's result does not depend on its block.
    for start in range(0, len(rows), _ROW_BLOCK):
        block = slice(start, start + _ROW_BLOCK)
        unit[block], usable[block] = _unit_block(np.asarray(rows[block], dtype=np.float64), subspace)
    return unit, usable


def _unit_block(rows: Floats, subspace: ReadSubspace) -> tuple[Floats, Bools]:
    if not np.all(np.isfinite(rows)):
        raise WeightsError("a feature's direction has values that are not finite: it cannot be scored")
    # The largest entry is divided out first so that no square over- or underflows.
    scale = np.abs(rows).max(axis=1, initial=0.0)
    rows = rows / np.where(scale > 0.0, scale, 1.0)[:, None]
    read = subspace.project(rows)
    before = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    after = np.sqrt(np.einsum("nd,nd->n", read, read))
    usable = after > _ZERO_TOLERANCE * before
    return np.where(usable[:, None], read / np.where(usable, after, 1.0)[:, None], 0.0), usable


def exact_cosines(unit_rows: Floats, unit_columns: Floats) -> Floats:
    """Return dot products (n x m) of unit vectors (n x d, m x d): the same bits however they are computed."""
    return grid_cosines(on_grid(unit_rows), on_grid(unit_columns))


def on_grid(units: Floats) -> Floats:
    """Round unit vectors (n x d) to multiples of 2**-26."""
    rounded: Floats = units * _GRID
    np.rint(rounded, out=rounded)
    rounded *= 1.0 / _GRID
    return rounded


def grid_cosines(rows: Floats, columns: Floats) -> Floats:
    """Return dot products (n x m) of what `on_grid` returns for unit vectors (n x d, m x d)."""
    cosines: Floats = rows @ columns.T
    np.clip(cosines, -1.0, 1.0, out=cosines)
    return cosines


def paired_cosines(left: Floats, right: Floats) -> Floats:
    """Return the n cosines that `exact_cosines` has on its diagonal, for n pairs of unit vectors."""
    return np.asarray(np.clip(np.einsum("nd,nd->n", on_grid(left), on_grid(right)), -1.0, 1.0))


def direction_scores(rows: NDArray[np.floating], sets: SetDirections, subspace: ReadSubspace) -> DirectionScores:
    """Score features' directions (n_features x d_model, mapped to the residual stream) against all sets."""
    unit, feature_usable = unit_directions(rows, subspace)
    cosine = exact_cosines(unit, sets.unit)
    valid = feature_usable[:, None] & sets.usable[None, :]
    if sets.d_eff < MIN_DIMENSION:
        return DirectionScores(cosine, np.zeros_like(cosine), np.zeros_like(cosine), feature_usable, valid)
    z, log10_p = z_and_log10_p(cosine, sets.d_eff)
    return DirectionScores(cosine, z, log10_p, feature_usable, valid)


def sample_directions(n: int, seed: int, subspace: ReadSubspace, start: int = 0) -> Floats:
    """Draw directions ``start`` to ``start + n`` of the null of a seed (0 is a seed like any other).

    Rows are float64 unit vectors (n x d_model), uniform on the sphere of the read subspace. Every 256 of them
    have a random stream of their own, so a row does not depend on how many others are drawn, nor in which
    blocks.

    Raises:
        InputError: if a number is negative.

    """
    if min(n, seed, start) < 0:
        raise InputError(f"number of directions {n}, seed {seed} and start {start} must not be negative")
    blocks = range(start // _ROW_BLOCK, -(-(start + n) // _ROW_BLOCK))
    normals = [_normal_block(seed, block, subspace.d_model) for block in blocks]
    first = start - (start // _ROW_BLOCK) * _ROW_BLOCK
    rows = np.concatenate([np.empty((0, subspace.d_model)), *normals])[first : first + n]
    return unit_directions(rows, subspace)[0]


def _normal_block(seed: int, block: int, d_model: int) -> Floats:
    stream = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(block,))))
    return stream.standard_normal((_ROW_BLOCK, d_model))


def random_rotation(d_model: int, seed: int) -> Floats:
    """Return a random orthogonal matrix (d_model x d_model), uniform over rotations and reflections."""
    stream = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
    q, r = np.linalg.qr(stream.standard_normal((d_model, d_model)))
    # Without the signs of r's diagonal, QR favours some rotations (F. Mezzadri, Notices AMS 54, 2007).
    return np.asarray(q * np.sign(np.diag(r)))
