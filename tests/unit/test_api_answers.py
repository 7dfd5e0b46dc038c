"""The interface over a real centre: what it answers, and whom it refuses."""

import json
import re
from urllib.parse import quote

import jsonschema
import msgspec
import pytest

from telemetry.clock import HOUR_NS
from telemetry.deployment import Deployment, Zero
from tests.unit.centre_things import START_NS, HandWall
from tests.unit.centre_world import LAYER, SECOND, gas_id, gas_series, world
from tests.unit.test_console_catalogue import catalogue


@pytest.fixture
async def place(tmp_path):
    async with world(tmp_path, clock=HandWall(START_NS)) as made:
        await made.poll({0: 1.5, 1: 30.0, 2: 2.0})
        yield made


async def test_the_site_and_its_layers_carry_entity_tags(place):
    async with place.client() as client:
        site = await client.get("/api/v1/site")
        assert site.json()["now"] == "2023-07-28T08:00:00+08:00"
        assert site.json()["areas"][1]["lon"] is None
        place.clock.ns += SECOND
        again = await client.get("/api/v1/site", headers={"if-none-match": site.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        layer = await client.get(site.json()["layers"][0]["url"])
        assert (layer.text, layer.headers["content-type"]) == (LAYER, "application/geo+json")
        again = await client.get(site.json()["layers"][0]["url"], headers={"if-none-match": layer.headers["etag"]})
        assert again.status_code == 304
        for name in ("site.yaml", "../site.yaml", "%2e%2e%2fsite.yaml", "land"):
            assert (await client.get(f"/site/layers/{name}")).status_code == 404


async def test_stations_show_readings_thresholds_and_age(place):
    place.clock.ns += 2 * SECOND
    async with place.client() as client:
        items = (await client.get("/api/v1/stations")).json()["items"]
    assert [(one["id"], one["outcome"], one["level"]) for one in items] == [
        ("gas-0", "normal", 0),
        ("gas-1", "level", 2),
        ("gas-2", "normal", 0),
        ("gas-3", "no_data", 0),
    ]
    reading = items[1]["readings"][0]
    assert reading["series"] == str(gas_id(1))
    assert (reading["value"], reading["unit"], reading["quality"], reading["age_s"]) == (30.0, "%LEL", "GOOD", 2.0)
    assert reading["time"] == "2023-07-28T08:00:00+08:00"
    assert [(one["level"], one["value"]) for one in reading["thresholds"]] == [(2, 25.0), (4, 50.0)]
    never = items[3]["readings"][0]
    assert (never["value"], never["time"], never["quality"], never["stale"]) == (None, None, "MISSING", True)


async def test_a_reading_is_stale_after_three_periods(place):
    """P8: an old value never looks fresh."""
    async with place.client() as client:
        for age, stale in ((3, False), (3.001, True)):
            place.clock.ns = START_NS + round(age * SECOND)
            reading = (await client.get("/api/v1/stations")).json()["items"][0]["readings"][0]
            assert (reading["age_s"], reading["stale"]) == (age, stale)


async def test_alarms_are_filtered_and_paged(place):
    for i, value in ((0, 60.0), (2, 26.0), (3, 70.0)):
        place.clock.ns += SECOND
        await place.poll({i: value})
    async with place.client() as client:
        every = (await client.get("/api/v1/alarms")).json()
        assert [one["subject"] for one in every["items"]] == ["gas-3", "gas-2", "gas-0", "gas-1"]
        assert every["next"] is None
        red = (await client.get("/api/v1/alarms", params={"level": 4})).json()["items"]
        assert [one["subject"] for one in red] == ["gas-3", "gas-0"]
        town = (await client.get("/api/v1/alarms", params={"area": "1002", "state": "unacknowledged"})).json()["items"]
        assert [one["subject"] for one in town] == ["gas-3", "gas-1"]
        seen, cursor = [], {}
        while True:
            page = (await client.get("/api/v1/alarms", params={"limit": 1, **cursor})).json()
            seen += [one["subject"] for one in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert seen == ["gas-3", "gas-2", "gas-0", "gas-1"]


async def test_acknowledging_states_the_version_that_was_seen(place):
    """F23: a stale acknowledgement does not silence an alarm that got worse."""
    async with place.client() as client:
        alarm = (await client.get("/api/v1/alarms")).json()["items"][0]
        assert (alarm["version"], alarm["level"], alarm["state"]) == (1, 2, "unacknowledged")
        place.clock.ns += SECOND
        await place.poll({1: 55.0})
        path = f"/api/v1/alarms/{alarm['id']}/ack"
        stale = await client.post(path, json={"version": 1, "by": "Lin"})
        assert (stale.status_code, stale.headers["content-type"]) == (409, "application/problem+json")
        assert "expected the newest, 2" in stale.json()["detail"]
        fresh = await client.post(path, json={"version": 2, "by": " Lin ", "note": "on my way"})
        assert fresh.status_code == 200
        assert (fresh.json()["state"], fresh.json()["acknowledged_by"]) == ("acknowledged", "Lin")
        assert fresh.json()["acknowledged_at"] == "2023-07-28T08:00:01+08:00"
        again = await client.post(path, json={"version": 2, "by": "Wu"})
        assert (again.status_code, again.json()["acknowledged_by"]) == (200, "Lin")
    operations = await place.service.centre.state.operations()
    assert [(one.by, one.version, one.note) for one in operations] == [("Lin", 2, "on my way")]


async def test_too_many_points_say_so_and_where_to_go_on(place, monkeypatch):
    monkeypatch.setattr("alerting.api.desk._MOST_ROWS", 4)
    for i in range(1, 10):
        await place.poll({0: float(i)}, START_NS + i * SECOND)
    path, found, begin = f"/api/v1/series/{gas_id(0)}/points", [], START_NS // 1_000_000
    async with place.client() as client:
        for more in (True, True, False):
            page = (await client.get(path, params={"from": str(begin), "to": str(begin + 60_000)})).json()
            assert page["truncated"] is more
            found += page["points"]["value"]
            begin = page["next"]
    assert found == [1.5, *map(float, range(1, 10))]


async def test_points_come_raw_and_in_buckets(place):
    for i in range(1, 10):
        await place.poll({0: float(i)}, START_NS + i * SECOND)
    path = f"/api/v1/series/{gas_id(0)}/points"
    span = {"from": "2023-07-28T08:00:00+08:00", "to": "2023-07-28T08:00:10+08:00"}
    async with place.client() as client:
        raw = (await client.get(path, params=span)).json()
        assert raw["points"]["value"] == [1.5, *map(float, range(1, 10))]
        assert raw["points"]["time"][0] == START_NS // 1_000_000
        assert set(raw["points"]["quality"]) == {"GOOD"}
        assert (raw["truncated"], raw["next"]) == (False, None)
        bucketed = (await client.get(path, params=span | {"every": 5})).json()["points"]
        assert (bucketed["min"], bucketed["max"], bucketed["count"]) == ([1.0, 5.0], [4.0, 9.0], [5, 5])
        assert (await client.get("/api/v1/series/12/points")).status_code == 404
        for bad in (
            {"from": "yesterday"},
            {"from": span["to"], "to": span["from"]},
            {"every": 0},
            {"from": "1900-01-01", "every": 1},
        ):
            answer = await client.get(path, params=bad)
            assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), bad


async def test_areas_follow_their_stations(place):
    async with place.client() as client:
        items = (await client.get("/api/v1/areas")).json()["items"]
    assert [(one["code"], one["level"]) for one in items] == [("1001", 0), ("1002", 2)]
    assert items[1]["hazards"]["combustible_gas"]["alarms"]


async def test_a_series_says_which_instruments_have_measured_it(place):
    key, zero = "g1/combustible_gas", Zero(height=3.2, datum="1985", surveyor="Lin", date="2023-01-31")
    old = Deployment(since="2022-05-01T01:00+00:00", serial="A1", zeros={key: zero}, baselines={key: 3.5})
    new = Deployment(since="2023-02-01T09:00+08:00", serial="B7", by="Wu", zeros={key: zero})
    told = msgspec.structs.replace(gas_series(4), deployments={"": (old, new)})
    place.service.ingest.catalogue.announce("demo/gw-1", told)
    async with place.client() as client:
        body = (await client.get(f"/api/v1/series/{gas_id(1)}")).json()
        unknown = await client.get("/api/v1/series/7")
    assert (body["station"], body["point"], body["datum"], body["active"]) == ("gas-1", "g1", "1985", True)
    first, second = body["deployments"]
    assert (first["since"], first["serial"], first["baseline"]) == ("2022-05-01T09:00:00+08:00", "A1", 3.5)
    assert second["zero"] == {"height": 3.2, "datum": "1985", "surveyor": "Lin", "date": "2023-01-31"}
    assert (unknown.status_code, unknown.json()["detail"][:13]) == (404, "no series '7'")


async def test_health_is_503_while_a_part_is_down(place):
    async with place.client() as client:
        answer = await client.get("/api/v1/health")
        body = answer.json()
        assert (answer.status_code, body["status"], body["parts"]["broker"]["status"]) == (503, "down", "down")
        assert {name: part["status"] for name, part in body["parts"].items() if name != "broker"} == {
            "intake": "ok",
            "store": "ok",
            "engine": "ok",
            "gateways": "ok",
            "delivery": "ok",
            "thresholds": "ok",
            "derived": "ok",
            "completeness": "ok",
            "days": "ok",
        }
        place.service.ingest.subscriber.problem = ""
        assert (await client.get("/api/v1/health")).status_code == 200


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_part_of_the_health_has_a_name_in_the_console(place, language):
    async with place.client() as client:
        parts = (await client.get("/api/v1/health")).json()["parts"]
    assert {f"part.{name}" for name in parts} <= catalogue(language).keys()


async def test_health_is_degraded_while_a_gateway_is_refused(place):
    """P14: whose rows are refused for ever was an affair of its log alone."""
    presence = place.service.ingest.presence
    presence.complain("demo/gw-2", "series demo/gas-1/g1/combustible_gas: already announced by demo/gw-1")
    place.service.ingest.subscriber.problem = ""
    async with place.client() as client:
        answer = await client.get("/api/v1/health")
        part = answer.json()["parts"]["gateways"]
        assert (answer.status_code, answer.json()["status"], part["status"]) == (200, "degraded", "degraded")
        assert part["detail"].startswith(
            "demo/gw-2: series demo/gas-1/g1/combustible_gas: already announced by demo/gw-1"
        )
        presence.complain("demo/gw-2", "")
        assert (await client.get("/api/v1/health")).json()["status"] == "ok"


async def test_metrics_are_there_for_prometheus(place):
    async with place.client() as client:
        text = (await client.get("/metrics")).text
    assert 'petrel_alarms_open{level="2",state="unacknowledged"} 1.0' in text
    assert "petrel_evaluated_rows_total 3.0" in text
    assert 'petrel_part_up{part="broker"} 0.0' in text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/nothing.html", 404),
        ("DELETE", "/api/v1/alarms", 405),
        ("PUT", "/api/v1/site", 415),
        ("GET", "/api/v1/alarms?limit=0", 422),
        ("GET", "/api/v1/alarms?cursor=x", 422),
        ("GET", "/api/v1/alarms/nothing", 404),
        ("GET", "/api/v1/alarms/x/ack", 405),
    ],
)
async def test_every_error_is_problem_details(place, method, path, status):
    async with place.client() as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    body = answer.json()
    assert (body["status"], body["instance"]) == (status, path.partition("?")[0])
    assert body["title"]
    assert body["detail"]


