"""The named questions of ``queries/``: one SQL file each, values bound by name."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


@cache
def question(name: str) -> str:
    """Return the SQL of a named question."""
    return (files("tsea_db.queries") / "internal" / f"{name}.sql").read_text(encoding="utf-8")


def ask(connection: duckdb.DuckDBPyConnection, name: str, /, **parameters: Any) -> list[dict[str, Any]]:
    """Answer a named question; each row is a dictionary by column name."""
    cursor = connection.execute(question(name), parameters)
    columns = [column[0] for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
