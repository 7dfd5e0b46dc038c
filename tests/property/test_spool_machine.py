"""The spool as a state machine: whatever happens in whatever order, nothing that was synced is lost (P5, P10)."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.spool import Key, Limits, Spool, peek
from telemetry.wire import Lane, Refusal
from tests.unit.gateway_batches import HandClock, content, drain, make_batch


class SmallSegments(Limits):
    """Segments of a few batches, so that many come and go."""

    segment_bytes = 700


class SpoolMachine(RuleBasedStateMachine):
    """Against a model: what was appended, what is on disk for sure, what is gone for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="spool-machine-"))
        self.folder = self.home / "0"
        self.clock = HandClock()
        self.values: dict[Key, list[float]] = {}
        self.kept: set[Key] = set()
        self.synced: set[Key] = set()
        self.judged: set[Key] = set()
        self.sizes: dict[str, int] = {}
        self.copies = 0
        self.lives = 0
        self.counter = 0

    @initialize()
    def start(self) -> None:
        self.spool = self._open()

    def teardown(self) -> None:
        self.spool.close()
        assert self.clock.holds == 0
        shutil.rmtree(self.home)

    @rule(n=st.integers(1, 20), lane=st.sampled_from(Lane))
    def append(self, n: int, lane: Lane) -> None:
        batch = make_batch(n, start=self.counter)
        self.counter += n
        (entry,) = self.spool.append(batch, lane)
        assert entry.key not in self.values, "a number was used twice"
        self.values[entry.key] = batch.value.tolist()
        self.kept.add(entry.key)

    @rule()
    def sync(self) -> None:
        self.spool.sync()
        self.synced = set(self.kept)
        self.sizes = {path.name: path.stat().st_size for path in self._files()}

    @rule(lane=st.sampled_from(Lane))
    def send(self, lane: Lane) -> None:
        entry = self.spool.next_unsent(lane)
        if entry is not None:
            assert entry.key in self.kept
            assert content(self.spool, entry) == self.values[entry.key]

    @precondition(lambda self: self.values)
    @rule(data=st.data(), length=st.integers(0, 6))
    def acknowledge(self, data: st.DataObject, length: int) -> None:
        epoch, first = data.draw(st.sampled_from(sorted(self.values)))
        expected = {(epoch, seq) for seq in range(first, first + length + 1)} & self.kept
        assert set(self.spool.acknowledge(epoch, [(first, first + length)])) == expected
        self._gone(expected)

    @precondition(lambda self: self.values)
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        epoch, seq = data.draw(st.sampled_from(sorted(self.values)))
        assert self.spool.refuse(epoch, Refusal(seq, "no such series")) == ((epoch, seq) in self.kept)
        self._gone({(epoch, seq)})

    @precondition(lambda self: self.values)
    @rule(data=st.data(), length=st.integers(0, 6))
    def hold(self, data: st.DataObject, length: int) -> None:
        """ADR 0005: what is held is kept, and holds a drill's clock no longer."""
        epoch, first = data.draw(st.sampled_from(sorted(self.values)))
        held = set(self.spool.hold(epoch, [(first, first + length)]))
        assert held <= {(epoch, seq) for seq in range(first, first + length + 1)} & self.kept
        self.judged |= held

    @rule()
    def send_held(self) -> None:
        entry = self.spool.next_held()
        assert (entry is None) or (entry.key in self.judged & self.kept)

    @rule()
    def rewind(self) -> None:
        self.spool.rewind()
        assert self._all_open() == self.kept

    @rule()
    def restart(self) -> None:
        self.spool.close()
        assert self.clock.holds == 0
        self.spool = self._open()
        assert self._all_open() == self.kept, "a clean restart sends again what was acknowledged, or loses something"
        self.synced = set(self.kept)
        self.sizes = {path.name: path.stat().st_size for path in self._files()}

    @rule(data=st.data(), garbage=st.binary(max_size=80))
    def power_cut(self, data: st.DataObject, garbage: bytes) -> None:
        """The disk keeps what was synced, any part of the rest, and perhaps garbage behind it."""
        gone_for_sure = set(self.values) - self.kept
        self.copies += 1
        after = self.home / str(self.copies)
        shutil.copytree(self.folder, after)
        self.spool.close()
        self.folder = after
        for path in self._files():
            self._tear(path, data.draw(st.integers(self.sizes.get(path.name, 0), path.stat().st_size)), garbage)
        journal = after / "released"
        self._tear(journal, data.draw(st.integers(0, journal.stat().st_size)), garbage)
        self.spool = self._open()
        back = self._all_open()
        assert self.synced & self.kept <= back, "synced and not acknowledged, but lost"
        assert back <= self.kept | gone_for_sure
        self.kept, self.synced = back, set(back)
        self.sizes = {path.name: path.stat().st_size for path in self._files()}

    @invariant()
    def counts_agree(self) -> None:
        stats = self.spool.stats()
        assert stats.batches == len(self.kept)
        assert stats.rows == sum(len(self.values[key]) for key in self.kept)
        assert self.clock.holds == sum(epoch == self.spool.epoch for epoch, _ in self.kept - self.judged)

    @invariant()
    def tells_what_a_power_cut_may_take(self) -> None:
        """What a reply to a data logger waits for."""
        unsafe = {seq for epoch, seq in self.kept - self.synced if epoch == self.spool.epoch}
        assert self.spool._shelf.first_unsafe(self.spool.epoch) == min(unsafe, default=None)

    @rule()
    def look(self) -> None:
        """A look from outside sees the same and changes nothing."""
        assert peek(self.folder).batches == len(self.kept)
        assert self.spool.held_batches() <= len(self.judged & self.kept)

    def _all_open(self) -> set[Key]:
        self.spool.unhold()
        entries = drain(self.spool)
        for entry in entries:
            assert content(self.spool, entry) == self.values[entry.key]
        assert len(entries) == len({entry.key for entry in entries})
        self.spool.rewind()
        return {entry.key for entry in entries}

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.suffix in (".samples", ".alarms"))

    def _open(self) -> Spool:
        """A new life with an epoch of its own, counted so that an example replays."""
        self.lives += 1
        return Spool.open(self.folder, SmallSegments(), self.clock, epoch=2**61 + self.lives)

    def _gone(self, keys: set[Key]) -> None:
        self.kept -= keys
        self.synced -= keys

    @staticmethod
    def _tear(path: Path, size: int, garbage: bytes) -> None:
        whole = path.read_bytes()
        path.write_bytes(whole[:size] + (garbage if size < len(whole) else b""))


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
