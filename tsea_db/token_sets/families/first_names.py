"""First names of boys and girls."""

from __future__ import annotations

import csv
from functools import cache
from typing import TYPE_CHECKING

from tsea_db.token_sets.family import Family, data_file
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsea_db.vocabulary.vocabulary import Vocabulary

_CHILDREN = {"M": "boys", "F": "girls"}
_TOPS = {300: "", 1000: "_1000"}  # how many names -> end of the set's name
_SOURCE = "US Social Security Administration, national files (public domain)"


@cache
def _names_by_births() -> dict[str, list[str]]:
    """Return the names of "boys" and "girls", the most frequent first."""
    with data_file("us_first_names_1950_2010.csv").open(encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -int(row["births"]))
    return {children: [r["name"] for r in rows if r["sex"] == sex] for sex, children in _CHILDREN.items()}


def _build(vocabulary: Vocabulary) -> Iterator[TokenSet]:
    """Look names up, with exactly their case."""
    names = _names_by_births()
    for children, others in (("boys", "girls"), ("girls", "boys")):
        for top, end in _TOPS.items():
            extent = "" if top == min(_TOPS) else f" (top {top:,})"
            among = f"One of the {top:,} most frequent {children}' names by births 1950-2010"
            yield _names(
                vocabulary,
                names[children][:top],
                f"first_names_{children}{end}",
                f"{children}' first names{extent}",
                f"{among}, as a whole word.",
            )
            yield _names(
                vocabulary,
                [name for name in names[children][:top] if name not in names[others]],
                f"first_names_{children}_only{end}",
                f"first names of {children} only{extent}",
                f"{among} and not one of the {len(names[others]):,} of {others}, as a whole word.",
            )
    yield _names(
        vocabulary,
        [name for name in names["boys"] if name in names["girls"]],
        "first_names_both",
        "first names of boys and girls alike",
        "Among the 1,000 most frequent names of boys and of girls by births 1950-2010, as a whole word.",
    )


def _names(vocabulary: Vocabulary, names: list[str], name: str, phrase: str, definition: str) -> TokenSet:
    return TokenSet.of(
        vocabulary.ids_of_words(names),
        name=name,
        family="first_names",
        phrase=phrase,
        definition=definition,
        source=_SOURCE,
    )


FAMILY = Family("first_names", "First names by births in the USA", _build)
