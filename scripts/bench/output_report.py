#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Medians of bench/output.sh: output_report.py rounds.jsonl..."""

import collections
import json
import os
import statistics
import sys

ARMS = [("uml-stock", "stock", "stock kernel"), ("uml", "stock", "patched, no module"), ("uml", "off", "output=off"),
        ("uml", "lookup", "output=lookup"), ("uml", "socket", "output=socket")]
STREAMS = {"prefixes": "20,000 destinations, IPv4", "prefixes6": "10,000 destinations, IPv6",
           "peer": "one peer, IPv4"}


def spread(values):
    """Median, and the middle half."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return f"{statistics.median(values):.0f} ({low:.0f} to {high:.0f})"


def main():
    rounds = collections.defaultdict(dict)
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as f:
            for line in f:
                r = json.loads(line)
                rounds[r["routes"], r["stream"], r["kernel"], r["arm"]][r["round"]] = r["ns"]
    print(f"Nanoseconds of a sendto(), median (middle half); ratios are medians of each round's own. "
          f"{os.environ.get('PLACE', '')}\n")
    print("| routes | to | | ns | against the stock kernel |")
    print("|---|---|---|---|---|")
    for routes, stream in sorted({key[:2] for key in rounds}, key=lambda x: (int(x[0]), x[1])):
        stock = rounds[routes, stream, "uml-stock", "stock"]
        for kernel, arm, name in ARMS:
            mine = rounds.get((routes, stream, kernel, arm))
            if not mine:
                continue
            ratios = [mine[n] / stock[n] for n in mine if n in stock]
            ratio = "" if name == "stock kernel" else f"{statistics.median(ratios):.3f}"
            print(f"| {int(routes):,} | {STREAMS[stream]} | {name} | {spread(list(mine.values()))} | {ratio} |")


if __name__ == "__main__":
    main()
