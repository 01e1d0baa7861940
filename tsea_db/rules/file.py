"""A rules file in TOML: read, checked key by key, every complaint with its line."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NoReturn

from tsea_db.errors import RulesError
from tsea_db.rules.columns import ANNOTATION, FEATURE_COLUMNS, GIVEN_COLUMNS, SCORE_COLUMNS, Threshold
from tsea_db.rules.rule import (
    OPERATORS,
    Background,
    Condition,
    Confidence,
    Direction,
    Kind,
    Rule,
    RuleSet,
    SetReference,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tsea_db.rules.columns import RuleColumn

PRESETS = ("random-directions", "published")
"""Choices of class thresholds that the shipped rules have."""

_TOP = ("title", "preset", "confidence", "background", "redundancy", "rule")
_CONFIDENCE = ("high_log10_q", "high_share", "part_es", "few_share")
_COMMON = ("name", "kind", "label", "where", "requires", "unless", "group", "preset")
_KEYS = {
    Kind.CLASS: _COMMON,
    Kind.SET: (*_COMMON, "direction", "sets", "families", "except_sets"),
    Kind.COMPOSITE: (*_COMMON, "direction", "sets", "but_not", "given", "contrasts"),
}
_LOWER, _UPPER = ("above", "at_least"), ("below", "at_most")


def default_rules(preset: str | None = None) -> RuleSet:
    """Return the rules that ship with the package."""
    text = (files("tsea_db.rules") / "default.toml").read_text(encoding="utf-8")
    return parse_rules(text, "the shipped rules", preset)


def read_rules(path: Path, preset: str | None = None) -> RuleSet:
    """Read a rules file.

    Args:
        path: The TOML file.
        preset: Thresholds for classes, instead of those the file chooses.

    Raises:
        RulesError: It cannot be read or something in it is wrong; the message has the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The rules file {path} cannot be read: {error}"
        raise RulesError(msg) from error
    return parse_rules(text, str(path), preset)


