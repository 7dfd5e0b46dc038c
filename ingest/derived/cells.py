"""What a method sees and gives: cells, each one member (a station with the series that a rule needs) at one moment.

All columns are arrays over cells; nothing here knows where samples come from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ingest.derived.samples import Windows
from telemetry.batch import F64, I64, Mask
from telemetry.series import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One series that a method gives. ``name`` is put after the point where a method gives several of a quantity."""

    quantity: str
    valid: tuple[float, float]
    name: str = ""
    states: Mapping[int, Text] | None = None
    bits: Mapping[int, Text] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells (n,): moments, lengths of the windows, and by input its windows and the period of its series.

    ``tide`` is the predicted tide at each moment, ``shift`` the height of the datum of the leading input above the one
    that is wanted (NaN: unknown); ``gain`` (n, 3) what a counter gained, its samples and the doubtful ones.
    """

    at_ns: I64
    window_ns: I64
    inputs: Mapping[str, Windows]
    period_ns: Mapping[str, I64]
    least: float
    lake: Mask
    tide: F64 | None = None
    shift: F64 | None = None
    gain: F64 | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """``values`` (outputs, n), NaN: there is none; share of the samples due, and whether half are doubtful, (n,)."""

    values: F64
    share: F64
    suspect: Mask


Compute = Callable[[Cells], Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """``sampled``: one value for each sample; ``station``: one for a station, whatever of the inputs it has.

    ``paired``: the further inputs are taken at the samples of the first. ``needs`` is what else the site must say.
    """

    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]
    compute: Compute
    sampled: bool = False
    station: bool = False
    paired: bool = False
    counter: bool = False
    needs: str = ""


def share_of(count: F64 | I64, window_ns: I64, period_ns: I64) -> F64:
    """Samples found of samples due in a window, at most 1. (n,)."""
    due = np.maximum(np.rint(window_ns / np.maximum(period_ns, 1)), 1.0)
    return np.minimum(count / due, 1.0)


def half_doubtful(windows: Windows) -> Mask:
    """Whether half of the samples of each window or more are doubtful. (n,)."""
    doubtful = (windows.suspect & windows.held).sum(axis=1)
    return (doubtful > 0) & (2 * doubtful >= windows.count)


def first(cells: Cells) -> tuple[Windows, I64]:
    """The windows of the leading input and the periods of its series."""
    name = next(iter(cells.inputs))
    return cells.inputs[name], cells.period_ns[name]


def simple(cells: Cells, values: F64, count: F64 | I64) -> Result:
    """A result whose completeness is that of its first input."""
    windows, period = first(cells)
    return Result(np.atleast_2d(values), share_of(count, cells.window_ns, period), half_doubtful(windows))


def newest(windows: Windows) -> F64:
    """The newest value of each window. (n,)."""
    return last_column(windows.value)


def last_column(values: F64) -> F64:
    """The newest of windows; a sampled method has one column."""
    return values[:, -1] if values.shape[1] else np.full(len(values), np.nan)
