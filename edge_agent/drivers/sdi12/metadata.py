"""Conversations about what a sensor's values are: the metadata commands of SDI-12 1.4 (clause 6)."""

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Final

from device_profiles.fields import sdi12
from device_profiles.fields.sdi12 import Sdi12Field
from edge_agent.drivers.contract import Ask, FrameError, Nameplate
from edge_agent.drivers.sdi12 import about, frames
from edge_agent.drivers.sdi12.frames import Command

SINCE: Final = "1.4"
MOST: Final = 16
"""Values that one sensor is asked about: each takes a fifth of a second of the line."""


class _Said:
    """What has been said so far."""

    def __init__(self) -> None:
        self.attributes: dict[str, str] = {}
        self.units: dict[str, str] = {}
        self.lacking: list[str] = []


def described(address: str, fields: Sequence[str]) -> Generator[Ask, bytes, Nameplate]:
    """What the sensor says of the values that some fields take: attributes by measurement and by field.

    A sensor that is silent has no metadata, and is asked for no more of it. What it answers in another form is no
    metadata either, and must not cost the rest of what it says.
    """
    said = _Said()
    for parts in sdi12.measurements({field: sdi12.parse(field) for field in fields[:MOST]}):
        try:
            goes_on = yield from _measurement(address, parts, said)
        except FrameError as exc:
            said.attributes["metadata"] = f"not understood: {exc}"
            break
        if not goes_on:
            break
    return Nameplate(said.attributes, said.units, tuple(said.lacking))


def _measurement(address: str, parts: Mapping[str, Sdi12Field], said: _Said) -> Generator[Ask, bytes, bool]:
    """Note what is said of a measurement and its values; False where the sensor keeps silent."""
    fields = tuple(parts.values())
    kind, body, crc = fields[0].kind, sdi12.command(fields), any(part.crc for part in fields)
    values = None
    if kind in frames.DIGITS:  # aIR0! does not exist (clause 6.1)
        frame = yield _ask(Command(address, f"I{body}"))
        if not frame:
            return False
        started = frames.decode_started(address, frame, frames.DIGITS[kind])
        values = started.values
        said.attributes[body] = f"{values} value{'s' * (values != 1)} in {started.ready_s} s"
    for field, part in parts.items():
        if values is not None and part.place > values:
            said.lacking.append(field)
            continue
        frame = yield _ask(Command(address, f"I{body}_{part.place:03}"))
        if not frame:
            return False
        parameter = frames.decode_parameter(address, frame, crc=crc)
        if parameter is not None:
            said.attributes[field] = str(parameter)
            said.units[field] = about.own_unit(parameter.unit)
    return True


def _ask(command: Command) -> Ask:
    longest = frames.LONGEST_PARAMETER
    size = partial(frames.answer_size, address=command.address, longest=longest)
    return Ask(frames.encode_command(command), size, longest, optional=True, character_s=frames.CHARACTER_S)
