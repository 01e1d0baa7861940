"""Rules files: what they say, and what is wrong with them, line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tsea_db.errors import RulesError
from tsea_db.rules import default_rules, read_rules
from tsea_db.rules.columns import FEATURE_COLUMNS, GIVEN_COLUMNS, SCORE_COLUMNS
from tsea_db.rules.file import parse_rules
from tsea_db.rules.rule import Direction, Kind

CLASS = '[[rule]]\nname = "a"\nkind = "class"\n'


def test_the_shipped_rules() -> None:
    rules = default_rules()
    assert [rule.name for rule in rules.of_kind(Kind.CLASS)] == [
        "zero_direction", "dead", "prediction", "suppression", "partition", "positional",
    ]  # fmt: skip
    assert [rule.direction for rule in rules.of_kind(Kind.SET)] == [Direction.PROMOTES, Direction.SUPPRESSES]
    published = default_rules("published")
    assert [rule.label for rule in published.rules if rule.group == "shape"] == [
        "prediction", "suppression", "partition",
    ]  # fmt: skip
    assert {str(c) for rule in published.rules if rule.group == "shape" for c in rule.where} >= {
        "kurtosis > 10", "cos_var_ratio > 3.84",
    }  # fmt: skip
    assert published.content_hash != rules.content_hash


def test_the_hash_is_of_what_the_rules_say() -> None:
    text = CLASS + "where = { kurtosis = { above = 10 } }\n"
    same = "# a comment\n\ntitle = 'other'\n" + CLASS + "where.kurtosis.above = 10.0  # ten\n"
    assert parse_rules(text, "a").content_hash == parse_rules(same, "b").content_hash
    assert parse_rules(text, "a").content_hash != parse_rules(text.replace("10", "11"), "a").content_hash


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x =", "no TOML"),
        ("title = 'a'", "no \\[\\[rule\\]\\]"),
        ("titel = 'a'", "line 1: there is no key 'titel'. Did you mean title"),
        ("preset = 'new'\n" + CLASS + "where.dead = true", "line 1: there is no preset 'new'; known are"),
        ("[confidence]\nhigh = 1\n" + CLASS, "line 2: there is no key of \\[confidence\\] 'high'. Did you mean high_"),
        ("[confidence]\nhigh_share = '1'\n" + CLASS + "where.dead = true", "line 2: confidence.high_share is a number"),
        ("[redundancy]\nlevel = 2\n" + CLASS + "where.dead = true", "line 2: redundancy.level is a p"),
        ('[[rule]]\nname = "a"\nkind = "klass"', "line 3: kind is one of class, set, composite, not 'klass'"),
        (CLASS + "wher = {}", "line 4: there is no key of a class rule 'wher'. Did you mean where"),
        (CLASS + "sets = ['x']", "line 4: there is no key of a class rule 'sets'"),
        (CLASS, "line 2: rule 'a' has no conditions"),
        (CLASS + "where.kurtoses.above = 3", "line 4: there is no column 'kurtoses'.*Did you mean kurtosis"),
        (CLASS + "where.es.above = 3", "line 4: there is no column 'es' for a class rule"),
        (CLASS + "where.kurtosis.abov = 3", "line 4: there is no comparison 'abov'. Did you mean above"),
        (CLASS + "[rule.where]\nkurtosis.above = '3'", "line 5: kurtosis .* is compared with a number, not '3'"),
        (CLASS + "where.kurtosis.above = true", "compared with a number, not True"),
        (CLASS + "where.dead = 1", "compared with a true or false, not 1"),
        (CLASS + "where.dead = { above = true }", "write dead = "),
        (CLASS + "where.kurtosis = { above = 5, below = 3 }", "can never fire: kurtosis > 5 and kurtosis < 3"),
        (CLASS + "where.kurtosis = { above = 5, at_most = 5 }", "can never fire"),
        (CLASS + "where.dead = true\n" + CLASS + "where.dead = true", "line 6: two rules are called 'a'"),
        (CLASS + "where.dead = true\nrequires = ['b']", "refers to 'b', which is no rule before it"),
        ('[[rule]]\nname = "c"\nkind = "composite"\nwhere.es.above = 0', "needs either sets = .* or contrasts"),
        (
            '[[rule]]\nname = "c"\nkind = "composite"\nsets = ["x"]\nwhere.given_z.above = 0',
            'line 5: given_z needs given = "SET"',
        ),
        ('[[rule]]\nname = "c"\nkind = "set"\nsets = "x"\nwhere.es.above = 0', "line 4: sets is a list"),
        ('[[rule]]\nname = "c"\nkind = "set"\nsets = [1]\nwhere.es.above = 0', "line 4: sets is a list of names"),
        ("[[rule]]\nkind = 'set'\nwhere.es.above = 0", "a rule needs a name"),
        (
            '[[rule]]\nname = "c"\nkind = "composite"\ncontrasts = true\ngiven = "x"\nwhere.es.above = 0',
            "takes neither given nor but_not",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(RulesError, match=message):
        parse_rules(text, "my.toml")


def test_touching_bounds_can_fire() -> None:
    [rule] = parse_rules(CLASS + "where.layer = { at_least = 5, at_most = 5 }", "x").rules
    assert [str(condition) for condition in rule.where] == ["layer >= 5", "layer <= 5"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="cannot be read"):
        read_rules(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RulesError, match="cannot be read"):
        read_rules(tmp_path / "bytes.toml")


def test_columns_of_the_three_kinds_do_not_clash() -> None:
    assert not set(FEATURE_COLUMNS) & set(SCORE_COLUMNS)
    assert not set(SCORE_COLUMNS) & set(GIVEN_COLUMNS)
