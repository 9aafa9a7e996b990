"""Journal and lake beside other programs: the same samples, one core, one after the other. See docs/benchmarks.md."""

import argparse
import gzip
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
STORE = pathlib.Path(os.environ.get("BENCH_STORE", TARGET / "image/examples/bench_store"))
GATEWAY = pathlib.Path(os.environ.get("FIELDGATE", TARGET / "release/fieldgate"))
CAN = ROOT / "tests/cases/can"
DATABASES = [CAN / "dbc/j1939_common.dbc", CAN / "dbc/css-canmod-gps.dbc"]
TRUCK = CAN / "logs/truck-idle-j1939-gps.log.gz"
WAYS = [
    "pyarrow_wide",
    "pyarrow_wide_tuned",
    "duckdb_wide",
    "pyarrow_long",
    "pyarrow_long_tuned",
    "duckdb_long",
    "sqlite",
    "json",
]


def run(command):
    done = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def make(kind, seconds, folder):
    if kind == "truck":
        log = folder.with_suffix(".log")
        log.write_bytes(gzip.decompress(TRUCK.read_bytes()))
        run([GATEWAY, "can", "decode", "--log", log, "--out", folder, "--dbc", *DATABASES])
    else:
        run([STORE, "make", kind, seconds, folder])


def measure(name, lake, wanted, scratch):
    on_core = ["taskset", "-c", wanted.core]
    rows = [json.loads(run([*on_core, STORE, "journal", lake]))]
    rows += [json.loads(run([*on_core, STORE, "lake", lake, profile])) for profile in wanted.profiles]
    for way in WAYS:
        with tempfile.TemporaryDirectory(dir=scratch) as out:
            rows.append(json.loads(run([*on_core, sys.executable, HERE / "theirs.py", way, lake, out])))
    print(f"**{name}**: {rows[1]['values']:,} values in {rows[1]['rows']:,} rows of {rows[1]['files']} tables\n")
    print("| way | bytes a sample | million values/s a core | million rows/s a core | peak MiB |")
    print("| --- | --- | --- | --- | --- |")
    for row in rows:
        fast = row["values_per_cpu_s"] / 1e6
        rate = f"{row['rows_per_cpu_s'] / 1e6:.2f}" if "rows_per_cpu_s" in row else "-"
        peak = f"{row['peak_mib']:.0f}" if "peak_mib" in row else "-"
        print(f"| {row['what']} | {row['bytes_per_value']:.3f} | {fast:.1f} | {rate} | {peak} |")
    journal = rows[0]
    print(f"\njournal with its own group commit: {journal['values_per_s'] / 1e6:.1f} million values/s, ", end="")
    print(f"{journal['bytes_per_value_fast']:.3f} bytes a sample; read again at ", end="")
    print(f"{journal['read_values_per_s'] / 1e6:.1f} million/s; {journal['commits']} commits, one a second of samples\n")
    return rows[-1].get("program")


def machine():
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{len(model)} cores of {model[0]}, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=int, default=3600, help="of the plant")
    arguments.add_argument("--can-seconds", type=int, default=900, help="of the generated bus")
    arguments.add_argument("--core", type=int, default=os.cpu_count() - 1)
    arguments.add_argument("--profiles", nargs="+", default=["default"])
    arguments.add_argument("--sets", nargs="+", default=["plant", "can", "truck"])
    arguments.add_argument("--scratch", help="a folder on the disk to measure")
    arguments.add_argument("--no-store", action="store_true", help="leave out journal to lake")
    wanted = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.scratch) as scratch:
        print(f"{machine()}")
        for kind in wanted.sets:
            lake = pathlib.Path(scratch) / kind
            make(kind, wanted.can_seconds if kind == "can" else wanted.seconds, lake)
            program = measure(kind, lake, wanted, scratch)
        print(f"{program}, Python {platform.python_version()}")
        if not wanted.no_store:
            for devices, seconds, roll in ((50, 4 * 3600, 3600), (250, 3600, 1800)):
                told = json.loads(run([STORE, "store", devices, seconds, roll, pathlib.Path(scratch) / "s"]))
                print(json.dumps(told))


main()
