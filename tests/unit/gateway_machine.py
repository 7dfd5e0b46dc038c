"""A machine for tests, whose clock is set by hand."""

from gateway.timekeeping import EARLIEST_NS
from telemetry.clock import HOUR_NS

NOW_NS = EARLIEST_NS + 100 * HOUR_NS


class HandMachine:
    """A machine whose clock is set by hand."""

    def __init__(self, wall_ns=NOW_NS, *, synchronised=True, boot_ns=HOUR_NS, boot_id="boot-1"):
        self.boot_id = boot_id
        self.boot, self.offset = boot_ns, wall_ns - boot_ns
        self.is_synchronised = synchronised

    def wall_ns(self):
        return self.boot + self.offset

    def boot_ns(self):
        return self.boot

    def synchronised(self):
        return self.is_synchronised

    def pass_(self, time_ns):
        self.boot += time_ns

    def set(self, wall_ns, *, synchronised=True):
        self.offset, self.is_synchronised = wall_ns - self.boot, synchronised
