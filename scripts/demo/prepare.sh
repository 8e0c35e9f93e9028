#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes the table of real prefixes that the demo and the benchmarks load:
# from Debian's libloc-database, or from the files in ALTFIB_RIB and ALTFIB_RIB6
# (one "prefix [next hop]" a line, xz or gzip too). Skipped when up to date.
#
#   prepare.sh            what the demo needs
#   prepare.sh 4|6...     only libloc's tables of these families
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../lib.sh"
become_builder ALTFIB_RIB="${ALTFIB_RIB:-}" ALTFIB_RIB6="${ALTFIB_RIB6:-}" "$(readlink -f "$0")" "$@"
. "$here/table.sh"

[[ -x $ROUTELOAD ]] || "$here/../routeload/build.sh"
mkdir -p "$ALTFIB_CACHE/tables"

location_db() {
	local db
	for db in /usr/share/libloc-location/location.db /var/lib/location/database.db; do
		if [[ -r $db ]]; then
			printf '%s\n' "$db"
			return 0
		fi
	done
	die "no location database: install the packages libloc-database and location"
}

libloc() { # FAMILY
	local db table=$ALTFIB_CACHE/tables/libloc-v$1.txt
	local new=$table.new
	db=$(location_db)
	[[ $table -nt $db ]] && return 0
	command -v location >/dev/null || die "the program location is missing: install the package location"
	say "Preparing the IPv$1 table of $db (about 20 seconds)"
	location --database "$db" dump | "$ROUTELOAD" prepare "-$1" - -o "$new"
	sample "$new"
	mv "$new.sample" "$table.sample"
	mv "$new" "$table"
}

# A few prefixes, spread evenly: the demo times them to see what it can load.
sample() { awk 'NR % 48 == 1' "$1" >"$1.sample"; }

if (($#)); then
	for family in "$@"; do libloc "$family"; done
	exit 0
fi
libloc 4
libloc 6

# The guest cannot write there.
mkdir -p "${UDP%/*}"
make -s -C "$ALTFIB_TOP/selftests" OUTPUT="${UDP%/*}" "$UDP" >"$ALTFIB_LOG/udp.log" 2>&1 ||
	die "selftests/udp.c did not build: $(grep -m1 error "$ALTFIB_LOG/udp.log" || tail -n1 "$ALTFIB_LOG/udp.log") (log: $ALTFIB_LOG/udp.log)"

user() { # FAMILY FILE TABLE ORIGINS
	local rib table=$3
	[[ -r $2 ]] || die "cannot read the IPv$1 table $2"
	# The name stands beside the table, since another file may be older than it.
	rib=$(readlink -f "$2")
	if [[ $table -nt $rib && $(cat "$table.source" 2>/dev/null) == "$rib" ]]; then
		return 0
	fi
	say "Preparing the table of $2"
	"$ROUTELOAD" prepare "-$1" --table-in --origins "$4" "$rib" -o "$table.new"
	sample "$table.new"
	mv "$table.new.sample" "$table.sample"
	mv "$table.new" "$table"
	printf '%s\n' "$rib" >"$table.source"
}
[[ -z ${ALTFIB_RIB:-} ]] || user 4 "$ALTFIB_RIB" "$TABLE" "$LIBLOC_TABLE"
[[ -z ${ALTFIB_RIB6:-} ]] || user 6 "$ALTFIB_RIB6" "$TABLE6" "$LIBLOC_TABLE6"
