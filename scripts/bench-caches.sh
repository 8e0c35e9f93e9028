#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Packets a second through User-Mode Linux with each value of net.altfib.cache, with one
# route and with 65,537: one destination, a thousand, and new ones all the time.
#
# ALTFIB_BENCH_ROUNDS   rounds of each series (5), the best of which is shown
set -euo pipefail
. "$(dirname "$0")/lib.sh"
"$ALTFIB_TOP/scripts/setup.sh" uml-stock
become_builder "$(readlink -f "$0")" "$@"
build_module uml-stock
out=$ALTFIB_CACHE/bench/caches-$(date +%Y%m%d-%H%M%S)
mkdir -p "$out" "$ALTFIB_CACHE/build/selftests"
make -s -C "$ALTFIB_TOP/selftests" OUTPUT="$ALTFIB_CACHE/build/selftests"
exec "$ALTFIB_TOP/scripts/vm.sh" --kernel uml-stock --output "$out" --timeout 900 -- \
	env PROBE="$ALTFIB_CACHE/build/selftests/probe" "$ALTFIB_TOP/scripts/bench/caches-guest.sh"
