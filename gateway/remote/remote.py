"""Everything of a gateway that takes orders, put together."""

import os
from collections.abc import Callable

import structlog

from edge_agent.acquisition import Acquisition
from gateway.mailbox import Mailbox
from gateway.outputs.outputs import Outputs, Work
from gateway.remote.desk import Configuration, Desk
from gateway.settings import GatewayPlan, RemotePlan
from telemetry.clock import Clock
from telemetry.disk import standing
from telemetry.settings import secret
from telemetry.signing import KEYS, Key, parse_keys

_LOG = structlog.get_logger()


class RemoteError(Exception):
    """Why no orders can be taken: one line. Rows are polled and delivered all the same."""


class Remote:
    """The desk with what it commands."""

    def __init__(self, desk: Desk, outputs: Outputs, configuration: Configuration | None, fixed: str | None) -> None:
        """``fixed`` says why the configuration can't be changed although it may; None where it can, or may not."""
        self.desk, self.outputs, self._configuration, self._fixed = desk, outputs, configuration, fixed

    def notes(self) -> list[str]:
        """What people should know of at this moment."""
        found = [f"output {name} is in a pulse" for name in self.outputs.away]
        if self._configuration is not None and (number := self._configuration.on_trial) is not None:
            found.append(f"version {number} of the configuration is on trial")
        return found if self._fixed is None else [*found, self._fixed]

    async def run(self) -> None:
        """Carry out orders until cancelled."""
        await self.desk.run(self.outputs, self._configuration, self._fixed)


def open_remote(
    plan: GatewayPlan,
    remote: RemotePlan,
    clock: Clock,
    mailbox: Mailbox,
    acquisition: Acquisition,
    work: Work,
    configure: Callable[[Desk, Outputs], Configuration | None],
) -> Remote:
    """Make ready to take orders, and say so to the mailbox; raises RemoteError.

    A full disk keeps the configuration as it is until the next start, but no siren silent.
    """
    keys, configuration, fixed = gateway_keys(), None, None
    try:
        desk = Desk(plan.source, keys, remote.folder, clock, mailbox)
        outputs = Outputs(acquisition, plan.outputs, remote.folder, desk.note, work, drill=plan.announce.drill)
    except OSError as exc:
        raise RemoteError(f"{remote.folder}: {exc.strerror}, expected a directory that can be written") from exc
    try:
        configuration = configure(desk, outputs)
    except OSError as exc:
        why = f"{remote.folder}: {exc.strerror}, expected a directory that can be written, and a restart then"
        fixed = f"the configuration can't be changed: {why}"
        _LOG.error("configuration", reason=fixed)
    mailbox.open(desk.inbox())
    _LOG.info("takes orders", keys=[key.name for key in keys], outputs=[one.name for one in plan.outputs])
    return Remote(desk, outputs, configuration, fixed)


def gateway_keys() -> tuple[Key, ...]:
    """The keys whose orders count; raises RemoteError."""
    try:
        text = secret(KEYS)
        if text is None:
            raise RemoteError(f"{KEYS} is not set, expected keys in it, or a file with keys in {KEYS}_FILE")
        return parse_keys(text)
    except ValueError as exc:
        raise RemoteError(f"{KEYS}: {exc}") from exc


def findings(remote: RemotePlan | None) -> list[str]:
    """What would keep a gateway from taking orders."""
    if remote is None:
        return []
    found = []
    try:
        gateway_keys()
    except RemoteError as exc:
        found.append(f"no orders would be taken: {exc}")
    places = [standing(remote.folder)]
    if remote.document is not None:
        places.append(remote.document.path.parent)
    found += [
        f"{place}: can't be written, expected a folder for orders and versions of the configuration"
        for place in dict.fromkeys(places)
        if not os.access(place, os.W_OK | os.X_OK)
    ]
    return found
