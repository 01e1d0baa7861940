"""Families that are nothing but a data file of definitions."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from tsea_db.token_sets.building import build_sets
from tsea_db.token_sets.definitions import parse_definitions
from tsea_db.token_sets.family import Family, data_file

if TYPE_CHECKING:
    from tsea_db.token_sets.definitions import Definition
    from tsea_db.token_sets.token_set import TokenSet
    from tsea_db.vocabulary.vocabulary import Vocabulary


@cache
def read_data(name: str) -> tuple[Definition, ...]:
    """Read a shipped file of definitions."""
    file_name = f"{name}.toml"
    return parse_definitions(data_file(file_name).read_text(encoding="utf-8"), file_name)


def _build(name: str, vocabulary: Vocabulary) -> list[TokenSet]:
    return build_sets(read_data(name), vocabulary, shipped=True).sets


def listed_family(name: str, title: str) -> Family:
    """Declare the family whose sets are in ``data/NAME.toml``."""
    return Family(name, title, partial(_build, name))
