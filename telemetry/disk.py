"""Places on a disk that are looked at before anything is made in them."""

import os
import shutil
from pathlib import Path


def standing(folder: Path) -> Path:
    """The folder itself, or what there is of the way to it as far as we may look."""
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110  # Path.exists raises PermissionError
        folder = folder.parent
    return folder


def unwritable(folder: Path) -> str | None:
    """One line on why nothing can be made in a folder, itself made if need be; None where it can."""
    place = standing(folder)
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return None
    return f"{folder}: {place} can't be written, expected a directory of ours"


def sync_folder(folder: Path) -> None:
    """See the names in a folder on the disk; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """What is free on the disk that a folder is, or would be, on; for a process without privileges."""
    return shutil.disk_usage(standing(folder)).free
