"""In which order the batches of a gateway come: nothing depends on it, and what it says of a gateway is counted."""

from typing import Final

from telemetry.batch import Batch

_MOST_EPOCHS: Final = 16


class Sequence:
    """Counts since start. An epoch is random at each start of a gateway, so the one heard of last is the newest.

    Batches of an older one are what the run before left in the spool. A gateway that was set back to an earlier state
    shows itself in the same way: it goes on with an epoch that it had left.
    """

    def __init__(self) -> None:
        self.old_epochs = 0
        self.disordered = 0
        self._last: dict[str, dict[int, int]] = {}
        """By gateway the greatest number of each epoch, the newest epoch last."""

    def note(self, batch: Batch) -> None:
        """A batch came that is not committed yet."""
        last = self._last.setdefault(batch.source, {})
        before = last.get(batch.epoch)
        if before is None:
            while len(last) >= _MOST_EPOCHS:
                del last[next(iter(last))]
        else:
            self.old_epochs += batch.epoch != next(reversed(last))
            self.disordered += batch.seq < before
        last[batch.epoch] = max(batch.seq, before or 0)
