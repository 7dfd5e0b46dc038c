"""A reading that crosses what the centre watches leaves at once, in the alarm lane, with what was held back before."""

from contextlib import asynccontextmanager

from structlog.testing import capture_logs

from gateway.timing import Timing
from telemetry.wire import Lane, Watch
from tests.integration.brokers import nats_server
from tests.integration.gateway_centre import scripted_centre, until
from tests.integration.gateways import modbus_tcp, running

SETTINGS = """
site: xiuyu
node: gw-1
broker: mqtt://127.0.0.1:{broker}
spool: {{dir: spool}}
stations:
  - {{id: river, name: {{zh: 河, en: River}}, kind: river, lat: 25.3, lon: 119.1, town: "1"}}
buses:
  - name: one
    tcp: {{host: 127.0.0.1, port: {port}}}
    devices:
      - name: gauge
        profile: gauge.yaml
        station: river
        period_s: 0.05
        points: {{level: {{deadband: 0.5, heartbeat_s: 3600}}}}
"""
PROFILE = """
name: gauge
title: {zh: 水位计, en: Gauge}
source: made up for this test
transports: [tcp]
points:
  - {name: level, quantity: water_level, unit: m, scale: 0.01, register: holding 0 u16, valid: [0, 100]}
golden:
  - {frame: tcp, exchange: [{request: "00", answer: "00"}], values: {}, source: none}
"""
SOURCE = "xiuyu/gw-1"
TIMING = Timing(reconnect_s=(0.02, 0.2), resend_s=0.5, deadline_s=1.0)


class River:
    """A gauge in hundredths of a metre, on a pymodbus server."""

    def __init__(self):
        self.level_cm, self.reads = 200, 0

    async def act(self, function, first, address, count, registers, written):
        registers[0] = self.level_cm
        self.reads += 1

    def serving(self):
        return modbus_tcp([0], self.act)


@asynccontextmanager
async def polling(folder, broker, port):
    (folder / "gauge.yaml").write_text(PROFILE, encoding="utf-8")
    (folder / "gateway.yaml").write_text(SETTINGS.format(broker=broker, port=port), encoding="utf-8")
    async with running(folder / "gateway.yaml", TIMING) as gateway:
        yield gateway


async def test_a_crossing_is_hurried_with_what_was_held_back(tmp_path):
    river = River()
    with nats_server(tmp_path) as broker:
        async with (
            scripted_centre(broker.port, SOURCE) as centre,
            river.serving() as port,
            polling(tmp_path, broker.port, port) as gateway,
        ):
            (series,) = gateway._plan.buses[0].devices[0].ids.tolist()
            await centre.until(lambda: centre.committed)
            centre.watch(Watch(marks={str(series): (3.0,)}))
            await until(lambda: gateway._screen._marks.shape[1])
            river.level_cm, calm = 240, river.reads
            await until(lambda: river.reads > calm + 10)  # eight are held back at most
            river.level_cm = 310
            await centre.until(lambda: Lane.ALARM in centre.lanes)
    batches = list(centre.committed.values())
    urgent = batches[centre.lanes.index(Lane.ALARM)]
    assert batches[0] == [2.0]
    assert urgent[-1] == 3.1
    assert set(urgent[:-1]) == {2.4}, "what was held back came along"
    assert len(urgent) >= 4
    assert centre.lanes.count(Lane.ALARM) == 1


async def test_a_watch_that_is_cleared_at_the_broker_is_none(tmp_path):
    """An empty retained message is how MQTT takes one back (3.1.1, 3.3.1.3): nothing is watched any more."""
    with nats_server(tmp_path) as broker:
        async with (
            scripted_centre(broker.port, SOURCE) as centre,
            River().serving() as port,
            polling(tmp_path, broker.port, port) as gateway,
        ):
            (series,) = gateway._plan.buses[0].devices[0].ids.tolist()
            await centre.until(lambda: centre.committed)
            centre.watch(Watch(marks={str(series): (3.0,)}))
            await until(lambda: gateway._screen._marks.shape[1])
            with capture_logs() as logs:
                centre.watch(None)
                await until(lambda: not gateway._screen._marks.shape[1])
            assert [line for line in logs if line["log_level"] == "warning"] == []
