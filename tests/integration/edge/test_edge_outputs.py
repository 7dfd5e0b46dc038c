"""Outputs of Modbus devices: set once, proved by reading back, never delayed by more than one transaction."""

import asyncio
import re
import time
from dataclasses import replace

import pytest
from pymodbus.client import AsyncModbusTcpClient

from device_profiles.model import register
from edge_agent.drivers.modbus import frames
from edge_agent.outputs import Interlock, OutputPlan, Spot, switch
from telemetry.orders import Outcome

TCP = "buses: [{{name: one, tcp: {{host: 127.0.0.1, port: {port}}}, timeout_s: 0.1, devices: [{device}]}}]"
DEVICE = "{{name: dev{unit}, profile: {profile}, unit: {unit}, station: s{unit}, period_s: {period}}}"


def output(text="coil 2", shows=None, *, bus="one", unit=1, settle_s=0.05, multiple=False, interlocks=(), safe=0.0):
    def spot(where):
        return Spot(bus=bus, unit=unit, register=register(where))

    return OutputPlan(
        spot=spot(text),
        shows=spot(shows or text),
        safe=safe,
        settle_s=settle_s,
        multiple=multiple,
        interlocks=tuple(
            Interlock(spot=spot(where), must_be=must_be, says="the key switch") for where, must_be in interlocks
        ),
    )


@pytest.fixture
def running(plans, profile, polling):
    """Poll one device at a port, seldom."""

    def start(port, period=3600):
        name = profile(("a", "holding 0 u16"))
        return polling(plans(TCP.format(port=port, device=DEVICE.format(unit=1, profile=name, period=period))))

    return start


@pytest.mark.parametrize(
    ("text", "value", "multiple", "function"),
    [
        ("coil 2", 1, False, 5),
        ("coil 3", 0, False, 5),
        ("coil 2", 1, True, 15),
        ("holding 4 u16", 77, False, 6),
        ("holding 4 s16", -3, False, 6),
        ("holding 4 u16", 77, True, 16),
        ("holding 4 f32 cdab", 21.7, False, 16),
        ("holding 4 u32", 70_000, False, 16),
    ],
)
async def test_an_independent_device_is_set_and_says_so(pymodbus_tcp, running, text, value, multiple, function):
    """Functions 5, 6, 15 and 16 against pymodbus, which is asked again by its own client."""
    server, port = await pymodbus_tcp(1)
    seen = []
    server.trace_pdu = lambda sending, pdu: (seen.append(pdu.function_code) if not sending else None, pdu)[1]
    async with running(port) as (acquisition, _):
        effect = await switch(acquisition, output(text, multiple=multiple), value)
    assert effect.outcome is Outcome.DONE, effect.reason
    assert effect.read_back == pytest.approx(value, rel=1e-6)
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    if text.startswith("coil"):
        found = (await client.read_coils(int(text[5:]), count=1, device_id=1)).bits[0]
    else:
        kinds = {"u16": "UINT16", "s16": "INT16", "f32": "FLOAT32", "u32": "UINT32"}
        kind = client.DATATYPE[kinds[text.split()[2]]]
        words = (await client.read_holding_registers(4, count=2, device_id=1)).registers
        order = "little" if "cdab" in text else "big"
        found = client.convert_from_registers(words[: kind.value[1]], kind, word_order=order)
    client.close()
    assert found == pytest.approx(value, rel=1e-6)
    assert function in seen


async def test_an_output_with_an_interlock_works_behind_a_converter_that_hangs_up_after_each_answer(converter, running):
    """Interlock, write and read-back each find the line closed."""
    relay = Relay()
    relay.coils[9] = 1

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(64)
        for _, data in relay(request) if request else ():
            writer.write(data)

    async with running(await converter(serve)) as (acquisition, _):
        effect = await switch(acquisition, output(interlocks=(("coil 9", 1),)), 1)
    assert effect.outcome is Outcome.DONE, effect.reason
    assert relay.writes == 1


