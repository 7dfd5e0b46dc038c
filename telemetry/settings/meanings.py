"""What the docstrings under the fields of a settings struct say, for pages and editors."""

import ast
import inspect
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec


@cache
def meanings(struct: type[Any]) -> dict[str, str]:
    """By field, those of the base classes included; empty where there is no source to read."""
    found: dict[str, str] = {}
    for kind in reversed(struct.__mro__):
        if issubclass(kind, msgspec.Struct) and kind is not msgspec.Struct and kind.__module__ != "builtins":
            found |= _docstrings(kind)
    return found


def _docstrings(kind: type[Any]) -> dict[str, str]:
    try:
        source = inspect.getsource(kind)
    except (OSError, TypeError):  # built at run time: it has fields of others only
        return {}
    (definition,) = ast.parse(inspect.cleandoc("\n" + source) if source[0] == " " else source).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(note.value.value)
        for field, note in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant) and isinstance(note.value.value, str)
    }
