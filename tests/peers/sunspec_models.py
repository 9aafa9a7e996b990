"""Compacts the SunSpec model definitions of pysunspec2 into adapters/modbus/src/sunspec/models.jsonl.

    sunspec_models.py > adapters/modbus/src/sunspec/models.jsonl

One model a line, by number; of every point what a decoder needs. Left out: the secure-write drafts (3 to 9) and
models of test benches (63xxx, 6441x), which no plant has.
"""

import json
import pathlib

import sunspec2

LEFT_OUT = {3, 4, 5, 6, 7, 8, 9, 63001, 63002, 64410, 64411, 64412, 64413, 64414, 64415}


def point(given):
    kept = {"name": given["name"], "type": given["type"], "size": given["size"]}
    kept |= {key: given[key] for key in ("sf", "units", "label") if given.get(key) is not None}
    if given.get("static") == "S":
        kept["static"] = True
    if given.get("symbols"):
        kept["symbols"] = {symbol["name"]: symbol["value"] for symbol in given["symbols"]}
    return kept


def group(given):
    kept = {"name": given["name"]}
    if "count" in given:
        kept["count"] = given["count"]
    kept["points"] = [point(one) for one in given["points"]]
    if given.get("groups"):
        kept["groups"] = [group(one) for one in given["groups"]]
    return kept


models = []
for path in (pathlib.Path(sunspec2.__file__).parent / "models/json").glob("model_*.json"):
    given = json.loads(path.read_text(encoding="utf-8"))
    if given["id"] not in LEFT_OUT:
        label = given["group"].get("label", given["group"]["name"])
        models.append({"id": given["id"], "label": label, "group": group(given["group"])})
for model in sorted(models, key=lambda model: model["id"]):
    print(json.dumps(model, separators=(",", ":"), ensure_ascii=False))
