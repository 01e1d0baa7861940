"""What an English word can be, by the SPECIALIST lexicon."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from functools import cache
from typing import NamedTuple

from tsea_db.token_sets.family import data_file

# Plurals that equal their singular. The tables give one to every mass noun ("more", "time"), which is none.
_INVARIANT_PLURALS = frozenset(
    [
        *("aircraft", "bison", "cattle", "cod", "crossroads", "deer", "dice", "elk", "fish", "folk", "headquarters"),
        *("means", "moose", "offspring", "people", "police", "salmon", "series", "sheep", "shrimp", "spacecraft"),
        *("species", "squid", "swine", "trout", "tuna"),
    ]
)


class Reading(NamedTuple):
    """One way to read a word: as the form ``tag`` (Penn Treebank) of the dictionary word ``lemma``."""

    tag: str
    lemma: str


@cache
def _supplement() -> dict[str, frozenset[Reading]]:
    """Return the readings that ``lexicon_supplement.toml`` adds, by word."""
    tables = tomllib.loads(data_file("lexicon_supplement.toml").read_text(encoding="utf-8"))
    added: defaultdict[str, set[Reading]] = defaultdict(set)
    for tag, words in tables.items():
        for word in words.split():
            added[word].add(Reading(tag, word))
            if tag == "NN":
                added[f"{word}s"].add(Reading("NNS", word))
    return {word: frozenset(readings) for word, readings in added.items()}


@cache
def readings_of(word: str) -> frozenset[Reading]:
    """Return the readings that a lower-case English word can have.

    Looked up in lemminflect's tables (made from the SPECIALIST lexicon of the US National Library of Medicine), never
    guessed by rule: an unknown word has none. The tables leave a participle (VBN) out where it equals the past tense
    (VBD), as for all regular verbs; it is filled in here. Plurals of mass nouns are taken out.
    Common readings that the tables lack come from ``lexicon_supplement.toml``.
    """
    import lemminflect

    readings: set[Reading] = set()
    for part_of_speech, lemmas in lemminflect.getAllLemmas(word).items():
        for lemma in lemmas:
            forms = lemminflect.getAllInflections(lemma, upos=part_of_speech)
            if "VBD" in forms:
                forms.setdefault("VBN", forms["VBD"])
            if word == lemma and word not in _INVARIANT_PLURALS:
                forms.pop("NNS", None)
            readings.update(Reading(tag, lemma) for tag, spellings in forms.items() if word in spellings)
    return _supplement().get(word, frozenset()) | readings


@cache
def tags_of(word: str) -> frozenset[str]:
    """Return the Penn Treebank tags that a lower-case English word can have; see :func:`readings_of`."""
    return frozenset(reading.tag for reading in readings_of(word))
