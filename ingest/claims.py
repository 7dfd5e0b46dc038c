"""Claims: a gateway announces series that another one announced before; which of the two gives way, and who waits.

A box that was replaced gives way as soon as the broker says that it is offline (its will), or when nothing at all was
heard of it for a quarter of an hour and three periods of the series. One that was heard since the claim lives, and the
newcomer is refused. In between nobody knows: the newcomer is neither acknowledged nor refused, and keeps its rows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from ingest.presence import PresenceBook
from telemetry.series import Series
from telemetry.wire import Announce, Presence

SILENT_S: Final = 900.0
SILENT_PERIODS: Final = 3


IsGone = Callable[[str, float], bool]
"""Whether the owner of a series with a period in seconds gives way."""


def nobody(_owner: str, _period_s: float) -> bool:
    """Every owner stays."""
    return False


class Owned(Protocol):
    """A series and the gateway that it belongs to."""

    @property
    def source(self) -> str:
        """The gateway."""

    @property
    def series(self) -> Series:
        """The series."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """An announcement that met owners, each with the longest period of what it owns; ``since_s``: when it first did."""

    announce: Announce
    since_s: float
    owners: dict[str, float]


class Claims:
    """All claims that are not settled; ``now_s`` is real time. Used by the thread that commits."""

    def __init__(self, presence: PresenceBook, now_s: Callable[[], float]) -> None:
        self._presence = presence
        self._now_s = now_s
        self._begun_s = now_s()
        self._open: dict[str, _Claim] = {}

    def judge(self, source: str) -> IsGone:
        """Who gives way to a gateway; nobody while it is offline itself: brokers keep what the dead announced."""
        return nobody if self._is_offline(source) else self._is_gone

    def _is_offline(self, source: str) -> bool:
        status = self._presence.of(source).status
        return status is not None and status.presence is Presence.OFFLINE

    def _is_gone(self, owner: str, period_s: float) -> bool:
        if self._is_offline(owner):
            return True
        heard = self._presence.of(owner)
        since_s = self._begun_s if heard.heard_s is None else heard.heard_s
        return self._now_s() - since_s > max(SILENT_S, SILENT_PERIODS * period_s)

    def put(self, source: str, announce: Announce, contested: Iterable[Owned]) -> None:
        """Note what an announcement did not get because others own it; nothing: the claim is settled."""
        owners: dict[str, float] = {}
        for owned in contested:
            owners[owned.source] = max(owned.series.period_s, owners.get(owned.source, 0.0))
        before = self._open.pop(source, None)
        if owners:
            self._open[source] = _Claim(announce, self._now_s() if before is None else before.since_s, owners)

    def ripe(self) -> list[tuple[str, Announce]]:
        """The announcements that would get more now, since an owner is gone meanwhile."""
        return [
            (source, claim.announce)
            for source, claim in self._open.items()
            if any(self.judge(source)(owner, period_s) for owner, period_s in claim.owners.items())
        ]

    def is_undecided(self, source: str) -> bool:
        """Whether a gateway claims series of one that was not heard since: dead or not, nobody knows."""
        claim = self._open.get(source)
        return claim is not None and any(
            (self._presence.of(owner).heard_s or self._begun_s) <= claim.since_s for owner in claim.owners
        )