class Relay:
    """A relay on a scripted peer: what it does with a write, and with a read, is the test's to say."""

    def __init__(self, *, obeys=True, answers_writes=True, answers_reads=True, refuses=False, after=0):
        self.obeys, self.answers_writes, self.answers_reads = obeys, answers_writes, answers_reads
        self.refuses, self.after = refuses, after
        self.coils = {2: 0, 9: 0}
        self.writes, self.reads = 0, 0

    def __call__(self, request):
        number, unit, pdu = frames.unwrap_tcp(request)
        call = frames.decode_request(unit, pdu)
        if isinstance(call, frames.Write):
            self.writes += 1
            if self.refuses:
                return [(0, frames.wrap_tcp(number, unit, frames.encode_exception(call.function, 4)))]
            if self.obeys:
                self.coils[call.address] = call.values[0]
            return [(0, frames.wrap_tcp(number, unit, pdu[:5]))] if self.answers_writes else []
        if call.function != frames.READ_COILS:
            return [(0, frames.wrap_tcp(number, unit, frames.encode_answer(call, bytes(2 * call.count))))]
        self.reads += 1
        shown = self.coils[call.address] if self.reads > self.after else 0
        answer = frames.encode_answer(call, frames.pack_bits((shown,)))
        return [(0, frames.wrap_tcp(number, unit, answer))] if self.answers_reads else []


@pytest.mark.parametrize(
    ("relay", "outcome", "words", "read_back"),
    [
        (Relay(), Outcome.DONE, "reads back 1", 1),
        (Relay(after=2), Outcome.DONE, "reads back 1", 1),
        (Relay(answers_writes=False), Outcome.DONE, "though the answer to the write was lost", 1),
        (Relay(answers_writes=False, obeys=False), Outcome.FAILED, "lost .* reads back 0, expected 1", 0),
        (Relay(obeys=False), Outcome.FAILED, "confirmed the write, but it reads back 0", 0),
        (Relay(answers_reads=False), Outcome.UNKNOWN, "confirmed the write, and it can't be read back", None),
        (Relay(answers_reads=False, answers_writes=False), Outcome.UNKNOWN, "lost .* can't be read back", None),
        (Relay(refuses=True, obeys=False), Outcome.FAILED, r"refused by the device.*exception 4", None),
    ],
)
async def test_the_read_back_decides_and_nothing_is_written_twice(tcp_peer, running, relay, outcome, words, read_back):
    async with running(await tcp_peer(relay)) as (acquisition, _):
        effect = await switch(acquisition, output(settle_s=0.1), 1)
    assert (effect.outcome, effect.read_back) == (outcome, read_back)
    assert re.search(words, effect.reason), effect.reason
    assert relay.writes == 1


async def test_a_dead_line_is_said_to_have_sent_nothing(tcp_peer, running):
    port = await tcp_peer(Relay())
    async with running(port + 1 if port < 65535 else 1) as (acquisition, _):
        effect = await switch(acquisition, output(), 1)
    assert effect.outcome is Outcome.FAILED
    assert "nothing was sent" in effect.reason


async def test_an_interlock_holds_an_output_at_rest_and_never_keeps_it_from_rest(tcp_peer, running):
    relay = Relay()
    async with running(await tcp_peer(relay)) as (acquisition, _):
        plan = output(interlocks=[("coil 9", 0)])
        relay.coils[9] = 1
        held = await switch(acquisition, plan, 1)
        assert relay.writes == 0
        relay.coils[2] = 1
        rested = await switch(acquisition, plan, 0)
        relay.coils[9] = 0
        free = await switch(acquisition, plan, 1)
        relay.answers_reads, before = False, relay.writes
        blind = await switch(acquisition, plan, 1)
    assert (held.outcome, held.reason) == (Outcome.REFUSED, "interlock the key switch: reads 1, expected 0")
    assert (rested.outcome, free.outcome) == (Outcome.DONE, Outcome.DONE)
    assert blind.outcome is Outcome.REFUSED, "what can't be read holds as well"
    assert relay.writes == before


async def test_a_command_waits_for_one_transaction_of_a_busy_line_at_most(rtu_peer, plans, profile, polling):
    """P4, P23: four units with three requests each fill the line; the write goes between two of them."""
    coils = {2: 0}

    def answer(request):
        unit, pdu = frames.unwrap_rtu(request)
        call = frames.decode_request(unit, pdu)
        if isinstance(call, frames.Write):
            coils[call.address] = call.values[0]
            return [(0.04, request)]
        is_coil = call.function == frames.READ_COILS
        data = frames.pack_bits((coils[call.address],)) if is_coil else bytes(2 * call.count)
        return [(0.04, frames.wrap_rtu(unit, frames.encode_answer(call, data)))]

    peer = rtu_peer(answer)
    name = profile(("a", "holding 0 u16"), ("b", "holding 1000 u16"), ("c", "holding 3000 u16"))
    devices = ", ".join(DEVICE.format(unit=unit, profile=name, period=0.1) for unit in (1, 2, 3, 4))
    (bus,) = plans(f"buses: [{{name: one, serial: {{port: {peer.port}}}, devices: [{devices}]}}]")
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 2)
        for turn in range(6):
            before, asked = len(peer.requests), time.monotonic()
            effect = await switch(acquisition, output(unit=2, settle_s=0), (turn + 1) % 2)
            took_s = time.monotonic() - asked
            assert effect.outcome is Outcome.DONE
            ours = [at for at, (_, request) in enumerate(peer.requests) if at >= before and request[1] in (5, 1)]
            assert ours == [ours[0], ours[0] + 1], "nothing comes between the write and its read-back"
            assert ours[0] - before <= 1, "one transaction was waited for at most"
            assert took_s < 0.4
            await asyncio.sleep(0.03 * turn)
        assert set(acquisition.devices().values()) == {"ok"}


