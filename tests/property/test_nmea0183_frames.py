"""NMEA 0183: recorded sentences give their numbers, what we write is read again, and no garbage becomes a number."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles.fields import nmea0183 as fields
from edge_agent.drivers.contract import FrameError, Refused, Report
from edge_agent.drivers.nmea0183 import frames
from edge_agent.drivers.nmea0183.driver import PROTOCOL
from edge_agent.drivers.nmea0183.frames import Sentence
from telemetry.quality import Cause, Quality

NOON_NS = 1_775_110_800 * 10**9  # 2026-04-02T06:20:00Z
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="$*!\\~,"), max_size=8)
ADDRESS = st.text("ABCDEFGHIJKLMNOQRSTUVWXYZ0123456789", min_size=5, max_size=5)


def events(*lines, now_ns=NOON_NS):
    return PROTOCOL.session().receive(b"".join(line + b"\r\n" for line in lines), now_ns)


def report(line, now_ns=NOON_NS):
    (found,) = events(line, now_ns=now_ns)
    assert isinstance(found, Report), found
    return found


def values(line):
    return {name: number.value for name, number in report(line).numbers.items() if not math.isnan(number.value)}


def with_sum(body):
    total = 0
    for byte in body:
        total ^= byte
    return b"$%s*%02X" % (body, total)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # recorded from Navico and Airmar instruments, checksums as they were sent
        (b"$WIMWV,297.6,R,5.6,N,A*2A", {"MWV/R.angle": 297.6, "MWV/R.speed/N": 5.6}),
        (b"$WIMWV,297.5,T,5.6,N,A*2F", {"MWV/T.angle": 297.5, "MWV/T.speed/N": 5.6}),
        (
            b"$WIMWD,125.3,T,124.6,M,5.6,N,2.9,M*56",
            {"MWD.direction/T": 125.3, "MWD.direction/M": 124.6, "MWD.speed/N": 5.6, "MWD.speed/M": 2.9},
        ),
        (
            b"$WIMDA,29.8991,I,1.0125,B,27.9,C,,,48.8,,16.1,C,29.4,T,32.0,M,1.6,N,0.8,M*63",
            {
                "MDA.pressure/I": 29.8991,
                "MDA.pressure/B": 1.0125,
                "MDA.air/C": 27.9,
                "MDA.humidity": 48.8,
                "MDA.dew-point/C": 16.1,
                "MDA.direction/T": 29.4,
                "MDA.direction/M": 32.0,
                "MDA.speed/N": 1.6,
                "MDA.speed/M": 0.8,
            },
        ),
        (
            b"$YXXDR,C,,C,WCHR,C,,C,WCHT,C,28.2,C,HINX,P,1.0090,B,STNP*55",
            {"XDR/C/HINX/C": 28.2, "XDR/P/STNP/B": 1.009},
        ),
        (b"$YXXDR,A,0.0,D,PTCH,A,1.3,D,ROLL*5F", {"XDR/A/PTCH/D": 0.0, "XDR/A/ROLL/D": 1.3}),
        (b"$YXXDR*4F", {}),
        (b"$IIMTW,17.9,C*1C", {"MTW.temperature/C": 17.9}),
        (
            b"$GPVTG,320.2,T,322.8,M,0.0,N,0.0,K,D*2E",
            {"VTG.course/T": 320.2, "VTG.course/M": 322.8, "VTG.speed/N": 0.0, "VTG.speed/K": 0.0},
        ),
        (b"$HCHDT,274.7,T*2F", {"HDT.heading/T": 274.7}),
        (b"\\s:HE0002,c:1474107266,n:5*7C\\$HEHDT,119.9,T*2F", {"HDT.heading/T": 119.9}),
    ],
)
def test_recorded_sentences_give_their_numbers(line, expected):
    assert values(line) == expected


def test_a_position_comes_in_degrees_with_its_own_time():
    found = report(b"$GPGGA,062052.40,2309.5015,N,11329.6260,E,2,9,1.0,29.7,M,-4.4,M,,*72")
    assert found.numbers["GGA.latitude"].value == pytest.approx(23 + 9.5015 / 60)
    assert found.numbers["GGA.longitude"].value == pytest.approx(113 + 29.6260 / 60)
    assert found.numbers["GGA.altitude/M"].value == 29.7
    assert found.time_ns == NOON_NS + 52_400_000_000


@pytest.mark.parametrize(
    ("now_s", "day_s"), [(86_400 * 20_000 + 10, 86_400 * 19_999), (86_400 * 20_000 - 10, 86_400 * 19_999)]
)
def test_a_time_of_day_belongs_to_the_nearest_day(now_s, day_s):
    body = b"GPGGA,235955,2309.5015,N,11329.6260,E,2,9,1.0,29.7,M,-4.4,M,,"
    assert report(with_sum(body), now_s * 10**9).time_ns == (day_s + 86_395) * 10**9


def test_a_clock_that_was_never_set_knows_no_day():
    assert report(b"$GPGGA,062052.40,2309.5015,N,11329.6260,E,2,9,1.0,29.7,M,-4.4,M,,*72", now_ns=0).time_ns is None


def test_the_recommended_minimum_carries_date_and_signs():
    found = report(b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A")
    assert found.time_ns == 764_426_119 * 10**9  # 1994-03-23T12:35:19Z
    assert found.numbers["RMC.variation"].value == -3.1
    assert found.numbers["RMC.speed/N"].value == 22.4
    assert found.numbers["RMC.course/T"].value == 84.4


@pytest.mark.parametrize(
    ("body", "name", "quality", "cause"),
    [
        (b"WIMWV,297.6,R,5.6,N,V", "MWV/R.speed/N", Quality.BAD, Cause.DEVICE),
        (b"WIMWV,,R,,N,V", "MWV/R.speed/N", Quality.MISSING, Cause.DEVICE),
        (b"GPRMC,123519,V,4807.038,N,01131.000,E,022.4,084.4,230394,,", "RMC.speed/N", Quality.BAD, Cause.DEVICE),
        (b"GPRMC,123519,A,4807.038,N,01131.0,E,22.4,84.4,230394,,,E", "RMC.speed/N", Quality.SUSPECT, Cause.DEVICE),
        (b"GPRMC,123519,A,4807.038,N,01131.0,E,22.4,84.4,230394,,,S", "RMC.speed/N", Quality.BAD, Cause.MANUAL),
        (b"GPGGA,123519,4807.038,N,01131.0,E,6,8,0.9,5.4,M,46.9,M,,", "GGA.latitude", Quality.SUSPECT, Cause.DEVICE),
        (b"GPGGA,123519,4807.038,N,01131.0,E,7,8,0.9,5.4,M,46.9,M,,", "GGA.altitude/M", Quality.SUSPECT, Cause.MANUAL),
        (b"GPGGA,123519,4807.038,N,01131.0,E,0,8,0.9,5.4,M,46.9,M,,", "GGA.satellites", Quality.UNCHECKED, Cause.NONE),
    ],
)
def test_what_a_device_says_of_its_numbers_goes_with_them(body, name, quality, cause):
    found = report(with_sum(body))
    assert (found.numbers[name].quality, found.numbers[name].cause) == (quality, cause)
    assert math.isnan(found.numbers[name].value) == (quality is Quality.MISSING)
    if quality is not Quality.UNCHECKED:
        assert found.time_ns is None  # a receiver without a fix does not vouch for its clock


def test_a_speed_in_another_unit_is_another_number():
    assert "MWV/R.speed/N" not in values(with_sum(b"WIMWV,1,R,5.6,M,A"))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"WIMWV,297.6,R,5.6,,A", "letter ''"),
        (b"WIMWV,297.6,R,5.6,X,A", "letter 'X'"),
        (b"WIMWV,297.6,,5.6,N,A", "letter ''"),
        (b"WIMWV,297.6,R,5.6,N,", "status ''"),
        (b"WIMWV,297.6,R,5.6,N", "4 fields"),
        (b"WIMWV,297.6,R,nan,N,A", "'nan', expected a number"),
        (b"WIMWV,2e3,R,1,N,A", "'2e3', expected a number"),
        (b"YXXDR,C,7,C", "3 fields in XDR"),
        (b"YXXDR,C,7,C,A,C,8,C,A", "twice"),
        (b"YXXDR,C,7,C,A,,8,C,B", "transducer XDR//B/C"),
        (b"YXXDR,C,7,7,A", "transducer XDR/C/A/7"),
        (b"GPGGA,123519,9107.038,N,01131.0,E,1,8,0.9,5.4,M,46.9,M,,", "'9107.038'"),
        (b"GPGGA,123519,4867.038,N,01131.0,E,1,8,0.9,5.4,M,46.9,M,,", "'4867.038'"),
        (b"GPGGA,123519,4807.038,,01131.0,E,1,8,0.9,5.4,M,46.9,M,,", "letter ''"),
        (b"GPGGA,243519,4807.038,N,01131.0,E,1,8,0.9,5.4,M,46.9,M,,", "time '243519'"),
        (b"GPGGA,123519,4807.038,N,01131.0,E,9,8,0.9,5.4,M,46.9,M,,", "status '9'"),
        (b"GPRMC,123519,A,4807.038,N,01131.0,E,22.4,84.4,310294,,,A", "date '310294'"),
        (b"WIM", "address 'WIM'"),
    ],
)
def test_a_sentence_that_is_wrong_in_any_way_is_refused_whole(body, problem):
    (found,) = events(with_sum(body))
    assert isinstance(found, Refused)
    assert problem in found.reason


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"$WIMWV,297.6,R,5.6,N,A*2B", "checksum 2B, expected 2A"),
        (b"$WIMWV,297.6,R,5.6,N,A", "no checksum"),
        (b"$WIMWV,297.6,R,5.6,N,A*2", "checksum '2'"),
        (b"$WIMWV,297.6,R,5.6,N,A*2A ", "checksum '2A '"),
        (b"$WIMWV,297.6,R,5\x00.6,N,A*2A", "byte 0x00"),
        # as printed in the manual of a simulator: the checksum of its TAG block is wrong
        (b"\\s:HE0002,c:1474107266,n:5*20\\$HEHDT,119.9,T*2F", "checksum 20, expected 7C"),
        (b"297.6,R,5.6,N,A*2A", "no sentence"),
        (b"$" + 300 * b"A", "no end of line"),
    ],
)
def test_a_line_that_is_no_sentence_is_refused(line, problem):
    (found,) = events(line)
    assert isinstance(found, Refused)
    assert problem in found.reason


def test_noise_and_a_lost_line_end_cost_one_sentence():
    """P21: garbage on the line does not reset anything."""
    found = events(b"\xff\x00$IIMTW,17.9,C*1C", b"$WIMWV,29$IIMTW,17.9,C*1C", b"\\s:x*4B", b"$IIMTW,17.9,C*1C")
    kinds = [type(event) for event in found]
    assert kinds == [Refused, Report, Refused, Report, Refused, Report]


def test_what_carries_no_number_for_us_is_counted_not_refused():
    session = PROTOCOL.session()
    lines = (
        # the documentation of gpsd prints this one
        b"\\g:1-2-73874,n:157036,s:r003669945,c:1241544035*4A\\!AIVDM,1,1,,B,15N4cJ`005Jrek0H@9n`DW5608EP,0*13",
        b"!AIVDO,1,1,,,B0000003wk?8mP=18D3Q3wwUkP06,0*7B",
        b"$SDHDG,181.7,,,0.6,E*3C",
        with_sum(b"PGRMZ,93,f,3"),
    )
    assert session.receive(b"".join(line + b"\r\n" for line in lines), NOON_NS) == []
    assert session.ignored == 4


@settings(deadline=None)
@given(ADDRESS, st.lists(TEXT, max_size=6), st.sampled_from("$!"))
def test_a_sentence_survives_encoding(address, texts, start):
    sentence = Sentence(address[:2], address[2:], tuple(texts), start)
    assert frames.decode(frames.encode(sentence).removesuffix(b"\r\n")) == sentence
    assert frames.decode(frames.encode(sentence, "s:WI01").removesuffix(b"\r\n")) == sentence


def names():
    """Every number that a profile can name, of one sentence."""
    for kind, parts in fields.PARTS.items():
        for reference in fields.REFERENCES.get(kind, "") or ("",):
            if kind == "MWV":
                yield kind, [f"MWV/{reference}.angle", f"MWV/{reference}.speed/{'KMNS'[ord(reference) % 4]}"]
            else:
                yield kind, [f"{kind}.{part}/{unit}" if unit else f"{kind}.{part}" for part, units in parts.items()
                             for unit in units or ("",)]  # fmt: skip
    yield "XDR", ["XDR/C/AIRT/C", "XDR/P//B", "XDR/S/DOOR/"]


@settings(deadline=None)
@given(st.sampled_from(list(names())), st.data())
def test_numbers_survive_a_sentence(named, data):
    kind, wanted = named
    sent = {name: data.draw(st.decimals(0, 89, places=2).map(float) | st.just(math.nan)) for name in wanted}
    if "GGA.quality" in sent:
        sent["GGA.quality"] = 1.0
    sentence = frames.compose("WI", kind, sent, time_ns=NOON_NS)
    found = frames.numbers(sentence)
    assert {name: found[name].value for name in wanted} == pytest.approx(sent, abs=1e-4, nan_ok=True)
    assert frames.time_of(sentence, NOON_NS) == (NOON_NS if kind in ("GGA", "RMC") else None)
    assert all(str(fields.parse(name)) == name for name in found)


@pytest.mark.parametrize("named", [named for named in names() if named[0] in ("MWV", "RMC", "VTG", "GGA")])
def test_an_invalid_sentence_is_composed_so(named):
    kind, wanted = named
    sent = {name: 1.0 for name in wanted if name != "GGA.quality"}
    found = frames.numbers(frames.compose("WI", kind, sent, valid=False))
    assert max(number.quality for number in found.values() if number.value == 1.0) == Quality.BAD


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("MWV", {"MTW.temperature/C": 1}),
        ("MWV", {"MWV/R.angle": 1, "MWV/T.speed/N": 1}),
        ("ZZZ", {}),
        ("MTW", {"x": 1}),
    ],
)
def test_what_cannot_be_said_is_refused(kind, sent):
    with pytest.raises(FrameError):
        frames.compose("WI", kind, sent)


STREAM = b"".join(
    line + b"\r\n"
    for line in (
        b"7.6,R,5.6,N,A*2A",
        b"$WIMWV,297.6,R,5.6,N,A*2A",
        b"$" + 300 * b"x",
        b"\xffgarbage",
        b"$GPGGA,062052.40,2309.5015,N,11329.6260,E,2,9,1.0,29.7,M,-4.4,M,,*72",
        b"$IIMTW,17.9,C*1D",
        b"!AIVDO,1,1,,,B0000003wk?8mP=18D3Q3wwUkP06,0*7B",
        b"$IIMTW,17.9,C*1C",
    )
)


@settings(deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=40).map(sorted))
def test_any_split_of_the_stream_gives_the_same_events(cuts):
    session = PROTOCOL.session()
    ends = [*cuts, len(STREAM)]
    pieces = [STREAM[start:end] for start, end in zip([0, *cuts], ends, strict=True)]
    found = [event for piece in pieces for event in session.receive(piece, NOON_NS)]
    assert repr(found) == repr(PROTOCOL.session().receive(STREAM, NOON_NS))
    assert [type(event).__name__[:3] for event in found] == ["Ref", "Rep", "Ref", "Ref", "Rep", "Ref", "Rep"]


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_garbage_gives_refusals_only(garbage):
    assert all(isinstance(event, Refused) for event in PROTOCOL.session().receive(garbage + b"\n", NOON_NS))


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_the_decoder_raises_frame_errors_only(garbage):
    try:
        frames.decode(garbage)
    except FrameError:
        return


@settings(deadline=None)
@given(st.integers(1, 8 * 23 - 1))
def test_a_bit_turned_over_never_gives_a_number(bit):
    """An exclusive or can't see two bits of the same place turned over; any single one it does."""
    line = bytearray(b"$WIMWV,297.6,R,5.6,N,A*2A")
    line[bit // 8] ^= 1 << bit % 8
    assert not any(isinstance(event, Report) for event in events(bytes(line)))


@pytest.mark.parametrize(
    "text",
    ["", "MWV.speed/N", "MWV/X.speed/N", "MWV/R.speed", "MWV/R.speed/B", "MTW.temperature/F", "ZDA.time", "MTW.x/C",
     "XDR/C/AIRT", "XDR//AIRT/C", "XDR/C/A,B/C", "mwv/R.speed/N", "MTW/R.temperature/C"],
)  # fmt: skip
def test_a_field_that_cannot_be_is_refused(text):
    with pytest.raises(ValueError, match="expected"):
        fields.parse(text)


def test_addresses_are_talkers():
    PROTOCOL.check_address("WI")
    PROTOCOL.check_address("*")
    for wrong in ("", "W", "WIM", "wi", "1A"):
        with pytest.raises(ValueError, match="expected two characters"):
            PROTOCOL.check_address(wrong)
    with pytest.raises(ValueError, match="no password"):
        PROTOCOL.session("secret")
