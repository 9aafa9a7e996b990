"""aggregates_check.py LAKE MESSAGES: holds aggregates as they came over MQTT against DuckDB's own.

MESSAGES has one payload a line. For every window and signal: count, min, max, first, last and mean over the
rows with `window_start <= ts < window_end`. Prints how many were compared, the worst relative difference of a
mean, and what is wrong.
"""

import json
import sys
from collections import defaultdict

from lake import connect, tables


def micros(text):
    """Microseconds of an RFC 3339 time in UTC."""
    from datetime import datetime, timedelta, timezone

    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (time - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)


def relative(told, own):
    if told is None or own is None:
        return 0.0 if told is own else float("inf")
    return abs(told - own) / max(abs(told), abs(own), 1e-300) if told != own else 0.0


def main():
    lake, path = sys.argv[1:3]
    windows = defaultdict(dict)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            told = json.loads(line)
            key = (micros(told["window_start"]), micros(told["window_end"]), told.get("sa"))
            windows[told["table"]].setdefault(key, {}).update(told["signals"])
    connection = connect(lake)
    known = set(tables(lake))
    counts, worst, wrong = defaultdict(int), 0.0, []
    for table, told in sorted(windows.items()):
        if table not in known:
            wrong.append(f"{table}: told of, not in the lake")
            continue
        columns = sorted({column for signals in told.values() for column in signals})
        has_sa = any(sa is not None for _, _, sa in told)
        connection.execute("CREATE OR REPLACE TEMP TABLE w(i INTEGER, s BIGINT, e BIGINT, sa INTEGER)")
        keys = list(told)
        connection.executemany("INSERT INTO w VALUES (?, ?, ?, ?)", [[i, *key] for i, key in enumerate(keys)])
        value = lambda column: f'CAST("{column}" AS DOUBLE)'
        parts = [
            part
            for column in columns
            for part in (
                f'count("{column}")', f"min({value(column)})", f"max({value(column)})", f"avg({value(column)})",
                f'arg_min({value(column)}, ts) FILTER (WHERE "{column}" IS NOT NULL)',
                f'arg_max({value(column)}, ts) FILTER (WHERE "{column}" IS NOT NULL)',
            )
        ]
        same_sa = "AND t.sa = w.sa" if has_sa else ""
        rows = connection.execute(
            f'SELECT w.i, {", ".join(parts)} FROM w LEFT JOIN "{table}" t'
            f" ON epoch_us(t.ts) >= w.s AND epoch_us(t.ts) < w.e {same_sa} GROUP BY w.i"
        ).fetchall()
        for row in rows:
            key = keys[row[0]]
            length = (key[1] - key[0]) // 1_000_000
            counts[f"{length} s"] += 1
            for place, column in enumerate(columns):
                signal = told[key].get(column)
                if signal is None:
                    continue
                count, low, high, mean, first, last = row[1 + 6 * place : 7 + 6 * place]
                counts["signals"] += 1
                off = relative(signal["mean"], mean)
                worst = max(worst, off)
                exact = {"count": count, "min": low, "max": high, "first": first, "last": last}
                for name, own in exact.items():
                    if signal[name] != own:
                        wrong.append(f"{table}.{column} {key}: {name} {signal[name]}, DuckDB {own}")
                if off > 1e-9:
                    wrong.append(f"{table}.{column} {key}: mean {signal['mean']}, DuckDB {mean}")
    print(json.dumps({"tables": sorted(windows), "counts": counts, "worst_relative": worst,
                      "wrong_count": len(wrong), "wrong": wrong[:20]}))


main()
