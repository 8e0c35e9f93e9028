#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What tool.sh asks the altfib tool, compared with the files and with ip. TOOL is its path.

    tool.py routes       text and JSON are what /proc/net/altfib and "ip route" have
    tool.py nexthops     the same of the next hops
    tool.py stats        counters and reasons are those of the files, in both forms
    tool.py caches       the same of the caches
    tool.py get ADDR...  both answers are those of "ip route get"
    tool.py screen NETNS "top" on a terminal draws, follows its size, and leaves the terminal as it was
"""

import fcntl
import ipaddress
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

sys.dont_write_bytecode = True
TOOL = os.environ["TOOL"]
# After the word "default": of which family it is.
ANY = {4: "0.0.0.0/0", 6: "::/0"}


def fail(what):
    """Says what is wrong; the exit status is in SystemExit."""
    sys.exit(what)


def output(*words, status=0):
    """What a program prints; it must say nothing else, and end with this status."""
    result = subprocess.run(words, text=True, check=False, capture_output=True)
    if result.returncode != status or result.stderr:
        fail(f"{' '.join(words)} ended with {result.returncode}: {result.stderr}{result.stdout}")
    return result.stdout


def tool(*words):
    """The tool's text."""
    return output(TOOL, *words)


def asked(*words):
    """The tool's JSON, which is the same when it is pretty."""
    reply = json.loads(tool("-j", *words))
    if json.loads(tool("-j", "-p", *words)) != reply:
        fail(f"{words}: pretty JSON differs")
    return reply


def lines(path):
    """The words of each line of a file, but for its head."""
    with open(path, encoding="ascii") as file:
        return [line.split() for line in file][1:]


def same(name, here, there):
    """Compares two lists, whatever their order."""
    if sorted(here) != sorted(there):
        fail(f"{name}: only the tool has {sorted(set(here) - set(there))[:5]}, "
             f"only the other one {sorted(set(there) - set(here))[:5]}")
    if not here:
        fail(f"{name}: none")
    print(f"# {name}: {len(here)}")


def prefix(text, version):
    """A prefix with its length."""
    return str(ipaddress.ip_network(ANY[version] if text == "default" else text))


def words_after(line, *names):
    """Of "10.1.0.0/16 via 10.0.2.2 dev r1 metric 5" what is behind these words."""
    words = line.split()
    return tuple(words[words.index(name) + 1] if name in words else None for name in names)


def is_prefix(word):
    """Whether a word of a line is its prefix."""
    return word == "default" or re.fullmatch(r"[0-9a-f:.]*[:.][0-9a-f:.]*(/\d+)?", word)


def routes():
    """Three ways to list them; and each filter takes what it should."""
    for version, path in ((4, "routes"), (6, "routes6")):
        family = f"-{version}"
        everything = asked(family, "routes")
        mains = [r for r in everything if version == 6 or r["table"] == "main"]
        mains = [r for r in mains if r["table"] in ("main", "local")]
        if version == 4:
            file = [(f"{dst}/{ipaddress.ip_network('0.0.0.0/' + mask).prefixlen}", gateway,
                     int(metric), dev)
                    for dst, gateway, mask, _flags, metric, dev in lines(f"/proc/net/altfib/{path}")]
        else:
            file = [(dst, gateway, int(metric), dev)
                    for dst, gateway, _flags, metric, _paths, dev in lines(f"/proc/net/altfib/{path}")]
        none = ANY[version].split("/", maxsplit=1)[0]
        same(f"IPv{version} routes and the file",
             [(prefix(r["prefix"], version), r.get("gateway", none), r.get("metric", 0),
               r.get("dev", "*")) for r in mains], file)
        # And the kernel's own list, of what it has one route for.
        kernel = json.loads(output("ip", "-j", family, "route", "show", "table", "main", "type", "unicast"))
        # Of several for one prefix the mirror has the first, by metric.
        first = {}
        for route in sorted(kernel, key=lambda r: r.get("metric", 0)):
            first.setdefault(route["dst"], route)
        single = [r for r in first.values() if "nexthops" not in r]
        same(f"IPv{version} routes and ip route",
             [(prefix(r["prefix"], version), r.get("gateway"), r.get("dev")) for r in everything
              if r["table"] == "main" and r["type"] == "unicast" and "paths" not in r],
             [(prefix(r["dst"], version), r.get("gateway"), r.get("dev")) for r in single])
        # The text has the same.
        text = [line for line in tool(family, "routes").splitlines() if " table " not in line]
        same(f"IPv{version} routes as text",
             [(prefix(next(filter(is_prefix, line.split())), version), *words_after(line, "via", "dev"))
              for line in text],
             [(prefix(r["prefix"], version), r.get("gateway"), r.get("dev"))
              for r in everything if r["table"] == "main"])
        one = next(r for r in everything if r["table"] == "main" and "gateway" in r)
        for words, takes in (
                ((one["prefix"],), lambda r: r["prefix"] == one["prefix"]),
                (("dev", one["dev"]), lambda r: r.get("dev") == one["dev"]),
                (("via", one["gateway"]), lambda r: r.get("gateway") == one["gateway"]),
                (("table", "local"), lambda r: r["table"] == "local"),
                (("type", "local"), lambda r: r["type"] == "local")):
            found = asked(family, "routes", *words)
            if found != [r for r in everything if takes(r)] or not found:
                fail(f"{words}: {found}, and of all {[r for r in everything if takes(r)]}")
    both = asked("routes")
    if [r["family"] for r in both] != sorted(r["family"] for r in both):
        fail("IPv4 does not come first")


