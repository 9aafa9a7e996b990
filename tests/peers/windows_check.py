"""windows_check.py LAKE [--arrival COLUMN] [--lateness WINDOW=SECONDS]...: holds windows in a lake against DuckDB's own.

Every function of every window of every signal in every table `_aggregates_*` is computed again by DuckDB from the raw
rows in the lake, as docs/data-contract.md defines it: which rows are in time, what holds on, what weighs nothing.
`--arrival` names the column by which rows are put in the order they came before their time; without it they came in
the order of time. `--lateness` is that of a table's windows where it is not 2 s: `1h=300`.

Prints how much was compared, the greatest relative difference of each function, late rows, and what is wrong: a value
that differs, a window that is not told, one that should not be.
"""

import argparse
import json
import sys
from collections import defaultdict

from lake import connect, tables

UNITS = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000}
EXACT = ["count", "good", "min", "max", "first", "last"]
CLOSE = ["mean", "twa", "stddev"]
TOLERANCE = 1e-9
# Of quantiles: as the contract says.
RELATIVE, ABSOLUTE = 0.01, 1e-9
IDENTITY = {"ts", "window_start", "window_end", "table", "sa", "signal", "column_name", "date"}


def span(label):
    """Microseconds of `10s`, `500ms`, `1h`."""
    unit = label.lstrip("0123456789")
    return int(label[: -len(unit)]) * UNITS[unit]


def columns(connection, table):
    return [row[0] for row in connection.execute(f'DESCRIBE "{table}"').fetchall()]


def rows_of(connection, table, arrival):
    """Raw rows as temporary table `raw`: every signal a column beside `us`, `sa`, `q`, `newest`."""
    known = columns(connection, table)
    sa = "CAST(sa AS INTEGER)" if "sa" in known else "NULL::INTEGER"
    order = f'"{arrival}", ts' if arrival in known else "ts"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE raw AS SELECT *, epoch_us(ts) AS us, {sa} AS sender,
            row_number() OVER (ORDER BY {order}) AS came,
            max(epoch_us(ts)) OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING) AS newest FROM "{table}" """
    )


def samples_of(connection, signal, column):
    """One signal as temporary table `samples`: `v` its value, `is_event` whether a row says anything of it, and
    `is_good`. A null says that there is no value where the signal is known to be bad at times and the row is."""
    quality = "has_quality" if "_quality" in KNOWN else "no_quality"
    changes = f"SELECT since, class FROM _quality WHERE signal = '{signal}' OR signal LIKE '{signal}@%'"
    classes = {row[0] for row in connection.execute(f"SELECT DISTINCT class FROM ({changes})").fetchall()} \
        if quality == "has_quality" else set()
    value = f'CASE WHEN isfinite(CAST("{column}" AS DOUBLE)) THEN CAST("{column}" AS DOUBLE) END'
    loses = "q = 2" if "bad" in classes else "false"
    base = f"""SELECT us, sender, came, newest, {value} AS v, q,
               ({value} IS NOT NULL OR ({loses} AND "{column}" IS NULL)) AS is_event FROM raw"""
    if "uncertain" in classes:
        sql = f"""SELECT b.*, v IS NOT NULL AND (q = 0 OR c.class = 'good') AS is_good FROM ({base}) b
                  ASOF LEFT JOIN (SELECT epoch_us(since) AS since, class FROM ({changes})) c ON b.us >= c.since"""
    else:
        sql = f"SELECT *, v IS NOT NULL AS is_good FROM ({base})"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE samples AS {sql}")


def windows_sql(length, every, lateness, shares):
    """All windows that are closed at the end, of the signal in `samples`."""
    steps = length // every
    quantiles = "".join(
        f", CASE WHEN count(v) > 0 THEN list_sort(list(v) FILTER (v IS NOT NULL))"
        f"[1 + CAST(floor({share} * (count(v) - 1)) AS BIGINT)] END AS \"{name}\""
        for name, share in shares
    )
    return f"""
    WITH paned AS (
        SELECT *, us // {every} * {every} AS pane, (newest - {lateness}) // {every} * {every} AS closed FROM samples
    ), inside AS (
        SELECT paned.*, pane - k * {every} AS s FROM paned, range(0, {steps}) t(k) WHERE pane - k * {every} + {length} > closed
    ), means AS (
        SELECT s, sender, favg(v) AS m FROM inside GROUP BY s, sender
    ), told AS (
        SELECT i.s, i.sender, count(v) AS count, count(*) FILTER (is_good) AS good, min(v) AS min, max(v) AS max,
            any_value(m) AS mean, arg_min(v, us) FILTER (v IS NOT NULL) AS first,
            arg_max(v, us) FILTER (v IS NOT NULL) AS last, sqrt(favg((v - m) * (v - m))) AS stddev{quantiles}
        FROM inside i JOIN means ON i.s = means.s AND i.sender IS NOT DISTINCT FROM means.sender GROUP BY i.s, i.sender
    ), events AS (
        SELECT *, max(us) OVER (PARTITION BY sender, pane ORDER BY came ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            AS before FROM paned WHERE is_event AND pane + {length} > closed
    ), weighing AS (
        SELECT e.*, pane - k * {every} AS s FROM events e, range(-{steps}, {steps}) t(k)
        WHERE (before IS NULL OR us >= before) AND (k < 0 OR pane - k * {every} + {length} > closed)
    ), held AS (
        SELECT s, sender, v, greatest(us, s) AS since,
            least(lead(us, 1, s + {length}) OVER (PARTITION BY sender, s ORDER BY us, came), s + {length}) AS until
        FROM weighing
    ), weighed AS (
        SELECT s, sender, fsum(v * (until - since)) / sum(until - since) AS twa
        FROM held WHERE v IS NOT NULL AND until > since GROUP BY s, sender
    )
    SELECT told.*, twa FROM told LEFT JOIN weighed ON told.s = weighed.s AND told.sender IS NOT DISTINCT FROM weighed.sender
    WHERE told.s + {length} <= (SELECT max(closed) FROM paned)
    """


def late_rows(connection, every, lateness):
    """Rows that came after the first window that holds them had closed."""
    return connection.execute(
        f"""SELECT count(*) FROM raw WHERE us // {every} * {every} + {every} <= (newest - {lateness}) // {every} * {every}"""
    ).fetchone()[0]


