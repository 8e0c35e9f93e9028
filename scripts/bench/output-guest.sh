#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in User-Mode Linux as root: one round of bench/output.sh, in this kernel. Each
# measurement becomes one line of JSON in $ALTFIB_OUT/rounds.jsonl.
#
#   output-guest.sh KERNEL ROUND ARM...   arms: stock (no module), off, lookup, socket
#
#   host (unconnected UDP socket) -> out0 (dummy, discards)
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../demo/table.sh"
kernel=$1 round=$2
shift 2
work=/tmp/altfib-bench
mkdir -p "$work"
udp=$ALTFIB_CACHE/build/selftests/udp

die() {
	printf 'bench output: %s\n' "$*" >&2
	exit 1
}

network() {
	local i
	ip -batch - <<-END
		link set lo up
		link add out0 type dummy
		addr add 198.18.0.1/24 dev out0
		addr add 2001:db8:18::1/64 dev out0 nodad
		link set out0 up
		route add default metric 1000 via 198.18.0.10
	END
	ip -6 route add default metric 2048 via 2001:db8:18::10
	for ((i = 10; i < 104; i++)); do
		echo "neigh add 198.18.0.$i lladdr 02:00:00:00:01:$(printf %02x "$i") dev out0 nud permanent"
		echo "neigh add 2001:db8:18::$i lladdr 02:00:00:00:01:$(printf %02x "$i") dev out0 nud permanent"
	done | ip -batch -
}

arm() {
	local i
	if [[ $1 == stock ]]; then
		[[ ! -e /proc/sys/net/altfib ]] || rmmod altfib
		return
	fi
	[[ -e /proc/sys/net/altfib ]] || insmod "$ALTFIB_KO" || die "the kernel refused $ALTFIB_KO"
	echo "$1" >/proc/sys/net/altfib/output
	for ((i = 0; i < 300; i++)); do
		[[ $(grep -c 'serving: *yes' /proc/net/altfib/status) == 2 ]] && return
		sleep 0.1
	done
	die "altfib does not serve: $(cat /proc/net/altfib/status)"
}

# measure ROUTES STREAM ARM ROUNDS: nanoseconds of a sendto() to each of $work/STREAM.
measure() {
	local text
	# The kernel makes its dst, and altfib learns where a prefix is.
	"$udp" send 53 1 <"$work/$2" >/dev/null
	text=$("$udp" send 53 "$4" <"$work/$2")
	[[ $text =~ sent\ ([0-9]+)$'\n#'\ ([0-9]+)\ ns ]] || die "$2, $3: $text"
	printf '{"kernel": "%s", "routes": %s, "stream": "%s", "arm": "%s", "round": %s, "sent": %s, "ns": %s}\n' \
		"$kernel" "$1" "$2" "$3" "$round" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" \
		>>"$ALTFIB_OUT/rounds.jsonl"
}

series() { # ROUTES ARM...
	local a routes=$1
	shift
	for a in "$@"; do
		arm "$a"
		measure "$routes" prefixes "$a" 10
		measure "$routes" prefixes6 "$a" 10
		measure "$routes" peer "$a" 200000
	done
	arm stock
}

network
# An address of each of 20,000 prefixes, in no order; and one peer.
addresses() { # TABLE N
	awk '{ sub("/.*", "", $1); print $1 }' "$1" | shuf -n "$2" --random-source=<(yes)
}
addresses "$TABLE" 20000 >"$work/prefixes"
addresses "$TABLE6" 10000 >"$work/prefixes6"
head -n 1 "$work/prefixes" >"$work/peer"
series 3 "$@"
vias=$(seq -s, -f '198.18.0.%g' 10 103)
"$ROUTELOAD" load "$TABLE" --dev out0 --via "$vias" --report "$work/load" || die "the table did not load"
vias=$(seq -s, -f '2001:db8:18::%g' 10 103)
"$ROUTELOAD" load "$TABLE6" --dev out0 --via "$vias" --report "$work/load6" || die "the IPv6 table did not load"
series "$(sed -n 's/^loaded=//p' "$work/load")" "$@"
