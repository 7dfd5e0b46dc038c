"""All profiles that the product knows: a cached scan of ``catalog``; a path loads one of somebody's own."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, cast

from device_profiles import check, field_check
from device_profiles.field_model import FieldProfile
from device_profiles.model import Profile
from telemetry import settings
from telemetry.settings import Document, SettingsError

_SUFFIX: Final = ".yaml"


@cache
def _catalog() -> dict[str, Path]:
    """Where each profile of the package stands; raises SettingsError for one that two files claim."""
    folder = Path(str(files("device_profiles") / "catalog"))
    return _index(sorted(folder.glob(f"*{_SUFFIX}")))


def _index(paths: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        name = read(path).name
        if name in found:
            raise SettingsError(f"{path}: name: {name!r} is taken by {found[name]}, expected a name of its own")
        found[name] = path
    return found


def names() -> tuple[str, ...]:
    """The names of the profiles in the package, sorted."""
    return tuple(sorted(_catalog()))


def load(name: str, base: Path | None = None) -> Profile | FieldProfile:
    """A profile by its name, or by the path of a file (relative to ``base``); raises SettingsError."""
    if name.endswith(_SUFFIX):
        return read(Path(name) if base is None else base / name)
    if name not in _catalog():
        raise SettingsError(f"unknown profile {name!r}, expected one of {', '.join(names())} or a {_SUFFIX} file")
    return read(_catalog()[name])


@cache
def read(path: Path) -> Profile | FieldProfile:
    """A profile from its file, checked; its ``protocol`` decides what it may hold. Raises SettingsError."""
    document = settings.load_as(path, _kind)
    if isinstance(document.settings, FieldProfile):
        return field_check.check(cast("Document[FieldProfile]", document))
    return check.check(cast("Document[Profile]", document))


def mistakes(path: Path) -> list[SettingsError]:
    """All mistakes of a profile's file; what has wrong keys or types is not looked at further."""
    try:
        if found := settings.mistakes(path, _kind):
            return found
        document = settings.load_as(path, _kind)
    except SettingsError as exc:
        return [exc]
    if isinstance(document.settings, FieldProfile):
        return field_check.mistakes(cast("Document[FieldProfile]", document))
    return check.mistakes(cast("Document[Profile]", document))


def placed(path: Path) -> Document[Any]:
    """A profile with the lines of what it says; its types are right and nothing more. Raises SettingsError."""
    return settings.load_as(path, _kind)


def modbus(name: str, base: Path | None = None) -> Profile:
    """The profile of a Modbus device, as ``load`` finds it; raises SettingsError for a device of another protocol."""
    profile = load(name, base)
    if isinstance(profile, FieldProfile):
        raise SettingsError(f"{name} speaks {profile.protocol}, expected a device that speaks Modbus")
    return profile


def _kind(tree: settings.Tree) -> type[Profile] | type[FieldProfile]:
    """Which struct a file is: that of registers, unless it names another protocol."""
    other = isinstance(tree, dict) and tree.get("protocol", "modbus") != "modbus"
    return FieldProfile if other else Profile
