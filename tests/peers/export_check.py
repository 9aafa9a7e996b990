"""Holds exported files against the lake they are from: `export_check.py LAKE OUT UNTIL_US`.

Every Parquet file in OUT must have exactly the rows of its table before UNTIL_US, value by value, and know the signals
of its columns; the files of other formats must say the same as the Parquet file of their table."""

import json
import os
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.json
import pyarrow.parquet as pq

import lake as lakes

folder, out, until = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = lakes.connect(folder)
problems, rows, formats = [], {}, 0


def quoted(names):
    return ", ".join(f'"{name}"' for name in names)


for name in sorted(os.listdir(out)):
    table, ending = os.path.splitext(name)
    path = os.path.join(out, name)
    if ending != ".parquet":
        continue
    exported = pq.read_table(path)
    rows[table] = exported.num_rows
    of_lake = [column[0] for column in connection.execute(f'DESCRIBE "{table}"').fetchall() if column[0] != "date"]
    if sorted(exported.column_names) != sorted(of_lake):
        problems.append(f"{table}: columns {exported.column_names}, in the lake {of_lake}")
        continue
    columns = quoted(of_lake)
    ours = f"SELECT {columns} FROM read_parquet('{path}')"
    bound = f"WHERE epoch_us(ts) < {until}"
    theirs = f'SELECT {columns} FROM "{table}" {bound}'
    # What is newer than all files is in the journal still: an export has it before the lake does.
    newest = connection.execute(f'SELECT max(epoch_us(ts)) FROM "{table}"').fetchone()[0]
    ours = f"SELECT * FROM ({ours}) WHERE epoch_us(ts) <= {newest}"
    for what, query in [("missing", f"{theirs} EXCEPT ALL {ours}"), ("too many", f"{ours} EXCEPT ALL {theirs}")]:
        count = connection.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]
        if count:
            problems.append(f"{table}: {count} rows {what}")
    newest = lakes.files(folder, table)[-1]
    for field in pq.read_schema(newest):
        there = exported.schema.field(field.name)
        if (field.metadata or {}).get(b"path") != (there.metadata or {}).get(b"path"):
            problems.append(f"{table}.{field.name}: knows {there.metadata}, in the lake {field.metadata}")
        if there.type != field.type:
            problems.append(f"{table}.{field.name}: {there.type}, in the lake {field.type}")
    notes = pq.read_metadata(path).metadata
    if notes.get(b"fieldgate.table") != table.encode():
        problems.append(f"{table}: says it is {notes.get(b'fieldgate.table')}")
    if table == "pump_1s":
        formats = 1
        types = pa.schema([(field.name, field.type) for field in exported.schema])
        readers = {
            ".csv": lambda path: pa.csv.read_csv(
                path, convert_options=pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
            ),
            ".arrow": lambda path: pa.ipc.open_file(path).read_all(),
            ".jsonl": lambda path: pa.json.read_json(path, parse_options=pa.json.ParseOptions(explicit_schema=types)),
        }
        for ending, read in readers.items():
            other = os.path.join(out, table + ending)
            if not os.path.exists(other):
                continue
            formats += 1
            plain = exported.replace_schema_metadata(None).cast(types)
            read_back = read(other).replace_schema_metadata(None).select(plain.column_names).cast(types)
            for column in plain.column_names:
                if not read_back[column].equals(plain[column]):
                    differ = pc.sum(pc.fill_null(pc.not_equal(read_back[column], plain[column]), True))
                    problems.append(f"{table}{ending}: column {column} differs in {differ} rows")

if not rows:
    problems.append("no Parquet file was exported")
print(json.dumps({"problems": problems, "rows": rows, "formats": formats}))
