#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a packet costs, counted and not timed: each instruction of the kernel from the sender to
# the sink, by stepping through User-Mode Linux, and each place that altfib's own code writes to.
# Nothing that several CPUs share may be among them.
#
#   steps.sh [ARM [FAMILY [TRAFFIC [SIZE]]]]    nexthop 4 1m 3
#
# ARM: stock, off, nexthop, none, flow, percpu-flow, fastpath; the table and the addresses are those of
# "make bench", which has to have run before.
# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$ALTFIB_TOP/scripts/toolchain.sh"
become_builder ALTFIB_RIB="${ALTFIB_RIB:-}" ALTFIB_RIB6="${ALTFIB_RIB6:-}" "$(readlink -f "$0")" "$@"

here=$ALTFIB_TOP/scripts/bench
arm=${1:-nexthop} family=${2:-4} traffic=${3:-1m} size=${4:-3}
kernel=uml-stock
python=/usr/bin/python3
"$python" -c 'import capstone' 2>/dev/null || die "steps.sh: install the package python3-capstone"
keys=$ALTFIB_CACHE/bench/keys
[[ -e $keys/$size-$family-$traffic ]] || die "steps.sh: no addresses in $keys: run \"make bench\" first"
for variant in plain rig; do build_module "$kernel" "$variant"; done

out=$ALTFIB_CACHE/bench/steps
rm -rf "$out"
mkdir -p "$out"
out=$(readlink -f "$out")
gcc -O2 -Wall -o "$out/step" "$here/steps/step.c"
"$ALTFIB_TOP/scripts/vm.sh" --kernel "$kernel" --cpus 1 --memory 6G --timeout 900 --no-dmesg-check \
	--output "$out" -- "$here/guest.sh" "$size" "$keys" steps "$arm" "$family" "$traffic" >"$out/log" 2>&1 &
guest=$!
pid=
# Its clock has stood still for so long that it does not end by itself.
trap '[[ -z $pid ]] || kill -9 "$pid"; wait "$guest" 2>/dev/null || true' EXIT
until [[ -e $out/begin ]]; do
	kill -0 "$guest" 2>/dev/null || die "steps.sh: the kernel ended early: $(tail -n 3 "$out/log")"
	sleep 0.2
done
# The kernel's helpers have the same command line: it is the oldest.
pid=$(pgrep -of "^[^ ]*/build/$kernel/linux .*altfib.out=$out")
timeout 120 "$out/step" "$pid" 300000 "$out/steps"
"$python" "$here/steps/report.py" "$out/steps" "$out/kallsyms" "$arm, IPv$family, $traffic, $size routes"
exit
}
