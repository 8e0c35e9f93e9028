#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Reads /proc/net/stat/altfib, prints the packets attached and those eligible."""

import sys

names, *lines = (line.split() for line in sys.stdin)
total = {name: 0 for name in names}
for fields in lines:
    for name, field in zip(names, fields):
        total[name] += int(field, 16)
attached = total["forward"] + total["local"] + total["verified"]
punted = sum(n for name, n in total.items() if name.startswith("punt_"))
print(attached, attached + total["early_demux"] + punted)
