#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Waits until the main table of this namespace has a sample of routes.

    arrived.py SAMPLE SECONDS

Prints the moment (Unix time) when the last one of them had come. A thousand of them, in no order,
find the end to a thousandth of the whole, and are a load that nobody notices.
"""

import ipaddress
import sys
import time

import rtnetlink

PAUSE = 0.005


def main():
    sample, seconds = sys.argv[1], float(sys.argv[2])
    session = rtnetlink.Session()
    deadline = time.time() + seconds
    with open(sample, encoding="ascii") as lines:
        prefixes = [ipaddress.ip_network(line.split()[0]) for line in lines]
    for prefix in prefixes:
        while not session.has(prefix):
            if time.time() > deadline:
                sys.exit(f"arrived: {prefix} has not come after {seconds:.0f} s")
            time.sleep(PAUSE)
    print(f"{time.time():.6f}")


if __name__ == "__main__":
    main()
