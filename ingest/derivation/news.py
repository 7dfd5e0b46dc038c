"""What of computed rows the store does not know already."""

import numpy as np

from ingest.derivation.sources import Reader
from ingest.derived.rows import Rows
from telemetry.quality import Quality
from telemetry.span import MILLISECOND_NS


def news(store: Reader, rows: Rows) -> Rows:
    """The rows that differ from what stands at their series and time, or stand nowhere.

    A row that quality control has doubted since (a cause beside it) is the same when its value is.
    """
    if not len(rows):
        return rows
    ids = np.unique(rows.series)
    known = store.samples(ids, int(rows.time_ns.min()), int(rows.time_ns.max()) + MILLISECOND_NS)
    if not len(known):
        return rows
    begin = int(rows.time_ns.min())
    width = (int(rows.time_ns.max()) - begin) // MILLISECOND_NS + 1
    stored = np.searchsorted(ids, known.series) * width + (known.time_ns - begin) // MILLISECOND_NS
    asked = np.searchsorted(ids, rows.series) * width + (rows.time_ns - begin) // MILLISECOND_NS
    at = np.minimum(np.searchsorted(stored, asked), len(stored) - 1)
    there = stored[at] == asked
    value, quality = known.value[at], known.quality[at]
    alike = (value == rows.value) | (np.isnan(value) & np.isnan(rows.value))
    judged = (quality == rows.quality) | ((known.cause[at] != 0) & (quality <= Quality.SUSPECT))
    return rows.take(~(there & alike & judged))
