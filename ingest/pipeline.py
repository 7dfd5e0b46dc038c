"""The pipeline: decode, check, commit what queued meanwhile, acknowledge, hand on to the engine.

    Intake --take--> Admission --> Waiting --group--> Store.commit --> Answers --> Replies (acknowledgement)
                     decode, QC       |                     |
                                      +-- store refuses --> +--------> on_commit (engine), in order --> "held"

A round runs in one thread that owns store, catalogue and quality control; the event loop keeps reading meanwhile, and
what it has queued when a round ends is the next group: nothing waits to be gathered.
"""

import asyncio
import time
from collections import abc
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import structlog

from ingest.admission import Admission, Admitted, Complaint, Name, name_of
from ingest.commit import Commit
from ingest.intake import WINDOW, Intake, Message
from ingest.presence import PresenceBook
from ingest.replies import Answers, Replies
from ingest.salvage import identity, is_backlog
from ingest.sequence import Sequence
from ingest.store.protocol import Store, StoreRefusedError
from ingest.waiting import Held, Waiting
from telemetry.batch import Batch
from telemetry.clock import Clock
from telemetry.progress import Progress
from telemetry.topics import Channel
from telemetry.wire import encode

_LOG: Final = structlog.get_logger(__name__)
_GROUP_ROWS: Final = 200_000
_LEAST_ROWS: Final = 20_000
_ROUND_S: Final = 0.15
_ROW_BYTES: Final = 10  # of a message; only how much is taken at once depends on it
_COMMITS_AHEAD: Final = 8
_PATIENCE_S: Final = 120.0
_RETRY_S: Final = (0.2, 5.0)


@dataclass(slots=True)
class _Round:
    """What one round did; ``then`` is what to answer once the engine has seen the commit."""

    answers: Answers = field(default_factory=Answers)
    complaints: list[Complaint] = field(default_factory=list)
    commit: Commit | None = None
    then: Answers = field(default_factory=Answers)


@dataclass(slots=True, kw_only=True)
class PipelineStats:
    """Counts since start, for health and metrics."""

    batches: int = 0
    rows: int = 0
    commits: int = 0
    duplicates: int = 0
    unstored_rows: int = 0
    doubted_rows: int = 0
    """Rows that were written again, since a later neighbour made them doubtful."""
    store_problem: str = ""
    """What the store refused with; empty while it works."""
    commit_lag_s: float = 0.0
    """Of the newest commit: real time from the arrival of its oldest batch."""
    decode_s: float = 0.0
    check_s: float = 0.0
    commit_s: float = 0.0
    """Processor time that rounds spent on decoding, on checks and admission, and in the store."""


