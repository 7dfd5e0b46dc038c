"""``petrel alarm``: what a centre warns of, and acknowledging it, over the centre's HTTP interface."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from petrel.commands.output import print_json, print_line, print_table
from petrel.errors import CommandError
from telemetry.series import Text

if TYPE_CHECKING:
    from petrel.desk import Alarm, Desk, Query

app = typer.Typer(no_args_is_help=True, help="Alarms of a running centre: list them, acknowledge one.")
Centre = Annotated[str, typer.Option(help="Where the centre answers.", metavar="URL")]
Json = Annotated[bool, typer.Option("--json", help="Machine output: all that the centre says.")]
DEFAULT_CENTRE: Final = "http://127.0.0.1:8460"
_SHOWN: Final = 8
"""Characters of an identity in the table."""
_STATES: Final = {
    "unacknowledged": "未确认",
    "acknowledged": "已确认",
    "cleared_unacknowledged": "已解除未确认",
    "cleared": "已解除",
}
_OUTCOMES: Final = {
    "no_data": Text("无数据", "no data"),
    "suspect": Text("存疑", "suspect"),
    "cleared": Text("已解除", "cleared"),
}


@app.command("list")
def list_alarms(
    centre: Centre = DEFAULT_CENTRE,
    level: Annotated[str, typer.Option(help="At least this level: blue, yellow, orange, red (or 1 to 4).")] = "0",
    hazard: Annotated[str | None, typer.Option(help="Of this hazard, e.g. flood.")] = None,
    area: Annotated[str | None, typer.Option(help="Code of the area, or id of the station or pipeline.")] = None,
    state: Annotated[list[str] | None, typer.Option(help=f"{', '.join(_STATES)}; may be given repeatedly.")] = None,
    json: Json = False,
) -> None:
    """List alarms, newest change first. Without a filter: all that the centre holds, the cleared ones too."""
    from petrel.desk import Alarm, desk

    for one in state or ():
        if one not in _STATES:
            raise CommandError(f"--state {one!r}, expected one of {', '.join(_STATES)}", code=2)
    chosen = {"level": _level(level), "hazard": hazard, "area": area, "state": state}
    query: Query = {key: value for key, value in chosen.items() if value is not None}
    with desk(centre) as open_desk:
        found = open_desk.alarms(query)
    if json:
        print_json(found)
    elif found:
        rows = [_row(msgspec.json.decode(raw, type=Alarm)) for raw in found]
        print_table(("id", "level", "raised", "what", "state"), rows)
    else:
        print_line("no alarms 无告警")


@app.command()
def ack(
    alarm: Annotated[str, typer.Argument(help="Id of the alarm, or as much of its beginning as tells it apart.")],
    by: Annotated[str, typer.Option(help="Who acknowledges.", metavar="NAME")],
    note: Annotated[str, typer.Option(help="What you say to it.")] = "",
    version: Annotated[
        int | None, typer.Option(help="The version that you saw; without it, the newest, which is shown.", min=1)
    ] = None,
    centre: Centre = DEFAULT_CENTRE,
    json: Json = False,
) -> None:
    """Acknowledge an alarm. When it changed after the version that you name, it is refused (exit code 1)."""
    from petrel.desk import desk

    with desk(centre) as open_desk:
        seen = _named(open_desk, alarm)
        if not json:
            print_line(_lines(seen))
        now = open_desk.acknowledge(seen.id, version or seen.version, by, note)
    if json:
        print_json(now)
    elif now.acknowledged_by == by.strip():
        print_line(f"acknowledged 已确认: {now.id[:_SHOWN]} v{now.version}, {now.acknowledged_by}")
    else:
        print_line(f"was acknowledged before 此前已确认: {now.id[:_SHOWN]} v{now.version}, {now.acknowledged_by}")


def _level(text: str) -> int:
    from alerting.site import LEVEL_NAMES

    names = [name.en for name in LEVEL_NAMES]
    if text in names:
        return names.index(text)
    if text.isascii() and text.isdigit() and int(text) < len(names):
        return int(text)
    raise CommandError(f"--level {text!r}, expected one of {', '.join(names)}, or 0 to {len(names) - 1}", code=2)


def _named(desk: "Desk", beginning: str) -> "Alarm":
    """The one alarm whose identity begins so; raises CommandError where there is none, or are several."""
    from petrel.desk import Alarm

    alarms = [msgspec.json.decode(raw, type=Alarm) for raw in desk.alarms({})]
    found = [one for one in alarms if one.id.startswith(beginning)] if beginning else []
    if not found:
        raise CommandError(f"no alarm {beginning!r}, expected an id as `petrel alarm list` shows it")
    if len(found) > 1:
        names = ", ".join(one.id[: max(_SHOWN, len(beginning) + 4)] for one in found[:4])
        more = ", ..." if len(found) > 4 else ""
        raise CommandError(f"{len(found)} alarms begin with {beginning!r} ({names}{more}), expected one")
    return found[0]


def _row(alarm: "Alarm") -> tuple[str, ...]:
    """Every cell in English over Chinese; the texts carry the mark of a drill."""
    level, raised = _level_name(alarm), datetime.fromisoformat(alarm.raised_at)
    return (
        f"{alarm.id[:_SHOWN]}\nv{alarm.version}",
        f"{level.en}\n{level.zh}",
        f"{raised:%m-%d %H:%M}",
        f"{alarm.text.en}\n{alarm.text.zh}",
        f"{alarm.state.replace('_', ' ')}\n{_STATES.get(alarm.state, '')}\n{alarm.acknowledged_by or ''}".rstrip(),
    )


def _lines(alarm: "Alarm") -> str:
    """An alarm in one line for each language."""
    level = _level_name(alarm)
    return f"{alarm.id[:_SHOWN]} v{alarm.version} {level.en}: {alarm.text.en}\n{level.zh}:{alarm.text.zh}"


def _level_name(alarm: "Alarm") -> Text:
    from alerting.site import LEVEL_NAMES

    return _OUTCOMES.get(alarm.outcome) or LEVEL_NAMES[alarm.level]
