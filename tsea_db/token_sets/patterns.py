"""Regular expressions of set definitions, with a limit on the time they may take."""

from __future__ import annotations

import time
from itertools import compress
from typing import TYPE_CHECKING, Any

import regex

from tsea_db.errors import TokenSetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TIME_LIMIT = 10.0
"""Seconds that one pattern may take for a whole vocabulary; sane ones take a tenth of a second."""


def matching(
    pattern: str, ids: Sequence[int], texts: Sequence[str], name: str, limit: float | None = TIME_LIMIT
) -> list[int]:
    r"""Return the ids whose text the pattern matches as a whole (``fullmatch``).

    Args:
        pattern: Of the ``regex`` package, which knows Unicode properties (``\p{Script=Greek}``).
        ids: Of the tokens.
        texts: What is matched, one for each id.
        name: The set's name, for messages.
        limit: Seconds for all texts together. None for patterns that are known to be harmless: watching the clock takes
            six times as long as matching.

    Raises:
        TokenSetError: The pattern does not compile (says where), or exceeds the limit.
    """
    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        at = error.pos
        place = "" if at is None else f" at position {at}: {pattern[:at]}<here>{pattern[at:]}"
        msg = f"Token set {name!r}: its pattern does not compile ({error.msg}){place}."
        raise TokenSetError(msg) from error
    if limit is None:
        return list(compress(ids, map(compiled.fullmatch, texts)))
    return _matching_in_time(compiled, zip(ids, texts, strict=True), name, limit)


def _matching_in_time(compiled: Any, texts: Iterable[tuple[int, str]], name: str, limit: float) -> list[int]:
    end = time.monotonic() + limit
    ids = []
    for token_id, text in texts:
        try:
            # The limit of one match is what is left for all; a pattern that backtracks without end stops inside it.
            found = compiled.fullmatch(text, timeout=max(end - time.monotonic(), 1e-3))
        except TimeoutError as error:
            msg = (
                f"Token set {name!r}: its pattern {compiled.pattern} takes more than {limit:g} s; it was at "
                f"token {token_id} ({text[:40]!r}). Nested repeats such as (a+)+ backtrack without end: avoid them."
            )
            raise TokenSetError(msg) from error
        if found:
            ids.append(token_id)
    return ids
