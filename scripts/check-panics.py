#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Fails if a panic can be reached from a hot function of a module.

    check-panics.py altfib.ko hot-functions.txt [--list]

A panic in the kernel is a BUG(). The module, built with overflow checks on,
is disassembled; each direct call, jump and address taken inside a function is
an edge. An address taken counts as a call, since it may become one. From the
functions named in the second file, no function of core::panicking, no BUG()
and no abort may be reached. A way from root to panic is printed.

Indirect calls within the module are covered by the address-taken rule when the
address is taken in a reachable function or in static data that such a function
refers to; else the called function has to be named as a root itself.
"""
import os
import re
import shutil
import subprocess
import sys
from collections import deque

PANIC = re.compile(
    r"core::panicking|core::(option|result|cell|slice|str)::[^ ]*(_fail|failed)"
    r"|rust_begin_unwind|rust_helper_BUG|::panic_|panic_const|handle_alloc_error"
    r"|^abort$|__rust_start_panic|^panic$"
)


def tool(name):
    """The newest installed LLVM tool of that name, or binutils' one."""
    found = sorted(
        (
            (int(m.group(1)), os.path.join(folder, entry))
            for folder in os.get_exec_path()
            if os.path.isdir(folder)
            for entry in os.listdir(folder)
            if (m := re.fullmatch(r"llvm-%s-(\d+)" % name, entry))
        ),
        reverse=True,
    )
    path = found[0][1] if found else shutil.which(name)
    if not path:
        sys.exit(f"check-panics: neither llvm-{name}-N nor {name} is here: install binutils or llvm")
    return path


def run(*cmd, text=None):
    done = subprocess.run(cmd, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"check-panics: {cmd[0]} failed: {done.stderr.strip()}")
    return done.stdout


def demangle(names):
    """Readable names. Rust's v0 scheme is known to llvm-cxxfilt and new c++filt."""
    names = sorted(names)
    lines = run(tool("cxxfilt"), text="\n".join(names) + "\n").splitlines()
    return dict(zip(names, lines))


def symbols(ko):
    """(section, address) -> name, and section -> sorted [(address, name)]."""
    by_place, by_section = {}, {}
    for line in run(tool("objdump"), "-t", ko).splitlines():
        m = re.match(r"^([0-9a-f]+) (.......) (\S+)\s+([0-9a-f]+)\s+(?:\.hidden\s+)?(\S+)$", line)
        if not m or m.group(3) in ("*UND*", "*ABS*"):
            continue
        addr, flags, section, _, name = m.groups()
        if "d" in flags and name.startswith("."):
            continue
        kind_function = "F" in flags
        place = (section, int(addr, 16))
        if place not in by_place or kind_function:
            by_place[place] = name
    for (section, addr), name in by_place.items():
        by_section.setdefault(section, []).append((addr, name))
    for entries in by_section.values():
        entries.sort()
    return by_place, by_section


def owner(by_section, section, addr):
    """The symbol that an address lies in."""
    best = None
    for start, name in by_section.get(section, ()):
        if start > addr:
            break
        best = name
    return best


def graph(ko):
    by_place, by_section = symbols(ko)
    known = set(by_place.values())
    edges = {}

    def target(text, pc_relative):
        """A relocation's target ("name", ".section+0x12") as a symbol."""
        m = re.match(r"^(.+?)([+-]0x[0-9a-f]+)?$", text)
        name, offset = m.group(1), int(m.group(2) or "0", 16)
        if name in by_section and name not in known:
            # PC-relative ones are counted from the end of the field.
            return owner(by_section, name, offset + (4 if pc_relative else 0))
        return name

    def add(source, name):
        if source and name and source != name:
            edges.setdefault(source, set()).add(name)

    # Code: relocations and resolved branches.
    section = current = None
    for line in run(tool("objdump"), "-dr", "--no-show-raw-insn", ko).splitlines():
        if m := re.match(r"^Disassembly of section (\S+):", line):
            section, current = m.group(1), None
        elif m := re.match(r"^[0-9a-f]+ <(.+)>:$", line):
            # Local labels within a function belong to it.
            if not m.group(1).startswith(".L"):
                current = m.group(1)
                edges.setdefault(current, set())
        elif m := re.match(r"^\s+[0-9a-f]+:\s+(R_X86_64_\w+)\s+(\S+)", line):
            add(current, target(m.group(2), "PC" in m.group(1) or "PLT" in m.group(1)))
        elif m := re.search(r"\b(?:call|jmp|j[a-z]+)q?\s+.*<([^>+]+)(\+0x[0-9a-f]+)?>", line):
            if m.group(1) in known:
                add(current, m.group(1))

    # Data: what a static table points to is reachable with the table.
    section = None
    for line in run(tool("objdump"), "-r", ko).splitlines():
        if m := re.match(r"^RELOCATION RECORDS FOR \[(\S+)\]:", line):
            section = m.group(1)
        elif section and not section.startswith(".text") and (
            m := re.match(r"^([0-9a-f]+)\s+(R_X86_64_\w+)\s+(\S+)", line)
        ):
            if re.match(r"^\.(data|rodata|data\.rel|rodata\..*|data\..*)", section):
                add(owner(by_section, section, int(m.group(1), 16)), target(m.group(3), False))
    return edges


def main():
    args = [a for a in sys.argv[1:] if a != "--list"]
    if len(args) != 2:
        sys.exit(__doc__)
    ko, hot = args
    edges = graph(ko)
    names = demangle(set(edges) | {t for targets in edges.values() for t in targets})
    functions = sorted(edges)
    if "--list" in sys.argv:
        print("\n".join(sorted(names[f] for f in functions)))
        return 0

    patterns = []
    with open(hot, encoding="utf-8") as lines:
        for line in lines:
            line = line.strip()
            if line and not line.startswith("#"):
                patterns.append(line)
    if not patterns:
        print(f"{hot} names no function: nothing would be checked")
        return 1

    bad = 0
    roots = set()
    for pattern in patterns:
        found = [f for f in functions if re.search(pattern, names[f])]
        if not found:
            print(f"{hot}: \"{pattern}\" matches no function of {ko}: was it renamed?")
            bad = 1
        roots.update(found)

    reached = set()
    for root in sorted(roots):
        before = {root: None}
        queue = deque([root])
        while queue:
            name = queue.popleft()
            for callee in sorted(edges.get(name, ())):
                if callee in before:
                    continue
                before[callee] = name
                if PANIC.search(names[callee]):
                    way = []
                    step = callee
                    while step:
                        way.append(names[step])
                        step = before[step]
                    print("a panic can be reached:\n    " + "\n    calls ".join(reversed(way)))
                    bad = 1
                else:
                    queue.append(callee)
        reached.update(before)
    print(f"{len(roots)} hot functions, {len(reached & set(functions))} of {len(functions)} functions reached")
    return bad


if __name__ == "__main__":
    sys.exit(main())
