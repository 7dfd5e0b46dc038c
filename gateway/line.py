"""A metered line: what it has carried this day and this month, and what a quota lets through.

Bytes are counted where they are paid for: at the socket, in both directions, with the headers of TCP and IP, the
handshakes of TLS, and what TCP had to send twice. The calendar is the machine's.
"""

import socket
import struct
from datetime import UTC, datetime
from typing import Final

import msgspec

from gateway.timekeeping import EARLIEST_NS, LATEST_NS
from telemetry.clock import SECOND_NS, Clock
from telemetry.health import LineUse

SPARING_S: Final = 300.0
"""Once a quota is used up: seconds between two live batches, and between two statuses."""
_MONTH: Final = len("2026-11")
_INFO_BYTES: Final = 256
_RECEIVED: Final = struct.Struct("<QII")
_RECEIVED_AT: Final = 128
_SENT: Final = struct.Struct("<Q")
_SENT_AT: Final = 200
"""``bytes_received``, ``segs_out``, ``segs_in`` and ``bytes_sent`` of ``struct tcp_info`` (linux/tcp.h, 4.19)."""
_HEADERS: Final = 20 + 20 + 12
"""IPv4, TCP and its time stamps, of every segment."""


class QuotaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A metered line (a SIM card). When the month's bytes are used up, alarms still go at once, a live batch every five
    minutes, and the rest waits in the spool for the next month.
    """

    month_bytes: int
    """Bytes a calendar month, both directions, with everything that the line carries beside the rows."""
    warn_share: float = 0.8
    """The part of them after which it is said, more than 0 and at most 1."""


def carried(line: socket.socket) -> int | None:
    """Bytes that a connection has cost so far, both directions; None where the kernel does not count them."""
    info = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    if len(info) < _SENT_AT + _SENT.size:
        return None
    received, segments_out, segments_in = _RECEIVED.unpack_from(info, _RECEIVED_AT)
    (sent,) = _SENT.unpack_from(info, _SENT_AT)
    return int(received + sent + _HEADERS * (segments_out + segments_in))


class LineMeter:
    """Counts what the line carries; it goes on from where the last run said that it was (``before``)."""

    def __init__(self, clock: Clock, quota: QuotaSettings | None, before: LineUse | None) -> None:
        self._clock = clock
        self.quota = quota
        before = before or LineUse()
        self._day, self._day_bytes, self._month_bytes = before.day, before.day_bytes, before.month_bytes

    def count(self, n_bytes: int) -> None:
        """Add bytes to the present day and month."""
        self._turn()
        self._day_bytes += n_bytes
        self._month_bytes += n_bytes

    @property
    def used_up(self) -> bool:
        """Whether the month's quota is gone."""
        self._turn()
        return self.quota is not None and self._month_bytes >= self.quota.month_bytes

    def use(self) -> LineUse:
        """What was carried, for the status."""
        sparing = self.used_up
        return LineUse(
            day=self._day,
            day_bytes=self._day_bytes,
            month_bytes=self._month_bytes,
            quota_bytes=None if self.quota is None else self.quota.month_bytes,
            sparing=sparing,
        )

    def note(self) -> str | None:
        """What people should know of the quota; None while there is enough of it."""
        if self.quota is None or self._month_bytes < self.quota.warn_share * self.quota.month_bytes:
            return None
        used = f"{self._month_bytes / 1e6:.1f} of {self.quota.month_bytes / 1e6:.1f} MB of this month's quota are used"
        if not self.used_up:
            return used
        return f"{used}: alarms go at once, live rows every {SPARING_S / 60:.0f} minutes, the rest waits in the spool"

    def _turn(self) -> None:
        """Begin a new day, and a new month; a clock that was never set turns no page."""
        now_ns = self._clock.now_ns()
        if not EARLIEST_NS <= now_ns < LATEST_NS and self._day:
            return
        today = datetime.fromtimestamp(now_ns // SECOND_NS, UTC).astimezone().date().isoformat()
        if today == self._day:
            return
        if today[:_MONTH] != self._day[:_MONTH]:
            self._month_bytes = 0
        self._day, self._day_bytes = today, 0
