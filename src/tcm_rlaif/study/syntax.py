"""What code does, without its comments and layout, in a form that is the same under every Python that we run on."""

import ast
from typing import Any


def does(source: str) -> list[Any]:
    """The syntax tree of a source as lists and strings, empty where it only comments.

    `ast.unparse` and `ast.dump` write one tree otherwise in each Python (quotes within f-strings, empty fields), and a
    hash of that would send every finished run back to its start on a machine with another one.
    """
    return _listed(ast.parse(source).body)


def _listed(part: Any) -> Any:
    if isinstance(part, list):
        return [_listed(one) for one in part]
    if isinstance(part, ast.AST):
        given = {name: value for name, value in ast.iter_fields(part) if value not in (None, [])}
        return [type(part).__name__, {name: _listed(value) for name, value in given.items()}]
    return repr(part)
