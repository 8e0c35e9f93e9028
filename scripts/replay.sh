#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make replay: a full table in User-Mode Linux, a day of updates replayed under
# traffic with every packet verified, and the module coming and going on it. TAP.
#
# ALTFIB_DATA             a folder with real updates (ris-*-updates-v4.txt.xz) and
#                         their table; without, updates are made up over the
#                         table of libloc-database
# ALTFIB_REPLAY_UPDATES   only so many of them (all of a day)
# ALTFIB_REPLAY_RATE      updates a second (8,000), in bursts of ALTFIB_REPLAY_BURST (1,600)
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/lib.sh"
become_builder ALTFIB_DATA="${ALTFIB_DATA:-}" ALTFIB_RIB="${ALTFIB_RIB:-}" \
	"$(readlink -f "$0")" "$@"

# A day of one full feed: as many as 193.0.0.56 sent on 2026-05-11.
DAY=1393421

one() { # PATTERN: the first file of that name, if there is one
	local file
	for file in "${ALTFIB_DATA:-/nonexistent}"/$1; do
		[[ -r $file ]] && printf '%s\n' "$file" && return 0
	done
	return 1
}

updates=
if updates=$(one 'ris-*-updates-v4.txt.xz'); then
	ALTFIB_RIB=${updates/-updates/}
	export ALTFIB_RIB
fi
"$here/routeload/build.sh"
"$here/demo/prepare.sh"
. "$here/demo/table.sh"

if [[ -z $updates ]]; then
	# Of the real ones, 95 of 100 announce what is there already; the rest
	# takes a prefix away, or brings it back. Some prefixes flap, most do not.
	updates=$ALTFIB_CACHE/tables/replay-made-up.txt
	if [[ ! $updates -nt $TABLE ]]; then
		awk -v n=$DAY '{ prefix[NR - 1] = $1 }
			END {
				srand(1)
				for (i = 0; i < n; i++) {
					k = int(NR * rand() ^ 3)
					if (k in away) {
						delete away[k]
						print "A", prefix[k]
					} else if (rand() < 0.025) {
						away[k] = 1
						print "W", prefix[k]
					} else {
						print "A", prefix[k]
					}
				}
			}' "$TABLE" >"$updates.new"
		mv "$updates.new" "$updates"
	fi
	say "# updates made up over $TABLE_NAME"
else
	say "# updates: $(basename "$updates"), RIPE NCC RIS; next hops by origin AS"
fi
export ALTFIB_UPDATES=$updates

"$here/vm.sh" --kernel uml --memory 3G --timeout "${ALTFIB_TIMEOUT:-2400}" -- "$here/replay-guest.sh"
