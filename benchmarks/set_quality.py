"""Precision and recall of verb, noun, adjective and adverb sets, on the GPT-2 vocabulary.

    pip install "tsea-db[benchmarks]"
    python -m benchmarks.set_quality

The judge is the lexicon that textblob carries: 94,000 words with their most frequent Penn tag, from Eric Brill's tagger
(1992, trained on the Brown corpus and the Wall Street Journal) with words from Twitter. The sets are not made from it.

What is compared: tokens that open a word the judge knows. A token is judged by the lower-case entry if there is one,
because the sets say what a word is in any case, else by the entry in its own case ("Viking" is a proper noun). With
--own-case it is the other way round: then titles of books and films in the judge's sources make "Broken" a proper noun.
A member is right if the judge's tag is the set's (VBP counts as VB: a base form is both).

How to read it: the judge gives one tag a word, so that it calls "walked" VBD and never VBN. An inclusive set, which
holds every word that CAN be a participle, must therefore look imprecise; ``either`` counts VBD and VBN alike, and any
tag that our lexicon also knows for the word. Strict sets hold words that can be nothing else, so that any judge should
agree: their precision is the measure, and their recall is low by design. The tagger was trained on the same newspaper
text as the judge, which favours the tagger.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tsea_db.token_sets import build_catalogue
from tsea_db.token_sets.lexicon import tags_of
from tsea_db.vocabulary import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tsea_db.token_sets import TokenSet
    from tsea_db.vocabulary import Vocabulary

_FILES = Path(__file__).parents[1] / "tests" / "data" / "gpt2-tokenizer"
_SETS = {  # Penn tag -> our sets of that tag
    "VB": ("verb_base", "verb_base_strict"),
    "VBD": ("verb_past", "verb_past_strict", "verb_past_irregular"),
    "VBG": ("verb_gerund", "verb_gerund_strict"),
    "VBN": ("verb_past_participle", "verb_past_participle_strict"),
    "VBZ": ("verb_third_person", "verb_third_person_strict"),
    "NN": ("noun_singular", "noun_singular_strict"),
    "NNS": ("noun_plural", "noun_plural_strict"),
    "JJ": ("adjective", "adjective_strict"),
    "JJR": ("adjective_comparative", "adjective_comparative_strict"),
    "JJS": ("adjective_superlative", "adjective_superlative_strict"),
    "RB": ("adverb", "adverb_strict", "suffix_ly"),
}
VERB_TAGS = ("VB", "VBD", "VBG", "VBN", "VBZ")


class Score(NamedTuple):
    """How a set does before the judge.

    Attributes:
        tag: The Penn tag its members should have.
        name: Of the set.
        judged: Members that the judge knows.
        precision: Share of them with the tag.
        either: Share of them with the tag, or with one that our lexicon also knows for the word, VBD and VBN being one.
        recall: Share of the judge's words with the tag that are members.
    """

    tag: str
    name: str
    judged: int
    precision: float
    either: float
    recall: float


def read_judge() -> dict[str, str]:
    """Return the word's tag for each word of textblob's lexicon; VBP is written VB."""
    import textblob

    path = Path(textblob.__file__).parent / "en" / "en-lexicon.txt"
    rows = (line.split(" ") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(";;;"))
    return {row[0]: "VB" if row[1] == "VBP" else row[1] for row in rows if len(row) == 2}


def judged_tags(vocabulary: Vocabulary, judge: dict[str, str], *, own_case: bool) -> dict[int, str]:
    """Return the judge's tag for each token that opens a word the judge knows."""
    tags = {}
    for i, word in enumerate(vocabulary.words):
        entries = [] if word is None else [word, word.lower()] if own_case else [word.lower(), word]
        if known := [judge[entry] for entry in entries if entry in judge]:
            tags[i] = known[0]
    return tags


def score(tag: str, name: str, members: Iterable[int], judged: dict[int, str], vocabulary: Vocabulary) -> Score:
    """Hold one set against the judge."""
    tags = {i: judged[i] for i in members if i in judged}
    alike = {"VBD", "VBN"} if tag in {"VBD", "VBN"} else {tag}
    right = sum(found == tag for found in tags.values())
    either = sum(found in alike | tags_of((vocabulary.words[i] or "").lower()) for i, found in tags.items())
    wanted = sum(found == tag for found in judged.values())
    size = max(len(tags), 1)
    return Score(tag, name, len(tags), right / size, either / size, right / max(wanted, 1))


def measure(
    vocabulary: Vocabulary, catalogue: Iterable[TokenSet], *, own_case: bool = False
) -> tuple[list[Score], list[str]]:
    """Score all sets, and describe the disagreements about strict verb forms, the most frequent tokens first."""
    judged = judged_tags(vocabulary, read_judge(), own_case=own_case)
    sets = {token_set.name: set(token_set.token_ids.tolist()) for token_set in catalogue}
    scores = [
        score(tag, name, sets[name], judged, vocabulary)
        for tag, ours in _SETS.items()
        for name in (f"nltk_pos_{tag}", *ours)
    ]
    wrong = sorted((i, tag) for tag in VERB_TAGS for i in sets[f"{_SETS[tag][0]}_strict"] if judged.get(i, tag) != tag)
    tagger = {
        i: name.removeprefix("nltk_pos_") for name, ids in sets.items() if name.startswith("nltk_pos_") for i in ids
    }
    lines = [f"{vocabulary.texts[i]!r:<18} ours {tag:<4} judge {judged[i]:<5} tagger {tagger[i]}" for i, tag in wrong]
    return scores, lines


def main() -> None:
    """Print the table and the disagreements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", nargs="+", default=[_FILES / "encoder.json.gz", _FILES / "vocab.bpe.gz"])
    parser.add_argument("--worst", type=int, default=20, help="disagreements shown")
    parser.add_argument("--own-case", action="store_true", help="judge a token by the entry in its own case first")
    arguments = parser.parse_args()
    vocabulary = read_vocabulary(list(arguments.tokenizer))
    scores, wrong = measure(vocabulary, build_catalogue(vocabulary), own_case=arguments.own_case)
    print(f"{'tag':<4} {'set':<30} {'judged':>6} {'precision':>9} {'either':>7} {'recall':>7}")
    for row in scores:
        print(
            f"{row.tag:<4} {row.name:<30} {row.judged:>6} {row.precision:>9.3f} {row.either:>7.3f} {row.recall:>7.3f}"
        )
    strict = [row for row in scores if row.name.endswith("_strict") and row.tag in VERB_TAGS]
    together = sum(row.precision * row.judged for row in strict) / sum(row.judged for row in strict)
    tagger = [row for row in scores if row.name.startswith("nltk_pos_V")]
    theirs = sum(row.precision * row.judged for row in tagger) / sum(row.judged for row in tagger)
    print(f"\nstrict verb forms together: precision {together:.3f}; the tagger's verb forms: {theirs:.3f}")
    print(f"\n{len(wrong)} disagreements about strict verb forms; the most frequent tokens:")
    print("\n".join(wrong[: arguments.worst]))


if __name__ == "__main__":
    main()
