"""SDI-12 1.4 on real lines: high volume from the sensor to the batch; sensors that are not as their profile says."""

import asyncio
import os
import tty

import pytest

from device_profiles import registry
from edge_agent.drivers.sdi12 import frames
from edge_agent.drivers.sdi12.frames import Parameter, Started
from gateway.tools.target import Named, Reach, plan
from simulators.devices import serve
from simulators.field_bus import FieldLine
from simulators.field_twin import FieldUnit
from telemetry.clock import SECOND_NS, SystemClock
from tests.integration.edge.commands import petrel
from tests.integration.gateway_centre import until

PROFILE = """
name: {name}
title: {{zh: 试验, en: Test}}
source: made up for tests
protocol: sdi12
transports: [serial]
serial: {{baud: 1200, parity: N, data: 8}}
address: "0"
points:
{points}
golden: [{{messages: [{{sent: "ascii:x"}}], values: {{}}, source: none}}]
"""


@pytest.fixture
def profile(tmp_path):
    """A profile whose points are levels in fields."""

    def made(*fields: str, unit: str = "m"):
        lines = "\n".join(
            f"  - {{name: p{at}, quantity: water_level, unit: {unit}, field: {field}, valid: [-1000, 1000]}}"
            for at, field in enumerate(fields)
        )
        path = tmp_path / "sensor.yaml"
        path.write_text(PROFILE.format(name="sensor", points=lines), encoding="utf-8")
        return path

    return made


def bus(port: object, path: object) -> str:
    text = f"buses:\n  - name: one\n    timeout_s: 1.0\n    serial: {{port: {port}}}\n    devices:\n"
    return text + f"      - {{name: dev1, profile: {path}, address: '0', station: s1, period_s: 1.0}}\n"


@pytest.mark.parametrize("kind", ["HA", "HB"])
async def test_high_volume_from_the_sensor_to_the_batch(profile, plans, polling, tmp_path, kind):
    """Three hundred values, over several answers with their CRC."""
    path = profile(f"{kind}.1", f"{kind}.150", f"{kind}.300")
    unit = FieldUnit(
        device="dev1", address="0", profile=registry.load(str(path)), station="s1", points={}, period_ns=SECOND_NS
    )
    line = FieldLine(bus="port", way="serial", units=(unit,))
    heights = {"p0": 1.25, "p1": -3.5, "p2": 7.0}
    async with serve([line], lambda _s, name, _q, _t: heights[name], SystemClock(), tmp_path) as ends:
        plan = plans(bus(ends["port"], path))
        async with polling(plan) as (acquisition, sink):
            batches = await sink.until(lambda found: len(found) > 0)
            await until(acquisition.attributes)
            said = acquisition.attributes()["dev1"]
            assert acquisition.devices() == {"dev1": "ok"}
    points = {
        number: series.point for number, series in zip(plan[0].devices[0].ids, plan[0].devices[0].series, strict=True)
    }
    found = {points[one]: value for one, value in zip(batches[0].series, batches[0].value, strict=True)}
    assert found == heights
    assert said[kind] == "300 values in 0 s"
    assert said[f"{kind}.300"] == "HG m"


@pytest.mark.parametrize(("field", "data", "is_right"), [("HB.1", 7, False), ("HB.1", 8, True), ("HA.1", 7, True)])
def test_binary_behind_an_adapter_that_drops_the_eighth_bit_is_refused(profile, plans, field, data, is_right):
    text = bus("line", profile(field)).replace(
        "port: line", f"port: line, data: {data}, parity: {'E' if data == 7 else 'N'}"
    )
    if is_right:
        assert plans(text)
        return
    with pytest.raises(ValueError, match=r"profile: HB\.1 in characters of 7 bits, expected an adapter"):
        plans(text)


@pytest.mark.parametrize(("parity", "data"), [(None, 7), ("E", 7), ("N", 8)])
def test_an_adapter_without_parity_is_asked_with_eight_bits(parity, data):
    """A profile has the seven bits of the wire; most USB adapters are asked at 9600 8N1."""
    reach = Reach(serial="line", baud=9600, parity=parity)
    assert plan(reach, Named(profile="cs451").settings()).line.data == data


class Sensor:
    """A sensor with metadata at the far end of a pseudo-terminal."""

    def __init__(self, unit: str, values: int) -> None:
        self.far, self._near = os.openpty()
        tty.setraw(self._near)
        self.port, self._heard, self._unit, self._values = os.ttyname(self._near), b"", unit, values
        asyncio.get_running_loop().add_reader(self.far, self._read)

    def _read(self) -> None:
        self._heard += os.read(self.far, 4096)
        if self._heard.endswith(b"!"):
            request, self._heard = self._heard, b""
            os.write(self.far, self._answer(frames.decode_command(request).body))

    def _answer(self, body: str) -> bytes:
        if body == "I":
            return b"014OTHER   SENSOR1.0SN7\r\n"
        if "_" in body:
            return frames.encode_parameter("0", Parameter("HG", self._unit), crc=False)
        if body.startswith("D"):
            return frames.encode_values("0", [1.0] * self._values, crc=False)
        return frames.encode_started("0", Started(0, self._values), frames.DIGITS_M)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.far)
        os.close(self.far)
        os.close(self._near)


@pytest.fixture
async def sensor():
    """Put a sensor on a line."""
    made = []

    def put(unit: str, values: int) -> Sensor:
        made.append(Sensor(unit, values))
        return made[-1]

    yield put
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("unit", "values", "differs"),
    [
        ("m", 2, None),
        ("M", 2, None),
        ("furlong", 2, None),
        ("ft", 2, "p0: M.1 is in ft, the profile takes it for m; p1: M.2 is in ft, the profile takes it for m"),
        ("C", 2, "p0: M.1 is in degC, the profile takes it for m; p1: M.2 is in degC, the profile takes it for m"),
        ("m", 1, "p1: it has no M.2"),
    ],
)
async def test_a_sensor_that_is_not_the_one_of_its_profile(profile, sensor, unit, values, differs):
    """The wrong sensor on the right line reads like water that is three times as high."""
    one = sensor(unit, values)
    ended = await petrel("device", "read", profile("M.1", "M.2"), "--serial", one.port, "--timeout", 1, "--json")
    said = ended.json["attributes"]
    assert (said["vendor"], said.get("differs")) == ("OTHER", differs)


async def test_a_wrong_sensor_is_said_to_people(profile, sensor):
    one = sensor("ft", 1)
    ended = await petrel("device", "read", profile("M.1"), "--serial", one.port, "--timeout", 1)
    assert "differs: p0: M.1 is in ft, the profile takes it for m" in ended.out
