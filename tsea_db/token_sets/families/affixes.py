"""Words with a prefix or a suffix, verified: the word is in the lexicon, and so is what the affix is attached to."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from tsea_db.token_sets.family import Family, data_file
from tsea_db.token_sets.lexicon import readings_of, tags_of
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsea_db.vocabulary.vocabulary import Vocabulary

_SHORTEST_BASE = 3  # letters; "un|it" and "re|d" are no prefixed words
_VOWELS = "aeiou"


class Affix(NamedTuple):
    """One entry of ``affixes.toml``, whose head explains the fields."""

    is_prefix: bool
    affix: str
    name: str
    phrase: str
    base: frozenset[str]
    tags: frozenset[str]
    exceptions: frozenset[str]

    def has(self, word: str) -> bool:
        """Tell whether a lower-case word carries this affix."""
        if not (word.startswith if self.is_prefix else word.endswith)(self.affix):
            return False
        own = tags_of(word)
        if not own or (self.tags and not own & self.tags):
            return False
        if word in self.exceptions or any(reading.lemma in self.exceptions for reading in readings_of(word)):
            return False
        rest = word.removeprefix(self.affix) if self.is_prefix else word.removesuffix(self.affix)
        bases = [rest] if self.is_prefix else _stems(rest, self.affix)
        return any(len(base) >= _SHORTEST_BASE and tags_of(base) & self.base for base in bases)


def _stems(stem: str, suffix: str) -> list[str]:
    """Return what a word can have been before a suffix changed its end.

    The word itself (care-ful), with y for i (happi-ness), with e restored (creat-ion, us-able), without a doubled
    consonant (runn-er), with le for l (simpl-y), and with c or t for the s or c that -ion, -y and -al bring along.
    """
    stems = [stem]
    if stem.endswith("i"):
        stems.append(stem[:-1] + "y")
    if suffix[0] in _VOWELS or suffix == "y":
        stems.append(stem + "e")
        if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in _VOWELS:
            stems.append(stem[:-1])
        if suffix[0] in _VOWELS:
            stems.append(stem + "y")
    if suffix == "ly":
        stems += [stem + "le", stem + "e", stem.removesuffix("al")]
    if suffix == "ity" and stem.endswith("bil"):
        stems.append(stem[:-3] + "ble")
    if suffix == "ion" and stem.endswith("s"):
        stems += [stem[:-1] + "d", stem[:-1] + "de", stem[:-2] + "t"]
    return stems


@cache
def _read() -> tuple[str, list[Affix]]:
    content = tomllib.loads(data_file("affixes.toml").read_text(encoding="utf-8"))
    affixes = [
        Affix(
            is_prefix=kind == "prefix",
            affix=entry["affix"],
            name=entry.get("name", f"{kind}_{entry['affix']}"),
            phrase=entry["phrase"],
            base=frozenset(entry["base"]),
            tags=frozenset(entry.get("tags", ())),
            exceptions=frozenset(entry.get("not", "").split()),
        )
        for kind in ("prefix", "suffix")
        for entry in content[kind]
    ]
    return content["source"], affixes


def _build(vocabulary: Vocabulary) -> Iterator[TokenSet]:
    """Test each word that a token opens, in lower case."""
    source, affixes = _read()
    words = [(i, word.lower()) for i, word in enumerate(vocabulary.words) if word is not None]
    for affix in affixes:
        shape = f"{affix.affix}-" if affix.is_prefix else f"-{affix.affix}"
        tags = f" that can be {'/'.join(sorted(affix.tags))}" if affix.tags else ""
        yield TokenSet.of(
            (i for i, word in words if affix.has(word)),
            name=affix.name,
            family="affixes",
            phrase=affix.phrase,
            definition=(
                f"A word start in the lexicon{tags}, formed with {shape} from a word in the lexicon that can be "
                f"{'/'.join(sorted(affix.base))}; listed exceptions left out."
            ),
            source=source,
            tags=sorted(affix.tags),
        )


FAMILY = Family("affixes", "Prefixes and suffixes, verified by lexicon", _build)
