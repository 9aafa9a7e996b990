"""theirs.py WORK LOG DBC… --seconds S: what python-can and cantools make of a log on one core.

WORK: `read` (python-can's candump reader), `decode` (cantools, frames from memory), `log` (both), `arrow` (both, and the
values into an Arrow table per message, as ours does). Prints one line of JSON. Databases are loaded before.
"""

import argparse
import json
import resource
import time

import can
import cantools
from can.io import CanutilsLogReader


class Plan:
    """Finds the message of a frame: by parameter group where the database says J1939, else by identifier."""

    def __init__(self, databases):
        self.exact, self.groups = {}, {}
        for path in databases:
            for message in cantools.database.load_file(path, strict=False).messages:
                if message.protocol == "j1939":
                    self.groups.setdefault(group(message.frame_id), message)
                else:
                    self.exact.setdefault((message.frame_id, message.is_extended_frame), message)

    def find(self, frame):
        found = self.exact.get((frame.arbitration_id, frame.is_extended_id))
        if found is None and frame.is_extended_id:
            found = self.groups.get(group(frame.arbitration_id))
        return found


def group(identifier):
    if identifier >> 16 & 0xFF >= 240:
        return identifier >> 8 & 0x3FFFF
    return identifier >> 8 & 0x3FF00


def read(log):
    frames = 0
    for _ in CanutilsLogReader(log):
        frames += 1
    return frames, 0, 0


def decode(frames, plan):
    count = rows = values = 0
    for frame in frames:
        count += 1
        message = plan.find(frame)
        if message is not None:
            values += len(message.decode(frame.data, decode_choices=False, allow_truncated=True))
            rows += 1
    return count, rows, values


def arrow(log, plan):
    import pyarrow

    count = rows = values = 0
    tables = {}
    for frame in CanutilsLogReader(log):
        count += 1
        message = plan.find(frame)
        if message is not None:
            row = message.decode(frame.data, decode_choices=False, allow_truncated=True)
            row["ts"] = frame.timestamp
            tables.setdefault((frame.channel, message.name), []).append(row)
    for of_message in tables.values():
        table = pyarrow.Table.from_pylist(of_message)
        rows += table.num_rows
        values += sum(len(column) - column.null_count for column in table.columns[:-1])
    return count, rows, values


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("work", choices=["read", "decode", "log", "arrow"])
    arguments.add_argument("log")
    arguments.add_argument("dbc", nargs="+")
    arguments.add_argument("--seconds", type=float, default=3.0)
    wanted = arguments.parse_args()
    plan = Plan(wanted.dbc)
    frames = list(CanutilsLogReader(wanted.log)) if wanted.work == "decode" else []
    once = {
        "read": lambda: read(wanted.log),
        "decode": lambda: decode(frames, plan),
        "log": lambda: decode(CanutilsLogReader(wanted.log), plan),
        "arrow": lambda: arrow(wanted.log, plan),
    }[wanted.work]
    once()
    begun, cpu, passes, sums = time.monotonic(), time.process_time(), 0, (0, 0, 0)
    while time.monotonic() - begun < wanted.seconds:
        sums = tuple(map(sum, zip(sums, once())))
        passes += 1
    cpu = time.process_time() - cpu
    print(
        json.dumps(
            {
                "program": f"python-can {can.__version__}, cantools {cantools.__version__}",
                "work": wanted.work,
                "passes": passes,
                "frames": sums[0],
                "rows": sums[1],
                "values": sums[2],
                "frames_per_cpu_s": round(sums[0] / cpu),
                "cpu_s": round(cpu, 3),
                "wall_s": round(time.monotonic() - begun, 3),
                "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            }
        )
    )


main()
