"""Arrow tables into the store and out of it, inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from sqlalchemy import Connection, Select, Table

_STAGED = "arrow_rows"
_ROW_GROUP = 122_880
"""Rows that DuckDB stores together: as batches of an Arrow table, its threads share them."""


def bulk_load(connection: Connection, table: Table, rows: pa.Table) -> int:
    """Append rows to a table by column name; return how many.

    Millions of rows a second, where the ORM does thousands. The rows are part of the transaction of ``connection``: a
    rollback takes them back. Load large tables sorted as they are asked for, for there is no index.
    """
    raw = _raw(connection)
    raw.register(_STAGED, rows.from_batches(rows.to_batches(max_chunksize=_ROW_GROUP), rows.schema))
    try:
        # Both names are constants of this package.
        raw.execute(f"insert into {table.name} by name select * from {_STAGED}").fetchall()  # noqa: S608
    finally:
        raw.unregister(_STAGED)
    return len(rows)


def bulk_read(connection: Connection, query: Select[Any]) -> dict[str, NDArray[Any]]:
    """Return the rows of a query whose values are numbers, column by column: SQLAlchemy would make a tuple of each."""
    compiled = query.compile(connection)
    values = [compiled.params[name] for name in compiled.positiontup or ()]
    found: dict[str, NDArray[Any]] = _raw(connection).execute(str(compiled), values).fetchnumpy()
    return found


def _raw(connection: Connection) -> Any:
    raw = connection.connection.driver_connection
    if raw is None:  # pragma: no cover - only a closed connection has none
        msg = "Arrow tables need an open connection"
        raise RuntimeError(msg)
    return raw
