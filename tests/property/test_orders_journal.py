"""No order is carried out twice, whatever restarts, torn tails and clocks do in between."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.remote.journal import Journal
from telemetry.clock import SECOND_NS
from telemetry.orders import Answer, Command, Outcome

START_NS = 1_795_000_000 * SECOND_NS
IDS = st.integers(0, 5).map(lambda number: f"{number:032x}")


class Orders(RuleBasedStateMachine):
    """A desk that accepts what it does not know yet, and a model that counts how often each order was carried out."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.now_ns = START_NS
        self.carried_out, self.answered, self.open = {}, {}, None
        self.journal = Journal(self.folder / "orders.jsonl", self.now_ns)

    def teardown(self):
        shutil.rmtree(self.folder)

    @precondition(lambda self: self.open is None)
    @rule(id_=IDS, ttl_s=st.integers(1, 600))
    def receive(self, id_, ttl_s):
        order = Command(
            id=id_,
            by="x",
            issued_ns=self.now_ns,
            expires_ns=self.now_ns + ttl_s * SECOND_NS,
            output="siren",
            value=1,
            drill=False,
        )
        earlier = self.journal.answer(order)
        if id_ in self.carried_out:
            assert earlier is not None, "it would be carried out again"
            assert earlier.repeated
            assert earlier.outcome is self.answered.get(id_, Outcome.UNKNOWN)
            return
        assert earlier is None
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

    @rule(by_s=st.integers(-60, 1200))
    def time_passes(self, by_s):
        """Less than what an order is remembered beyond its time, so that each one is."""
        self.now_ns = min(self.now_ns + by_s * SECOND_NS, START_NS + 3500 * SECOND_NS)

    @invariant()
    def the_file_stays_small(self):
        assert (self.folder / "orders.jsonl").stat().st_size < 400_000


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
