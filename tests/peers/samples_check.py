"""samples_check.py LAKE MESSAGES RULES: holds reduced samples as they came over MQTT against the raw rows in a lake.

MESSAGES has one payload a line. RULES is JSON: `{"table.column": {"method": …, "error": …, "heartbeat_s": …}}`. For
every raw sample that DuckDB reads, up to the last one that came: how far is it from what those that came say at its
time? The last before it for `deadband`, the straight line between its neighbours for `swinging_door`. Prints how many
there were and came, the greatest distance as a share of the error, and what is wrong.
"""

import bisect
import json
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone

from lake import connect

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def micros(text):
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // timedelta(microseconds=1)


def said(kept, at, door):
    """What the samples that came say at a time; (there is a value, value)."""
    after = bisect.bisect_right(kept, at, key=lambda sample: sample[0])
    before = kept[after - 1]
    if door and after < len(kept) and kept[after][1] is not None and before[1] is not None and kept[after][2] == before[2]:
        share = (at - before[0]) / (kept[after][0] - before[0])
        return before[1] + (kept[after][1] - before[1]) * share
    return before[1]


def main():
    lake, path, rules = sys.argv[1:4]
    rules = json.loads(rules)
    came, known = defaultdict(list), set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            if message["seq"] in known:
                continue
            known.add(message["seq"])
            for sample in message["samples"]:
                key = (message["table"], sample["column"], message.get("sa"))
                quality = sample.get("quality", "good") + sample.get("reason", "")
                came[key].append((micros(sample["ts"]), sample["value"], quality))
    connection = connect(lake)
    report = {"seen": 0, "sent": 0, "worst": {}, "signals": len(came), "wrong": []}
    for name, rule in rules.items():
        table, column = name.split(".")
        rows = connection.execute(
            f'SELECT epoch_us(ts), CAST(sa AS INTEGER), CAST("{column}" AS DOUBLE), q FROM "{table}" ORDER BY ts'
        ).fetchall()
        raw = defaultdict(list)
        for at, sa, value, q in rows:
            if value is not None or q == 2:
                raw[sa].append((at, value))
        for sa, samples in raw.items():
            kept = came[(table, column, sa)]
            where = f"{name}@{sa}"
            times = {at for at, _ in samples}
            if not kept:
                report["wrong"].append(f"{where}: nothing came")
                continue
            if any(a[0] >= b[0] for a, b in zip(kept, kept[1:])):
                report["wrong"].append(f"{where}: out of order, or twice")
            report["wrong"] += [f"{where}: {at} is no sample" for at, _, _ in kept if at not in times]
            seen = [sample for sample in samples if sample[0] <= kept[-1][0]]
            report["seen"] += len(seen)
            report["sent"] += len(kept)
            stretches = {}
            for at, value in seen:
                stretches.setdefault(at // (rule["heartbeat_s"] * 1_000_000), at)
                told = said(kept, at, rule["method"] == "swinging_door")
                if (told is None) != (value is None):
                    report["wrong"].append(f"{where} {at}: {value}, said to be {told}")
                elif value is not None:
                    off = abs(told - value)
                    share = off / rule["error"] if rule["error"] else off
                    report["worst"][name] = max(report["worst"].get(name, 0.0), share)
                    if off > rule["error"] * (1 + 1e-12) + 1e-12 * abs(value):
                        report["wrong"].append(f"{where} {at}: {value}, said to be {told}")
            sent = {at for at, _, _ in kept}
            report["wrong"] += [f"{where}: stretch of {at} not seen" for at in stretches.values() if at not in sent]
    report["wrong_count"], report["wrong"] = len(report["wrong"]), report["wrong"][:20]
    print(json.dumps(report))


main()
