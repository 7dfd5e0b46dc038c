"""Gateways in this process and Modbus TCP devices for them, each for the length of a block."""

import asyncio
from contextlib import asynccontextmanager

import numpy as np
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from gateway.agent import Gateway
from gateway.settings import compile_gateway, load_gateway
from telemetry.clock import SystemClock


@asynccontextmanager
async def running(path, timing, clock=None):
    """The gateway of a file."""
    plan = compile_gateway(load_gateway(path))
    gateway = Gateway(plan, clock or SystemClock(), np.random.default_rng(1), timing=timing)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(gateway.run())
        try:
            yield gateway
        finally:
            task.cancel()


@asynccontextmanager
async def modbus_tcp(values, act=None, port=0):
    """The port of unit 1 with these registers and as many bits, on a pymodbus server; ``act`` sees each request."""
    words = [SimData(0, values=list(values), datatype=DataType.REGISTERS)]
    bits = [SimData(0, values=[False] * len(values), datatype=DataType.BITS)]
    device = SimDevice(1, simdata=(bits, bits, words, words), action=act)
    server = ModbusTcpServer([device], address=("127.0.0.1", port))
    assert await server.listen()
    yield server.transport.sockets[0].getsockname()[1]
    await server.shutdown()
