"""Nouns, adjectives and adverbs that a lexicon vouches for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsea_db.token_sets.family import Family
from tsea_db.token_sets.lexicon import tags_of
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tsea_db.vocabulary.vocabulary import Vocabulary

# Penn tag -> (set name, phrase of the inclusive set, phrase of the strict set)
_CLASSES = {
    "NN": ("noun_singular", "singular nouns", "singular-noun-only words"),
    "NNS": ("noun_plural", "plural nouns", "plural-noun-only words"),
    "JJ": ("adjective", "adjectives", "adjective-only words"),
    "JJR": ("adjective_comparative", "comparative adjectives", "comparative-adjective-only words"),
    "JJS": ("adjective_superlative", "superlative adjectives", "superlative-adjective-only words"),
    "RB": ("adverb", "adverbs", "adverb-only words"),
}
# Two readings of one form, which say how open a word is.
_PAIRS = {
    "noun_or_verb": ("NN", "VB", "words that are noun and verb"),
    "noun_or_adjective": ("NN", "JJ", "words that are noun and adjective"),
    "adjective_or_adverb": ("JJ", "RB", "words that are adjective and adverb"),
    "adjective_or_participle": ("JJ", "VBN", "words that are adjective and past participle"),
    "adjective_or_gerund": ("JJ", "VBG", "words that are adjective and gerund"),
    "noun_or_gerund": ("NN", "VBG", "words that are noun and gerund"),
    "plural_or_third_person": ("NNS", "VBZ", "words that are plural noun and third-person verb"),
}
_SOURCE = "lemminflect (SPECIALIST lexicon)"


def _build(vocabulary: Vocabulary) -> Iterator[TokenSet]:
    """Look up each word that a token opens, in lower case."""
    words = {i: word.lower() for i, word in enumerate(vocabulary.words) if word is not None}
    tags_by_id = {i: tags_of(word) for i, word in words.items()}
    for tag, (name, phrase, strict_phrase) in _CLASSES.items():
        has = (i for i, tags in tags_by_id.items() if tag in tags)
        yield _set(has, name, phrase, f"A word start, in any case, that the lexicon has as {tag}.", tag)
        only = (i for i, tags in tags_by_id.items() if tags == {tag})
        definition = f"A word start, in any case, that the lexicon has as {tag} and as nothing else."
        yield _set(only, f"{name}_strict", strict_phrase, definition, tag)
    for name, (first, second, phrase) in _PAIRS.items():
        both = (i for i, tags in tags_by_id.items() if {first, second} <= tags)
        definition = f"A word start, in any case, that the lexicon has as {first} and as {second}."
        yield _set(both, name, phrase, definition, first)
    yield _set(
        (i for i, tags in tags_by_id.items() if tags == {"NNS"} and not words[i].endswith("s")),
        "noun_plural_irregular",
        "irregular plurals",
        "A word start, in any case, that the lexicon has as NNS and as nothing else, and that does not end in s.",
        "NNS",
    )


def _set(ids: Iterable[int], name: str, phrase: str, definition: str, tag: str) -> TokenSet:
    return TokenSet.of(
        ids, name=name, family="parts_of_speech", phrase=phrase, definition=definition, source=_SOURCE, tags=[tag]
    )


FAMILY = Family("parts_of_speech", "Nouns, adjectives and adverbs, by lexicon", _build)
