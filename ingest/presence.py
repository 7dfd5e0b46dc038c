"""Presence: what each gateway said of itself last, and when it was last heard."""

from dataclasses import dataclass, replace

from telemetry.wire import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One gateway. ``heard_s`` is real monotonic time of any message, ``heard_ns`` data time of the same moment.

    ``status`` is the newest one, None before the first; a retained one of long ago counts as heard now only by its
    ``time_ns``, which is the gateway's own.
    """

    source: str
    heard_s: float | None = None
    heard_ns: int | None = None
    status: Status | None = None
    malformed: int = 0
    complaint: str = ""
    """The last thing that was wrong with its messages or announcement; empty when nothing was."""
    refused: str = ""
    """Why its announcement, or a part of it, does not count; empty when all of it does."""


class PresenceBook:
    """All gateways that were ever heard in this process, at most ``most``; changed in the event loop only."""

    def __init__(self, most: int = 10_000) -> None:
        self.revision = 0
        self._most = most
        self._heard: dict[str, Heard] = {}

    def heard(self, source: str, now_s: float, now_ns: int) -> None:
        """Note that a gateway sent something."""
        self._put(source, heard_s=now_s, heard_ns=now_ns)

    def status(self, source: str, status: Status) -> None:
        """Note what a gateway says of itself; also its will, and what the broker retained."""
        self._put(source, status=status)

    def malformed(self, source: str, reason: str) -> None:
        """Count a message that can't be answered because it does not say which batch it is."""
        self._put(source, malformed=self.of(source).malformed + 1, complaint=reason)

    def complain(self, source: str, reason: str) -> None:
        """Note what is wrong with a gateway's announcement; an empty reason withdraws it."""
        self._put(source, complaint=reason, refused=reason)

    def of(self, source: str) -> Heard:
        """What is known of one gateway; may be asked by any thread."""
        return self._heard.get(source, Heard(source=source))

    def all(self) -> list[Heard]:
        """Every gateway, by name."""
        return [self._heard[source] for source in sorted(self._heard)]

    def _put(self, source: str, **changes: object) -> None:
        if source not in self._heard and len(self._heard) >= self._most:
            return
        self._heard[source] = replace(self.of(source), **changes)  # type: ignore[arg-type] # fields by name
        self.revision += 1
