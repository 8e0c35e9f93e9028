#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench-quick: packets a second through User-Mode Linux, with and without
# altfib, with three routes and with a full table. About three minutes on an idle machine.
#
# ALTFIB_BENCH_ROUNDS   rounds of each series (7)
# ALTFIB_RIB            the user's own table instead of libloc's
# ALTFIB_KO=none        the stock kernel only
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../lib.sh"
become_builder ALTFIB_RIB="${ALTFIB_RIB:-}" "$(readlink -f "$0")" "$@"
. "$here/../demo/table.sh"

"$here/../routeload/build.sh"
"$here/../demo/prepare.sh"

out=$ALTFIB_CACHE/bench
stamp=$(date +%Y%m%d-%H%M%S)
mkdir -p "$out/$stamp"
python3 "$here/cputime.py" "altfib.out=$out/$stamp" "$out/$stamp/cputime" &
sampler=$!
trap 'kill "$sampler" 2>/dev/null || true' EXIT
"$here/../vm.sh" --kernel uml-stock --output "$out/$stamp" --timeout 900 -- "$here/quick-guest.sh"

cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)
PLACE="User-Mode Linux, no SMP, no jump labels or static calls, no retpolines, 4 KiB mappings, on ${cpu:-an unknown CPU}, $(date +%F)"
export PLACE TABLE_NAME
python3 "$here/report.py" "$out/$stamp" "$out/quick-$stamp.json" >"$out/quick-$stamp.md"
cat "$out/quick-$stamp.md"
say ""
say "Written to $out/quick-$stamp.md and .json"
