"""lake_readers.py LAKE TABLE READS CAME WENT READER...: reads a table again and again while a gateway writes it.

At least READS times with each reader, and until CAME files have come and WENT have been evicted meanwhile.

Each read takes the time of every row, as a data team would: all files of the folder. Wrong is: an error, a row twice, and
a row of the read before that is not there any more, unless its file was evicted (rows go from the oldest on). A file that
is gone between its listing and its reading counts as `gone`, if it is gone indeed, and the read is done again: that is
what the data contract asks of readers of a lake with a budget.
"""

import glob
import json
import os
import sys
import time

import numpy

from leave import leave

# How long files are waited for after the last read that was asked for.
PATIENCE_S = 120


def duckdb_reader(lake, table):
    from lake import scan

    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone='UTC'")

    def read():
        return connection.execute(f"SELECT epoch_us(ts) AS t FROM {scan(lake, table)}").fetchnumpy()["t"]

    return read


def pandas_reader(lake, table):
    import pandas

    def read():
        times = pandas.read_parquet(os.path.join(lake, table))["ts"]
        return times.to_numpy(dtype="datetime64[us]").astype("int64")

    return read


def polars_reader(lake, table):
    import polars

    pattern = os.path.join(lake, table, "**", "*.parquet")

    def read():
        rows = polars.scan_parquet(pattern, hive_partitioning=True)
        return rows.select(polars.col("ts").dt.epoch("us")).collect()["ts"].to_numpy()

    return read


def spark_reader(lake, table):
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "700m")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")

    def read():
        rows = session.read.option("mergeSchema", "true").parquet(os.path.join(lake, table))
        return numpy.array([row[0] for row in rows.selectExpr("unix_micros(ts)").collect()], dtype="int64")

    return read


READERS = {"duckdb": duckdb_reader, "pandas": pandas_reader, "polars": polars_reader, "spark": spark_reader}


def files(lake, table):
    return set(glob.glob(os.path.join(lake, table, "**", "*.parquet"), recursive=True))


class Watch:
    """One reader, and what it saw before."""

    def __init__(self, name, lake, table):
        self.read, self.lake, self.table = READERS[name](lake, table), lake, table
        self.before = numpy.array([], dtype="int64")
        self.report = {"reads": 0, "gone": 0, "problems": [], "ms": [], "rows": []}

    def look(self):
        listed = files(self.lake, self.table)
        begun = time.monotonic()
        try:
            times = self.read()
        except Exception as problem:  # the reader's own words are what is wanted
            gone = [path for path in listed if not os.path.exists(path)]
            if any(os.path.basename(path) in str(problem) for path in gone):
                self.report["gone"] += 1
                return False
            self.report["problems"].append(f"{type(problem).__name__}: {problem}"[:400])
            return True
        self.report["ms"].append(round(1000 * (time.monotonic() - begun)))
        self.judge(numpy.sort(times))
        return True

    def judge(self, times):
        report, before = self.report, self.before
        report["reads"] += 1
        report["rows"].append(len(times))
        twice = len(times) - len(numpy.unique(times))
        if twice:
            report["problems"].append(f"{twice} rows twice")
        kept = before[before >= times[0]] if len(times) else before
        if not numpy.array_equal(kept, times[: len(kept)]):
            report["problems"].append(f"rows of {len(kept)} seen before are not there")
        if len(before) and len(times) and times[-1] < before[-1]:
            report["problems"].append("the newest row went away")
        self.before = times


def main():
    lake, table, reads, came, went, *names = sys.argv[1:]
    reads, came, went = int(reads), int(came), int(went)
    watches = {name: Watch(name, lake, table) for name in names}
    first = files(lake, table)
    seen, last, rounds = set(first), first, 0
    until = time.monotonic() + PATIENCE_S
    while rounds < reads or len(seen - first) < came or len(seen - last) < went:
        for watch in watches.values():
            while not watch.look():
                pass
        last = files(lake, table)
        seen |= last
        rounds += 1
        if rounds >= reads and time.monotonic() > until:
            break
    for watch in watches.values():
        report = watch.report
        report["ms"] = sorted(report["ms"])[len(report["ms"]) // 2] if report["ms"] else None
        report["rows"] = [min(report["rows"], default=0), max(report["rows"], default=0)]
    print(json.dumps({
        "files_came": len(seen - first),
        "files_went": len(seen - last),
        "readers": {name: watch.report for name, watch in watches.items()},
    }))


main()
leave()
