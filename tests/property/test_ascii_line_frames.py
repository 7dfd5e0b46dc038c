"""Lines of text: the pattern is never slow, what we write is read again, and what does not match whole is refused."""

import math
import re
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from device_profiles import pattern
from device_profiles.fields import ascii_line
from device_profiles.fields.ascii_line import LineFormat
from device_profiles.pattern_reader import read
from edge_agent.drivers.ascii_line import driver, frames
from edge_agent.drivers.ascii_line.frames import Codec
from edge_agent.drivers.contract import FrameError, Refused, Report
from telemetry.quality import Cause, Quality

LEVEL = LineFormat(
    pattern=r"(?P<address>\d{2}) LEVEL=\s*(?P<level>[-+\d.]+) m(?:;T=(?P<water>[-+\d.]+))?",
    missing=("----",),
)
SUMMED = LineFormat(
    pattern=r"\$(?P<checked>(?P<rain>[\d.]+),(?P<door>[A-Z]+))\*(?P<checksum>[\dA-Fa-f]{2})",
    terminator="\n",
    checksum="xor8",
    words={"OPEN": 1, "SHUT": 0},
)
CRC = LineFormat(
    pattern=r"(?P<checked>(?P<flow>[-\d,]+) )(?P<checksum>[\dA-F]{4})",
    checksum="crc16-modbus",
    checksum_order="low",
    decimal=",",
    request="#{address}?\r",
)


class Profile:
    def __init__(self, line):
        self.line = line


def decode(line, data):
    return frames.decode(Codec.of(line), data)


def values(line, data):
    return {name: number.value for name, number in decode(line, data).numbers.items()}


def test_a_line_gives_its_numbers():
    found = decode(LEVEL, b"07 LEVEL=  12.340 m;T=-0.5")
    assert found.address == "07"
    assert {name: number.value for name, number in found.numbers.items()} == {"level": 12.34, "water": -0.5}
    assert values(LEVEL, b"07 LEVEL=1 m") == {"level": 1.0}


def test_a_text_for_no_reading_is_missing():
    number = decode(LEVEL, b"07 LEVEL=---- m").numbers["level"]
    assert math.isnan(number.value)
    assert (number.quality, number.cause) == (Quality.MISSING, Cause.DEVICE)


def test_checksums_computed_elsewhere():
    # exclusive or, and the CRC bit by bit as the guide to Modbus over serial lines describes it
    text = b"1.5,OPEN"
    total = 0
    for byte in text:
        total ^= byte
    assert values(SUMMED, b"$1.5,OPEN*%02x" % total) == {"rain": 1.5, "door": 1.0}
    crc = 0xFFFF
    for byte in b"12,5 ":
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    assert values(CRC, b"12,5 %02X%02X" % (crc & 0xFF, crc >> 8)) == {"flow": 12.5}
    sum8 = LineFormat(pattern=r"(?P<checked>(?P<a>\d+) )(?P<checksum>[\dA-F]{2})", checksum="sum8")
    assert values(sum8, b"99 92") == {"a": 99.0}  # 39 + 39 + 20 hexadecimal


@pytest.mark.parametrize(
    ("line", "data", "problem"),
    [
        (LEVEL, b"07 LEVEL=1.2.3 m", "level '1.2.3', expected a number"),
        (LEVEL, b"07 LEVEL=1.2 m;T=--", "water '--', expected a number"),
        (LEVEL, b"07 LEVEL=1.2 m ", "expected"),
        (LEVEL, b"x07 LEVEL=1.2 m", "expected"),
        (LEVEL, b"07 LEVEL=" + b" " * 300 + b"1 m", "at most 256"),
        (SUMMED, b"$1.5,OPEN*00", "checksum b'00'"),
        (SUMMED, b"$1.5,AJAR*12", "checksum"),
        (CRC, b"12.5 0000", "expected"),
    ],
)
def test_a_line_that_is_wrong_in_any_way_is_refused_whole(line, data, problem):
    with pytest.raises(FrameError) as caught:
        decode(line, data)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "evil",
    [
        r"(?P<a>(?:a+)+)b",
        r"(?P<a>(?:a|a)*)b",
        r"(?P<a>(?:a|ab)*)c",
        r"(?P<a>.*).*.*x",
        r"(?P<a>\d+)\d+",
        r"(?P<a>\d*)(?:\d|x)y",
        r"(?P<a>a?){20}a{20}",
        r"(?P<a>(?:\w+\s?)*)x",
        r"(?P<a>(?:a*)*)",
        r"(?P<a>a)(?:b|)c",
        r"(?P<a>a)(?:ab|a[bc])",
        r"(?P<a>a)(?:ON|ONE)",
        r"(?P<a>(a))\1",
        r"(?P<a>a)(?=b)",
        r"(?i)(?P<a>a)",
        r"(?P<a>a*?)b",
        r"(?P<a>a*+)b",
        r"^(?P<a>a)",
        r"(?P<a>a)$",
        r"(?P<a>a)(?P<a>b)",
        r"(?P<a>a",
        r"(?P<a>a))",
        r"(?P<a>[a",
        r"(?P<a>[])",
        r"(?P<a>[z-a])",
        r"(?P<a>a{3,2})",
        r"(?P<a>a{9999})",
        r"(?P<a>\b)",
        r"(?P<a>\x0)",
        "(?P<a>a\\",
        r"*(?P<a>a)",
        r"(?P<a>°)",
        "(?:" * 30 + "(?P<a>a)" + ")" * 30,
        "",
        "a",
        "(?P<address>a)",
        "(?P<checked>a)(?P<a>b)",
        "(?P<a>x{500})",
    ],
)
def test_a_pattern_that_could_be_slow_or_means_nothing_is_refused(evil):
    with pytest.raises(ValueError, match="expected"):
        ascii_line.check(LineFormat(pattern=evil))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"checksum": "xor8"}, "expected groups 'checked' and 'checksum'"),
        ({"pattern": r"(?P<checked>(?P<a>\d)(?P<checksum>..))", "checksum": "xor8"}, "expected it outside"),
        ({"terminator": ""}, "terminator"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"request": ""}, "request"),
        ({"request": "°"}, "ascii"),
        ({"missing": (" x",)}, "blanks"),
        ({"missing": ("x",), "words": {"x": 1}}, "one of them"),
    ],
)
def test_a_format_that_makes_no_sense_is_refused(change, problem):
    with pytest.raises(ValueError, match=re.escape(problem)):
        ascii_line.check(LineFormat(**{"pattern": r"(?P<a>\d)", **change}))


