"""Admission: which of the messages become batches of the record, checked, and what the others are answered."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import msgspec
import numpy as np
import structlog

from ingest.afterwards import Reviser
from ingest.catalogue import I32, Catalogue, Entry, Verdict
from ingest.claims import Claims
from ingest.commit import Commit
from ingest.decoding import Bad, decode_all
from ingest.intake import Message
from ingest.presence import PresenceBook
from ingest.qc.control import QualityControl
from ingest.replies import Answers
from ingest.salvage import identity
from telemetry.batch import Batch
from telemetry.clock import Clock
from telemetry.faults import Fault
from telemetry.wire import Announce, decode

_LOG: Final = structlog.get_logger(__name__)
_ASK_EVERY_S: Final = 1.0
_MOST_ASKED: Final = 1024
_MOST_REMEMBERED_ROWS: Final = 2_000_000

Name = tuple[str, int, int]
"""Of a batch: source, epoch, seq."""


def name_of(batch: Batch) -> Name:
    """The identity of a batch for ever."""
    return batch.source, batch.epoch, batch.seq


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something wrong with a gateway that no acknowledgement can tell it: for the log and the health page."""

    source: str
    reason: str
    malformed: bool = False


class Admitted(NamedTuple):
    """What counts of an announcement, for the store; ``anew``: others gave way, so it is the last word again."""

    source: str
    announce: Announce
    anew: bool