def compare(told, own, names, report, where):
    """Two rows of one window."""
    worst, wrong = report["worst"], report["wrong"]
    scale = max(abs(own["min"] or 0.0), abs(own["max"] or 0.0))
    for name in names:
        a, b = told[name], own[name]
        report["compared"][name] += 1
        if a is None or b is None:
            if a is not b:
                wrong.append(f"{where}: {name} {a}, DuckDB {b}")
        elif name in EXACT:
            if a != b:
                wrong.append(f"{where}: {name} {a}, DuckDB {b}")
        elif name in CLOSE:
            # A deviation of nothing is what rounding the values themselves leaves.
            if a != b and abs(a - b) > 1e-15 * scale:
                off = abs(a - b) / max(abs(a), abs(b))
                worst[name] = max(worst[name], off)
                if off > TOLERANCE:
                    wrong.append(f"{where}: {name} {a}, DuckDB {b}")
        else:
            off = abs(a - b)
            worst[name] = max(worst[name], off / abs(b) if abs(b) > ABSOLUTE else 0.0)
            if off > RELATIVE * abs(b) + ABSOLUTE:
                wrong.append(f"{where}: {name} {a}, of that rank {b}")


def check(connection, name, lateness, report):
    """One table of aggregates."""
    label = name.removeprefix("_aggregates_")
    length, _, every = label.partition("_every_")
    length, every = span(length), span(every or length)
    late = int(float(lateness.get(label, 2)) * 1_000_000)
    names = [column for column in columns(connection, name) if column not in IDENTITY]
    shares = [(n, float(n[1:].replace("_", ".")) / 100) for n in names if n[0] == "p" and n[1:].replace("_", "").isdigit()]
    signals = connection.execute(f'SELECT DISTINCT "table", signal, column_name FROM "{name}" ORDER BY ALL').fetchall()
    last = None
    for table, signal, column in signals:
        if table != last:
            rows_of(connection, table, ARRIVAL)
            report["late"][f"{table} {label}"] = late_rows(connection, every, late)
            last = table
        samples_of(connection, signal, column)
        own = connection.execute(windows_sql(length, every, late, shares))
        heads = [head[0] for head in own.description]
        own = {(row[0], row[1]): dict(zip(heads, row)) for row in own.fetchall()}
        listed = ", ".join(f'"{n}"' for n in names)
        told = connection.execute(
            f"""SELECT epoch_us(window_start), CAST(sa AS INTEGER), {listed} FROM "{name}" WHERE signal = ? AND "table" = ?""",
            [signal, table],
        ).fetchall()
        seen = set()
        for row in told:
            key = row[:2]
            where = f"{name} {signal} {key}"
            if key in seen:
                report["wrong"].append(f"{where}: told twice")
            elif key not in own:
                report["wrong"].append(f"{where}: told, but there is no such window")
            else:
                compare(dict(zip(names, row[2:])), own[key], names, report, where)
            seen.add(key)
        report["wrong"] += [f"{name} {signal} {key}: not told" for key in own if key not in seen]
        report["windows"][label] += len(seen)
    report["tables"] += sorted({table for table, _, _ in signals})


arguments = argparse.ArgumentParser()
arguments.add_argument("lake")
arguments.add_argument("--arrival", default="")
arguments.add_argument("--lateness", action="append", default=[])
options = arguments.parse_args()
ARRIVAL = options.arrival
KNOWN = set(tables(options.lake))
REPORT = {"tables": [], "windows": defaultdict(int), "compared": defaultdict(int), "worst": defaultdict(float),
          "late": {}, "wrong": []}
CONNECTION = connect(options.lake)
for aggregates in sorted(name for name in KNOWN if name.startswith("_aggregates_")):
    check(CONNECTION, aggregates, dict(text.split("=") for text in options.lateness), REPORT)
REPORT["tables"] = sorted(set(REPORT["tables"]))
REPORT["wrong_count"], REPORT["wrong"] = len(REPORT["wrong"]), REPORT["wrong"][:20]
json.dump(REPORT, sys.stdout)
