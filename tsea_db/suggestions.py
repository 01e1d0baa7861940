"""Suggestions for names that are not there."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def unknown(kind: str, name: str, known: Iterable[str], where: str = "in the store") -> str:
    """Say that there is nothing of that name where it was looked for, and what comes nearest."""
    names = list(dict.fromkeys(known))
    near = get_close_matches(name, names, n=3, cutoff=0.4) or names[:3]
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return f"There is no {kind} called {name!r} {where}.{hint}"
