"""The verdict on a configuration: what counts of the uplink is what happens by the new way, not by the old one."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from gateway.remote.trial import Trial
from gateway.spool.account import Counts, summary

NOTHING = summary((), Counts())
TRIAL_S = 0.1


@dataclass
class Link:
    """An uplink that stays as it is."""

    connected: bool = True
    trouble: str | None = None
    silent_s: float = 0.0

    def unacknowledged_s(self):
        return self.silent_s


async def judged(link, looks, trouble=None):
    """The verdict where the spool says one thing at half time and another at the end."""
    looks = iter(looks)
    trial = Trial(buses=(), before={}, trouble=trouble, stats=dict, link=link, spool=lambda: next(looks))
    async with asyncio.timeout(5):
        return await trial.run(TRIAL_S)


async def test_answers_to_what_left_before_the_change_prove_nothing():
    """Otherwise a gateway that was sent to a broker that is none keeps that for ever, and is lost until a visit."""
    dead = Link(connected=False, trouble="no connection to mqtt://203.0.113.1:1883")
    verdict = await judged(dead, [replace(NOTHING, acked_rows=40), replace(NOTHING, acked_rows=40)])
    assert not verdict.passed
    assert "no connection to mqtt://203.0.113.1:1883" in verdict.reason


async def test_rows_that_arrive_in_the_second_half_prove_it():
    verdict = await judged(Link(connected=False), [NOTHING, replace(NOTHING, acked_rows=1)])
    assert verdict.passed, "a line that is down at the last moment has worked"


@pytest.mark.parametrize(("silent_s", "passed"), [(0.0, True), (0.9 * TRIAL_S, False)])
async def test_a_connection_that_owes_an_answer_for_long_is_none(silent_s, passed):
    verdict = await judged(Link(silent_s=silent_s), [NOTHING, NOTHING])
    assert verdict.passed is passed


@pytest.mark.parametrize(
    ("before", "passed"), [(None, False), ("the centre refuses what is sent: it did before", True)]
)
async def test_refused_rows_are_blamed_on_the_change_unless_it_was_so_before(before, passed):
    refused = replace(NOTHING, refused_batches=3, acked_rows=8)
    verdict = await judged(Link(trouble="the centre refuses what is sent: poison"), [NOTHING, refused], before)
    assert verdict.passed is passed
    assert passed or "refuses what is sent: poison" in verdict.reason
