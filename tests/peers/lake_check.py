"""lake_check.py LAKE: reads every table of a lake with DuckDB, PyArrow and pandas, and says what is wrong.

Wrong is: a file that does not open, a name that disagrees with what is in the file, a time that does not
increase, a row twice, and readers that do not count the same rows.
"""

import json
import os
import sys

import pandas
import pyarrow.dataset

from lake import connect, files, scan, tables
from leave import leave


def check_files(connection, lake, table, problems):
    """Times increase within and across files; names, folders and content agree."""
    last = None
    for path in files(lake, table):
        short = os.path.relpath(path, lake)
        try:
            rows, first, end, falling, dates = connection.execute(
                f"""WITH numbered AS (
                        SELECT epoch_us(ts) AS t, lag(epoch_us(ts)) OVER (ORDER BY file_row_number) AS before
                        FROM read_parquet('{path}', file_row_number=true))
                    SELECT count(*), min(t), max(t), count(*) FILTER (WHERE t <= before),
                           list_distinct(list(strftime(make_timestamp(t), '%Y-%m-%d'))) FROM numbered"""
            ).fetchone()
        except Exception as problem:  # the reader's own words are what is wanted
            problems.append(f"{short}: DuckDB: {problem}")
            continue
        if rows == 0:
            problems.append(f"{short}: no rows")
            continue
        if falling:
            problems.append(f"{short}: {falling} rows are not later than the row before")
        if last is not None and first <= last:
            problems.append(f"{short}: begins at {first}, the file before ends at {last}")
        if int(os.path.basename(path).split("_")[0]) != first:
            problems.append(f"{short}: first row is at {first}")
        if dates != [os.path.basename(os.path.dirname(path)).removeprefix("date=")]:
            problems.append(f"{short}: rows of {dates}")
        last = end


def check_table(connection, lake, table, problems):
    """The whole table, by three readers."""
    check_files(connection, lake, table, problems)
    by_sa = "sa, " if "sa" in [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {scan(lake, table)}").fetchall()] else ""
    rows, different, nulls = connection.execute(
        f"SELECT count(*), count(DISTINCT ({by_sa}epoch_us(ts))), count(*) FILTER (WHERE ts IS NULL) FROM {scan(lake, table)}"
    ).fetchone()
    if different != rows:
        problems.append(f"{table}: {rows - different} rows are there twice")
    if nulls:
        problems.append(f"{table}: {nulls} rows have no time")
    folder = os.path.join(lake, table)
    arrow = sum(pyarrow.dataset.dataset(path).count_rows() for path in files(lake, table))
    whole = pyarrow.dataset.dataset(folder, partitioning="hive").to_table().num_rows
    frame = len(pandas.read_parquet(folder))
    if not rows == arrow == whole == frame:
        problems.append(f"{table}: DuckDB {rows}, PyArrow {arrow} and {whole}, pandas {frame} rows")
    return {"rows": rows, "files": len(files(lake, table))}


def main():
    lake = sys.argv[1]
    problems, report = [], {}
    connection = connect(lake)
    for table in tables(lake):
        try:
            report[table] = check_table(connection, lake, table, problems)
        except Exception as problem:
            problems.append(f"{table}: {problem}")
    hidden = [name for _, _, names in os.walk(lake) for name in names if not name.endswith(".parquet")]
    print(json.dumps({
        "tables": report,
        "rows": sum(table["rows"] for table in report.values()),
        "files": sum(table["files"] for table in report.values()),
        "unfinished": len(hidden),
        "problems": problems,
    }))


main()
leave()
