# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced on the host and in the guest: which table the demo and the benchmarks
# use, and their programs. ALTFIB_RIB names the user's own, ALTFIB_RIB6 that of IPv6.

# shellcheck disable=SC2034 # read by those who source this
ROUTELOAD=$ALTFIB_CACHE/build/cargo/release/altfib-routeload
UDP=$ALTFIB_CACHE/build/selftests/udp
LIBLOC_TABLE=$ALTFIB_CACHE/tables/libloc-v4.txt
LIBLOC_TABLE6=$ALTFIB_CACHE/tables/libloc-v6.txt

# shellcheck disable=SC2034
if [[ -n ${ALTFIB_RIB:-} ]]; then
	TABLE=$ALTFIB_CACHE/tables/user-v4.txt
	TABLE_NAME="$(basename "$ALTFIB_RIB") (ALTFIB_RIB)"
else
	TABLE=$LIBLOC_TABLE
	TABLE_NAME="Debian's libloc-database (IPFire, CC BY-SA 4.0)"
fi

# shellcheck disable=SC2034
if [[ -n ${ALTFIB_RIB6:-} ]]; then
	TABLE6=$ALTFIB_CACHE/tables/user-v6.txt
	TABLE6_NAME="$(basename "$ALTFIB_RIB6") (ALTFIB_RIB6)"
else
	TABLE6=$LIBLOC_TABLE6
	TABLE6_NAME="Debian's libloc-database (IPFire, CC BY-SA 4.0)"
fi
