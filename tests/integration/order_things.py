"""A gateway that takes orders, for tests: a broker, a pymodbus relay board, a centre with the key."""

from contextlib import asynccontextmanager

from gateway.timing import Timing
from petrel.orders import Sender, correspondence, issued
from telemetry.broker import BrokerAddress
from telemetry.clock import SystemClock
from telemetry.orders import Command, ConfigOrder, Verb
from telemetry.signing import Key, written
from tests.integration import gateways
from tests.integration.gateway_centre import scripted_centre, until
from tests.integration.gateways import modbus_tcp

SOURCE = "xiuyu/gw-1"
KEY = Key("desk", bytes(range(32)))
TIMING = Timing(reconnect_s=(0.02, 0.2), resend_s=0.5, deadline_s=1.0, trial_s=1.0)
SETTINGS = """\
site: xiuyu
node: gw-1
broker: mqtt://127.0.0.1:{broker}
spool: {{dir: spool}}
stations:
  - {{id: river, name: {{zh: 河, en: River}}, kind: river, lat: 25.3, lon: 119.1, town: "1"}}
buses:
  - name: relays
    tcp: {{host: 127.0.0.1, port: {port}}}
    timeout_s: 0.3
    devices: [{{name: board, profile: board.yaml, station: river, period_s: {period}}}]
remote: {{}}
outputs:
  - name: siren
    device: board
    output: siren
    interlocks: [{{device: board, register: coil 9, must_be: 0, says: key switch}}]
  - {{name: lamp, device: board, output: siren, pulse_s: 0.4}}
  - {{name: volume, device: board, output: volume, range: [0, 20], drills: true}}
"""
PROFILE = """\
name: board
title: {zh: 继电器, en: Relays}
source: made up for tests
transports: [tcp]
points:
  - {name: load, quantity: device_state, unit: code, register: holding 0 u16, valid: [0, 100]}
outputs:
  - {name: siren, register: coil 2, settle_s: 0.1}
  - {name: volume, register: holding 7 u16, range: [0, 30], settle_s: 0.1}
golden:
  - {frame: tcp, exchange: [{request: "00", answer: "00"}], values: {}, source: none}
"""


class Board:
    """A relay board on a pymodbus server; every request is noted, in the order of arrival."""

    def __init__(self):
        self.port = 0
        self.requests = []
        self.writes = []
        self.obeys = True

    async def act(self, function, first, address, count, registers, written):
        self.requests.append((function, address))
        if written is not None:
            self.writes.append((function, address, [int(value) for value in written]))

    @asynccontextmanager
    async def serving(self, port=0):
        async with modbus_tcp([0] * 16, self.act, port) as self.port:
            yield self


def write_files(folder, broker, port, period=0.1):
    """The files of the gateway, and the key in the environment's place for it."""
    (folder / "board.yaml").write_text(PROFILE, encoding="utf-8")
    (folder / "gateway.yaml").write_text(SETTINGS.format(broker=broker, port=port, period=period), encoding="utf-8")
    (folder / "keys").write_text(written(KEY))
    (folder / "keys").chmod(0o600)
    return folder / "gateway.yaml"


def running(path, timing=TIMING, clock=None):
    """The gateway of a file, for the length of a block."""
    return gateways.running(path, timing, clock)


def who(folder, key=KEY, source=SOURCE):
    return Sender(source, key, "officer", folder / "centre.jsonl", SystemClock())


@asynccontextmanager
async def centre(folder, port, key=KEY):
    """Ask the gateway things: ``await ask(order)``."""
    sender = who(folder, key)
    async with correspondence(BrokerAddress("127.0.0.1", port), sender) as talk:
        yield lambda order, wait_s=5.0, interim=None: talk.ask(order, wait_s, interim)


def command(folder, output, value, *, drill=False, ttl_s=5.0, **other):
    return issued(Command, who(folder), ttl_s, output=output, value=value, drill=drill, **other)


def config(folder, verb, **other):
    return issued(ConfigOrder, who(folder), 60.0, verb=verb, **other)


SECOND_BUS = """\
  - name: more
    tcp: {{host: 127.0.0.1, port: {port}}}
    timeout_s: 0.2
    devices: [{{name: {device}, profile: {profile}, station: hill, period_s: 0.1}}]
"""
HILL = """  - {id: hill, name: {zh: 山, en: Hill}, kind: river, lat: 25.2, lon: 119.0, town: "1"}
"""


class Site:
    """A gateway at work, and how to ask it."""

    def __init__(self, folder, gateway, ask, centre):
        self.folder, self.gateway, self.ask, self.centre = folder, gateway, ask, centre
        self.path = folder / "gateway.yaml"
        self.text = self.path.read_text(encoding="utf-8")
        self.interim = []

    async def push(self, text, number=1, verb=Verb.PUSH, **other):
        return await self.ask(config(self.folder, verb, text=text, number=number, **other), 20, self.interim.append)

    async def versions(self):
        return (await self.ask(config(self.folder, Verb.LIST))).versions

    def with_bus(self, port, device="more", profile="board.yaml"):
        text = self.text.replace("buses:\n", HILL + "buses:\n")
        return text.replace(
            "remote: {}\n", SECOND_BUS.format(port=port, device=device, profile=profile) + "remote: {}\n"
        )

    @property
    def announced(self):
        return {series.station for series in self.centre.announcements[-1].series}

    @property
    def devices(self):
        return self.gateway._source.devices()


@asynccontextmanager
async def site_at_work(files, broker, board, timing=TIMING):
    path = write_files(files, broker.port, board.port)
    async with (
        scripted_centre(broker.port, SOURCE) as acking,
        running(path, timing) as gateway,
        centre(files, broker.port) as ask,
    ):
        await until(lambda: gateway.uplink.connected and acking.committed)
        yield Site(files, gateway, ask, acking)
