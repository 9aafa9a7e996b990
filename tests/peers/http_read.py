"""http_read.py URL TABLE UNTIL: one question in three encodings and one file in ranges, read by pandas and PyArrow.

UNTIL is a time in microseconds; rows before it can no longer change. Prints what was read as JSON.
"""

import io
import json
import sys
import urllib.error
import urllib.parse
import urllib.request

import pandas
import pyarrow.ipc
import pyarrow.parquet

from leave import leave

base, table, until = sys.argv[1:]
RANGE = 4096


def ask(path, **headers):
    return urllib.request.urlopen(urllib.request.Request(base + path, headers=headers), timeout=60)


def sql_path(sql, kind):
    return "/api/v1/sql?" + urllib.parse.urlencode({"format": kind, "sql": sql})


before = f"ts < TIMESTAMP '1970-01-01T00:00:00Z' + INTERVAL '{until} microseconds'"
columns = "CAST(ts AS BIGINT) AS t, flow, running"
sql = f"SELECT {columns} FROM {table} WHERE {before} ORDER BY ts"
csv = pandas.read_csv(base + sql_path(sql, "csv"))
arrow = pyarrow.ipc.open_stream(ask(sql_path(sql, "arrow"))).read_pandas()
lines = pandas.read_json(ask(sql_path(sql, "jsonl")), lines=True)

files = json.load(ask("/api/v1/files?table=" + table))["files"]
url = files[-1]["url"]
whole = ask(url).read()
parts = []
for start in range(0, len(whole), RANGE):
    answer = ask(url, Range=f"bytes={start}-{start + RANGE - 1}")
    assert answer.status == 206, answer.status
    parts.append(answer.read())

refusals = {}
for name, path in {
    "write": sql_path("DROP TABLE " + table, "csv"),
    "column": sql_path("SELECT flw FROM " + table, "table"),
    "above": "/api/v1/files/..%2F..%2Fjournal/date=x/y.parquet",
    "hidden": f"/api/v1/files/{table}/date=x/.y.parquet",
}.items():
    try:
        ask(path)
    except urllib.error.HTTPError as refused:
        refusals[name] = [refused.code, json.load(refused)["code"]]

print(
    json.dumps(
        {
            "rows": len(csv),
            "sum": float(csv["flow"].sum()),
            # Text carries as many digits as the type needs, so it reads back as the very number.
            "same": all(text.astype(arrow.dtypes).equals(arrow) for text in (csv, lines)),
            "ranges_are_the_file": b"".join(parts) == whole,
            "listed_bytes": files[-1]["bytes"] == len(whole),
            "tables": len(json.load(ask("/api/v1/lake"))["tables"]),
            "file_rows": pyarrow.parquet.read_table(io.BytesIO(whole)).num_rows,
            "refusals": refusals,
        }
    )
)
leave()
