#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The report of make bench: medians, intervals, charts and targets.

    report.py [--quick] [--docs DOCS] FOLDER

FOLDER holds *.jsonl, one record a line (see docs/bench.md), and about. Writes report.md,
report.json and the charts there, and prints the tables and one line for each target. With
--docs, DOCS/bench.md has its part below the mark written anew, and the charts beside it.
"""

import argparse
import bisect
import collections
import json
import math
import pathlib
import statistics
import sys

TARGETS = pathlib.Path(__file__).with_name("targets.txt")
MARK = '<!-- From here on written by "make bench ARGS=--docs": edit above. -->'
# A target needs as many rounds.
ENOUGH = 15
# Nanoseconds of altfib_bench's histograms.
BIN, LAST_BIN = 4, 1023 * 4

TABLES = ["3", "1000", "100000", "full"]
TRAFFIC = {
    "one": "one flow",
    "20k": "20,000 destinations",
    "1m": "1,000,000 destinations",
    "zipf": "Zipf over 1,000,000",
    "attack": "attack: each packet new",
    "pktgen": "pktgen, uniform over all addresses",
}
ARMS = {
    "stock": "stock, altfib not loaded",
    "off": "mode=off",
    "nexthop": "cache=nexthop",
    "none": "cache=none",
    "flow": "cache=flow",
    "percpu-flow": "cache=percpu-flow",
    "fastpath": "fastpath=1",
    "flowtable": "nft flowtable",
    "drop": "dropped at PRE_ROUTING",
    "patched": "patched kernel, not loaded",
    "lookup": "output=lookup",
    "socket": "output=socket",
    "kernel": "kernel",
    "walk": "fib6_node_lookup() alone",
    "altfib": "altfib",
    "loop": "loop alone",
    "on": "mode=on",
}


def read_cputime(path):
    """A function from Unix time to the kernel's CPU seconds, of what cputime.py logged."""
    with open(path, encoding="utf-8") as lines:
        # The last line may be cut off.
        samples = [tuple(map(float, line.split())) for line in lines if line.endswith("\n")]
    times = [t for t, _ in samples]

    def at(t):
        i = min(max(bisect.bisect(times, t), 1), len(samples) - 1)
        (t0, c0), (t1, c1) = samples[i - 1], samples[i]
        return c0 + (c1 - c0) * (t - t0) / (t1 - t0)

    return at


def interval(values):
    """At least 95 % for the median, from the order of the values alone; None of too few."""
    n = len(values)
    # The most k for which at most k - 1 of n fall below the median with 2.5 % at most.
    k, below = 0, 0.0
    while k < n and below + math.comb(n, k) / 2**n <= 0.025:
        below += math.comb(n, k) / 2**n
        k += 1
    if k == 0:
        return None
    values = sorted(values)
    return values[k - 1], values[n - k]


def summary(values):
    """The median, its interval, the quartiles, and of how many rounds."""
    values = list(values)
    out = {"median": statistics.median(values), "rounds": len(values), "interval": interval(values)}
    if len(values) > 1:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        out["quartiles"] = (low, high)
    else:
        out["quartiles"] = (values[0], values[0])
    return out


class Records:
    """All values, by what they are of."""

    def __init__(self, folder):
        self.cells = collections.defaultdict(dict)
        self.units = {}
        self.histograms = collections.defaultdict(collections.Counter)
        self.attached = collections.defaultdict(dict)
        for path in sorted(folder.glob("*.jsonl")):
            with open(path, encoding="utf-8") as lines:
                for line in lines:
                    self.add(json.loads(line))

    def add(self, r):
        if r.get("value") is None or "stat" in r and r["stat"] != "median":
            return
        bench = r["bench"] + (f".{r['what']}" if "what" in r else "")
        key = (bench, r["family"], r["table"], r["traffic"], r.get("rp_filter", 0), r["arm"])
        if "histogram" in r:
            for pair in r["histogram"].split():
                ns, count = map(int, pair.split(":"))
                self.histograms[key][ns] += count
            return
        self.cells[key][r["round"]] = float(r["value"])
        self.units[key] = r.get("unit", "")
        if r.get("eligible"):
            self.attached[key][r["round"]] = 100 * r["attached"] / r["eligible"]

    def get(self, bench, family, table, traffic, arm, rp_filter=0):
        return self.cells.get((bench, family, table, traffic, rp_filter, arm), {})

    def median(self, *key, **more):
        values = self.get(*key, **more)
        return statistics.median(values.values()) if values else None

    def ratios(self, above, below):
        """Round by round."""
        return [above[r] / below[r] for r in sorted(above.keys() & below.keys()) if below[r]]


