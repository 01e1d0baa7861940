"""The sets against a lexicon that they are not made from."""

from __future__ import annotations

import pytest

from benchmarks.set_quality import measure
from tests.support import gpt2


@pytest.mark.parametrize("own_case", [False, True])
def test_strict_sets_are_precise(own_case: bool) -> None:
    scores, _ = measure(gpt2.vocabulary(), gpt2.catalogue().values(), own_case=own_case)
    by_name = {row.name: row for row in scores}
    strict = [row for row in scores if row.name.startswith("verb") and row.name.endswith("_strict")]
    assert len(strict) == 5
    together = sum(row.precision * row.judged for row in strict) / sum(row.judged for row in strict)
    assert together >= 0.95
    if not own_case:
        assert min(row.precision for row in strict) >= 0.95
        assert min(by_name[f"{name}_strict"].precision for name in ("noun_plural", "adjective", "adverb")) >= 0.9
    for row in strict:
        assert row.judged >= 50
        if row.tag != "VBZ":  # the tagger finds 30 of the judge's 534
            assert row.precision > by_name[f"nltk_pos_{row.tag}"].precision
