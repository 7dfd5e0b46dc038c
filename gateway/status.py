"""What a gateway says about itself to people at its side, also while it is not connected."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog

from gateway.spool import Stats, holder, peek
from telemetry.clock import SECOND_NS
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
    ]
    return lines + [f"device     {name}: {state}" for name, state in sorted(status.devices.items())]


def _moment(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).astimezone().isoformat()