# ---- targets -------------------------------------------------------------


def target_values(records):
    """What each target's name stands for: the values of its rounds."""

    def forward(family, arm, table="full", traffic="1m"):
        return records.get("forward", family, table, traffic, arm)

    def ratio(family, arm, base="stock", **cell):
        return records.ratios(forward(family, arm, **cell), forward(family, base, **cell))

    out = {}
    for family in (4, 6):
        v = f"v{family}-"
        kernel = "kernel" if family == 4 else "walk"
        out[v + "lookup"] = records.ratios(
            records.get("lookup", family, "full", "1m", kernel),
            records.get("lookup", family, "full", "1m", "altfib"),
        )
        out[v + "forward"] = ratio(family, "nexthop")
        out[v + "forward-3-routes"] = ratio(family, "nexthop", table="3")
        out[v + "forward-one-flow"] = ratio(family, "nexthop", traffic="one")
        out[v + "fastpath"] = ratio(family, "fastpath")
        out[v + "fastpath-vs-flowtable"] = ratio(family, "fastpath", "flowtable", traffic="20k")
        out[v + "fastpath-vs-flowtable-one-flow"] = ratio(family, "fastpath", "flowtable", traffic="one")
        out[v + "attack-vs-friendly"] = records.ratios(
            forward(family, "nexthop", traffic="attack"), forward(family, "nexthop")
        )
        out[v + "udp"] = records.ratios(
            records.get("udp", family, "full", "1m", "stock"),
            records.get("udp", family, "full", "1m", "lookup"),
        )
        stock = records.get("install.packed", family, "full", "none", "stock")
        on = records.get("install.packed", family, "full", "none", "on")
        out[v + "install"] = [on[r] - stock[r] for r in sorted(on.keys() & stock.keys())]
        out[v + "bird"] = records.ratios(
            records.get("bird.load", family, "full", "none", "on"),
            records.get("bird.load", family, "full", "none", "stock"),
        )
        replay = [("replay.forward", family, "full", "replay", 0, arm) for arm in ("on", "stock")]
        out[v + "replay-attached"] = list(records.attached.get(replay[0], {}).values())
        out[v + "replay-forward"] = records.ratios(
            records.cells.get(replay[0], {}), records.cells.get(replay[1], {})
        )
    out["namespaces"] = records.ratios(
        records.get("namespaces.all", 4, "full", "none", "on"),
        records.get("namespaces.all", 4, "full", "none", "stock"),
    )
    return out


def judge(records):
    """One line for each target."""
    values = target_values(records)
    out = []
    for line in TARGETS.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, op, wanted, unit = line.split()
        text = f"target {name}: wanted {op} {wanted} {unit}, "
        rounds = values[name]
        if not rounds:
            out.append((name, "not measured", text + "not measured"))
            continue
        s = summary(rounds)
        text += f"measured {s['median']:.3f}"
        if s["interval"]:
            low, high = s["interval"]
            text += f" ({low:.3f} to {high:.3f})"
            end = low if op == ">=" else high
            good = end >= float(wanted) if op == ">=" else end <= float(wanted)
        else:
            good = False
        text += f" in {s['rounds']} rounds, "
        if s["rounds"] < ENOUGH:
            verdict = f"not proven: fewer than {ENOUGH} rounds"
        else:
            verdict = "reached" if good else "missed"
        out.append((name, verdict, text + verdict))
    return out


# ---- tables --------------------------------------------------------------


def number(x):
    """Three digits that count, or all before the point."""
    if abs(x) >= 1000:
        return f"{x:,.0f}"
    return f"{x:.3g}" if abs(x) < 100 else f"{x:.0f}"


def spread(values, scale=1.0):
    if not values:
        return ""
    s = summary(values.values())
    low, high = s["quartiles"]
    return f"{number(s['median'] * scale)} ({number(low * scale)} to {number(high * scale)})"


def ratio_text(ratios):
    if not ratios:
        return ""
    s = summary(ratios)
    text = f"{s['median']:.3f}"
    if s["interval"]:
        text += f" ({s['interval'][0]:.3f} to {s['interval'][1]:.3f})"
    return text


def routes(table, records, family):
    n = records.median("routes", family, table, "none", "stock")
    if n:
        return f"{n:,.0f}"
    return f"{int(table):,}" if table.isdigit() else table


