#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Reads /proc/net/stat/altfib, prints the packets attached and those eligible."""

import sys


def total(lines):
    """Each counter, over all CPUs."""
    names, *lines = (line.split() for line in lines)
    sums = {name: 0 for name in names}
    for fields in lines:
        for name, field in zip(names, fields):
            sums[name] += int(field, 16)
    return sums


def attached(sums):
    """Packets that have their route from altfib."""
    return sums["forward"] + sums["local"] + sums["verified"]


def read(path):
    """The packets attached so far."""
    with open(path, encoding="ascii") as lines:
        return attached(total(lines))


def main():
    sums = total(sys.stdin)
    punted = sum(n for name, n in sums.items() if name.startswith("punt_"))
    print(attached(sums), attached(sums) + sums["early_demux"] + punted)


if __name__ == "__main__":
    main()
