#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Looks at the memory of this kernel, and at altfib's account of it, until it is told to stop.

    memory.py OUT PHASE STATUS PAUSE

Each line of OUT is one look, a JSON object of KiB. PHASE is a file with the name of what goes on;
when it is gone, so is this. STATUS is altfib's status file, which need not be there.
"""

import json
import re
import sys
import time

KERNEL = ("MemAvailable", "Slab", "SUnreclaim", "VmallocUsed", "Percpu")


def kernel():
    """What /proc/meminfo says."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        fields = dict(line.split(":") for line in lines)
    return {name: int(fields[name].split()[0]) for name in KERNEL if name in fields}


def altfib(path):
    """What altfib says: KiB of its mirrors, and the routes in them."""
    try:
        with open(path, encoding="ascii") as lines:
            text = lines.read()
    except OSError:
        return {}
    memory = sum(map(int, re.findall(r"^(?:IPv6 )?memory: (\d+) KiB", text, re.M)))
    routes = sum(map(int, re.findall(r"^(?:IPv6 )?routes: (\d+)", text, re.M)))
    return {"altfib": memory, "routes": routes}


def main():
    out, phase, status, pause = *sys.argv[1:4], float(sys.argv[4])
    with open(out, "a", encoding="ascii") as file:
        while True:
            try:
                with open(phase, encoding="ascii") as text:
                    now = text.read().strip()
            except OSError:
                return
            file.write(json.dumps({"phase": now, "at": round(time.time(), 3), **kernel(), **altfib(status)}) + "\n")
            file.flush()
            time.sleep(pause)


if __name__ == "__main__":
    main()
