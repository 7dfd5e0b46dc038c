"""An announcement in the words that its centre reads: an older centre, which refuses others, loses nothing but them."""

import msgspec
import pytest

from gateway.announced import Announced, plain
from telemetry.codes import READS, Codes
from telemetry.series import Series, Station, Text, series_id
from telemetry.wire import MAX_PAYLOAD, VERSION, Announce, decode, encode
from tests.unit.ingest_data import announce, level

WORDS = (Codes(series=(5,), states={3: Text(zh="故障", en="faulty")}),)


class OldAnnounce(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The announcement as centres read it that know no code words."""

    version: int = VERSION
    revision: str
    drill: bool
    stations: tuple[Station, ...]
    series: tuple[Series, ...]


def worded() -> Announce:
    return msgspec.structs.replace(announce(level("a")), codes=WORDS)


def test_a_gateway_without_codes_announces_the_same_bytes_as_ever():
    one = announce(level("a"))
    old = OldAnnounce(revision=one.revision, drill=one.drill, stations=one.stations, series=one.series)
    assert encode(one) == encode(old)
    assert decode(encode(old), Announce) == one, "an old gateway is understood"


def test_until_a_centre_reads_words_it_gets_none():
    announced = Announced(worded())
    assert decode(announced.payload, OldAnnounce).series == worded().series
    assert not announced.asked.is_set()


def test_a_centre_that_reads_words_gets_them_and_an_older_one_in_its_place_does_not():
    announced = Announced(worded())
    announced.understood((*READS, "something newer"))
    assert announced.asked.is_set()
    assert decode(announced.payload, Announce) == worded()
    with pytest.raises(ValueError):
        decode(announced.payload, OldAnnounce)
    announced.asked.clear()
    announced.understood(READS)
    assert not announced.asked.is_set(), "nothing new"
    announced.understood(())
    assert announced.asked.is_set()
    assert decode(announced.payload, OldAnnounce).revision != worded().revision
    announced.put(announce(level("b")))
    assert decode(announced.payload, Announce) == announce(level("b"))


def test_what_holds_no_words_is_the_same_either_way():
    one = announce(level("a"))
    assert plain(one, ()) is one
    assert plain(worded(), READS) == worded()


def test_thousands_of_series_share_their_words_within_one_announcement():
    series = [level(f"p{number}") for number in range(10_000)]
    ids = tuple(series_id("demo", one.station, one.point, one.quantity) for one in series)
    states = {number: Text(zh=f"第{number}种状态", en=f"state number {number}") for number in range(64)}
    many = msgspec.structs.replace(announce(*series), codes=(Codes(series=ids, states=states),))
    assert len(encode(many)) < MAX_PAYLOAD
    assert len(encode(many)) - len(encode(plain(many, ()))) < 9.5 * len(ids) + 5_000
    assert decode(encode(many), Announce) == many
