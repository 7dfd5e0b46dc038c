"""What a gateway makes of deployments: a row counts from the zero of its own time, a counter from its baseline.

Decoding adds the zero that stands now. A logger that reports what it measured before the gauge was moved has measured
from the zero of then: such rows are shifted by the difference. Where a totaliser was replaced, a row says what the new
counter showed when it began (BAD, MANUAL: somebody read it), and the centre measures the next reading from that row.

What a test adds to a counter is no rain either, so the last reading of a test is such a baseline, too. Baselines are
urgent: after an outage live rows go before the backlog, and without their baseline they would be rain.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import structlog

from edge_agent.compiled import AnyBusPlan
from gateway.remote.files import write_whole
from telemetry.batch import F64, I64, MILLISECOND_NS, Batch, concat, rows
from telemetry.deployment import Deployment
from telemetry.quality import Cause, Quality

_LOG: Final = structlog.get_logger()
_NAME: Final = "deployed.json"
_NEVER: Final = np.iinfo(np.int64).max
_SPOOLED_S: Final = 2.0
"""So long after a baseline left here it is in the spool, on the disk."""

_Histories = Mapping[int, tuple[str, tuple[Deployment, ...]]]
"""By series: its key in the deployments of its device, and these, oldest first."""


class Placed(NamedTuple):
    """A batch, and whether it must go first since it holds baselines."""

    batch: Batch
    urgent: bool


class Deployed:
    """The deployments of the devices of one gateway; ``folder`` keeps which baselines were said."""

    def __init__(self, buses: Sequence[AnyBusPlan], folder: Path) -> None:
        self._path = folder / _NAME
        self._said = _read(self._path)
        self._unkept_s: float | None = None
        self.change(buses)

    def change(self, buses: Sequence[AnyBusPlan]) -> None:
        """These deployments count from now on."""
        self._serials = {
            device.name: [(one.since_ns, one.serial) for one in device.deployments]
            for bus in buses
            for device in bus.devices
            if device.deployments
        }
        histories = dict(_histories(buses))
        self._zeros = _Zeros(histories)
        self._begun = {
            series: (history[-1].since_ns, history[-1].baselines[key])
            for series, (key, history) in histories.items()
            if key in history[-1].baselines and history[-1].since_ns > self._said.get(str(series), 0)
        }
        self._awaited: I64 = np.array(list(self._begun), np.int64)
        self._counters: I64 = np.array(list(_counters(buses)), np.int64)

    def serials(self, now_ns: int) -> dict[str, str]:
        """The serial numbers that stand now, by device; only of those that have one."""
        found = {}
        for device, history in self._serials.items():
            begun = [serial for since_ns, serial in history if since_ns <= now_ns]
            if begun and begun[-1]:
                found[device] = begun[-1]
        return found

    def place(self, batch: Batch) -> Placed:
        """The batch with each row counted from the zero of its time, behind the baselines that it is first to need."""
        if self._unkept_s is not None and time.monotonic() - self._unkept_s > _SPOOLED_S:
            self._keep()
        placed = self._zeros.place(batch)
        self._note_tests(placed)
        due = list(self._due(placed)) if self._begun else []
        return Placed(self._behind_baselines(placed, due), bool(due))

    def _note_tests(self, batch: Batch) -> None:
        """Each reading of a counter under test is its baseline, until the next one."""
        tested = (batch.quality == Quality.BAD) & (batch.cause & Cause.MANUAL != 0)
        if not tested.any():
            return
        at = np.flatnonzero(tested & np.isin(batch.series, self._counters))
        for series, time_ns, value in zip(
            batch.series[at].tolist(), batch.time_ns[at].tolist(), batch.value[at].tolist(), strict=True
        ):
            self._begun[series] = (time_ns, value)
        self._awaited = np.array(list(self._begun), np.int64)

    def _behind_baselines(self, batch: Batch, due: Sequence[tuple[int, int]]) -> Batch:
        if not due:
            return batch
        begun = [(series, first_ns, *self._begun.pop(series)) for series, first_ns in due]
        self._awaited = np.array(list(self._begun), np.int64)
        for series, _, since_ns, baseline in begun:
            self._said[str(series)] = since_ns
            _LOG.info("counter begins", series=str(series), baseline=baseline)
        self._unkept_s = time.monotonic()
        return concat([_by_hand(batch.source, [(one[0], one[1], one[3]) for one in begun]), batch])

    def _due(self, batch: Batch) -> Iterator[tuple[int, int]]:
        """The series whose counters are read for the first time since their baselines here, and when."""
        usable = np.isin(batch.series, self._awaited) & (batch.quality <= Quality.SUSPECT)
        for series in dict.fromkeys(batch.series[usable].tolist()):
            times = batch.time_ns[usable & (batch.series == series)]
            since = times[times >= self._begun[series][0]]
            if len(since):
                yield series, int(since.min())

    def _keep(self) -> None:
        """Note what was said, once it can't be lost any more: after a kill in between it is said again."""
        self._unkept_s = None
        try:
            write_whole(self._path, msgspec.json.encode(self._said))
        except OSError as exc:
            _LOG.error("baselines can't be kept", path=str(self._path), reason=exc.strerror)


