"""The library of token sets: every family, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsea_db.errors import TokenSetError
from tsea_db.token_sets import first_names, letters, regex_classes, tagger, verb_forms

if TYPE_CHECKING:
    from tsea_db.token_sets.family import Family
    from tsea_db.token_sets.token_set import TokenSet
    from tsea_db.token_sets.vocabulary import Vocabulary

FAMILIES: tuple[Family, ...] = (
    letters.FAMILY,
    regex_classes.FAMILY,
    verb_forms.FAMILY,
    tagger.FAMILY,
    first_names.FAMILY,
)


def build_catalogue(vocabulary: Vocabulary) -> list[TokenSet]:
    """Build every set of every family for a vocabulary, in the order of :data:`FAMILIES`.

    Sets that have no member in this vocabulary are left in: an empty set says something about a tokenizer.

    Raises:
        TokenSetError: Two sets have the same name.
    """
    sets = [token_set for family in FAMILIES for token_set in family.build(vocabulary)]
    names: set[str] = set()
    for token_set in sets:
        if token_set.name in names:
            msg = f"Two token sets are called {token_set.name!r}: rename one of them."
            raise TokenSetError(msg)
        names.add(token_set.name)
    return sets
