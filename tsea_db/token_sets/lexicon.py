"""What an English word can be, by the SPECIALIST lexicon."""

from __future__ import annotations

from functools import cache


@cache
def tags_of(word: str) -> frozenset[str]:
    """Return the Penn Treebank tags that a lower-case English word can have.

    Looked up in lemminflect's tables (made from the SPECIALIST lexicon of the US National Library of Medicine), never
    guessed by rule: an unknown word has no tags. The tables leave a participle (VBN) out where it equals the past tense
    (VBD), as for all regular verbs; it is filled in here.
    """
    import lemminflect

    tags: set[str] = set()
    for part_of_speech, lemmas in lemminflect.getAllLemmas(word).items():
        for lemma in lemmas:
            forms = lemminflect.getAllInflections(lemma, upos=part_of_speech)
            if "VBD" in forms:
                forms.setdefault("VBN", forms["VBD"])
            tags.update(tag for tag, spellings in forms.items() if word in spellings)
    return frozenset(tags)
