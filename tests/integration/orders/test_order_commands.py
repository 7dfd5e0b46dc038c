"""Orders on the command line, to a gateway in a process of its own that may be killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

from telemetry import audit
from telemetry.signing import KEYS
from tests.integration.gateway_centre import scripted_centre, until
from tests.integration.order_things import SOURCE, write_files

PETREL = str(Path(sys.executable).parent / "petrel")


class Desk:
    """The command line of a centre, and what it was told."""

    def __init__(self, folder, broker):
        self.folder, self.common = folder, ["--key", str(folder / "keys"), "--broker", broker.url, "--by", "officer"]

    async def run(self, *words):
        command = [PETREL, "gateway", *map(str, words)]
        return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)

    async def ask(self, *words):
        return await self.run(*words, *self.common)


def started(*words, **options):
    return subprocess.Popen([PETREL, "gateway", *map(str, words)], **options)


@asynccontextmanager
async def process(path, folder, centre):
    """A gateway process that has delivered something, killed at the end."""
    arrived = len(centre.committed)
    with (folder / "gateway.log").open("ab") as log:
        keys = {f"{KEYS}_FILE": str(folder / "keys")}
        running = started("run", path, stderr=log, env=os.environ | keys)
    try:
        await until(lambda: len(centre.committed) > arrived, seconds=30)
        yield running
    finally:
        running.kill()
        running.wait()


async def test_a_kill_in_the_middle_of_a_change_leaves_a_gateway_that_starts(tmp_path, broker, board):
    """The trial takes two minutes; the power fails in it."""
    path, desk = write_files(tmp_path, broker.port, board.port), Desk(tmp_path, broker)
    text, wanted = path.read_text(encoding="utf-8"), tmp_path / "wanted" / "gateway.yaml"
    wanted.parent.mkdir()
    wanted.write_text(text.replace("period_s: 0.1", "period_s: 0.2"), encoding="utf-8")
    async with scripted_centre(broker.port, SOURCE) as centre:
        async with process(path, tmp_path, centre) as gateway:
            seen = await desk.ask("config", "diff", SOURCE, wanted)
            assert seen.returncode == 0, seen.stderr
            assert "buses replaced relays" in seen.stdout
            assert "+    devices: [{name: board" in seen.stdout
            pushing = started("config", "push", SOURCE, wanted, *desk.common, stdout=subprocess.PIPE, text=True)
            lines = await asyncio.to_thread(
                lambda: next(line for line in pushing.stdout if "on trial for 120 s" in line)
            )
            assert "version 1" in lines
            os.kill(gateway.pid, signal.SIGKILL)
            pushing.kill()
            pushing.communicate()
        assert path.read_text(encoding="utf-8") == text
        async with process(path, tmp_path, centre):
            listed = json.loads((await desk.ask("config", "list", SOURCE, "--json")).stdout)
    states = [(note["number"], note["state"], note["by"], note["reason"]) for note in listed["versions"]]
    assert states == [
        (0, "running", "as installed", ""),
        (1, "rolled back", "officer", "the gateway stopped while it was on trial"),
    ]


async def test_a_siren_from_the_command_line(tmp_path, broker, board):
    path, desk = write_files(tmp_path, broker.port, board.port), Desk(tmp_path, broker)
    async with scripted_centre(broker.port, SOURCE) as centre, process(path, tmp_path, centre):
        on = await desk.ask("command", "send", SOURCE, "siren", "on", "--live", "--reason", "level 4")
        assert (on.returncode, on.stdout) == (0, "xiuyu/gw-1 siren on: done: reads back 1\n"), on.stderr
        drill = await desk.ask("command", "send", SOURCE, "siren", "off", "--drill")
        assert drill.returncode == 1
        assert "refused: siren takes no part in drills" in drill.stderr
        told = json.loads((await desk.ask("command", "send", SOURCE, "volume", "5", "--drill", "--json")).stdout)
        assert (told["outcome"], told["switched"]["read_back"]) == ("done", 5.0)
        neither = await desk.ask("command", "send", SOURCE, "siren", "on")
        assert (neither.returncode, neither.stderr) == (2, "petrel: expected either --live or --drill\n")
    assert [write[2] for write in board.writes] == [[1], [5]]
    account = tmp_path / "keys.account.jsonl"
    assert len(audit.entries(account)) == 6
    shown = await desk.run("account", account)
    assert (shown.returncode, shown.stdout.splitlines()[-1]) == (0, "6 lines, none changed")
    account.write_text(account.read_text().replace("level 4", "level 1"))
    changed = await desk.run("account", account)
    assert changed.returncode == 1
    assert "line 1 does not match its hash" in changed.stderr


async def test_an_order_that_is_interrupted_says_that_it_may_be_carried_out(tmp_path, broker):
    """Ctrl-C while nobody answers: silence would read as if nothing had been sent."""
    desk = Desk(tmp_path, broker)
    assert (await desk.run("key", "duty-desk", "--out", tmp_path / "keys")).returncode == 0
    sending = started(
        "command", "send", SOURCE, "siren", "on", "--live", *desk.common, stderr=subprocess.PIPE, text=True
    )
    account = tmp_path / "keys.account.jsonl"
    await until(account.exists, seconds=20)
    sending.send_signal(signal.SIGINT)
    _, complained = await asyncio.to_thread(sending.communicate)
    assert sending.returncode == 1
    assert "interrupted: whether an order that was sent is carried out is unknown" in complained
    assert [entry["what"] for entry in audit.entries(account)] == ["sent", "interrupted"]


async def test_keys_are_made_for_their_owner_alone(tmp_path):
    desk, file = Desk(tmp_path, type("broker", (), {"url": "mqtt://127.0.0.1:1"})), tmp_path / "key"
    made = await desk.run("key", "duty-desk", "--out", file)
    assert made.returncode == 0, made.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().startswith("duty-desk ")
    assert (await desk.run("key", "duty-desk", "--out", file)).returncode == 1, "never written over"
    assert (await desk.run("key", "Duty", "--out", tmp_path / "other")).returncode == 2
    file.chmod(0o644)
    open_to_all = await desk.run(
        "command", "send", SOURCE, "siren", "on", "--live", "--key", file, "--broker", "mqtt://127.0.0.1:1"
    )
    assert open_to_all.returncode == 2
    assert "others can read it, expected mode 0600" in open_to_all.stderr
