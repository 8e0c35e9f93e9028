#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes the table of real prefixes that the demo and the benchmarks load:
# from Debian's libloc-database, or from the file in ALTFIB_RIB (one
# "prefix [next hop]" a line, xz or gzip too). Skipped when up to date.
#
#   prepare.sh            what the demo needs
#   prepare.sh 4|6...     only libloc's tables of these families
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../lib.sh"
become_builder ALTFIB_RIB="${ALTFIB_RIB:-}" "$(readlink -f "$0")" "$@"
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
[[ -n ${ALTFIB_RIB:-} ]] || exit 0

[[ -r $ALTFIB_RIB ]] || die "ALTFIB_RIB: cannot read $ALTFIB_RIB"
# The name stands beside the table, since another file may be older than it.
rib=$(readlink -f "$ALTFIB_RIB")
if [[ $TABLE -nt $rib && $(cat "$TABLE.source" 2>/dev/null) == "$rib" ]]; then
	exit 0
fi
say "Preparing the table of $ALTFIB_RIB"
"$ROUTELOAD" prepare -4 --table-in --origins "$LIBLOC_TABLE" "$rib" -o "$TABLE.new"
sample "$TABLE.new"
mv "$TABLE.new.sample" "$TABLE.sample"
mv "$TABLE.new" "$TABLE"
printf '%s\n' "$rib" >"$TABLE.source"
