"""Rules that name features: what they may say, how a file of them is read, what stays of overlapping names."""

from tsea_db.labels.rules import Condition, Rule, RuleSet
from tsea_db.labels.rules_file import PRESETS, default_rules, read_rules

__all__ = ["PRESETS", "Condition", "Rule", "RuleSet", "default_rules", "read_rules"]
