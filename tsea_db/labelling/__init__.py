"""Rules over a store: what they fire on, the labels they leave, how their thresholds do."""

from tsea_db.labelling.application import Clash, Labelling, apply_rules
from tsea_db.labelling.stored_labels import LabelReport, annotate, label

__all__ = ["Clash", "LabelReport", "Labelling", "annotate", "apply_rules", "label"]
