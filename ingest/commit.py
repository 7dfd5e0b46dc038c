"""Commit: what the pipeline hands on to the engine, one after another, in the order of the store."""

from dataclasses import dataclass

from telemetry.batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Checked batches that became part of the record together.

    ``number`` is the commit's number in the store, the value of the engine's cursor. ``stored`` False means that the
    store refused (disk full): the rows must be evaluated all the same, ``number`` is 0 and the cursor stays. When the
    store takes such rows later, the commit that holds them comes without their batches, so that they are fresh once.
    """

    number: int
    batches: tuple[Batch, ...]
    stored: bool

    def __len__(self) -> int:
        return sum(len(batch) for batch in self.batches)
