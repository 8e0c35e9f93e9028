#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Times changes of single routes in this namespace, and the packets behind them.

    update.py TABLE CHANGES ANSWERS SENDER STAT GATEWAY...

CHANGES prefixes of TABLE get another of the GATEWAYs by RTM_NEWROUTE. Then ANSWERS of them again,
with packets behind each change: sent on g0 in the namespace at the path SENDER, seen on out0. STAT
is altfib's file of counters, which tell whether a packet was attached; "none" without altfib.

Prints one JSON object a line, in microseconds:
    newroute    from the request to the kernel's acknowledgement
    packet      from the request to the first packet on the new way
    answer      from the request to the first packet on it that altfib attached
"""

import ipaddress
import json
import os
import random
import socket
import statistics
import struct
import sys
import time

import attached
import rtnetlink

ETH_ALL = 3
MAC_ROUTER, MAC_SENDER = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
PORT = 4001
PACKETS = 4


def checksum(data):
    """Of an IPv4 header."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def frame(source, to):
    """A UDP packet for the router to forward."""
    udp = struct.pack("!HHHH", 9, PORT, 26, 0) + bytes(18)
    if to.version == 6:
        header = struct.pack("!IHBB", 6 << 28, len(udp), socket.IPPROTO_UDP, 64) + source.packed + to.packed
        return MAC_ROUTER + MAC_SENDER + b"\x86\xdd" + header + udp
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0)
    header += source.packed + to.packed
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return MAC_ROUTER + MAC_SENDER + b"\x08\x00" + header + udp


class Path:
    """The way from g0 through this namespace to out0."""

    def __init__(self, sender, source):
        self.source = source
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(sender, os.O_RDONLY)
        rtnetlink.enter(there)
        self.to = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.to.bind(("g0", 0))
        rtnetlink.enter(home)
        self.seen = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.seen.bind(("out0", ETH_ALL))
        self.seen.settimeout(1)

    def close(self):
        """Nobody looks at packets from now on."""
        self.to.close()
        self.seen.close()

    def send(self, data):
        """Sends one packet, and says to whose address it left."""
        self.to.send(data)
        while True:
            out = self.seen.recv(2048)
            # The router's own packets leave there too. On its way one changes its link-layer header,
            # TTL and checksum.
            if out[26:] == data[26:]:
                return out[:6]


def neighbour(gateway):
    """The address that the networks of the benchmarks give to it."""
    return bytes.fromhex("0200000001") + bytes([int(str(gateway).rsplit(".", 1)[-1].rsplit(":", 1)[-1])])


def summary(what, values, **more):
    """One line."""
    values = sorted(values)
    print(json.dumps({"what": what, "samples": len(values), "median": round(statistics.median(values), 3),
                      "p99": round(values[min(len(values) - 1, len(values) * 99 // 100)], 3), **more}))


def main():
    table, changes, answers, sender, stat, *names = sys.argv[1:]
    gateways = [ipaddress.ip_address(name) for name in names]
    with open(table, encoding="ascii") as lines:
        prefixes = [ipaddress.ip_network(line.split()[0]) for line in lines]
    version = prefixes[0].version
    chosen = random.Random(1).sample(prefixes, int(changes))
    ifindex = socket.if_nametoindex("out0")
    session = rtnetlink.Session()
    clock = time.perf_counter_ns

    def change(prefix, n):
        request = rtnetlink.route(prefix, gateways[n % len(gateways)], ifindex)
        start = clock()
        session.change(request)
        return start, clock() - start

    summary("newroute", [change(prefix, n)[1] / 1e3 for n, prefix in enumerate(chosen)], family=version)

    source = ipaddress.ip_address("198.19.0.2" if version == 4 else "2001:db8:19::2")
    path = Path(sender, source)
    first, served, count = [], [], []
    for n, prefix in enumerate(chosen[: int(answers)]):
        # Where no longer prefix is.
        if not session.has(prefix):
            continue
        gateway = gateways[(n + 1) % len(gateways)]
        data = frame(source, prefix.network_address)
        path.send(data)
        _, took = change(prefix, n + 1)
        before = attached.read(stat) if stat != "none" else 0
        for k in range(PACKETS):
            start = clock()
            out = path.send(data)
            took += clock() - start
            if out != neighbour(gateway):
                sys.exit(f"update: {prefix} goes to {out.hex(':')}, not to {gateway}")
            if k == 0:
                first.append(took / 1e3)
            if stat == "none":
                break
            if attached.read(stat) > before:
                served.append(took / 1e3)
                count.append(k + 1)
                break
    path.close()
    summary("packet", first, family=version)
    if stat != "none":
        summary("answer", served, family=version, packets=round(statistics.mean(count), 3), of=len(first))


if __name__ == "__main__":
    main()
