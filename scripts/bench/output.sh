#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench-output: nanoseconds of a sendto() from an unconnected UDP socket, in User-Mode Linux:
# the stock kernel (uml-stock), the kernel with scripts/kernel/patches/ without the module,
# and net.altfib.output=off, lookup, socket. The two kernels take turns.
#
# ALTFIB_BENCH_ROUNDS   rounds (7)
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../lib.sh"
become_builder "$(readlink -f "$0")" "$@"
. "$here/../demo/table.sh"

"$here/../routeload/build.sh"
"$here/../demo/prepare.sh" 4 6
make -s -C "$ALTFIB_TOP/selftests" "OUTPUT=$ALTFIB_CACHE/build/selftests"

out=$ALTFIB_CACHE/bench/output-$(date +%Y%m%d-%H%M%S)
mkdir -p "$out"
for ((round = 1; round <= ${ALTFIB_BENCH_ROUNDS:-7}; round++)); do
	turns=("uml-stock stock" "uml stock off lookup socket")
	if ((round % 2 == 0)); then turns=("uml socket lookup off stock" "uml-stock stock"); fi
	for turn in "${turns[@]}"; do
		read -ra words <<<"$turn"
		mkdir -p "$out/$round-${words[0]}"
		"$here/../vm.sh" --kernel "${words[0]}" --memory 3G --output "$out/$round-${words[0]}" --timeout 600 -- \
			"$here/output-guest.sh" "${words[0]}" "$round" "${words[@]:1}"
	done
	say "bench-output: round $round of ${ALTFIB_BENCH_ROUNDS:-7}"
done
cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)
PLACE="User-Mode Linux, no SMP, no jump labels or static calls, no retpolines, 4 KiB mappings, on ${cpu:-an unknown CPU}, $(date +%F)"
export PLACE
python3 "$here/output_report.py" "$out"/*/rounds.jsonl | tee "$out/report.md"
