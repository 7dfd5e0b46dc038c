"""Configuration files: YAML 1.2 into frozen structs, every mistake with its file and line.

An unknown key, a wrong type, a duplicate key or a value out of bounds raises SettingsError, whose text is one line:
file, line, what was found and what was expected. Secrets never stand in these files: ``secret`` reads them.
"""

import difflib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Final, Generic, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from telemetry.complaints import complaints

S = TypeVar("S", bound=msgspec.Struct)
Step = str | int
Tree = Any
"""A parsed YAML node: mappings, sequences and scalars, with their places."""
_SOME: Final = "[...]"
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|(\[\.\.\.\])")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+?)`")
_WRONG: Final = re.compile(r"Expected `([^`]+)`(.*?)(, got `.*)?$")
_MISSING: Final = re.compile(r"Object missing required field `(.+?)`")
_PLAIN: Final = {"object": "a mapping", "array": "a list", "str": "text", "null": "nothing"}
"""What msgspec's names of types are called in YAML; numbers and truth values keep theirs."""
_LARGEST: Final = 16 * 1024 * 1024


class _Constructor(RoundTripConstructor):
    """YAML 1.2 knows no timestamps: times stay text until the settings say that they are times."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", RoundTripConstructor.construct_yaml_str)


class SettingsError(ValueError):
    """A configuration file that can't be used: one line with file, line, found and expected."""


@dataclass(frozen=True, slots=True)
class Document(Generic[S]):
    """A configuration file: its settings, and where each of them stands."""

    path: Path
    settings: S
    tree: Tree

    def line(self, where: Sequence[Step]) -> int:
        """The line (from 1) of the setting at a path such as ``("buses", 0, "baud")``, or of its nearest parent."""
        return _line(self.tree, where)

    def error(self, where: Sequence[Step], problem: str) -> SettingsError:
        """A mistake at a place of this file that only a comparison with other settings could find."""
        return SettingsError(f"{self.path}:{self.line(where)}: {_dotted(where)}: {problem}")


def load(path: Path, kind: type[S]) -> Document[S]:
    """Read a file into a struct; raises SettingsError."""
    return parse(_read(path), path, kind)


def load_as(path: Path, choose: Callable[[Tree], type[S]]) -> Document[S]:
    """Read a file into the struct that its own content chooses; raises SettingsError."""
    tree = _tree(_read(path), path)
    return _converted(tree, path, choose(tree))


def parse(text: str, path: Path, kind: type[S]) -> Document[S]:
    """Read settings from text that came from ``path``; raises SettingsError."""
    return _converted(_tree(text, path), path, kind)


def mistakes(path: Path, choose: Callable[[Tree], type[msgspec.Struct]]) -> list[SettingsError]:
    """All keys and values that can't be, in the order of their lines; raises SettingsError for what is no YAML."""
    tree = _tree(_read(path), path)
    kind = choose(tree)
    found = sorted(complaints(_plain(tree), kind), key=lambda one: _line(tree, _blamed(*one)))
    return [_complained(message, list(steps), tree, path, kind) for steps, message in found]


def _blamed(steps: Sequence[Step], message: str) -> list[Step]:
    """Where a complaint points at: an unknown key itself, not the mapping that holds it."""
    unknown = _UNKNOWN.match(message)
    return [*steps, unknown[1]] if unknown else [*steps]


def _converted(tree: Tree, path: Path, kind: type[S]) -> Document[S]:
    try:
        settings = msgspec.convert(_plain(tree), kind, strict=True)
    except msgspec.ValidationError as exc:
        raise _located(exc, tree, path, kind) from exc
    return Document(path, settings, tree)


def secret(name: str) -> str | None:
    """A secret from the environment variable ``name``, or from the file that ``name_FILE`` points to."""
    if file := os.environ.get(f"{name}_FILE"):
        return _read(Path(file)).strip()
    return os.environ.get(name)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise SettingsError(f"{path}: {path.stat().st_size} bytes, expected at most {_LARGEST}")
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise SettingsError(f"{path}: {exc.strerror}, expected a readable file") from exc
    except UnicodeDecodeError as exc:
        raise SettingsError(f"{path}: byte {exc.start} is not UTF-8, expected a UTF-8 text") from exc


def _tree(text: str, path: Path) -> Tree:
    yaml = YAML(typ="rt", pure=True)
    yaml.Constructor = _Constructor
    try:
        return yaml.load(text)
    except DuplicateKeyError as exc:
        raise SettingsError(f"{path}:{_marked(exc)}: {str(exc.problem).splitlines()[0]}, expected it once") from exc
    except MarkedYAMLError as exc:
        raise SettingsError(f"{path}:{_marked(exc)}: {exc.problem or exc.context}, expected YAML 1.2") from exc
    except (YAMLError, ValueError, RecursionError) as exc:
        raise SettingsError(f"{path}: {str(exc).splitlines()[0]}, expected YAML 1.2") from exc


def _plain(node: Tree) -> Tree:
    """The tree in built-in types: the parser's own number and text types carry layout, which msgspec refuses."""
    if isinstance(node, dict):
        return {_plain(key): _plain(item) for key, item in node.items()}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if isinstance(node, ScalarBoolean):
        return bool(node)
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _marked(exc: MarkedYAMLError) -> int:
    mark = exc.problem_mark or exc.context_mark
    return mark.line + 1 if mark else 1


