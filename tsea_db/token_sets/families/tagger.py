"""Penn Treebank tags given by NLTK's perceptron tagger, one word at a time."""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tsea_db.token_sets.family import Family, data_file
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from tsea_db.vocabulary.vocabulary import Vocabulary

_DATA = "averaged_perceptron_tagger_eng"
_PHRASES = {
    "CC": "coordinating conjunctions",
    "CD": "numerals",
    "DT": "determiners",
    "EX": "existential there",
    "FW": "foreign words",
    "IN": "prepositions and subordinating conjunctions",
    "JJ": "adjectives",
    "JJR": "comparative adjectives",
    "JJS": "superlative adjectives",
    "LS": "list markers",
    "MD": "modal verbs",
    "NN": "singular nouns",
    "NNP": "proper nouns",
    "NNPS": "plural proper nouns",
    "NNS": "plural nouns",
    "PDT": "predeterminers",
    "POS": "possessive endings",
    "PRP": "personal pronouns",
    "PRP$": "possessive pronouns",
    "RB": "adverbs",
    "RBR": "comparative adverbs",
    "RBS": "superlative adverbs",
    "RP": "particles",
    "SYM": "symbols",
    "TO": "to",
    "UH": "interjections",
    "VB": "base-form verbs",
    "VBD": "past-tense verbs",
    "VBG": "gerunds",
    "VBN": "past participles",
    "VBP": "present-tense verbs",
    "VBZ": "third-person singular verbs",
    "WDT": "question determiners",
    "WP": "question pronouns",
    "WP$": "possessive question pronouns",
    "WRB": "question adverbs",
}
_LEXICAL = frozenset(["JJ", "JJR", "JJS", "NN", "NNS", "RB", "RBR", "RBS", "VB", "VBD", "VBG", "VBN", "VBZ"])


class _Model(NamedTuple):
    weights: dict[str, dict[str, float]]  # feature -> tag -> weight
    sure: dict[str, str]  # word -> tag, for words that had one tag in training
    tags: list[str]  # Z first: the tagger breaks ties in favour of the last in the alphabet


@cache
def _model() -> _Model:
    """Load the tagger from the data that ships with the package, so that nothing is downloaded."""
    with data_file(f"{_DATA}.zip").open("rb") as file, zipfile.ZipFile(file) as archive:
        weights, sure, tags = (
            json.loads(archive.read(f"{_DATA}/{_DATA}.{part}.json")) for part in ("weights", "tagdict", "classes")
        )
    return _Model(weights, sure, sorted(tags, reverse=True))


def _normalised(word: str) -> str:
    """Return the form under which the tagger knows a word."""
    if "-" in word and word[0] != "-":
        return "!HYPHEN"
    if word.isdigit() and len(word) == 4:
        return "!YEAR"
    return "!DIGITS" if word and word[0].isdigit() else word.lower()


# The tagger's features of a word that stands alone, in the tagger's order, so that sums round alike.
_FEATURES: tuple[Callable[[str], str] | str, ...] = (
    "bias",
    lambda word: f"i suffix {word[-3:]}",
    lambda word: f"i pref1 {word[:1]}",
    "i-1 tag -START-",
    "i-2 tag -START2-",
    "i tag+i-2 tag -START- -START2-",
    lambda word: f"i word {_normalised(word)}",
    lambda word: f"i-1 tag+i word -START- {_normalised(word)}",
    "i-1 word -START2-",
    "i-1 suffix T2-",
    "i-2 word -START-",
    "i+1 word -END-",
    "i+1 suffix ND-",
    "i+2 word -END2-",
)


def tag_words(words: Sequence[str]) -> list[str]:
    """Tag each word as if it stood alone: equal to ``PerceptronTagger.tag([word])``, for many words at a time."""
    model = _model()
    scores = np.zeros((len(words), len(model.tags)))
    for feature in _FEATURES:
        scores += _row(model, feature) if isinstance(feature, str) else _rows(model, [feature(word) for word in words])
    best = scores.argmax(axis=1)
    return [model.sure.get(word) or model.tags[i] for word, i in zip(words, best, strict=True)]


def _row(model: _Model, feature: str) -> NDArray[np.float64]:
    """Return a feature's weights, one for each tag."""
    weights = model.weights.get(feature, {})
    return np.array([weights.get(tag, 0.0) for tag in model.tags])


def _rows(model: _Model, features: list[str]) -> NDArray[np.float64]:
    """Return the weights of one feature a word, (words, tags); each distinct feature is looked up once."""
    places = {feature: i for i, feature in enumerate(dict.fromkeys(features))}
    table = np.zeros((len(places), len(model.tags)))
    column = {tag: i for i, tag in enumerate(model.tags)}
    for feature, i in places.items():
        for tag, weight in model.weights.get(feature, {}).items():
            table[i, column[tag]] = weight
    rows: NDArray[np.float64] = table[[places[feature] for feature in features]]
    return rows


def _build(vocabulary: Vocabulary) -> Iterator[TokenSet]:
    """Tag each distinct spelling alone, as ``sae_lens.tutorial.tsea.generate_pos_sets`` does."""
    ids: defaultdict[str, list[int]] = defaultdict(list)
    for token_id, spelling in enumerate(vocabulary.spellings):
        ids[spelling.strip("Ġ")].append(token_id)
    members: defaultdict[str, list[int]] = defaultdict(list)
    for tag, token_ids in zip(tag_words(list(ids)), ids.values(), strict=True):
        members[tag].extend(token_ids)
    for tag in sorted(members):
        yield TokenSet.of(
            members[tag],
            name=f"nltk_pos_{tag}",
            family="tagger",
            phrase=f"{_PHRASES.get(tag, tag)} (tagger)",
            definition=f"NLTK's perceptron tagger gives the spelling, alone and without Ġ, the Penn tag {tag}.",
            source="sae_lens.tutorial.tsea.generate_pos_sets; NLTK data averaged_perceptron_tagger_eng",
            tags=[tag] if tag in _LEXICAL else (),
        )


FAMILY = Family("tagger", "Penn Treebank tags by NLTK's perceptron tagger", _build)
