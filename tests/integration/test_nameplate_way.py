"""A device that was replaced: from its registers to the centre's status, to people at the gateway, over a restart."""

import asyncio
import re
import sys
from pathlib import Path

from alerting.api.words import gateway as shown
from gateway.timing import Timing
from ingest.presence import Heard
from tests.integration.brokers import nats_server
from tests.integration.gateway_centre import scripted_centre
from tests.integration.gateways import modbus_tcp, running

PETREL = Path(sys.executable).with_name("petrel")
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
      - {{name: gauge, profile: gauge.yaml, station: river, period_s: 0.05}}
"""
PROFILE = """
name: gauge
title: {zh: 水位计, en: Gauge}
source: made up for this test
transports: [tcp]
points:
  - {name: level, quantity: water_level, unit: m, scale: 0.01, register: holding 0 u16, valid: [0, 100]}
attributes:
  serial: {register: holding 4 string 4}
  firmware: {register: holding 2 u16, scale: 0.1}
golden:
  - {frame: tcp, exchange: [{request: "00", answer: "00"}], values: {}, source: none}
"""
SOURCE = "xiuyu/gw-1"
TIMING = Timing(reconnect_s=(0.02, 0.2), resend_s=0.5, deadline_s=1.0, status_s=0.1)


def gauge(serial: str, port: int = 0):
    """A gauge with a serial number."""
    text = serial.encode().ljust(8, b"\0")
    return modbus_tcp([200, 0, 12, 0, *(int.from_bytes(text[at : at + 2], "big") for at in range(0, 8, 2))], port=port)


async def status_text(folder: Path) -> str:
    """What people at the gateway read."""
    process = await asyncio.create_subprocess_exec(
        PETREL, "gateway", "status", folder / "gateway.yaml", stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    return out.decode()


async def test_a_replaced_device_is_told_at_the_gateway_and_at_the_centre(tmp_path):
    (tmp_path / "gauge.yaml").write_text(PROFILE, encoding="utf-8")
    with nats_server(tmp_path) as broker:
        async with scripted_centre(broker.port, SOURCE) as centre, gauge("A1") as port:
            settings = SETTINGS.format(broker=broker.port, port=port)
            (tmp_path / "gateway.yaml").write_text(settings, encoding="utf-8")
            async with running(tmp_path / "gateway.yaml", TIMING):
                await centre.until(lambda: centre.statuses and centre.statuses[-1].attributes)
        said = {"gauge": {"serial": "A1", "firmware": "1.2"}}
        assert centre.statuses[-1].attributes == said
        assert not any("serial" in note for note in centre.statuses[-1].notes)
        async with scripted_centre(broker.port, SOURCE) as later, running(tmp_path / "gateway.yaml", TIMING):
            await later.until(
                lambda: later.statuses and "Connect call failed" in later.statuses[-1].devices.get("gauge", "")
            )
            assert later.statuses[-1].attributes == said, "what it said last, while it is away"
            async with gauge("B2", port):
                await later.until(lambda: later.statuses[-1].notes)
        [note] = later.statuses[-1].notes
        assert note.startswith("device gauge has serial number B2, before it was A1: replaced?")
        assert later.statuses[-1].attributes == {"gauge": {"serial": "B2", "firmware": "1.2"}}
    text = await status_text(tmp_path)
    assert re.search(r"^device     gauge: .*\n {11}serial B2, firmware 1.2$", text, re.MULTILINE)
    assert "note       device gauge has serial number B2, before it was A1: replaced?" in text
    page = shown(Heard(source=SOURCE, status=later.statuses[-1]), "Asia/Shanghai", drill=False)
    assert (page.attributes["gauge"]["serial"], len(page.notes)) == ("B2", 1)
