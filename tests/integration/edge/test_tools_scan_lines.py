"""``petrel bus scan`` on lines that several SDI-12 sensors or DL/T 645 meters share: every one is found."""

import asyncio
import os
import tty
from contextlib import asynccontextmanager

import pytest

from device_profiles import registry
from edge_agent.drivers.dlt645 import frames as dlt645
from edge_agent.drivers.dlt645.frames import ENVELOPE, Data, Find, Found, Reason, Refused, Seek
from edge_agent.drivers.sdi12 import frames as sdi12
from edge_agent.drivers.sdi12.frames import Identity
from gateway.tools.scan import scan
from gateway.tools.scan_plan import ENDINGS, Scan, empty, not_tried
from gateway.tools.target import Reach
from gateway.tools.tries import Setting, settings
from petrel.commands.line import addresses_of
from simulators.devices import serve
from simulators.field_bus import FieldLine
from simulators.field_twin import FieldUnit
from telemetry.clock import SECOND_NS, SystemClock
from tests.integration.edge.commands import petrel

AT_1200 = Setting(baud=1200, parity="E", data=7)
QUICK = Setting(baud=115200, parity="E")
"""A meter's line is slower; a pseudo-terminal has no rate."""
SOME = tuple("0123BCz")


def nothing(*_: object) -> None:
    """Nobody watches."""


@asynccontextmanager
async def simulated(profile, addresses, tmp_path):
    """Twins of one profile on one line, as ``petrel sim`` runs them."""
    found = registry.load(profile)
    units = tuple(
        FieldUnit(device=f"d{at}", address=one, profile=found, station="s1", points={}, period_ns=SECOND_NS)
        for at, one in enumerate(addresses)
    )
    line = FieldLine(bus="port", way="serial", units=units)
    async with serve([line], lambda *_: 1.0, SystemClock(), tmp_path) as ends:
        yield ends["port"]


class Wire:
    """The far end of a line; ``answers`` gives what comes back on a request, each with its delay in seconds."""

    def __init__(self, answers) -> None:
        self.far, self._near = os.openpty()
        tty.setraw(self._near)
        self.port, self._heard, self._answers, self.requests = os.ttyname(self._near), b"", answers, []
        asyncio.get_running_loop().add_reader(self.far, self._read)

    def _read(self) -> None:
        self._heard += os.read(self.far, 4096)
        answers = self._answers(self._heard)
        if answers is not None:
            self.requests.append(self._heard)
            self._heard = b""
            for delay_s, data in answers:
                asyncio.get_running_loop().call_later(delay_s, self._write, data)

    def _write(self, data: bytes) -> None:
        if self.far >= 0:
            os.write(self.far, data)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.far)
        os.close(self.far)
        os.close(self._near)
        self.far = -1


@pytest.fixture
async def wire():
    made = []

    def put(answers) -> Wire:
        made.append(Wire(answers))
        return made[-1]

    yield put
    for one in made:
        one.close()


async def scanned(port, protocol, setting, *, timeout_s=0.05, **who):
    plan = Scan(
        reach=Reach(serial=str(port), timeout_s=timeout_s), protocol=protocol, settings=(setting,), try_profiles=False,
        **who,
    )  # fmt: skip
    report = empty(plan)
    assert await scan(plan, report, nothing, 60.0)
    return plan, report


async def test_every_sensor_on_a_wire_is_found_and_says_who_it_is(tmp_path):
    """Together they answer ?! with what none of them has said."""
    async with simulated("cs451", ("0", "3", "B", "z"), tmp_path) as port:
        plan, report = await scanned(port, "sdi12", AT_1200, addresses=SOME)
    assert [(one.address, one.said) for one in report.found] == [
        (address, "PETREL TWIN 1, SDI-12 1.4") for address in "03Bz"
    ]
    assert (report.asked, plan.questions) == (8, 8)
    assert report.took_s <= plan.longest_s + 4 * 0.5
    assert (report.garbled, report.unclear) == ([], [])
    assert "addresses 4-9, A, D-Z, a-y; sensors" in " ".join(not_tried(plan, report))


async def test_the_command_finds_them_and_the_profiles_that_fit(tmp_path):
    async with simulated("acclima-tdr", ("1", "5"), tmp_path) as port:
        told = ("--protocol", "sdi12", "--addresses", "1,5-6", "--timeout", 0.1)
        ended = await petrel("bus", "scan", "--serial", port, *told, "--json")
        shown = await petrel("bus", "scan", "--serial", port, *told, "--no-profiles")
    assert (ended.code, ended.err) == (0, "")
    assert [(one["address"], [fit["profile"] for fit in one["fits"]]) for one in ended.json["found"]] == [
        ("1", ["acclima-tdr"]), ("5", ["acclima-tdr"]),
    ]  # fmt: skip
    assert ended.json["tried"] == ["1200 7E1"]
    assert "8 questions, up to" in shown.out.splitlines()[0]
    assert "addresses 0, 2-4, 7-9, A-Z, a-z; " in " ".join(ended.json["not_tried"])


async def test_one_clean_answer_to_anyone_does_not_end_the_scan(wire):
    """The second sensor is slower, or its answer is lost under the other's."""

    def answers(heard):
        if not heard.endswith(b"!"):
            return None
        address, body = sdi12.decode_command(heard)
        if address == "?":
            return [(0, b"2\r\n")]
        if address not in "27":
            return []
        return [
            (
                0,
                sdi12.encode_identity(address, Identity("1.3", "A", "B", "1"))
                if body == "I"
                else f"{address}\r\n".encode(),
            )
        ]

    _, report = await scanned(wire(answers).port, "sdi12", AT_1200, addresses=tuple("0123456789"))
    assert [one.address for one in report.found] == ["2", "7"]


