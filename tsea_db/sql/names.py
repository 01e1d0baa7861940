"""Names that people give, checked against what a store has, so that a misspelt one is no empty answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tsea_db.errors import QueryError
from tsea_db.rules.file import parse_rules
from tsea_db.rules.rule import Kind
from tsea_db.suggestions import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from tsea_db.sql.named import Query
    from tsea_db.sql.search import Search


def check_parameters(connection: duckdb.DuckDBPyConnection, asked: Query, values: dict[str, Any]) -> None:
    """Check the parameters of a question that name something of the store.

    Raises:
        QueryError: The store has no such SAE, class or token; the nearest names are suggested.
    """
    checks = {"sae": check_saes, "class": _check_classes, "token": _check_tokens}
    for parameter in asked.parameters:
        if parameter.kind in checks and values[parameter.name] is not None:
            checks[parameter.kind](connection, [values[parameter.name]])


def check_search(connection: duckdb.DuckDBPyConnection, search: Search) -> None:
    """Check the names of a search; those of token sets are checked by the macros it calls.

    Raises:
        QueryError: The store has no such SAE, layer, class or label; the nearest names are suggested.
    """
    check_saes(connection, search.saes)
    known = [layer for (layer,) in connection.execute("select distinct layer from saes order by layer").fetchall()]
    for layer in search.layers:
        if layer not in known:
            msg = f"There is no SAE of layer {layer} in the store; it has layers {', '.join(map(str, known))}."
            raise QueryError(msg)
    _check_classes(connection, search.classes)
    _check_labels(connection, search.labels)
    if search.confidence is not None:
        _check_labelled(connection)


def check_saes(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Check names of SAEs.

    Raises:
        QueryError: There is no such SAE.
    """
    known = _column(connection, "select name from saes order by sae_id")
    _check_known("SAE", names, known)


def _check_classes(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Check names of classes: those that the rules of the store's labels can give, to some feature or to none."""
    names = list(names)
    if names:
        _check_known("class", names, _classes(connection))


def _check_labels(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    names = list(names)
    if names:
        given = _column(connection, "select distinct label from labels order by label")
        phrases = _column(connection, "select phrase from token_sets order by set_id")
        _check_known("label", names, [*_classes(connection), *given, *phrases])


def _check_tokens(connection: duckdb.DuckDBPyConnection, texts: Iterable[str]) -> None:
    for text in texts:
        if connection.execute("select 1 from tokens where text = $text limit 1", {"text": text}).fetchall():
            continue
        alike = connection.execute(
            "select distinct text from tokens where lower(trim(text)) = lower(trim($text)) order by text limit 3",
            {"text": text},
        ).fetchall()
        hint = f" There is {', '.join(repr(found) for (found,) in alike)}." if alike else " It may be several tokens."
        msg = f"No model of the store has the token {text!r}.{hint}"
        raise QueryError(msg)


def _classes(connection: duckdb.DuckDBPyConnection) -> list[str]:
    _check_labelled(connection)
    [(text, source, preset)] = connection.execute("select text, source, preset from rule_sets").fetchall()
    return [rule.label for rule in parse_rules(text, source, preset).of_kind(Kind.CLASS)]


def _check_labelled(connection: duckdb.DuckDBPyConnection) -> None:
    if not connection.execute("select 1 from rule_sets").fetchall():
        msg = "The store has no labels yet: run `tsea label`."
        raise QueryError(msg)


def _check_known(kind: str, names: Iterable[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise QueryError(unknown(kind, name, known))


def _column(connection: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    return [value for (value,) in connection.execute(query).fetchall()]
