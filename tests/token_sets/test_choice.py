"""Part of the library in place of all of it."""

from __future__ import annotations

from typing import Any

import pytest

from tsea_db import TokenSet
from tsea_db.errors import InputError
from tsea_db.token_sets import choose_sets


def named(name: str, ids: list[int]) -> TokenSet:
    return TokenSet.of(ids, name=name, family="some", phrase=name, definition=name, source="a test")


LIBRARY = [named("one", [1, 2]), named("two", [2, 3]), named("three", [3, 4])]


def test_none_is_all() -> None:
    assert choose_sets(LIBRARY, None, 9) == LIBRARY


def test_sets_come_in_the_librarys_order_and_own_ones_after_them() -> None:
    mine, yours = named("mine", [8]), named("yours", [0])
    chosen = choose_sets(LIBRARY, [mine, "three", "one", "one", yours, named("one", [2, 1])], 9)
    assert chosen == [LIBRARY[0], LIBRARY[2], mine, yours]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["too"], "There is no token set called 'too' in the library. Did you mean two"),
        ([named("one", [1, 3])], "The library has a set 'one' with other members"),
        ([named("mine", [1]), named("mine", [2])], "Two of the sets given are called 'mine'"),
        ([named("mine", [9])], "'mine' has ids outside the vocabulary, whose ids are 0 to 8"),
        ([], "takes a list of token sets or of their names"),
        ("one", "takes a list of token sets or of their names, or None for all built-in ones, not 'one'"),
    ],
)
def test_what_cannot_be_chosen(wanted: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_sets(LIBRARY, wanted, 9)