def attached_text(records, key):
    shares = records.attached.get(key)
    return f"{statistics.median(shares.values()):.2f} %" if shares else ""


def net_ratios(records, key, arm):
    """As ratios, without what the generator and the way to PRE_ROUTING cost."""
    bench, family, table, traffic, rp_filter = key
    drop = records.median("forward", family, table, traffic, "drop")
    mine = records.get(bench, family, table, traffic, arm, rp_filter)
    stock = records.get(bench, family, table, traffic, "stock", rp_filter)
    if not drop or bench != "forward":
        return []
    return [
        (1 / stock[r] - 1 / drop) / (1 / mine[r] - 1 / drop)
        for r in sorted(mine.keys() & stock.keys())
        if mine[r] < drop
    ]


def forward_table(records, bench):
    keys = {key[:5] for key in records.cells if key[0] == bench}
    if not keys:
        return
    yield "| IP | routes | packets | rp_filter | arm | Mpps | ratio to stock | net of the generator | ns a packet less | attached | rounds |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    order = list(TRAFFIC)
    for key in sorted(keys, key=lambda k: (k[1], TABLES.index(k[2]), order.index(k[3]), k[4])):
        _, family, table, traffic, rp_filter = key
        stock = records.get(bench, family, table, traffic, "stock", rp_filter)
        for arm, name in ARMS.items():
            values = records.get(bench, family, table, traffic, arm, rp_filter)
            if not values:
                continue
            ratios = saved = net = ""
            if arm != "stock":
                ratios = ratio_text(records.ratios(values, stock))
                both = values.keys() & stock.keys()
                if both:
                    saved = number(statistics.median(1e9 / stock[r] - 1e9 / values[r] for r in both))
                if arm != "drop":
                    net = ratio_text(net_ratios(records, key, arm)).split(" ")[0]
            yield (
                f"| v{family} | {routes(table, records, family)} | {TRAFFIC[traffic]} | {rp_filter} | {name} "
                f"| {spread(values, 1e-6)} | {ratios} | {net} | {saved} "
                f"| {attached_text(records, (*key, arm))} | {len(values)} |"
            )


def lookup_table(records, bench, arms):
    keys = sorted(
        {key[1:4] for key in records.cells if key[0] == bench}, key=lambda k: (k[0], TABLES.index(k[1]))
    )
    if not keys:
        return
    arms = [arm for arm in arms if any(key[0] == bench and key[5] == arm for key in records.cells)]
    yield "| IP | routes | " + " | ".join(f"{ARMS[arm]}, ns" for arm in arms) + " | kernel to altfib |"
    yield "|---|---|" + "---|" * (len(arms) + 1)
    for family, table, traffic in keys:
        cells = {arm: records.get(bench, family, table, traffic, arm) for arm in arms}
        base = cells.get("walk") or cells["kernel"]
        mine = cells.get("altfib") or cells.get("nexthop", {})
        yield (
            f"| v{family} | {routes(table, records, family)} | "
            + " | ".join(spread(cells[arm]) for arm in arms)
            + f" | {ratio_text(records.ratios(base, mine))} |"
        )


def udp_table(records):
    keys = sorted({key[1:4] for key in records.cells if key[0] == "udp"})
    if not keys:
        return
    yield "| IP | to | arm | ns a datagram | ratio to stock | rounds |"
    yield "|---|---|---|---|---|---|"
    for family, table, traffic in keys:
        stock = records.get("udp", family, table, traffic, "stock")
        for arm, name in ARMS.items():
            values = records.get("udp", family, table, traffic, arm)
            if not values:
                continue
            ratios = "" if arm == "stock" else ratio_text(records.ratios(stock, values))
            to = "one peer" if traffic == "one" else TRAFFIC[traffic]
            yield f"| v{family} | {to} | {name} | {spread(values)} | {ratios} | {len(values)} |"


def memory_table(records):
    keys = sorted({(k[1], k[2]) for k in records.cells if k[0] == "touched"}, key=lambda k: (k[0], TABLES.index(k[1])))
    if not keys:
        return
    yield "| IP | routes | kernel's own, KiB | altfib, KiB | of these lookups touch, KiB |"
    yield "|---|---|---|---|---|"
    for family, table in keys:
        cells = [
            records.median("memory", family, table, "none", "stock"),
            records.median("memory", family, table, "none", "nexthop"),
            records.median("touched", family, table, "none", "nexthop"),
        ]
        yield f"| v{family} | {routes(table, records, family)} | " + " | ".join(
            "" if x is None else f"{x:,.0f}" for x in cells
        ) + " |"


