"""Tokens by first letter."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING

from tsea_db.token_sets.family import Family
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsea_db.vocabulary.vocabulary import Vocabulary


def _build(vocabulary: Vocabulary) -> Iterator[TokenSet]:
    """Sort tokens made of letters by their first letter, as ``sae_lens.tutorial.tsea.get_letter_gene_sets`` does.

    Members are judged by the byte-level spelling: every ``Ġ`` at either end is dropped, the rest must be letters.
    """
    ids: dict[str, list[int]] = {letter: [] for letter in ascii_lowercase}
    for token_id, spelling in enumerate(vocabulary.spellings):
        bare = spelling.strip("Ġ")
        if bare.isalpha() and (letter := bare[0].lower()) in ids:
            ids[letter].append(token_id)
    for letter, members in ids.items():
        yield TokenSet.of(
            members,
            name=f"letter_{letter}",
            family="letters",
            phrase=f"tokens starting with {letter.upper()}",
            definition=f"Made of letters, the first being {letter} or {letter.upper()}; leading spaces are dropped.",
            source="sae_lens.tutorial.tsea.get_letter_gene_sets",
        )


FAMILY = Family("letters", "Tokens made of letters, by first letter", _build)
