"""A data logger that speaks HJ 212-2017: it waits for the answer 9014, and repeats."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Final

from device_profiles.field_model import FieldPoint, FieldProfile
from device_profiles.fields import hj212
from edge_agent.drivers.hj212 import frames
from edge_agent.drivers.hj212.frames import Data, Edition
from simulators.field_twin import FieldTwin
from simulators.talk.contract import Due, Message

_NOW: Final = ("2011", "2021")
_AIR, _WASTE_WATER = "22", "32"
"""System numbers (ST) of air quality and of waste-water sources (HJ 212-2017, table 5)."""
_PASSWORD: Final = "123456"  # noqa: S105  # what loggers leave the factory with
_WORKS, _BROKEN = "N", "D"


class Hj212:
    """The devices' side."""

    def kind(self, point: FieldPoint) -> str:
        """The command number."""
        return hj212.parse(point.field).command

    def messages(self, due: Due, address: str, twin: FieldTwin, secret: str | None) -> Iterator[Message]:
        """Real-time data at their moment; minutes, hours and days with the moment at which they began."""
        begin_ns = due.time_ns if due.kind in _NOW else due.time_ns - due.period_ns
        items: dict[str, dict[str, str]] = {}
        for point in due.points:
            field = hj212.parse(point.field)
            value = twin.at(point, due.time_ns) if due.kind in _NOW else twin.mean(point, begin_ns, due.time_ns)
            items.setdefault(field.item, {})[field.value] = _text(value)
        for item in items.values():
            item["Flag"] = _WORKS if all(item.values()) else _BROKEN
        head = frames.Message(
            qn=frames.now(due.time_ns),
            st=_WASTE_WATER if any(code.startswith("w") for code in items) else _AIR,
            cn=due.kind,
            pw=secret or _PASSWORD,
            mn=address,
            edition=Edition.HJ212_2017,
            wants_answer=True,
            data="",
        )
        for message in frames.upload(head, Data(begin_ns, items)):
            yield Message(frames.encode(message), partial(_is_confirmed, message))


def _text(value: float) -> str:
    """A number with four decimals at most; nothing where there is none."""
    return "" if math.isnan(value) else f"{value:.4f}".rstrip("0").rstrip(".")


def _is_confirmed(sent: frames.Message, heard: bytes) -> bool:
    answers = [found for found in frames.splitter().feed(heard) if isinstance(found, frames.Message)]
    return any((one.cn, one.qn, one.package) == (frames.DATA_ANSWER, sent.qn, sent.package) for one in answers)


def of(_: FieldProfile) -> Hj212:
    """How a device speaks."""
    return Hj212()
