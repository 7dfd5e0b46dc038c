"""The maintenance switch from the command line to the rows on the wire, over a restart."""

import asyncio
import sys
from pathlib import Path

import numpy as np

from gateway.status import status_text
from telemetry.quality import Cause, Quality
from tests.integration.brokers import nats_server
from tests.integration.gateway_centre import scripted_centre, until
from tests.integration.test_urgent_way import SOURCE, River, polling

PETREL = Path(sys.executable).with_name("petrel")
MARK = (int(Quality.BAD), int(Cause.MANUAL))


async def petrel(*arguments: object) -> tuple[int, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(PETREL, *map(str, arguments), stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    return process.returncode, (out + err).decode()


async def test_what_is_worked_on_is_marked_until_the_work_ends(tmp_path):
    river, seen = River(), list[tuple[int, int]]()
    file = tmp_path / "gateway.yaml"

    def kept(batch) -> str:
        seen.extend(zip(batch.quality.tolist(), batch.cause.tolist(), strict=True))
        return "ack"

    async def moved() -> None:
        """The deadband lets through what moves."""
        river.level_cm += 100
        before, reads = len(seen), river.reads
        await until(lambda: len(seen) > before and river.reads > reads)

    with nats_server(tmp_path) as broker:
        async with scripted_centre(broker.port, SOURCE) as centre, river.serving() as port:
            centre.script = kept
            async with polling(tmp_path, broker.port, port) as gateway:
                await moved()
                assert set(seen) == {(0, 0)}
                code, said = await petrel("gateway", "maintain", file, "river/level", "--for", "30m", "--by", "Lin")
                assert code == 0
                assert "by Lin: its rows raise no alarm" in said
                marked = len(seen)
                await moved()
                assert seen[marked:][-1] == MARK
                assert any("under maintenance" in note for note in gateway.status().notes)
            assert "note       river/level under maintenance until" in status_text(tmp_path / "spool")
            async with polling(tmp_path, broker.port, port):
                await moved()
                assert seen[-1] == MARK, "a restart is not the end of it"
                code, said = await petrel("gateway", "maintain", file, "river/level", "--end")
                assert (code, said) == (0, "nothing under maintenance\n")
                await until(lambda: seen[-1] == (0, 0))
    assert np.array(seen).shape[1] == 2


async def test_what_can_not_be_is_one_line(tmp_path):
    async with River().serving() as port, polling(tmp_path, 1, port):
        file = tmp_path / "gateway.yaml"
    for arguments, code, said in (
        (("gauge", "--for", "2d"), 2, "--for: '2d', expected 10s to 24h"),
        (("gauge", "--for", "25h"), 2, "expected 10s to 24h"),
        (("river/stage",), 2, "'river/stage', expected one of gauge, river/level"),
        (("gauge", "--end"), 1, "gauge: not under maintenance"),
        ((), 0, "nothing under maintenance"),
        (("gauge", "--json"), 0, '[{"target":"gauge","series":["'),
    ):
        found, text = await petrel("gateway", "maintain", file, *arguments)
        assert (found, said in text, len(text.splitlines())) == (code, True, 1), text
