"""Quality control of one minute of data of many series: ours over all at once, ioos-qc series by series.

Run: ``python -m benchmarks.quality_control``. Each test of QARTOD that both have, with the same parameters on the same
rows. ioos-qc is timed on a share of the series and its time multiplied, for it would take minutes; flags are compared
on that share.
"""

import argparse
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from ioos_qc import qartod as ioos

from ingest.qc import qartod
from ingest.qc.record import Record
from telemetry.batch import F64, U8
from telemetry.span import moment_ns

BEGIN_MS: Final = moment_ns("2026-11-24T00:00+08:00") // 10**6
PERIOD_S: Final = 1
SAMPLES: Final = 60
MEMBERS: Final = [{"vspan": (-3.0, 3.0), "fspan": (-5.0, 5.0), "tspan": (1, 12), "period": "month"}]
LIMITS: Final = np.broadcast_to(np.array([-5.0, -3.0, 3.0, 5.0]), (1, 12, 4))


class Case(NamedTuple):
    """A test both ways: of a record, and of the values and times of one series."""

    name: str
    ours: Callable[[Record], U8]
    """In one block; the clock runs over all blocks."""
    theirs: Callable[[F64, np.ndarray], np.ndarray]


CASES: Final = (
    Case(
        "gross range",
        lambda record: qartod.gross_range(
            record, *np.array([[-5.0], [5.0], [-3.0], [3.0]]).repeat(len(record.counts), 1)
        ),
        lambda value, _: ioos.gross_range_test(value, (-5, 5), (-3, 3)),
    ),
    Case(
        "spike, average",
        lambda record: qartod.spike(record, 1.5, 3.0),
        lambda value, _: ioos.spike_test(value, 1.5, 3.0),
    ),
    Case(
        "spike, differential",
        lambda record: qartod.spike(record, 1.5, 3.0, qartod.Spike.DIFFERENTIAL),
        lambda value, _: ioos.spike_test(value, 1.5, 3.0, "differential"),
    ),
    Case(
        "rate of change",
        lambda record: qartod.rate_of_change(record, 2.0, 4.0),
        lambda value, when: ioos.rate_of_change_test(value, when, 2.0, 4.0),
    ),
    Case(
        "flat line",
        lambda record: qartod.flat_line(record, 10, 30, 0.05),
        lambda value, when: ioos.flat_line_test(value, when, 10, 30, 0.05),
    ),
    Case(
        "attenuated signal",
        lambda record: qartod.attenuated_signal(record, 0.8, 0.4, 30),
        lambda value, when: ioos.attenuated_signal_test(value, when, 0.8, 0.4, test_period=30),
    ),
    Case(
        "climatology",
        lambda record: qartod.climatology(record, np.broadcast_to(LIMITS, (len(record.counts), 12, 4))),
        lambda value, when: ioos.climatology_test(MEMBERS, value, when, np.full(len(value), np.nan)),
    ),
    Case(
        "time gap",
        lambda record: qartod.time_gap(record, 0.01),
        lambda _, when: ioos.time_gap_test(when, 0.01),
    ),
)


def minute(n_series: int, rng: np.random.Generator) -> Record:
    """One minute of noise, a hundredth of it missing; every tenth series stands still for half of it."""
    value = rng.normal(0.0, 1.0, (n_series, SAMPLES))
    value[::10, SAMPLES // 2 :] = value[::10, SAMPLES // 2, None]
    value[rng.random(value.shape) < 0.01] = np.nan
    times = BEGIN_MS + 1000 * PERIOD_S * np.arange(SAMPLES)
    return Record(value.ravel(), np.tile(times, n_series), np.full(n_series, SAMPLES))


def seconds(work: Callable[[], object], runs: int) -> list[float]:
    """How long some runs take each."""
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return found


def series_by_series(case: Case, record: Record, n_series: int) -> list[int]:
    """The flags of the first series by ioos-qc."""
    when = record.time_ms[:SAMPLES].astype("datetime64[ms]")
    value = record.value.reshape(-1, SAMPLES)[:n_series]
    return [int(flag) for one in value for flag in np.asarray(case.theirs(one, when))]


def measure(case: Case, record: Record, share: int, runs: int) -> tuple[float, float]:
    """Print one line; the median seconds of both for all series."""
    fresh = (Record(record.value, record.time_ms, record.counts) for _ in range(runs + 1))
    flags = qartod.in_blocks(case.ours, next(fresh))[: share * SAMPLES]
    ours = seconds(lambda: qartod.in_blocks(case.ours, next(fresh)), runs)
    found: list[list[int]] = []
    theirs = seconds(lambda: found.append(series_by_series(case, record, share)), min(runs, 3))
    whole = [one * len(record.counts) / share for one in theirs]
    differ = int((flags[~record.missing[: len(flags)]] != np.array(found[0])[~record.missing[: len(flags)]]).sum())
    mine, others = statistics.median(ours), statistics.median(whole)
    spread = f"{1e3 * min(ours):.1f}-{1e3 * max(ours):.1f}"
    print(f"| {case.name} | {1e3 * mine:.1f} ({spread}) | {others:.1f} | {others / mine:.0f} | {differ} |", flush=True)
    return mine, others


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--share", type=int, default=300, help="series that ioos-qc is timed on")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    record = minute(options.series, np.random.default_rng(1))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )
    print(
        f"{options.series} series, {SAMPLES} samples each; flags of {options.share} series compared, missing rows aside"
    )
    print("| test | ours ms | ioos-qc s | times | flags that differ |\n|---|--:|--:|--:|--:|")
    found = [measure(case, record, options.share, options.runs) for case in CASES]
    ours, theirs = (sum(column) for column in zip(*found, strict=True))
    print(f"| all | {1e3 * ours:.0f} | {theirs:.1f} | {theirs / ours:.0f} | |")


if __name__ == "__main__":
    main()
