"""The library of token sets: every family, in order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tsea_db.errors import TokenSetError
from tsea_db.token_sets.families import (
    affixes,
    first_names,
    letters,
    parts_of_speech,
    regex_classes,
    special_tokens,
    tagger,
    verb_forms,
)
from tsea_db.token_sets.families.listed import listed_family

if TYPE_CHECKING:
    from tsea_db.token_sets.family import Family
    from tsea_db.token_sets.token_set import TokenSet
    from tsea_db.vocabulary.vocabulary import Vocabulary

FAMILIES: tuple[Family, ...] = (
    letters.FAMILY,
    regex_classes.FAMILY,
    listed_family("orthography", "Case, length and shape of tokens"),
    listed_family("numerals", "Numbers in digits"),
    listed_family("punctuation", "Punctuation, brackets, quotes and symbols"),
    listed_family("whitespace", "White space"),
    listed_family("scripts", "Unicode scripts, symbols and byte fragments"),
    special_tokens.FAMILY,
    verb_forms.FAMILY,
    parts_of_speech.FAMILY,
    affixes.FAMILY,
    tagger.FAMILY,
    listed_family("closed_classes", "Closed word classes of English"),
    first_names.FAMILY,
    listed_family("names", "Names of people, places and organisations"),
    listed_family("time", "Dates, times and durations"),
    listed_family("quantity", "Number words, units and money"),
    listed_family("people", "People, body, mind and society"),
    listed_family("nature", "Animals, plants, earth, sky and sciences"),
    listed_family("things", "Food, home, transport, arts, sport and technology"),
    listed_family("meanings", "Verbs and adjectives by meaning"),
    listed_family("code", "Programming, markup and the web"),
    listed_family("languages", "Function words of languages other than English"),
)


def build_catalogue(vocabulary: Vocabulary) -> list[TokenSet]:
    """Build every set of every family for a vocabulary, in the order of :data:`FAMILIES`.

    Sets that have no member in this vocabulary are left in: an empty set says something about a tokenizer.

    Raises:
        TokenSetError: Two sets have the same name or the same phrase.
    """
    sets = [token_set for family in FAMILIES for token_set in family.build(vocabulary)]
    for field in ("name", "phrase"):
        counts = Counter(getattr(token_set, field) for token_set in sets)
        repeated = [value for value, count in counts.items() if count > 1]
        if repeated:
            msg = f"Several token sets have the {field} {repeated[0]!r}: a {field} stands for one set."
            raise TokenSetError(msg)
    return sets
