"""golden_check.py OUT GOLDEN DBC: holds a decoded log against numbers computed by other code.

For every signal: how many values, smallest, greatest, and where no value of it is null also the first and
last time, the last value and the sum. With PGN matching, values that J1939 reserves are null in whole bytes.
"""

import json
import math
import re
import sys

import pyarrow.parquet

from lake import connect, files, tables
from leave import leave

SIGNAL = re.compile(r'^\s*SG_\s+(\w+)\s*\w*\s*:\s*\d+\|(\d+)@[01]([+-])\s*\(([^,]+),([^)]+)\)')
MESSAGE = re.compile(r"^BO_\s+\d+\s+(\w+)\s*:")


def layouts(dbc):
    """(bits, signed, scale, offset) by `Message.Signal`."""
    found, message = {}, None
    with open(dbc, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if begun := MESSAGE.match(line):
                message = begun[1]
            elif signal := SIGNAL.match(line):
                found[f"{message}.{signal[1]}"] = (int(signal[2]), signal[3] == "-", float(signal[4]), float(signal[5]))
    return found


def places(lake):
    """Tables and columns by `Message.Signal`, as the files' own metadata says."""
    found = {}
    for table in tables(lake):
        schema = pyarrow.parquet.read_schema(files(lake, table)[0])
        for field in schema:
            source = (field.metadata or {}).get(b"source", b"").decode()
            if source:
                found.setdefault(source, []).append((table, field.name))
    return found


def check(connection, where, golden, layout, is_pgn, wrong, name):
    bits, signed, scale, offset = layout
    value = lambda column: f'CAST("{column}" AS DOUBLE) AS v'
    union = " UNION ALL ".join(f'SELECT epoch_us(ts) AS t, {value(column)} FROM "{table}"' for table, column in where)
    count, low, high, total, first, end, last, rows = connection.execute(
        f"""SELECT count(v), min(v), max(v), fsum(v), min(t) FILTER (WHERE v IS NOT NULL),
                   max(t) FILTER (WHERE v IS NOT NULL), arg_max(v, t) FILTER (WHERE v IS NOT NULL), count(*)
            FROM ({union})"""
    ).fetchone()
    ranged = is_pgn and not signed and bits >= 8
    nulled = sum(golden.get(state, 0) for state in ("na", "error", "specific", "reserved")) if ranged else 0
    expected = {"count": golden["count"] - nulled}
    told = {"count": count, "min": low, "max": high, "first_us": first, "last_us": end, "last": last}
    if expected["count"]:
        prefix = "valid_" if ranged else ""
        expected |= {"min": golden.get(f"{prefix}min"), "max": golden.get(f"{prefix}max")}
    if not nulled:
        expected |= {"first_us": golden["first_us"], "last_us": golden["last_us"], "last": golden["last"]}
        exact = int(golden["raw_sum"]) * scale + golden["count"] * offset
        if not math.isclose(total, exact, rel_tol=1e-9, abs_tol=1e-9 * golden["count"]):
            wrong.append(f"{name}: sum {total}, expected {exact}")
    for key, own in expected.items():
        if told[key] != own:
            wrong.append(f"{name}: {key} {told[key]}, expected {own}")
    return count


def main():
    lake, path, dbc = sys.argv[1:4]
    with open(path, encoding="utf-8") as file:
        golden = json.load(file)
    known, where, connection = layouts(dbc), places(lake), connect(lake)
    wrong, values = [], 0
    for name, numbers in golden["signals"].items():
        if name not in where:
            wrong.append(f"{name}: in no table")
            continue
        values += check(connection, where[name], numbers, known[name], golden["match"] == "pgn", wrong, name)
    print(json.dumps({"signals": len(golden["signals"]), "values": values, "wrong": wrong}))


main()
leave()
