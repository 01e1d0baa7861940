"""Reads back the tables that commands print."""

from __future__ import annotations

import re

Rows = list[dict[str, str]]


def table(output: str, title: str | None = None) -> Rows:
    """Return the rows of the printed table below a title, or of the first one, as texts by column.

    Cells end where the header's columns do; a table ends at an empty line.
    """
    lines = output.splitlines()
    start = 0 if title is None else next(i for i, line in enumerate(lines) if line.startswith(title)) + 1
    rule = next(i for i in range(start, len(lines)) if set(lines[i].strip()) == {"─"})
    body = []
    for line in lines[rule + 1 :]:
        if not line.strip():
            break
        body.append(line)
    edges = _edges([lines[rule - 1], *body])
    names = [lines[rule - 1][first:last].strip() for first, last in edges]
    return [dict(zip(names, (line[first:last].strip() for first, last in edges), strict=True)) for line in body]


def _edges(lines: list[str]) -> list[tuple[int, int]]:
    """Return where each column begins and ends: two blanks on every line lie between any two."""
    width = max(map(len, lines))
    blank = "".join(" " if all(line.ljust(width)[at] == " " for line in lines) else "x" for at in range(width))
    return [(found.start(), found.end()) for found in re.finditer(r"x(?:x| (?! ))*", blank)]


def number(text: str) -> float:
    """Read a number with its thousands apart."""
    return float(text.replace(",", ""))
