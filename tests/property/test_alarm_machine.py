"""The alarm machine against a plain one written from the rules, and its promises, over any sequence of readings."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerting.alarms.machine import Limits, Memory, Seen, expire, step

HOLD = (0, 5, 4, 3, 2)
"""By level, in units of time."""
GAP = 10


@dataclass
class Plain:
    """One subject, in the words of the rules: up at once; down after the hold, to the highest level held meanwhile."""

    level: int = 0
    below: int | None = None
    peak: int = 0
    last: int | None = None
    log: list[tuple[int, int, int]] = field(default_factory=list)

    def see(self, time: int, reached: int, held: int) -> None:
        silent = self.last is not None and time - self.last > GAP
        self.last = time
        if reached > self.level:
            self._to(time, reached)
        elif held < self.level:
            if self.below is None or silent:
                self.below, self.peak = time, held
            self.peak = max(self.peak, held)
            if time - self.below >= HOLD[self.level]:
                self._to(time, self.peak)
        else:
            self.below = None

    def pass_time(self, now: int) -> None:
        fresh = self.last is not None and now - self.last <= GAP
        if self.level and self.below is not None and fresh and now - self.below >= HOLD[self.level]:
            self._to(now, self.peak)

    def _to(self, time: int, level: int) -> None:
        self.log.append((time, self.level, level))
        self.level, self.below, self.peak = level, None, 0


class AlarmMachine(RuleBasedStateMachine):
    """Three subjects side by side; each must behave as if it were alone."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory.blank(3)
        self.limits = Limits(np.array(HOLD, np.int64), np.ones((5, 2), np.int64))
        self.plain = [Plain() for _ in range(3)]
        self.log: list[list[tuple[int, int, int]]] = [[], [], []]
        self.versions: list[list[int]] = [[], [], []]
        self.raised: list[list[int]] = [[], [], []]
        self.now = 1_000

    def note(self, changes) -> None:
        for who, time, before, after in zip(
            changes.who.tolist(), changes.time_ns.tolist(), changes.before.tolist(), changes.after.tolist(), strict=True
        ):
            self.log[who].append((time, before, after))
            if before == 0:
                self.raised[who].append(int(self.memory.raised_ns[who]))
                self.versions[who] = []
            self.versions[who].append(int(self.memory.version[who]))

    @rule(
        passed=st.integers(1, 12),
        who=st.sets(st.integers(0, 2), min_size=1),
        levels=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=3),
    )
    def readings(self, passed: int, who: set[int], levels: list[tuple[int, int]]) -> None:
        self.now += passed
        chosen = sorted(who)
        reached = np.array([levels[w][0] for w in chosen], np.uint8)
        held = np.maximum(reached, np.array([levels[w][1] for w in chosen], np.uint8))
        times = np.full(len(chosen), self.now, np.int64)
        seen = Seen(np.array(chosen, np.int64), times, reached, held, np.full(len(chosen), GAP, np.int64))
        self.note(step(self.memory, seen, self.limits))
        for place, w in enumerate(chosen):
            self.plain[w].see(self.now, int(reached[place]), int(held[place]))

    @rule(passed=st.integers(1, 12))
    def silence(self, passed: int) -> None:
        self.now += passed
        fresh = self.now - self.memory.time_ns <= GAP
        self.note(expire(self.memory, self.now, fresh, self.limits))
        for plain in self.plain:
            plain.pass_time(self.now)

    @invariant()
    def same_transitions(self) -> None:
        assert self.log == [plain.log for plain in self.plain]
        assert self.memory.level.tolist() == [plain.level for plain in self.plain]

    @invariant()
    def one_alarm_at_a_time(self) -> None:
        """F4: a second alarm is raised only after the first was cleared, and never with the same identity."""
        for log, raised in zip(self.log, self.raised, strict=True):
            levels = [0, *(after for _, _, after in log)]
            assert [before for _, before, _ in log] == levels[:-1]
            assert len(set(raised)) == len(raised)

    @invariant()
    def versions_grow_by_one(self) -> None:
        for versions in self.versions:
            assert versions == list(range(1, len(versions) + 1))

    def teardown(self) -> None:
        """Whatever stands can be cleared by readings below it."""
        for _ in range(16):
            self.now += 1
            who = np.arange(3)
            zero = np.zeros(3, np.uint8)
            step(self.memory, Seen(who, np.full(3, self.now), zero, zero, np.full(3, GAP)), self.limits)
        assert not self.memory.level.any()


AlarmMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestAlarmMachine = AlarmMachine.TestCase


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 4), st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_n_of_m_raises_exactly_when_a_window_says_so(hits: list[bool], n: int, more: int) -> None:
    m = min(8, n + more)
    memory = Memory.blank(1)
    confirm = np.array([[1, 1], [n, m], [1, 1], [1, 1], [1, 1]], np.int64)
    limits = Limits(np.zeros(5, np.int64), confirm)
    for index, hit in enumerate(hits):
        reached = np.array([hit], np.uint8)
        seen = Seen(np.zeros(1, np.int64), np.array([index + 1]), reached, np.ones(1, np.uint8), np.array([GAP]))
        changes = step(memory, seen, limits)
        due = hit and sum(hits[max(0, index - m + 1) : index + 1]) >= n
        if due:
            assert memory.level[0] == 1
            return
        assert not len(changes.who)
