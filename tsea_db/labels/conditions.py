"""Conditions of rules as SQL: identifiers through one quoting function, thresholds bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tsea_db.rules.columns import FEATURE_COLUMNS, GIVEN_COLUMNS
from tsea_db.rules.rule import OPERATORS
from tsea_db.sql.run import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tsea_db.rules.rule import Condition

_SCORE_SOURCES = {
    "deviation": "(abs(scored.z_direction - sae_sets.null_median) / sae_sets.null_mad)",
    "decodability": "set_nulls.decodability",
    "lambda": 'sae_sets."lambda"',
    "top_share": "shares.top_share",
    "given_z": "given.z",
    "given_log10_q": "given.log10_q",
}
_ANNOTATION = (
    "(select annotations.value from annotations where annotations.sae_id = {row}.sae_id "
    "and annotations.feature = {row}.feature and annotations.name = ${name})"
)
_FEATURE_OF_SCORE = (
    "(select feature_columns.{column} from feature_columns where feature_columns.sae_id = {row}.sae_id "
    "and feature_columns.feature = {row}.feature)"
)


class Comparisons:
    """Turns conditions into SQL over the rows of one table and collects the values to bind.

    Args:
        row: ``feature_columns``, or the table with sae_id and feature that scores are read from.
        replaced: Columns that another expression stands for.
    """

    def __init__(self, row: str, replaced: Mapping[str, str] | None = None) -> None:
        self._row = row
        self._sources = {**_SCORE_SOURCES, **(replaced or {})}
        self.values: dict[str, Any] = {}

    def all_of(self, conditions: Iterable[Condition]) -> str:
        """Return SQL that holds where all conditions do; a NULL holds nowhere."""
        return " and ".join(f"coalesce({self.one(condition)}, false)" for condition in conditions) or "true"

    def one(self, condition: Condition) -> str:
        """Return one comparison."""
        bound = self._bind(condition.value)
        return f"{self.source(condition)} {OPERATORS[condition.operator]} {bound}"

    def source(self, condition: Condition) -> str:
        """Return what a condition's column is in SQL."""
        column = condition.column
        if condition.annotation is not None:
            return _ANNOTATION.format(row=self._row, name=self._bind(condition.annotation)[1:])
        if self._row == "feature_columns":
            return f"feature_columns.{quoted(column)}"
        if column in self._sources:
            return self._sources[column]
        if column in FEATURE_COLUMNS:
            return _FEATURE_OF_SCORE.format(row=self._row, column=quoted(column))
        return f"scored.{quoted(column)}"

    def _bind(self, value: Any) -> str:
        name = f"threshold_{len(self.values)}"
        self.values[name] = value
        return f"${name}"


def late_columns() -> frozenset[str]:
    """Return the columns that are known only after a rule has fired on scores."""
    return frozenset({"top_share", *GIVEN_COLUMNS})
