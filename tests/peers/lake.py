"""Opens a lake as it lies: Parquet files in Hive folders, one view a table."""

import os

import duckdb


def tables(lake):
    """Names of the tables that have at least one file."""
    found = []
    for name in sorted(os.listdir(lake)) if os.path.isdir(lake) else []:
        if any(file.endswith(".parquet") for _, _, files in os.walk(os.path.join(lake, name)) for file in files):
            found.append(name)
    return found


def files(lake, table):
    """Paths of a table's files, by first time and sequence as their names say."""
    paths = []
    for folder, _, names in os.walk(os.path.join(lake, table)):
        paths += [os.path.join(folder, name) for name in names if name.endswith(".parquet")]
    return sorted(paths, key=lambda path: [int(part) for part in os.path.basename(path)[:-8].split("_")])


def scan(lake, table):
    """The table as DuckDB reads it."""
    glob = os.path.join(lake, table, "**", "*.parquet").replace("'", "''")
    return f"read_parquet('{glob}', union_by_name=true, hive_partitioning=true)"


def connect(lake):
    """A connection with a view for every table."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone='UTC'")
    for table in tables(lake):
        connection.execute(f'CREATE VIEW "{table}" AS SELECT * FROM {scan(lake, table)}')
    return connection
