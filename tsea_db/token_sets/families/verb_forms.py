"""Verb forms that a lexicon vouches for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsea_db.token_sets.family import Family
from tsea_db.token_sets.lexicon import Reading, readings_of
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tsea_db.vocabulary.vocabulary import Vocabulary

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
# What a strict form may be besides. Most participles are adjectives as well ("broken").
_HARMLESS = {"VBD": frozenset({"JJ"}), "VBN": frozenset({"JJ"})}
_SOURCE = "lemminflect (SPECIALIST lexicon); VBN filled in where it equals VBD"
_FAMILY = "verb_forms"


def _is_regular(reading: Reading, word: str) -> bool:
    """Tell whether a past form is the verb with -ed, spelled as usual ("used", "cried", "stopped")."""
    stem = reading.lemma
    doubled = stem + stem[-1]
    return word in {f"{stem}ed", f"{stem}d", f"{doubled}ed", f"{stem}ked", f"{stem.removesuffix('y')}ied"}


def _but(tag: str) -> str:
    if tag not in _HARMLESS:
        return ""
    also = "; a past tense that serves as participle is not counted (spelled, burnt)" if tag == "VBD" else ""
    return f" but an adjective{also}"


def _is_strict(word: str, tag: str) -> bool:
    """Tell whether a word can be this form of a verb and nothing else."""
    readings = readings_of(word)
    tags = {reading.tag for reading in readings} - {"VBP"} - _HARMLESS.get(tag, frozenset())
    if tags != {tag}:
        return False
    return tag != "VBD" or not any(
        _is_participle_too(reading.lemma, word) for reading in readings if reading.tag == tag
    )


def _is_participle_too(lemma: str, word: str) -> bool:
    """Tell whether a past tense serves as participle although the lexicon lists another one.

    So do all forms in -ed ("showed" beside "shown", "hanged" beside "hung") and their variants in -t ("burnt").
    """
    return _is_regular(Reading("VBD", lemma), word) or word in {f"{lemma}t", f"{lemma[:-1]}t"}


def _set(ids: Iterable[int], name: str, phrase: str, definition: str, *tags: str) -> TokenSet:
    return TokenSet.of(ids, name=name, family=_FAMILY, phrase=phrase, definition=definition, source=_SOURCE, tags=tags)


def _build(vocabulary: Vocabulary) -> Iterator[TokenSet]:
    """Look up each word that a token opens, in lower case."""
    words = {i: word.lower() for i, word in enumerate(vocabulary.words) if word is not None}
    tags_of = {i: {reading.tag for reading in readings_of(word)} for i, word in words.items()}
    for tag, (name, phrase, strict_phrase) in _FORMS.items():
        yield _set(
            (i for i, tags in tags_of.items() if tag in tags),
            name,
            phrase,
            f"A word start, in any case, that the lexicon has as {tag} of some verb.",
            tag,
        )
        yield _set(
            (i for i, word in words.items() if _is_strict(word, tag)),
            f"{name}_strict",
            strict_phrase,
            f"A word start, in any case, that the lexicon has as {tag} and as nothing else{_but(tag)}.",
            tag,
        )
    yield from _regular_and_irregular(words)


def _regular_and_irregular(words: dict[int, str]) -> Iterator[TokenSet]:
    """Split the past forms by whether they end in the regular -ed."""
    for tag, name, phrase in (("VBD", "verb_past", "past-tense verbs"), ("VBN", "verb_past_participle", "participles")):
        readings = {i: [r for r in readings_of(word) if r.tag == tag] for i, word in words.items()}
        for kind in ("regular", "irregular"):
            wanted = kind == "regular"
            yield _set(
                (i for i, found in readings.items() if any(_is_regular(r, words[i]) == wanted for r in found)),
                f"{name}_{kind}",
                f"{kind} {phrase}",
                f"A word start, in any case, that the lexicon has as {tag} of a verb and that is "
                f"{'' if wanted else 'not '}formed with -ed.",
                tag,
            )
    yield _set(
        (
            i
            for i, word in words.items()
            if any(r.tag == "VB" and _past_is_irregular(r.lemma) for r in readings_of(word))
        ),
        "verb_base_irregular",
        "base forms of irregular verbs",
        "A word start, in any case, that the lexicon has as VB of a verb with no regular past tense.",
        "VB",
    )


def _past_is_irregular(lemma: str) -> bool:
    """Tell whether a lexicon gives a verb past forms, all of them irregular."""
    import lemminflect

    past = lemminflect.getInflection(lemma, "VBD", inflect_oov=False)
    return bool(past) and not any(_is_regular(Reading("VBD", lemma), form) for form in past)


FAMILY = Family(_FAMILY, "Verb forms, by lexicon", _build)
