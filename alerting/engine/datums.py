"""Heights are compared only when they count from one datum: from another one, the same water has another level."""

from collections.abc import Iterable

from alerting.engine.members import Entry
from alerting.site import Site, Threshold


def is_comparable(entry: Entry, threshold: Threshold) -> bool:
    """Whether a gauge and a threshold of it count from one datum, as far as the gauge says."""
    return entry.datum in (None, threshold.datum)


def set_aside(site: Site, entries: Iterable[Entry]) -> tuple[str, ...]:
    """The thresholds of the site that are not judged since their gauges count from another datum, and why."""
    gauges = {(entry.station.id, entry.series.point, entry.series.quantity): entry for entry in entries}
    found = []
    for threshold in site.thresholds:
        entry = gauges.get((threshold.station, threshold.point, threshold.quantity))
        if entry is not None and not is_comparable(entry, threshold):
            found.append(
                f"{threshold.scheme} of {threshold.station}/{threshold.point} counts from {threshold.datum}, "
                f"its gauge from {entry.datum}: not judged"
            )
    return tuple(found)
