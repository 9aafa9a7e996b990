"""Drains a queue of messages into mosquitto, one client after the other; prints a table."""

import argparse
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TOPIC = "fieldgate/v1/gw-1/aggregates"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_broker(folder):
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nlog_type error\n")
    program = next((p for p in ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto") if Path(p).exists()), "mosquitto")
    broker = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return broker, port
        except OSError:
            time.sleep(0.05)
    raise SystemExit("mosquitto does not answer")


def fill_sqlite(path, messages):
    queue = sqlite3.connect(path)
    queue.execute("CREATE TABLE queue (seq INTEGER PRIMARY KEY, payload TEXT)")
    signals = (
        '"speed":{"count":10,"good":10,"min":0.1,"max":2.5,"mean":1.3,"twa":1.3,"first":0.1,"last":2.5,"stddev":0.7}'
    )
    rows = (
        (
            seq,
            f'{{"gateway":"gw-1","stream":"aggregates","seq":{seq},"ts":"2026-01-01T00:00:00.000000Z",'
            f'"window":"10s","table":"pump","signals":{{{signals}}}}}',
        )
        for seq in range(messages)
    )
    queue.executemany("INSERT INTO queue VALUES (?, ?)", rows)
    queue.commit()
    queue.close()


def measure(command, stdin=None):
    """Wall and CPU seconds and the largest memory (MB) of a command, without what feeds it."""
    begun = time.monotonic()
    child = subprocess.Popen(command, stdin=stdin)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"{command}: {status}")
    wall = time.monotonic() - begun
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def row(name, messages, figures):
    wall, cpu, memory = figures
    print(f"| {name} | {messages:,} | {messages / wall:,.0f} | {cpu / messages * 1e6:.1f} | {memory:.1f} |", flush=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--others", type=int, default=200_000, help="messages of the other clients")
    options.add_argument("--paho", type=int, default=50_000, help="messages of paho, the slowest")
    options = options.parse_args()
    ours = str(ROOT / "target/release/examples/bench_forward")
    folder = Path(tempfile.mkdtemp(prefix="bench-forward-"))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    broker, port = start_broker(folder)
    try:
        print(f"messages of {len(sample(folder))} bytes\n")
        print("| client | messages | messages per s | CPU µs per message | most memory MB |")
        print("| --- | --- | --- | --- | --- |")
        for messages in (options.messages // 10, options.messages):
            data = folder / f"outbox-{messages}"
            subprocess.run([ours, "fill", str(data), str(messages)], check=True)
            row("fieldgate", messages, measure([ours, "drain", str(data), str(port)]))
        data = folder / "outbox-others"
        subprocess.run([ours, "fill", str(data), str(options.others)], check=True)
        row("rumqttc alone", options.others, measure([ours, "bare", str(data), str(port)]))
        queue = folder / "queue.sqlite"
        fill_sqlite(queue, options.others)
        if shutil.which("mosquitto_pub") and shutil.which("sqlite3"):
            feed = subprocess.Popen(
                ["sqlite3", str(queue), "SELECT payload FROM queue ORDER BY seq"], stdout=subprocess.PIPE
            )
            command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", TOPIC, "-q", "1", "-l"]
            row("mosquitto_pub from SQLite", options.others, measure(command, stdin=feed.stdout))
        python = os.sys.executable
        command = [python, str(HERE / "paho_drain.py"), str(queue), str(port), str(options.paho)]
        row("paho from SQLite", options.paho, measure(command))
    finally:
        broker.terminate()
        broker.wait()
        shutil.rmtree(folder)


def sample(folder):
    path = folder / "sample.sqlite"
    fill_sqlite(path, 1)
    return sqlite3.connect(path).execute("SELECT payload FROM queue").fetchone()[0]


if __name__ == "__main__":
    main()
