#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make replay: a full table in User-Mode Linux, a day of updates replayed under
# traffic with every packet verified, and the module coming and going on it.
# First IPv4, then IPv6, each in a boot of its own. TAP.
#
#   replay.sh [4] [6]     only these families
#
# ALTFIB_DATA             a folder with real updates (ris-*-updates-v4.txt.xz, -v6)
#                         and their tables; without, updates are made up over the
#                         tables of libloc-database
# ALTFIB_REPLAY_UPDATES   only so many of them (all of a day)
# ALTFIB_REPLAY_RATE      updates a second (8,000 of IPv4, 5,000 of IPv6), in bursts of
#                         ALTFIB_REPLAY_BURST (1,600)
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/lib.sh"
become_builder ALTFIB_DATA="${ALTFIB_DATA:-}" ALTFIB_RIB="${ALTFIB_RIB:-}" \
	ALTFIB_RIB6="${ALTFIB_RIB6:-}" "$(readlink -f "$0")" "$@"

. "$here/demo/updates.sh"

families=("$@")
((${#families[@]})) || families=(4 6)
for family in "${families[@]}"; do
	[[ $family == [46] ]] || die "\"$family\" is no family: choose 4 or 6"
done

find_updates
"$here/routeload/build.sh"
"$here/demo/prepare.sh"
. "$here/demo/table.sh"

replay() { # FAMILY
	updates_of "$1"
	say "# IPv$1: $UPDATES_NAME"
	export ALTFIB_FAMILY=$1 ALTFIB_UPDATES=$UPDATES
	"$here/vm.sh" --kernel uml --memory 3G --timeout "${ALTFIB_TIMEOUT:-2400}" -- "$here/replay-guest.sh"
}

rc=0
for family in "${families[@]}"; do replay "$family" || rc=$?; done
exit "$rc"
