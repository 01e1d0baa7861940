"""What a token set checks when it is made."""

from __future__ import annotations

import pytest

from tsea_db.errors import TokenSetError
from tsea_db.token_sets.token_set import TokenSet


def test_a_negative_id_is_named() -> None:
    with pytest.raises(TokenSetError, match=r"Token set 'mine' has a negative token id \(-3\)\."):
        TokenSet.of([5, -3, 7], name="mine", family="mine", phrase="mine", definition="ids", source="mine")
