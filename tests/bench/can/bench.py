"""bench.py: cantools and python-can beside fieldgate: one run, one core, one log, the same databases.

Options: --seconds S (a work, default 5), --rounds N (default 3; the best of each is told), --core N (default the last).
Also measures the memory of four buses: the adapters alone, and a whole gateway if its binary is built; that of an image is
measured with `--gateway target/image/fieldgate`, after `cargo build --profile image`.
"""

import argparse
import gzip
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
CAN = ROOT / "tests/cases/can"
LOG = CAN / "logs/truck-idle-j1939-gps.log.gz"
DATABASES = [CAN / "dbc/j1939_common.dbc", CAN / "dbc/css-canmod-gps.dbc"]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
HERE = pathlib.Path(__file__).resolve().parent
MEMORY_GOAL_MIB = 64


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def side_by_side(log, wanted):
    """Rounds in turn, so that what else the machine does meets both; the best of each."""
    on_core = ["taskset", "-c", wanted.core]
    ours = lambda work: [*on_core, TARGET / "release/examples/bench_decode", work, log, *DATABASES]
    theirs = lambda work: [*on_core, sys.executable, HERE / "theirs.py", work, log, *DATABASES]
    pairs = [
        ("read the log", ours("read"), theirs("read")),
        ("decode frames in memory", ours("decode"), theirs("decode")),
        ("log to values", ours("log"), theirs("log")),
        ("log to Arrow", ours("log"), theirs("arrow")),
    ]
    rows = []
    for name, own, other in pairs:
        best = [{"frames_per_cpu_s": 0}, {"frames_per_cpu_s": 0}]
        for _ in range(wanted.rounds):
            for place, command in enumerate((own, other)):
                told = run([*command, "--seconds", wanted.seconds])
                best[place] = max(best[place], told, key=lambda t: t["frames_per_cpu_s"])
        rows.append((name, *best))
    return rows


def memory_of(process_id):
    status = pathlib.Path(f"/proc/{process_id}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {name: int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM", "RssAnon", "RssFile")}


def gateway_memory(binary, seconds):
    """Resident set of a whole gateway with four buses that replay the log for ever; `None` without its binary."""
    if not binary.exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        config = ['[gateway]\nid = "bench"\nsite = "bench"\n']
        for bus in range(4):
            dbc = ", ".join(f'"{path}"' for path in DATABASES)
            config.append(f'[[can]]\nname = "bus{bus}"\nreplay = "{LOG}"\ndbc = [{dbc}]\nloop = true\n')
        path = pathlib.Path(folder) / "gateway.toml"
        path.write_text("\n".join(config))
        with open(pathlib.Path(folder) / "log", "w") as log:
            gateway = subprocess.Popen(
                [binary, "run", "--config", path, "--data", f"{folder}/data", "--listen", "127.0.0.1:0"],
                stdout=log,
                stderr=log,
            )
            time.sleep(seconds)
            if gateway.poll() is not None:
                sys.exit(f"the gateway ended: {pathlib.Path(folder, 'log').read_text()}")
            told = memory_of(gateway.pid)
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(20)
    return told


def machine():
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{len(model)} cores of {model[0]}, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=5.0)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--core", type=int, default=os.cpu_count() - 1)
    arguments.add_argument("--gateway-seconds", type=float, default=60.0)
    arguments.add_argument("--gateway", type=pathlib.Path, default=TARGET / "release/fieldgate")
    wanted = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "truck.log"
        log.write_bytes(gzip.decompress(LOG.read_bytes()))
        rows = side_by_side(log, wanted)
        buses = run([TARGET / "release/examples/bench_buses", log, 4, 10, *DATABASES])
    print(f"{machine()}; {rows[0][2]['program']}, Python {platform.python_version()}\n")
    print("| work | fieldgate frames/s | python-can, cantools frames/s | times |")
    print("| --- | --- | --- | --- |")
    for name, own, other in rows:
        times = own["frames_per_cpu_s"] / other["frames_per_cpu_s"]
        print(f"| {name} | {own['frames_per_cpu_s']:,} | {other['frames_per_cpu_s']:,} | {times:.1f} |")
    print(f"\nrows and values of a pass: {rows[-1][1]['rows'] // rows[-1][1]['passes']:,}, ", end="")
    print(f"{rows[-1][1]['values'] // rows[-1][1]['passes']:,} ours; ", end="")
    print(f"{rows[-1][2]['rows'] // rows[-1][2]['passes']:,}, {rows[-1][2]['values'] // rows[-1][2]['passes']:,} theirs")
    print(f"\nfour buses, adapters alone, as fast as they go: {buses['peak_kib'] / 1024:.1f} MiB, ", end="")
    print(f"{buses['frames'] / buses['wall_s']:,.0f} frames/s")
    if whole := gateway_memory(wanted.gateway, wanted.gateway_seconds):
        print(f"four buses, whole gateway, as recorded: {whole['VmRSS']:.1f} MiB after {wanted.gateway_seconds:.0f} s ", end="")
        print(f"({whole['RssAnon']:.1f} of its own, {whole['RssFile']:.1f} of the program's file), ", end="")
        met = "met" if whole["VmHWM"] <= MEMORY_GOAL_MIB else "NOT met"
        print(f"peak {whole['VmHWM']:.1f} MiB; goal {MEMORY_GOAL_MIB}: {met}")
    else:
        print("four buses, whole gateway: not measured, build it first (cargo build --release)")


main()
