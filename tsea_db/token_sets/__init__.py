"""Token sets: groups of tokens with something in common, and the vocabulary they are drawn from."""

from tsea_db.token_sets.building import BuiltSets, Dropped, build_sets
from tsea_db.token_sets.cache import load_catalogue
from tsea_db.token_sets.catalogue import FAMILIES, build_catalogue
from tsea_db.token_sets.choice import choose_sets
from tsea_db.token_sets.comparison import Finding, SetChange, diff, lint, versioned
from tsea_db.token_sets.contrasts import Contrast, read_contrasts
from tsea_db.token_sets.family import Family
from tsea_db.token_sets.files import load_sets, write_sets
from tsea_db.token_sets.token_set import TokenSet

__all__ = [
    "FAMILIES",
    "BuiltSets",
    "Contrast",
    "Dropped",
    "Family",
    "Finding",
    "SetChange",
    "TokenSet",
    "build_catalogue",
    "build_sets",
    "choose_sets",
    "diff",
    "lint",
    "load_catalogue",
    "load_sets",
    "read_contrasts",
    "versioned",
    "write_sets",
]
