"""``petrel coverage``: how much of what should report does, now or on some days."""

from typing import Annotated, Literal

import msgspec
import typer

from petrel.commands.alarm import DEFAULT_CENTRE, Centre, Json
from petrel.commands.output import print_json, print_line, print_table
from telemetry.series import Text

By = Literal["series", "station", "town", "kind", "site"]


class Cell(msgspec.Struct, frozen=True):
    """What is expected, and what of it reports."""

    expected: int
    reporting: int
    good: int
    coverage: float | None
    kind: str | None = None
    town_name: Text | None = None
    kind_name: Text | None = None
    town: str | None = None


class Network(msgspec.Struct, frozen=True):
    """Stations."""

    total: Cell
    towns: tuple[Cell, ...]
    kinds: tuple[Cell, ...]


class Risks(msgspec.Struct, frozen=True):
    """Risk sources."""

    total: Cell
    kinds: tuple[Cell, ...]


class Coverage(msgspec.Struct, frozen=True):
    """Coverage now."""

    at: str
    sample: bool
    network: Network
    risks: Risks


class DayShare(msgspec.Struct, frozen=True):
    """A day of a group."""

    day: str
    key: str
    name: Text
    expected: int
    received: int
    completeness: float | None
    good_share: float | None
    timeliness: float | None


def coverage(
    centre: Centre = DEFAULT_CENTRE,
    day: Annotated[
        str | None, typer.Option(help="Completeness and timeliness of a day, such as 2023-07-28, instead of now.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help="Of all days from this one to --day.")] = None,
    by: Annotated[
        By, typer.Option(help="What days are summed by: series, station, town, kind or site.", metavar="GROUP")
    ] = "station",
    json: Json = False,
) -> None:
    """Show coverage now (感知网络覆盖率) per town, kind and risk source, or completeness per day with --day."""
    from petrel.desk import desk

    with desk(centre) as open_desk:
        if day is not None or since is not None:
            asked = {key: value for key, value in (("to", day), ("from", since)) if value is not None}
            found = open_desk.everything("/api/v1/completeness", {**asked, "by": by, "limit": 1_000})
            _show_days(found, json=json)
            return
        now = open_desk.read("/api/v1/coverage", {}, msgspec.Raw)
    if json:
        print_json(now)
    else:
        _show(msgspec.json.decode(now, type=Coverage))


def _show(now: Coverage) -> None:
    """Three tables, the last lines of which are the totals."""
    if now.sample:
        print_line("示例数据 sample data: the register is invented")
    columns = ("expected", "reporting", "good", "coverage")
    towns = [(_both(one.town_name) or one.town or "?", *_row(one)) for one in now.network.towns]
    title = f"感知网络覆盖率 sensing network, {now.at}"
    print_table(("town", *columns), [*towns, ("all 合计", *_row(now.network.total))], title=title)
    print_line("")
    print_table(("kind", *columns), [(one.kind, *_row(one)) for one in now.network.kinds])
    print_line("")
    risks = [(_both(one.kind_name), *_row(one)) for one in now.risks.kinds]
    title = "风险源监测覆盖率 risk sources"
    print_table(("risk sources", *columns), [*risks, ("all 合计", *_row(now.risks.total))], title=title)


def _show_days(found: list[msgspec.Raw], *, json: bool) -> None:
    if json:
        print_json(found)
        return
    rows = [msgspec.json.decode(raw, type=DayShare) for raw in found]
    if not rows:
        print_line("nothing counted on these days 无统计")
        return
    print_table(
        ("day", "what", "expected", "received", "complete\n完整率", "good\n有效率", "in time\n及时率"),
        [(one.day, _both(one.name), one.expected, one.received, *map(_percent, _shares(one))) for one in rows],
    )


def _shares(one: DayShare) -> tuple[float | None, ...]:
    return one.completeness, one.good_share, one.timeliness


def _row(cell: Cell) -> tuple[str, ...]:
    return str(cell.expected), str(cell.reporting), str(cell.good), _percent(cell.coverage)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _both(text: Text | None) -> str:
    return "" if text is None else f"{text.en} {text.zh}"
