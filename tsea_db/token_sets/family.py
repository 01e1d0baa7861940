"""A family of token sets: what a module of this package declares."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.resources.abc import Traversable

    from tsea_db.token_sets.token_set import TokenSet
    from tsea_db.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class Family:
    """Token sets that are built together.

    Attributes:
        name: Identifier of the family.
        title: One line for a person.
        build: Makes the family's sets for a vocabulary. The same vocabulary always gives the same sets.
    """

    name: str
    title: str
    build: Callable[[Vocabulary], Iterable[TokenSet]]


def data_file(name: str) -> Traversable:
    """Return a data file that ships with the package."""
    return files(__package__) / "data" / name
