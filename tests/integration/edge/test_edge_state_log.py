"""What a log says of devices that come and go: every change that lasts, but no more than one a minute."""

from telemetry.clock import SECOND_NS
from tests.integration.edge.followed import START_NS, Log


async def polled(tcp_peer, profile, plans, answers):
    """A bus with one device, asked every ten seconds, that answers when ``answers(number of the poll)``."""
    polls = iter(range(1_000))

    def script(request):
        whole = request[:4] + b"\x00\x05" + request[6:7] + b"\x03\x02\x00\x07"
        return [(0, whole)] if answers(next(polls)) else []

    port = await tcp_peer(script)
    return plans(
        f"buses:\n  - {{name: one, tcp: {{host: 127.0.0.1, port: {port}}}, timeout_s: 0.05, devices: [\n"
        f"    {{name: d1, profile: {profile(('a', 'holding 5 u16'))}, unit: 1, station: s1, period_s: 10}}]}}\n"
    )


async def test_a_device_that_dies_within_a_minute_of_a_line_is_told_once_that_is_over(tcp_peer, profile, plans, log):
    one = log(await polled(tcp_peer, profile, plans, lambda poll: poll < 2))
    first_s = (await first_moment(one)) / SECOND_NS
    assert await one.upto(first_s + 59) == [True]
    assert await one.upto(first_s + 71) == [True, False]
    assert await one.upto(first_s + 200) == [True, False]


async def test_a_device_that_was_never_there_is_told(tcp_peer, profile, plans, log):
    one = log(await polled(tcp_peer, profile, plans, lambda _: False))
    assert await one.upto(30) == [False]


async def test_what_does_not_last_is_not_told(tcp_peer, profile, plans, log):
    """A device that answers every other time: a line a minute at most, and none that is over when it is told."""
    one = log(await polled(tcp_peer, profile, plans, lambda poll: poll != 2))
    assert await one.upto(200) == [True]


async def first_moment(one: Log) -> int:
    """When the first row came, in nanoseconds after the start."""
    await one.upto(11)
    return int((await one.rows.get()).time_ns[0]) - START_NS
