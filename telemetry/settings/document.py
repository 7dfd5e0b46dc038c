"""Configuration files: YAML 1.2 into frozen structs, every mistake with its file and line.

An unknown key, a wrong type, a duplicate key or a value out of bounds raises SettingsError, whose text is one line:
file, line, what was found and what was expected. Secrets never stand in these files: ``secret`` reads them.
"""

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.reader import ReaderError

from telemetry.settings.complaints import complaints
from telemetry.settings.tree import Step as Step
from telemetry.settings.tree import Tree as Tree
from telemetry.settings.tree import at, dotted, not_finite, plain
from telemetry.settings.tree import line as line_of
from telemetry.settings.wording import UNKNOWN, nearest, said

S = TypeVar("S", bound=msgspec.Struct)
_SOME: Final = "[...]"
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|(\[\.\.\.\])")
_LARGEST: Final = 16 * 1024 * 1024
_DEEP: Final = 64
"""Levels of lists and mappings that nobody means; the parser ends somewhere above."""


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
        return line_of(self.tree, where)

    def error(self, where: Sequence[Step], problem: str) -> SettingsError:
        """A mistake at a place of this file that only a comparison with other settings could find."""
        return SettingsError(f"{self.path}:{self.line(where)}: {dotted(where)}: {problem}")


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
    kind, values = choose(tree), plain(tree)
    found = [
        (line_of(tree, _blamed(steps, message)), _complained(message, list(steps), tree, path, kind))
        for steps, message in complaints(values, kind)
    ]
    found += [(line_of(tree, steps), _endless(steps, number, tree, path)) for steps, number in not_finite(values)]
    return [mistake for _, mistake in sorted(found, key=lambda one: one[0])]


def _blamed(steps: Sequence[Step], message: str) -> list[Step]:
    """Where a complaint points at: an unknown key itself, not the mapping that holds it."""
    unknown = UNKNOWN.match(message)
    return [*steps, unknown[1]] if unknown else [*steps]


def _converted(tree: Tree, path: Path, kind: type[S]) -> Document[S]:
    values = plain(tree)
    try:
        settings = msgspec.convert(values, kind, strict=True)
    except msgspec.ValidationError as exc:
        raise _located(exc, tree, path, kind) from exc
    for steps, number in not_finite(values):
        raise _endless(steps, number, tree, path)
    return Document(path, settings, tree)


def _endless(steps: Sequence[Step], number: float, tree: Tree, path: Path) -> SettingsError:
    return SettingsError(f"{path}:{line_of(tree, steps)}: {dotted(steps)}: {number}, expected a finite number")


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
        line = exc.object.count(b"\n", 0, exc.start) + 1
        raise SettingsError(f"{path}:{line}: byte {exc.start} is not UTF-8, expected a UTF-8 text") from exc


def _tree(text: str, path: Path) -> Tree:
    yaml = YAML(typ="rt", pure=True)
    yaml.Constructor = _Constructor
    try:
        return yaml.load(text)
    except DuplicateKeyError as exc:
        raise SettingsError(f"{path}:{_marked(exc)}: {str(exc.problem).splitlines()[0]}, expected it once") from exc
    except MarkedYAMLError as exc:
        raise SettingsError(f"{path}:{_marked(exc)}: {exc.problem or exc.context}, expected YAML 1.2") from exc
    except ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        raise SettingsError(f"{path}:{line}: character U+{exc.character:04X}, expected YAML 1.2 in UTF-8") from exc
    except RecursionError as exc:
        raise SettingsError(f"{path}:{_deep_line(text)}: nested too deeply, expected YAML 1.2") from exc
    except (YAMLError, ValueError) as exc:
        raise SettingsError(f"{path}: {str(exc).splitlines()[0]}, expected YAML 1.2") from exc


def _deep_line(text: str) -> int:
    """The line where a text goes deeper than anybody means; the parser's events come without a stack of calls."""
    depth = 0
    with suppress(YAMLError):  # that is not what stopped us
        for event in YAML(typ="rt", pure=True).parse(text):
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth > _DEEP:
                return int(event.start_mark.line) + 1
    return 1


def _marked(exc: MarkedYAMLError) -> int:
    mark = exc.problem_mark or exc.context_mark
    return mark.line + 1 if mark else 1


def _located(exc: msgspec.ValidationError, tree: Tree, path: Path, kind: type[msgspec.Struct]) -> SettingsError:
    message, _, where = str(exc).partition(" - at `$")
    return _complained(message, _resolved(_steps(where.rstrip("`")), message, tree, kind), tree, path, kind)


def _complained(message: str, steps: list[Step], tree: Tree, path: Path, kind: type[msgspec.Struct]) -> SettingsError:
    """A complaint of msgspec about a place, as one line of ours."""
    if unknown := UNKNOWN.match(message):
        key = unknown[1]
        problem = f"unknown key {key!r}, expected {nearest(key, at(tree, steps), kind, steps)}"
        return SettingsError(f"{path}:{line_of(tree, _blamed(steps, message))}: {dotted(steps)}: {problem}")
    problem = said(message, at(tree, steps), kind, steps)
    return SettingsError(f"{path}:{line_of(tree, steps)}: {dotted(steps)}: {problem}")


def _steps(where: str) -> list[Step]:
    return [int(index) if index else name or some for name, index, some in _STEP.findall(where)]


def _resolved(steps: list[Step], message: str, tree: Tree, kind: type[msgspec.Struct]) -> list[Step]:
    """Name the key that msgspec leaves out of a path (it writes ``[...]``): the one that alone causes the error."""
    while _SOME in steps:
        some = steps.index(_SOME)
        mapping = at(tree, steps[:some])
        guilty = (key for key in mapping if message in _complaint(_pruned(tree, steps[:some], key), kind))
        steps = [*steps[:some], next(guilty, ""), *steps[some + 1 :]]
    return steps


def _pruned(tree: Tree, steps: Sequence[Step], key: str) -> Tree:
    """The tree with only one key left in the mapping at a path."""
    if not steps:
        return {key: tree[key]}
    values = plain(tree)
    values[steps[0]] = _pruned(values[steps[0]], steps[1:], key)
    return values


def _complaint(tree: Tree, kind: type[msgspec.Struct]) -> str:
    try:
        msgspec.convert(plain(tree), kind, strict=True)
    except msgspec.ValidationError as exc:
        return str(exc)
    return ""
