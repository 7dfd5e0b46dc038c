"""Where a setting stands, so that a mistake can be said with its file and line."""

from dataclasses import dataclass
from typing import Any

from telemetry.settings import Document, Step

Where = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A bus or device in a document; ``bus`` is the number of the bus among all."""

    document: Document[Any]
    site: str
    where: Where
    bus: int

    def at(self, *steps: Step) -> "Place":
        """A place further down."""
        return Place(self.document, self.site, (*self.where, *steps), self.bus)

    def error(self, problem: str, *steps: Step) -> ValueError:
        """A mistake here, or further down."""
        return self.document.error((*self.where, *steps), problem)
