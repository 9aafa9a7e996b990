"""Serves device images over Modbus TCP, or RTU over TCP, with pymodbus: a server that shares no code with the gateway.

    pymodbus_server.py [--rtu-over-tcp] IMAGE.json…

Every image gets a port of its own; prints {"<device>": port, …} on one line and serves until killed.
"""

import asyncio
import json
import sys

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

AREAS = ("coil", "discrete", "holding", "input")
FUNCTIONS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


def block(image, area):
    """The registers or bits of an area; one that the device does not have is out of everybody's way."""
    is_bits = area in ("coil", "discrete")
    kind = DataType.BITS if is_bits else DataType.REGISTERS
    runs = image["image"].get(area, [])
    if not runs:
        return [SimData(65535, values=[False] if is_bits else [0], datatype=kind)]
    values = lambda run: [bool(bit) for bit in run["bits"]] if is_bits else run["words"]
    return [SimData(run["start"], values=values(run), datatype=kind) for run in runs]


def device(image):
    """A device that refuses what the real one refuses: long blocks and holes."""
    limits = image.get("limits", {})
    registers_max = limits.get("max_read_registers", 125)
    bits_max = limits.get("max_read_bits", 2000)
    too_long = ExcCodes(limits.get("over_limit_exception", ExcCodes.ILLEGAL_VALUE))
    illegal = [tuple(hole) for hole in image.get("illegal", [])]

    async def action(function, _start, address, count, _registers, _values):
        area = FUNCTIONS.get(function)
        if area is None:
            return ExcCodes.ILLEGAL_FUNCTION
        if count > (registers_max if area in ("holding", "input") else bits_max):
            return too_long
        for where, low, high in illegal:
            if where == area and address <= high and address + count - 1 >= low:
                return ExcCodes.ILLEGAL_ADDRESS
        return None

    return SimDevice(id=image["unit"], simdata=tuple(block(image, area) for area in AREAS), action=action)


async def main():
    ports = {}
    paths = [word for word in sys.argv[1:] if word != "--rtu-over-tcp"]
    framer = FramerType.SOCKET if len(paths) == len(sys.argv[1:]) else FramerType.RTU
    for path in paths:
        with open(path, encoding="utf-8") as file:
            image = json.load(file)
        server = ModbusTcpServer([device(image)], framer=framer, address=("127.0.0.1", 0))
        await server.listen()
        ports[image["device"]] = server.transport.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
