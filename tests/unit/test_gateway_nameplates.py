"""What devices said of themselves, kept over restarts: a serial number that is another one is noted."""

from structlog.testing import capture_logs

from gateway.nameplates import Nameplates
from gateway.status import shown
from telemetry.clock import HOUR_NS, SECOND_NS

NOW_NS = 1_790_000_000 * SECOND_NS
DAY_NS = 24 * HOUR_NS


def test_another_serial_number_is_logged_and_noted_for_a_month(tmp_path):
    plates = Nameplates(tmp_path)
    assert plates.take({"radar": {"serial": "A1", "firmware": "1.0"}}, {"radar"}, NOW_NS)
    assert not plates.take({"radar": {"serial": "A1", "firmware": "1.0"}}, {"radar"}, NOW_NS)
    assert plates.take({"radar": {"serial": "A1", "firmware": "1.1"}}, {"radar"}, NOW_NS), "new firmware"
    assert plates.notes(NOW_NS, {}) == []
    with capture_logs() as told:
        plates.take({"radar": {"serial": "B2"}}, {"radar"}, NOW_NS)
    assert [(one["event"], one["device"], one["serial"], one["was"]) for one in told] == [
        ("another serial number", "radar", "B2", "A1"),
    ]
    note = "device radar has serial number B2, before it was A1: "
    note += "replaced? expected a deployment with that in gateway.yaml"
    assert plates.notes(NOW_NS + 29 * DAY_NS, {}) == [note]
    plates.take({"radar": {"serial": "B2", "firmware": "2.0"}}, {"radar"}, NOW_NS + DAY_NS)
    assert plates.notes(NOW_NS + 29 * DAY_NS, {}) == [note], "what comes later takes it not away"
    assert plates.notes(NOW_NS + 31 * DAY_NS, {}) == []
    assert plates.notes(NOW_NS - DAY_NS, {}) == [], "a clock that was set back knows nothing of it"


def test_a_device_that_is_not_the_one_deployed_is_noted_until_they_agree(tmp_path):
    plates = Nameplates(tmp_path)
    plates.take({"radar": {"serial": "B2"}, "probe": {"model": "x"}}, {"radar", "probe"}, NOW_NS)
    [note] = plates.notes(NOW_NS + 99 * DAY_NS, {"radar": "A1", "probe": "P1"})
    assert note.startswith(
        "device radar has serial number B2, its deployment in gateway.yaml A1: expected a deployment"
    )
    assert plates.notes(NOW_NS, {"radar": "B2"}) == []
    plates.take({"radar": {"serial": "C3"}}, {"radar"}, NOW_NS)
    assert plates.notes(NOW_NS, {"radar": "C3"}) == [], "replaced, and stated"


def test_it_is_noticed_over_a_restart_and_before_anything_was_read_the_last_is_shown(tmp_path):
    plates = Nameplates(tmp_path)
    plates.take({"radar": {"serial": "A1"}}, {"radar"}, NOW_NS)
    plates.keep()
    again = Nameplates(tmp_path)
    assert not again.take({}, {"radar"}, NOW_NS)
    assert again.shown() == {"radar": {"serial": "A1"}}
    again.take({"radar": {"serial": "B2"}}, {"radar"}, NOW_NS)
    again.keep()
    assert len(Nameplates(tmp_path).notes(NOW_NS, {})) == 1


def test_a_serial_number_that_is_not_told_is_neither_forgotten_nor_another_one(tmp_path):
    plates = Nameplates(tmp_path)
    plates.take({"radar": {"serial": "A1"}}, {"radar"}, NOW_NS)
    plates.take({"radar": {"firmware": "1.0"}}, {"radar"}, NOW_NS)
    assert plates.shown() == {"radar": {"serial": "A1", "firmware": "1.0"}}
    plates.take({"radar": {"serial": "A1"}}, {"radar"}, NOW_NS)
    assert plates.notes(NOW_NS, {}) == []


def test_what_is_no_longer_here_is_forgotten_and_a_broken_file_stops_nothing(tmp_path):
    plates = Nameplates(tmp_path)
    plates.take({"radar": {"serial": "A1"}}, {"radar"}, NOW_NS)
    assert plates.take({}, set(), NOW_NS)
    assert plates.shown() == {}
    (tmp_path / "nameplates.json").write_bytes(b"[" * 100_000)
    assert Nameplates(tmp_path).shown() == {}
    (tmp_path / "nameplates.json").unlink()
    (tmp_path / "nameplates.json").mkdir()
    broken = Nameplates(tmp_path)
    broken.take({"radar": {"serial": "A1"}}, {"radar"}, NOW_NS)
    broken.keep()
    assert broken.shown() == {"radar": {"serial": "A1"}}


def test_a_status_holds_no_more_than_goes_over_a_line(tmp_path):
    plates = Nameplates(tmp_path)
    crowd = {f"dev-{at:05d}": {"serial": f"{at:064d}"} for at in range(2_000)}
    plates.take(crowd, crowd, NOW_NS)
    assert 500 < len(plates.shown()) < 1_000


def test_the_serial_number_stands_first():
    assert shown({"firmware": "1.0", "serial": "A1", "model": "M"}) == "serial A1, firmware 1.0, model M"


def test_a_sensor_that_is_not_the_one_of_its_profile_is_noted_while_it_says_so(tmp_path):
    plates = Nameplates(tmp_path)
    plates.take({"probe": {"differs": "level: M.1 is in ft, the profile takes it for m"}}, {"probe"}, NOW_NS)
    assert plates.notes(NOW_NS, {}) == [
        "device probe is not as its profile says: level: M.1 is in ft, the profile takes it for m: "
        "expected the sensor, or the profile, that belongs there"
    ]
    plates.take({"probe": {"model": "x"}}, {"probe"}, NOW_NS)
    assert plates.notes(NOW_NS, {}) == []