def nexthops():
    """The next hops."""
    reply = asked("nexthops")
    there = [(int(number), gateway, dev, kind, int(paths), int(prefixes), dst)
             for number, gateway, dev, kind, paths, prefixes, dst in lines("/proc/net/altfib/nexthops")]
    # The file does not show a gateway of the other family.
    mine = [(n["id"], n.get("gateway", "0.0.0.0") if ":" not in n.get("gateway", "") else "0.0.0.0",
             n.get("dev", "*"), n["type"], n.get("paths", 1), n["prefixes"], n["dst_state"]) for n in reply]
    same("next hops and the file", mine, there)
    head, *rest = tool("nexthops").splitlines()
    if head.split() != ["ID", "TYPE", "VIA", "DEV", "METRIC", "PATHS", "PREFIXES", "DST"]:
        fail(head)
    text = [line.split() for line in rest]
    same("next hops as text",
         [(int(n[0]), n[1], n[2], n[3], int(n[4]), int(n[5]), int(n[6]), n[7]) for n in text],
         [(n["id"], n["type"], n.get("gateway", "-"), n.get("dev", "-"), n.get("metric", 0),
           n.get("paths", 1), n["prefixes"], n["dst_state"]) for n in reply])


def totals(path):
    """The counters of a file below /proc/net/stat over all CPUs."""
    with open(path, encoding="ascii") as file:
        names, *cpus = [line.split() for line in file]
    columns = {name: [int(cpu[at], 16) for cpu in cpus] for at, name in enumerate(names)}
    return {name: column[0] if name == "entries" else sum(column) for name, column in columns.items()}