async def test_only_this_machine_is_answered(place):
    """A page that rebinds its own name to 127.0.0.1 gets nothing."""
    for host in ("evil.example", "evil.example:8460", "", "10.0.0.7:8460", "127.0.0.1.evil.example"):
        async with place.client() as client:
            answer = await client.get("/api/v1/site", headers={"host": host})
        assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json"), host
    for host in ("127.0.0.1", "127.0.0.1:8460", "localhost:1", "[::1]:8460"):
        async with place.client() as client:
            assert (await client.get("/api/v1/site", headers={"host": host})).status_code == 200, host


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/json", "content-length": "99999999"}, 413),
        ({"origin": "http://127.0.0.1:8460", "sec-fetch-site": "same-origin"}, 404),
        ({}, 404),
    ],
)
async def test_another_sites_page_changes_nothing(place, headers, status):
    """Cross-site request forgery: only our own page, or a program, may post."""
    async with place.client() as client:
        answer = await client.post(
            "/api/v1/alarms/x/ack",
            content=b'{"version": 1, "by": "Lin"}',
            headers={"content-type": "application/json"} | headers,
        )
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize("path", ["/", "/api/v1/site", "/api/v1/nothing", "/metrics", "/main.mjs"])
async def test_every_answer_is_closed_to_the_outside(place, path):
    async with place.client() as client:
        answer = await client.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    if path.endswith(".mjs"):
        assert answer.headers["content-type"].startswith("text/javascript")


