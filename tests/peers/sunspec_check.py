"""Reads a SunSpec device with pysunspec2 and holds what the gateway has read against it.

    sunspec_check.py PORT UNIT ROWS.json

ROWS is what `fieldgate read --config … DEVICE --json` printed. Prints {"checked": n, "models": [...], "wrong": [...]}.
"""

import json
import math
import sys

import sunspec2.modbus.client as client

port, unit, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
rows = {row["tag"]: row for row in json.load(open(path, encoding="utf-8"))}
device = client.SunSpecModbusClientDeviceTCP(slave_id=unit, ipaddr="127.0.0.1", ipport=port)
device.client.max_count = 100
device.scan()
wrong = []
checked = 0


def same(wanted, got):
    if isinstance(wanted, str) or isinstance(got, str):
        return wanted == got
    return math.isclose(wanted, got, rel_tol=1e-12)


def check(name, point, model):
    """One point: the value with its scale factor, or nothing when the device does not implement it."""
    global checked
    row = rows.get(name)
    if row is None:
        wrong.append(f"{name}: the gateway has no such tag")
        return
    checked += 1
    factor = point.pdef.get("sf")
    power = 0
    if isinstance(factor, str):
        power = model.points[factor].value
    elif factor is not None:
        power = factor
    value = point.value
    if value is None or power is None or not -10 <= power <= 10:
        # An accumulator of 0 counts as none there; here it is kept, with a reservation.
        accumulator = point.pdef["type"].startswith("acc") and row["quality"] == "uncertain" and row["value"] == 0
        if point.pdef["type"] == "string" and row["value"] == "":
            return
        if not (accumulator or (row["quality"] == "bad" and row["value"] is None)):
            wrong.append(f"{name}: pysunspec2 has no value, the gateway {row}")
        return
    if point.pdef["type"] == "sunssf" and not -10 <= value <= 10:
        # pysunspec2 shows the number, which no power of ten may be.
        if row["quality"] != "bad":
            wrong.append(f"{name}: {value} is no scale factor, the gateway has {row}")
        return
    scaled = point.cvalue if isinstance(value, str) else value * 10.0**power if power else value
    if row["value"] is None or not same(scaled, row["value"]):
        wrong.append(f"{name}: pysunspec2 has {scaled}, the gateway {row}")


models = []
for number in device.models:
    if not isinstance(number, int):
        continue
    for model in device.models[number]:
        models.append(number)
        for key, point in model.points.items():
            if point.pdef["type"] != "pad":
                check(f"{model.gname}.{key}", point, model)
print(json.dumps({"checked": checked, "models": models, "wrong": wrong}))