class _Zeros:
    """Series whose zero was moved: their zeros in the course of time. Tables: a row a series, a column a deployment."""

    def __init__(self, histories: _Histories) -> None:
        heights = {
            series: [one.zeros[key].height for one in history if key in one.zeros]
            for series, (key, history) in histories.items()
        }
        moved = sorted(series for series, zeros in heights.items() if len(set(zeros)) > 1)
        most = max((len(heights[series]) for series in moved), default=0)
        self._ids: I64 = np.array(moved, np.int64)
        self._since_ns: I64 = np.full((len(moved), most), _NEVER, np.int64)
        self._shift: F64 = np.zeros((len(moved), most))
        for row, series in enumerate(moved):
            _, history = histories[series]
            self._since_ns[row, : len(history)] = [one.since_ns for one in history]
            self._shift[row, : len(history)] = np.array(heights[series]) - heights[series][-1]
        self._newest_ns = max((histories[series][1][-1].since_ns for series in moved), default=0)

    def place(self, batch: Batch) -> Batch:
        """The batch with what was measured before the newest deployments counted from the zeros of then."""
        old = batch.time_ns < self._newest_ns
        if not old.any():
            return batch
        at = np.flatnonzero(old & np.isin(batch.series, self._ids))
        if not len(at):
            return batch
        row = np.searchsorted(self._ids, batch.series[at])
        passed = (self._since_ns[row] <= batch.time_ns[at, None]).sum(axis=1)
        value = batch.value.copy()
        value[at] += self._shift[row, np.maximum(passed - 1, 0)]
        return replace(batch, value=value)


def _histories(buses: Sequence[AnyBusPlan]) -> Iterator[tuple[int, tuple[str, tuple[Deployment, ...]]]]:
    for device in (device for bus in buses for device in bus.devices if device.deployments):
        for series, one in zip(device.ids.tolist(), device.series, strict=True):
            yield series, (one.key, device.deployments)


def _counters(buses: Sequence[AnyBusPlan]) -> Iterator[int]:
    for device in (device for bus in buses for device in bus.devices):
        for series, one in zip(device.ids.tolist(), device.series, strict=True):
            if one.modulus is not None:
                yield series


def _by_hand(source: str, begun: Sequence[tuple[int, int, float]]) -> Batch:
    """Series, time of the first reading and baseline as rows: just before that reading, so after all of the old one.

    When a counter is put up nobody looks at the second; the time of the deployment may lie before the old one's last.
    """
    n = len(begun)
    return rows(
        source,
        np.array([series for series, _, _ in begun], np.int64),
        np.array([first_ns for _, first_ns, _ in begun], np.int64) - MILLISECOND_NS,
        np.array([baseline for _, _, baseline in begun]),
        quality=np.full(n, Quality.BAD, np.uint8),
        cause=np.full(n, Cause.MANUAL, np.uint16),
    )


def _read(path: Path) -> dict[str, int]:
    """Which baselines were said; nothing where that can't be read: they are said once more then."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError, RecursionError) as exc:
        _LOG.error("baselines can't be read", path=str(path), reason=str(exc))
        return {}
