"""Against pymodbus, which shares no code with our driver."""

import asyncio

import numpy as np

from telemetry.quality import Cause, Quality

POINTS = (
    ("a", "holding 0 u16"),
    ("b", "holding 9 u16"),
    ("c", "input 3 u32"),
    ("d", "coil 1"),
    ("e", "coil 4"),
    ("f", "discrete 3"),
    ("g", "holding 2 u8 low"),
)


def expected(unit: int) -> list[float]:
    base = 100 * unit
    return [base, base + 9, (base + 3) * 65536 + base + 4, 1, 0, 1, (base + 2) % 256]


async def test_values_over_tcp(pymodbus_tcp, profile, plans, polling):
    _, port = await pymodbus_tcp(1)
    name = profile(*POINTS)
    (bus,) = plans(f"""
buses:
  - name: one
    tcp: {{host: 127.0.0.1, port: {port}}}
    devices:
      - {{name: dev, profile: {name}, station: s, period_s: 0.05}}
""")
    async with polling([bus]) as (acquisition, sink):
        batches = await sink.until(lambda got: len(got) >= 5)
    for batch in batches[:5]:
        assert batch.value.tolist() == expected(1)
        assert set(batch.quality.tolist()) == {Quality.UNCHECKED}
        assert batch.series.tolist() == bus.devices[0].ids.tolist()
        assert batch.answered_ns > 0
    assert acquisition.devices() == {"dev": "ok"}
    steps = np.diff([int(batch.time_ns[0]) for batch in batches[:5]])
    assert (steps > 0).all()


async def test_values_over_a_serial_line_with_three_units(pymodbus_rtu, profile, plans, polling):
    port = await pymodbus_rtu(1, 2, 3)
    name = profile(*POINTS)
    devices = "\n".join(
        f"      - {{name: dev{u}, profile: {name}, unit: {u}, station: s{u}, period_s: 0.2}}" for u in (1, 2, 3)
    )
    (bus,) = plans(f"buses:\n  - name: line\n    serial: {{port: {port}}}\n    devices:\n{devices}\n")
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 9)
    for device in bus.devices:
        rows = np.array([sink.values(int(series)) for series in device.ids])
        assert rows.shape[1] >= 2
        assert (rows == np.array(expected(device.unit))[:, None]).all()
    assert set(acquisition.devices().values()) == {"ok"}


async def test_a_server_that_goes_away_and_comes_back(pymodbus_tcp, profile, plans, polling):
    """P7, P18: refused connections are MISSING rows, and polling resumes by itself."""
    server, port = await pymodbus_tcp(1)
    name = profile(("a", "holding 0 u16"))
    (bus,) = plans(f"""
buses:
  - name: one
    tcp: {{host: 127.0.0.1, port: {port}}}
    devices:
      - {{name: dev, profile: {name}, station: s, period_s: 0.05}}
""")
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: got and got[-1].value[0] == 100)
        await server.shutdown()
        await sink.until(lambda got: np.isnan(got[-1].value[0]))
        down = len(sink.batches)
        await sink.until(lambda got: len(got) >= down + 3)
        assert {int(batch.cause[0]) for batch in sink.batches[down:]} == {Cause.COMMS}
        assert acquisition.devices()["dev"] != "ok"
        await pymodbus_tcp(1, port=port)
        await sink.until(lambda got: got[-1].value[0] == 100)
        assert acquisition.devices()["dev"] == "ok"
    assert acquisition.stats()["one"].line.connect_failures <= 4


async def test_many_hosts_do_not_wait_for_a_hung_one(pymodbus_tcp, tcp_peer, profile, plans, polling):
    _, port = await pymodbus_tcp(1)
    hung = await tcp_peer(lambda _: [])
    name = profile(("a", "holding 0 u16"))
    text = "buses:\n" + "\n".join(
        f"  - {{name: {bus}, tcp: {{host: 127.0.0.1, port: {at}}}, devices: "
        f"[{{name: {bus}, profile: {name}, station: {bus}, period_s: 0.1}}]}}"
        for bus, at in (("well", port), ("hung", hung))
    )
    buses = plans(text)
    async with polling(buses) as (acquisition, _):
        await asyncio.sleep(0.8)
    figures = acquisition.stats()
    assert figures["well"].devices["well"].failures == 0
    assert figures["well"].devices["well"].rows >= 6
    assert figures["hung"].devices["hung"].failures >= 1
