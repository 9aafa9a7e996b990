"""bench.py [--seconds S] [--only NAME,…] [--work NAME,…] [--json FILE]: pollers side by side on one Modbus server.

The same server and the same work for each poller, one after another. What is told of a poller:

  CPU        time on a processor of all its threads, from the kernel (/proc/PID/task/*/schedstat), per tag that the
             server delivered and per second
  memory     resident set at the end (VmRSS)
  delivered  answers the server gave, of those that the period asks for
  interval   between two requests for the same block, from the server's journal

One tag is one register. Run it through tests/bench/modbus/run, which builds and installs what is needed.
"""

import argparse
import glob
import json
import os
import platform
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../../.."))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
EXAMPLES = os.path.join(TARGET, "release/examples")
BUILT = os.path.join(TARGET, "bench-modbus")
PYTHON = os.path.join(os.environ.get("FIELDGATE_PEERS", os.path.join(ROOT, "target/peers")), "venv/bin/python")

# Name: units, registers in each, period in microseconds; 0 = as fast as it goes.
WORKS = {
    "1,000 tags at 1 s": (10, 100, 1_000_000),
    "10,000 tags at 1 s": (100, 100, 1_000_000),
    "saturated": (10, 1000, 0),
}
POLLERS = {
    "fieldgate": [os.path.join(EXAMPLES, "bench_poller")],
    "tokio-modbus": [os.path.join(EXAMPLES, "bench_shipped")],
    "libmodbus": [os.path.join(BUILT, "libmodbus_poller")],
    "pymodbus": [PYTHON, os.path.join(HERE, "pollers/pymodbus_poller.py")],
    "modbus-serial": ["node", os.path.join(HERE, "pollers/modbus_serial_poller.js")],
    "node-red": ["node", os.path.join(HERE, "pollers/node_red_poller.js")],
}
# Until everybody has connected, compiled what it compiles at run time and filled its slots.
WARM_S = {"node-red": 30, "modbus-serial": 5, "pymodbus": 5}


class Server:
    def __init__(self):
        self.process = subprocess.Popen([os.path.join(EXAMPLES, "bench_server")], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def journal(self):
        self.tell("end")
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.wait()


def cpu_ns(pid):
    """Time on a processor by thread. A thread that ends takes its time along, so none may end while we measure."""
    spent = {}
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            with open(path, encoding="ascii") as file:
                spent[path] = int(file.read().split()[0])
        except FileNotFoundError:
            pass
    return spent


def rss_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1])


def measure(name, work, seconds, *words):
    units, registers, period_us = work
    server = Server()
    poller = subprocess.Popen(POLLERS[name] + [str(n) for n in (server.port, units, registers, period_us, *words)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE)
    try:
        time.sleep(WARM_S.get(name, 3))
        if poller.poll() is not None:
            sys.exit(f"{name} has ended with {poller.returncode}")
        server.tell("begin")
        before, begun = cpu_ns(poller.pid), time.monotonic()
        time.sleep(seconds)
        journal, ended = server.journal(), time.monotonic()
        after, memory = cpu_ns(poller.pid), rss_kb(poller.pid)
        told = {}
        if name == "fieldgate":
            told = json.loads(poller.communicate("", timeout=20)[0])
    finally:
        poller.kill()
        poller.wait()
        server.stop()
    elapsed = ended - begun
    cpu_s = sum(spent - before.get(thread, 0) for thread, spent in after.items()) / 1e9
    wanted = units * registers * elapsed * 1e6 / period_us if period_us else None
    return {
        "cpu_us_per_tag": cpu_s * 1e6 / max(1, journal["registers"]),
        "cpu_ms_per_s": cpu_s * 1e3 / elapsed,
        "tags_per_s": journal["registers"] / elapsed,
        "rss_mb": memory / 1024,
        "delivered": journal["registers"] / wanted if wanted else None,
        "p99_ms": (journal["p99_us"] or 0) / 1e3,
        "max_ms": (journal["max_us"] or 0) / 1e3,
        "connections": journal["connections"], "refused": journal["refused"], **told,
    }


def row(name, result):
    share = "" if result["delivered"] is None else f"{result['delivered'] * 100:.1f} %"
    return (f"| {name} | {result['cpu_us_per_tag']:.3f} | {result['cpu_ms_per_s']:.2f} | {result['rss_mb']:.1f} "
            f"| {result['tags_per_s']:,.0f} | {share} | {result['p99_ms']:.1f} | {result['max_ms']:.1f} |")


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "?")
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}, load {os.getloadavg()[0]:.1f} at the start"


def bytes_per_tag(seconds, *words):
    """What a tag takes: resident memory with 100 tags in each of 100 units, less that with one tag in each."""
    many = measure("fieldgate", WORKS["10,000 tags at 1 s"], seconds, *words)
    few = measure("fieldgate", (100, 1, 1_000_000), seconds, *words)
    return (many["rss_mb"] - few["rss_mb"]) * 1024 * 1024 / 9_900


def main():
    words = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    words.add_argument("--seconds", type=float, default=20)
    words.add_argument("--only", default=",".join(POLLERS))
    words.add_argument("--work", default="", help="only works whose name begins so")
    words.add_argument("--json")
    words = words.parse_args()
    print(machine(), flush=True)
    results = {}
    for work, what in WORKS.items():
        if not work.startswith(words.work):
            continue
        print(f"\n{work}\n\n| poller | CPU µs per tag | CPU ms per s | memory MB | tags per s | delivered "
              "| interval p99 ms | max ms |\n| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
        for name in words.only.split(","):
            results[f"{work}: {name}"] = result = measure(name, what, words.seconds)
            print(row(name, result), flush=True)
    if "fieldgate" in words.only and not words.work:
        results["bytes per tag"] = bytes_per_tag(min(words.seconds, 10))
        results["bytes per tag, unlike"] = bytes_per_tag(min(words.seconds, 10), "unlike")
        print(f"\nfieldgate, bytes per tag: {results['bytes per tag']:.0f}; where no two devices have a column in "
              f"common: {results['bytes per tag, unlike']:.0f}", flush=True)
    if words.json:
        with open(words.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    wrong = {name: r["wrong"] for name, r in results.items() if isinstance(r, dict) and r.get("wrong")}
    if wrong:
        sys.exit(f"wrong values: {wrong}")


main()