async def test_an_interlock_may_stand_on_another_bus(tcp_peer, profile, plans, polling):
    relay, switch_board = Relay(), Relay()
    name = profile(("a", "holding 0 u16"))
    ports = {"one": await tcp_peer(relay), "two": await tcp_peer(switch_board)}
    text = "buses:\n" + "\n".join(
        f"  - {{name: {bus}, tcp: {{host: 127.0.0.1, port: {port}}}, timeout_s: 0.1, devices: "
        f"[{{name: {bus}, profile: {name}, station: {bus}, period_s: 3600}}]}}"
        for bus, port in ports.items()
    )
    lock = Interlock(spot=Spot(bus="two", unit=1, register=register("coil 9")), must_be=1, says="the door")
    plan = replace(output(), interlocks=(lock,))
    async with polling(plans(text)) as (acquisition, _):
        held = await switch(acquisition, plan, 1)
        switch_board.coils[9] = 1
        free = await switch(acquisition, plan, 1)
        await acquisition.swap(["two"], [])
        blind = await switch(acquisition, plan, 1)
    assert (held.outcome, free.outcome) == (Outcome.REFUSED, Outcome.DONE)
    assert blind.reason == "interlock the door: can't be read (there is no bus two at present)"
    assert relay.writes == 1


class Fixed:
    """Lines as they were a moment ago."""

    def __init__(self, line):
        self._line = line

    def line(self, _):
        return self._line


async def test_a_command_in_the_middle_of_a_change_is_said_to_have_sent_nothing(tcp_peer, running):
    """The bus that goes takes nothing more, so that its line is not opened again behind the back of the next one."""
    relay = Relay()
    async with running(await tcp_peer(relay)) as (acquisition, _), asyncio.TaskGroup() as tasks:
        line = acquisition.line("one")
        async with line.reserved():
            going = tasks.create_task(acquisition.swap(["one"], []))
            await asyncio.sleep(0)
            late = tasks.create_task(switch(Fixed(line), output(), 1))
            await asyncio.sleep(0.02)
            assert not going.done(), "what is under way is waited for"
        said = await late
        gone = await switch(acquisition, output(), 1)
    assert (said.outcome, said.reason) == (Outcome.FAILED, "nothing was sent: the bus was taken away")
    assert gone.reason == "nothing was sent: there is no bus one at present"
    assert not line.connected
    assert relay.writes == 0


async def test_buses_are_swapped_and_the_others_go_on_untouched(pymodbus_tcp, plans, profile, polling):
    """P6: the bus that stays keeps its connection, its figures and its moments."""
    (_, here), (_, there) = await pymodbus_tcp(1), await pymodbus_tcp(1)
    name = profile(("a", "holding 0 u16"))
    text = "buses:\n" + "\n".join(
        f"  - {{name: {bus}, tcp: {{host: 127.0.0.1, port: {port}}}, devices: "
        f"[{{name: {bus}, profile: {name}, station: {bus}, period_s: 0.05}}]}}"
        for bus, port in (("stays", here), ("goes", there))
    )
    both = plans(text)
    moved = plans(text.replace("name: goes, profile", "name: other, profile"))[1]
    async with polling(both) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 4)
        kept, line = acquisition.stats()["stays"], acquisition.line("stays")
        await acquisition.swap(["goes"], [moved])
        assert set(acquisition.devices()) == {"stays", "other"}
        before = kept.devices["stays"].polls
        await sink.until(lambda _: acquisition.devices()["other"] == "ok" and kept.devices["stays"].polls > before)
        assert acquisition.line("stays") is line
        assert kept.line.connects == 1
        await acquisition.swap(["goes"], [])
        assert set(acquisition.devices()) == {"stays"}
