"""Files that a power cut leaves either old or new."""

import os
from pathlib import Path

from telemetry.disk import sync_folder


def write_whole(path: Path, content: bytes) -> None:
    """Put content into the place of a file, on the disk when this returns; raises OSError."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)
