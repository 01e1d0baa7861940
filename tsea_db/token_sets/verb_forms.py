"""Verb forms that a lexicon vouches for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsea_db.token_sets.family import Family
from tsea_db.token_sets.lexicon import tags_of
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsea_db.token_sets.vocabulary import Vocabulary

# Penn tag -> (set name, phrase of the inclusive set, phrase of the strict set)
_FORMS = {
    "VB": ("verb_base", "base-form verbs", "base-form-only verbs"),
    "VBD": ("verb_past", "past-tense verbs", "past-tense-only verbs"),
    "VBG": ("verb_gerund", "gerunds", "gerund-only verbs"),
    "VBN": ("verb_past_participle", "past participles", "participle-only verbs"),
    "VBZ": ("verb_third_person", "third-person singular verbs", "third-person-only verbs"),
}
# A verb's base form always doubles as its plain present (VBP), so that VBP is no reading of its own.
_VERB_TAGS = frozenset(_FORMS)
_NOUN_TAGS = frozenset({"NN", "NNS"})
_SOURCE = "lemminflect (SPECIALIST lexicon); VBN filled in where it equals VBD"


def _build(vocabulary: Vocabulary) -> Iterator[TokenSet]:
    """Look up each word that a token opens, in lower case."""
    readings = {i: tags_of(word.lower()) for i, word in enumerate(vocabulary.words) if word is not None}
    for tag, (name, phrase, strict_phrase) in _FORMS.items():
        yield TokenSet.of(
            (i for i, tags in readings.items() if tag in tags),
            name=name,
            family="verb_forms",
            phrase=phrase,
            definition=f"A word start, in any case, that the lexicon has as {tag} of some verb.",
            source=_SOURCE,
        )
        yield TokenSet.of(
            (i for i, tags in readings.items() if tags & _VERB_TAGS == {tag} and not tags & _NOUN_TAGS),
            name=f"{name}_strict",
            family="verb_forms",
            phrase=strict_phrase,
            definition=(
                f"A word start, in any case, whose only reading as a verb is {tag} and that is no noun "
                "(it may be an adjective, as most participles are)."
            ),
            source=_SOURCE,
        )


FAMILY = Family("verb_forms", "Verb forms, by lexicon", _build)
