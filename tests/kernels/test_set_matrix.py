"""Packing and checking of token sets."""

from __future__ import annotations

import numpy as np
import pytest

from tsea_db.errors import TokenSetError
from tsea_db.kernels.set_matrix import SetMatrix


def test_members_are_sorted_and_packed_by_set() -> None:
    sets = SetMatrix.from_sets([[3, 1], np.array([], dtype=np.int64), [4, 0, 2]], n_tokens=5)
    assert sets.n_sets == 3
    assert sets.offsets.tolist() == [0, 2, 2, 5]
    assert sets.token_ids.tolist() == [1, 3, 0, 2, 4]
    assert sets.token_ids.dtype == np.int32
    assert sets.sizes.tolist() == [2, 0, 3]


def test_sets_without_members_or_without_others_cannot_be_scored() -> None:
    sets = SetMatrix.from_sets([[], [0], [0, 1], [0, 1, 2]], n_tokens=3)
    assert sets.scorable.tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, 5], "token 5, outside the vocabulary's 0 to 4"),
        ([-1, 2], "token -1, outside"),
        ([2, 0, 2], "token 2 twice"),
        ([0.5], "float64 values"),
        ([True, False], "bool values"),
    ],
)
def test_bad_sets_are_refused_by_position(ids: list[int], message: str) -> None:
    with pytest.raises(TokenSetError, match=message) as error:
        SetMatrix.from_sets([[0], ids], n_tokens=5)
    assert "Token set 1" in str(error.value)


@pytest.mark.parametrize("n_tokens", [0, 2**21])
def test_vocabulary_size_is_checked(n_tokens: int) -> None:
    with pytest.raises(TokenSetError, match=str(n_tokens)):
        SetMatrix.from_sets([], n_tokens)


def test_no_sets_at_all() -> None:
    sets = SetMatrix.from_sets([], n_tokens=4)
    assert sets.n_sets == 0
    assert sets.walked.token_offsets.tolist() == [0, 0, 0, 0, 0]


def test_walked_sets_hold_the_smaller_side_by_token(rng: np.random.Generator) -> None:
    n_tokens = 50
    members = [rng.choice(n_tokens, k, replace=False) for k in (1, 25, 26, 49, 50, 0)]
    sets = SetMatrix.from_sets(members, n_tokens)
    walked = sets.walked
    assert walked.complemented.tolist() == [False, False, True, True, True, False]
    assert walked.sizes.tolist() == [1, 25, 24, 1, 0, 0]
    for token in range(n_tokens):
        counted = walked.set_ids[walked.token_offsets[token] : walked.token_offsets[token + 1]].tolist()
        assert counted == [s for s in range(6) if (token in members[s]) != walked.complemented[s]]
