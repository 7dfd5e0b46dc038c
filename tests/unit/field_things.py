"""Simulated devices and our drivers face to face, without a line between them."""

from collections.abc import Callable, Mapping, Sequence

from device_profiles.field_model import FieldPoint, FieldProfile
from edge_agent.drivers.contract import Number, Polled, Refused, Reply, Report
from edge_agent.drivers.registry import protocol
from simulators.field_twin import FieldTwin, FieldUnit
from simulators.talk import contract
from simulators.talk.contract import Answering, Due, Message
from simulators.twin import Observe

HOUR_NS = 3600 * 10**9


def conversed(
    talk: Polled, address: str, fields: Sequence[str], answer: Callable[[bytes], bytes]
) -> Mapping[str, Number]:
    """The numbers of a conversation in which ``answer`` gives what comes back on each request."""
    conversation = talk.poll(address, fields)
    ask = next(conversation)
    while True:
        try:
            ask = conversation.send(answer(ask.request))
        except StopIteration as done:
            return done.value


def twin_of(profile: FieldProfile, address: str, observe: Observe) -> FieldTwin:
    """A device at station ``bench``."""
    return FieldTwin(
        FieldUnit(
            device="d", address=address, profile=profile, station="bench", points={}, period_ns=HOUR_NS
        ),
        observe,
    )  # fmt: skip


def numbers_of(profile: FieldProfile, address: str, observe: Observe, now_ns: int) -> Mapping[str, Number]:
    """What our driver takes from the twin of a device that sees a world; what is refused fails the test."""
    talk, twin = contract.of(profile), twin_of(profile, address, observe)
    if isinstance(talk, Answering):

        def answer(request: bytes) -> bytes:
            assert talk.asked(request) == address
            assert talk.asked(request[:-1]) is None
            return talk.answer(request, address, twin, now_ns)

        return conversed(protocol(profile), address, [point.field for point in profile.points], answer)
    kinds: dict[str, list[FieldPoint]] = {}
    for point in profile.points:
        kinds.setdefault(talk.kind(point), []).append(point)
    session, numbers = protocol(profile).session(), {}
    for kind, points in kinds.items():
        for one in talk.messages(Due(kind, tuple(points), now_ns, HOUR_NS), address, twin, None):
            for report in reports(session.receive(one.data, now_ns), one):
                assert report.address in (address, "*")
                numbers |= report.numbers
    return numbers


def reports(events: list, message: Message) -> list[Report]:
    """The reports in what came of a message, once it is sure that it was confirmed if it waits for that."""
    assert not [event for event in events if isinstance(event, Refused)]
    replies = b"".join(event.data for event in events if isinstance(event, Reply))
    assert message.confirmed is None or (message.confirmed(replies) and not message.confirmed(replies[:-1]))
    return [event for event in events if isinstance(event, Report)]
