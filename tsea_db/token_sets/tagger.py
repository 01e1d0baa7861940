"""Penn Treebank tags given by NLTK's perceptron tagger, one word at a time."""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

from tsea_db.token_sets.family import Family, data_file
from tsea_db.token_sets.token_set import TokenSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tsea_db.token_sets.vocabulary import Vocabulary

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


@cache
def load_tagger() -> Any:
    """Load the tagger from the data that ships with the package, so that nothing is downloaded."""
    from nltk.tag.perceptron import PerceptronTagger

    with data_file(f"{_DATA}.zip").open("rb") as file, zipfile.ZipFile(file) as archive:
        parts = {
            part: json.loads(archive.read(f"{_DATA}/{_DATA}.{part}.json")) for part in ("weights", "tagdict", "classes")
        }
    return PerceptronTagger.decode_json_obj((parts["weights"], parts["tagdict"], set(parts["classes"])))


def _build(vocabulary: Vocabulary) -> Iterator[TokenSet]:
    """Tag each distinct spelling alone, as ``sae_lens.tutorial.tsea.generate_pos_sets`` does."""
    ids: defaultdict[str, list[int]] = defaultdict(list)
    for token_id, spelling in enumerate(vocabulary.spellings):
        ids[spelling.strip("Ġ")].append(token_id)
    members: defaultdict[str, list[int]] = defaultdict(list)
    tagger = load_tagger()
    for word, token_ids in ids.items():
        [(_, tag)] = tagger.tag([word])
        members[tag].extend(token_ids)
    for tag in sorted(members):
        yield TokenSet.of(
            members[tag],
            name=f"nltk_pos_{tag}",
            family="tagger",
            phrase=f"{_PHRASES.get(tag, tag)} (tagger)",
            definition=f"NLTK's perceptron tagger gives the spelling, alone and without Ġ, the Penn tag {tag}.",
            source="sae_lens.tutorial.tsea.generate_pos_sets; NLTK data averaged_perceptron_tagger_eng",
        )


FAMILY = Family("tagger", "Penn Treebank tags by NLTK's perceptron tagger", _build)
