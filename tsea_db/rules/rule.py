"""Rules as data: conditions on columns, what they fire on, what they call it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TypeAlias

Value: TypeAlias = "float | bool | str"


class Kind(StrEnum):
    """What a rule looks at."""

    CLASS = "class"
    SET = "set"
    COMPOSITE = "composite"


class Direction(StrEnum):
    """Which way a set is moved."""

    PROMOTES = "promotes"
    SUPPRESSES = "suppresses"


OPERATORS: dict[str, str] = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<=", "is": "="}
"""Keys of a condition and the comparison each stands for."""


@dataclass(frozen=True)
class Condition:
    """A comparison of a column with a threshold.

    Attributes:
        column: See :mod:`tsea_db.rules.columns`; ``annotation.NAME`` for a stored annotation.
        operator: A key of :data:`OPERATORS`.
        value: The threshold.
        line: Where the rules file has it.
    """

    column: str
    operator: str
    value: Value
    line: int = field(default=0, compare=False)

    @property
    def annotation(self) -> str | None:
        """Name of the annotation it asks about, if it does."""
        return self.column.removeprefix("annotation.") if self.column.startswith("annotation.") else None

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return self.column if self.value else f"not {self.column}"
        return f"{self.column} {OPERATORS[self.operator]} {self.value:g}" if isinstance(self.value, float) else (
            f"{self.column} = {self.value}"
        )  # fmt: skip


@dataclass(frozen=True)
class SetReference:
    """A token set as a rule names it: by name or phrase."""

    name: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Rule:
    """One rule; the order of rules is the order of their labels.

    Attributes:
        name: Unique in its file.
        kind: What it looks at.
        where: Conditions, all of which must hold.
        label: What it calls a feature; set and composite rules fill in ``{phrase}``, ``{a}`` and ``{b}``.
        direction: Which way, for set and composite rules.
        sets: Sets it is about; none means every set of the library. Composite rules need all of them.
        families: Families it is about; none means all.
        except_sets: Sets it is not about.
        but_not: Composite rules: sets that must not meet ``where``.
        given: Composite rules: the set that the first of ``sets`` is tested given.
        contrasts: Composite rules: fire for each pair that the catalogue declares, one set given the other.
        requires: Rules before it that must have fired.
        unless: Rules before it that must not have fired.
        group: Rules of a group are alternatives: at most one should fire on a feature.
        preset: Only active under this preset; None for always.
        line: Where the rules file has it.
    """

    name: str
    kind: Kind
    where: tuple[Condition, ...]
    label: str
    direction: Direction = Direction.PROMOTES
    sets: tuple[SetReference, ...] = ()
    families: tuple[str, ...] = ()
    except_sets: tuple[SetReference, ...] = ()
    but_not: tuple[SetReference, ...] = ()
    given: SetReference | None = None
    contrasts: bool = False
    requires: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    group: str | None = None
    preset: str | None = None
    line: int = field(default=0, compare=False)

    @property
    def references(self) -> tuple[SetReference, ...]:
        """Every set it names."""
        return (*self.sets, *self.except_sets, *self.but_not, *((self.given,) if self.given else ()))


@dataclass(frozen=True)
class Confidence:
    """How sure a set label is.

    ``high``: q below ``high_log10_q`` and a corrected share of top tokens of ``high_share`` or more. Otherwise ``low``
    where abs(es) is below ``part_es`` ("part of S") or the share below ``few_share`` ("shifts S, does not top it");
    ``medium`` is the rest.
    """

    high_log10_q: float = -2.0
    high_share: float = 0.5
    part_es: float = 0.6
    few_share: float = 0.2


@dataclass(frozen=True)
class Background:
    """Sets that many features of an SAE move: beyond ``lambda`` a label also needs that ``deviation``."""

    inflation: float = 2.0
    deviation: float = 3.0


@dataclass(frozen=True)
class RuleSet:
    """The rules that hold together.

    Attributes:
        title: For a person.
        rules: The active ones, in order.
        confidence: Grades of set labels.
        background: What labels of background sets need.
        redundancy_level: p that a set must stay below given the stronger sets of the feature, to be named too.
        preset: Thresholds chosen for classes.
        text: The file they were read from.
        source: Where that was.
    """

    title: str
    rules: tuple[Rule, ...]
    confidence: Confidence
    background: Background
    redundancy_level: float
    preset: str
    text: str = field(default="", compare=False)
    source: str = field(default="", compare=False)

    @property
    def content_hash(self) -> str:
        """SHA-256 of what the rules say: comments, spacing, titles and line numbers do not count."""
        said = asdict(self)
        for key in ("title", "text", "source"):
            del said[key]
        return hashlib.sha256(json.dumps(_without_lines(said), sort_keys=True).encode()).hexdigest()

    def of_kind(self, kind: Kind) -> tuple[Rule, ...]:
        """Return its rules of a kind, in order."""
        return tuple(rule for rule in self.rules if rule.kind is kind)


def _without_lines(said: object) -> object:
    if isinstance(said, dict):
        return {key: _without_lines(value) for key, value in said.items() if key != "line"}
    if isinstance(said, (list, tuple)):
        return [_without_lines(value) for value in said]
    return said
