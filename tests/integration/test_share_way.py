"""Catalogue, coverage, completeness and downloads as others read them: over a real socket, of committed rows."""

import asyncio
import csv
import io
import json
import re
import sqlite3
import threading
from contextlib import asynccontextmanager
from datetime import datetime
from unicodedata import east_asian_width

import duckdb
import httpx
import numpy as np
import pytest

from ingest.store.duckdb import DuckDBStore
from telemetry.quality import Quality
from tests.integration.test_alarm_command import answering, on_a_terminal, petrel
from tests.unit.centre_things import START_NS, HandWall
from tests.unit.centre_world import SECOND, World, gas_id, world

MINUTE = 60 * SECOND
DAY = "2023-07-28"
REGISTER = """\
sample: true
owners:
  - {id: safety, name: {zh: 示例部门, en: Sample office}, contact: {name: 林, phone: "1"}}
  - {id: weather, name: {zh: 示例气象, en: Sample weather}}
shares:
  - {stations: [gas-0], owner: safety, sharing: unconditional, licence: CC0}
  - {stations: [gas-1], owner: safety, sharing: conditional, condition: {zh: 应急, en: emergencies}}
  - {kinds: [gas], owner: weather, sharing: none, condition: {zh: 保密, en: secret}}
risks:
  - id: named
    name: {zh: 甲, en: A}
    kind: high_risk
    town: "1001"
    lat: 25.0
    lon: 119.0
    watched_by: [{station: gas-0}]
  - id: near
    name: {zh: 乙, en: B}
    kind: high_risk
    town: "1002"
    lat: 25.2009     # a hundred metres north of all stations
    lon: 119.1
    within_m: 101
    quantities: [combustible_gas]
  - id: far
    name: {zh: 丙, en: C}
    kind: polluter
    town: "1001"
    lat: 25.2009
    lon: 119.1
    within_m: 99
    quantities: [combustible_gas]
  - id: partly
    name: {zh: 丁, en: D}
    kind: polluter
    town: "1001"
    lat: 25.0
    lon: 119.0
    quantities: [combustible_gas, ammonia]
    watched_by: [{station: gas-1}]
  - id: lost
    name: {zh: 戊, en: E}
    kind: reservoir
    town: "1002"
    lat: 25.0
    lon: 119.0
    watched_by: [{station: gone, point: level}]
planned:
  - {town: "1001", kind: gas, stations: 3}
  - {town: "1002", kind: tide, stations: 1}
"""


@asynccontextmanager
async def reading(place: World):
    """A client on a real socket of a centre."""
    async with answering(place) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client


@asynccontextmanager
async def centre(folder, **options):
    options = {"register": REGISTER, "period_s": 60.0, "clock": HandWall(START_NS)} | options
    async with world(folder, **options) as place, reading(place) as client:
        yield place, client


async def got(client: httpx.AsyncClient, path: str, **query) -> dict:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_catalogue_says_whose_and_how_shared(tmp_path):
    async with centre(tmp_path) as (place, client):
        await place.poll({0: 1.0}, START_NS - 5 * MINUTE)
        await place.poll({0: 2.0, 1: 3.0})
        items = (await got(client, "/api/v1/catalogue/stations"))["items"]
        terms = [(one["id"], one["terms"]["owner"], one["terms"]["sharing_name"]["zh"]) for one in items]
        assert terms == [
            ("gas-0", "safety", "无条件共享"),
            ("gas-1", "safety", "有条件共享"),
            ("gas-2", "weather", "不予共享"),
            ("gas-3", "weather", "不予共享"),
        ]
        first, never = items[0], items[3]
        assert (first["begin"], first["end"]) == ("2023-07-28T07:55:00+08:00", "2023-07-28T08:00:00+08:00")
        assert (first["contact"]["name"], first["update_s"], first["terms"]["licence"]) == ("林", 60.0, "CC0")
        assert (never["begin"], never["end"]) == (None, None)
        for query, ids in (
            ({"sharing": "conditional"}, ["gas-1"]),
            ({"owner": "safety"}, ["gas-0", "gas-1"]),
            ({"town": "1002"}, ["gas-1", "gas-3"]),
            ({"station": ["gas-3", "gas-0"]}, ["gas-0", "gas-3"]),
            ({"quantity": "water_level"}, []),
        ):
            assert [one["id"] for one in (await got(client, "/api/v1/catalogue/stations", **query))["items"]] == ids
        page, seen = await got(client, "/api/v1/catalogue/series", limit=3), []
        while True:
            seen += [one["id"] for one in page["items"]]
            if page["next"] is None:
                break
            page = await got(client, "/api/v1/catalogue/series", limit=3, cursor=page["next"])
        assert seen == [str(gas_id(i)) for i in range(4)]
        owners = await got(client, "/api/v1/catalogue/owners")
        assert [(one["id"], one["stations"]) for one in owners["items"]] == [("safety", 2), ("weather", 2)]
        assert (await client.get("/api/v1/catalogue/stations?sharing=perhaps")).status_code == 422