def parse_rules(text: str, source: str, preset: str | None = None) -> RuleSet:
    """Check the text of a rules file and return its active rules.

    Raises:
        RulesError: It is no TOML, or has an unknown key or column, a threshold of the wrong type, conditions that
            cannot both hold, or a rule that refers to one that does not come before it.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{source} is no TOML: {error}"
        raise RulesError(msg) from error
    return _Reader(source, text.splitlines()).rule_set(content, text, preset)


@dataclass
class _Reader:
    """Reads one file; knows where its keys stand."""

    source: str
    lines: Sequence[str]
    starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.starts = [i for i, line in enumerate(self.lines) if re.match(r"\s*\[\[\s*rule\s*\]\]", line)]

    def rule_set(self, content: dict[str, Any], text: str, preset: str | None) -> RuleSet:
        self._check_known(content, _TOP, "key", None)
        confidence = self._numbers(content, "confidence", _CONFIDENCE)
        background = self._numbers(content, "background", ("lambda", "deviation"))
        redundancy = self._numbers(content, "redundancy", ("level",))
        level = redundancy.get("level", 0.01)
        if not 0 < level < 1:
            self._fail(f"redundancy.level is a p between 0 and 1, not {level:g}", self._line(None, "level"))
        chosen = preset or self._typed(content, "preset", str, PRESETS[0], None)
        given = self._typed(content, "rule", list, [], None)
        rules = [self._rule(i, rule) for i, rule in enumerate(given)]
        if not rules:
            self._fail("it has no [[rule]]", None)
        presets = sorted({rule.preset for rule in rules if rule.preset} | set(PRESETS))
        if chosen not in presets:
            self._fail(f"there is no preset {chosen!r}; known are {', '.join(presets)}", self._line(None, "preset"))
        active = tuple(rule for rule in rules if rule.preset in (None, chosen))
        self._check_order(rules, active)
        return RuleSet(
            title=self._typed(content, "title", str, "", None),
            rules=active,
            confidence=Confidence(**confidence),
            background=Background(background.get("lambda", 2.0), background.get("deviation", 3.0)),
            redundancy_level=level,
            preset=chosen,
            text=text,
            source=self.source,
        )

    def _rule(self, index: int, given: Any) -> Rule:
        if not isinstance(given, dict):
            self._fail("each rule is a table: [[rule]]", self._line(index, "rule"))
        kind = self._choice(given, "kind", Kind, index, None)
        self._check_known(given, _KEYS[kind], f"key of a {kind} rule", index)
        name = self._typed(given, "name", str, "", index)
        if not name:
            self._fail("a rule needs a name", self._line(index, "name"))
        sets = {key: self._references(given, key, index) for key in ("sets", "except_sets", "but_not")}
        given_set = self._typed(given, "given", str, None, index)
        rule = Rule(
            name=name,
            kind=kind,
            where=self._conditions(given, kind, index),
            label=self._typed(
                given,
                "label",
                str,
                _default_label(name, kind, bool(given.get("given") or given.get("contrasts"))),
                index,
            ),
            direction=self._choice(given, "direction", Direction, index, Direction.PROMOTES),
            **sets,
            families=tuple(self._texts(given, "families", index)),
            given=SetReference(given_set, self._line(index, "given")) if given_set else None,
            contrasts=self._typed(given, "contrasts", bool, False, index),
            requires=tuple(self._texts(given, "requires", index)),
            unless=tuple(self._texts(given, "unless", index)),
            group=self._typed(given, "group", str, None, index),
            preset=self._typed(given, "preset", str, None, index),
            line=self._line(index, "name"),
        )
        self._check_whole(rule)
        return rule

    def _check_whole(self, rule: Rule) -> None:
        """Check what only the whole rule shows."""
        if rule.kind is Kind.COMPOSITE:
            if rule.contrasts == bool(rule.sets):
                self._fail(f"rule {rule.name!r} needs either sets = [...] or contrasts = true", rule.line)
            if rule.contrasts and (rule.given or rule.but_not):
                self._fail(f"rule {rule.name!r}: contrasts = true takes neither given nor but_not", rule.line)
            asks = [c for c in rule.where if c.column in GIVEN_COLUMNS]
            if asks and not (rule.contrasts or rule.given):
                self._fail(f'{asks[0].column} needs given = "SET" in rule {rule.name!r}', asks[0].line)
        if not rule.where:
            self._fail(f"rule {rule.name!r} has no conditions: where = {{ ... }}", rule.line)
        self._check_bounds(rule)

    def _check_bounds(self, rule: Rule) -> None:
        """Find a lower and an upper bound of one column that leave nothing between them."""
        for low in rule.where:
            for high in rule.where:
                if low.column != high.column or low.operator not in _LOWER or high.operator not in _UPPER:
                    continue
                touching = low.value == high.value and (low.operator, high.operator) == ("at_least", "at_most")
                if float(low.value) >= float(high.value) and not touching:
                    self._fail(f"rule {rule.name!r} can never fire: {low} and {high}", low.line)

    def _check_order(self, rules: Iterable[Rule], active: Iterable[Rule]) -> None:
        """Check that names are unique and that requires and unless name earlier rules."""
        names: set[str] = set()
        for rule in rules:
            if rule.name in names:
                self._fail(f"two rules are called {rule.name!r}", rule.line)
            names.add(rule.name)
        before: list[str] = []
        for rule in active:
            for other in (*rule.requires, *rule.unless):
                if other not in before:
                    hint = _near(other, before) if other not in names else " It comes later or is not active."
                    self._fail(f"rule {rule.name!r} refers to {other!r}, which is no rule before it.{hint}", rule.line)
            before.append(rule.name)

    def _conditions(self, given: Mapping[str, Any], kind: Kind, index: int) -> tuple[Condition, ...]:
        where = self._typed(given, "where", dict, {}, index)
        columns = FEATURE_COLUMNS if kind is Kind.CLASS else {**SCORE_COLUMNS, **FEATURE_COLUMNS}
        if kind is Kind.COMPOSITE:
            columns = columns | GIVEN_COLUMNS
        found: list[Condition] = []
        for name, comparison in where.items():
            if name == "annotation":
                for annotation, nested in self._typed(where, "annotation", dict, {}, index).items():
                    found += self._comparisons(f"annotation.{annotation}", nested, ANNOTATION, index)
            elif name in columns:
                found += self._comparisons(name, comparison, columns[name], index)
            else:
                hint = _near(name, [*columns, "annotation"])
                self._fail(f"there is no column {name!r} for a {kind} rule.{hint}", self._line(index, name))
        return tuple(found)

    def _comparisons(self, name: str, given: Any, column: RuleColumn, index: int) -> list[Condition]:
        line = self._line(index, name.removeprefix("annotation."))
        wanted = {Threshold.NUMBER: (int, float), Threshold.TRUTH: (bool,), Threshold.TEXT: (str,)}[column.threshold]
        table = given if isinstance(given, dict) else {"is": given}
        found = []
        for operator, value in table.items():
            if operator not in OPERATORS:
                self._fail(f"there is no comparison {operator!r}.{_near(operator, list(OPERATORS))}", line)
            if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
                self._fail(f"{name} ({column.meaning}) is compared with a {column.threshold}, not {value!r}", line)
            if operator != "is" and column.threshold is not Threshold.NUMBER:
                self._fail(f"{name} is a {column.threshold}: write {name} = ...", line)
            found.append(Condition(name, operator, value if column.threshold != "number" else float(value), line))
        return found

    def _references(self, given: Mapping[str, Any], key: str, index: int) -> tuple[SetReference, ...]:
        return tuple(SetReference(name, self._line(index, name, key)) for name in self._texts(given, key, index))

    def _texts(self, given: Mapping[str, Any], key: str, index: int) -> list[str]:
        values = self._typed(given, key, list, [], index)
        if not all(isinstance(value, str) for value in values):
            self._fail(f"{key} is a list of names in quotes", self._line(index, key))
        return list(values)

    def _numbers(self, content: Mapping[str, Any], table: str, keys: Sequence[str]) -> dict[str, float]:
        given = self._typed(content, table, dict, {}, None)
        self._check_known(given, keys, f"key of [{table}]", None)
        for key, value in given.items():
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                self._fail(f"{table}.{key} is a number, not {value!r}", self._line(None, key))
        return {key: float(value) for key, value in given.items()}

    def _choice(self, given: Mapping[str, Any], key: str, choices: Any, index: int, default: Any) -> Any:
        value = given.get(key, default)
        if value not in list(choices):
            self._fail(f"{key} is one of {', '.join(choices)}, not {value!r}", self._line(index, key))
        return choices(value)

    def _typed(self, given: Mapping[str, Any], key: str, wanted: type, default: Any, index: int | None) -> Any:
        value = given.get(key, default)
        if value is not None and not isinstance(value, wanted):
            names = {str: "text in quotes", list: "a list", dict: "a table", bool: "true or false"}
            self._fail(f"{key} is {names[wanted]}, not {value!r}", self._line(index, key))
        return value

    def _check_known(self, given: Mapping[str, Any], known: Sequence[str], what: str, index: int | None) -> None:
        for key in given:
            if key not in known:
                self._fail(f"there is no {what} {key!r}.{_near(key, known)}", self._line(index, key))

    def _line(self, index: int | None, *keys: str) -> int:
        """Return the line, from 1, where a key stands: in the rule of that index, or before the first rule."""
        if index is None:
            first, last = 0, len(self.lines)
        else:
            starts = [*self.starts, len(self.lines)]
            first, last = (starts[index], starts[index + 1]) if index < len(self.starts) else (0, len(self.lines))
        lines = range(first, last)
        for key in keys:
            word = rf"(?<![\w-]){re.escape(key)}(?![\w-])"
            for pattern in (rf"{word}[\"']?\s*[=.\]]", word):
                found = [i + 1 for i in lines if re.search(pattern, self.lines[i].split("#")[0])]
                if found:
                    return found[0]
        return first + 1

    def _fail(self, what: str, line: int | None) -> NoReturn:
        where = f"{self.source}, line {line}" if line else self.source
        msg = f"{where}: {what}"
        raise RulesError(msg)


def _default_label(name: str, kind: Kind, tested_given: bool) -> str:
    if kind is Kind.SET:
        return "{phrase}"
    return "{a} beyond {b}" if kind is Kind.COMPOSITE and tested_given else name


def _near(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, list(known), n=3, cutoff=0.5)
    if near:
        return f" Did you mean {', '.join(near)}?"
    return f" Known are {', '.join(known)}." if known else ""
