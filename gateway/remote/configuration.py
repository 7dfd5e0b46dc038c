"""Changing a running gateway's configuration from afar: checked, tried, and kept only once it has proved itself.

text --checked--> version on disk --swap--> trial --passed--> gateway.yaml
                                              '--failed--> the buses of before, and the version says why

Until a trial is passed gateway.yaml stays as it was, so a gateway that dies at any moment starts with what has proved
itself. The spool is never touched.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from edge_agent.acquisition import Acquisition
from edge_agent.screen import Screen
from gateway.deployed import Deployed
from gateway.mailbox import Mailbox
from gateway.outputs.outputs import Outputs
from gateway.remote import change
from gateway.remote.change import Profiles, Setup, Step
from gateway.remote.trial import Trial, Verdict
from gateway.remote.versions import State, Versions, digest
from gateway.settings import GatewayPlan, RemotePlan
from gateway.spool import Stats
from gateway.uplink import Uplink
from telemetry.clock import Clock
from telemetry.orders import Answer, Change, ConfigOrder, Outcome, Verb, VersionNote
from telemetry.settings import SettingsError
from telemetry.signing import Key

_LOG = structlog.get_logger()
_TELL_S: Final = 5.0
"""So long the word that a trial begins may take to leave, before the way that it takes may be changed."""

Reply = Callable[[Answer, Key], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a running gateway that a configuration changes."""

    acquisition: Acquisition
    screen: Screen
    deployed: Deployed
    uplink: Uplink
    outputs: Outputs
    mailbox: Mailbox
    spool: Callable[[], Stats]


class RefusedError(Exception):
    """A change that is not made, and why."""


