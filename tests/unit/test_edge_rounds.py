"""When devices are asked what they say of themselves, and how little of the bus that takes."""

import asyncio

import numpy as np
import pytest

from device_profiles.attribute import Attribute
from edge_agent.attributes import Attributes
from edge_agent.compiled import DevicePlan
from edge_agent.drivers.modbus.frames import ExceptionAnswerError, Refusal
from edge_agent.drivers.modbus.identification import Identification, Identify, encode_answer
from edge_agent.lines.line import LineCounters, NoAnswerError
from edge_agent.plan import Limits, serial_cost
from edge_agent.rounds import Rounds
from telemetry.clock import HOUR_NS, SECOND_NS

COST = serial_cost(9600)
TIMEOUT_S = 0.5
DAY_NS = 24 * HOUR_NS
START_NS = 1_700_000_000 * SECOND_NS


class Line:
    """Answers each read with zeros, unless told otherwise, and keeps what it was asked."""

    connected = True

    def __init__(self) -> None:
        self.counters = LineCounters()
        self.asked: list[object] = []
        self.answer = lambda request: bytes(2 * request.count)

    async def connect(self) -> None:
        """Always open."""

    def close(self) -> None:
        """Never."""

    async def transact(self, call) -> bytes:
        self.asked.append(call.request)
        return self.answer(call.request)


def device(line: Line, attributes: dict[str, Attribute], name: str = "dev1") -> Attributes:
    plan = DevicePlan(
        name=name,
        address="unit 1",
        series=(),
        ids=np.zeros(0, np.int64),
        screenings=(),
        period_ns=SECOND_NS,
        phase_ns=0,
        unit=1,
        columns=(),
        gates=(),
        limits=Limits(125),
        attributes=tuple(attributes.items()),
    )
    return Attributes(plan, COST, line, TIMEOUT_S)


def far_apart(n: int) -> dict[str, Attribute]:
    """So far that no two are worth one request."""
    return {f"a{at}": Attribute(register=f"holding {at * 1000} u16") for at in range(n)}


async def polls(rounds: Rounds, n: int, period_ns: int, names=("dev1",), start_ns: int = START_NS) -> int:
    """So many polls with what follows each; the moment after the last."""
    for at in range(n):
        now_ns = start_ns + at * period_ns
        for name in names:
            rounds.polled(name, now_ns, 1, answered=True)
        await rounds.step(now_ns)
    return start_ns + n * period_ns


@pytest.mark.parametrize("silent", [False, True])
async def test_all_together_they_take_one_part_in_twenty_of_the_bus(silent):
    """P1, P3: thirty-two devices with five requests each, polled ten times a second."""
    line = Line()
    if silent:

        def nobody(request):
            raise NoAnswerError("no answer")

        line.answer = nobody
    names = [f"dev{at}" for at in range(32)]
    rounds = Rounds({name: device(line, far_apart(5), name) for name in names})
    seconds = 60
    await polls(rounds, seconds * 10, SECOND_NS // 10, names)
    took_s = len(line.asked) * (COST.request_s + 2 * COST.byte_s + (TIMEOUT_S if silent else 0))
    assert 1 <= took_s * 20 <= seconds + 20 * (took_s / len(line.asked))
    assert len(line.asked) > 1


async def test_one_request_follows_one_moment_and_never_a_dead_device():
    line = Line()
    rounds = Rounds({"dev1": device(line, far_apart(3))})
    await rounds.step(START_NS)
    rounds.polled("dev1", START_NS, 1, answered=False)
    await rounds.step(START_NS)
    assert line.asked == []
    rounds.polled("dev1", START_NS, 1, answered=True)
    await rounds.step(START_NS)
    assert len(line.asked) == 1
    rounds.polled("dev1", START_NS + HOUR_NS, 1, answered=False)
    await rounds.step(START_NS + HOUR_NS)
    assert len(line.asked) == 1, "a device that has fallen silent is left alone"


async def test_once_a_day_and_whenever_it_comes_back_or_its_line_was_opened():
    line = Line()
    one = device(line, far_apart(1))
    rounds = Rounds({"dev1": one})
    now_ns = await polls(rounds, 30, SECOND_NS)
    assert (len(line.asked), one.found) == (1, {"a0": "0"})
    await polls(rounds, 3, SECOND_NS, start_ns=START_NS + DAY_NS)
    assert len(line.asked) == 2, "a day is over"
    now_ns = START_NS + DAY_NS + HOUR_NS
    rounds.polled("dev1", now_ns, 1, answered=False)
    await polls(rounds, 3, SECOND_NS, start_ns=now_ns + SECOND_NS)
    assert len(line.asked) == 3, "it was away"
    now_ns += 2 * HOUR_NS
    rounds.polled("dev1", now_ns, 2, answered=True)
    await rounds.step(now_ns)
    assert len(line.asked) == 4, "another connection"
    for connects in range(3, 30):
        now_ns += 60 * SECOND_NS
        rounds.polled("dev1", now_ns, connects, answered=True)
        await rounds.step(now_ns)
    assert len(line.asked) == 4, "a connection for each poll"
    await polls(rounds, 1, SECOND_NS, start_ns=START_NS - HOUR_NS)
    assert len(line.asked) == 5, "the clock was set back"


async def test_a_busy_device_is_asked_again_and_a_refused_block_in_halves():
    line = Line()
    near = {f"a{at}": Attribute(register=f"holding {at} u16") for at in range(4)}
    one = device(line, near)
    busy = [True]

    def moody(request):
        if busy and busy.pop():
            raise ExceptionAnswerError(Refusal.BUSY)
        if request.address <= 2 < request.address + request.count:
            raise ExceptionAnswerError(Refusal.ADDRESS)
        return bytes(2 * request.count)

    line.answer = moody
    await one.read()
    assert one.found == {"a0": "0", "a1": "0", "a3": "0"}
    assert one.problems == {"a2": "device answered exception 2 (address)"}
    asked = [(request.address, request.count) for request in line.asked]
    assert asked == [(0, 4), (0, 4), (0, 2), (2, 2), (2, 1), (3, 1)]


async def test_an_identification_in_pieces_is_put_together_and_one_without_end_ends():
    line = Line()
    one = device(line, {"vendor": Attribute(identification=0), "model": Attribute(identification=5)})

    def pages(request: Identify) -> bytes:
        objects = {0: b"Acme"} if request.object == 0 else {5: b"M-5"}
        return encode_answer(request, Identification(objects, 5 if request.object == 0 else None))

    line.answer = pages
    await one.read()
    assert one.found == {"vendor": "Acme", "model": "M-5"}
    assert [(request.category, request.object) for request in line.asked] == [(2, 0), (2, 5)]
    line.asked.clear()
    line.answer = lambda request: encode_answer(request, Identification({}, request.object + 1))
    async with asyncio.timeout(5):
        await one.read()
    assert (len(line.asked), one.found) == (8, {})
