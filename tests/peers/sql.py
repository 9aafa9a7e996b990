"""sql.py LAKE SQL: rows of a query of DuckDB over a lake, as JSON."""

import json
import sys

from lake import connect

rows = connect(sys.argv[1]).execute(sys.argv[2]).fetchall()
print(json.dumps(rows, default=str))
