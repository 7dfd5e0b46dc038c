"""From samples to derived rows: the cells of a group at some moments, computed in blocks, as columns of a batch."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ingest.derived.cells import Cells, Result
from ingest.derived.plan import NONE, Group, heights
from ingest.derived.rules import reach_ns, since_ns
from ingest.derived.samples import NEVER, Samples, Windows
from ingest.derived.surroundings import since
from ingest.derived.tide import predict
from telemetry.batch import F64, I64, U8, Mask
from telemetry.quality import Quality

_BLOCK: Final = 1_000_000
"""Samples of the windows that are looked at together."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Derived rows (n,), ordered as they were computed; a value is NaN if and only if its quality is MISSING."""

    series: I64
    time_ns: I64
    value: F64
    quality: U8

    def __len__(self) -> int:
        return len(self.series)

    def take(self, chosen: "Mask | I64 | slice") -> "Rows":
        """Some of the rows."""
        return Rows(self.series[chosen], self.time_ns[chosen], self.value[chosen], self.quality[chosen])


def concat(parts: list[Rows]) -> Rows:
    """All rows, one after another."""
    if not parts:
        none = np.zeros(0, np.int64)
        return Rows(none, none, np.zeros(0), np.zeros(0, np.uint8))
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in Rows.__slots__]
    return Rows(columns[0], columns[1], columns[2], columns[3])


def compute(group: Group, who: I64, at_ns: I64, samples: Samples, timezone: str, gain: F64 | None = None) -> Rows:
    """The rows of members ``who`` at moments ``at_ns``, both (n,); ``gain`` (n, 3) of counters."""
    length = lengths(group, at_ns, timezone)
    width = 1 if group.method.sampled or group.method.counter else _widest(group, who, at_ns, length, samples)
    step = max(1, _BLOCK // max(width, 1))
    parts = []
    for at in range(0, len(who), step):
        block = slice(at, at + step)
        given = None if gain is None else gain[block]
        cells = _cells(group, who[block], at_ns[block], length[block], samples, given)
        parts.append(_rows(group, who[block], at_ns[block], group.method.compute(cells)))
    return concat(parts)


def lengths(group: Group, at_ns: I64, timezone: str) -> I64:
    """How long the window is that ends at each moment, in nanoseconds. (n,) -> (n,)."""
    begins = None if group.rule.window is None else since_ns(group.rule.window)
    if begins is not None:
        return since(at_ns, begins, timezone)
    return np.full(len(at_ns), reach_ns(group.rule))


def _widest(group: Group, who: I64, at_ns: I64, length: I64, samples: Samples) -> int:
    return max(samples.widest(ids[who], at_ns - length, at_ns) for ids in group.inputs.values())


def _cells(group: Group, who: I64, at_ns: I64, length: I64, samples: Samples, gain: F64 | None) -> Cells:
    method = group.method
    if method.counter:
        windows = dict.fromkeys(group.inputs, _empty(len(who)))
    elif method.sampled or method.paired:
        windows = _paired(group, who, at_ns, length, samples)
    else:
        windows = {name: samples.windows(ids[who], at_ns - length, at_ns) for name, ids in group.inputs.items()}
    return Cells(
        at_ns=at_ns,
        window_ns=length,
        inputs=windows,
        period_ns={name: period[who] for name, period in group.period_ns.items()},
        least=group.rule.least,
        lake=group.lake[who],
        tide=_tide(group, who, at_ns) if method.needs == "tide" else None,
        shift=heights(group, who, at_ns) if method.needs else None,
        gain=gain,
    )


def _empty(n: int) -> Windows:
    return Windows(np.zeros((n, 0)), np.zeros((n, 0), np.int64), np.zeros((n, 0), np.bool_))


def _paired(group: Group, who: I64, at_ns: I64, length: I64, samples: Samples) -> dict[str, Windows]:
    """The windows of the first input, and of the others the samples nearest to its own, half a period away at most."""
    lead = group.inputs[group.lead][who]
    begin = at_ns - 1 if group.method.sampled else at_ns - length
    first = samples.windows(lead, begin, at_ns)
    found = {group.lead: first}
    for name, ids in group.inputs.items():
        if name == group.lead:
            continue
        n, width = first.value.shape
        within = np.repeat(np.maximum(group.period_ns[name][who], group.period_ns[group.lead][who]) // 2, width)
        row = samples.nearest(np.repeat(ids[who], width), first.time_ns.ravel(), within).reshape(n, width)
        row = np.where(first.time_ns == NEVER, NONE, row)
        doubtful = (row >= 0) & samples.suspect[np.maximum(row, 0)] if len(samples) else row > NONE
        value = samples.at(row.ravel()).reshape(n, width)
        found[name] = Windows(value, first.time_ns, doubtful)
    return found


def _tide(group: Group, who: I64, at_ns: I64) -> F64:
    """The predicted tide of each member at each moment. (n,)."""
    found = np.full(len(who), np.nan)
    for member in np.unique(who).tolist():  # tide gauges of one site: a handful
        constants = group.members[member].tide
        if constants is not None:
            mine = who == member
            found[mine] = predict(constants, at_ns[mine])
    return found


def _rows(group: Group, who: I64, at_ns: I64, result: Result) -> Rows:
    """Values, and after them the completeness, with their quality."""
    ids = group.outputs[:, who]
    rule = group.rule
    short = (result.share < rule.least - 1e-9) & (not group.method.sampled)
    values = np.where(short & (rule.below == "missing"), np.nan, result.values)
    doubtful = result.suspect | short
    quality = np.where(doubtful, np.uint8(Quality.SUSPECT), np.uint8(Quality.GOOD))
    qualities = np.broadcast_to(quality, values.shape)
    if not group.method.sampled:
        values = np.vstack([values, np.round(100 * result.share, 3)])
        qualities = np.vstack([qualities, np.full((1, len(who)), Quality.GOOD, np.uint8)])
    qualities = np.where(np.isnan(values), np.uint8(Quality.MISSING), qualities)
    return Rows(ids.ravel(), np.tile(at_ns, len(ids)), values.ravel(), qualities.ravel())
