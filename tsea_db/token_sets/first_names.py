"""First names of boys and girls."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from tsea_db.token_sets.family import Family, data_file
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsea_db.token_sets.vocabulary import Vocabulary

_SEXES = {"M": "boys", "F": "girls"}
_TOP = 300


def _build(vocabulary: Vocabulary) -> Iterator[TokenSet]:
    """Look the most frequent names up among the tokens that open a word; the data file is sorted by births."""
    with data_file("us_first_names_1950_2010.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for sex, children in _SEXES.items():
        by_births = sorted((row for row in rows if row["sex"] == sex), key=lambda row: -int(row["births"]))
        yield TokenSet.of(
            vocabulary.ids_of_words(row["name"] for row in by_births[:_TOP]),
            name=f"first_names_{children}",
            family="first_names",
            phrase=f"{children}' first names",
            definition=f"One of the {_TOP} most frequent {children}' names by births 1950-2010, as a whole word.",
            source="US Social Security Administration, national files (public domain)",
        )


FAMILY = Family("first_names", "First names by births in the USA", _build)
