"""SQL from people: run on a connection that can only read, errors said in their terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb

from tsea_db.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

_READS = {
    duckdb.StatementType.SELECT,
    duckdb.StatementType.EXPLAIN,
    duckdb.StatementType.PRAGMA,
    duckdb.StatementType.RELATION,
}
Parameters: TypeAlias = "Mapping[str, Any] | Sequence[Any] | None"


def refuse_writes(query: str) -> None:
    """Check that SQL is one statement and reads only.

    Raises:
        QueryError: It does not parse, is empty, is several statements, or is no query.
    """
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        raise _query_error(error) from error
    if len(statements) != 1:
        msg = f"Give one SQL statement; there are {len(statements)}."
        raise QueryError(msg)
    kind = statements[0].type
    if kind not in _READS:
        msg = (
            f"This only reads, and the statement is {kind.name}. To change a store, use tsea's commands or "
            'tsea_db.open(path, mode="rw").'
        )
        raise QueryError(msg)


def fetch(connection: duckdb.DuckDBPyConnection, query: str, parameters: Parameters = None) -> pa.Table | None:
    """Run SQL to its end; return the rows, or None if the statement gives none.

    Raises:
        QueryError: DuckDB refuses the SQL.
    """
    try:
        relation = connection.sql(query, params=parameters)
        return None if relation is None else relation.to_arrow_table()
    except duckdb.Error as error:
        raise _query_error(error) from error


def _query_error(error: duckdb.Error) -> QueryError:
    text = str(error)
    if "read-only mode" in text:
        return QueryError(f'The store is open for reading only; tsea_db.open(path, mode="rw") writes. {text}')
    return QueryError(text)
