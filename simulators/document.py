"""The page of the documentation about scenarios, made from their files: ``python -m simulators.document``."""

import sys
from collections.abc import Iterable
from types import ModuleType

from simulators import faults, scenario
from simulators.scenario import Expect, Scenario
from simulators.world import air, gas, pipeline, rain, river, sea, typhoon, weather

PARTS: tuple[ModuleType, ...] = (typhoon, rain, sea, river, pipeline, gas, air, weather)
_LEVELS = ("normal", "blue", "yellow", "orange", "red")


def page() -> str:
    """``docs/reference/scenarios.md`` as it should be."""
    head = (
        "# Scenarios\n\n"
        "Made by `python -m simulators.document` from `simulators/scenarios` and `simulators/world`; do not edit.\n"
        "A path to a file of your own works wherever a name does. Every scenario is a drill, and marked so.\n"
    )
    scenarios = (_section(scenario.load_scenario(name).settings) for name in scenario.names())
    return head + "".join(scenarios) + _world() + _faults()


def _section(found: Scenario) -> str:
    text = f"\n## {found.id}\n\n{found.name.en} ({found.name.zh}). {found.summary.en}\n\n{found.summary.zh}\n\n"
    text += "".join(f"- {line}\n" for line in _facts(found))
    if not found.expect:
        return text + "\nNo alarm may come of it.\n"
    rows = "".join(_row(expect) for expect in found.expect)
    return text + (
        "\nWhat must come of it, and nothing else (times UTC; the level is the highest that is reached):\n\n"
        "| hazard | subject | level | first raised between | and | cleared by the end |\n"
        "|---|---|---|---|---|---|\n" + rows
    )


def _facts(found: Scenario) -> Iterable[str]:
    yield f"Site {found.site}, {found.hours:g} h from {found.start}, seed {found.seed}."
    if storm := found.storm:
        rain_factor = f"{storm.rain_factor:g} times the mean rain of such storms"
        yield f"Best track `{storm.track}`, ambient {storm.ambient_hpa:g} hPa, {rain_factor}."
    if leak := found.leak:
        yield (
            f"Leak in {leak.pipeline} at {leak.place:.0%} of its length, {leak.opening:g} m3/h per sqrt(kPa), "
            f"from {leak.begins} to {leak.ends}."
        )
    for fault in found.faults:
        yield f"Device {fault.device} is {fault.kind} from {fault.begins} to {fault.ends}."


def _row(expect: Expect) -> str:
    level = "no data" if expect.outcome == "no_data" else _LEVELS[expect.level]
    cleared = "yes" if expect.cleared else "no"
    return f"| {expect.hazard} | {expect.subject} | {level} | {expect.after} | {expect.before} | {cleared} |\n"


def _world() -> str:
    sections = (f"\n### {part.__name__.rpartition('.')[2]}\n\n{(part.__doc__ or '').strip()}\n" for part in PARTS)
    return "\n## The world\n\nThe same for every scenario of a site; what each part rests on:\n" + "".join(sections)


def _faults() -> str:
    rows = (f"| {name} | {(kind.__doc__ or '').strip()} |\n" for name, kind in faults.KINDS.items())
    slow = f"| slow | The right answer, {faults.SLOW:g} s of real time late. |\n"
    return "\n## Faults of devices\n\n| kind | what goes over the line |\n|---|---|\n" + "".join(rows) + slow


if __name__ == "__main__":
    sys.stdout.write(page())
