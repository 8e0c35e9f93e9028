#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Instructions a packet by function, and what altfib's own code writes, from what step.c noted.

    report.py STEPS KALLSYMS [NAME]

NAME: how the measurement is called in the first line.
"""

import bisect
import collections
import struct
import sys

import capstone
from capstone import x86

REGISTERS = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
    "fs_base gs_base ds es fs gs"
).split()
RECORD = struct.Struct(f"<{len(REGISTERS)}Q16s")
# Below the stack pointer the ABI of user space has a red zone; the kernel has none.
STACK = range(-128, 16384)
# Some versions of capstone say that these write.
READERS = {
    x86.X86_INS_LEA, x86.X86_INS_NOP, x86.X86_INS_PREFETCHT0,
    x86.X86_INS_CMP, x86.X86_INS_TEST, x86.X86_INS_BT,
}
# As far as the packet's own structure goes.
SKB = range(0, 256)


class Symbols:
    def __init__(self, path):
        rows = []
        with open(path, encoding="ascii") as lines:
            for line in lines:
                address, _, name, *module = line.split()
                rows.append((int(address, 16), name, bool(module) and module[0] == "[altfib]"))
        rows.sort()
        self.rows = rows
        self.addresses = [row[0] for row in rows]

    def find(self, address):
        """The name of the function, and whether it is altfib's; its first address, too."""
        at = bisect.bisect_right(self.addresses, address) - 1
        start, name, ours = self.rows[at]
        return (name, ours, start) if 0 <= address - start < 1 << 16 else ("?", False, 0)


def register(instruction, number, values):
    if not number:
        return 0
    name = instruction.reg_name(number)
    if name == "rip":
        return values["rip"] + instruction.size
    if name in values:
        return values[name]
    wide = "r" + name[1:] if name.startswith("e") else name.removesuffix("d")
    return values[wide] & 0xFFFFFFFF


def writes(instruction, values):
    """The addresses that an instruction writes to."""
    if instruction.id in (x86.X86_INS_PUSH, x86.X86_INS_CALL):
        yield values["rsp"] - 8
    for operand in instruction.operands:
        if operand.type != x86.X86_OP_MEM or not operand.access & capstone.CS_AC_WRITE:
            continue
        if instruction.id in READERS:
            continue
        memory = operand.mem
        base = register(instruction, memory.base, values)
        index = register(instruction, memory.index, values) * memory.scale
        yield (base + index + memory.disp) & (1 << 64) - 1


def main():
    steps, kallsyms = sys.argv[1:3]
    symbols = Symbols(kallsyms)
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    decoder.detail = True
    with open(steps, "rb") as file:
        records = [
            (dict(zip(REGISTERS, fields)), fields[-1]) for fields in RECORD.iter_unpack(file.read())
        ]
    # From one packet's start to another's: nothing is cut in two.
    starts = [
        i
        for i, (values, _) in enumerate(records)
        if (found := symbols.find(values["rip"]))[0] == "veth_xmit" and found[2] == values["rip"]
    ]
    if len(starts) < 2:
        sys.exit("report.py: no whole packet was seen; step further")
    packets = len(starts) - 1
    functions, places, skb = collections.Counter(), collections.Counter(), None
    for values, code in records[starts[0] : starts[-1]]:
        name, ours, start = symbols.find(values["rip"])
        functions[name, ours] += 1
        if not ours:
            continue
        # What netfilter calls: (owner, skb, state).
        if values["rip"] == start and "netfilter" in name and "4hook" in name:
            skb = values["rsi"]
        instruction = next(decoder.disasm(code, values["rip"], 1), None)
        for address in writes(instruction, values) if instruction else ():
            if address - values["rsp"] in STACK:
                place = "its stack"
            elif skb and address - skb in SKB:
                place = "the packet's sk_buff"
            else:
                place = f"{address:#x}, by {name}"
            places[place] += 1
    what = sys.argv[3] if len(sys.argv) > 3 else steps
    whole = sum(functions.values()) / packets
    own = sum(count for (_, ours), count in functions.items() if ours) / packets
    print(f"{what}: {whole:,.0f} instructions a packet, {own:,.0f} of them altfib's ({packets} packets)")
    for (name, ours), count in functions.most_common():
        if ours:
            print(f"  {count / packets:8.1f}  {name}")
    print("altfib writes, times a packet, to")
    for place, count in places.most_common():
        print(f"  {count / packets:8.2f}  {place}")


if __name__ == "__main__":
    main()