INPUT = ["loop", "kernel", "nexthop", "none", "flow", "percpu-flow"]
OWN = {"forward", "forward-batch", "lookup", "lookup-overlapping", "latency", "input", "dst", "udp", "memory",
       "touched", "routes"}


def control_table(records):
    """Whatever else was measured: the control plane."""
    keys = sorted({key[:5] for key in records.cells if key[0] not in OWN}, key=str)
    if not keys:
        return
    yield "| what | IP | traffic | arm | value | unit | ratio to stock | attached | rounds |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for key in keys:
        bench, family, table, traffic, rp_filter = key
        stock = records.get(bench, family, table, traffic, "stock", rp_filter)
        arms = sorted(
            {k[5] for k in records.cells if k[:5] == key}, key=lambda a: (list(ARMS) + [a]).index(a)
        )
        for arm in arms:
            values = records.get(bench, family, table, traffic, arm, rp_filter)
            ratios = "" if arm == "stock" else ratio_text(records.ratios(values, stock))
            yield (
                f"| {bench} | v{family} | {traffic} | {ARMS.get(arm, arm)} | {spread(values)} "
                f"| {records.units[(*key, arm)]} | {ratios} "
                f"| {attached_text(records, (*key, arm))} | {len(values)} |"
            )


def dst_text(records):
    for family in (4, 6):
        values = {}
        for table in TABLES:
            for r, v in records.get("dst", family, table, "none", "alloc").items():
                values[table, r] = v
        if values:
            yield f"- IPv{family}: {spread(values)} ns"


# ---- charts --------------------------------------------------------------


