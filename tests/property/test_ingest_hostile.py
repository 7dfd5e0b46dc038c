"""Whatever a gateway announces and sends in valid messages, the centre refuses or takes it, and lives."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting.api.latest import Latest
from alerting.engine import Engine
from ingest.admission import Admission
from ingest.catalogue import Catalogue
from ingest.commit import Commit
from ingest.intake import Message
from ingest.presence import PresenceBook
from ingest.qc.control import QualityControl
from ingest.replies import Answers
from telemetry.batch import MILLISECOND_NS, rows
from telemetry.clock import SECOND_NS
from telemetry.quality import Quality
from telemetry.series import Series, Station, Text
from telemetry.topics import Channel
from telemetry.wire import Announce, Lane, encode, encode_batch
from tests.unit.engine_things import POINTS, packs, site
from tests.unit.ingest_data import START_NS, HandClock, announce, ids, level

SOURCE = "xiuyu/gw1"
_KINDS = {(station, point): (quantity, unit) for station, point, quantity, unit in POINTS}
_HUGE = st.sampled_from([0.0, -1.0, 5e-324, 1e-300, 1e12, 1e300, 1.7e308, -1.7e308, math.nan, math.inf, -math.inf])
_NUMBERS = st.one_of(st.floats(0.01, 1000.0), _HUGE, st.floats())
_TIMES = st.one_of(
    st.integers(-120_000, 120_000).map(lambda ms: START_NS + ms * MILLISECOND_NS),
    st.integers(-(2**63) // MILLISECOND_NS + 1, (2**63 - 1) // MILLISECOND_NS).map(lambda ms: ms * MILLISECOND_NS),
)


@st.composite
def _series(draw: st.DrawFn) -> Series:
    station, point = draw(st.sampled_from(sorted(_KINDS)))
    quantity, unit = _KINDS[station, point]
    modulus = draw(st.one_of(st.none(), _NUMBERS))
    valid = draw(st.one_of(st.just((0.0, 1e4)), st.tuples(_NUMBERS, _NUMBERS)))
    return Series(
        station=station, point=point, quantity=quantity, unit=unit, valid=valid, period_s=draw(_NUMBERS),
        danger=draw(st.sampled_from(["high", "low", "both", "none"])), modulus=modulus,
    )  # fmt: skip


@st.composite
def _announcements(draw: st.DrawFn) -> Announce:
    place = st.one_of(st.just(25.0), _NUMBERS)
    stations = tuple(
        Station(id=name, name=Text("站", "S"), kind="x", lat=draw(place), lon=draw(place), town="A")
        for name in dict.fromkeys(station for station, _ in _KINDS)
    )
    series = draw(st.lists(_series(), min_size=1, max_size=4))
    return Announce(revision="r", drill=False, stations=stations, series=tuple(series))


class Room:
    """Admission, engine and the newest samples, as the centre joins them."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.catalogue = Catalogue(site="xiuyu", drill=False)
        self.admission = Admission(self.catalogue, QualityControl(), self.clock, PresenceBook())
        self.engine = Engine(site(), packs())
        self.latest = Latest(self.catalogue)
        self.seq = 0

    def hear(self, announced: Announce) -> None:
        self.admission.announce(Message(SOURCE, Channel.ANNOUNCE, encode(announced)))
        self.engine.announce(self.catalogue)

    def send(self, series: list[int], time_ns: list[int], value: list[float]) -> None:
        self.seq += 1
        batch = rows(SOURCE, np.array(series, np.int64), np.array(time_ns, np.int64), np.array(value))
        message = Message(SOURCE, Channel.DATA, encode_batch(batch.numbered(7, self.seq), Lane.LIVE))
        batches, complaints = self.admission.decode([message], Answers())
        assert complaints == []
        checked = self.admission.check(batches, Answers())
        self.engine.evaluate(Commit(number=self.seq, batches=tuple(checked), stored=True))
        for one in checked:
            self.latest.take(one, self.clock.now_ns())
        self.look()

    def look(self) -> None:
        self.clock.time_ns += 30 * SECOND_NS
        self.engine.tick(self.clock.now_ns())
        self.engine.areas()
        self.engine.station_levels()
        self.engine.marks()
        self.latest.changed(self.clock.now_ns())


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_valid_messages_of_any_content_leave_the_centre_alive(data: st.DataObject) -> None:
    room = Room()
    for announced in data.draw(st.lists(_announcements(), min_size=1, max_size=3)):
        room.hear(announced)
        room.look()
        known = [entry.id for entry in room.catalogue.entries()]
        for _ in range(data.draw(st.integers(0, 3)) if known else 0):
            n = data.draw(st.integers(1, 4))
            room.send(
                data.draw(st.lists(st.sampled_from(known), min_size=n, max_size=n)),
                data.draw(st.lists(_TIMES, min_size=n, max_size=n)),
                [v if math.isfinite(v) else math.nan for v in data.draw(st.lists(_NUMBERS, min_size=n, max_size=n))],
            )
    assert (room.engine.window.quality <= Quality.MISSING).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"period_s": 1e12}, "period 1000000000000.0 s, expected 0.001 to 31622400"),
        ({"period_s": 1e300}, "period 1e+300 s"),
        ({"period_s": 1e-300}, "period 1e-300 s"),
        ({"valid": (-1e308, 1e308)}, "valid range -1e+308 to 1e+308"),
        ({"modulus": 5e-324}, "modulus 5e-324, expected 1e-06 to 1e+12"),
        ({"modulus": math.inf}, "modulus inf"),
        ({"modulus": math.nan}, "modulus nan"),
    ],
)
def test_absurd_numbers_are_refused_and_an_earlier_run_that_took_them_can_start(changes: dict, reason: str) -> None:
    """One announcement with a period of 1e12 s ended the centre, and every start after it: it was in the store."""
    absurd = encode(announce(level("bad", **changes), level("good")))
    for learn in (
        lambda admission: admission.announce(Message("demo/gw-1", Channel.ANNOUNCE, absurd)),
        lambda admission: admission.restore([("demo/gw-1", absurd), ("demo/gw-2", b"\xc1 not an announcement")]),
    ):
        catalogue = Catalogue(site="demo", drill=False)
        learn(Admission(catalogue, QualityControl(), HandClock(), PresenceBook()))
        assert [entry.series.point for entry in catalogue.entries()] == ["good"]
        assert reason in str(catalogue.refusal("demo/gw-1", ids("bad")))
        engine = Engine(site(), packs())
        engine.announce(catalogue)
        engine.tick(START_NS)
        Latest(catalogue).learn()
