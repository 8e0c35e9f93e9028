#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Turns the rounds of bench-quick into a table of medians and spreads.

    report.py FOLDER OUT.json >OUT.md

FOLDER holds rounds.jsonl and cputime; PLACE and TABLE_NAME come from the
environment.
"""

import bisect
import json
import os
import statistics
import sys

STREAMS = {
    "uniform": "uniform over the address space (pktgen, IPDST_RND)",
    "prefixes": "200,000 addresses, one in each of as many prefixes (packet ring)",
    "prefixes6": "IPv6: 20,000 addresses, one in each of as many prefixes (packet ring)",
}


def read_cputime(path):
    """A function from Unix time to the kernel's CPU seconds."""
    with open(path, encoding="utf-8") as lines:
        # The last line may be cut off.
        samples = [tuple(map(float, line.split())) for line in lines if line.endswith("\n")]
    times = [t for t, _ in samples]

    def at(t):
        i = min(max(bisect.bisect(times, t), 1), len(samples) - 1)
        (t0, c0), (t1, c1) = samples[i - 1], samples[i]
        return c0 + (c1 - c0) * (t - t0) / (t1 - t0)

    return at


def load(folder):
    """{(routes, stream): {arm: {round: measurement}}}"""
    series = {}
    cputime = read_cputime(os.path.join(folder, "cputime"))
    with open(os.path.join(folder, "rounds.jsonl"), encoding="utf-8") as lines:
        for m in map(json.loads, lines):
            m["seconds"] = cputime(m["end"]) - cputime(m["begin"])
            m["pps"] = m["forwarded"] / m["seconds"]
            m["cpu_share"] = m["seconds"] / (m["end"] - m["begin"])
            arms = series.setdefault((m["routes"], m["stream"]), {})
            arms.setdefault(m["arm"], {})[m["round"]] = m
    return series


def summary(values):
    """Median and quartiles: the middle half of the rounds."""
    values = sorted(values)
    if len(values) < 2:
        return {"median": values[0], "low": values[0], "high": values[0], "n": len(values)}
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high, "n": len(values)}


def compare(arms):
    out = {}
    stock = arms.get("stock", {})
    for arm, rounds in arms.items():
        ms = rounds.values()
        row = {
            "pps": summary([m["pps"] for m in ms]),
            "cpu_share": statistics.median([m["cpu_share"] for m in ms]),
            "forwarded_share": sum(m["forwarded"] for m in ms) / sum(m["sent"] for m in ms),
        }
        both = sorted(rounds.keys() & stock.keys())
        if arm != "stock" and both:
            row["ratio"] = summary([rounds[r]["pps"] / stock[r]["pps"] for r in both])
            row["ns_saved"] = summary(
                [1e9 / stock[r]["pps"] - 1e9 / rounds[r]["pps"] for r in both]
            )
        if arm == "on":
            eligible = sum(m["eligible"] for m in ms)
            row["attached"] = sum(m["attached"] for m in ms) / eligible if eligible else 0.0
        out[arm] = row
    return out


def mpps(s):
    return f"{s['median'] / 1e6:.3f} ({s['low'] / 1e6:.3f} to {s['high'] / 1e6:.3f})"


def main():
    folder, out = sys.argv[1:3]
    series = {key: compare(arms) for key, arms in load(folder).items()}
    if not series:
        sys.exit("bench-quick: there is no measurement")
    place = os.environ.get("PLACE", "?")
    print("# altfib bench-quick\n")
    print(f"Taken in {place}.")
    print(f"Table: {os.environ.get('TABLE_NAME', '?')}; 94 next hops on a dummy device.")
    print("Medians, with the middle half of the rounds in brackets; ratios are taken round by round.")
    shares = [row["cpu_share"] for arms in series.values() for row in arms.values()]
    print(
        "Rates are per second of CPU time of the kernel under test, which had "
        f"{statistics.median(shares) * 100:.0f} % of a CPU in the median.\n"
    )
    print("| routes | destinations | arm | Mpps | ratio to stock | ns saved a packet | attached |")
    print("|---|---|---|---|---|---|---|")
    names = {"stock": "stock, altfib not loaded", "on": "altfib on", "off": "altfib loaded, mode off"}
    for (routes, stream), arms in series.items():
        for arm in ("stock", "on", "off"):
            if arm not in arms:
                continue
            row = arms[arm]
            ratio = saved = attached = ""
            if "ratio" in row:
                r, s = row["ratio"], row["ns_saved"]
                ratio = f"{r['median']:.3f} ({r['low']:.3f} to {r['high']:.3f})"
                saved = f"{s['median']:.0f} ({s['low']:.0f} to {s['high']:.0f})"
            if "attached" in row:
                attached = f"{row['attached'] * 100:.3f} %"
            print(
                f"| {routes:,} | {STREAMS[stream]} | {names[arm]} | {mpps(row['pps'])} "
                f"| {ratio} | {saved} | {attached} |"
            )
    result = {
        "place": place,
        "series": [
            {"routes": routes, "stream": stream, "arms": arms}
            for (routes, stream), arms in series.items()
        ],
    }
    with open(out, "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
