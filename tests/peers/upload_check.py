"""Holds uploaded files against the lakes they are from.

    upload_check.py plant LAKE                          a lake with one file of three parts
    upload_check.py folder PLACE ID=LAKE ID=LAKE …      a folder, read by DuckDB as one table
    upload_check.py s3 URL PREFIX ID=LAKE …             the bucket `lake`

Every object must have the bytes of the lake's file of its name, and no hidden or half one may be listed."""

import json
import os
import sys

import boto3
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LARGE = 10_000_000


def plant(lake):
    """One file whose values do not compress."""
    rows = 1_600_000
    first = 1_760_000_000_000_000
    values = np.random.default_rng(7).random(rows)
    ts = pa.array(first + np.arange(rows), pa.timestamp("us", "UTC"))
    notes = {"fieldgate.journal_first": "1", "fieldgate.journal_last": "5"}
    table = pa.table({"ts": ts, "value": values}).replace_schema_metadata(notes)
    folder = os.path.join(lake, "old", "date=2025-10-09")
    os.makedirs(folder)
    path = os.path.join(folder, f"{first:016}_{5:020}.parquet")
    pq.write_table(table, path, compression="none", use_dictionary=False)
    return {"bytes": os.path.getsize(path)}


def lake_file(name, lakes):
    """Path of the lake's file that an object is named after."""
    gateway, table, date, base = name.split("/")
    lake = lakes[gateway.removeprefix("gateway=")]
    return os.path.join(lake, table.removeprefix("table="), date, base)


def compare(objects, lakes):
    """Objects as pairs of name and content."""
    problems, large, count = [], 0, 0
    for name, content in objects:
        count += 1
        large += len(content) >= LARGE
        if not name.endswith(".parquet") or os.path.basename(name).startswith("."):
            problems.append(f"{name}: is listed")
            continue
        with open(lake_file(name, lakes), "rb") as file:
            if file.read() != content:
                problems.append(f"{name}: is not the lake's file")
    return {"problems": problems, "large": large, "objects": count}


def folder(place, lakes):
    names = []
    for path, _, files in os.walk(place):
        names += [os.path.relpath(os.path.join(path, file), place) for file in files]
    # What was under way at the stop is hidden, as it is in a lake.
    names = [name for name in names if not (os.path.basename(name).startswith(".") and name.endswith(".tmp"))]
    told = compare([(name, open(os.path.join(place, name), "rb").read()) for name in names], lakes)
    tables = {name.split("/")[1] for name in names}
    rows, gateways = 0, set()
    connection = duckdb.connect()
    for table in sorted(tables):
        glob = os.path.join(place, "*", table, "*", "*.parquet")
        read = f"read_parquet('{glob}', union_by_name=true, hive_partitioning=true)"
        for gateway, count in connection.execute(f"SELECT gateway, count(*) FROM {read} GROUP BY gateway").fetchall():
            ours = [name for name in names if name.startswith(f"gateway={gateway}/{table}/")]
            wanted = sum(pq.read_metadata(lake_file(name, lakes)).num_rows for name in ours)
            if count != wanted:
                told["problems"].append(f"{gateway} {table}: {count} rows, in its lake {wanted}")
            rows += count
            gateways.add(gateway)
    return told | {"rows": rows, "gateways": len(gateways)}


def s3(url, prefix, lakes):
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=url, **keys)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="lake")
    names = [found["Key"] for page in pages for found in page.get("Contents", [])]
    outside = [name for name in names if not name.startswith(prefix + "/")]
    inside = (name for name in names if name.startswith(prefix + "/"))
    content = lambda name: client.get_object(Bucket="lake", Key=name)["Body"].read()
    told = compare([(name.removeprefix(prefix + "/"), content(name)) for name in inside], lakes)
    told["problems"] += [f"{name}: is outside of the prefix" for name in outside]
    return told | {"unfinished": len(client.list_multipart_uploads(Bucket="lake").get("Uploads", []))}


what, *arguments = sys.argv[1:]
if what == "plant":
    told = plant(arguments[0])
elif what == "folder":
    told = folder(arguments[0], dict(argument.split("=", 1) for argument in arguments[1:]))
else:
    told = s3(arguments[0], arguments[1], dict(argument.split("=", 1) for argument in arguments[2:]))
print(json.dumps(told))
