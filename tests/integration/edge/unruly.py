"""A serial line that does to every answer what lines do: keeps it back, cuts it, merges it, garbles it, loses it.

Each answer carries what it answers: the value of a point is the place it stands at and the number of the request. So
whatever is not the answer to the very request that was asked is recognised, be it only one poll old.

What nobody can tell apart on a line without transaction numbers is left out, and the reason is time or arithmetic:

- an answer that comes later than twice the timeout, when the same question is under way again;
- a second copy of an answer after the silence that ends a frame;
- damage that leaves the CRC right, by chance (one in 65,536) or repaired. So bits are flipped where a CRC-16 is sure to
  find it: up to three of them, or a burst within sixteen (MODBUS over Serial Line V1.02, 6.2.2: its polynomial has
  distance four at these lengths).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from edge_agent.drivers.modbus import frames
from edge_agent.lines.trace import Way

UNITS = (1, 2)
POINTS = (("a", "holding 0 u32"), ("b", "holding 9 u32"), ("c", "input 0 u32"))
"""Three requests of one length, two of them of one shape."""
PLACES = {(frames.READ_HOLDING, 0): 0, (frames.READ_HOLDING, 9): 1, (frames.READ_INPUT, 0): 2}
KINDS = {
    "right": 70, "slow": 3, "late": 2, "split": 4, "rest late": 1, "cut": 1, "dropped": 2, "flipped": 4, "burst": 4,
    "doubled": 2, "merged": 2, "stale": 1, "noise before": 2, "noise behind": 2, "babble": 2, "neighbour": 2,
    "refused": 1, "silent": 1, "request dropped": 1, "request flipped": 1,
}  # fmt: skip
"""What happens to an answer, and how often, in parts."""
LATEST = 1.7
"""Of the timeout: what would leave the proxy later is lost."""
Parts = list[tuple[float, bytes]]


class Unruly:
    """Two devices and the line to them. ``send`` puts bytes on the line; ``told`` is what they answered last."""

    def __init__(self, rng: np.random.Generator, timeout_s: float) -> None:
        self.rng, self.timeout_s = rng, timeout_s
        self.send: Callable[[bytes], object]
        self.told: dict[tuple[int, int], int] = {}
        self.done: Counter[str] = Counter()
        self._number = 0
        self._asked_at = 0.0
        self._before = b""
        self._kinds, parts = list(KINDS), np.array(list(KINDS.values()))
        self._shares = parts / parts.sum()

    def trace(self, way: Way, _: bytes) -> None:
        """When the gateway asked; measured there, since the proxy may be late to see it."""
        if way is Way.OUT:
            self._asked_at = time.monotonic()

    def heard(self, request: bytes) -> None:
        """A request arrives at the proxy."""
        kind = str(self.rng.choice(self._kinds, p=self._shares))
        self.done[kind] += 1
        if kind.startswith("request"):
            request = self._dropped(request) if kind.endswith("dropped") else self._flipped(request)
        try:
            unit, pdu = frames.unwrap_rtu(request)
            good = self._answer(frames.decode_request(unit, pdu), kind)
        except ValueError:
            return  # so does a device
        for after_s, data in self._parts(kind, good):
            self._later(after_s, data)
        self._before = good

    def _answer(self, call: frames.Request, kind: str) -> bytes:
        if kind == "refused":
            return frames.wrap_rtu(call.unit, frames.encode_exception(call.function, frames.Refusal.BUSY))
        self._number += 1
        place = PLACES[call.function, call.address]
        value = self.told[call.unit, place] = (16 * call.unit + place) << 24 | self._number & 0xFFFFFF
        return frames.wrap_rtu(call.unit, frames.encode_answer(call, value.to_bytes(4, "big")))

    def _later(self, after_s: float, data: bytes) -> None:
        loop, asked_at = asyncio.get_running_loop(), self._asked_at
        if after_s == 0:
            self.send(data)
        else:
            loop.call_later(max(0.0, asked_at + after_s - time.monotonic()), self._send_in_time, data, asked_at)

    def _send_in_time(self, data: bytes, asked_at: float) -> None:
        if time.monotonic() < asked_at + LATEST * self.timeout_s:
            self.send(data)

    def _parts(self, kind: str, good: bytes) -> Parts:
        """What reaches the gateway of an answer, each after so many seconds from the request."""
        timeout_s, cut = self.timeout_s, int(self.rng.integers(1, len(good)))
        in_time_s, late_s = self.rng.uniform(0.02, 0.8) * timeout_s, self.rng.uniform(1.05, 1.6) * timeout_s
        noise = self.rng.bytes(int(self.rng.integers(1, 40)))
        parts: dict[str, Parts] = {
            "slow": [(in_time_s, good)],
            "late": [(late_s, good)],
            "split": [(0, good[:cut]), (in_time_s, good[cut:])],
            "rest late": [(0, good[:cut]), (late_s, good[cut:])],
            "cut": [(0, good[:cut])],
            "dropped": [(0, self._dropped(good))],
            "flipped": [(0, self._flipped(good))],
            "burst": [(0, self._burst(good))],
            "doubled": [(0, good + good)],
            "merged": [(0, self._before + good)],
            "stale": [(0, self._before if _shape(self._before) != _shape(good) else b"")],
            "noise before": [(0, noise + good)],
            "noise behind": [(0, good + noise)],
            "babble": [(0, good), (in_time_s, noise)],
            "neighbour": [(0, frames.wrap_rtu(3 - good[0], good[1:-2]))],
            "silent": [],
        }
        return parts.get(kind, [(0, good)])

    def _dropped(self, data: bytes) -> bytes:
        gone = self.rng.choice(len(data), int(self.rng.integers(1, 4)), replace=False)
        return bytes(np.delete(np.frombuffer(data, np.uint8), gone))

    def _flipped(self, data: bytes) -> bytes:
        bits = self.rng.choice(8 * len(data), int(self.rng.integers(1, 4)), replace=False)
        return _xor(data, sum(1 << int(bit) for bit in bits))

    def _burst(self, data: bytes) -> bytes:
        return _xor(data, int(self.rng.integers(1, 1 << 16)) << int(self.rng.integers(8 * len(data) - 15)))


def _xor(data: bytes, mask: int) -> bytes:
    return (int.from_bytes(data, "little") ^ mask).to_bytes(len(data), "little")


def _shape(frame: bytes) -> bytes:
    """What of an answer says which request it belongs to."""
    return frame[:2]
