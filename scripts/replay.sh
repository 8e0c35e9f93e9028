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

# A day of one full feed: as many as 193.0.0.56 sent on 2026-05-11.
declare -A DAY=([4]=1393421 [6]=1238235)

families=("$@")
((${#families[@]})) || families=(4 6)
for family in "${families[@]}"; do
	[[ $family == [46] ]] || die "\"$family\" is no family: choose 4 or 6"
done

one() { # PATTERN: the first file of that name, if there is one
	local file
	for file in "${ALTFIB_DATA:-/nonexistent}"/$1; do
		[[ -r $file ]] && printf '%s\n' "$file" && return 0
	done
	return 1
}

declare -A real=()
if real[4]=$(one 'ris-*-updates-v4.txt.xz'); then
	export ALTFIB_RIB=${real[4]/-updates/}
fi
if real[6]=$(one 'ris-*-updates-v6.txt.xz'); then
	export ALTFIB_RIB6=${real[6]/-updates/}
fi
"$here/routeload/build.sh"
"$here/demo/prepare.sh"
. "$here/demo/table.sh"

# Of the real ones, 95 of 100 announce what is there already; the rest takes a
# prefix away, or brings it back. Some prefixes flap, most do not.
make_up() { # TABLE COUNT
	awk -v n="$2" '{ prefix[NR - 1] = $1 }
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
		}' "$1"
}

replay() { # FAMILY
	local table=$TABLE name=$TABLE_NAME made=$ALTFIB_CACHE/tables/replay-made-up.txt
	if [[ $1 == 6 ]]; then
		table=$TABLE6
		name=$TABLE6_NAME
		made=$ALTFIB_CACHE/tables/replay-made-up6.txt
	fi
	export ALTFIB_FAMILY=$1 ALTFIB_UPDATES=${real[$1]}
	if [[ -z $ALTFIB_UPDATES ]]; then
		if [[ ! $made -nt $table ]]; then
			make_up "$table" "${DAY[$1]}" >"$made.new"
			mv "$made.new" "$made"
		fi
		say "# IPv$1: updates made up over $name"
		ALTFIB_UPDATES=$made
	else
		say "# IPv$1: $(basename "$ALTFIB_UPDATES"), RIPE NCC RIS; next hops by origin AS"
	fi
	"$here/vm.sh" --kernel uml --memory 3G --timeout "${ALTFIB_TIMEOUT:-2400}" -- "$here/replay-guest.sh"
}

rc=0
for family in "${families[@]}"; do replay "$family" || rc=$?; done
exit "$rc"
