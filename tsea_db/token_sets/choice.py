"""Some of the library's sets, and sets of one's own, in place of the whole library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsea_db.errors import InputError
from tsea_db.suggestions import unknown
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Sequence


def choose_sets(library: Sequence[TokenSet], wanted: Sequence[str | TokenSet] | None, n_tokens: int) -> list[TokenSet]:
    """Return the sets asked for: the library's in its order, then one's own.

    Args:
        library: All built-in sets for a vocabulary.
        wanted: Names of built-in sets, or sets; None for all built-in ones.
        n_tokens: Size of the vocabulary, which bounds the ids of one's own sets.

    Raises:
        InputError: Nothing is asked for, a name is not the library's (the nearest are suggested), or a set of one's own
            has a name that is taken or an id outside the vocabulary.
    """
    if wanted is None:
        return list(library)
    if isinstance(wanted, str) or not wanted:
        msg = f"library takes a list of token sets or of their names, or None for all built-in ones, not {wanted!r}."
        raise InputError(msg)
    shipped = {token_set.name: token_set for token_set in library}
    names: set[str] = set()
    own: dict[str, TokenSet] = {}
    for each in wanted:
        if isinstance(each, TokenSet) and each.name not in shipped:
            _check_own(each, own, n_tokens)
            own[each.name] = each
            continue
        name = each.name if isinstance(each, TokenSet) else each
        if name not in shipped:
            raise InputError(unknown("token set", name, shipped, "in the library"))
        if isinstance(each, TokenSet) and each.content_hash != shipped[name].content_hash:
            msg = f"The library has a set {name!r} with other members: give yours another name."
            raise InputError(msg)
        names.add(name)
    return [*(token_set for token_set in library if token_set.name in names), *own.values()]


def _check_own(token_set: TokenSet, others: dict[str, TokenSet], n_tokens: int) -> None:
    if token_set.name in others:
        msg = f"Two of the sets given are called {token_set.name!r}: rename one."
        raise InputError(msg)
    if len(token_set) and not 0 <= token_set.token_ids.min() <= token_set.token_ids.max() < n_tokens:
        msg = f"Token set {token_set.name!r} has ids outside the vocabulary, whose ids are 0 to {n_tokens - 1}."
        raise InputError(msg)
