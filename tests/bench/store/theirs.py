"""theirs.py WAY LAKE OUT: what other programs make of the samples of a lake folder, on one core.

Ways: `pyarrow_wide`, `pyarrow_wide_tuned`, `duckdb_wide` write one Parquet file per table, as ours does; `pyarrow_long`,
`pyarrow_long_tuned`, `duckdb_long`, `sqlite`, `json` have a row per sample, which is what most gateways write. Prints one
line of JSON. Reading the samples is not measured.
"""

import json
import pathlib
import resource
import sqlite3
import sys
import time

import duckdb
import pyarrow
import pyarrow.compute
import pyarrow.parquet

ROUNDS = 3


def tables(lake):
    """Name, table: ts, q, perhaps sa, then signals."""
    for folder in sorted(path for path in lake.iterdir() if not path.name.startswith("_")):
        parts = [pyarrow.parquet.ParquetFile(path).read() for path in sorted(folder.glob("date=*/*.parquet"))]
        yield folder.name, pyarrow.concat_tables(parts).replace_schema_metadata(None)


def signals_of(table):
    return [name for name in table.column_names if name not in ("ts", "q", "sa", "ts_err")]


def values_of(table):
    return sum(len(table[name]) - table[name].null_count for name in signals_of(table))


def long_of(wide):
    """A row per sample in the order of arrival: ts, signal, value."""
    parts = []
    for name, table in wide:
        for signal in signals_of(table):
            if pyarrow.types.is_string(table[signal].type) or pyarrow.types.is_binary(table[signal].type):
                continue
            there = table.select(["ts", signal]).filter(table[signal].is_valid())
            text = pyarrow.array([f"{name}/{signal}"] * there.num_rows, pyarrow.string())
            value = there[signal].cast(pyarrow.int8()) if there[signal].type == pyarrow.bool_() else there[signal]
            columns = {"ts": there["ts"], "signal": text, "value": value.cast(pyarrow.float64(), safe=False)}
            parts.append(pyarrow.table(columns))
    return pyarrow.concat_tables(parts).combine_chunks()


def by_arrival(table):
    return table.sort_by([("ts", "ascending")])


def by_signal(table):
    return table.sort_by([("signal", "ascending"), ("ts", "ascending")])


def pyarrow_wide(wide, out):
    for name, table in wide:
        pyarrow.parquet.write_table(table, out / f"{name}.parquet")


def pyarrow_wide_tuned(wide, out):
    for name, table in wide:
        # What repeats gets a dictionary; of the rest, what is floating its bytes split, whole numbers their differences.
        split, delta, repeats = {}, {}, []
        for field in table.schema:
            if pyarrow.types.is_timestamp(field.type):
                delta[field.name] = "DELTA_BINARY_PACKED"
            elif len(pyarrow.compute.unique(table[field.name])) * 8 < len(table):
                repeats.append(field.name)
            elif pyarrow.types.is_floating(field.type):
                split[field.name] = "BYTE_STREAM_SPLIT"
            elif pyarrow.types.is_integer(field.type):
                delta[field.name] = "DELTA_BINARY_PACKED"
        pyarrow.parquet.write_table(
            table,
            out / f"{name}.parquet",
            compression="zstd",
            compression_level=1,
            use_dictionary=repeats,
            column_encoding=split | delta,
        )


def duckdb_wide(wide, out):
    connection = one_thread()
    for name, table in wide:
        connection.register("samples", table)
        path = out / f"{name}.parquet"
        connection.execute(f"COPY samples TO '{path}' (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)")


def pyarrow_long(long, out):
    pyarrow.parquet.write_table(long, out / "long.parquet")


def pyarrow_long_tuned(long, out):
    pyarrow.parquet.write_table(
        long,
        out / "long.parquet",
        compression="zstd",
        compression_level=1,
        use_dictionary=["signal"],
        column_encoding={"ts": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"},
    )


def duckdb_long(long, out):
    connection = one_thread()
    connection.register("samples", long)
    path = out / "long.parquet"
    connection.execute(f"COPY samples TO '{path}' (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)")


def sqlite(long, out):
    connection = sqlite3.connect(out / "samples.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE samples (ts INTEGER, signal INTEGER, value REAL)")
    names, rows = {}, []
    for batch in long.to_batches(max_chunksize=100_000):
        ts = batch["ts"].cast(pyarrow.int64()).to_pylist()
        signal = [names.setdefault(name, len(names)) for name in batch["signal"].to_pylist()]
        rows = list(zip(ts, signal, batch["value"].to_pylist()))
        connection.executemany("INSERT INTO samples VALUES (?, ?, ?)", rows)
        connection.commit()
    connection.close()


def json_lines(long, out):
    with open(out / "samples.jsonl", "w") as file:
        for batch in long.to_batches(max_chunksize=100_000):
            ts = batch["ts"].cast(pyarrow.int64()).to_pylist()
            for row in zip(ts, batch["signal"].to_pylist(), batch["value"].to_pylist()):
                file.write('{"ts":%d,"signal":"%s","value":%r}\n' % row)


def one_thread():
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute("SET preserve_insertion_order = true")
    return connection


WAYS = {
    "pyarrow_wide": (pyarrow_wide, None),
    "pyarrow_wide_tuned": (pyarrow_wide_tuned, None),
    "duckdb_wide": (duckdb_wide, None),
    "pyarrow_long": (pyarrow_long, by_arrival),
    "pyarrow_long_tuned": (pyarrow_long_tuned, by_signal),
    "duckdb_long": (duckdb_long, by_signal),
    "sqlite": (sqlite, by_arrival),
    "json": (json_lines, by_arrival),
}


def main():
    way, lake, out = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    write, order = WAYS[way]
    wide = list(tables(lake))
    values = sum(values_of(table) for _, table in wide)
    rows = sum(table.num_rows for _, table in wide)
    if order is not None:
        wide = order(long_of(wide))
        values = rows = wide.num_rows
    slow = way in ("sqlite", "json")
    if slow and rows > 2_000_000:
        # Minutes of the same: the first two million rows tell it all.
        wide = wide.slice(0, 2_000_000)
        values = rows = wide.num_rows
    best = float("inf")
    for _ in range(1 if slow else ROUNDS):
        for path in out.iterdir():
            path.unlink()
        cpu = time.process_time()
        write(wide, out)
        best = min(best, time.process_time() - cpu)
    held = sum(path.stat().st_size for path in out.iterdir())
    print(
        json.dumps(
            {
                "what": way,
                "program": {"pyarrow": pyarrow.__version__, "duckdb": duckdb.__version__, "sqlite": sqlite3.sqlite_version},
                "values": values,
                "rows": rows,
                "bytes": held,
                "bytes_per_value": round(held / values, 3),
                "values_per_cpu_s": round(values / best),
                "rows_per_cpu_s": round(rows / best),
                "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            }
        )
    )


main()
