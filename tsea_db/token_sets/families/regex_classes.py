"""The regular-expression classes of the TSEA tutorial."""

from __future__ import annotations

import re
from itertools import compress, count
from typing import TYPE_CHECKING

from tsea_db.token_sets.family import Family
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsea_db.vocabulary.vocabulary import Vocabulary

# Matched with re.match on the byte-level spelling, as in the notebook of the TSEA tutorial in SAELens.
_CLASSES = {
    "starts_with_space": (r"Ġ.*", "tokens with a leading space"),
    "starts_with_capital": (r"^Ġ*[A-Z].*", "capitalised tokens"),
    "starts_with_lower": (r"^Ġ*[a-z].*", "lower-case tokens"),
    "all_digits": (r"^Ġ*\d+$", "numbers in digits"),
    "is_punctuation": (r"^[^\w\s]+$", "punctuation without a leading space"),
    "contains_close_bracket": (r".*\).*", "tokens with a closing bracket"),
    "contains_open_bracket": (r".*\(.*", "tokens with an opening bracket"),
    "all_caps": (r"Ġ*[A-Z]+$", "tokens in capitals"),
    "1 digit": (r"Ġ*\d{1}$", "one-digit numbers"),
    "2 digits": (r"Ġ*\d{2}$", "two-digit numbers"),
    "3 digits": (r"Ġ*\d{3}$", "three-digit numbers"),
    "4 digits": (r"Ġ*\d{4}$", "four-digit numbers"),
    "length_1": (r"^Ġ*\w{1}$", "tokens of one character"),
    "length_2": (r"^Ġ*\w{2}$", "tokens of two characters"),
    "length_3": (r"^Ġ*\w{3}$", "tokens of three characters"),
    "length_4": (r"^Ġ*\w{4}$", "tokens of four characters"),
    "length_5": (r"^Ġ*\w{5}$", "tokens of five characters"),
}


def _build(vocabulary: Vocabulary) -> Iterator[TokenSet]:
    """Match each class with every spelling."""
    for name, (pattern, phrase) in _CLASSES.items():
        yield TokenSet.of(
            compress(count(), map(re.compile(pattern).match, vocabulary.spellings)),
            name=name,
            family="regex_classes",
            phrase=phrase,
            definition=f"Byte-level spelling (Ġ is a space) matches {pattern}",
            source="TSEA tutorial notebook of SAELens",
        )


FAMILY = Family("regex_classes", "The regular-expression classes of the TSEA tutorial", _build)
