"""Set algebra: ``verb_past - verb_past_participle``, ``a & b``, ``a | "1 digit"``, ``~a``, parentheses.

``~`` (complement within the vocabulary) binds tightest, then ``&``, then ``|`` and ``-`` from left to right. A name
that is more than letters, digits, ``_``, ``$`` and ``.`` goes in quotes.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from lark import Lark, Token, Tree, UnexpectedInput, UnexpectedToken, v_args
from lark.visitors import Transformer

from tsea_db.errors import TokenSetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_GRAMMAR = r"""
?start: sum
?sum: product
    | sum "|" product -> union
    | sum "-" product -> difference
?product: factor
    | product "&" factor -> intersection
?factor: "~" factor -> complement
    | "(" sum ")"
    | NAME -> name
    | QUOTED -> quoted
NAME: /[^\W\d][\w$.]*/
QUOTED: /"(\\.|[^"\\])+"/ | /'(\\.|[^'\\])+'/
%import common.WS
%ignore WS
"""


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr")


def parse(expression: str, name: str) -> Tree[Token]:
    """Read an expression; ``name`` is that of the set it defines, for messages.

    Raises:
        TokenSetError: It is not one; says at which character.
    """
    try:
        return Tree("root", [_parser().parse(expression)])
    except UnexpectedInput as error:
        # Where text is missing, lark tells the place of the last token; it is the end that is wrong.
        missing = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        column = len(expression) if missing else max(error.column - 1, 0)
        msg = (
            f"Token set {name!r}: the expression cannot be read at character {column + 1}: "
            f"{expression[:column]}<here>{expression[column:]}. "
            'Names, & | - ~ and parentheses make an expression; quote names such as "1 digit".'
        )
        raise TokenSetError(msg) from error


def names_in(tree: Tree[Token]) -> list[str]:
    """Return the names of the sets an expression needs, without repeats."""
    found = [_name(node) for kind in ("name", "quoted") for node in tree.find_data(kind)]
    return list(dict.fromkeys(found))


def _name(node: Tree[Token]) -> str:
    text = str(node.children[0])
    if node.data == "name":
        return text
    quote = text[0]
    return text[1:-1].replace(f"\\{quote}", quote).replace("\\\\", "\\")


@v_args(inline=True)
class _Evaluation(Transformer[Token, Any]):
    """Computes the members, bottom up, as sorted arrays."""

    def __init__(self, members: Callable[[str], NDArray[np.int32]], n_tokens: int) -> None:
        super().__init__()
        self._members = members
        self._universe = np.arange(n_tokens, dtype=np.int32)

    def name(self, text: Token) -> Any:
        return self._members(_name(Tree("name", [text])))

    def quoted(self, text: Token) -> Any:
        return self._members(_name(Tree("quoted", [text])))

    def union(self, left: Any, right: Any) -> Any:
        return np.union1d(left, right)

    def difference(self, left: Any, right: Any) -> Any:
        return np.setdiff1d(left, right)

    def intersection(self, left: Any, right: Any) -> Any:
        return np.intersect1d(left, right)

    def complement(self, inner: Any) -> Any:
        return np.setdiff1d(self._universe, inner)

    def root(self, inner: Any) -> Any:
        return inner


def evaluate(tree: Tree[Token], members: Callable[[str], NDArray[np.int32]], n_tokens: int) -> NDArray[np.int32]:
    """Return the members of an expression, ascending.

    Args:
        tree: From :func:`parse`.
        members: From a set's name to its members.
        n_tokens: Size of the vocabulary, which complements are taken in.
    """
    result: NDArray[np.int32] = _Evaluation(members, n_tokens).transform(tree)
    return result
