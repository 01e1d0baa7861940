"""Token sets: groups of tokens with something in common, and the vocabulary they are drawn from."""

from tsea_db.token_sets.catalogue import FAMILIES, build_catalogue
from tsea_db.token_sets.family import Family
from tsea_db.token_sets.token_set import TokenSet
from tsea_db.token_sets.vocabulary import Vocabulary

__all__ = ["FAMILIES", "Family", "TokenSet", "Vocabulary", "build_catalogue"]
