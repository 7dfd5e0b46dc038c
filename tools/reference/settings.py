"""docs/reference/settings.md: every key of every settings file, from the structs that the files are read into."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec import inspect as kinds

from alerting.register import Register
from alerting.rules.packs import PackFile
from alerting.settings import centre_kind
from alerting.site import Site
from device_profiles.field_model import FieldProfile
from device_profiles.model import Profile
from gateway.settings import GatewaySettings
from telemetry.series import Text
from telemetry.settings.meanings import meanings
from tools.reference import text

_INTRO: Final = (
    "All files are YAML 1.2. A key that is not listed here is refused with the nearest one that is; every mistake is "
    "one line with file, line, what was found and what was expected, and exit code 2. Secrets never stand in these "
    "files: the password of the broker is read from the environment variable `PETREL_MQTT_PASSWORD`, and any secret "
    "`NAME` from the variable `NAME` or the file that `NAME_FILE` names."
)
_FILES: Final[dict[str, type[msgspec.Struct]]] = {
    "gateway.yaml": GatewaySettings,
    "centre.yaml": centre_kind(),
    "Site file": Site,
    "Register": Register,
    "Device profile": Profile,
    "Device profile of another protocol": FieldProfile,
    "Rule pack": PackFile,
}
Place = tuple[str, kinds.StructType]


def page() -> str:
    """The page as it should be."""
    head = text.head("Settings", "the structs that the files are read into", _INTRO)
    return head + "".join(_file(name, kind) for name, kind in _FILES.items())


def structs(kind: type[msgspec.Struct]) -> Iterator[Place]:
    """A file's struct and all that it holds, each once, with the place where it stands."""
    seen: set[type] = {Text}
    waiting: list[Place] = [("", found) for found in _inside(kinds.type_info(kind))]
    while waiting:
        path, struct = waiting.pop(0)
        if struct.cls not in seen:
            seen.add(struct.cls)
            yield path, struct
            inner = [(f"{path}.{field.name}".lstrip("."), field.type) for field in struct.fields]
            waiting[:0] = [(step + _step(type_), found) for step, type_ in inner for found in _inside(type_)]


def _file(name: str, kind: type[msgspec.Struct]) -> str:
    return f"\n## {name}\n" + sections(kind)


def sections(kind: type[msgspec.Struct]) -> str:
    """A struct and all that it holds, a table each."""
    return "".join(_section(path, struct) for path, struct in structs(kind))


def _section(path: str, struct: kinds.StructType) -> str:
    tag = "" if struct.tag is None else f", {struct.tag_field} `{struct.tag}`"
    title = f"\n### `{path}`{tag}\n" if path else ""
    known = {name: text.prose(note) for name, note in meanings(struct.cls).items()}
    rows = [
        (f"`{field.name}`", _words(field.type), _default(field), known.get(field.name, "")) for field in struct.fields
    ]
    intro = text.prose(inspect.getdoc(struct.cls))
    return f"{title}\n{intro}\n\n" + text.table(("key", "type", "default", "meaning"), rows)


def _default(field: kinds.Field) -> str:
    if field.required:
        return "required"
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if value in (None, msgspec.NODEFAULT, (), {}, "") or isinstance(value, msgspec.Struct):
        return ""
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _inside(kind: kinds.Type) -> list[kinds.StructType]:
    """The structs that a type is made of."""
    match kind:
        case kinds.StructType():
            return [kind]
        case kinds.UnionType():
            return [found for one in kind.types for found in _inside(one)]
        case kinds.VarTupleType():
            return _inside(kind.item_type)
        case kinds.DictType():
            return _inside(kind.value_type)
    return []


def _step(kind: kinds.Type) -> str:
    """How the place of what stands in a type is written after its key."""
    match kind:
        case kinds.VarTupleType():
            return "[]"
        case kinds.DictType():
            return ".NAME"
    return ""


def _words(kind: kinds.Type) -> str:
    match kind:
        case kinds.StructType():
            return "text: `zh`, `en`" if kind.cls is Text else "see below"
        case kinds.UnionType():
            return _union(kind)
        case kinds.VarTupleType():
            return f"list of {_words(kind.item_type)}" if not _inside(kind) else "list, see below"
        case kinds.TupleType():
            return f"list of {len(kind.item_types)}: {', '.join(map(_words, kind.item_types))}"
        case kinds.DictType():
            return "map, see below" if _inside(kind) else f"map to {_words(kind.value_type)}"
        case kinds.LiteralType() | kinds.EnumType():
            return " or ".join(f"`{value}`" for value in _choices(kind))
        case kinds.IntType() | kinds.FloatType():
            return _number(kind)
    return {"StrType": "text", "BoolType": "`true` or `false`", "BytesType": "bytes"}[type(kind).__name__]


def _choices(kind: kinds.LiteralType | kinds.EnumType) -> Iterable[object]:
    return kind.values if isinstance(kind, kinds.LiteralType) else [one.value for one in kind.cls]


def _union(kind: kinds.UnionType) -> str:
    words = [_words(one) for one in kind.types if not isinstance(one, kinds.NoneType)]
    return " or ".join(dict.fromkeys([*words, "null"] if len(words) < len(kind.types) else words))


def _number(kind: kinds.IntType | kinds.FloatType) -> str:
    name = "whole number" if isinstance(kind, kinds.IntType) else "number"
    bounds = (("at least", kind.ge), ("more than", kind.gt), ("at most", kind.le), ("less than", kind.lt))
    return ", ".join([name, *(f"{words} {bound:g}" for words, bound in bounds if bound is not None)])