async def test_a_sheet_opens_in_chinese(tmp_path):
    async with centre(tmp_path) as (_, client):
        sheet = await client.get("/api/v1/catalogue/stations.csv", params={"lang": "zh"})
        assert sheet.content.startswith("\ufeff站点编码,站点名称".encode())
        rows = list(csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig"))))
        assert [(one["站点编码"], one["共享类型"]) for one in rows][:2] == [
            ("gas-0", "无条件共享"),
            ("gas-1", "有条件共享"),
        ]
        risks = await client.get("/api/v1/risks.csv")
        by_id = {one["risk"]: one for one in csv.DictReader(io.StringIO(risks.content.decode("utf-8-sig")))}
        assert (by_id["lost"]["state"], by_id["lost"]["unknown"]) == ("unwatched", "gone/level")


async def test_a_risk_source_that_nothing_watches_is_shown_so(tmp_path):
    """F13: what says nothing is never covered, neither before its first reading nor after its last."""
    async with centre(tmp_path) as (place, client):

        async def states() -> dict[str, str]:
            return {one["id"]: one["state"] for one in (await got(client, "/api/v1/risks"))["items"]}

        assert await states() == {
            "named": "silent", "near": "silent", "far": "unwatched", "partly": "partial", "lost": "unwatched",
        }  # fmt: skip
        await place.poll({0: 1.0})
        items = {one["id"]: one for one in (await got(client, "/api/v1/risks"))["items"]}
        assert (items["named"]["state"], items["near"]["state"], items["partly"]["state"]) == (
            "good",
            "good",
            "partial",
        )
        assert (items["partly"]["unmet"], items["lost"]["unknown"]) == (["ammonia"], ["gone/level"])
        assert [one["distance_m"] for one in items["near"]["watchers"]] == [pytest.approx(100, abs=0.5)] * 4
        assert not items["far"]["watchers"]
        found = await got(client, "/api/v1/coverage")
        kinds = {one["kind"]: one for one in found["risks"]["kinds"]}
        assert (kinds["high_risk"]["coverage"], kinds["polluter"]["coverage"]) == (1.0, 0.0)
        assert kinds["polluter"]["expected"] == 2
        assert kinds["polluter"]["watched"] == 0
        place.clock.ns += 4 * MINUTE
        assert (await states())["named"] == "silent"
        assert (await got(client, "/api/v1/coverage"))["risks"]["total"]["coverage"] == 0.0


async def test_coverage_is_of_what_should_be_there(tmp_path):
    async with centre(tmp_path) as (place, client):
        await place.poll({0: 1.0, 1: 1.0})
        found = (await got(client, "/api/v1/coverage"))["network"]
        town = {one["town"]: one for one in found["towns"]}
        assert (town["1001"]["expected"], town["1001"]["built"], town["1001"]["reporting"]) == (3, 2, 1)
        assert town["1001"]["coverage"] == 0.3333
        assert (town["1002"]["expected"], town["1002"]["reporting"]) == (3, 1)  # two of gas, one planned of tide
        assert found["total"]["coverage"] == 0.3333
        assert [(one["kind"], one["expected"]) for one in found["kinds"]] == [("gas", 5), ("tide", 1)]


async def test_completeness_of_a_day(tmp_path):
    """From the announced period: lost polls, doubtful ones, late ones, one twice; and the same after a restart."""
    async with centre(tmp_path) as (place, client):
        place.clock.ns = START_NS + MINUTE
        for n in range(60):
            if n < 20:
                await place.poll({0: 1.0}, START_NS + n * MINUTE)
            place.clock.ns += MINUTE
        await place.poll({0: 2.0}, START_NS + 10 * MINUTE)  # a row again, and an hour late
        await place.poll({0: 1.0}, START_NS + 55 * MINUTE)  # late by more than five minutes
        answer = await got(client, "/api/v1/completeness", station="gas-0")
        (day,) = answer["items"]
        assert (day["day"], answer["since"], answer["timely_s"]) == (DAY, "2023-07-28T08:00:00+08:00", 300.0)
        assert (day["expected"], day["received"], day["good"], day["timely"]) == (56, 21, 21, 20)
        assert day["completeness"] == round(21 / 56, 4)
        silent = (await got(client, "/api/v1/completeness", station="gas-3", by="series"))["items"][0]
        assert (silent["expected"], silent["received"], silent["timeliness"]) == (56, 0, None)
        pages, cursor = [], {}
        while True:
            page = await got(client, "/api/v1/completeness", limit=1, **cursor)
            pages += [one["key"] for one in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert pages == [f"gas-{i}" for i in range(4)]
        before = await got(client, "/api/v1/completeness", **{"from": "2023-07-20", "to": "2023-07-27"})
        assert before["items"] == []  # nobody counted, so nobody knows
        now_ns = place.clock.ns
    async with centre(tmp_path, clock=HandWall(now_ns)) as (_, client):
        again = await got(client, "/api/v1/completeness", station="gas-0")
        assert again["items"] == answer["items"]
        assert again["since"] == answer["since"]


async def test_a_book_that_cannot_be_written_is_said_and_kept(tmp_path):
    """While another holds the file for itself: alarms go on, the health says it, and nothing counted is lost."""
    async with centre(tmp_path) as (place, client):
        days = place.service.holdings.days
        place.service.ingest.subscriber.problem = ""
        await place.poll({0: 60.0})
        with sqlite3.connect(tmp_path / "state.days.sqlite", isolation_level=None) as other:
            other.execute("BEGIN EXCLUSIVE")
            await asyncio.to_thread(days.flush)
            health = await got(client, "/api/v1/health")
            assert (health["status"], health["parts"]["completeness"]["status"]) == ("degraded", "degraded")
            assert "locked" in health["parts"]["completeness"]["detail"]
            assert len((await got(client, "/api/v1/alarms"))["items"]) == 1
            other.execute("ROLLBACK")
        await asyncio.to_thread(days.flush)
        assert (await got(client, "/api/v1/health"))["status"] == "ok"
    place.clock.ns += 10 * MINUTE
    async with centre(tmp_path, clock=place.clock) as (_, client):
        assert (await got(client, "/api/v1/completeness", station="gas-0"))["items"][0]["received"] == 1


async def filled(place: World) -> int:
    """Twenty minutes of all stations, a missing, a suspect and a rewritten row; how many (series, time) there are."""
    for n in range(20):
        await place.poll({i: n + i / 10 for i in range(4)}, START_NS + n * MINUTE)
    batch = place.batch({0: float("nan"), 1: 7.5}, START_NS + 60 * MINUTE)
    marked = batch.flagged(np.array([Quality.MISSING, Quality.SUSPECT], np.uint8), batch.cause)
    place.store.commit([marked.numbered(7, 900)])
    await place.poll({0: 99.0}, START_NS)
    place.clock.ns = START_NS + 61 * MINUTE
    return 20 * 4 + 2


async def test_downloads_hold_every_row_once(tmp_path):
    async with centre(tmp_path) as (place, client):
        expected = await filled(place)
        cut = {"from": f"{(START_NS - 50 * MINUTE) // 1_000_000}"}  # the first window ends among the rows
        text = (await client.get("/api/v1/rows.csv", params=cut)).text
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == len({(one["series"], one["time"]) for one in rows}) == expected
        first = next(
            one for one in rows if one["station"] == "gas-0" and one["time"] == "2023-07-28T08:00:00.000+08:00"
        )
        assert (first["value"], first["unit"], first["qartod"], first["quality"]) == ("99.0", "%LEL", "1", "GOOD")
        marked = {one["qartod"]: one["value"] for one in rows if one["time"].startswith("2023-07-28T09:00")}
        assert marked == {"9": "", "3": "7.5"}
        assert datetime.fromisoformat(first["time"]).timestamp() * 10**9 == START_NS
        part = (
            await client.get("/api/v1/rows.csv", params={"sharing": "unconditional", "to": "2023-07-28T08:10"})
        ).text
        assert {one["station"] for one in csv.DictReader(io.StringIO(part))} == {"gas-0"}
        assert part.count("\n") == 11
        file = tmp_path / "rows.parquet"
        file.write_bytes((await client.get("/api/v1/rows.parquet")).content)
        found = duckdb.sql(f"SELECT series, epoch_ms(time), value, qartod FROM '{file}' ORDER BY ALL").fetchall()
        assert len(found) == expected
        assert sum(1 for one in found if one[2] is None) == 1
        assert (gas_id(0), START_NS // 1_000_000, 99.0, 1) in found
        assert not list(tmp_path.glob("export-*")), "the scratch of a download stays behind"
        nothing = (await client.get("/api/v1/rows.csv", params={"station": "nowhere"})).text
        assert nothing == "time,station,point,quantity,value,unit,quality,qartod,cause,series\n"


LIMITS = """\
http: {limits: {reads_per_minute: 60, reads_at_once: 3, downloads_per_minute: 1, download_rows: 1000}}
"""


async def test_who_reads_too_much_waits_and_nobody_else_does(tmp_path):
    """The events and the alarms of the same client go on."""
    async with centre(tmp_path, settings=LIMITS) as (place, client):
        await place.poll({0: 60.0})
        points = f"/api/v1/series/{gas_id(0)}/points"
        answers = [await client.get(points) for _ in range(5)]
        assert [one.status_code for one in answers[:3]] == [200] * 3
        refused = answers[-1]
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
        assert refused.headers["retry-after"] == "1"
        assert "expected again in 1 s" in refused.json()["detail"]
        other = await client.get(points, headers={"x-forwarded-for": "10.0.0.9"})
        assert other.status_code == 200
        for path in ("/api/v1/alarms", "/api/v1/stations", "/api/v1/areas", "/metrics", "/api/v1/site"):
            assert (await client.get(path)).status_code == 200, path
        async with asyncio.timeout(5), client.stream("GET", "/api/v1/events") as events:
            async for line in events.aiter_lines():
                if line.startswith("event: snapshot"):
                    break
        alarm = (await client.get("/api/v1/alarms")).json()["items"][0]
        body = {"version": alarm["version"], "by": "Lin"}
        assert (await client.post(f"/api/v1/alarms/{alarm['id']}/ack", json=body)).status_code == 200
        assert (await client.get("/api/v1/rows.csv")).status_code == 422  # more rows than one may take
        assert (await client.get("/api/v1/rows.csv", params={"station": "nowhere"})).status_code == 200
        late = await client.get("/api/v1/rows.csv", params={"station": "nowhere"})
        assert (late.status_code, late.headers["retry-after"]) == (429, "60")


class Slow:
    """A real store that answers from its second read on only when it is let go."""

    def __init__(self, store: DuckDBStore) -> None:
        self.store = store
        self.gone_on = threading.Event()
        self.reads = 0

    def samples(self, *asked):
        self.reads += 1
        if self.reads > 1:
            assert self.gone_on.wait(10)
        return self.store.samples(*asked)


async def test_who_leaves_in_the_middle_gives_the_place_back(tmp_path):
    """And a download under way holds up no alarm: its events come meanwhile."""
    settings = "http: {limits: {downloads_at_once: 1, downloads_per_minute: 60}}\n"
    async with centre(tmp_path, settings=settings) as (place, client):
        await filled(place)
        hour = f"/api/v1/rows.csv?from={START_NS // 1_000_000}"
        slow = place.service.holdings.store = Slow(place.store)
        async with asyncio.timeout(10), client.stream("GET", hour) as answer:
            pieces = answer.aiter_bytes()  # kept: httpx closes the connection with the iterator
            await anext(pieces)
            full = await client.get(hour)
            assert (full.status_code, full.headers["retry-after"]) == (429, "1")
            await place.poll({3: 60.0})
            assert [one["subject"] for one in (await got(client, "/api/v1/alarms"))["items"]][:1] == ["gas-3"]
        slow.gone_on.set()
        async with asyncio.timeout(10):
            while (await client.get(hour)).status_code == 429:
                pass
        place.service.holdings.limits.close()
        assert not list(tmp_path.glob("export-*")), "the scratch of a download stays behind"


async def test_the_commands_say_the_same_in_eighty_columns(tmp_path):
    async with answering_world(tmp_path) as (place, url):
        await filled(place)
        place.clock.ns = START_NS + 21 * MINUTE
        shown = {
            command: await on_a_terminal(*command.split(), "--centre", url)
            for command in ("coverage", "catalogue stations", "catalogue risks")
        }
        for command, text in shown.items():
            assert max(map(width, text.splitlines())) <= 80, command
        for command, words in (
            ("coverage", ("感知网络覆盖率", "重点污染源", "示例数据", "66.7%")),
            ("catalogue risks", ("未监测", "unwatched", "gone/level")),
            ("catalogue stations", ("不予共享", "Sample office")),
        ):
            for word in words:
                assert word in shown[command], (command, word)
        file = tmp_path / "out.parquet"
        done = await petrel("catalogue", "download", str(file), "--station", "gas-2", "--centre", url)
        assert (done.code, done.err, done.out) == (0, "", "")
        assert duckdb.sql(f"SELECT count(*) FROM '{file}'").fetchall() == [(20,)]
        days = await petrel("coverage", "--day", DAY, "--by", "site", "--json", "--centre", url)
        assert json.loads(days.out)[0]["received"] == 4 * 16


@asynccontextmanager
async def answering_world(folder):
    async with (
        world(folder, register=REGISTER, period_s=60.0, clock=HandWall(START_NS)) as place,
        answering(place) as url,
    ):
        yield place, url


def width(line: str) -> int:
    """Cells of a line on a terminal, without its colours."""
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", line)
    return sum(1 + (east_asian_width(c) in "WF") for c in plain)
