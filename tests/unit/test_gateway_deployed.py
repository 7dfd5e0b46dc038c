"""Deployments: a row counts from the zero of its own time, a new counter from its baseline, and a series goes on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import deployed
from gateway.deployed import Deployed
from gateway.settings import GatewayPlan, compile_gateway, load_gateway
from telemetry.batch import MILLISECOND_NS, Batch, rows
from telemetry.clock import HOUR_NS, MINUTE_NS
from telemetry.quality import Cause, Quality
from telemetry.series import series_id
from telemetry.settings import SettingsError
from telemetry.span import moment_ns
from telemetry.wire import Announce, decode, encode

LEVEL = series_id("demo", "river", "level", "water_level")
RAIN = series_id("demo", "river", "rain", "rain_total")
MOVED_NS = moment_ns("2026-05-01T09:00+08:00")
SETTINGS = """\
site: demo
node: gw-1
broker: mqtt://127.0.0.1:1883
spool: {{dir: spool}}
stations:
  - {{id: river, name: {{zh: 河, en: River}}, kind: river, lat: 25.3, lon: 119.1, town: "350305001"}}
buses:
  - name: line-1
    serial: {{port: /dev/ttyS1, baud: 9600}}
    devices:
      - name: gauge
        profile: qdy30a
        station: river
        period_s: 60
{gauge}
      - name: bucket
        profile: rs-fsxcs
        unit: 2
        station: river
        period_s: 60
{bucket}
"""
_ZERO = 'zeros: {{level: {{height: {}, datum: "1985", surveyor: Lin, date: "{}"}}}}'
GAUGE = f"""\
        deployments:
          - {{since: "2024-05-01T09:00+08:00", serial: A1, {_ZERO.format(3.217, "2024-04-30")}}}
          - {{since: "2026-05-01T09:00+08:00", serial: B7, by: Wu, {_ZERO.format(2.817, "2026-04-30")}}}
"""
BUCKET = """\
        deployments:
          - {since: "2024-05-01T09:00+08:00", serial: R1}
          - {since: "2026-05-01T09:00+08:00", serial: R2, baselines: {rain: 72.5}}
