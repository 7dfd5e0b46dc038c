"""Carrying out commands: allow-list, range, drills, then the device; a pulse ends by itself, also after a restart."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog

from device_profiles.output_check import check_number
from edge_agent.outputs import Effect, Lines, switch
from gateway.outputs.allowed import Allowed
from gateway.remote.files import write_whole
from telemetry.orders import Command, Outcome, Switched

_LOG = structlog.get_logger()
_LONGEST_RETRY_S: Final = 60.0
_FAREWELL_S: Final = 3.0
Note = Callable[[Mapping[str, object]], None]
"""Writes a line into the account of what was done."""
Work = Callable[[str, frozenset[int]], str | None]
"""Says who works on a device, known by its name and what it measures; None where nobody does."""


class Outputs:
    """The outputs of one gateway. ``drill``: its devices are simulated, so it takes commands of drills alone."""

    def __init__(
        self, lines: Lines, outputs: Sequence[Allowed], folder: Path, note: Note, work: Work, *, drill: bool
    ) -> None:
        self._lines, self._note, self._work, self._drill = lines, note, work, drill
        self._path = folder / "pulses.json"
        self._open: dict[str, int] = dict.fromkeys(_left_open(self._path), 0)
        """Outputs away from rest that must go back, with the number of the pulse."""
        self._overdue: set[str] = set()
        self._turns: dict[str, asyncio.Lock] = {}
        self._releases: asyncio.TaskGroup | None = None
        self._pulses = 0
        self._allowed = _by_name(outputs)

    async def change(self, outputs: Sequence[Allowed], gone: Sequence[str]) -> None:
        """These may be commanded from now on. ``gone`` are buses whose lines are about to go, if only to come anew.

        A pulse that could not be ended any more, or at another device, is ended first, for as long as a stop may take.
        """
        before, self._allowed = self._allowed, _by_name(outputs)
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                for name, output in before.items():
                    if output == self._allowed.get(name) and output.plan.spot.bus not in gone:
                        continue
                    async with self._turns.setdefault(name, asyncio.Lock()):
                        if name in self._open:
                            await self._ended(name, output)

    async def run(self) -> None:
        """End pulses until cancelled; what an earlier run left away from rest goes back at once."""
        async with asyncio.TaskGroup() as tasks:
            self._releases = tasks
            for name in list(self._open):
                self._end_pulse(name, 0.0)
            try:
                await asyncio.Event().wait()
            finally:
                await self._rest_all()

    async def _rest_all(self) -> None:
        """A gateway that is stopped leaves no pulse behind; what does not work now is done by the next start."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                for name in list(self._open):
                    await self._ended(name, self._allowed.get(name))
        for output in self._allowed.values():
            with suppress(KeyError):
                self._lines.line(output.plan.spot.bus).close()  # it may have been opened again for that

    @property
    def pulsing(self) -> tuple[str, ...]:
        """Outputs in a pulse that will end; not those that can't be brought back, which may need another line."""
        return tuple(name for name in self._open if name not in self._overdue)

    @property
    def away(self) -> tuple[str, ...]:
        """Outputs that are away from rest and must go back."""
        return tuple(self._open)

    def refusal(self, command: Command) -> str | None:
        """Why a command is not even tried, None when it is."""
        output = self._allowed.get(command.output)
        if output is None:
            return f"unknown output {command.output!r}, expected one of: {', '.join(self._allowed) or 'none at all'}"
        if self._drill and not command.drill:
            return "this gateway is a drill, expected a command that is marked as one"
        if command.drill and not output.drills:
            return f"{output.name} takes no part in drills, expected drills: true in gateway.yaml"
        if not output.low <= command.value <= output.high:
            return f"{command.value:g} is out of range, expected {output.low:g} to {output.high:g}"
        if command.value != output.plan.safe and (work := self._work(output.device, output.series)) is not None:
            return f"{work}, expected nobody at work on {output.device}"
        try:
            check_number(output.plan.spot.register, command.value)
        except ValueError as exc:
            return str(exc)
        return None

    async def carry_out(self, command: Command, late: Callable[[], str | None]) -> tuple[Effect, Switched]:
        """Switch an output; commands to one output keep their order. ``late`` says why it counts no more."""
        started_s = time.monotonic()
        async with self._turns.setdefault(command.output, asyncio.Lock()):
            effect = await self._carry_out(command, late)
        took_ms = round((time.monotonic() - started_s) * 1000, 1)
        return effect, Switched(
            output=command.output,
            value=command.value,
            read_back=effect.read_back,
            took_ms=took_ms,
            drill=command.drill,
        )

    async def _carry_out(self, command: Command, late: Callable[[], str | None]) -> Effect:
        reason = self.refusal(command) or late()
        if reason is not None:
            return Effect(Outcome.REFUSED, reason)
        output = self._allowed[command.output]
        if command.value == output.plan.safe:
            return await self._rest(output)
        was_open = output.name in self._open
        if output.pulse_s is not None:
            await self._remember(output.name)
        effect = await switch(self._lines, output.plan, command.value)
        if output.pulse_s is not None and effect.outcome is not Outcome.REFUSED:
            self._end_pulse(output.name, output.pulse_s)
        elif not was_open:
            await self._forget(output.name)
        return effect

    async def _rest(self, output: Allowed) -> Effect:
        effect = await switch(self._lines, output.plan, output.plan.safe)
        if effect.outcome is Outcome.DONE:
            await self._forget(output.name)
        return effect

    def _end_pulse(self, name: str, after_s: float) -> None:
        """Bring an output back to rest later; a pulse that begins meanwhile takes its place."""
        self._pulses += 1
        self._open[name] = self._pulses
        self._overdue.discard(name)
        if self._releases is not None:
            self._releases.create_task(self._release(name, self._pulses, after_s), name=f"end of pulse {name}")

    async def _release(self, name: str, pulse: int, wait_s: float) -> None:
        """Try until it reads back as at rest: a siren that can't be silenced is not given up."""
        retry_s = 1.0
        while True:
            await asyncio.sleep(wait_s)
            async with self._turns.setdefault(name, asyncio.Lock()):
                if self._open.get(name) != pulse:
                    return
                if await self._ended(name, self._allowed.get(name)):
                    return
            wait_s, retry_s = retry_s, min(2 * retry_s, _LONGEST_RETRY_S)

    async def _ended(self, name: str, output: Allowed | None) -> bool:
        if output is None:
            _LOG.error("output left away from rest", output=name, reason="it stands in gateway.yaml no more")
            await self._account({"what": "pulse not ended", "output": name, "reason": "unknown output"})
            await self._forget(name)
            return True
        effect = await switch(self._lines, output.plan, output.plan.safe)
        entry = {"output": name, "outcome": effect.outcome, "reason": effect.reason}
        done = effect.outcome is Outcome.DONE
        (_LOG.info if done else _LOG.error)("end of pulse", **entry)
        if not done:
            self._overdue.add(name)
            return False
        # Accounted for before it is forgotten: a stop in between ends it twice, never unsaid.
        await self._account({"what": "pulse ended", **entry})
        await self._forget(name)
        return True

    async def _account(self, entry: Mapping[str, object]) -> None:
        await asyncio.to_thread(self._note, entry)

    async def _remember(self, name: str) -> None:
        self._open.setdefault(name, 0)
        await self._write()

    async def _forget(self, name: str) -> None:
        self._overdue.discard(name)
        if self._open.pop(name, None) is not None:
            await self._write()

    async def _write(self) -> None:
        """A disk that takes nothing must not keep a siren silent; what is lost is a pulse's end after a restart."""
        try:
            await asyncio.to_thread(write_whole, self._path, msgspec.json.encode(sorted(self._open)))
        except OSError as exc:
            _LOG.error("pulses can't be written", path=str(self._path), reason=exc.strerror)


def _by_name(outputs: Sequence[Allowed]) -> dict[str, Allowed]:
    return {output.name: output for output in outputs}


def _left_open(path: Path) -> list[str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[str])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as exc:
        _LOG.error("pulses can't be read", path=str(path), reason=str(exc))
        return []
