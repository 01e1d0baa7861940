"""Rules that name features: what they may say, and how a file of them is read."""

from tsea_db.rules.file import PRESETS, default_rules, read_rules
from tsea_db.rules.rule import Condition, Rule, RuleSet

__all__ = ["PRESETS", "Condition", "Rule", "RuleSet", "default_rules", "read_rules"]