class Pipeline:
    """From the intake to the engine. Rows are handed on exactly once in the life of the process.

    When the store refuses, rows are handed on at once as a commit that is not stored, and their gateway hears that they
    are held: it goes on with newer ones and sends these again later (ADR 0005). The commit that stores them later is
    handed on without those batches, so that only the engine's cursor moves. Should the process die in between, the
    gateway sends them to the next one, where they are evaluated again under the same alarm identities, which raises
    nothing twice.
    """

    def __init__(
        self,
        store: Store,
        admission: Admission,
        intake: Intake,
        replies: Replies,
        presence: PresenceBook,
        clock: Clock,
        on_commit: Callable[[Commit], Awaitable[None]],
        *,
        saved: Mapping[str, bytes] | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stats = PipelineStats()
        self.sequence = Sequence()
        self._store = store
        self._admission = admission
        self._intake = intake
        self._replies = replies
        self._presence = presence
        self._clock = clock
        self._on_commit = on_commit
        self._now_s = now_s
        self._waiting = Waiting(WINDOW)
        self._saved = dict(saved or {})
        self._unsaved: dict[str, tuple[str, bytes]] = {}
        self._retry_s = 0.0
        self._delay_s = _RETRY_S[0]
        self._commits: asyncio.Queue[tuple[Commit, Answers]] = asyncio.Queue(_COMMITS_AHEAD)
        self._rounds, self._at_work = 0, False
        self._group_rows = _LEAST_ROWS
        self._held_since_s: float | None = None
        self._round_since_s: float | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        with ThreadPoolExecutor(1, "store") as thread:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._work(thread), name="ingest rounds")
                tasks.create_task(self._hand_on(), name="hand on commits")

    def progress(self) -> Progress:
        """Rounds of taking, checking and storing: one that does not end is a store that hangs."""
        return Progress(done=self._rounds, patience_s=_PATIENCE_S, idle=not self._at_work)

    def waiting_s(self) -> float:
        """How long the oldest row has waited that arrived and is not committed; 0 when there is none."""
        since = (self._intake.oldest_s, self._round_since_s, self._held_since_s)
        return max((self._now_s() - one for one in since if one is not None), default=0.0)

    async def _work(self, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._at_work = False
            await self._intake.wait(self._longest_wait_s())
            self._at_work = True
            self._round_since_s = self._intake.oldest_s
            begun_s, rows = time.monotonic(), self.stats.rows
            done = await loop.run_in_executor(thread, self._round, self._take())
            if self.stats.rows - rows >= self._group_rows // 2:
                self._measure(time.monotonic() - begun_s, self.stats.rows - rows)
            self._held_since_s, self._round_since_s = self._waiting.oldest_s(), None
            for complaint in done.complaints:
                self._note(complaint)
            if done.commit is not None:
                self._clock.hold()  # until the engine has seen it, or a drill would run ahead of its alarms
            self._replies.post(done.answers)
            if done.commit is not None:
                await self._commits.put((done.commit, done.then))
            self._rounds += 1

    def _take(self) -> list[Message]:
        """What to look at next: no more backlog than is stored in one round, so that rounds stay short."""
        may_wait = self._waiting.rows < self._group_rows or bool(self.stats.store_problem)
        return self._intake.take(backlog=may_wait, most_bytes=_ROW_BYTES * self._group_rows)

    def _measure(self, took_s: float, rows: int) -> None:
        """Make the next round about as long as a live row may wait that has just missed this one."""
        fitting = rows * _ROUND_S / max(took_s, 1e-3)
        self._group_rows = round(
            min(max(fitting, self._group_rows / 2, _LEAST_ROWS), 2 * self._group_rows, _GROUP_ROWS)
        )

    async def _hand_on(self) -> None:
        while True:
            commit, answers = await self._commits.get()
            try:
                await self._on_commit(commit)
            finally:
                self._clock.release()
            self._replies.post(answers)

    def _longest_wait_s(self) -> float | None:
        if not self._waiting and not self._unsaved:
            return None
        return max(0.0, self._retry_s - self._now_s()) if self.stats.store_problem else 0.0

    def _note(self, complaint: Complaint) -> None:
        known = self._presence.of(complaint.source).refused
        if complaint.malformed:
            self._presence.malformed(complaint.source, complaint.reason)
        else:
            self._presence.complain(complaint.source, complaint.reason)
        if complaint.reason and (complaint.malformed or complaint.reason != known):
            _LOG.warning("refused", source=complaint.source, reason=complaint.reason)

    # -- in the thread ----------------------------------------------------------------------------------------------

    def _round(self, messages: abc.Sequence[Message]) -> _Round:
        done = _Round()
        for learnt in self._admission.settle(done.answers):
            self._learn(*learnt, done)
        if messages and messages[0].channel is Channel.ANNOUNCE:
            self._announce(messages, done)
        else:
            self._admit(messages, done)
        if self._now_s() >= self._retry_s:
            self._try_commit(done)
        elif self.stats.store_problem:
            self._unstored(done)
        return done

    def _announce(self, messages: abc.Sequence[Message], done: _Round) -> None:
        for message in messages:
            done.answers.reads_bundles(message.source)
            self._learn(*self._admission.announce(message), done)

    def _learn(self, admitted: Admitted | None, complaint: Complaint, done: _Round) -> None:
        done.complaints.append(complaint)
        if admitted is None:
            return
        source, announce, anew = admitted
        payload = encode(announce)
        if anew or self._saved.get(source) != payload:
            self._unsaved[source] = (announce.revision, payload)

    def _admit(self, messages: abc.Sequence[Message], done: _Round) -> None:
        begun_s = time.thread_time()
        batches, complaints = self._admission.decode(messages, done.answers)
        self.stats.decode_s += time.thread_time() - begun_s
        done.complaints += complaints
        refusing = bool(self.stats.store_problem)
        fresh: dict[Name, Batch] = {}
        for batch in batches:
            name = name_of(batch)
            self.sequence.note(batch)
            if self._store.is_committed(*name):
                self.stats.duplicates += 1
                done.answers.committed(*name)
            elif self._waiting.has_judged(name) and (refusing or name in self._waiting):
                done.answers.held(*name)
            elif name not in self._waiting and (refusing or self._waiting.has_room(batch.source)):
                fresh[name] = batch
        begun_s = time.thread_time()
        taken = self._admission.check(list(fresh.values()), done.answers)
        again = self._admission.afterwards()
        self.stats.check_s += time.thread_time() - begun_s
        since_s = self._now_s() if self._round_since_s is None else self._round_since_s
        first = {(one.source, *(identity(one.payload) or ())) for one in messages if not is_backlog(one.payload)}
        for batch in taken:
            self._waiting.put(batch, since_s, first=name_of(batch) in first)
        for batch in again:  # never before the rows in whose place it comes
            self._waiting.put(batch, since_s)
        self.stats.doubted_rows += sum(map(len, again))

    def _try_commit(self, done: _Round) -> None:
        group = self._waiting.group(self._group_rows)
        try:
            self._save_announcements()
            number = self._commit(group, done.answers) if group else 0
        except StoreRefusedError as exc:
            self._refused(str(exc))
            self._unstored(done)
            return
        if self.stats.store_problem:
            _LOG.warning("store works again", was=self.stats.store_problem)
        self.stats.store_problem, self._delay_s, self._retry_s = "", _RETRY_S[0], 0.0
        if number:
            batches = tuple(held.batch for held in group if not held.judged)
            done.commit = Commit(number=number, batches=batches, stored=True)

    def _save_announcements(self) -> None:
        for source, (revision, payload) in list(self._unsaved.items()):
            self._store.save_announcement(source, revision, payload)
            self._saved[source] = payload
            del self._unsaved[source]

    def _commit(self, group: abc.Sequence[Held], answers: Answers) -> int:
        begun_s = time.thread_time()
        result = self._store.commit([held.batch for held in group])
        self.stats.commit_s += time.thread_time() - begun_s
        self.stats.commit_lag_s = self._now_s() - min(held.since_s for held in group)
        self._waiting.leave(group)
        for held in group:
            answers.committed(*name_of(held.batch))
        self.stats.batches += len(group)
        self.stats.rows += result.rows
        self.stats.commits += bool(result.number)
        return result.number

    def _refused(self, reason: str) -> None:
        if not self.stats.store_problem:
            _LOG.error("the store refuses; rows are evaluated unstored, and kept by their gateways", reason=reason)
        self.stats.store_problem = reason
        self._retry_s = self._now_s() + self._delay_s
        self._delay_s = min(2 * self._delay_s, _RETRY_S[1])

    def _unstored(self, done: _Round) -> None:
        """Hand on what the engine must see although the store does not take it."""
        batches = self._waiting.judge()
        self.stats.unstored_rows += sum(map(len, batches))
        for batch in batches:
            done.then.held(*name_of(batch))
        done.commit = Commit(number=0, batches=batches, stored=False) if batches else None
