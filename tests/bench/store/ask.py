"""What is asked of a store, and how long it takes: a month of a signal, the newest of all signals, a start.

    tests/bench/store/ask month | latest | start

Each prints its figures while a demo gateway samples on the same machine (not for `start`, which is one). See
docs/benchmarks.md.
"""

import contextlib
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[2] / "target"))
STORE = os.environ.get("BENCH_STORE", str(TARGET / "image/examples/bench_store"))
GATEWAY = os.environ.get("FIELDGATE", str(TARGET / "release/fieldgate"))
ROUNDS = 7

MINUTES = (
    "SELECT time_bucket('1 minute', ts) AS t, avg({value}) AS mean, min({value}) AS least, max({value}) AS most "
    "FROM {table} {where} GROUP BY t"
)


def measured(command):
    """Wall and processor seconds, the greatest resident set in MiB, and lines of the answer."""
    begun = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    lines = child.stdout.read().count(b"\n")
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command}: {status}")
    return time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, lines


def query(sql, data):
    """The best and the middle of some runs."""
    runs = sorted(measured([GATEWAY, "query", sql, "--data", data, "--format", "csv"]) for _ in range(ROUNDS))
    wall, cpu, mib = (sorted(run[place] for run in runs) for place in range(3))
    middle = ROUNDS // 2
    print(
        f"{sql}\n  {runs[0][3]} lines; wall {wall[0]:.2f} to {wall[-1]:.2f} s, middle {wall[middle]:.2f}; "
        f"processor {cpu[0]:.2f} to {cpu[-1]:.2f} s; resident {mib[0]:.1f} to {mib[-1]:.1f} MiB",
        flush=True,
    )


@contextlib.contextmanager
def gateway(data, *arguments):
    """A running gateway; its address, and when it was started."""
    begun = time.monotonic()
    command = [GATEWAY, "run", *arguments, "--data", data, "--listen", "127.0.0.1:0"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    address = None
    for line in child.stderr:
        found = re.search(r"fieldgate runs.*http://([0-9.:]+)", line)
        if found:
            address = found.group(1)
            break
    threading.Thread(target=lambda: child.stderr.read(), daemon=True).start()
    try:
        if address is None:
            raise SystemExit("the gateway did not start")
        yield address, begun
    finally:
        child.terminate()
        child.wait()


def month(scratch):
    print(subprocess.run([STORE, "lake-of", "1", "30", scratch], check=True, stdout=subprocess.PIPE, text=True).stdout)
    table = sorted(os.listdir(os.path.join(scratch, "lake")))[0]
    with gateway(scratch, "--demo"):
        described = subprocess.run(
            [GATEWAY, "query", f"DESCRIBE {table}", "--data", scratch, "--format", "csv"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.splitlines()
        column = [line.split(",")[0] for line in described if "Float64" in line][0]
        paths = subprocess.run(
            [GATEWAY, "query", "SELECT path FROM latest", "--data", scratch, "--format", "csv"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.splitlines()
        path = [path for path in paths if path.replace("/", "_").replace(".", "_").endswith(column)][0]
        query("SELECT 1", scratch)
        query(MINUTES.format(value=column, table=table, where=""), scratch)
        query(MINUTES.format(value="value", table="samples", where=f"WHERE path = '{path}'"), scratch)


def latest(scratch):
    print(subprocess.run([STORE, "journal-of", "250", "3600", "1", scratch], check=True, stdout=subprocess.PIPE, text=True).stdout)
    sql = "SELECT count(*), max(ts) FROM latest"
    with tempfile.TemporaryDirectory() as other, gateway(other, "--demo"):
        query(sql, scratch)
    with gateway(scratch, "--demo") as (address, _):
        url = f"http://{address}/api/v1/sql?" + urllib.parse.urlencode({"sql": sql, "format": "csv"})
        took = []
        for _ in range(20):
            begun = time.monotonic()
            answer = urllib.request.urlopen(url, timeout=60).read().decode().splitlines()[-1]
            took.append(round(1000 * (time.monotonic() - begun)))
            time.sleep(0.5)
        print(f"over HTTP, {answer}: first {took[0]} ms, then {min(took[1:])} to {max(took[1:])} ms")


class Device:
    """A Modbus device that remembers when it was first asked."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.asked = self.listener.getsockname()[1], threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.answer, args=(client,), daemon=True).start()

    def answer(self, client):
        while True:
            request = client.recv(12)
            if len(request) < 12:
                return
            self.at = time.monotonic() if not self.asked.is_set() else self.at
            self.asked.set()
            words = request[11]
            client.sendall(request[:4] + struct.pack("!HBBB", 3 + 2 * words, request[6], request[7], 2 * words) + bytes(2 * words))


def start(scratch):
    print(subprocess.run([STORE, "journal-of", "4", "604800", "60", scratch], check=True, stdout=subprocess.PIPE, text=True).stdout)
    print(subprocess.run([STORE, "lake-of", "1", "1", os.path.join(scratch, "one")], check=True, stdout=subprocess.PIPE, text=True).stdout)
    one = next(pathlib.Path(scratch, "one").rglob("*.parquet"))
    bytes_of_one = one.read_bytes()
    for table in range(100):
        # A file system lets a file have some ten thousand names.
        one = pathlib.Path(scratch, "one", f"{table}.parquet")
        one.write_bytes(bytes_of_one)
        for day in range(1, 11):
            folder = pathlib.Path(scratch, "lake", f"t{table}", f"date=2026-01-{day:02}")
            folder.mkdir(parents=True)
            for file in range(100):
                os.link(one, folder / f"{1767225600000000 + 86400000000 * (day - 1) + file:016}_{file:020}.parquet")
    config = pathlib.Path(scratch, "gateway.toml")
    for _ in range(3):
        device = Device()
        config.write_text(
            f'[gateway]\nid = "bench"\nsite = "bench"\n[[line]]\nname = "a"\ntransport = "tcp"\nhost = "127.0.0.1:{device.port}"\n'
            '[[device]]\nname = "d"\nline = "a"\nunit = 1\nevery = "1 s"\n[[device.tag]]\nname = "r"\nat = "input:0"\ntype = "u16"\n'
            '[[aggregate]]\nwindow = "1 min"\n'
        )
        with gateway(scratch, "--config", str(config)) as (_, begun):
            ready = time.monotonic() - begun
            device.asked.wait(60)
            print(f"first sample asked for after {device.at - begun:.2f} s; page after {ready:.2f} s", flush=True)


def main():
    what = {"month": month, "latest": latest, "start": start}[sys.argv[1]]
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_SCRATCH")) as scratch:
        load = f"load {os.getloadavg()[0]:.1f}"
        print(f"{what.__name__}: {load}", flush=True)
        what(scratch)


main()