"""


def plan(folder, gauge: str = GAUGE, bucket: str = BUCKET) -> GatewayPlan:
    path = folder / "gateway.yaml"
    path.write_text(SETTINGS.format(gauge=gauge, bucket=bucket), encoding="utf-8")
    return compile_gateway(load_gateway(path))


def row(series: int, time_ns: int, value: float) -> Batch:
    return rows("demo/gw-1", np.array([series]), np.array([time_ns]), np.array([value]))


def of(batch: Batch) -> list[tuple[int, int, float]]:
    return list(zip(batch.series.tolist(), batch.time_ns.tolist(), batch.value.tolist(), strict=True))


def test_the_zero_that_stands_is_what_decoding_adds(tmp_path):
    gauge = plan(tmp_path).buses[0].devices[0]
    assert gauge.columns[0].linear.offset == 2.817
    assert gauge.series[0].valid[0] == 2.817


def test_a_logger_that_reports_what_was_before_counts_from_the_zero_of_then(tmp_path):
    """The newest zero is 0.4 m lower than the one of the year before."""
    history = Deployed(plan(tmp_path).buses, tmp_path)
    late = row(LEVEL, MOVED_NS - HOUR_NS, 4.0)
    assert history.place(late).batch.value == pytest.approx([4.4])
    assert late.value == [4.0], "a batch is never altered"
    for time_ns in (MOVED_NS, MOVED_NS + HOUR_NS):
        assert history.place(row(LEVEL, time_ns, 4.0)).batch.value == [4.0]
    assert history.place(row(LEVEL, moment_ns("2020-01-01T00:00Z"), 4.0)).batch.value == pytest.approx([4.4])
    assert history.place(row(RAIN, MOVED_NS - HOUR_NS, 4.0)).batch.value == [4.0]


_HEIGHTS = st.lists(st.integers(-300, 300), min_size=1, max_size=6)


@settings(deadline=None)
@given(_HEIGHTS, st.lists(st.tuples(st.sampled_from([LEVEL, RAIN]), st.integers(-1000, 5000)), min_size=1, max_size=20))
def test_every_row_of_any_history_counts_from_the_last_zero_before_it(tmp_path_factory, heights, readings):
    """Oracle: the definition, row by row."""
    zero = "zeros: {{level: {{height: {}, datum: x, surveyor: y, date: '2026-01-01'}}}}"
    lines = [
        f"          - {{since: '2026-05-01T{9 + hour:02d}:00+08:00', {zero.format(height)}}}"
        for hour, height in enumerate(heights)
    ]
    folder = tmp_path_factory.mktemp("history")
    history = Deployed(plan(folder, "        deployments:\n" + "\n".join(lines), "").buses, folder)
    times = [MOVED_NS + minutes * MINUTE_NS for _, minutes in readings]
    batch = rows("demo/gw-1", np.array([one for one, _ in readings]), np.array(times), np.full(len(readings), 10.0))
    expected = [
        10.0 if series == RAIN else 10.0 - heights[-1] + heights[min(max(minutes // 60, 0), len(heights) - 1)]
        for series, minutes in readings
    ]
    np.testing.assert_allclose(history.place(batch).batch.value, expected)


def test_a_counter_that_was_replaced_begins_with_its_baseline_once(tmp_path, monkeypatch):
    monkeypatch.setattr(deployed, "_SPOOLED_S", 0.0)
    history = Deployed(plan(tmp_path).buses, tmp_path)
    before, first = row(RAIN, MOVED_NS - MINUTE_NS, 12.0), row(RAIN, MOVED_NS + MINUTE_NS, 72.7)
    assert history.place(before) == (before, False), "the old one still counts"
    assert history.place(row(RAIN, MOVED_NS + MINUTE_NS, np.nan)).batch.quality.tolist() == [Quality.MISSING]
    begun, urgent = history.place(first)
    assert urgent, "live rows would overtake it"
    just_before_ns = MOVED_NS + MINUTE_NS - MILLISECOND_NS
    assert of(begun) == [(RAIN, just_before_ns, 72.5), (RAIN, MOVED_NS + MINUTE_NS, 72.7)]
    assert (begun.quality[0], begun.cause[0]) == (Quality.BAD, Cause.MANUAL)
    again = row(RAIN, MOVED_NS + 2 * MINUTE_NS, 72.9)
    assert history.place(again) == (again, False)
    after_restart = Deployed(plan(tmp_path).buses, tmp_path)
    assert after_restart.place(again) == (again, False)


def test_what_a_test_added_to_a_counter_is_the_baseline_of_the_next_reading(tmp_path):
    """After an outage the reading after a test overtakes the test itself, which then comes too late to say so."""
    history = Deployed(plan(tmp_path, "", "").buses, tmp_path)
    by_hand = np.full(1, Quality.BAD, np.uint8), np.full(1, Cause.MANUAL, np.uint16)
    for minute, value in ((1, 20.0), (2, 45.0)):
        tested = row(RAIN, MOVED_NS + minute * MINUTE_NS, value).flagged(*by_hand)
        assert history.place(tested) == (tested, False)
    level = row(LEVEL, MOVED_NS + 3 * MINUTE_NS, 45.0)
    assert history.place(level) == (level, False)
    begun, urgent = history.place(row(RAIN, MOVED_NS + 3 * MINUTE_NS, 45.2))
    assert (begun.value.tolist(), begun.quality.tolist(), urgent) == ([45.0, 45.2], [Quality.BAD, 0], True)
    after = row(RAIN, MOVED_NS + 4 * MINUTE_NS, 45.4)
    assert history.place(after) == (after, False)


def test_a_baseline_that_a_kill_may_have_lost_is_said_again(tmp_path):
    first = row(RAIN, MOVED_NS + MINUTE_NS, 72.7)
    Deployed(plan(tmp_path).buses, tmp_path).place(first)
    assert len(Deployed(plan(tmp_path).buses, tmp_path).place(first).batch) == 2


@pytest.mark.parametrize("content", [b"", b"{", b'{"1": "x"}', b"[" * 100_000])
def test_a_damaged_note_of_what_was_said_says_it_again(tmp_path, content):
    (tmp_path / "deployed.json").write_bytes(content)
    assert len(Deployed(plan(tmp_path).buses, tmp_path).place(row(RAIN, MOVED_NS, 72.7)).batch) == 2


def test_the_serial_number_that_stands_is_that_of_the_newest_deployment_that_has_begun(tmp_path):
    history = Deployed(plan(tmp_path).buses, tmp_path)
    assert history.serials(MOVED_NS) == {"gauge": "B7", "bucket": "R2"}
    assert history.serials(MOVED_NS - 1) == {"gauge": "A1", "bucket": "R1"}
    assert history.serials(0) == {}


def test_a_new_configuration_counts_at_once(tmp_path):
    history = Deployed(plan(tmp_path, "", "").buses, tmp_path)
    late = row(LEVEL, MOVED_NS - HOUR_NS, 4.0)
    assert history.place(late) == (late, False)
    history.change(plan(tmp_path).buses)
    assert history.place(late).batch.value == pytest.approx([4.4])


def test_the_history_is_announced_in_canonical_units_and_only_where_there_is_one(tmp_path):
    announce = plan(tmp_path).announce
    bucket = announce.deployments["bucket"][-1]
    assert (bucket.serial, bucket.baselines) == ("R2", {"rain/rain_total": 72.5})
    assert announce.deployments["gauge"][0].zeros["level/water_level"].height == 3.217
    assert decode(encode(announce), Announce) == announce
    without = plan(tmp_path, "", "").announce
    assert b"deployments" not in encode(without), "a centre that does not know the word refuses it"
    assert [one.key for one in without.series] == [one.key for one in announce.series], "the series are the same"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"2026-05-01T09:00+08:00", serial: B7', '"2024-05-01T09:00+08:00", serial: B7', "is not after the one before"),
        ('"2026-05-01T09:00+08:00", serial: B7', '"2026-05-01T09:00", serial: B7', "has no offset"),
        ('"2026-05-01T09:00+08:00", serial: B7', '"soon", serial: B7', "time 'soon', expected for example"),
        ("serial: B7", 'serial: "B\\e[7"', "expected printable text"),
        ("serial: B7", f"serial: {'B' * 201}", "at most 200 characters"),
        ("zeros: {level: {height: 2.817", "zeros: {depth: {height: 2.817", "unknown point 'depth'"),
        ('surveyor: Lin, date: "2026-04-30"', 'surveyor: "", date: "2026-04-30"', "empty, expected the surveyor"),
        ('date: "2026-04-30"', 'date: "April"', "expected a day such as"),
        ("height: 2.817", "height: .inf", "expected a finite number"),
        (', zeros: {level: {height: 2.817, datum: "1985", surveyor: Lin, date: "2026-04-30"}}', "", "no zero of level"),
    ],
)
def test_what_can_not_be_is_said_with_its_line(tmp_path, old, new, said):
    assert old in GAUGE
    with pytest.raises(SettingsError, match=r"gateway.yaml:1[67]: ") as caught:
        plan(tmp_path, GAUGE.replace(old, new))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("baselines: {rain: 6553.6}", "expected less than 6553.6"),
        ("baselines: {rain: -1}", "expected 0 or more"),
        ("baselines: {rain: .nan}", "expected a finite number"),
        ("baselines: {wind-speed: 1}", "wind-speed is no totaliser"),
    ],
)
def test_a_baseline_is_what_the_counter_can_show(tmp_path, new, said):
    with pytest.raises(SettingsError, match=said):
        plan(tmp_path, bucket=BUCKET.replace("baselines: {rain: 72.5}", new))


def test_a_zero_and_an_offset_are_one_too_many(tmp_path):
    with pytest.raises(SettingsError, match="one of zero and offset"):
        plan(tmp_path, GAUGE + "        points: {level: {offset: 1.0}}\n")