def _located(exc: msgspec.ValidationError, tree: Tree, path: Path, kind: type[msgspec.Struct]) -> SettingsError:
    message, _, where = str(exc).partition(" - at `$")
    return _complained(message, _resolved(_steps(where.rstrip("`")), message, tree, kind), tree, path, kind)


def _complained(message: str, steps: list[Step], tree: Tree, path: Path, kind: type[msgspec.Struct]) -> SettingsError:
    """A complaint of msgspec about a place, as one line of ours."""
    if unknown := _UNKNOWN.match(message):
        key = unknown[1]
        problem = f"unknown key {key!r}, expected {_nearest(key, _at(tree, steps), kind)}"
        return SettingsError(f"{path}:{_line(tree, _blamed(steps, message))}: {_dotted(steps)}: {problem}")
    problem = _said(message, _at(tree, steps), _allowed(kind, steps))
    return SettingsError(f"{path}:{_line(tree, steps)}: {_dotted(steps)}: {problem}")


def _said(message: str, found: Tree, allowed: Sequence[str]) -> str:
    """A complaint of msgspec in the order of ours: what was found, then what was expected."""
    if missing := _MISSING.match(message):
        return f"no {missing[1]!r}, expected one"
    shown = {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(_plain(found)), repr(_plain(found)))
    if wrong := _WRONG.match(message):
        kinds = " or ".join(_PLAIN.get(kind, kind) for kind in wrong[1].split(" | "))
        return f"{shown}, expected {kinds}{wrong[2]}"
    if message.startswith("Invalid enum value"):
        return f"{shown}, expected one of {', '.join(allowed)}"
    return message if shown in message else f"{message} (found {shown})"


def _allowed(kind: object, steps: Sequence[Step]) -> list[str]:
    """What the enumerations and literals at a path below a type allow."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind) if steps else ()
        return [one for field in fields if field.encode_name == steps[0] for one in _allowed(field.type, steps[1:])]
    if get_origin(kind) is Literal:
        return [repr(value) for value in get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [repr(member.value) for member in kind]
    below = steps if get_origin(kind) in (Union, UnionType) else steps[1:]
    return [one for part in get_args(kind) for one in _allowed(part, below)]


def _nearest(key: str, siblings: Tree, kind: type[msgspec.Struct]) -> str:
    """The known key that an unknown one resembles most, over all structs below ``kind``."""
    present = set(siblings) if isinstance(siblings, dict) else set()
    known = _fields(kind, set())
    owners = [names for names in known if present - {key} <= names] or known
    candidates = sorted(set().union(*owners) - present)
    if not candidates:
        return f"none beside {', '.join(sorted(present - {key}))}"
    close = difflib.get_close_matches(key, candidates, n=1, cutoff=0.6)
    return repr(close[0]) if close else "one of " + ", ".join(candidates)


def _fields(kind: object, seen: set[object]) -> list[set[str]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind in seen:
            return []
        seen.add(kind)
        fields = msgspec.structs.fields(kind)
        return [{field.encode_name for field in fields}, *(f for x in fields for f in _fields(x.type, seen))]
    return [found for part in getattr(kind, "__args__", ()) for found in _fields(part, seen)]


def _steps(where: str) -> list[Step]:
    return [int(index) if index else name or some for name, index, some in _STEP.findall(where)]


def _resolved(steps: list[Step], message: str, tree: Tree, kind: type[msgspec.Struct]) -> list[Step]:
    """Name the key that msgspec leaves out of a path (it writes ``[...]``): the one that alone causes the error."""
    while _SOME in steps:
        at = steps.index(_SOME)
        mapping = _at(tree, steps[:at])
        guilty = (key for key in mapping if message in _complaint(_pruned(tree, steps[:at], key), kind))
        steps = [*steps[:at], next(guilty, ""), *steps[at + 1 :]]
    return steps


def _pruned(tree: Tree, steps: Sequence[Step], key: str) -> Tree:
    """The tree with only one key left in the mapping at a path."""
    if not steps:
        return {key: tree[key]}
    plain = _plain(tree)
    plain[steps[0]] = _pruned(plain[steps[0]], steps[1:], key)
    return plain


def _complaint(tree: Tree, kind: type[msgspec.Struct]) -> str:
    try:
        msgspec.convert(_plain(tree), kind, strict=True)
    except msgspec.ValidationError as exc:
        return str(exc)
    return ""


def _at(tree: Tree, steps: Sequence[Step]) -> Tree:
    for step in steps:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return tree
    return tree


def _line(tree: Tree, steps: Sequence[Step]) -> int:
    line = 1
    for step in steps:
        place = getattr(tree, "lc", None)
        if place is None or not _holds(tree, step):
            break
        line = (place.key(step) if isinstance(step, str) else place.item(step))[0] + 1
        tree = tree[step]
    return line


def _holds(tree: Tree, step: Step) -> bool:
    return step in tree if isinstance(tree, dict) else isinstance(step, int) and step < len(tree)


def _dotted(steps: Sequence[Step]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.lstrip(".") or "file"
