# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced on the host, before table.sh: the BGP updates that are replayed. ALTFIB_DATA names a
# folder with real ones (ris-*-updates-v4.txt.xz, -v6) and their tables; without it, they are
# made up over the tables of libloc-database.

# A day of one full feed: as many as 193.0.0.56 sent on 2026-05-11.
declare -A DAY=([4]=1393421 [6]=1238235)

# The files of real ones, by family.
declare -A real=()

first_file() { # PATTERN: the first file of that name, if there is one
	local file
	for file in "${ALTFIB_DATA:-/nonexistent}"/$1; do
		[[ -r $file ]] && printf '%s\n' "$file" && return 0
	done
	return 1
}

# Looks for real ones, whose tables are ALTFIB_RIB and ALTFIB_RIB6 then.
find_updates() {
	if real[4]=$(first_file 'ris-*-updates-v4.txt.xz'); then
		export ALTFIB_RIB=${real[4]/-updates/}
	fi
	if real[6]=$(first_file 'ris-*-updates-v6.txt.xz'); then
		export ALTFIB_RIB6=${real[6]/-updates/}
	fi
}

# Of the real ones, 95 of 100 announce what is there already; the rest takes a
# prefix away, or brings it back. Some prefixes flap, most do not.
make_up_updates() { # TABLE COUNT
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

# updates_of FAMILY: sets UPDATES to their file, and UPDATES_NAME. Needs table.sh and the tables.
updates_of() {
	# shellcheck disable=SC2153 # table.sh's
	local table=$TABLE name=$TABLE_NAME made=$ALTFIB_CACHE/tables/replay-made-up.txt
	if [[ $1 == 6 ]]; then
		table=$TABLE6
		name=$TABLE6_NAME
		made=$ALTFIB_CACHE/tables/replay-made-up6.txt
	fi
	if [[ -n ${real[$1]} ]]; then
		UPDATES=${real[$1]}
		UPDATES_NAME="$(basename "$UPDATES"), RIPE NCC RIS; next hops by origin AS"
		return
	fi
	if [[ ! $made -nt $table ]]; then
		make_up_updates "$table" "${DAY[$1]}" >"$made.new"
		mv "$made.new" "$made"
	fi
	# shellcheck disable=SC2034 # read by those who source this
	UPDATES=$made UPDATES_NAME="updates made up over $name"
}
