"""Small bugs put into source text: one replacement each, at a place drawn with a seed."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from difflib import unified_diff
from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Change: TypeAlias = "Callable[[], str | None]"
"""Makes one mutant's text; None where nothing changes."""

_COMPARISONS = ("Eq", "NotEq", "Lt", "LtE", "Gt", "GtE")
_ARITHMETIC = ("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod")
_OPERATORS = (
    *(f"ReplaceComparisonOperator_{a}_{b}" for a, b in product(_COMPARISONS, repeat=2) if a != b),
    *(
        f"ReplaceComparisonOperator_{a}_{b}"
        for a, b in (("Is", "IsNot"), ("IsNot", "Is"), ("In", "NotIn"), ("NotIn", "In"))
    ),
    *(f"ReplaceBinaryOperator_{a}_{b}" for a, b in product(_ARITHMETIC, repeat=2) if a != b),
    *("ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_USub", "ReplaceUnaryOperator_Delete_Invert"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd", "AddNot"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop", "NumberReplacer"),
)
"""Operators of cosmic-ray. Those on bits are left out: most of them fall on the ``|`` of an annotation."""

_COMMENT = re.compile(r"--[^\n]*|//[^\n]*|/\*.*?\*/|^#[^\n]*", re.DOTALL | re.MULTILINE)
_NAME = r"[\w.$\"]+"
_SQL = (
    (r"^ +(?:and|or) [^\n]*\n", ""),
    (rf" and {_NAME} (?:=|<>|<|>|<=|>=|is not|is) {_NAME}", ""),
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" > ", " < "), (r" < ", " > "),
    (r" <> ", " = "), (r" and ", " or "), (r" \+ ", " - "), (r" - ", " + "), (r" \* ", " / "), (r" / ", " * "),
    (r" desc\b", " asc"), (rf"(order by {_NAME})(?= *[,\n)])", r"\1 desc"), (r" nulls last", " nulls first"),
    (r"\bmin\(", "max("), (r"\bmax\(", "min("), (r"\barg_max\(", "arg_min("), (r"\babs\(", "("), (r"-abs\(", "abs("),
    (r"\bleast\(", "greatest("), (r"\bgreatest\(", "least("), (r"\bif\(", "if(not "),
    (r"\bleft join\b", "join"), (r"\bsemi join\b", "anti join"), (r"\banti join\b", "semi join"),
    (r"\bnot exists\b", "exists"), (r"\bis not null\b", "is null"), (r"\bis null\b", "is not null"),
    (r"\bcount\(distinct ", "count("), (r"(?<=\[:)(\d+)\]", "7]"), (r"(?<![\w.$'])([1-9]\d*)(?![\w.'])", r"(\1 + 1)"),
    (r" filter \([^()]*\)", ""),
)  # fmt: skip
_C = (
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" == ", " != "), (r" != ", " == "),
    (r" && ", " || "), (r" \|\| ", " && "), (r" \+ ", " - "), (r" - ", " + "), (r" \* ", " / "), (r" \+= ", " -= "),
    (r"\b0\.0f\b", "1.0f"), (r"\b1\.0f\b", "0.0f"), (r"(?<![\w.])0(?![\w.])", "1"), (r"(?<![\w.])1(?![\w.])", "2"),
    (r" \? ", " ? !"), (r"\bcontinue;", "break;"),
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One small bug.

    Attributes:
        file: Path from the root of the checkout.
        text: The whole file with it.
        diff: What it changes, as a unified diff without context.
    """

    file: str
    text: str
    diff: str

    @property
    def lines(self) -> tuple[str, str]:
        """What was taken out and what was put in, without the blanks around."""
        changed = self.diff.splitlines()[2:]
        sides = (" ".join(line[1:].strip() for line in changed if line[0] == sign) for sign in "-+")
        removed, added = sides
        return removed, added


def mutants(file: str, text: str) -> Iterator[Mutant]:
    """Return every mutant of a file."""
    return (mutant for place in _places(file, text) for change in place for mutant in _made(file, text, change))


def draw(files: dict[str, str], seed: int) -> Iterator[Mutant]:
    """Return mutants of some files in a seeded order: at most one at each place, files by how many places they have.

    Args:
        files: Text by path.
        seed: The same seed draws the same mutants of the same texts.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    places = [(file, place) for file, text in sorted(files.items()) for place in _places(file, text)]
    chance.shuffle(places)
    for file, place in places:
        yield from _made(file, files[file], chance.choice(place))


def _places(file: str, text: str) -> list[list[_Change]]:
    """Return what can be changed at each place of a file, in order of place; nothing is changed yet, which is slow."""
    spans = _in_python(text) if file.endswith(".py") else _in_text(text, _SQL if file.endswith(".sql") else _C)
    places: dict[Any, list[_Change]] = {}
    for place, change in spans:
        places.setdefault(place, []).append(change)
    return [places[place] for place in sorted(places)]


def _made(file: str, text: str, change: _Change) -> list[Mutant]:
    mutated = change()
    return [] if mutated in (None, text) else [_mutant(file, text, mutated)]


def _mutant(file: str, text: str, mutated: str) -> Mutant:
    before, after = text.splitlines(keepends=True), mutated.splitlines(keepends=True)
    return Mutant(file, mutated, "".join(unified_diff(before, after, file, file, n=0)))


def _in_text(text: str, replacements: tuple[tuple[str, str], ...]) -> Iterator[tuple[int, _Change]]:
    comments = [found.span() for found in _COMMENT.finditer(text)]
    for pattern, replacement in replacements:
        for found in re.finditer(pattern, text, re.MULTILINE):
            if not any(first <= found.start() < last for first, last in comments):
                yield found.start(), partial(_replaced, text, found, replacement)


def _replaced(text: str, found: re.Match[str], replacement: str) -> str:
    return text[: found.start()] + found.expand(replacement) + text[found.end() :]


def _in_python(text: str) -> Iterator[tuple[Any, _Change]]:
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code

    nodes = list(ast_nodes(get_ast(text)))
    for operator in _operators():
        positions = [position for node in nodes for position in operator.mutation_positions(node)]
        for occurrence, (start, _) in enumerate(positions):
            yield start, partial(mutate_code, text, operator, occurrence)


@cache
def _operators() -> tuple[Any, ...]:
    from cosmic_ray.plugins import get_operator, operator_names

    known = set(operator_names())
    return tuple(get_operator(f"core/{name}")() for name in _OPERATORS if f"core/{name}" in known)
