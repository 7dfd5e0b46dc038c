"""``petrel gateway deployments``: which instruments stand, or stood, behind the series of a gateway."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petrel.commands.output import print_json, print_line, print_table
from telemetry.quantity import QUANTITIES

if TYPE_CHECKING:
    from gateway.settings import GatewayPlan
    from telemetry.deployment import Deployment


def deployments(
    file: Annotated[Path, typer.Argument(help="The gateway's settings, gateway.yaml.")],
    json: Annotated[bool, typer.Option("--json", help="Machine output.")] = False,
) -> None:
    """List which instruments have measured since when: serial numbers, zeros of gauges, baselines of counters."""
    from gateway.settings import compile_gateway, load_gateway

    plan = compile_gateway(load_gateway(file))
    if json:
        print_json(dict(_histories(plan)))
        return
    rows = [row for device, history in _histories(plan) for one in history for row in _rows(device, one)]
    if rows:
        print_table(("device 设备", "since 起", "serial 编号", "point 测点", "zero 零点, baseline 底数"), rows)
    else:
        print_line("no deployments, expected some under the devices of gateway.yaml: serial numbers, zeros, baselines")


def _histories(plan: "GatewayPlan") -> Iterator[tuple[str, tuple["Deployment", ...]]]:
    for device in (device for bus in plan.buses for device in bus.devices if device.deployments):
        yield device.name, device.deployments


def _rows(device: str, one: "Deployment") -> Iterator[tuple[str, ...]]:
    said = {
        key: f"{zero.height:+g} {{}} on {zero.datum}, {zero.date} {zero.surveyor}" for key, zero in one.zeros.items()
    }
    said |= {key: f"begins at {number:g} {{}}" for key, number in one.baselines.items()}
    for key, what in (said or {"/": ""}).items():
        point, _, quantity = key.partition("/")
        yield device, one.since, one.serial, point, what.format(QUANTITIES[quantity].unit if quantity else "")
