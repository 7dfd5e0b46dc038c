"""What a gateway says about itself to people at its side, also while it is not connected."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog

from device_profiles.attribute import SERIAL
from gateway.spool import Stats, holder, peek
from telemetry.clock import SECOND_NS
from telemetry.health import ClockHealth, LineUse
from telemetry.wire import Status

_LOG = structlog.get_logger()
_NAME: Final = "status.json"


class LocalStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The last status, and why nothing is delivered at present if so."""

    status: Status
    trouble: str | None


def write_status(spool_dir: Path, status: Status, trouble: str | None) -> None:
    """Leave the status beside the spool. A disk that takes nothing is told elsewhere, and stops nothing here."""
    path = spool_dir / _NAME
    fresh = path.with_suffix(".new")
    try:
        fresh.write_bytes(msgspec.json.encode(LocalStatus(status=status, trouble=trouble)))
        fresh.replace(path)
    except OSError as exc:
        _LOG.warning("status can't be written", path=str(path), reason=exc.strerror)


def read_status(spool_dir: Path) -> LocalStatus | None:
    """The last status that was left, or None when there is none that can be read."""
    try:
        return msgspec.json.decode((spool_dir / _NAME).read_bytes(), type=LocalStatus)
    except (OSError, msgspec.DecodeError):
        return None


def status_text(spool_dir: Path) -> str:
    """Lines for people about the gateway whose spool this is; opens nothing for writing and starts nothing."""
    stats, running, local = peek(spool_dir), holder(spool_dir), read_status(spool_dir)
    lines = [f"gateway    {f'running, process {running}' if running else 'not running'}", *_spool_lines(stats)]
    if local is not None:
        lines += _local_lines(local)
    return "\n".join(lines)


def _spool_lines(stats: Stats) -> list[str]:
    oldest = "" if stats.oldest_ns is None else f", oldest {_moment(stats.oldest_ns)}"
    lines = [f"spool      {stats.batches} batches, {stats.rows} rows, {stats.disk_bytes / 1e6:.1f} MB{oldest}"]
    if stats.corrupt_pieces or stats.torn_bytes:
        lines.append(f"damage     {stats.corrupt_pieces} corrupt pieces, {stats.torn_bytes} bytes torn off")
    return lines


def _local_lines(local: LocalStatus) -> list[str]:
    status = local.status
    hours = "unknown" if status.hours_until_full is None else f"{status.hours_until_full:.1f} h"
    lines = [
        f"as of      {_moment(status.time_ns)} ({status.presence})",
        f"delivery   {local.trouble or 'ok'}",
        f"rows       {status.polled_rows} polled, {status.acked_rows} acknowledged, {status.dropped_rows} given up",
        f"refused    {status.refused_batches} batches",
        f"full in    {hours}",
        f"drains     {_drain(status)}",
    ]
    lines += [f"line       {_line(status.line)}"] if status.line else []
    lines += [f"clock      {_clock(status.clock)}"] if status.clock else []
    lines += [f"note       {note}" for note in status.notes]
    return lines + [line for name, state in sorted(status.devices.items()) for line in _device(status, name, state)]


def _device(status: Status, name: str, state: str) -> list[str]:
    said = status.attributes.get(name)
    return [f"device     {name}: {state}", *([f"{'':11}{shown(said)}"] if said else [])]


def shown(said: Mapping[str, str]) -> str:
    """What a device says of itself, in a line, its serial number first."""
    return ", ".join(f"{name} {text}" for name, text in sorted(said.items(), key=lambda one: (one[0] != SERIAL, one)))


def _drain(status: Status) -> str:
    rate = status.drain_rows_per_s
    if rate is None:
        return "unknown"
    empty = f", empty in {status.spool_rows / rate / 60:.1f} min at that rate" if rate and status.spool_rows else ""
    return f"{rate:.1f} rows/s{empty}"


def _line(use: LineUse) -> str:
    quota = "" if use.quota_bytes is None else f" of {use.quota_bytes / 1e6:.1f} MB"
    return f"{use.day_bytes / 1e6:.3f} MB today ({use.day}), {use.month_bytes / 1e6:.3f} MB{quota} this month"


def _clock(clock: ClockHealth) -> str:
    state = "synchronised" if clock.synchronised else "not synchronised" if clock.known else "never set"
    held = f", {clock.held_rows} rows wait for it" if clock.held_rows else ""
    steps = f", set {clock.steps} times, last by {clock.last_step_s:+.3f} s" if clock.steps else ""
    return f"{state}{steps}{held}"


def _moment(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).astimezone().isoformat()
