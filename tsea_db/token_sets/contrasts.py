"""Pairs of sets that are easily confused, for which "A but not B" is worth asking."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import NamedTuple

from tsea_db.token_sets.family import data_file


class Contrast(NamedTuple):
    """Two sets of the library by name, and why they are confused."""

    a: str
    b: str
    why: str


@cache
def read_contrasts() -> tuple[Contrast, ...]:
    """Read the contrasts that the library declares."""
    rows = tomllib.loads(data_file("contrasts.toml").read_text(encoding="utf-8"))["contrast"]
    return tuple(Contrast(row["a"], row["b"], row["why"]) for row in rows)
