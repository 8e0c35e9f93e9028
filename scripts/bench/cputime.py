#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Logs the CPU time of a User-Mode Linux kernel, until it ends.

    cputime.py MARK OUT     MARK: a word of the kernel's command line

Each line of OUT is "unix-time cpu-seconds". With it, rates can be given per
second of CPU time, whatever else the host does meanwhile.
"""

import pathlib
import sys
import time

# See clock_getcpuclockid(3): the scheduler's clock of another process.
CPUCLOCK_SCHED = 2


def find(mark):
    """The process whose own arguments, not those of a shell, hold the mark."""
    for cmdline in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            args = cmdline.read_bytes().split(b"\0")
        except OSError:
            continue
        if args[0].endswith(b"/linux") and mark.encode() in args:
            # The kernel's helpers have the same command line: it is the oldest.
            yield int(cmdline.parent.name)


def main():
    mark, out = sys.argv[1:3]
    deadline = time.monotonic() + 30
    while not (pids := sorted(find(mark))):
        if time.monotonic() > deadline:
            sys.exit(f"cputime: no kernel with {mark} on its command line")
        time.sleep(0.02)
    clock = ((~pids[0]) << 3) | CPUCLOCK_SCHED
    with open(out, "w", encoding="utf-8") as log:
        while True:
            try:
                cpu = time.clock_gettime(clock)
            except OSError:
                return
            log.write(f"{time.time():.6f} {cpu:.6f}\n")
            time.sleep(0.005)


if __name__ == "__main__":
    main()
