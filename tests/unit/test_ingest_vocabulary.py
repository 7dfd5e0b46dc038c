"""Code words of an announcement: shown where they can be, and a series counts whatever is wrong with its words."""

import msgspec
import pytest

from alerting.api.coded import bits, meaning, states
from ingest.catalogue import Catalogue
from telemetry.codes import UNKNOWN, Codes
from telemetry.series import Text
from tests.unit.ingest_data import SOURCE, announce, ids, level

A, B = ids("a", "b").tolist()
FAULTY = Text(zh="故障", en="faulty")


@pytest.fixture
def catalogue():
    return Catalogue(site="demo", drill=False)


def worded(*codes):
    return msgspec.structs.replace(announce(level("a"), level("b")), codes=codes)


def test_a_series_has_the_words_that_were_announced_for_it(catalogue):
    verdict = catalogue.announce(SOURCE, worded(Codes(series=(A, 77), states={3: FAULTY})))
    assert (verdict.reason, verdict.refused, verdict.doubts) == (None, (), ())
    entry, other = catalogue.entry(A), catalogue.entry(B)
    assert (meaning(entry, 3.0).en, meaning(entry, 4.0).en, other.codes) == ("faulty", UNKNOWN.en, None)
    assert (meaning(entry, float("nan")), meaning(other, 3.0)) == (None, None)
    assert (states(entry)["3"].zh, bits(entry), states(other)) == ("故障", {}, {})


def test_words_that_change_are_a_change_and_the_same_are_none(catalogue):
    catalogue.announce(SOURCE, worded(Codes(series=(A,), states={3: FAULTY})))
    assert catalogue.announce(SOURCE, worded(Codes(series=(A,), states={3: FAULTY}))).changed == ()
    changed = catalogue.announce(SOURCE, worded(Codes(series=(A,), bits={3: FAULTY}))).changed
    assert [entry.id for entry in changed] == [A]
    assert [entry.codes for entry in catalogue.announce(SOURCE, announce(level("a"), level("b"))).changed] == [None]


MANY = dict.fromkeys(range(257), FAULTY)
HOSTILE = [
    (Codes(series=(A,), states=MANY), "code words 0: 257 words, expected at most 256"),
    (Codes(series=(A,), states={-1: FAULTY}), "code words 0: -1, expected 0 to 4294967295"),
    (Codes(series=(A,), bits={64: FAULTY}), "code words 0: 64, expected 0 to 63"),
    (Codes(series=(A,)), "code words 0: neither of states and bits, expected one of them"),
    (Codes(series=(A,), states={1: FAULTY}, bits={1: FAULTY}), "code words 0: both of states and bits"),
    (Codes(series=(A,), states={1: Text(zh="", en="x")}), "code words 0: word '', expected printable text of 1 to 64"),
    (Codes(series=(A,), states={1: Text(zh="x" * 65, en="x")}), "expected printable text of 1 to 64 characters"),
    (Codes(series=(A,), states={1: Text(zh="x", en="\x1b[31m")}), r"word '\x1b[31m', expected printable"),
    (Codes(series=(A,), states={1: Text(zh="\u202e", en="x")}), r"word '\u202e', expected printable"),
]


@pytest.mark.parametrize(("codes", "expected"), HOSTILE)
def test_words_that_can_not_be_shown_are_left_out_and_said(catalogue, codes, expected):
    """A dead vocabulary silences no series."""
    verdict = catalogue.announce(SOURCE, worded(codes, Codes(series=(B,), states={3: FAULTY})))
    assert (verdict.reason, verdict.refused) == (None, ())
    assert [expected in doubt for doubt in verdict.doubts] == [True]
    assert (catalogue.entry(A).codes, meaning(catalogue.entry(B), 3.0).en) == (None, "faulty")


def test_a_flood_of_words_is_none(catalogue):
    crowd = [Codes(series=(A,), states={number: FAULTY}) for number in range(1_001)]
    pages = [Codes(series=(A,), states=dict.fromkeys(range(at, at + 256), FAULTY)) for at in range(79)]
    for flood in (crowd, pages):
        verdict = catalogue.announce(SOURCE, worded(*flood))
        assert (len(verdict.doubts), verdict.refused, catalogue.entry(A).codes) == (1, (), None)
        assert "expected at most 1000 with 20000" in verdict.doubts[0]