class Charts:
    """SVG and PNG, by matplotlib."""

    COLOURS = {
        "stock": "#444444", "off": "#999999", "nexthop": "#1b7837", "none": "#a6dba0", "flow": "#b2182b",
        "percpu-flow": "#ef8a62", "fastpath": "#2166ac", "flowtable": "#762a83", "kernel": "#444444",
        "altfib": "#1b7837", "walk": "#999999",
    }

    def __init__(self, records, folder, prefix, place):
        # pylint: disable=import-outside-toplevel
        import matplotlib

        matplotlib.use("Agg")
        matplotlib.rcParams.update({
            "svg.hashsalt": "altfib", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
            "axes.grid": True, "grid.alpha": 0.3, "legend.frameon": False,
        })
        import matplotlib.pyplot

        self.plt = matplotlib.pyplot
        self.records, self.folder, self.prefix, self.place = records, folder, prefix, place

    def panels(self, title):
        figure, axes = self.plt.subplots(1, 2, figsize=(10, 4))
        figure.suptitle(title)
        return figure, axes

    @staticmethod
    def legend_below(figure, axes):
        """One legend for both panels, where no data is."""
        labels = {}
        for axis in axes:
            for handle, label in zip(*axis.get_legend_handles_labels()):
                labels.setdefault(label, handle)
        if labels:
            figure.legend(
                labels.values(), labels.keys(), loc="lower center", bbox_to_anchor=(0.5, 0.03),
                ncol=len(labels), fontsize=7,
            )

    def save(self, figure, name):
        figure.text(0.5, 0.005, self.place, ha="center", fontsize=6, color="#666666")
        figure.tight_layout(rect=(0, 0.08 if figure.legends else 0.02, 1, 1))
        for kind in ("svg", "png"):
            metadata = {"Date": None} if kind == "svg" else {"Software": None}
            figure.savefig(self.folder / f"{self.prefix}{name}.{kind}", metadata=metadata, dpi=120)
        self.plt.close(figure)
        return f"{self.prefix}{name}"

    def sizes(self):
        """Throughput over table size."""
        figure, axes = self.panels("Forwarded packets a second, 1,000,000 destinations")
        some = False
        for axis, family in zip(axes, (4, 6)):
            for arm in ARMS:
                points = []
                for i, table in enumerate(TABLES):
                    values = self.records.get("forward", family, table, "1m", arm)
                    if values and arm not in ("drop", "flowtable"):
                        s = summary(values.values())
                        points.append((i, s["median"] / 1e6, *(q / 1e6 for q in s["quartiles"])))
                if not points:
                    continue
                some = True
                x, y, low, high = zip(*points)
                # What was not measured at each size has no line through the others.
                whole = len(x) == x[-1] - x[0] + 1
                axis.plot(
                    x, y, linestyle="-" if whole else "none", marker="o", label=ARMS[arm],
                    color=self.COLOURS.get(arm),
                )
                if whole:
                    axis.fill_between(x, low, high, alpha=0.2, color=self.COLOURS.get(arm))
            axis.set_xticks(range(len(TABLES)))
            axis.set_xticklabels([routes(t, self.records, family) for t in TABLES])
            axis.set_ylim(bottom=0)
            axis.set_title(f"IPv{family}")
            axis.set_xlabel("routes")
            axis.set_ylabel("million packets a second")
        self.legend_below(figure, axes)
        return self.save(figure, "sizes") if some else self.plt.close(figure)

    def traffic(self):
        """Strategy against traffic, full table."""
        figure, axes = self.panels("Full table: strategies and traffic, packets a second to those of the stock kernel")
        kinds = {"one": "one flow", "20k": "20,000", "zipf": "Zipf", "1m": "1,000,000", "attack": "attack"}
        some = False
        for axis, family in zip(axes, (4, 6)):
            arms = [
                a for a in ARMS if a not in ("stock", "drop", "off")
                and any(self.records.get("forward", family, "full", t, a) for t in kinds)
            ]
            width = 0.8 / max(len(arms), 1)
            named = set()
            for n, arm in enumerate(arms):
                for i, kind in enumerate(kinds):
                    ratios = self.records.ratios(
                        self.records.get("forward", family, "full", kind, arm),
                        self.records.get("forward", family, "full", kind, "stock"),
                    )
                    if not ratios:
                        continue
                    some = True
                    s = summary(ratios)
                    low, high = s["quartiles"]
                    label = None if arm in named else ARMS[arm]
                    named.add(arm)
                    axis.bar(
                        i + (n - (len(arms) - 1) / 2) * width, s["median"], width, color=self.COLOURS.get(arm),
                        label=label,
                        yerr=[[s["median"] - low], [high - s["median"]]], error_kw={"elinewidth": 0.6},
                    )
            axis.axhline(1, color="#444444", linewidth=0.8)
            axis.set_xticks(range(len(kinds)))
            axis.set_xticklabels(kinds.values())
            axis.set_title(f"IPv{family}")
            axis.set_ylabel("times the stock kernel")
        self.legend_below(figure, axes)
        return self.save(figure, "traffic") if some else self.plt.close(figure)

    def latency(self):
        """How long a single lookup takes."""
        table = next((t for t in reversed(TABLES) if self.histogram(4, t, "kernel")), None)
        if table is None:
            return None
        figure, axes = self.panels(f"A single lookup, {routes(table, self.records, 4)} IPv4 and "
                                   f"{routes(table, self.records, 6)} IPv6 routes, random destinations")
        for axis, family in zip(axes, (4, 6)):
            for arm in ("kernel", "walk", "altfib"):
                bins = self.histogram(family, table, arm)
                if not bins:
                    continue
                total, so_far, x, y = sum(bins.values()), 0, [0], [0]
                # The last bin has all that took longer.
                for ns in sorted(bins)[:-1] if max(bins) == LAST_BIN else sorted(bins):
                    so_far += bins[ns]
                    x.append(ns + BIN)
                    y.append(100 * so_far / total)
                name = {4: "fib_table_lookup()", 6: "fib6_lookup()"}[family] if arm == "kernel" else ARMS[arm]
                axis.plot(x, y, label=name, color=self.COLOURS[arm])
            axis.set_title(f"IPv{family}")
            axis.set_xlabel("ns")
            axis.set_ylabel("% of lookups that took at most so long")
            axis.set_xlim(left=0)
            axis.legend(loc="lower right")
        return self.save(figure, "latency")

    def histogram(self, family, table, arm):
        return self.records.histograms.get(("latency", family, table, "1m", 0, arm))

    def memory(self):
        figure, axes = self.panels("Memory of the tables")
        some = False
        for axis, family in zip(axes, (4, 6)):
            named = set()
            for n, (what, arm, name, colour) in enumerate((
                ("memory", "stock", "the kernel's own", "#444444"),
                ("memory", "nexthop", "altfib, all of it", "#1b7837"),
                ("touched", "nexthop", "altfib, what lookups touch", "#a6dba0"),
            )):
                for i, table in enumerate(TABLES):
                    value = self.records.median(what, family, table, "none", arm)
                    if value and value > 0:
                        some = True
                        axis.bar(i + (n - 1) * 0.27, value / 1024, 0.27, color=colour, label=None if name in named else name)
                        named.add(name)
            axis.set_yscale("log")
            axis.set_xticks(range(len(TABLES)))
            axis.set_xticklabels([routes(t, self.records, family) for t in TABLES])
            axis.set_title(f"IPv{family}")
            axis.set_xlabel("routes")
            axis.set_ylabel("MiB")
            if named:
                axis.legend()
        return self.save(figure, "memory") if some else self.plt.close(figure)

    def draw(self):
        charts = [
            ("Throughput over the size of the table", self.sizes()),
            ("Strategy against traffic", self.traffic()),
            ("How long a lookup takes", self.latency()),
            ("Memory", self.memory()),
        ]
        return [(title, name) for title, name in charts if name]


