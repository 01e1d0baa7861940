"""Tables for a terminal."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_WIDTH_OF_A_PIPE = 200


def print_table(rows: pd.DataFrame, title: str | None = None) -> None:
    """Print a table, numbers to the right; in a pipe it is wide instead of cut to 80 columns."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in rows.columns:
        numeric = rows[column].map(lambda value: isinstance(value, (int, float))).all()
        table.add_column(str(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows.itertuples(index=False):
        cells = zip(rows.columns, row, strict=True)
        table.add_row(*(Text(str(value) if _is_index(column, value) else cell(value)) for column, value in cells))
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH_OF_A_PIPE)
    console.print(table)


def _is_index(column: Any, value: Any) -> bool:
    """Tell numbers that name something, to be typed again, from numbers that count."""
    return isinstance(value, int) and (column == "feature" or str(column).endswith("_id"))


def cell(value: Any) -> str:
    """Write a value for a person: six digits, thousands apart, tokens quoted, nothing for NULL."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or str(value) == "<NA>":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if value and abs(value) < 0.001 else f"{value:,.4f}".rstrip("0").rstrip(".")
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return " ".join(repr(item) if isinstance(item, str) else cell(item) for item in value)
    return str(value)


CONTROLS = (
    "controls: share of features with p < 0.05 for random sets of the same sizes, by direction / ES / random tokens"
)


def control_shares(row: Any) -> str:
    """Write the three shares of an SAE's random controls."""
    return " / ".join(cell(row[f"controls_{null}"]) or "-" for null in ("direction", "es", "token"))
