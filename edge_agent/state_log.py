"""The log lines about a device that comes and goes."""

from typing import Final

import structlog

from edge_agent.stats import OK
from telemetry.clock import MINUTE_NS

_log = structlog.get_logger(__name__)
EVERY_NS: Final = MINUTE_NS
"""A device is told no more often; its figures count everything."""


class StateLog:
    """Tells whether one device is well: first what it is, then every change that lasts.

    What counts is the state that was told last, so that a change which falls into the minute after a line is told at
    its end, if it is still true: call ``note`` until then. ``state`` is that of a device that was not asked yet.
    """

    def __init__(self, bus: str, device: str, address: int | str, state: str) -> None:
        self._who = {"bus": bus, "device": device, "address": address}
        self._told, self._told_ns = state, 0
        self._begun = False

    def note(self, state: str, now_ns: int) -> None:
        """The state of this moment, ``ok`` or the reason why it is not."""
        if not self._has_changed(state) or (self._begun and 0 <= now_ns - self._told_ns < EVERY_NS):
            return
        was, self._told, self._told_ns, self._begun = self._told, state, now_ns, True
        _log.info("device", **self._who, state=state, was=was)

    def _has_changed(self, state: str) -> bool:
        """One reason after another is no change; any state is, after that of a device that was not asked yet."""
        return (self._told == OK) is not (state == OK) if self._begun else state != self._told
