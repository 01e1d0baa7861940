"""Vocabularies: what each token of a model says, read from its tokenizer."""

from tsea_db.vocabulary.tokenizers import read_vocabulary, vocabulary_from_tokenizer
from tsea_db.vocabulary.vocabulary import Vocabulary

__all__ = ["Vocabulary", "read_vocabulary", "vocabulary_from_tokenizer"]
