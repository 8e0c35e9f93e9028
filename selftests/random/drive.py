#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs random scenarios with altfib off and on, and compares; see run.sh.

Closes with one line for each family:
    IPvF: N scenarios, P packets, attached A of E eligible (x %), punted by reason: ...
Exits 0 if no scenario differed.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time

import scenario
from generate import Scenario4
from generate6 import Scenario6

FAMILIES = {"4": (Scenario4,), "6": (Scenario6,), "both": (Scenario4, Scenario6)}
SHARE = re.compile(r"# altfib6? (\S+) afr: attached (\d+) of (\d+) eligible \([^)]*\): forward (\d+), "
                   r"local (\d+), verified (\d+), left to a socket (\d+)(.*)")
FAILED = "# the scenario itself failed"
# A scenario takes seconds at most; one that hangs has lost something.
LIMIT = 120


class Result:
    def __init__(self, same, text):
        self.same, self.text = same, text
        self.broken = FAILED in text

    def kind(self):
        """How bad it is: the shrunk scenario must be no milder than the whole one."""
        lines = [x[3:] for x in self.text.splitlines() if re.match(r"# [-+]", x)]
        if any(re.match(r"\S+ (\S\S:){5}", x) for x in lines):
            return 3
        if any(x.startswith("counter ") for x in lines):
            return 2
        return 0 if all(x.startswith("audit ") for x in lines) else 1


