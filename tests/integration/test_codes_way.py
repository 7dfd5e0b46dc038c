"""Code words on their way to a centre: one that reads them gets them, an older one gets the announcement of ever."""

import msgspec
import numpy as np

from gateway.timing import Timing
from telemetry.codes import READS, UNKNOWN
from telemetry.series import Text
from telemetry.wire import Watch
from tests.integration.brokers import nats_server
from tests.integration.gateway_centre import scripted_centre
from tests.integration.gateways import running

SETTINGS = """
site: xiuyu
node: gw-1
broker: mqtt://127.0.0.1:{broker}
spool: {{dir: spool}}
stations:
  - {{id: plant, name: {{zh: 厂, en: Plant}}, kind: gas, lat: 25.3, lon: 119.1, town: "1"}}
buses:
  - name: one
    tcp: {{host: 127.0.0.1, port: 1}}
    devices:
      - {{name: east, profile: midas, station: plant, period_s: 60, points: {{state: {{name: east-state}}}}}}
  - name: two
    tcp: {{host: 127.0.0.1, port: 2}}
    devices:
      - name: west
        profile: midas
        station: plant
        period_s: 60
        points: {{gas: {{name: west-gas}}, state: {{name: west-state}}, fault: {{name: west-fault}}}}
"""
TIMING = Timing(reconnect_s=(0.02, 0.2), deadline_s=1.0, reannounce_s=0.01)


async def test_a_centre_gets_the_words_that_it_reads_and_no_others(tmp_path):
    with nats_server(tmp_path) as broker:
        (tmp_path / "gateway.yaml").write_text(SETTINGS.format(broker=broker.port), encoding="utf-8")
        async with (
            scripted_centre(broker.port, "xiuyu/gw-1") as centre,
            running(tmp_path / "gateway.yaml", TIMING) as gateway,
        ):
            await centre.until(lambda: centre.announcements)
            assert centre.announcements[-1].codes is msgspec.UNSET, "nobody knows yet what it reads"
            centre.watch(Watch(reads=READS))
            await centre.until(lambda: centre.announcements[-1].codes is not msgspec.UNSET)
            worded = centre.announcements[-1]
            centre.watch(Watch())
            await centre.until(lambda: centre.announcements[-1].codes is msgspec.UNSET)
    assert centre.announcements[0].series == worded.series == centre.announcements[-1].series
    (codes,) = worded.codes
    ids = np.concatenate([device.ids for bus in gateway._plan.buses for device in bus.devices])
    points = dict(zip([one.point for one in worded.series], ids.tolist(), strict=True))
    assert set(codes.series) == {points["east-state"], points["west-state"]}, "each vocabulary once"
    assert codes.meaning(6.0) == Text(zh="冲击测试", en="bump test")
    assert codes.meaning(9.0) == UNKNOWN