class RemoteConfiguration:
    """One gateway's configuration."""

    def __init__(
        self, plan: GatewayPlan, remote: RemotePlan, clock: Clock, parts: Parts, reply: Reply, trial_s: float
    ) -> None:
        """Bring the list of versions in line with what runs; raises OSError. ``reply`` is for answers in between."""
        if remote.document is None:
            raise ValueError("no document, expected the file that may be changed")
        self._path, self._clock, self._parts, self._trial_s = remote.document.path, clock, parts, trial_s
        self._now = Setup(self._path.read_text(encoding="utf-8"), remote.document, plan)
        self._versions = Versions(remote.folder / "versions")
        self._versions.settle(self._now.text, clock.now_ns())
        self._reply = reply
        self._busy = False

    @property
    def on_trial(self) -> int | None:
        """The version that is on trial."""
        return next((note.number for note in self._versions.notes() if note.state == State.TRIAL), None)

    async def carry_out(self, order: ConfigOrder, key: Key) -> Answer:
        """Answer a question, refuse a change, or see it through its trial."""
        if order.verb is Verb.LIST:
            return self._answer(order, Outcome.DONE, f"version {self._number} runs", versions=self._versions.notes())
        if self._busy:
            return self._answer(order, Outcome.REFUSED, "another change is on trial, expected none")
        self._busy = True
        try:
            return await self._change(order, key)
        except (RefusedError, SettingsError) as exc:
            return self._answer(order, Outcome.REFUSED, str(exc))
        except OSError as exc:
            place = exc.filename or self._path.parent
            return self._answer(order, Outcome.REFUSED, f"{place}: {exc.strerror}, expected a disk that takes it")
        finally:
            self._busy = False

    @property
    def _number(self) -> int:
        running = self._versions.running
        return -1 if running is None else running.number

    async def _change(self, order: ConfigOrder, key: Key) -> Answer:
        text = self._text(order)
        profiles = Profiles(self._path.parent, order.profiles)
        stays = False
        try:
            await asyncio.to_thread(profiles.write)
            there = change.step(self._now, await asyncio.to_thread(change.read, text, self._path))
            told = there.change(order.number, self._now)
            if change.is_same(self._now, there.to):
                raise RefusedError("it says the same as what runs, expected a change")
            if order.verb is Verb.DRY_RUN:
                return self._answer(order, Outcome.DONE, "valid; nothing was changed", change=told)
            answer = await self._try(order, key, there, told)
            stays = answer.outcome is Outcome.DONE
            return answer
        finally:
            if not stays:
                profiles.remove()

    def _text(self, order: ConfigOrder) -> str:
        """What is to be: as sent, or as it was; raises RefusedError."""
        if order.verb is not Verb.DRY_RUN:
            self._check_number(order)
        if order.verb is not Verb.ROLLBACK:
            return order.text
        try:
            return self._versions.text(order.to)
        except ValueError as exc:
            raise RefusedError(str(exc)) from exc

    def _check_number(self, order: ConfigOrder) -> None:
        """Refuse what is older than what has been, and what would overwrite what somebody changed at the gateway."""
        if order.number <= self._versions.highest:
            raise RefusedError(f"version {order.number}, expected {self._versions.highest + 1} or more")
        running = self._versions.running
        if running is None or digest(self._path.read_text(encoding="utf-8")) != running.digest:
            raise RefusedError(
                f"{self._path} was changed at the gateway and does not run yet, expected a restart first"
            )
        if pulsing := self._parts.outputs.pulsing:
            raise RefusedError(f"{', '.join(pulsing)} in a pulse, expected every output at rest: try again after it")

    async def _try(self, order: ConfigOrder, key: Key, there: Step, told: Change) -> Answer:
        note = VersionNote(
            number=order.number,
            digest=digest(there.to.text),
            key=key.name,
            by=order.by,
            time_ns=self._clock.now_ns(),
            state=State.TRIAL,
        )
        await asyncio.to_thread(self._versions.keep, note, there.to.text)
        reason = f"on trial for {self._trial_s:g} s"
        await self._tell(self._answer(order, Outcome.TRIAL, reason, change=told, final=False), key)
        before = self._now
        verdict = await self._tried(there)
        if verdict.passed:
            verdict = await asyncio.to_thread(self._confirm, order.number, verdict)
        if verdict.passed:
            return self._answer(order, Outcome.DONE, verdict.reason, change=told)
        await self._go(change.step(self._now, before))
        await asyncio.to_thread(self._note_rollback, order.number, verdict.reason)
        return self._answer(order, Outcome.FAILED, f"rolled back {verdict.reason}", change=told)

    async def _tried(self, there: Step) -> Verdict:
        """Swap, and watch."""
        states = self._parts.acquisition.devices()
        trial = Trial(
            buses=[bus.name for bus in there.fresh],
            before=states,
            trouble=self._parts.uplink.trouble,
            stats=self._parts.acquisition.stats,
            link=self._parts.uplink,
            spool=self._parts.spool,
        )
        await self._go(there)
        return await trial.run(self._trial_s)

    async def _go(self, there: Step) -> None:
        """Make a setup the one that runs; what is the same goes on."""
        plan, parts = there.to.plan, self._parts
        await parts.outputs.change(plan.outputs, there.gone)
        await parts.acquisition.swap(there.gone, there.fresh)
        parts.screen.change(plan.buses)
        parts.deployed.change(plan.buses)
        parts.uplink.redirect(plan.announce, plan.broker)
        self._now = there.to
        _LOG.info("configuration", buses=[bus.name for bus in plan.buses], fresh=[bus.name for bus in there.fresh])

    def _confirm(self, number: int, verdict: Verdict) -> Verdict:
        try:
            self._versions.confirm(number, self._path)
        except OSError as exc:
            return Verdict(False, f"since {self._path} can't be written: {exc.strerror}")
        except ValueError as exc:
            return Verdict(False, f"since {exc}")
        return verdict

    def _note_rollback(self, number: int, reason: str) -> None:
        with suppress(OSError):  # the next start finds it on trial, and says so
            self._versions.mark(number, State.ROLLED_BACK, reason)

    async def _tell(self, answer: Answer, key: Key) -> None:
        """Say that a trial begins, while the way is still the old one."""
        await self._reply(answer, key)
        await self._parts.mailbox.told(_TELL_S)

    def _answer(
        self,
        order: ConfigOrder,
        outcome: Outcome,
        reason: str,
        *,
        change: Change | None = None,
        versions: tuple[VersionNote, ...] = (),
        final: bool = True,
    ) -> Answer:
        return Answer(
            id=order.id,
            outcome=outcome,
            reason=reason,
            time_ns=self._clock.now_ns(),
            change=change,
            versions=versions,
            final=final,
        )
