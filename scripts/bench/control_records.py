#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Turns what control-guest.sh wrote into records of one value each.

    control_records.py FOLDER >>control.jsonl

FOLDER holds raw.jsonl, memory-ARM-ROUND.jsonl, and cputime: the CPU seconds that the kernel had by
then. What the kernel does is given by its own CPU time, "clock": "cpu", which other work on the
machine hardly lengthens; "wall" stands beside it. What programs of the guest wait for is given by
the wall's clock, and "cpu" stands beside it.
"""

import glob
import json
import os
import sys

import report

# Which clock a rate of these is taken by, and the unit.
WALL = {("install", "batch"), ("bird", "load")}
SPEED = {"bird": "routes/s", "replay": "pps"}


def spans(raw, cputime):
    """So many of something between two moments."""
    begin, end, count = raw.pop("begin"), raw.pop("end"), raw.pop("count")
    wall = end - begin
    cpu = cputime(end) - cputime(begin) if cputime else None
    key = raw["bench"], raw["what"]
    clock = "wall" if key in WALL or cpu is None else "cpu"
    unit = SPEED.get(raw["bench"])

    def value(seconds):
        if not seconds or seconds < 0 or not count:
            return None
        return count / seconds if unit else seconds / count * 1e6

    if raw.get("eligible"):
        yield {**raw, "what": "attached", "value": 100 * raw["attached"] / raw["eligible"], "unit": "%"}
    mine, other = (cpu, {"wall": value(wall)}) if clock == "cpu" else (wall, {"cpu": value(cpu)})
    what = "namespace" if raw["bench"] == "namespaces" else "route"
    yield {**raw, "value": value(mine), "unit": unit or f"us/{what}", "clock": clock, "count": count, **other}


def summaries(raw):
    """A median and a 99th percentile of microseconds."""
    median, p99 = raw.pop("median"), raw.pop("p99")
    yield {**raw, "stat": "median", "value": median, "unit": "us"}
    yield {**raw, "stat": "p99", "value": p99, "unit": "us"}


def memory(path):
    """Of each phase, what was there at its end and the most that there ever was, in KiB; the looks
    themselves stay in the file."""
    _, arm, number = os.path.basename(path).removesuffix(".jsonl").split("-")
    phases = {}
    with open(path, encoding="utf-8") as lines:
        for look in map(json.loads, lines):
            phases.setdefault(look.pop("phase"), []).append(look)
    for phase, looks in phases.items():
        for name in looks[-1].keys() - {"at"}:
            values = [look[name] for look in looks if name in look]
            most = min(values) if name == "MemAvailable" else max(values)
            unit = "routes" if name == "routes" else "KiB"
            for stat, value in (("end", values[-1]), ("most", most)):
                yield {"bench": "memory", "family": 4, "arm": arm, "round": int(number), "what": name,
                       "phase": phase, "stat": stat, "value": value, "unit": unit}


def finished(records):
    """With the fields that all have."""
    for record in records:
        record.setdefault("table", "full")
        record.setdefault("traffic", "none")
        print(json.dumps(record))


def main():
    folder = sys.argv[1]
    for path in sorted(glob.glob(os.path.join(folder, "memory-*.jsonl"))):
        finished(memory(path))
    # Only of User-Mode Linux: without it all rates are by the wall's clock.
    path = os.path.join(folder, "cputime")
    cputime = report.read_cputime(path) if os.path.exists(path) else None
    with open(os.path.join(folder, "raw.jsonl"), encoding="utf-8") as lines:
        for raw in map(json.loads, lines):
            if "begin" in raw:
                records = spans(raw, cputime)
            elif "median" in raw:
                records = summaries(raw)
            else:
                records = [raw]
            finished(records)


if __name__ == "__main__":
    main()
