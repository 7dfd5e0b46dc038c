"""No order is carried out twice, whatever restarts, torn tails and clocks do in between.

Of what is over, one order is kept here whatever the clock says, so that forgetting is met in a few steps.
"""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.remote import journal
from gateway.remote.journal import Journal
from telemetry.clock import SECOND_NS
from telemetry.orders import Answer, Command, Outcome, untimely

START_NS = 1_795_000_000 * SECOND_NS
IDS = st.integers(0, 5).map(lambda number: f"{number:032x}")


class Orders(RuleBasedStateMachine):
    """A desk that accepts what it does not know yet, and a model that counts how often each order was carried out."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.now_ns, self.clock_was_wrong = START_NS, False
        self.orders, self.carried_out, self.answered, self.open = {}, {}, {}, None
        self.newest, journal._NEWEST = journal._NEWEST, 1
        self.journal = Journal(self.folder / "orders.jsonl", self.now_ns)

    def teardown(self):
        journal._NEWEST = self.newest
        shutil.rmtree(self.folder)

    @precondition(lambda self: self.open is None)
    @rule(id_=IDS, ttl_s=st.integers(1, 600))
    def receive(self, id_, ttl_s):
        """A new one, or the very same bytes again."""
        new = Command(
            id=id_,
            by="x",
            issued_ns=self.now_ns,
            expires_ns=self.now_ns + ttl_s * SECOND_NS,
            output="siren",
            value=1,
            drill=False,
        )
        order = self.orders.setdefault(id_, new)
        earlier = self.journal.answer(order)
        counts = untimely(order, self.now_ns) is None and self.journal.too_old(order) is None
        if id_ in self.carried_out:
            assert earlier is not None or not counts, "it would be carried out again"
            assert earlier is None or earlier.repeated
            assert earlier is None or earlier.outcome is self.answered.get(id_, Outcome.UNKNOWN)
            return
        assert earlier is None
        if not counts:
            assert order is not new or self.clock_was_wrong, "what is new counts where the clock is right"
            return
        assert not self.journal.is_full(self.now_ns)
        self.journal.accept(order)
        self.carried_out[id_] = 1
        self.open = id_

    @precondition(lambda self: self.open is not None)
    @rule(outcome=st.sampled_from([Outcome.DONE, Outcome.FAILED]))
    def settle(self, outcome):
        self.journal.settle(Answer(id=self.open, outcome=outcome, reason="r", time_ns=self.now_ns))
        self.answered[self.open] = outcome
        self.open = None

    @rule(torn=st.booleans())
    def restart(self, torn):
        """A kill; half a line that was never finished may stand at the end."""
        if torn:
            with (self.folder / "orders.jsonl").open("ab") as file:
                file.write(b'{"id":"00')
        self.journal = Journal(self.folder / "orders.jsonl", self.now_ns)
        self.open = None

    @rule(by_s=st.integers(0, 12_000))
    def time_passes(self, by_s):
        self.now_ns += by_s * SECOND_NS

    @rule(by_s=st.integers(0, 40_000))
    def the_clock_is_ahead(self, by_s):
        self.now_ns += by_s * SECOND_NS
        self.clock_was_wrong = True

    @rule(id_=IDS)
    def the_clock_wakes_at_an_order(self, id_):
        """At a moment at which it was new, and seems to be so again."""
        if id_ in self.orders:
            self.now_ns = self.orders[id_].issued_ns
            self.clock_was_wrong = True

    @invariant()
    def the_file_stays_small(self):
        assert (self.folder / "orders.jsonl").stat().st_size < 400_000


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def sent(number, now_ns, ttl_s=60):
    expires_ns = now_ns + ttl_s * SECOND_NS
    return Command(
        id=f"{number:032x}", by="x", issued_ns=now_ns, expires_ns=expires_ns, output="siren", value=1, drill=False
    )


@pytest.mark.parametrize("restarts", [False, True])
def test_what_was_forgotten_stays_over_when_the_clock_is_set_back(tmp_path, monkeypatch, restarts):
    """Whoever has recorded a siren's order at the broker waits for a power cut on a box without a battery."""
    monkeypatch.setattr(journal, "_NEWEST", 1)
    kept = Journal(tmp_path / "orders.jsonl", START_NS)
    orders = [sent(number, START_NS + number * SECOND_NS) for number in range(3)]
    for order in orders:
        kept.accept(order)
    assert not kept.is_full(START_NS + 7200 * SECOND_NS)
    if restarts:
        kept = Journal(tmp_path / "orders.jsonl", START_NS + 7200 * SECOND_NS)
        kept = Journal(tmp_path / "orders.jsonl", START_NS)
    for order in orders:
        assert untimely(order, START_NS) is None, "by the clock alone it would count"
        assert kept.answer(order) is not None or kept.too_old(order) is not None
    assert [kept.answer(order) is None for order in orders] == [True, True, False]
    assert kept.too_old(sent(9, START_NS + 7200 * SECOND_NS)) is None


def test_a_clock_that_was_ahead_costs_no_order(tmp_path):
    """It forgets nothing of the newest, so nothing that is new is taken for one of them."""
    kept = Journal(tmp_path / "orders.jsonl", START_NS)
    for number in range(5):
        kept.accept(sent(number, START_NS, ttl_s=600))
    far_ns = START_NS + 10**9 * SECOND_NS
    assert not kept.is_full(far_ns)
    assert kept.too_old(sent(9, START_NS, ttl_s=10)) is None
    assert kept.answer(sent(0, START_NS)) is not None
