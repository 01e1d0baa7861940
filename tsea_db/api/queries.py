"""What can be asked of a store beyond single features: tables as relations, questions, searches, people's SQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb

from tsea_db.api.base import StoreBase
from tsea_db.errors import QueryError
from tsea_db.sql.named import internal_sql, named_query
from tsea_db.sql.names import check_parameters, check_saes, check_search
from tsea_db.sql.run import TIME_LIMIT, Answer, Parameters, check_read_only, fetch
from tsea_db.sql.search import Search
from tsea_db.suggestions import unknown

if TYPE_CHECKING:
    import pyarrow as pa


_UNKNOWN_SET = re.compile(r"There is no token set called (.*)\. Its name")


class StoreQueries(StoreBase):
    """The part of a store that answers with relations."""

    def features(self, sae: str | None = None, *, layer: int | None = None) -> duckdb.DuckDBPyRelation:
        """Features with their moments, classes' measures and strongest tokens; the view ``feature_columns``.

        Raises:
            QueryError: There is no such SAE.
        """
        return self._of_saes(internal_sql("features"), {"sae": sae, "layer": layer})

    def scores(
        self, sae: str | None = None, *, token_set: str | None = None, feature: int | None = None
    ) -> duckdb.DuckDBPyRelation:
        """Scores with the names of their sets; the view ``scored``.

        The rows are read into memory: name an SAE, a set or a feature in a large store.

        Raises:
            QueryError: There is no such SAE or token set.
        """
        text, asked = internal_sql("scores"), {"sae": sae, "feature": feature}
        if token_set is not None:
            named = "scored.set_id in (select named.set_id from named_sets($token_set) as named)"
            text, asked = text.replace("/* set */ true", named), {**asked, "token_set": token_set}
        return self._of_saes(text, asked)

    def labels(
        self,
        sae: str | None = None,
        *,
        feature: int | None = None,
        kind: str | None = None,
        label: str | None = None,
        confidence: str | None = None,
    ) -> duckdb.DuckDBPyRelation:
        """Labels with their evidence; the view ``feature_labels``.

        Raises:
            QueryError: There is no such SAE.
        """
        asked = {"sae": sae, "feature": feature, "kind": kind, "label": label, "confidence": confidence}
        return self._of_saes(internal_sql("labels"), asked)

    def query(self, name: str, /, **parameters: Any) -> duckdb.DuckDBPyRelation:
        """Answer a named question; ``tsea query list`` shows them.

        Raises:
            QueryError: There is no such question; a parameter is unknown, missing or of the wrong type, or names what
                the store does not have.
        """
        return self._relation(*self.sql_of_query(name, **parameters))

    def sql_of_query(self, name: str, /, **parameters: Any) -> tuple[str, dict[str, Any]]:
        """Return the SQL of a named question and the values to bind.

        Raises:
            QueryError: As :meth:`query`.
        """
        asked = named_query(name)
        values = asked.values(parameters)
        with self._file.reader() as reader:
            check_parameters(reader, asked, values)
        return asked.sql, values

    def find(self, **wanted: Any) -> duckdb.DuckDBPyRelation:
        """Search for features; see :class:`tsea_db.sql.search.Search` for what can be asked.

        Raises:
            QueryError: There is no such token set, SAE, layer, class or label; the nearest names are suggested.
        """
        return self._relation(self.sql_of_search(Search(**wanted)), None)

    def sql_of_search(self, search: Search) -> str:
        """Return the SQL of a search for names that the store has.

        Raises:
            QueryError: As :meth:`find`.
        """
        with self._file.reader() as reader:
            check_search(reader, search)
        return search.sql

    def user_sql(
        self, query: str, params: Parameters = None, *, seconds: float = TIME_LIMIT, limit: int | None = None
    ) -> Answer:
        """Run SQL that somebody typed: it can only read the store, and neither files nor the network.

        Args:
            query: One statement.
            params: Values to bind.
            seconds: It is stopped after this time.
            limit: Rows to read at most.

        Raises:
            QueryError: It does not parse, is not one statement, writes, reaches outside the store or takes too long.
        """
        check_read_only(query)
        with self._file.reader(sandbox=True) as reader:
            try:
                return fetch(reader, query, params, seconds=seconds, limit=limit)
            except QueryError as error:
                raise _with_suggestions(reader, error) from error

    def _of_saes(self, query: str, params: dict[str, Any]) -> duckdb.DuckDBPyRelation:
        """Answer for the SAE that ``params`` names, or for all of them."""
        if params["sae"] is not None:
            with self._file.reader() as reader:
                check_saes(reader, [params["sae"]])
        return self._relation(query, params)

    def _relation(self, query: str, params: dict[str, Any] | None) -> duckdb.DuckDBPyRelation:
        with self._file.reader() as reader:
            try:
                return relation(fetch(reader, query, params).rows)
            except QueryError as error:
                raise _with_suggestions(reader, error) from error


def relation(rows: pa.Table) -> duckdb.DuckDBPyRelation:
    """Return rows as a relation in memory."""
    return duckdb.connect().from_arrow(rows)


def _with_suggestions(connection: duckdb.DuckDBPyConnection, error: QueryError) -> QueryError:
    """Add the nearest names where a macro did not find a set."""
    found = _UNKNOWN_SET.search(str(error))
    if found is None:
        return error
    rows = connection.execute("select name, phrase from token_sets order by set_id").fetchall()
    return QueryError(unknown("token set", found[1], [text for row in rows for text in row]))
