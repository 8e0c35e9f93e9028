#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Random scenarios with altfib off and on, inside a guest, as root:
#
#	ALTFIB_KO=/path/to/altfib.ko random/run.sh [--family 4|6] --count N --first SEED
#
# The same seed is the same scenario of its family, whatever else is run. A scenario that
# differs is shown, shrunk, and kept in the folder of --output. See --help.
set -u

cd "$(dirname "$0")" || exit 1
. ../lib.sh
rm -rf "$TMP"
export PROBE

if ! altfib_loaded; then
	insert_altfib || exit 1
fi
# Limits by the clock, which all namespaces share. What is left of them: one
# redirect for each source, ever.
OLD=()
set_shared() {
	OLD+=("$1" "$(cat "/proc/sys/net/$1")")
	echo "$2" >"/proc/sys/net/$1"
}
set_shared ipv4/route/error_cost 0
set_shared ipv4/route/redirect_number 1
set_shared ipv4/route/redirect_silence 1000000000
for n in 1 2 3; do
	set_shared ipv4/neigh/default/gc_thresh$n 1000000
	set_shared ipv6/neigh/default/gc_thresh$n 1000000
done
# With one CPU a packet has been routed, or is in a backlog, when its sender goes on.
[ "$(cpus)" != 1 ] || export PROBE_SETTLE_MS=${PROBE_SETTLE_MS:-0}

python3 -uB drive.py "$@"
rc=$?
for ((n = 0; n < ${#OLD[@]}; n += 2)); do
	echo "${OLD[n + 1]}" >"/proc/sys/net/${OLD[n]}"
done
echo "netns-del $NAMESPACES" | "$PROBE" none
exit $rc
