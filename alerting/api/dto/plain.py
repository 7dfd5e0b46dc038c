"""What all of it is made of: texts in two languages, levels, qualities."""

from dataclasses import dataclass
from typing import Literal

Level = Literal[0, 1, 2, 3, 4]
"""0 normal, 1 blue, 2 yellow, 3 orange, 4 red."""
QualityName = Literal["UNCHECKED", "GOOD", "SUSPECT", "BAD", "MISSING"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text for people."""

    zh: str
    en: str