def run(probe, lines, arms, limit=LIMIT):
    # No copies of this process' memory: under emulation they cost more than a scenario.
    with subprocess.Popen([probe, "--compare", *arms], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          close_fds=False, start_new_session=True) as p:
        try:
            text, _ = p.communicate(("\n".join(lines) + "\n").encode(), timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.communicate()
            return Result(False, f"{FAILED}: no end after {limit} s\n")
    return Result(p.returncode == 0, text.decode(errors="replace"))


class Totals:
    """Of one family."""

    def __init__(self, family):
        self.name = f"IPv{family.SIX or 4}"
        self.scenarios = self.packets = self.attached = self.eligible = self.verified = 0
        self.punts = {}
        self.failed = []
        self.unsteady = []

    def may_be_unsteady(self):
        """One, and one more in a hundred."""
        return len(self.unsteady) * 100 <= self.scenarios

    def add(self, text):
        for line in text.splitlines():
            m = SHARE.match(line)
            if not m:
                continue
            if m[1] == "off":
                continue
            self.attached += int(m[2])
            self.eligible += int(m[3])
            self.verified += int(m[6])
            if int(m[7]):
                self.punt("early_demux", int(m[7]))
            for name, n in re.findall(r", (\w+) (\d+)", m[8]):
                self.punt(name, int(n))

    def punt(self, name, n):
        self.punts[name] = self.punts.get(name, 0) + n

    def line(self):
        share = 100.0 * self.attached / self.eligible if self.eligible else 0
        punts = ", ".join(f"{k} {v}" for k, v in sorted(self.punts.items(), key=lambda x: -x[1]))
        return (f"{self.name}: {self.scenarios} scenarios, {self.packets} packets, attached {self.attached} of "
                f"{self.eligible} eligible ({share:.1f} %), punted by reason: {punts or 'none'}")


class Shrinker:
    """Delta debugging: drops lines, then packets, while the scenario still differs."""

    # Without these it is another experiment: "differs" would be "never served", or an
    # address would wait a second until it is known that nobody else has it.
    KEEP = re.compile(r"(netns|arm|tap|counters6?|altfib6?|report) |.* arp off$")

    def __init__(self, probe, arms, seconds):
        self.probe, self.arms = probe, arms
        self.kind = 0
        self.end = time.monotonic() + seconds
        self.runs = 0

    # What mostly goes as a whole.
    KINDS = (r" neigh ", r"^sysctl (?!.*forward)", r"^(sock|read|close|try6? \S+ (?!route)) ?",
             r" lo up$")

    def differs(self, lines):
        if time.monotonic() > self.end:
            return False
        self.runs += 1
        result = run(self.probe, lines, self.arms, 20)
        return not result.same and not result.broken and result.kind() >= self.kind

    def drop(self, lines, parts):
        """Tries without each of `parts` stretches of lines."""
        changed = False
        loose = [i for i, x in enumerate(lines) if not self.KEEP.match(x)]
        size = -(-len(loose) // parts) if loose else 0
        at = len(loose)
        while at > 0:
            # From the end: what comes late does less to the rest.
            gone = set(loose[max(0, at - size):at])
            rest = [x for i, x in enumerate(lines) if i not in gone]
            if gone and self.differs(rest):
                lines = rest
                loose = [i for i, x in enumerate(lines) if not self.KEEP.match(x)]
                changed = True
            at -= size
        return lines, changed

    def kinds(self, lines):
        """Lines of one kind, or about one device, all at once."""
        groups = [[x for x in lines if re.search(kind, x)] for kind in self.KINDS]
        for m in reversed([m for m in (re.match(r"tap (\S+) (\S+) (\S+)", x) for x in lines) if m]):
            dev, ns, peer = (re.escape(x) for x in m.groups())
            groups.append([x for x in lines
                           if re.search(rf"(?<![\w.]){dev}(?![\w.])|"
                                        rf" {ns} (.* )?{peer}(?![\w.])", x)])
        for group in groups:
            gone = set(group)
            rest = [x for x in lines if x not in gone]
            if len(rest) < len(lines) and self.differs(rest):
                lines = rest
        return lines

    def fewer(self, lines):
        for i, line in enumerate(lines):
            for n in (1, 2, 3):
                shorter = re.sub(r" n=\d+", f" n={n}", line)
                if shorter == line:
                    break
                if self.differs(lines[:i] + [shorter] + lines[i + 1:]):
                    lines = lines[:i] + [shorter] + lines[i + 1:]
                    break
        return lines

    def taps(self, lines):
        """Taps and reports that say nothing."""
        for i in range(len(lines) - 1, -1, -1):
            if re.match(r"(tap|report|counters6?|audit) ", lines[i]):
                rest = lines[:i] + lines[i + 1:]
                if self.differs(rest):
                    lines = rest
        return lines

    def shrink(self, lines):
        lines = self.kinds(lines)
        parts = 4
        while True:
            lines, changed = self.drop(lines, parts)
            loose = sum(1 for x in lines if not self.KEEP.match(x))
            if parts >= loose:
                if not changed:
                    break
            else:
                parts = min(parts * 3, max(loose, 1))
            if time.monotonic() > self.end:
                break
        lines = self.taps(self.fewer(lines))
        # Devices whose tap is gone may go now.
        return self.drop(lines, len(lines))[0]


def kept(text, most):
    lines = [x for x in text.splitlines() if not SHARE.match(x)]
    # Where a scenario breaks off it says why in its last lines.
    return lines[-10:] if FAILED in text else lines[:most]


def failure(args, seed, lines, arms, result, totals):
    """Says what differs; False where only counters did, once: a host's own timers."""
    print(f"# {totals.name}, seed {seed} differs ({' '.join(arms)}):")
    for line in kept(result.text, 40):
        print(line if line.startswith("#") else "# " + line)
    again = run(args.probe, lines, arms)
    if again.same and result.kind() == 2 and not result.broken and totals.may_be_unsteady() \
            and run(args.probe, lines, arms).same:
        totals.unsteady.append(seed)
        print(f"# seed {seed}: no packet differs, and run twice more it is the same: not counted as a failure",
              flush=True)
        return False
    totals.failed.append(seed)
    noise = run(args.probe, lines, ["off", "off"])
    print(f"# seed {seed}: run again it {'is the same' if again.same else 'differs'}; "
          f"off twice {'is the same' if noise.same else 'DIFFERS: the scenario is to blame'}")
    text = "\n".join(lines) + "\n"
    if not again.same and not again.broken and noise.same and args.shrink:
        # Only the arm that differs, since it is run some hundred times.
        for arm in arms[1:]:
            pair = [arms[0], arm]
            whole = run(args.probe, lines, pair)
            if not whole.same:
                shrinker = Shrinker(args.probe, pair, args.shrink)
                shrinker.kind = whole.kind()
                short = shrinker.shrink(lines)
                last = run(args.probe, short, pair)
                text = f"# {totals.name}, seed {seed}, shrunk in {shrinker.runs} runs: " \
                       f"probe --compare {' '.join(pair)}\n" + "\n".join(short) + "\n"
                print(f"# shrunk to {len(short)} lines in {shrinker.runs} runs:")
                for line in short:
                    print(f"#   {line}")
                for line in kept(last.text, 20):
                    print(line if line.startswith("#") else "# " + line)
                break
    if args.output:
        path = os.path.join(args.output, f"random-{totals.name}-{seed}.scenario")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        print(f"# kept in {path}")
    sys.stdout.flush()
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--probe", default=os.environ.get("PROBE", "./probe"))
    parser.add_argument("--family", choices=FAMILIES, default="both",
                        help="both: the seeds are IPv4's and IPv6's in turn")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seconds", type=float, help="begin no scenario after so long")
    parser.add_argument("--arms", default="off on", help="the first is what the others must be equal to")
    parser.add_argument("--verify-every", type=int, default=4, metavar="N",
                        help="every Nth scenario has a third arm, verify (0: none)")
    parser.add_argument("--shrink", type=float, default=120, help="seconds for each failure (0: do not)")
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    parser.add_argument("--output", default=os.environ.get("ALTFIB_OUT"))
    scenario.options_to(parser, Scenario4, Scenario6)
    args = parser.parse_args()
    options = scenario.options_of(args, Scenario4, Scenario6)
    families = FAMILIES[args.family]

    totals = [Totals(family) for family in families]
    begin = shown = time.monotonic()
    done = failed = 0
    for seed in range(args.first, args.first + args.count):
        if args.seconds and time.monotonic() - begin > args.seconds:
            break
        # Of both, IPv4 has the even ones.
        of, total = families[seed % len(families)], totals[seed % len(families)]
        lines = of(seed, **options).make()
        arms = args.arms.split()
        if args.verify_every and seed // len(families) % args.verify_every == 0 \
                and "verify" not in arms and "on" in arms:
            arms.append("verify")
        result = run(args.probe, lines, arms)
        done += 1
        total.scenarios += 1
        total.packets += sum(int(n) for x in lines for n in re.findall(r"^send .* n=(\d+)", x))
        total.add(result.text)
        if not result.same and failure(args, seed, lines, arms, result, total):
            failed += 1
            if failed >= args.failures:
                print(f"# stopped after {failed} failures")
                break
        if time.monotonic() - shown > 60:
            shown = time.monotonic()
            print(f"# {done} scenarios in {shown - begin:.0f} s, seed {seed}, {failed} failed",
                  flush=True)
    took = time.monotonic() - begin
    print(f"# seeds {args.first} to {args.first + done - 1} in {took:.0f} s: "
          f"{60 * done / max(took, 0.001):.0f} scenarios a minute")
    for total in totals:
        if total.failed:
            print(f"# {total.name} failed: " + " ".join(str(x) for x in total.failed))
        if total.unsteady:
            print(f"# {total.name}, a counter differed once and not again: " +
                  " ".join(str(x) for x in total.unsteady))
        print(total.line())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