async def test_two_sensors_with_one_address_are_told_by_what_they_say_of_themselves(wire):
    """As they leave the factory: both are 0, and a! sounds like one."""

    def answers(heard):
        if not heard.endswith(b"!"):
            return None
        address, body = sdi12.decode_command(heard)
        return [(0, b"014AAC\x01\x00P\r\n" if body == "I" else b"0\r\n")] if address in "?0" else []

    _, report = await scanned(wire(answers).port, "sdi12", AT_1200, addresses=("0", "1"))
    assert [(one.address, one.said) for one in report.found] == [
        ("0", "acknowledges; garbled when asked who it is: two sensors with this address?")
    ]


async def test_noise_at_one_address_is_said_and_hides_nobody(wire):
    def answers(heard):
        if not heard.endswith(b"!"):
            return None
        address, body = sdi12.decode_command(heard)
        said = {"1": b"\xff\x00\r\n", "2": b"213A       B     1\r\n" if body else b"2\r\n"}
        return [(0, said[address])] if address in said else []

    _, report = await scanned(wire(answers).port, "sdi12", AT_1200, addresses=("1", "2"))
    assert [one.address for one in report.found] == ["2"]
    assert (report.unclear, report.garbled) == (["1"], [])


async def test_a_sensor_that_is_silent_to_its_own_address_is_found_all_the_same(wire):
    def answers(heard):
        return [(0, b"4\r\n")] if heard == b"?!" else [] if heard.endswith(b"!") else None

    _, report = await scanned(wire(answers).port, "sdi12", AT_1200, addresses=("3",))
    assert [one.address for one in report.found] == ["4"]
    assert "silent to its own" in report.found[0].said


async def test_silence_takes_no_longer_than_was_said(wire):
    one = wire(lambda heard: [] if heard.endswith(b"!") else None)
    plan, report = await scanned(one.port, "sdi12", AT_1200, timeout_s=0.02, addresses=SOME)
    assert len(one.requests) == plan.questions == 8
    assert one.requests[:3] == [b"?!", b"0!", b"1!"]
    assert report.took_s <= plan.longest_s + 0.5


def test_all_62_addresses_are_asked_where_none_are_given():
    assert len(addresses_of("0-9,A-Z,a-z")) == len(sdi12.ADDRESSES) == 62
    assert addresses_of("a,0-2,1") == ("0", "1", "2", "a")
    plan = Scan(
        reach=Reach(serial="x", timeout_s=0.5), protocol="sdi12", settings=(AT_1200,), addresses=addresses_of("0-z")
    )
    assert str(plan) == "x: 63 questions, up to 38 s and more for each who answers; only reads"


def test_whatever_is_not_given_is_tried_for_adapters_of_both_kinds():
    reach = Reach(serial="x")
    assert list(map(str, settings(reach, "sdi12", (), ()))) == ["1200 7E1", "9600 8N1"]
    assert list(map(str, settings(reach, "sdi12", (4800,), ("N",)))) == ["4800 8N1"]


def meters(*addresses, refuses=(), at_once=False):
    """DL/T 645 meters that share a line, each slower than the one before, or all at once."""

    def answers(heard):
        size = ENVELOPE.size(heard)
        if size is None or len(heard) < size:
            return None
        match request := dlt645.decode(heard):
            case Find():
                said = [dlt645.encode(Found(one)) for one in addresses]
            case Seek():
                said = [reply(one, request.identifier) for one in addresses if one.endswith(request.ending)]
            case _:
                said = [reply(one, request.identifier) for one in addresses if one == request.address]
        if at_once and len(said) > 1:
            return [(0, bytes(a ^ b for a, b in zip(*said[:2], strict=False)))]
        return [(0.02 * at, data) for at, data in enumerate(said)]

    def reply(address, identifier):
        if address in refuses:
            return dlt645.encode(Refused(address, 0x11, Reason.NO_SUCH_DATA))
        return dlt645.encode(Data(address, identifier, bytes(4)))

    return answers


METERS = ("000000000161", "000000001561", "000000000162", "202011220099")


@pytest.fixture
def endings(monkeypatch):
    """A few of the hundred pairs of digits: each silence takes its time."""
    few = ("00", "01", "15", "61", "62", "99")
    assert set(few) < set(ENDINGS)
    assert len(ENDINGS) == 100
    monkeypatch.setattr("gateway.tools.asker.ENDINGS", few)
    return few


@pytest.mark.usefixtures("endings")
@pytest.mark.parametrize("at_once", [False, True])
async def test_every_meter_on_a_line_is_found_by_its_last_digits(wire, at_once):
    """Also two whose addresses end alike, and one that refuses what it is asked (its refusal has its address)."""
    one = wire(meters(*METERS, refuses=METERS[2:3], at_once=at_once))
    _, report = await scanned(one.port, "dlt645", QUICK, timeout_s=0.1)
    assert sorted(found.address for found in report.found) == sorted(METERS)
    assert report.asked == 1 + 6 + 6, "13h, every ending, and two digits more of those that end with 61"


async def test_a_meter_alone_on_its_line_is_asked_nothing_more(wire):
    one = wire(meters("000000000161"))
    _, report = await scanned(one.port, "dlt645", QUICK)
    assert ([found.address for found in report.found], len(one.requests)) == (["000000000161"], 1)


@pytest.mark.usefixtures("endings")
async def test_simulated_meters_are_found(tmp_path):
    addresses = ("000000000161", "000000000262", "202011220061")
    async with simulated("dlt645-meter", addresses, tmp_path) as port:
        _, report = await scanned(port, "dlt645", QUICK)
    assert sorted(found.address for found in report.found) == sorted(addresses)
