"""witness.py: reads `new LAKE` or `all LAKE` a line, and opens with DuckDB every file of it that it has not seen.

Answers each line with the number of files seen, or with what is wrong: a file that does not open, and, when all tables
are to be read, a time that is in one of them twice.
"""

import sys

import duckdb

from lake import files, scan, tables

connection = duckdb.connect()
connection.execute("SET TimeZone='UTC'")
seen = set()


def problem(what, lake):
    for table in tables(lake):
        for path in files(lake, table):
            if path in seen:
                continue
            try:
                connection.execute(f"SELECT count(*), min(COLUMNS(*)) FROM read_parquet('{path}')").fetchall()
            except Exception as wrong:  # the reader's own words are what is wanted
                return f"{path}: {wrong}"
            seen.add(path)
        if what == "new":
            continue
        twice = connection.execute(f"SELECT count(*) - count(DISTINCT ts) FROM {scan(lake, table)}").fetchone()[0]
        if twice:
            return f"{table}: {twice} rows are there twice"
    return None


for line in sys.stdin:
    wrong = problem(*line.rstrip("\n").split(" ", 1))
    print(" ".join(wrong.split()) if wrong else len(seen), flush=True)