async def test_the_openapi_document_is_true(place):
    """Every answer of every GET fits the schema that the document states for it."""
    place.clock.ns += HOUR_NS
    await place.poll({0: 99.0})
    async with place.client() as client:
        document = (await client.get("/api/openapi.json")).json()
        alarm = (await client.get("/api/v1/alarms")).json()["items"][0]["id"]
        for path, operations in document["paths"].items():
            if "get" not in operations or path.endswith("/events"):
                continue
            url = path.replace("{identity}", alarm).replace("{series}", str(gas_id(0))).replace("{name}", "no.geojson")
            answer = await client.get(url)
            stated = operations["get"]["responses"][str(answer.status_code)]["content"]
            media_type = answer.headers["content-type"].partition(";")[0]
            assert media_type in stated, path
            if media_type.endswith("json"):
                schema = stated[media_type]["schema"] | {"components": document["components"]}
                jsonschema.validate(answer.json(), json.loads(json.dumps(schema)))


NASTY = (
    "",
    "0",
    "-1",
    "1e9",
    "9" * 400,
    "NaN",
    "null",
    "%00",
    "\x00",
    "../..",
    "秀屿",
    "\U0001f30a",
    "a" * 3000,
    "[]",
    "²",
    "2023-07-28",
    "2023-07-28T08:00:00+99:00",
    "0001-01-01T00:00:00+08:00",
    "9999-12-31T23:59:59-23:59",
)
BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"version": 1}',
    b'{"version": "1", "by": "x"}',
    b"\xff",
    b"[" * 20_000,
    b'{"version": 1, "by": "x", "extra": 1}',
    b'{"version": 1, "by": " "}',
    b'{"version": 1e400, "by": "x"}',
)


async def test_no_input_breaks_the_server(place):
    """Hostile paths, queries and bodies get an answer below 500, and problem details where it is an error."""
    async with place.client() as client:
        paths = (await client.get("/api/openapi.json")).json()["paths"]
        for path, operations in paths.items():
            for method, operation in operations.items():
                if path.endswith(("/events", "/health")):
                    continue
                for nasty in NASTY:
                    names = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
                    url = re.sub(r"\{\w+\}", quote(nasty, safe=""), path)
                    body = {"json": {"version": nasty, "by": nasty}} if method == "post" else {}
                    answer = await client.request(method, url, params=dict.fromkeys(names, nasty), **body)
                    assert answer.status_code < 500, (method, url)
                    if answer.status_code >= 400:
                        assert answer.headers["content-type"] == "application/problem+json", (method, url)


async def test_a_bad_body_is_refused(place):
    headers = {"content-type": "application/json"}
    async with place.client() as client:
        for body in BODIES:
            answer = await client.post("/api/v1/alarms/x/ack", content=body, headers=headers)
            assert answer.status_code in (400, 422), body
            assert answer.headers["content-type"] == "application/problem+json", body
