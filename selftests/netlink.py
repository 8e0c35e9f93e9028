#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What netlink.sh asks of the family altfib many times over, with the kernel's own ynl library.

    netlink.py routes            the dump of the main tables is what /proc/net/altfib shows
    netlink.py nexthops          the same of the next hops
    netlink.py stats             counters and reasons are those of the files
    netlink.py random N SEED [IIF SRC4 SRC6]
                                 N addresses of each family: altfib, the kernel and "ip route get"
    netlink.py events SECONDS    prints events, one JSON object a line, until the time is over
    netlink.py audit             starts one, watches it, and prints its end
"""

import ipaddress
import json
import os
import random
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.append(os.environ["YNL"])
# pylint: disable=wrong-import-position,import-error
from lib import YnlFamily, NlError  # noqa: E402

SPEC = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir,
                    "Documentation/netlink/specs/altfib.yaml")


def family():
    """The family, as its specification has it."""
    return YnlFamily(SPEC, schema="")


def fail(what):
    """Says what is wrong; the exit status is in SystemExit."""
    sys.exit(what)


def lines(path):
    """The words of each line of a file, but for its head."""
    with open(path, encoding="ascii") as file:
        return [line.split() for line in file][1:]


def only_in(one, other, limit=5):
    """Some of what only one of two sets has."""
    return sorted(one - other, key=str)[:limit]


def same(name, file, dump):
    """Compares what a file has with what a dump has."""
    if len(file) != len(dump) or set(file) != set(dump):
        fail(f"{name}: {len(file)} in the file, {len(dump)} by netlink; only there: "
             f"{only_in(set(file), set(dump))}, only here: {only_in(set(dump), set(file))}")
    print(f"# {name}: {len(dump)}")


def routes():
    """The main tables, and for IPv6 the local one, too."""
    ynl = family()
    begin = time.monotonic()
    dump = ynl.dump("routes", {"family": "ipv4", "table": 254})
    print(f"# {len(dump)} in {time.monotonic() - begin:.1f} s")
    file = [(f"{dst}/{ipaddress.ip_network('0.0.0.0/' + mask).prefixlen}", gateway, int(metric), dev)
            for dst, gateway, mask, _flags, metric, dev in lines("/proc/net/altfib/routes")]
    same("routes", file, [(f"{r['prefix']}/{r['prefix-len']}", r.get("gateway", "0.0.0.0"),
                           r["metric"], r.get("dev", "*")) for r in dump])
    file = [(dst, gateway, int(metric), dev)
            for dst, gateway, _flags, metric, _paths, dev in lines("/proc/net/altfib/routes6")]
    dump = (ynl.dump("routes", {"family": "ipv6", "table": 254}) +
            ynl.dump("routes", {"family": "ipv6", "table": 255}))
    same("IPv6 routes", file, [(f"{r['prefix']}/{r['prefix-len']}", r.get("gateway", "::"),
                                r["metric"], r.get("dev", "*")) for r in dump])
    # Without a filter there are all tables of both families, each once.
    everything = ynl.dump("routes", {})
    tables = {(r["family"], r["table"]) for r in everything}
    keys = [(r["family"], r["table"], r["prefix"], r["prefix-len"]) for r in everything]
    if len(keys) != len(set(keys)):
        fail("a route comes twice")
    for name, known in (("ipv4", "tables"), ("ipv6", "tables6")):
        numbers = {"main": 254, "local": 255, "default": 253}
        file = {(name, numbers.get(line[0]) or int(line[0])): int(line[1])
                for line in lines(f"/proc/net/altfib/{known}")}
        for table, count in file.items():
            found = sum(1 for key in keys if key[:2] == table)
            if found != count:
                fail(f"table {table}: {count} in the file, {found} by netlink")
        if set(file) != {table for table in tables if table[0] == name}:
            fail(f"tables: {file} in the file, {tables} by netlink")


def gateway4(nexthop):
    """Its IPv4 gateway, or what stands for none."""
    gateway = nexthop.get("gateway", ":")
    return "0.0.0.0" if ":" in gateway else gateway


def nexthops():
    """The next hops, with the state of their cached routes."""
    file = [(int(number), gateway, dev, kind, int(paths), int(prefixes), dst)
            for number, gateway, dev, kind, paths, prefixes, dst
            in lines("/proc/net/altfib/nexthops")]
    same("next hops", file,
         # The file does not show a gateway of the other family.
         [(n["id"], gateway4(n), n.get("dev", "*"), n["type"], n.get("paths", 1),
           n["prefixes"], n["dst-state"]) for n in family().dump("nexthops", {})])


def stats():
    """Counters over all CPUs, and each reason."""
    ynl = family()
    for name, suffix in (("ipv4", ""), ("ipv6", "6")):
        reply = ynl.do("stats", {"family": name})
        with open(f"/proc/net/stat/altfib{suffix}", encoding="ascii") as file:
            names, *cpus = [line.split() for line in file]
        values = {}
        for at, counter in enumerate(names):
            column = [int(cpu[at], 16) for cpu in cpus]
            values[counter] = column[0] if counter == "entries" else sum(column)
        by_netlink = {c["name"]: c["value"] for c in reply["counter"]}
        if values != by_netlink:
            fail(f"{name}: {values} in the file, {by_netlink} by netlink")
        file = {line[0]: (int(line[1]), line[2], " ".join(line[3:]))
                for line in lines(f"/proc/net/altfib/punts{suffix}")}
        by_netlink = {p["name"]: (p["packets"], p["group"], p["cause"]) for p in reply["punt"]}
        if file != by_netlink:
            differ = set(file.items()) ^ set(by_netlink.items())
            fail(f"{name}: only in the file or by netlink: {differ}")
        print(f"# {name}: {len(values)} counters, {len(file)} reasons, "
              f"{sum(values.values())} events")
    for cache in ynl.dump("caches", {}):
        suffix = "6" if cache["family"] == "ipv6" else ""
        with open(f"/proc/net/stat/altfib{suffix}_cache", encoding="ascii") as file:
            names, *cpus = [line.split() for line in file]
        if [c["name"] for c in cache["counter"]] != names:
            fail(f"{cache} is not the file's")


def ip_route_get(questions):
    """What "ip route get" says of each of them: gateway and device, or None."""
    result = subprocess.run(["ip", "-j", "-force", "-batch", "-"], text=True, check=False,
                            input="\n".join(questions) + "\n", capture_output=True)
    found = {}
    for line in result.stdout.splitlines():
        if not line.startswith("["):
            continue
        for route in json.loads(line):
            found[route["dst"]] = (route.get("gateway"), route.get("dev"), route.get("type"))
    return found


def addresses(ynl, rng, name, count):
    """So many different ones: half of them from prefixes that there are, the rest from anywhere."""
    version = 4 if name == "ipv4" else 6
    bits = 32 if version == 4 else 128
    prefixes = [(int(ipaddress.ip_address(r["prefix"])), r["prefix-len"])
                for r in ynl.dump("routes", {"family": name})
                if r["type"] in ("unicast", "local") and not r["prefix"].startswith(("fe80", "ff"))]
    found = {}
    while len(found) < count:
        # Of multicast others decide, which "agree" says nothing about.
        address = rng.randrange((1 << bits) * 7 // 8)
        if rng.getrandbits(1):
            start, length = rng.choice(prefixes)
            address = start | (address & ((1 << (bits - length)) - 1))
        found[str(ipaddress.IPv4Address(address) if version == 4 else
                  ipaddress.IPv6Address(address))] = True
    return list(found)


def random_addresses(count, seed, iif=None, *sources):
    """Side by side: altfib, the kernel by netlink, the kernel by rtnetlink."""
    ynl = family()
    rng = random.Random(seed)
    index = None
    if iif:
        index = socket.if_nametoindex(iif)
    for at, name in enumerate(("ipv4", "ipv6")):
        asked = addresses(ynl, rng, name, count)
        tail = f" from {sources[at]} iif {iif}" if iif else ""
        option = "-6 " if name == "ipv6" else ""
        by_ip = ip_route_get([f"route get {address}{tail}" for address in asked])
        agreed = silent = routed = 0
        for address in asked:
            question = {"dst": address}
            if index:
                question |= {"iif": index, "src": sources[at]}
            reply = ynl.do("get", question)
            ours, kernels = reply["altfib"], reply["kernel"]
            if "agree" not in reply:
                silent += 1
                if "punt" not in ours and "prefix" in ours and ours["type"] != "broadcast":
                    fail(f"{address}: altfib has no say, and does not tell why: {reply}")
            elif not reply["agree"]:
                fail(f"{address}: they differ: {reply}")
            else:
                agreed += 1
                for key in ("prefix", "prefix-len", "table"):
                    if "error" not in kernels and ours.get(key) != kernels.get(key):
                        fail(f"{address}: {key}: {reply}")
            there = by_ip.get(address)
            refused = "error" in kernels or "drop-reason" in kernels
            if there is None:
                if not refused:
                    fail(f"{option}{address}: ip route get refuses, netlink: {reply}")
                continue
            if refused:
                fail(f"{address}: ip route get: {there}, netlink: {reply}")
            if there[0] != kernels.get("gateway"):
                fail(f"{address}: ip route get: {there}, netlink: {reply}")
            if there[2] not in ("local", "broadcast") and there[1] != kernels.get("dev"):
                fail(f"{address}: ip route get: {there}, netlink: {reply}")
            if ours.get("type") == "unicast" and "agree" in reply:
                routed += 1
                if (ours.get("gateway"), ours.get("dev")) != there[:2]:
                    fail(f"{address}: ip route get: {there}, altfib: {reply}")
        print(f"# {name}{tail}: {len(asked)} addresses, {agreed} agree, {routed} of them routed on, "
              f"in {silent} altfib has no say")
        if routed < count / 4:
            fail("too few of them are routed")


def events(seconds):
    """One line each, at once."""
    ynl = family()
    ynl.ntf_subscribe("events")
    print("# listening", flush=True)
    for event in ynl.poll_ntf(duration=float(seconds)):
        print(json.dumps(event, default=str), flush=True)


def audit():
    """Until it has been seen at work, and a second one refused."""
    ynl = family()
    busy = seen = 0
    reply = {}
    for _ in range(20):
        ynl.do("audit-start", {})
        try:
            ynl.do("audit-start", {})
        except NlError as error:
            if "an audit runs already: Device or resource busy" not in str(error):
                fail(str(error))
            busy += 1
        reply = ynl.do("audit-get", {})
        while reply["state"] == "running":
            if "total" in reply:
                seen += 1
                if not 0 <= reply["checked"] <= reply["total"]:
                    fail(f"{reply}")
            reply = ynl.do("audit-get", {})
        if busy and seen:
            break
    print(f"# refused {busy} times, progress seen {seen} times")
    print(json.dumps(reply))
    if not busy or not seen:
        fail("an audit was never seen at work")


COMMANDS = {
    "routes": routes, "nexthops": nexthops, "stats": stats, "events": events, "audit": audit,
    "random": lambda count, seed, *rest: random_addresses(int(count), int(seed), *rest),
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
