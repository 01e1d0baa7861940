"""SQL from people: run on a connection that can only read, errors said in their terms."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as OutOfTimeError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb

from tsea_db.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    import pyarrow as pa

_READS = {
    duckdb.StatementType.SELECT,
    duckdb.StatementType.EXPLAIN,
    duckdb.StatementType.PRAGMA,
    duckdb.StatementType.RELATION,
}
Parameters: TypeAlias = "Mapping[str, Any] | Sequence[Any] | None"

TIME_LIMIT = 60.0
"""Seconds that SQL from people may take unless they say otherwise."""


@dataclass(frozen=True)
class Answer:
    """Rows of a query.

    Attributes:
        rows: The rows.
        truncated: Whether there are more than were asked for.
    """

    rows: pa.Table
    truncated: bool


def quoted(identifier: str) -> str:
    """Quote an identifier for SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL that is shown to people, where values cannot be bound."""
    return "'" + text.replace("'", "''") + "'"


def check_read_only(query: str) -> None:
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


def fetch(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    parameters: Parameters = None,
    *,
    seconds: float | None = None,
    limit: int | None = None,
) -> Answer:
    """Run SQL to its end, but stop it after some time or when the user interrupts.

    The query runs in a thread, so that this one can listen: DuckDB hears no Ctrl-C while it fetches Arrow tables, and
    has no time limit below 2.0.

    Args:
        connection: Where to run it; nothing else may use it meanwhile.
        query: One statement.
        parameters: Values to bind.
        seconds: How long it may take; None for as long as it takes.
        limit: Read no more rows than this.

    Returns:
        The rows; none, of a column ``Success``, for a statement that gives none.

    Raises:
        QueryError: DuckDB refuses the SQL, or it takes too long.
        KeyboardInterrupt: The user interrupted; the query is stopped.
    """
    with ThreadPoolExecutor(1, "query") as pool:
        running = pool.submit(_read, connection, query, parameters, limit)
        try:
            return running.result(timeout=seconds)
        except OutOfTimeError:
            _stop(connection, running)
            msg = f"The query was stopped after {seconds:g} seconds. Ask for less, or allow more time with --timeout."
            raise QueryError(msg) from None
        except KeyboardInterrupt:
            _stop(connection, running)
            raise
        except duckdb.Error as error:
            raise _query_error(error) from error


def _read(connection: duckdb.DuckDBPyConnection, query: str, parameters: Parameters, limit: int | None) -> Answer:
    relation: duckdb.DuckDBPyRelation | None = connection.sql(query, params=parameters)
    if relation is None:
        import pyarrow as pa

        return Answer(pa.table({"Success": pa.array([], pa.bool_())}), truncated=False)
    rows = (relation if limit is None else relation.limit(limit + 1)).to_arrow_table()
    return Answer(rows if limit is None else rows[:limit], truncated=limit is not None and len(rows) > limit)


def _stop(connection: duckdb.DuckDBPyConnection, running: Future[Answer]) -> None:
    """Interrupt until the query has ended: an interrupt before it has begun would be lost."""
    while not running.done():
        connection.interrupt()
        wait([running], timeout=0.05)


def _query_error(error: duckdb.Error) -> QueryError:
    text = str(error)
    if "read-only mode" in text:
        return QueryError(f'The store is open for reading only; tsea_db.open(path, mode="rw") writes. {text}')
    return QueryError(text)
