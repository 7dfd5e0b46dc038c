"""A gateway is replaced: the newcomer gets the series of a dead one and loses no row; a living one keeps its own."""

import pytest

from ingest.store.duckdb import DuckDBStore
from telemetry.wire import Presence, Status
from tests.unit.ingest_centre import Centre, FullDisk, committed, running
from tests.unit.ingest_data import SOURCE, batch, ids, level

NEW = "demo/gw-2"
OFFLINE = Status(presence=Presence.OFFLINE)
ONLINE = Status(presence=Presence.ONLINE)


@pytest.fixture
def store(tmp_path):
    store = DuckDBStore(tmp_path / "store.duckdb")
    yield FullDisk(store)
    store.close()


def owner(centre: Centre, point: str = "a") -> str:
    return centre.catalogue.entry(int(ids(point)[0])).source


async def installed(centre: Centre) -> None:
    """The old box, at work."""
    centre.announce(level("a"), level("b"))
    centre.send(batch(1, [1.0, 2.0]))
    centre.presence.heard(SOURCE, centre.now_s, 0)
    assert committed(await centre.next_ack()) == [(7, ((1, 1),))]


async def sent(centre: Centre, seq: int, source: str = NEW):
    """The answer to a batch of the newcomer."""
    centre.send(batch(seq, [3.0, 4.0], source=source, epoch=9), source=source)
    return await centre.next_ack()


@pytest.mark.parametrize("sign", ["will", "silence"])
async def test_a_newcomer_takes_over_from_a_box_that_is_gone(store, sign):
    async with running(Centre(store)) as centre:
        await installed(centre)
        if sign == "will":
            centre.presence.status(SOURCE, OFFLINE)
        else:
            centre.now_s += 901
        centre.announce(level("a"), level("b"), source=NEW)
        assert committed(await sent(centre, 1)) == [(9, ((1, 1),))]
        assert (owner(centre), centre.presence.of(NEW).refused) == (NEW, "")
        centre.send(batch(2, [1.0, 2.0]))
        assert committed(await centre.next_ack()) == [(7, ((2, 2),))], "what the old box still has is welcome"


async def test_a_newcomer_waits_until_it_is_known_whether_the_other_lives_and_loses_nothing(store):
    """A box whose plug was pulled is offline for the broker only a minute later."""
    async with running(Centre(store)) as centre:
        await installed(centre)
        centre.now_s += 20
        centre.announce(level("a"), level("b"), source=NEW)
        ack = await sent(centre, 1)
        assert (ack.announce, ack.epochs) == (True, ()), "neither taken nor refused"
        assert "already announced by demo/gw-1" in centre.presence.of(NEW).refused
        centre.presence.status(SOURCE, OFFLINE)
        centre.now_s += 1
        ack = await sent(centre, 1)
        assert committed(ack) == [(9, ((1, 1),))]
        assert (owner(centre), centre.presence.of(NEW).refused) == (NEW, "")


async def test_a_newcomer_is_refused_while_the_owner_lives_and_that_is_seen(store):
    async with running(Centre(store)) as centre:
        await installed(centre)
        centre.announce(level("a"), level("b"), source=NEW)
        await sent(centre, 1)
        centre.now_s += 10
        centre.presence.heard(SOURCE, centre.now_s, 0)
        ack = await sent(centre, 1)
        assert "already announced by demo/gw-1, expected one gateway" in ack.epochs[0].refused[0].reason
        assert "(and 1 more)" in centre.presence.of(NEW).refused
        assert owner(centre) == SOURCE
        centre.presence.status(SOURCE, OFFLINE)
        assert committed(await sent(centre, 2)) == [(9, ((2, 2),))], "it need not announce again"


async def test_the_old_box_comes_back_and_its_rows_are_welcome(store):
    async with running(Centre(store)) as centre:
        await installed(centre)
        centre.presence.status(SOURCE, OFFLINE)
        centre.announce(level("a"), level("b"), source=NEW)
        await sent(centre, 1)
        centre.presence.heard(NEW, centre.now_s, 0)
        centre.presence.status(SOURCE, ONLINE)
        centre.announce(level("a"), level("b"))
        centre.send(batch(2, [1.0, 2.0]))
        assert committed(await centre.next_ack()) == [(7, ((2, 2),))]
        assert owner(centre) == NEW
        assert "already announced by demo/gw-2" in centre.presence.of(SOURCE).refused


@pytest.mark.parametrize("taken_over", [True, False])
async def test_a_start_remembers_whose_a_series_is(store, taken_over):
    async with running(Centre(store)) as centre:
        await installed(centre)
        centre.presence.status(SOURCE, OFFLINE if taken_over else ONLINE)
        centre.announce(level("a"), level("b"), level("c"), source=NEW)
        centre.send(batch(1, [3.0], points=("c",), source=NEW, epoch=9), source=NEW)
        await centre.next_ack()
        centre.announce(level("a"), level("b"))  # the old one is back
        centre.send(batch(3, [1.0, 2.0]))
        await centre.next_ack()
    async with running(Centre(store)) as centre:
        assert (owner(centre, "a"), owner(centre, "c")) == (NEW if taken_over else SOURCE, NEW)
        assert centre.catalogue.has_announced(SOURCE, ids("a", "b")), "whatever its spool holds"


async def test_a_start_remembers_who_took_a_series_back(store):
    async with running(Centre(store)) as centre:
        await installed(centre)
        centre.presence.status(SOURCE, OFFLINE)
        centre.announce(level("a"), level("b"), source=NEW)
        await sent(centre, 1)
        centre.presence.status(SOURCE, ONLINE)
        centre.presence.status(NEW, OFFLINE)
        centre.announce(level("a"), level("b"))
        centre.send(batch(2, [1.0, 2.0]))
        await centre.next_ack()
        assert owner(centre) == SOURCE
    async with running(Centre(store)) as centre:
        assert owner(centre) == SOURCE


async def test_a_dead_box_takes_nothing_from_one_that_is_away_for_a_moment(store):
    """The broker keeps its announcement, and hands it to every centre that starts."""
    async with running(Centre(store)) as centre:
        await installed(centre)
        centre.presence.status(NEW, OFFLINE)
        centre.announce(level("a"), level("b"), source=NEW)
        centre.presence.status(SOURCE, OFFLINE)
        for seq in (2, 3):
            centre.send(batch(seq, [1.0, 2.0]))
            await centre.next_ack()
        assert owner(centre) == SOURCE
