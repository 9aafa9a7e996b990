"""can_logs.py LOG FOLDER: writes the frames of a candump log, and a few special ones, in every format that
python-can writes, and beside each file what python-can reads back from it, as candump lines.

Prints a JSON list of {file, expected, frames}. Error frames have no identifier that formats agree on: it is left out.
"""

import gzip
import json
import os
import shutil
import sys
import time

import can
from can.io.trc import TRCFileVersion, TRCWriter

START = 1635188455.02085


def special():
    """Frames that a truck does not send."""

    def message(after, **about):
        return can.Message(timestamp=START + after, **about)

    yield message(0.001, arbitration_id=0x7FF, is_extended_id=False, data=b"", channel=1)
    yield message(0.002, arbitration_id=0x123, is_extended_id=False, is_remote_frame=True, dlc=5, channel=1)
    yield message(0.003, arbitration_id=0x1FFFFFFF, is_extended_id=True, is_remote_frame=True, dlc=8, channel=0)
    for place, length in enumerate((1, 8, 12, 16, 20, 24, 32, 48, 64)):
        yield message(
            0.01 + place / 1000,
            arbitration_id=0x100 + place,
            is_extended_id=place % 2 == 0,
            is_fd=True,
            bitrate_switch=place % 3 == 0,
            error_state_indicator=place % 4 == 1,
            data=bytes(range(length)),
            channel=place % 2,
        )
    yield message(0.1, is_error_frame=True, channel=0)


def frames(log):
    yield from can.io.CanutilsLogReader(log)


def channel_of(message):
    return message.channel if isinstance(message.channel, str) else f"can{message.channel or 0}"


def line(message, base):
    micros = round(message.timestamp * 1e6)
    start = f"({micros // 1000000}.{micros % 1000000:06d}) {base(message)} "
    if message.is_error_frame:
        return start + "error"
    name = f"{message.arbitration_id:08X}" if message.is_extended_id else f"{message.arbitration_id:03X}"
    if message.is_remote_frame:
        return start + f"{name}#R" + (str(message.dlc) if message.dlc else "")
    flags = f"#{message.bitrate_switch | message.error_state_indicator << 1}" if message.is_fd else ""
    return start + f"{name}#{flags}{message.data.hex().upper()}"


def write(writer, messages):
    for message in messages:
        number = message.channel
        message.channel = int(str(number).removeprefix("can"))
        writer.on_message_received(message)
        message.channel = number
    writer.stop()


def main():
    log, folder = sys.argv[1:3]
    truck = list(frames(log))
    both = truck + list(special())
    classic = [m for m in both if not (m.is_fd or m.is_remote_frame or m.is_error_frame)]
    own = lambda message: channel_of(message)
    one_less = lambda message: f"can{message.channel - 1}"
    told = []

    def tell(name, reader, base):
        expected = [line(message, base) for message in reader]
        path = os.path.join(folder, name)
        with open(f"{path}.expected", "w", encoding="ascii") as out:
            out.write("\n".join(expected) + "\n")
        told.append({"file": path, "expected": f"{path}.expected", "frames": len(expected)})
        with open(path, "rb") as plain, gzip.open(f"{path}.gz", "wb") as packed:
            shutil.copyfileobj(plain, packed)
        told.append({"file": f"{path}.gz", "expected": f"{path}.expected", "frames": len(expected)})

    path = lambda name: os.path.join(folder, name)
    write(can.io.ASCWriter(path("frames.asc")), both)
    tell("frames.asc", can.io.ASCReader(path("frames.asc"), relative_timestamp=False), own)
    write(can.io.BLFWriter(path("frames.blf")), both)
    tell("frames.blf", can.io.BLFReader(path("frames.blf")), own)
    write(can.io.BLFWriter(path("plain.blf"), compression_level=0), both)
    tell("plain.blf", can.io.BLFReader(path("plain.blf")), own)
    write(can.io.CanutilsLogWriter(path("frames.log")), both)
    tell("frames.log", can.io.CanutilsLogReader(path("frames.log")), own)
    write(TRCWriter(path("frames.trc")), classic)
    tell("frames.trc", can.io.TRCReader(path("frames.trc")), one_less)
    old = TRCWriter(path("old.trc"))
    old.file_version = TRCFileVersion.V1_0
    write(old, classic)
    tell("old.trc", can.io.TRCReader(path("old.trc")), one_less)
    print(json.dumps(told))


os.environ["TZ"] = "UTC"
time.tzset()
main()
