"""image_check.py LAKE IMAGE DEVICE: holds what a lake says of a device against its image.

Every tag with an `expect` (values scaled by another register, and those registers, are left out and named): the last value of its
column, and the quality: good means no entry in `_quality`, otherwise the last entry names class and reason.
"""

import json
import math
import os
import sys

from lake import connect, tables


def same(own, expected):
    if isinstance(expected, bool) or isinstance(own, bool) or expected is None or own is None:
        return own is expected
    if isinstance(expected, str) or isinstance(own, str):
        return own == expected
    if isinstance(expected, int) and isinstance(own, int):
        return own == expected
    return math.isclose(own, expected, rel_tol=1e-12, abs_tol=0.0)


def reasons(tag):
    """The reasons that are right: a sentinel of the device's own naming is told by its place in the list."""
    expected = tag["expect"]["reason"]
    own = sorted(tag.get("sentinels", {}).items())
    return [expected] + [f"sentinel_{place}" for place, (_, name) in enumerate(own) if name == expected]


def main():
    lake, path, device = sys.argv[1:4]
    with open(path, encoding="utf-8") as file:
        image = json.load(file)
    connection = connect(lake)
    table = next(name for name in tables(lake) if name.startswith(f"{device}_"))
    names = [row[0] for row in connection.execute(f'DESCRIBE "{table}"').fetchall()]
    last = dict(zip(names, connection.execute(f'SELECT * FROM "{table}" ORDER BY ts DESC LIMIT 1').fetchone()))
    rows = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
    columns = dict(connection.execute('SELECT path, "column" FROM _signals').fetchall())
    flawed = {}
    if "_quality" in tables(lake):
        for signal, kind, reason in connection.execute(
            "SELECT signal, \"class\", reason FROM _quality ORDER BY ts"
        ).fetchall():
            flawed[signal] = (kind, reason)
    checked, left_out, wrong = 0, [], []
    for tag in image["tags"]:
        if "scale_tag" in tag or "role" in tag or "expect" not in tag:
            left_out.append(tag["name"])
            continue
        checked += 1
        expect = tag["expect"]
        own = last.get(columns.get(f"bench/{device}/{tag['name']}"), "no such column")
        if not same(own, expect["value"]):
            wrong.append(f"{tag['name']}: {own!r}, expected {expect['value']!r}")
        kind, reason = flawed.get(f"bench/{device}/{tag['name']}", ("good", None))
        if kind != expect["quality"]:
            wrong.append(f"{tag['name']}: {kind} ({reason}), expected {expect['quality']} ({expect.get('reason')})")
        elif expect["quality"] != "good" and reason not in reasons(tag):
            wrong.append(f"{tag['name']}: {kind} because of {reason}, expected {expect['reason']}")
    print(json.dumps({"device": image["device"], "file": os.path.basename(path), "rows": rows,
                      "checked": checked, "left_out": left_out, "wrong": wrong}))


main()
