"""A metered line: bytes of a day and a month survive restarts; once a quota is used up, only alarms go at once."""

import socket
import time
from datetime import UTC, datetime

import pytest

from gateway.flight import Flight
from gateway.line import LineMeter, QuotaSettings, carried
from gateway.spool import Limits, Spool
from telemetry.clock import HOUR_NS, SECOND_NS
from telemetry.health import LineUse
from telemetry.wire import Ack, EpochAck, Lane
from tests.unit.gateway_batches import HandClock, make_batch

QUOTA = QuotaSettings(month_bytes=1_000_000)


def at(text):
    clock = HandClock()
    clock.time_ns = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS
    return clock


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def counts(meter):
    use = meter.use()
    return use.day, use.day_bytes, use.month_bytes


def test_a_day_and_a_month_are_counted_by_the_calendar_of_the_machine(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    clock = at("2026-12-30T15:00:00")
    meter = LineMeter(clock, None, None)
    meter.count(10)
    assert counts(meter) == ("2026-12-30", 10, 10)
    clock.time_ns += HOUR_NS
    meter.count(5)
    assert counts(meter) == ("2026-12-31", 5, 15), "midnight at 16:00 UTC"
    clock.time_ns += 24 * HOUR_NS
    assert counts(meter) == ("2027-01-01", 0, 0)


def test_counts_survive_a_restart_and_a_clock_that_wakes_in_1970():
    clock = at("2026-12-30T12:00:00")
    meter = LineMeter(clock, QUOTA, None)
    meter.count(700)
    woken = at("1970-01-01T00:01:00")
    again = LineMeter(woken, QUOTA, meter.use())
    again.count(50)
    assert counts(again) == ("2026-12-30", 750, 750)
    woken.time_ns = at("2099-01-01T00:00:00").time_ns
    assert counts(again) == ("2026-12-30", 750, 750), "a clock without a battery turns no page"
    woken.time_ns = clock.time_ns
    assert counts(again) == ("2026-12-30", 750, 750)


def test_a_quota_is_told_when_most_of_it_is_gone_and_when_all_of_it_is():
    meter = LineMeter(at("2026-12-30T12:00:00"), QUOTA, LineUse(day="2026-12-30", month_bytes=799_999))
    assert meter.note() is None
    meter.count(1)
    assert meter.note() == "0.8 of 1.0 MB of this month's quota are used"
    assert not meter.used_up
    meter.count(200_000)
    assert meter.used_up
    assert meter.use().sparing
    assert meter.note().endswith("alarms go at once, live rows every 5 minutes, the rest waits in the spool")


def test_a_line_costs_what_the_kernel_has_sent_and_heard():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as near:
        far, _ = server.accept()
        with far:
            before = carried(near)
            near.sendall(bytes(5000))
            heard = 0
            while heard < 5000:
                heard += len(far.recv(5000))
            far.sendall(bytes(300))
            assert near.recv(300, socket.MSG_WAITALL)
            cost = carried(near) - before
    assert 5300 + 2 * 52 <= cost <= 5300 + 20 * 52


def test_while_the_line_is_spared_backlog_stays_and_alarms_and_live_rows_go(tmp_path):
    spool = Spool.open(tmp_path / "spool", Limits(), HandClock())
    flight = Flight(spool, resend_s=10.0)
    for lane in (Lane.BACKLOG, Lane.BACKLOG, Lane.LIVE, Lane.ALARM):
        spool.append(make_batch(), lane)
    first = flight.next(0.0)
    assert first.lane is Lane.ALARM
    assert [flight.next(0.0).lane for _ in range(2)] == [Lane.LIVE, Lane.BACKLOG]
    flight.sparing = True
    assert flight.next(0.0) is None
    assert flight.wait_s(0.0) == 1.0
    resent = {flight.next(1000.0).lane, flight.next(1000.0).lane}
    assert resent == {Lane.ALARM, Lane.LIVE}
    assert flight.next(1000.0) is None, "what was under way of the backlog is not sent again"
    flight.take(Ack(epochs=(EpochAck(epoch=spool.epoch, committed=((3, 4),)),)), 1000.0)
    assert flight.wait_s(1000.0) is None, "nothing to wake up for"
    flight.sparing = False
    assert flight.next(1000.0).lane is Lane.BACKLOG
    spool.close()