# ---- the page ------------------------------------------------------------


def page(records, about, charts, verdicts):
    taken = f"Taken in {about.get('place', '?')}; {about.get('cpu', '?')}; {about.get('date', '?')}."
    yield f"- {taken}"
    yield f"- Linux {about.get('linux', '?')}, kernel {about.get('kernel', '?')}; altfib {about.get('version', '?')}"
    yield f"- IPv4 table: {about.get('table', '?')}; IPv6 table: {about.get('table6', '?')}"
    if about.get("kernel", "").startswith("uml"):
        yield "- XDP forwarding with bpf_fib_lookup() is left out: User-Mode Linux has no JIT for BPF, so it would mean nothing."
    else:
        yield "- XDP forwarding with bpf_fib_lookup() is left out: this kernel has no BPF programs (CONFIG_BPF_SYSCALL)."
    for title, name in charts:
        yield f"\n![{title}]({name}.svg)"
    sections = (
        ("The lookup alone, one after the other", lookup_table(records, "lookup", ["loop", "kernel", "walk", "altfib"])),
        ("The lookup alone, overlapping", lookup_table(records, "lookup-overlapping", ["loop", "kernel", "walk", "altfib"])),
        ("The routing step of a received packet", lookup_table(records, "input", INPUT)),
        ("A dst allocated, released and freed, for each packet", dst_text(records)),
        ("Forwarding", forward_table(records, "forward")),
        ("Forwarding, 32 packets at a time", forward_table(records, "forward-batch")),
        ("Unconnected UDP sends", udp_table(records)),
        ("Memory", memory_table(records)),
        ("The control plane", control_table(records)),
    )
    for title, lines in sections:
        lines = list(lines)
        if lines:
            yield f"\n### {title}\n"
            if lines[0].startswith("|"):
                yield f"{taken}\n"
            yield from lines
    yield "\n### Targets\n"
    yield "```"
    yield from (text for _, _, text in verdicts)
    yield "```"


def as_json(records, about, verdicts):
    cells = []
    for (bench, family, table, traffic, rp_filter, arm), values in records.cells.items():
        cells.append({
            "bench": bench, "family": family, "table": table, "traffic": traffic, "rp_filter": rp_filter,
            "arm": arm, "unit": records.units[bench, family, table, traffic, rp_filter, arm],
            **summary(values.values()), "values": values,
        })
    return {
        "about": about,
        "cells": cells,
        "targets": [{"name": name, "verdict": verdict, "text": text} for name, verdict, text in verdicts],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--docs", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()

    records = Records(args.folder)
    if not records.cells:
        sys.exit(f"bench: there is no measurement in {args.folder}")
    about = {}
    if (args.folder / "about").exists():
        lines = (args.folder / "about").read_text(encoding="utf-8").splitlines()
        about = dict(line.split("=", 1) for line in lines)
    verdicts = judge(records)
    with open(args.folder / "report.json", "w", encoding="utf-8") as f:
        json.dump(as_json(records, about, verdicts), f, indent=1)
        f.write("\n")
    place = f"{about.get('place', '')}; {about.get('cpu', '')}; {about.get('date', '')}"
    charts = Charts(records, args.folder, "", place).draw()
    text = "\n".join(page(records, about, charts, verdicts)) + "\n"
    (args.folder / "report.md").write_text(f"# altfib, measured\n\n{text}", encoding="utf-8")
    if args.docs:
        charts = Charts(records, args.docs, "bench-", place).draw()
        text = "\n".join(page(records, about, charts, verdicts)) + "\n"
        path = args.docs / "bench.md"
        head = path.read_text(encoding="utf-8").split(MARK)[0]
        path.write_text(f"{head}{MARK}\n\n{text}", encoding="utf-8")
    if not args.quick:
        print(text.split("\n### Targets\n")[0])
    print()
    for _, _, line in verdicts:
        print(line)


if __name__ == "__main__":
    main()
