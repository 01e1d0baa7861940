"""The named questions of ``queries/``: one SQL file each, values bound by name.

Files at the top are for people: a header says what they answer, with which parameters. Those in ``internal/`` are steps
of the package's own work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tsea_db.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

_TYPES = {"text": str, "number": float, "integer": int, "sae": str, "class": str, "token": str}
_PARAMETER = re.compile(rf"-- param (\w+) ({'|'.join(_TYPES)})(?: = ([^:]+))?: (.+)")


@dataclass(frozen=True)
class Parameter:
    """What a question can be told.

    Attributes:
        name: Its name in the SQL, after ``$``.
        kind: text, number, integer, or what of the store it names: sae, class, token.
        required: Whether it has no default.
        default: Its default; None is NULL, "all" or "any" in the question's own terms.
        meaning: One line for a person.
    """

    name: str
    kind: str
    required: bool
    default: Any
    meaning: str

    def convert(self, given: Any) -> Any:
        """Return a value of the parameter's type.

        Raises:
            QueryError: It cannot be read as one.
        """
        if given is None:
            return None
        try:
            return _TYPES[self.kind](given)
        except (TypeError, ValueError) as error:
            msg = f"{self.name} is of type {self.kind}, not {given!r}."
            raise QueryError(msg) from error


@dataclass(frozen=True)
class Query:
    """A named question: a file of ``queries/``.

    Attributes:
        name: Its file's name.
        title: What it answers, in a line.
        about: More on that, if there is more to say.
        parameters: In order.
        example: A command that asks it.
        sql: The whole file.
    """

    name: str
    title: str
    about: str
    parameters: tuple[Parameter, ...]
    example: str
    sql: str

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check given values and fill in the defaults.

        Raises:
            QueryError: A parameter is unknown, missing or of the wrong type.
        """
        known = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in known:
                takes = f"it takes {', '.join(known)}" if known else "it takes no parameters"
                msg = f"The question {self.name} has no parameter {name!r}; {takes}."
                raise QueryError(msg)
        missing = [p.name for p in self.parameters if p.required and given.get(p.name) is None]
        if missing:
            msg = f"The question {self.name} needs {', '.join(missing)}. For example: {self.example}"
            raise QueryError(msg)
        return {p.name: p.convert(given.get(p.name, p.default)) for p in self.parameters}


@cache
def internal_sql(name: str) -> str:
    """Return the SQL of a step of the package's own."""
    return (files("tsea_db.queries") / "internal" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def named_queries() -> dict[str, Query]:
    """Return all questions for people by name, in alphabetical order."""
    found = [file for file in files("tsea_db.queries").iterdir() if file.name.endswith(".sql")]
    return {
        file.name[:-4]: _parse(file.name[:-4], file.read_text(encoding="utf-8"))
        for file in sorted(found, key=lambda file: file.name)
    }


def named_query(name: str) -> Query:
    """Return a question for people.

    Raises:
        QueryError: There is none of that name; the nearest ones are suggested.
    """
    queries = named_queries()
    if name not in queries:
        near = get_close_matches(name, queries, n=3, cutoff=0.4)
        hint = f"Did you mean {', '.join(near)}?" if near else "`tsea query list` shows them all."
        msg = f"There is no question {name!r}. {hint}"
        raise QueryError(msg)
    return queries[name]


def ask(connection: duckdb.DuckDBPyConnection, name: str, /, **parameters: Any) -> list[dict[str, Any]]:
    """Run a step of the package's own; each row is a dictionary by column name."""
    cursor = connection.execute(internal_sql(name), parameters)
    columns = [column[0] for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _parse(name: str, text: str) -> Query:
    """Read the header: lines of ``-- title:``, ``-- about:``, ``-- param ...`` and ``-- example:``."""
    header = [line for line in text.splitlines() if line.startswith("-- ")]
    said = {
        key: line.split(": ", 1)[1] for line in header for key in ("title", "about", "example") if _opens(line, key)
    }
    parameters = []
    for line in header:
        if match := _PARAMETER.fullmatch(line):
            parameter, kind, default, meaning = match.groups()
            bare = Parameter(parameter, kind, default is None, None, meaning)
            value = None if default in (None, "null") else bare.convert(default)
            parameters.append(Parameter(parameter, kind, default is None, value, meaning))
    return Query(name, said["title"], said.get("about", ""), tuple(parameters), said["example"], text)


def _opens(line: str, key: str) -> bool:
    return line.startswith(f"-- {key}: ")
