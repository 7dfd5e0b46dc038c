"""What a restart must know: up to when everything is derived, and after which commit rows may have come late.

It is written when nothing is owed or under way. What is older than the truth costs work after a restart, and nothing
else: what is computed again is compared with what is stored, and only differences are written.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from telemetry.disk import sync_folder

_SUFFIX: Final = ".new"


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """``commit`` is the newest whose rows are all accounted for, ``until_ns`` the newest moment that is computed."""

    commit: int = 0
    until_ns: int = 0


def load(path: Path) -> Cursor | None:
    """The cursor of an earlier run; None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Cursor)
    except (OSError, msgspec.DecodeError):
        return None


def save(path: Path, cursor: Cursor) -> None:
    """Replace the cursor; raises OSError, and the one before stays."""
    fresh = path.with_name(path.name + _SUFFIX)
    with fresh.open("wb") as file:
        file.write(msgspec.json.encode(cursor))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)
