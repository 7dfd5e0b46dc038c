"""What msgspec says of a tree that does not fit, in the order of ours: what was found, then what was expected."""

import difflib
import re
from collections.abc import Iterator, Sequence
from enum import Enum
from types import UnionType
from typing import Final, Literal, Union, get_args, get_origin

import msgspec

from telemetry.settings.tree import Step, Tree, plain

UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+?)`")
_WRONG: Final = re.compile(r"Expected `([^`]+)`(.*?)(, got `.*)?$")
_MISSING: Final = re.compile(r"Object missing required field `(.+?)`")
_PLAIN: Final = {"object": "a mapping", "array": "a list", "str": "text", "null": "nothing"}
"""What msgspec's names of types are called in YAML; numbers and truth values keep theirs."""
_LONGEST: Final = 80


def said(message: str, found: Tree, kind: object, steps: Sequence[Step]) -> str:
    """A complaint about what was found at a path below a type."""
    if missing := _MISSING.match(message):
        return f"no {missing[1]!r}, expected one"
    shown = _shown(found)
    if wrong := _WRONG.match(message):
        kinds = " or ".join(_PLAIN.get(name, name) for name in wrong[1].split(" | "))
        return f"{shown}, expected {kinds}{wrong[2]}"
    if message.startswith("Invalid enum value"):
        return f"{shown}, expected one of {', '.join(_choices(kind, steps))}"
    if message.startswith("Invalid value") and (tags := _tags(kind, steps)):
        return f"{message}, expected one of {', '.join(tags)}"
    return message if shown in message else f"{message} (found {shown})"


def nearest(key: str, siblings: Tree, kind: object, steps: Sequence[Step]) -> str:
    """The known key that an unknown one resembles most, among those of the struct at a path below a type."""
    present = set(siblings) if isinstance(siblings, dict) else set()
    known = {name for struct in _structs(kind, steps, siblings) for name in _keys(struct)}
    candidates = sorted(known - present)
    if not candidates:
        return f"none beside {', '.join(sorted(present - {key}))}"
    close = difflib.get_close_matches(key, candidates, n=1, cutoff=0.6)
    return repr(close[0]) if close else "one of " + ", ".join(candidates)


def _shown(found: Tree) -> str:
    value = plain(found)
    text = {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value), repr(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _choices(kind: object, steps: Sequence[Step]) -> list[str]:
    """What the enumerations and literals at a path below a type allow."""
    found = []
    for one in _types(kind, steps):
        if get_origin(one) is Literal:
            found += [repr(value) for value in get_args(one)]
        elif isinstance(one, type) and issubclass(one, Enum):
            found += [repr(member.value) for member in one]
    return found


def _tags(kind: object, steps: Sequence[Step]) -> list[str]:
    """What may stand where the key at a path names one of several structs."""
    structs = _structs(kind, steps[:-1], {})
    return [str(_tag(one)) for one in structs if _tag(one) is not None and _tag_field(one) == steps[-1]]


def _structs(kind: object, steps: Sequence[Step], siblings: Tree) -> list[type[msgspec.Struct]]:
    """The structs that may stand at a path: of several kinds the one that the tag beside names."""
    found = [one for one in _types(kind, steps) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    tagged = [one for one in found if _tag(one) is not None and siblings.get(_tag_field(one)) == _tag(one)]
    return tagged or found


def _keys(struct: type[msgspec.Struct]) -> list[str]:
    names = [field.encode_name for field in msgspec.structs.fields(struct)]
    return names if _tag(struct) is None else [*names, str(_tag_field(struct))]


def _tag(struct: type[msgspec.Struct]) -> str | int | None:
    return struct.__struct_config__.tag


def _tag_field(struct: type[msgspec.Struct]) -> str | None:
    return struct.__struct_config__.tag_field


def _types(kind: object, steps: Sequence[Step]) -> Iterator[object]:
    """The types at a path below a type."""
    if get_origin(kind) in (Union, UnionType):
        below = [(part, steps) for part in get_args(kind)]
    elif not steps:
        yield kind
        return
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
        below = [(field.type, steps[1:]) for field in fields if field.encode_name == steps[0]]
    else:
        below = [(part, steps[1:]) for part in get_args(kind)]
    for part, rest in below:
        yield from _types(part, rest)
