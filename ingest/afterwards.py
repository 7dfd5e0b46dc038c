"""Afterwards: what quality control finds about rows of earlier groups becomes batches that write them again.

Of one (series, time) the row of the later commit counts: the same value, with all that is known of it.
"""

import secrets
from collections.abc import Iterable, Iterator

from ingest.catalogue import Catalogue
from ingest.qc.rows import Afterwards
from telemetry.batch import Batch, parts
from telemetry.topics import CHECKS


class Reviser:
    """Names the batches: one epoch for each run, from the operating system, as a drill's seed would give it twice."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._epoch = secrets.randbelow(2**62) + 1
        self._seq = 0

    def batches(self, found: Iterable[Afterwards]) -> Iterator[Batch]:
        """Rows as batches of the centre's own, in order."""
        for rows in found:
            batch = Batch(
                source=f"{self._catalogue.site}/{CHECKS}",
                epoch=self._epoch,
                seq=0,
                series=self._catalogue.identities(rows.places),
                time_ns=rows.time_ns,
                value=rows.value,
                quality=rows.quality,
                cause=rows.cause,
            )
            for part in parts(batch):
                self._seq += 1
                yield part.numbered(self._epoch, self._seq)