ATOMS = st.sampled_from(
    ["a", "b", "1", ",", " ", r"\d", r"\s", "[ab]", "[^,]", ".", r"\.", r"\x41", "[a-c1-3-]", r"\W"]
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from("?*+")).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        st.tuples(inner, st.sampled_from(["{2}", "{1,3}", "{0,2}", "{1,}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(PATTERNS, st.text("ab1, .A\n", max_size=12))
def test_a_pattern_means_what_it_means_in_python(text, line):
    try:
        node = read(f"(?P<x>{text})", "ascii")
    except ValueError:
        assume(False)
    ours = pattern.compiled(node).fullmatch(line.encode())
    theirs = re.compile(text.encode()).fullmatch(line.encode())
    assert bool(ours) is bool(theirs)


@settings(deadline=None)
@given(PATTERNS)
def test_an_example_of_a_pattern_matches_it(text):
    try:
        node = read(f"(?P<x>{text})", "ascii")
    except ValueError:
        assume(False)
    assert pattern.compiled(node).fullmatch(pattern.example(node, {}))
    assert len(pattern.example(node, {})) >= pattern.shortest(node)


CLASSES = st.sampled_from([*pattern.CLASSES.values(), pattern.ANY, pattern.EVERY])


@settings(deadline=None)
@given(st.frozensets(st.integers(0, 255), min_size=1) | CLASSES)
def test_a_set_is_written_so_that_it_matches_its_bytes_alone(codes):
    regex = re.compile(pattern.source(pattern.Chars(codes)).encode("latin-1"))
    assert {code for code in range(256) if regex.fullmatch(bytes((code,)))} == codes


@pytest.mark.parametrize(
    "text",
    [
        LEVEL.pattern,
        r"(?P<a>(?:\d+,)*)x",
        r"(?P<a>[^,]*),(?P<b>[^,]*),(?P<c>[^,]*),(?P<d>[^;]*);x",
        r"a*b*c*d*e*f*g*h*(?P<a>\d*)i*j*k*l*m*n*o*p*q*r*s*t*u*v*w*x*y*z*!",
        r"(?P<a>(?:(?:a{1,9}b){1,9}c)*)d",
    ],
)
def test_the_worst_line_takes_no_longer_than_its_length_allows(text):
    """No backtracking: a line of the greatest length that fails at its very end costs milliseconds."""
    regex = pattern.compiled(read(text, "ascii"))
    lines = [piece * (1024 // len(piece)) for piece in (b"1", b"1,", b"a", b",", b"abc", b" ", b"aab", b"abcdefghi1")]
    lines.append(b"".join(bytes((code,)) * 39 for code in b"abcdefghijklmnopqrstuvwxyz"))
    started = time.perf_counter()
    for line in lines:
        regex.fullmatch(line)
    assert time.perf_counter() - started < 0.5


NUMBERS = st.decimals(-9999, 9999, places=2).map(float)


@settings(deadline=None)
@given(NUMBERS, st.none() | NUMBERS, st.integers(0, 99))
def test_what_we_write_is_read_again(level, water, unit):
    codec = Codec.of(LEVEL)
    sent = {"level": level} if water is None else {"level": level, "water": water}
    texts = {name: frames.encode_number(codec, value, 2) for name, value in sent.items()}
    line = frames.encode(codec, texts, f"{unit:02d}")
    assert frames.size(codec, line) == len(line)
    found = frames.decode(codec, line.removesuffix(b"\r\n"))
    assert found.address == f"{unit:02d}"
    assert {name: number.value for name, number in found.numbers.items()} == sent


@settings(deadline=None)
@given(NUMBERS, st.sampled_from(["OPEN", "SHUT"]))
def test_checksums_are_written_and_read(rain, door):
    for line, texts in (
        (SUMMED, {"rain": f"{abs(rain):.2f}", "door": door}),
        (CRC, {"flow": f"{rain:.2f}".replace(".", ",")}),
    ):
        codec = Codec.of(line)
        data = frames.encode(codec, texts).removesuffix(codec.end)
        assert set(frames.decode(codec, data).numbers) == set(texts)
        at = len(data) // 2
        spoilt = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
        with pytest.raises(FrameError):
            frames.decode(codec, spoilt)


def test_what_cannot_be_said_is_refused():
    codec = Codec.of(LEVEL)
    for texts in ({"level": "x"}, {"nothing": "1"}, {"level": "1 m;T=x"}, {"level": "°"}):
        with pytest.raises(FrameError):
            frames.encode(codec, texts, "01")
    assert frames.encode_number(codec, math.nan) == "----"
    with pytest.raises(FrameError):
        frames.encode_number(Codec.of(CRC), math.nan)


STREAM = b"07 LEVEL=1 m\r\n\r\nnoise\r\n08 LEVEL=2 m;T=3\r\n" + 300 * b"y" + b"\r\n\xff\xfe\r\n09 LEVEL=---- m\r\n08 LE"


@settings(deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=40).map(sorted))
def test_any_split_of_the_stream_gives_the_same_events(cuts):
    def run(pieces):
        session = driver.of(Profile(LEVEL)).session()
        return [event for piece in pieces for event in session.receive(piece, 0)]

    found = run([STREAM[start:end] for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)])
    assert repr(found) == repr(run([STREAM]))
    assert [type(event) for event in found] == [Report, Refused, Report, Refused, Refused, Report]
    assert [event.address for event in found if isinstance(event, Report)] == ["07", "08", "09"]


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_garbage_gives_refusals_only(garbage):
    session = driver.of(Profile(SUMMED)).session()
    assert all(isinstance(event, Refused) for event in session.receive(garbage + b"\n", 0))


def ask(address, answer, fields=("flow",)):
    conversation = driver.of(Profile(CRC)).poll(address, fields)
    step = next(conversation)
    assert step.request == f"#{address}?\r".encode()
    assert step.size(answer) == len(answer)
    with pytest.raises(StopIteration) as done:
        conversation.send(answer)
    return done.value.value


def test_a_device_that_is_asked_answers():
    codec = Codec.of(CRC)
    assert ask("03", frames.encode(codec, {"flow": "12,5"}))["flow"].value == 12.5
    assert frames.decode_request(codec, frames.encode_request(codec, "03")) == "03"
    for wrong in (b"#03?", b"#?\r", b"", b"#03?\r\n", b"x03?\r"):
        with pytest.raises(FrameError):
            frames.decode_request(codec, wrong)


def test_an_answer_of_another_device_is_none():
    line = LineFormat(pattern=r"(?P<address>\d\d):(?P<a>\d+)", request="{address}\r")
    conversation = driver.of(Profile(line)).poll("01", ("a",))
    assert next(conversation).size(b"02:7") is None
    with pytest.raises(FrameError, match="expected one of '01'"):
        conversation.send(b"02:7\r\n")


def test_an_answer_without_an_end_is_given_up():
    step = next(driver.of(Profile(CRC)).poll("03", ("flow",)))
    with pytest.raises(FrameError, match="expected its end"):
        step.size(b"1" * step.longest)


def test_a_profile_decides_who_speaks_first():
    assert hasattr(driver.of(Profile(CRC)), "poll")
    assert hasattr(driver.of(Profile(LEVEL)), "session")
    with pytest.raises(ValueError, match="no line"):
        driver.of(Profile(None))
    with pytest.raises(ValueError, match="no password"):
        driver.of(Profile(LEVEL)).session("secret")


def test_addresses_are_what_the_line_carries():
    driver.of(Profile(LEVEL)).check_address("07")
    driver.of(Profile(SUMMED)).check_address("*")
    driver.of(Profile(CRC)).check_address("A1")
    for line, wrong in ((LEVEL, "7"), (LEVEL, "*"), (LEVEL, "°°"), (SUMMED, "1"), (CRC, "a b"), (CRC, "")):
        with pytest.raises(ValueError, match="expected"):
            driver.of(Profile(line)).check_address(wrong)


def test_fields_are_groups():
    assert ascii_line.fields(LEVEL) == ("level", "water")
    assert ascii_line.parse("level").group == "level"
    for wrong in ("", "a-b", "checksum", "1a", "x" * 40):
        with pytest.raises(ValueError, match="expected"):
            ascii_line.parse(wrong)


def test_text_beyond_ascii_is_matched_as_its_bytes():
    line = LineFormat(pattern="水位(?P<level>[\\d.]+)米", encoding="gb18030")
    assert values(line, "水位1.25米".encode("gb18030")) == {"level": 1.25}
    with pytest.raises(FrameError):
        decode(line, "水位1.25米".encode())
