"""A serial line on a pseudo terminal, with pymodbus behind it: a server that shares no code with the gateway.

    serial_line.py BAUD PARITY UNIT…

Only who opens the port with that baud and parity (none, even, odd; without parity two stop bits) is heard, as on a real
line; units that are not there are silent. Prints {"port": path} on one line and serves until killed.
"""

import asyncio
import fcntl
import json
import os
import struct
import sys
import termios
import tty

from pymodbus import FramerType, ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

IDENTITY = {
    "VendorName": "Acme Pumps",
    "ProductCode": "P-3",
    "MajorMinorRevision": "2.1",
    "ProductName": "Booster",
}
# Speeds as numbers, which the older call cannot tell: TCGETS2 and struct termios2 of <asm/termbits.h>.
TCGETS2, TERMIOS2 = 0x802C542A, struct.Struct("=4I20B2I")
# A pseudo terminal has no parity and clears PARENB; what else a client asks for with each parity stays.
HEARD = termios.PARODD | termios.CSTOPB
PARITIES = {"none": termios.CSTOPB, "even": 0, "odd": termios.PARODD}


async def main():
    baud, parity, units = int(sys.argv[1]), PARITIES[sys.argv[2]], set(map(int, sys.argv[3:]))
    registers = [SimData(0, values=[unit * 100 for unit in range(10)], datatype=DataType.REGISTERS)]
    devices = [SimDevice(id=unit, simdata=registers) for unit in units]
    identity = ModbusDeviceIdentification(info_name=IDENTITY)
    server = ModbusTcpServer(devices, framer=FramerType.RTU, identity=identity, address=("127.0.0.1", 0))
    await server.listen()
    port = server.transport.sockets[0].getsockname()[1]
    answers, requests = await asyncio.open_connection("127.0.0.1", port)
    # The far end stays open here, so that the line outlives who opens it.
    near, far = os.openpty()
    tty.setraw(far)

    def is_heard():
        _, _, control, _, *_, speed_in, speed_out = TERMIOS2.unpack(fcntl.ioctl(far, TCGETS2, bytes(TERMIOS2.size)))
        return speed_in == speed_out == baud and control & HEARD == parity

    def to_units():
        frame = os.read(near, 1024)
        if is_heard() and frame[0] in units:
            requests.write(frame)

    asyncio.get_running_loop().add_reader(near, to_units)
    print(json.dumps({"port": os.ttyname(far)}), flush=True)
    while frame := await answers.read(1024):
        if is_heard():
            os.write(near, frame)


asyncio.run(main())
