"""``petrel tide``: harmonic constants of a tide gauge, fitted from its record."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from petrel.commands.output import print_json, print_line, print_table
from petrel.errors import CommandError
from telemetry.series import series_id
from telemetry.span import MILLISECOND_NS, moment_ns

if TYPE_CHECKING:
    from petrel.tide import Fit, Record

app = typer.Typer(no_args_is_help=True, help="Tides: fit the harmonic constants of a gauge.")
_QUANTITY: Final = "sea_level"
_ALWAYS_NS: Final = 2**61


@app.callback()
def tide() -> None:
    """Tides: fit the harmonic constants of a gauge."""


@app.command()
def fit(
    series: Annotated[str, typer.Argument(help="The gauge, as site/station/point.")],
    latitude: Annotated[float, typer.Option(help="Where it stands, degrees north.", min=-90, max=90)],
    csv: Annotated[Path | None, typer.Option(help="A record: columns time and value, heights in m.")] = None,
    store: Annotated[Path | None, typer.Option(help="The store of a centre that is not running.")] = None,
    centre: Annotated[str | None, typer.Option(help="Where a running centre answers.", metavar="URL")] = None,
    begin: Annotated[str | None, typer.Option("--from", help="ISO 8601 with offset; all without it.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO 8601 with offset; up to, and without, it.")] = None,
    timezone: Annotated[str, typer.Option(help="Of times in the CSV that have no offset.")] = "UTC",
    datum: Annotated[str, typer.Option(help="What the heights count from, as deployments call it.")] = "gauge",
    least_snr: Annotated[float, typer.Option(help="Keep constituents with at least this signal to noise.")] = 2.0,
    out: Annotated[Path | None, typer.Option(help="Write the constants to this YAML file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw record, tide and what is left over to this SVG.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Machine output: one JSON object.")] = False,
) -> None:
    """Fit constants to a record of 15 days or more (a year is better); prints amplitude, phase, signal to noise."""
    from ingest.derived.tide import Constants
    from petrel import tide as fitting
    from petrel.tide_plot import svg

    asked = Asked(*_names(series), *_span(begin, end), timezone)
    record, origin = _record(asked, csv, store, centre)
    record = fitting.between(record, asked.begin_ns, asked.end_ns)
    named = Constants(
        station=asked.station, point=asked.point, latitude=latitude, datum=datum, mean=0.0,
        source=f"petrel tide fit from {origin}, {fitting.days_of(record)}", constituents=(),
    )  # fmt: skip
    found = fitting.fit(record, named, least_snr)
    for path, text in ((out, fitting.as_yaml(found.constants)), (plot, svg(found))):
        if path is not None:
            _write(path, text)
    if json:
        print_json({"constants": found.constants, "found": found.found, "days": round(found.days, 2)})
    else:
        _say(found)


class Asked(NamedTuple):
    """Which record, from when up to, and without, when."""

    site: str
    station: str
    point: str
    begin_ns: int
    end_ns: int
    timezone: str

    @property
    def id(self) -> int:
        """The identity of the series."""
        return series_id(self.site, self.station, self.point, _QUANTITY)


def _record(asked: Asked, csv: Path | None, store: Path | None, centre: str | None) -> "tuple[Record, str]":
    """The record, and where it is from; exactly one of the three must be given."""
    from petrel import tide as fitting

    if [csv, store, centre].count(None) != 2:
        raise CommandError("expected one of --csv, --store and --centre", code=2)
    if csv is not None:
        return fitting.from_csv(csv, asked.timezone, asked.station, asked.point), csv.name
    if store is not None:
        return _stored(asked, store), store.name
    return _told(asked, str(centre)), str(centre)


def _stored(asked: Asked, path: Path) -> "Record":
    from ingest.store.duckdb import DuckDBStore
    from ingest.store.protocol import StoreError
    from petrel import tide as fitting
    from petrel.errors import in_one_line

    if not path.is_file():
        raise CommandError(f"--store {path}: no such file, expected the store of a centre", code=2)
    with in_one_line(StoreError):
        store = DuckDBStore(path)
        try:
            points = store.points(asked.id, asked.begin_ns, asked.end_ns)
        finally:
            store.close()
    return fitting.from_rows(points.time_ns, points.value, points.quality)


def _told(asked: Asked, centre: str) -> "Record":
    import numpy as np

    from petrel import tide as fitting
    from petrel.desk import desk
    from telemetry.quality import Quality

    with desk(centre) as open_desk:
        times, values, names = open_desk.points(asked.id, asked.begin_ns, asked.end_ns)
    quality = np.array([Quality[name.upper()] for name in names], np.int64)
    heights = np.array([float("nan") if value is None else value for value in values])
    return fitting.from_rows(np.array(times, np.int64) * MILLISECOND_NS, heights, quality)


def _say(found: "Fit") -> None:
    constants = found.constants
    kept = {one.name for one in constants.constituents}
    rows = [
        (one.name, f"{one.amplitude:.4f}", f"{one.phase:.1f}", f"{one.snr:.3g}", "" if one.name in kept else "left out")
        for one in found.found
    ]
    print_table(("constituent", "amplitude m", "phase deg", "signal to noise", ""), rows)
    greatest = max(map(abs, found.residual.tolist()))
    print_line(
        f"{len(found.record.height)} samples over {found.days:.1f} days; mean {constants.mean:.3f} m over "
        f"{constants.datum}; {len(kept)} of {len(found.found)} constituents kept; left over: RMS "
        f"{constants.rms:.3f} m, greatest {greatest:.2f} m"
    )


def _names(series: str) -> tuple[str, str, str]:
    parts = series.split("/")
    if len(parts) != 3 or not all(parts):
        raise CommandError(f"{series!r}, expected site/station/point such as xiuyu/tide-xiuyu/level", code=2)
    return parts[0], parts[1], parts[2]


def _span(begin: str | None, end: str | None) -> tuple[int, int]:
    try:
        return (0 if begin is None else moment_ns(begin)), (_ALWAYS_NS if end is None else moment_ns(end))
    except ValueError as exc:
        raise CommandError(f"--from, --to: {exc}", code=2) from exc


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise CommandError(f"{path}: {exc.strerror}, expected a file that can be written") from exc
