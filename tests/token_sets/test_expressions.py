"""Names in expressions, quoted and not."""

from __future__ import annotations

import pytest

from tsea_db.token_sets.expressions import names_in, parse


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("verb_past - verb_past", ["verb_past"]),
        ('"1 digit" | letter_a', ["1 digit", "letter_a"]),
        (r'"a \"b\" c"', ['a "b" c']),
        (r"'it\'s' & \"x\"".replace(r"\"", '"'), ["it's", "x"]),
        (r'"back\\slash"', ["back\\slash"]),
        ('"it\'s"', ["it's"]),
    ],
)
def test_quotes_and_escapes(expression: str, names: list[str]) -> None:
    assert sorted(names_in(parse(expression, "mine"))) == sorted(names)
