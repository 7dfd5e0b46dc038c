"""What each test of quality control asks of a quantity: data with a source, overridden by station in the site file."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from ingest.qc.checks import ABSURD
from telemetry.quantity import QUANTITIES, Kind
from telemetry.series import Series
from telemetry.settings import load

BUILT_IN: Final = Path(__file__).with_name("quantities.yaml")
CONFIDENCE: Final = ("read", "recalled", "judgement")
"""How far a number may be trusted: read in its source, recalled from it, or our own choice."""


class Test(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="test"):
    """A test of one quantity; numbers in its canonical unit. Without ``station``: of every station."""

    __test__ = False

    quantity: str
    station: str = ""
    """Only this station."""
    point: str = ""
    """Only this point of the station."""
    source: str = ""
    """Where the numbers come from."""
    confidence: str = ""
    """``read``, ``recalled`` or ``judgement``."""


class PlausibleRange(Test, frozen=True, kw_only=True, tag="plausible_range"):
    """What the quantity can be here, within what the sensor can measure (QARTOD gross range, the user's span)."""

    low: float | None = None
    high: float | None = None


class RateOfChange(Test, frozen=True, kw_only=True, tag="rate_of_change"):
    """Too fast: a change beyond ``per_s`` times the seconds since the sample before, *and* beyond ``step``, which is
    believed at any speed, since at short periods the resolution of a register alone would exceed the rate.

    Of a totaliser: the gain, past its rollover; and a fall that neither a rollover nor a new beginning explains.
    """

    per_s: float
    step: float


class FlatLine(Test, frozen=True, kw_only=True, tag="flat_line"):
    """Exactly one value for ``seconds``."""

    seconds: float


class Spike(Test, frozen=True, kw_only=True, tag="spike"):
    """Stands out from the sample before and the one after by more than ``threshold``.

    ``differential``: by the lesser of the two steps, where the signal turns back; ``average``: from their mean, from
    which the edge of a step lies half its height too.
    """

    threshold: float
    method: str = "differential"


class AttenuatedSignal(Test, frozen=True, kw_only=True, tag="attenuated_signal"):
    """Moved by less than ``least`` in a whole period of ``seconds``."""

    seconds: float
    least: float


class Climatology(Test, frozen=True, kw_only=True, tag="climatology"):
    """What is usual in these months (1 to 12, UTC); limits are inside, a later entry of the same months wins."""

    months: tuple[int, ...]
    low: float
    high: float


class Neighbours(Test, frozen=True, kw_only=True, tag="neighbours"):
    """Differs from the median of the stations in reach by more than ``difference`` and by more than three times their
    own spread. Fewer than three readings in reach that are not older than ``newest_s`` say nothing.
    """

    reach_km: float
    difference: float
    newest_s: float


class Off(Test, frozen=True, kw_only=True, tag="off"):
    """A test that is not made here."""

    which: str


AnyTest = PlausibleRange | RateOfChange | FlatLine | Spike | AttenuatedSignal | Climatology | Neighbours | Off
KINDS: Final = (PlausibleRange, RateOfChange, FlatLine, Spike, AttenuatedSignal, Climatology, Neighbours)
_YEAR_S: Final = 366 * 86_400.0
_MOST: Final = {
    "per_s": ABSURD,
    "seconds": _YEAR_S,
    "threshold": ABSURD,
    "least": ABSURD,
    "reach_km": 20_000.0,
    "difference": ABSURD,
    "newest_s": _YEAR_S,
}
"""What each number may be at most, more than 0 at least."""
_SPIKES: Final = ("differential", "average")


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file of built-in tests."""

    tests: tuple[AnyTest, ...]


@cache
def built_in() -> tuple[AnyTest, ...]:
    """The tests that are made everywhere unless the site says otherwise; raises SettingsError for a damaged file."""
    document = load(BUILT_IN, Table)
    for index, test in enumerate(document.settings.tests):
        for key, problem in mistakes(test):
            raise document.error(("tests", index, key), problem)
    return document.settings.tests


def name_of(test: Test) -> str:
    """The word for a kind of test in files."""
    return str(type(test).__struct_config__.tag)


def chosen(series: Series, tests: Sequence[AnyTest]) -> list[AnyTest]:
    """The tests of one series: the built-in ones, then the site's; of one kind the later wins, months add up."""
    found: dict[object, AnyTest] = {}
    for test in (*built_in(), *tests):
        if test.quantity != series.quantity:
            continue
        if test.station not in ("", series.station) or test.point not in ("", series.point):
            continue
        if isinstance(test, Off):
            found = {key: kept for key, kept in found.items() if name_of(kept) != test.which}
        else:
            found[(name_of(test), *getattr(test, "months", ()))] = test
    return list(found.values())


def mistakes(test: AnyTest) -> Iterator[tuple[str, str]]:
    """What can't be meant in a test: the key, and what was found and expected there."""
    quantity = QUANTITIES.get(test.quantity)
    if quantity is None:
        yield "quantity", f"no quantity {test.quantity!r}, expected one that telemetry knows"
    elif not _fits(test, quantity.kind):
        yield (
            "quantity",
            f"{name_of(test)} of {test.quantity}, a {quantity.kind}, expected one that it can judge",
        )
    if test.point and not test.station:
        yield "point", f"{test.point!r} of no station, expected its station too"
    yield from _numbers(test)
    yield from _words(test)


def _fits(test: AnyTest, kind: Kind) -> bool:
    """Totalisers gain, directions turn round and codes are no numbers: few tests mean anything there."""
    if isinstance(test, Off) or kind is Kind.LEVEL:
        return True
    return isinstance(test, {Kind.TOTAL: RateOfChange, Kind.DIRECTION: FlatLine}.get(kind, Off))


def _numbers(test: AnyTest) -> Iterator[tuple[str, str]]:
    for key, most in _MOST.items():
        found = getattr(test, key, None)
        if found is not None and not 0 < found <= most:
            yield key, f"{found}, expected more than 0 and at most {most:g}"
    if isinstance(test, RateOfChange) and not test.step >= 0:
        yield "step", f"{test.step}, expected 0 or more"
    low, high = getattr(test, "low", None), getattr(test, "high", None)
    if low is not None and high is not None and not low < high:
        yield "high", f"{high}, expected more than low, {low}"
    if isinstance(test, PlausibleRange) and low is None and high is None:
        yield "low", "neither low nor high, expected one of them"


def _words(test: AnyTest) -> Iterator[tuple[str, str]]:
    if isinstance(test, Spike) and test.method not in _SPIKES:
        yield "method", f"{test.method!r}, expected one of {', '.join(_SPIKES)}"
    if isinstance(test, Off) and test.which not in [kind.__struct_config__.tag for kind in KINDS]:
        found = ", ".join(str(kind.__struct_config__.tag) for kind in KINDS)
        yield "which", f"{test.which!r}, expected one of {found}"
    if isinstance(test, Climatology) and (not test.months or not all(1 <= month <= 12 for month in test.months)):
        yield "months", f"{list(test.months)}, expected months 1 to 12"
    if test.confidence and test.confidence not in CONFIDENCE:
        yield "confidence", f"{test.confidence!r}, expected one of {', '.join(CONFIDENCE)}"
