"""The verdict: what was said, what was stored, what was told, compared row by row. Each finding is one line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from alerting.alarms import Event, Kind
from alerting.outbox import route
from alerting.state import State
from alerting.state.tables import Progress
from telemetry.clock import SystemClock
from telemetry.series import series_id
from tests.chaos.devices import QUIET, Answer, Device
from tests.chaos.processes import PERIOD_S, SITE, Stack
from tests.chaos.storm import Aftermath

MS = 1_000_000
COUNT, GAS = ("count", "flow_total"), ("gas", "combustible_gas")
ASIDE_S = 2.0
"""A row's time is the middle of its poll, an answer's that of the device: they differ by no more than this."""
HOLD_S, CLEAR_S = 118.0, 180.0
"""A leak is not cleared sooner than after two minutes of hold, and later only by a tick and an outage."""
PARALLEL = 8


@dataclass(frozen=True, slots=True)
class Rows:
    """The samples of one series in the order of their time: ``time_ns``, ``value`` (NaN: MISSING)."""

    time_ns: np.ndarray
    value: np.ndarray


@dataclass(frozen=True, slots=True)
class Record:
    """What is in the store: samples by series, and the committed ranges (source, epoch, first, last)."""

    samples: dict[int, Rows]
    committed: list[tuple[int, int, int, int]]

    def of(self, device: Device, point: tuple[str, str]) -> Rows:
        """The samples of a point of a device."""
        return self.samples[series_id(SITE, device.station, *point)]


def read_record(path: Path) -> Record:
    """Read the file with DuckDB itself."""
    with duckdb.connect(str(path), read_only=True) as file:
        table = file.execute(
            "SELECT series, time_ms, coalesce(value, 'nan'::double) AS value FROM samples ORDER BY series, time_ms"
        ).fetchnumpy()
        committed = file.execute("SELECT source, epoch, first_seq, last_seq FROM committed ORDER BY ALL").fetchall()
    series, first = np.unique(table["series"], return_index=True)
    parts = (np.split(np.ma.getdata(table[name]), first[1:]) for name in ("time_ms", "value"))
    samples = {int(one): Rows(ms * MS, value) for one, ms, value in zip(series, *parts, strict=True)}
    return Record(samples, committed)


def findings(after: Aftermath, events: list[Event]) -> Iterator[str]:
    """Everything that is wrong."""
    record = read_record(after.folder / "store.duckdb")
    yield from (f"{name} ended with exit code {code}, expected 0" for name, code in after.exits.items() if code)
    yield from (f"set aside by the gateway: {path.name}" for path in set_aside(after.folder / "spool"))
    yield from uncommitted(record)
    for device in after.plant.devices:
        count, gas = record.of(device, COUNT), record.of(device, GAS)
        yield from (f"{device.station}: {problem}" for problem in wrong_rows(device, count, gas))
        yield from (f"{device.station}: {problem}" for problem in lost(device, count, after.stack))
        yield from (f"{device.station}: {problem}" for problem in gaps(count, after))
        mine = [event for event in events if event.subject == device.station]
        yield from (f"{device.station}: {problem}" for problem in wrong_alarms(device, gas, mine, after.silent_ns))
    yield from wrong_deliveries(after, events)


def set_aside(spool: Path) -> list[Path]:
    """What the gateway could not read, and what the centre refused."""
    return [*spool.glob("*.corrupt"), *spool.glob("refused/*")]


def uncommitted(record: Record) -> Iterator[str]:
    """Numbers of batches that are missing, or committed twice, in an epoch of a gateway."""
    expected: dict[tuple[int, int], int] = {}
    for source, epoch, first, last in sorted(record.committed):
        if first != expected.get((source, epoch), 1):
            yield f"epoch {epoch}: batches {first} to {last}, expected to go on at {expected.get((source, epoch), 1)}"
        expected[source, epoch] = last + 1


def wrong_rows(device: Device, count: Rows, gas: Rows) -> Iterator[str]:
    """Doubled, invented or altered rows, and rows at a wrong time."""
    for name, rows in (("count", count), ("gas", gas)):
        if twice := int((np.diff(rows.time_ns) == 0).sum()):
            yield f"{twice} moments of {name} are stored twice"
    if not np.array_equal(count.time_ns, gas.time_ns) or not np.array_equal(*map(np.isnan, (count.value, gas.value))):
        yield "its two points have rows of different moments"
        return
    read = ~np.isnan(count.value)
    counters, time_ns = count.value[read].astype(np.int64), count.time_ns[read]
    if (np.diff(counters) <= 0).any():
        yield f"{int((np.diff(counters) <= 0).sum())} readings are stored twice or at the time of another one"
    if len(counters) and not 1 <= counters.min() <= counters.max() <= len(device.answers):
        yield f"counters {counters.min()} to {counters.max()} are stored, {len(device.answers)} were said"
        return
    said = np.array([(answer.at_ns, answer.gas) for answer in device.answers])[counters - 1]
    if not np.array_equal(gas.value[read], said[:, 1] * 0.1):
        yield "gas is stored that was not said with its counter"
    if (np.abs(time_ns - said[:, 0]) > ASIDE_S * 1e9).any():
        yield f"a row's time is {np.abs(time_ns - said[:, 0]).max() / 1e9:.1f} s from its answer's"


def missed(device: Device, count: Rows) -> list[Answer]:
    """The answers that are not stored."""
    stored = set(count.value[~np.isnan(count.value)].astype(np.int64).tolist())
    return [answer for counter, answer in enumerate(device.answers, start=1) if counter not in stored]


def lost(device: Device, count: Rows, stack: Stack) -> Iterator[str]:
    """Answers that are not stored although no kill of the gateway explains it."""
    for answer in missed(device, count):
        if not stack.may_take(answer):
            after = [kill_ns - answer.at_ns for kill_ns in stack.gateway.killed_ns if kill_ns >= answer.at_ns]
            when = f"{min(after) / 1e9:.2f} s before a kill" if after else "after the last kill"
            yield f"a reading is lost that was answered {when} of the gateway"


def gaps(count: Rows, after: Aftermath) -> Iterator[str]:
    """Moments of a life of the gateway that are neither a reading nor MISSING."""
    gateway = after.stack.gateway
    ends = [*gateway.killed_ns, after.silent_ns]
    for start, end in zip(gateway.started_ns, ends, strict=True):
        life = count.time_ns[(count.time_ns >= start) & (count.time_ns < end)]
        due = round((life[-1] - life[0]) / (PERIOD_S * 1e9)) if len(life) else 0
        if len(life) and abs(due - (len(life) - 1)) > 1:
            yield f"{len(life)} rows in a life of the gateway, expected {due + 1}"


def wrong_alarms(device: Device, gas: Rows, events: list[Event], silent_ns: int) -> Iterator[str]:
    """An alarm that is not raised, raised again, or raised or cleared at a wrong time: stored leaks are due for one."""
    due = gas.time_ns[gas.value > 0.1 * QUIET].tolist()
    raised = [event.time_ns for event in events if event.kind is Kind.RAISED]
    cleared = [event.time_ns for event in events if event.kind is Kind.CLEARED]
    if len(raised) != bool(due):
        yield f"{len(raised)} alarms were raised, expected {int(bool(due))}"
    if not set(raised) <= set(due):
        yield "an alarm was raised at a time without a leak"
    if len(raised) + len(cleared) != len(events):
        yield f"events {[str(event.kind) for event in events]}, expected an alarm and its end"
    over_s = (silent_ns - device.leaking[-1].at_ns) / 1e9
    if len(cleared) > len(raised) or (cleared and over_s < HOLD_S) or (raised and not cleared and over_s > CLEAR_S):
        yield f"{len(cleared)} alarms were cleared, {over_s:.0f} s after the leak"


def wrong_deliveries(after: Aftermath, events: list[Event]) -> Iterator[str]:
    """Events that were not delivered, twice under different keys, with different words, or too often."""
    requests = after.receiver.requests
    told: dict[str, dict[str, object]] = {}
    for request in requests:
        body = {name: value for name, value in request.json.items() if name != "attempt"}
        if told.setdefault(request.key, body) != body:
            yield f"delivery {request.key} came again with other words"
    expected = {f"{event.key}.hook" for event in events}
    yield from (f"event {key} was never delivered" for key in sorted(expected - set(told)))
    yield from (f"delivery {key} is of no event" for key in sorted(set(told) - expected))
    if len({event.key for event in events}) != len(events):
        yield "an event is recorded twice"
    if len(requests) - len(told) > PARALLEL * len(after.stack.centre.killed_ns):
        yield f"{len(requests) - len(told)} deliveries came again, expected those under way at a kill at most"


async def read_events(path: Path) -> tuple[list[Event], list[str]]:
    """The log of events, and what is wrong with the state of the centre."""
    state = await State.open(path, route([]), SystemClock())
    try:
        events = [event async for event in state.events()]
        wrong = [] if await state.verify() == len(events) else ["the chain of events does not hold them all"]
        depth = await state.depth()
    finally:
        await state.close()
    if depth != {"hook": {Progress.DELIVERED: len(events)}}:
        wrong.append(f"deliveries {depth}, expected {len(events)} delivered")
    return events, wrong
