"""Rules applied to a store: what they fire on, and the labels they leave."""

from tsea_db.labels.apply import Clash, Labelling, apply_rules
from tsea_db.labels.stored import LabelReport, annotate, label

__all__ = ["Clash", "LabelReport", "Labelling", "annotate", "apply_rules", "label"]
