"""Everything that is wrong with the types of a tree, not only the first: each key and item is converted by itself."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

Step = str | int
Complaint = tuple[tuple[Step, ...], str]
"""Where, and what msgspec says of it."""


def complaints(tree: Any, kind: Any, where: tuple[Step, ...] = ()) -> Iterator[Complaint]:
    """What msgspec would say of a tree of built-in types, part by part."""
    kind = _only(kind, tree)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(tree, dict):
        yield from _of_struct(tree, kind, where)
    elif get_origin(kind) is dict and isinstance(tree, dict):
        for key, item in tree.items():
            yield from complaints(item, get_args(kind)[1], (*where, str(key)))
    elif _is_list(kind) and isinstance(tree, list):
        for at, item in enumerate(tree):
            yield from complaints(item, get_args(kind)[0], (*where, at))
    else:
        yield from _of_leaf(tree, kind, where)


def _of_struct(tree: dict[Any, Any], kind: type[msgspec.Struct], where: tuple[Step, ...]) -> Iterator[Complaint]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if kind.__struct_config__.forbid_unknown_fields:
        for key in tree:
            if key not in fields:
                yield where, f"Object contains unknown field `{key}`"
    for name, field in fields.items():
        if name in tree:
            yield from complaints(tree[name], field.type, (*where, name))
        elif field.required:
            yield where, f"Object missing required field `{name}`"


def _of_leaf(tree: Any, kind: Any, where: tuple[Step, ...]) -> Iterator[Complaint]:
    try:
        msgspec.convert(tree, kind, strict=True)
    except msgspec.ValidationError as exc:
        yield where, str(exc).partition(" - at `$")[0]


def _is_list(kind: Any) -> bool:
    """A list of any length; a tuple of so many is looked at whole."""
    return get_origin(kind) is tuple and get_args(kind)[1:] == (...,)


def _only(kind: Any, tree: Any) -> Any:
    """The one type that is left of ``X | None`` where something stands."""
    if get_origin(kind) not in (Union, UnionType) or tree is None:
        return kind
    others = [one for one in get_args(kind) if one is not type(None)]
    return others[0] if len(others) == 1 and not isinstance(others[0], str) else kind
