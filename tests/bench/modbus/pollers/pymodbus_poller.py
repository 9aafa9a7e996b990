"""pymodbus_poller.py PORT UNITS REGISTERS PERIOD_US: polls with pymodbus until killed; period 0 = at once again.

One asyncio client, one request at a time, slots of absolute time spread over the period; registers stay lists.
"""

import asyncio
import sys
import time

from pymodbus.client import AsyncModbusTcpClient

LONGEST = 125


async def main():
    port, units, registers, period_us = map(int, sys.argv[1:])
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=0.5)
    await client.connect()
    step, due, kept = period_us / 1e6 / units, time.monotonic(), {}
    while True:
        for unit in range(1, units + 1):
            if step:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += step
            for start in range(0, registers, LONGEST):
                count = min(LONGEST, registers - start)
                answer = await client.read_holding_registers(start, count=count, device_id=unit)
                assert not answer.isError(), answer
                kept[unit, start] = answer.registers


asyncio.run(main())
