"""Pairs of sets that share tokens or directions and must be told apart."""

from __future__ import annotations

CONTRASTS: tuple[tuple[str, str], ...] = (
    ("verb_past", "verb_past_participle"),
    ("verb_past_strict", "verb_past_participle_strict"),
    ("first_names_boys", "first_names_girls"),
)
"""Names of two sets each. Both are scored given the other, and so are the tokens in one of them or in both."""
