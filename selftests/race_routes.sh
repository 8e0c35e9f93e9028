#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Route changes with packets in flight: sender on one CPU, changes on another.
# Each packet carries the number of the last change that had returned when it
# was built; none may leave by a route that was gone by then.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2034	# read by tests_run
MIN_CPUS=2
CHANGES=${ALTFIB_CHANGES:-1500}

ALL_TESTS=(
	"only_replace: a route is replaced again and again"
	"only_delete: a more specific route is added and deleted"
	"only_default: the default route is replaced"
	"only_replace_big: the same inside a table of $MANY routes"
	"only_fill: $MANY routes come and go beside the traffic"
	"only_nexthop: a nexthop object is replaced"
	"only_addresses: addresses of the router come and go"
	"only_readers: statistics and listings are read meanwhile"
)

in_ipv6 only_replace only_delete only_default only_replace_big only_fill only_nexthop \
	only_addresses only_readers

# Sender on CPU 1, changes and the watching of frames on CPU 0.
start() {
	topo_bare
	lines <<-EOT
	arm $NAMESPACES
	tap s1 af1 s0
	tap s2 af2 s0
	EOT
	gateways r1 100 32 2
	lines <<-EOT
	$1
	cpu 0
	$ALTFIB afr begin
	watch 0
	flood sender afc c0 cpu=1 dmac=$RMAC src=$SRC dst=$2
	progress 100
	EOT
}

stop() {
	lines <<-EOT
	flood-end
	sleep 200
	watch-end
	$ALTFIB afr end $*
	EOT
}

# The lines of cycle and watch-end, and no other.
no_dead_route() {
	"$PROBE" "$ON" >"$TMP/cycle" 2>&1
	cat "$TMP/cycle"
	grep -qx "frames sent by a dead route: 0" "$TMP/cycle" &&
		! grep -v '^#' "$TMP/cycle" |
			grep -qvE '^(cycle: [0-9]+ changes|frames sent by a dead route: 0)$'
}

only_replace() {
	{
		start "ip afr route add $NET5 via $GW100" "$HOST5"
		echo "cycle afr $NET5 dev=r1 via=$GW100 ways=32 mac=100 cover=100 count=$CHANGES mode=replace per=16"
		stop min=30
	} | no_dead_route
}

only_delete() {
	{
		start "ip afr route add $NET5 via $GW2" "$HOST5"
		echo "cycle afr $SUB5 dev=r1 via=$GW100 ways=32 mac=100 cover=2 count=$CHANGES mode=delete per=16"
		stop min=30
	} | no_dead_route
}

only_default() {
	{
		start "ip afr route add $ANY via $GW100" "$HOST5"
		echo "cycle afr $ANY dev=r1 via=$GW100 ways=32 mac=100 cover=100 count=$CHANGES mode=replace per=16"
		stop min=30
	} | no_dead_route
}

only_replace_big() {
	{
		start "fill afr $FILL dev=r1 via=$GW1 count=$MANY" "$HOST11"
		echo "cycle afr $SUB11 dev=r1 via=$GW100 ways=32 mac=100 cover=2 count=$CHANGES mode=delete per=16"
		stop min=30
	} | no_dead_route
}

# Destinations all over the prefixes that come and go; the default stays. In IPv6
# the first packet to each prefix is the kernel's, so they are few there.
only_fill() {
	local i hosts=$MANY

	[ "$FAMILY" = 4 ] || hosts=100
	{
		start "ip afr route add $ANY via $GW2" "$FILLED dstep=256 n=$hosts"
		for i in 1 2 3; do
			echo "fill afr $FILL dev=r1 via=$GW100 ways=32 count=$MANY"
			echo "flow s1 100"
			echo "fill afr $FILL dev=r1 via=$GW100 ways=32 count=$MANY del"
			echo "flow s2 100"
		done
		stop min=10
	} | run_scenario "$ON"
}

only_nexthop() {
	local i

	{
		start "ip afr nexthop add id 1 via $GW100 dev r1" "$HOST5"
		echo "ip afr route add $NET5 nhid 1"
		for ((i = 1; i < 300; i++)); do
			address 2 $((100 + i % 32))
			echo "ip afr nexthop replace id 1 via $ADDRESS dev r1"
		done
		echo "flow s1 100"
		echo "ip afr nexthop replace id 1 via $GW2 dev r2"
		echo "flow s2 100"
		stop min=30
	} | run_scenario "$ON"
}

only_addresses() {
	local i own

	address 99 9
	own=$ADDRESS$ONE
	{
		start "ip afr route add $ANY via $GW2" "$ADDRESS"
		for ((i = 0; i < 100; i++)); do
			echo "ip afr addr add $own dev r2 $NODAD"
			echo "ip afr addr del $own dev r2"
		done
		echo "flow s2 100"
		stop min=10
	} | run_scenario "$ON"
}

only_readers() {
	{
		start "ip afr route add $NET5 via $GW100" "$HOST5"
		lines <<-EOT
		fill afr $FILL dev=r1 via=$GW1 count=$((MANY / 4))
		sh (for i in 1 2 3 4 5 6; do nsenter --net=/run/netns/afr cat /proc/net/altfib/* /proc/net/stat/altfib* /proc/sys/net/altfib/[!i]* /proc/sys/net/altfib/ipv?/* >/dev/null; done) &
		fill afr $FILL dev=r1 via=$GW1 count=$((MANY / 4)) del
		fill afr $FILL dev=r1 via=$GW1 count=$((MANY / 4))
		fill afr $FILL dev=r1 via=$GW1 count=$((MANY / 4)) del
		flow s1 100
		EOT
		stop min=10
	} | run_scenario "$ON"
}

tests_run "$@"
