"""Arrow tables into the store, inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, Table

_STAGED = "arrow_rows"


def bulk_load(connection: Connection, table: Table, rows: pa.Table) -> int:
    """Append rows to a table by column name; return how many.

    Millions of rows a second, where the ORM does thousands. The rows are part of the transaction of ``connection``: a
    rollback takes them back. Load large tables sorted as they are asked for, for there is no index.
    """
    raw = connection.connection.driver_connection
    if raw is None:  # pragma: no cover - only a closed connection has none
        msg = "bulk_load needs an open connection"
        raise RuntimeError(msg)
    raw.register(_STAGED, rows)
    try:
        # Both names are constants of this package.
        raw.execute(f"insert into {table.name} by name select * from {_STAGED}").fetchall()  # noqa: S608
    finally:
        raw.unregister(_STAGED)
    return len(rows)