def table(text):
    """Rows by their first word, of a table with a column for each family."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def stats():
    """Counters and reasons."""
    reply = asked("stats")
    text = table(tool("stats"))
    for at, suffix in enumerate(("", "6")):
        family = reply[at]
        if family["counters"] != totals(f"/proc/net/stat/altfib{suffix}"):
            fail(f"{family['counters']} by the tool, {totals(f'/proc/net/stat/altfib{suffix}')} in the file")
        file = {line[0]: (int(line[1]), line[2], " ".join(line[3:]))
                for line in lines(f"/proc/net/altfib/punts{suffix}")}
        mine = {p["name"]: (p["packets"], p["group"], p["cause"]) for p in family["punts"]}
        if mine != file:
            fail(f"{mine} by the tool, {file} in the file")
        # As text: what is not 0.
        counters = list(family["counters"].items()) + list(family["output_counters"].items())
        for name, value in counters + [(p["name"], p["packets"]) for p in family["punts"]]:
            if name in ("entries", "memory_kb"):
                continue
            shown = text.get(name)
            if value != int(shown[at]) if shown else value != 0:
                fail(f"{name}: {value} as JSON, {shown} as text")
        for name in ("mode", "cache", "output", "routes"):
            if text[name][at] != str(family[name]):
                fail(f"{name}: {text[name]}")
        with open("/proc/net/altfib/status", encoding="ascii") as file:
            (share,) = re.findall(rf"^{'IPv6 ' if suffix else ''}attached: .*\((.*)\)$", file.read(), re.M)
        mine = re.findall(r"-|[\d.]+ %", " ".join(text["attached"]))[at]
        # Of nothing there is no share.
        if mine != share and (mine, share) != ("-", "0.00 %"):
            fail(f"attached {text['attached']}, and {share} in the file")
        print(f"# {family['family']}: {len(family['counters'])} counters, {len(family['punts'])} reasons")
        if asked(f"-{6 if suffix else 4}", "stats") != [family]:
            fail(f"{family['family']} alone is another one")


def caches():
    """Counters of the caches."""
    reply = asked("caches")
    text = table(tool("caches"))
    for at, suffix in enumerate(("", "6")):
        cache = reply[at]
        file = totals(f"/proc/net/stat/altfib{suffix}_cache")
        if cache["counters"] != file:
            fail(f"{cache} is not the file's: {file}")
        if text["strategy"][at] != cache["strategy"] or text["entries"][at] != str(cache["entries"]):
            fail(f"{text} is not {cache}")
        for name, value in file.items():
            if name != "entries" and text[name][at] != str(value):
                fail(f"{name}: {value} in the file, {text[name]} as text")
    with open("/proc/sys/net/altfib/cache", encoding="ascii") as file:
        if reply[0]["strategy"] != file.read().strip():
            fail("the strategy is not the setting")
    print(f"# {reply[0]['strategy']}: {[cache['entries'] for cache in reply]}")


def get(*addresses):
    """Both answers, and "ip route get"."""
    for address in addresses:
        (reply,) = asked("get", address)
        said = subprocess.run(["ip", "-j", "route", "get", address], text=True, check=False,
                              capture_output=True)
        if said.returncode:
            # "RTNETLINK answers: Network is unreachable"
            error = said.stderr.splitlines()[0].split(": ", maxsplit=1)[1]
            if reply["kernel"].get("error") != error or not reply["agree"]:
                fail(f"{address}: ip says {error}, the tool {reply}")
        else:
            (route,) = json.loads(said.stdout)
            for side in ("altfib", "kernel"):
                mine = reply[side]
                if mine.get("gateway") != route.get("gateway") or \
                        mine["type"] != route.get("type", "unicast") or \
                        route.get("type") != "local" and mine["dev"] != route["dev"]:
                    fail(f"{address}: ip says {route}, {side} {mine}")
                inside = ipaddress.ip_network(prefix(mine["prefix"], 6 if ":" in address else 4))
                if ipaddress.ip_address(address) not in inside:
                    fail(f"{address} is not in {inside}")
            if reply["agree"] is not True:
                fail(f"{address}: {reply}")
        # The text has the same words.
        text = tool("get", address)
        for side in ("altfib", "kernel"):
            line = next(line for line in text.splitlines() if line.startswith(side))
            for field in ("type", "prefix", "gateway", "dev", "table", "dst_state", "error"):
                value = reply[side].get(field)
                if value and value not in line:
                    fail(f"{address}: no {field} {value} in {line}")
    print(f"# {len(addresses)} addresses")


class Terminal:
    """A program on a terminal of 100 columns and 30 rows."""

    def __init__(self, *words):
        self.fd, slave = pty.openpty()
        self.size(30, 100)
        self.modes = termios.tcgetattr(self.fd)
        env = dict(os.environ, TERM="xterm")
        # pylint: disable-next=consider-using-with # ended in its own time
        self.program = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=env,
                                        start_new_session=True)
        os.close(slave)
        self.seen = ""

    def size(self, rows, columns):
        """Sets the terminal's size."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, what, seconds=10):
        """Reads until `what` is seen, and gives what came before it."""
        end = time.monotonic() + seconds
        while what not in self.seen:
            if time.monotonic() > end:
                fail(f"no {what!r} in {self.seen!r}")
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode()
                except OSError:
                    # Nobody has the other end any more.
                    if what not in self.seen:
                        fail(f"it ended without {what!r}: {self.seen!r}")
        before, self.seen = self.seen.split(what, maxsplit=1)
        return before

    def press(self, key):
        """As somebody at the keyboard."""
        os.write(self.fd, key.encode())


def screen(netns):
    """What "top" does with a terminal."""
    terminal = Terminal(TOOL, "-n", netns, "top", "-d", "0.3")
    terminal.until("\x1b[?1049h")
    terminal.until("q ends")
    if termios.tcgetattr(terminal.fd)[3] & (termios.ICANON | termios.ECHO):
        fail("keys are not read one by one, or are shown")
    for _ in range(2):
        drawn = terminal.until("all a second") + terminal.until("nexthop")
        # Each line is put in its place; nothing scrolls.
        if "\n" in drawn or "\x1b[32myes" not in drawn:
            fail(f"{drawn!r}")
    # A block of one line is as much as there is room for.
    terminal.size(1, 20)
    terminal.until("\x1b[1;1H")
    terminal.until("\x1b[1;1H")
    line = terminal.until("\x1b[1;1H")
    if "\x1b[2;1H" in line or len(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)) > 20:
        fail(f"{line!r} on a terminal with one row of 20")
    terminal.press("q")
    terminal.until("\x1b[?25h")
    terminal.until("\x1b[?1049l")
    if terminal.program.wait(10) != 0 or termios.tcgetattr(terminal.fd) != terminal.modes:
        fail(f"it ended with {terminal.program.returncode}, or left the terminal in other modes")
    # ^C is a key then, and ends it as well.
    terminal = Terminal(TOOL, "-n", netns, "top", "-d", "5")
    terminal.until("q ends")
    terminal.press("\x03")
    terminal.until("\x1b[?1049l")
    if terminal.program.wait(10) != 0:
        fail(f"^C ended it with {terminal.program.returncode}")


def main():
    """The command line."""
    commands = {"routes": routes, "nexthops": nexthops, "stats": stats, "caches": caches,
                "get": get, "screen": screen}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])


main()
