# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced on the host and in the guest: which table the demo and the benchmarks
# use. ALTFIB_RIB names the user's own.

# shellcheck disable=SC2034 # read by those who source this
ROUTELOAD=$ALTFIB_CACHE/build/cargo/release/altfib-routeload
LIBLOC_TABLE=$ALTFIB_CACHE/tables/libloc-v4.txt
# shellcheck disable=SC2034
TABLE6=$ALTFIB_CACHE/tables/libloc-v6.txt

# shellcheck disable=SC2034
if [[ -n ${ALTFIB_RIB:-} ]]; then
	TABLE=$ALTFIB_CACHE/tables/user-v4.txt
	TABLE_NAME="$(basename "$ALTFIB_RIB") (ALTFIB_RIB)"
else
	TABLE=$LIBLOC_TABLE
	TABLE_NAME="Debian's libloc-database (IPFire, CC BY-SA 4.0)"
fi
