"""Every profile of the catalogue is documented; those that speak Modbus: golden frames decode, they can be simulated.

Those of other protocols stand in ``test_field_profiles``.
"""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from pymodbus.framer.rtu import FramerRTU

from device_profiles import convert, document, model, registry
from device_profiles.model import Point, Profile, Table
from edge_agent import columns, golden
from edge_agent.columns import PointSettings
from edge_agent.decode import Decoder, Readings
from edge_agent.drivers.modbus import frames
from edge_agent.plan import Limits, Span, merge, serial_cost
from telemetry.quality import Quality

NAMES = tuple(name for name in registry.names() if isinstance(registry.load(name), Profile))
FILES = sorted(Path(str(files("device_profiles") / "catalog")).glob("*.yaml"))


def decoder(profile: Profile, blocks: list[Span]) -> Decoder:
    gates = {name: at for at, name in enumerate(profile.gates)}
    taken = [columns.column(point, PointSettings(), gates) for point in profile.points]
    return Decoder(blocks, taken, [columns.gate_column(gate) for gate in profile.gates.values()])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_drivers_make_of_the_goldens_what_the_file_says(path):
    """Of every protocol, as ``petrel profile check`` does it."""
    assert golden.mistakes(registry.placed(path)) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_crc_of_golden_frames_is_right_by_another_implementation(name):
    for one in (one for told in registry.load(name).golden if told.frame == "rtu" for one in told.exchange):
        for frame in (bytes.fromhex(one.request), bytes.fromhex(one.answer)):
            assert FramerRTU.compute_CRC(frame[:-2]) == int.from_bytes(frame[-2:], "big")


@pytest.mark.parametrize("name", NAMES)
def test_every_golden_set_covers_every_point(name):
    profile = registry.load(name)
    covered = {point for golden in profile.golden for point in golden.values}
    assert covered == {point.name for point in profile.points}


def read_back(profile: Profile, memory: dict[tuple[Table, int], int], baud: int) -> Readings:
    """What a poll of the whole plan gives from a device's memory."""
    wanted = tuple(Span(r.table, r.address, r.count) for r in map(model.register, _registers(profile)))
    blocks = list(merge(wanted, serial_cost(baud), Limits(profile.max_registers)))
    data = []
    for block in blocks:
        words = [memory.get((block.table, at), 0) for at in range(block.address, block.end)]
        bits = block.table.is_bits
        data.append(frames.pack_bits(tuple(words)) if bits else b"".join(word.to_bytes(2, "big") for word in words))
    return decoder(profile, blocks).decode(data)


def _registers(profile: Profile) -> list[str]:
    return [one.register for one in (*profile.points, *profile.gates.values())]


def write(memory: dict[tuple[Table, int], int], patch: convert.Patch) -> None:
    for at, word in enumerate(patch.words, patch.address):
        memory[patch.table, at] = memory.get((patch.table, at), 0) & ~patch.mask | word


@pytest.mark.parametrize("name", NAMES)
def test_a_device_can_be_simulated_and_reads_back_what_it_was_given(name):
    profile = registry.load(name)
    rng = np.random.default_rng(5)
    memory: dict[tuple[Table, int], int] = {}
    given = []
    for point in profile.points:
        ends = [convert.linear(point).value((end - point.offset) / point.scale) for end in point.valid]
        given.append(rng.uniform(*ends))
        write(memory, convert.encode(point, given[-1]))
    for gate in profile.gates.values():
        write(memory, convert.steer(gate, opened=True))
    found = read_back(profile, memory, 9600)
    for row, point in enumerate(profile.points):
        if any(
            model.register(gate.register).address == model.register(point.register).address
            for gate in profile.gates.values()
        ):
            continue  # its register was overwritten when the gates were opened
        step = abs(convert.linear(point).numerator / convert.linear(point).denominator)
        exact = model.register(point.register).type.is_float
        tolerance = abs(given[row]) * 1e-6 if exact else step / 2 + 1e-9
        assert found.value[row] == pytest.approx(given[row], abs=tolerance), point.name


@pytest.mark.parametrize("name", [name for name in NAMES if registry.load(name).gates])
def test_a_shut_gate_never_lets_a_number_through_as_good(name):
    """The meter that shows 0 without a signal, the sensor that fell silent, the detector under test."""
    profile = registry.load(name)
    for shut, gate in profile.gates.items():
        memory: dict[tuple[Table, int], int] = {}
        for other in profile.gates.values():
            write(memory, convert.steer(other, opened=True))
        write(memory, convert.steer(gate, opened=False))
        found = read_back(profile, memory, 9600)
        rows = [row for row, point in enumerate(profile.points) if shut in point.gates]
        assert rows
        assert (found.quality[rows] >= Quality.BAD).all()
        assert (found.cause[rows] != 0).all()


@pytest.mark.parametrize("name", registry.names())
def test_every_profile_says_where_it_comes_from_and_is_documented(name):
    profile = registry.load(name)
    assert len(profile.source) > 20
    assert all(golden.source for golden in profile.golden)
    page = document.page()
    assert f"## {name}" in page
    for point in profile.points:
        assert (point.register if isinstance(point, Point) else point.field) in page


def test_the_page_in_the_documentation_is_the_one_generated():
    path = Path(__file__).parents[2] / "docs" / "reference" / "devices.md"
    assert path.read_text(encoding="utf-8") == document.page()
