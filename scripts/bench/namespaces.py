#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes network namespaces with three routes each, takes them away again, and says when.

    namespaces.py COUNT OTHERS PAUSE

Prints "begin made asked gone" (Unix time). PAUSE seconds pass between the creation of the last
one and the end of the first one. OTHERS are there already: the kernel's limit is set so that
another one can be made when all of COUNT have gone.
"""

import ipaddress
import os
import sys
import time

import rtnetlink

LIMIT = "/proc/sys/user/max_net_namespaces"
LO = 1
ROUTES = [ipaddress.ip_network(text) for text in ("198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/25")]


def make(count):
    """So many namespaces, each held by an open file."""
    request = rtnetlink.link_up(LO) + b"".join(rtnetlink.route(prefix, ifindex=LO) for prefix in ROUTES)
    files = []
    for _ in range(count):
        rtnetlink.unshare()
        files.append(os.open("/proc/self/ns/net", os.O_RDONLY))
        session = rtnetlink.Session()
        session.change(request, 1 + len(ROUTES))
        session.socket.close()
    return files


def wait(others):
    """Until there are no more than so many."""
    with open(LIMIT, encoding="ascii") as file:
        usual = file.read()
    with open(LIMIT, "w", encoding="ascii") as file:
        file.write(str(others + 1))
    while True:
        try:
            rtnetlink.unshare()
            break
        except OSError:
            time.sleep(0.002)
    gone = time.time()
    with open(LIMIT, "w", encoding="ascii") as file:
        file.write(usual)
    return gone


def main():
    count, others, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    begin = time.time()
    files = make(count)
    rtnetlink.enter(home)
    made = time.time()
    time.sleep(pause)
    asked = time.time()
    for fd in files:
        os.close(fd)
    gone = wait(others)
    print(f"{begin:.6f} {made:.6f} {asked:.6f} {gone:.6f}")


if __name__ == "__main__":
    main()