class Admission:
    """Decodes, refuses, checks. One thread uses it: the one that commits.

    A gateway must announce once in the life of the centre before its rows are taken, even if an earlier run knew it:
    it may have become a drill meanwhile, and only the announcement says so.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        control: QualityControl,
        clock: Clock,
        presence: PresenceBook,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.faults: Counter[Fault] = Counter()
        """Batches and announcements that were refused since start, whole or in part, by cause."""
        self._catalogue = catalogue
        self._control = control
        self._reviser = Reviser(catalogue)
        self._clock = clock
        self._now_s = now_s
        self._claims = Claims(presence, now_s)
        self._heard: dict[str, int] = {}
        self._own: deque[tuple[str, Announce]] = deque()
        self._asked_s: dict[str, float] = {}
        self._remembered: dict[tuple[str, bytes], I32] = {}
        self._remembered_rows = 0
        self._revision = -1
        self._strangers: dict[str, dict[tuple[int, int], int]] = {}

    def restore(self, announcements: Sequence[tuple[str, bytes]]) -> None:
        """Learn what an earlier run of the centre knew; what would be refused now is dropped, and said once."""
        for source, payload in announcements:
            try:
                verdict = self._catalogue.announce(source, decode(payload, Announce), _last_wins)
            except ValueError as exc:
                _LOG.warning("saved announcement dropped", source=source, reason=str(exc))
                continue
            self._learn(verdict)
            if reasons := [*filter(None, [verdict.reason]), *(f"{path}: {reason}" for path, reason in verdict.refused)]:
                _LOG.warning("saved announcement dropped in part", source=source, reason=reasons[0], n=len(reasons))

    @property
    def memory_ns(self) -> int:
        """How far back the rows for ``warm`` must begin."""
        return self._control.memory_ns

    def warm(self, commits: Iterable[Commit]) -> None:
        """Remember the rows of an earlier run, so that a restart leaves no row without its neighbours."""
        for commit in commits:
            for batch in commit.batches:
                places = self._catalogue.places(batch.series)
                self._control.warm(places, batch.time_ns, batch.value, batch.quality, batch.cause)

    def announce(self, message: Message) -> tuple[Admitted | None, Complaint]:
        """Take over an announcement; None when nothing of it can be used."""
        try:
            announce = decode(message.payload, Announce)
        except ValueError as exc:
            self.faults[Fault.ANNOUNCEMENT] += 1
            return None, Complaint(message.source, f"announcement: {exc}", malformed=True)
        self._heard[message.source] = self._heard.get(message.source, 0) + 1
        return self._take_over(message.source, announce)

    def announce_own(self, source: str, announce: Announce) -> None:
        """Take over what the centre itself derives; may be called by any thread, and counts from the next round on.

        It is not kept: what is derived follows from what the gateways announced.
        """
        self._own.append((source, announce))

    def take_own(self) -> None:
        """Let the announcements of ``announce_own`` count."""
        while self._own:
            source, announce = self._own.popleft()
            self._heard[source] = self._heard.get(source, 0) + 1
            verdict = self._catalogue.announce(source, announce)
            self._learn(verdict)
            if verdict.refused:
                path, reason = verdict.refused[0]
                _LOG.warning("not derived", series=path, reason=reason, refused=len(verdict.refused))

    def settle(self, answers: Answers) -> list[tuple[Admitted | None, Complaint]]:
        """Give gateways what they claim and whose owners are gone meanwhile; they are asked for their rows."""
        self.take_own()
        ripe = self._claims.ripe()
        for source, _ in ripe:
            answers.ask(source)
        return [self._take_over(source, announce) for source, announce in ripe]

    def _take_over(self, source: str, announce: Announce) -> tuple[Admitted | None, Complaint]:
        verdict = self._catalogue.announce(source, announce, self._claims.judge(source))
        self._learn(verdict)
        self._claims.put(source, announce, verdict.contested)
        for owner, n in Counter(owned.source for owned in verdict.replaced).items():
            _LOG.warning("gateway replaced", source=source, was=owner, series=n)
        if verdict.reason is not None or verdict.refused:
            self.faults[Fault.ANNOUNCEMENT] += 1
        if verdict.reason is not None:
            return None, Complaint(source, verdict.reason)
        return Admitted(source, _accepted(announce, verdict), bool(verdict.replaced)), Complaint(source, _why(verdict))

    def decode(self, messages: Sequence[Message], answers: Answers) -> tuple[list[Batch], list[Complaint]]:
        """Unpack batches; a malformed one is refused by name where it still says its name."""
        found = decode_all(messages)
        return found.batches, [self._malformed(bad, answers) for bad in found.bad]

    def check(self, batches: Sequence[Batch], answers: Answers) -> list[Batch]:
        """The batches whose rows may enter the record, with the verdict of quality control; the others are answered."""
        taken: list[Batch] = []
        found: list[I32] = []
        for batch in batches:
            places = self._places(batch, answers) if self._may_send(batch, answers) else None
            if places is not None:
                taken.append(batch)
                found.append(places)
        return self._controlled(taken, np.concatenate(found)) if taken else []

    def afterwards(self) -> list[Batch]:
        """Rows of earlier groups, with what those of ``check`` have shown about them since this was asked last."""
        return list(self._reviser.batches(self._control.afterwards()))

    def _learn(self, verdict: Verdict) -> None:
        changed: tuple[Entry, ...] = verdict.changed
        self._control.learn([(entry.place, entry.series, entry.station.lat, entry.station.lon) for entry in changed])

    def _malformed(self, bad: Bad, answers: Answers) -> Complaint:
        self.faults[bad.error.fault] += 1
        name = identity(bad.payload)
        if name is not None:
            answers.refused(bad.source, *name, str(bad.error))
        return Complaint(bad.source, f"data: {bad.error}", malformed=True)

    def _refuse(self, batch: Batch, fault: Fault, reason: str, answers: Answers) -> None:
        self.faults[fault] += 1
        answers.refused(*name_of(batch), reason)

    def _may_send(self, batch: Batch, answers: Answers) -> bool:
        reason = self._catalogue.refusal(batch.source)
        mixed = self._catalogue.contradiction(batch.source, batch.series)
        if reason is not None:
            self._refuse(batch, Fault.GATEWAY, reason, answers)
        elif mixed is not None:
            self._refuse(batch, Fault.UNIT, mixed, answers)
        elif batch.source not in self._heard:
            self._ask(batch.source, answers)
        else:
            return True
        return False

    def _places(self, batch: Batch, answers: Answers) -> I32 | None:
        """Places of the rows, or None when a series was never announced by this gateway, which is then answered.

        A poll names the same series each time, so its places are remembered by the bytes of the column: to search for
        each row costs as much as to write it.
        """
        if self._revision != self._catalogue.revision or self._remembered_rows > _MOST_REMEMBERED_ROWS:
            self._remembered, self._remembered_rows, self._revision = {}, 0, self._catalogue.revision
        key = batch.source, batch.series.tobytes()
        places = self._remembered.get(key)
        if places is None:
            places = self._catalogue.places(batch.series)
            own = bool(np.all(self._catalogue.owners(places) == self._catalogue.number(batch.source)))
            if not own and not self._catalogue.has_announced(batch.source, batch.series):
                self._strange(batch, answers)
                return None
            self._remembered[key] = places
            self._remembered_rows += len(places)
        return places

    def _strange(self, batch: Batch, answers: Answers) -> None:
        """Ask for the announcement of a series; refuse the batch when the gateway announced since and still not it."""
        if self._claims.is_undecided(batch.source):
            self._ask(batch.source, answers)
            return
        asked = self._strangers.setdefault(batch.source, {})
        announced = self._heard[batch.source]
        reason = self._catalogue.refusal(batch.source, batch.series)
        if reason is None and asked.setdefault((batch.epoch, batch.seq), announced) < announced:
            unknown = batch.series[~self._catalogue.known(batch.series)]
            reason = f"series {unknown[0] if len(unknown) else batch.series[0]} is in no announcement of {batch.source}"
        if reason is None:
            self._ask(batch.source, answers)
            while len(asked) > _MOST_ASKED:
                del asked[next(iter(asked))]
        else:
            asked.pop((batch.epoch, batch.seq), None)
            self._refuse(batch, Fault.UNKNOWN_SERIES, reason, answers)

    def _ask(self, source: str, answers: Answers) -> None:
        now_s = self._now_s()
        if now_s - self._asked_s.get(source, -np.inf) >= _ASK_EVERY_S:
            self._asked_s[source] = now_s
            answers.ask(source)

    def _controlled(self, batches: Sequence[Batch], places: I32) -> list[Batch]:
        quality, cause = self._control.check(
            places,
            np.concatenate([batch.time_ns for batch in batches]),
            np.concatenate([batch.value for batch in batches]),
            np.concatenate([batch.quality for batch in batches]),
            np.concatenate([batch.cause for batch in batches]),
            self._clock.now_ns(),
            np.repeat(np.arange(len(batches)), [len(batch) for batch in batches]),
        )
        cuts = np.cumsum([len(batch) for batch in batches])[:-1]
        verdicts = zip(np.split(quality, cuts), np.split(cause, cuts), strict=True)
        return [replace(batch, quality=q, cause=c) for batch, (q, c) in zip(batches, verdicts, strict=True)]


def _last_wins(_owner: str, _period_s: float) -> bool:
    """Of what an earlier run saved, the newer one was accepted although the older one was there."""
    return True


def _accepted(announce: Announce, verdict: Verdict) -> Announce:
    """The announcement without what is refused, under a revision of its own."""
    if not verdict.refused:
        return announce
    revision = f"{announce.revision}, {len(verdict.accepted)} series"
    return msgspec.structs.replace(announce, revision=revision, series=verdict.accepted)


def _why(verdict: Verdict) -> str:
    """The first reason, and how many more there are; empty when everything counts and can be shown."""
    if not verdict.refused:
        return next(iter(verdict.doubts), "")
    (path, reason), more = verdict.refused[0], len(verdict.refused) - 1
    return f"series {path}: {reason}" + (f" (and {more} more)" if more else "")
