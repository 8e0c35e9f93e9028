#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The module comes and goes, and modes switch, with packets in flight: sender on
# one CPU, the change on another. Traffic has to flow after each step.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2034	# read by tests_run
MIN_CPUS=2
LOADS=${ALTFIB_LOADS:-50}
SWITCHES=${ALTFIB_SWITCHES:-200}

ALL_TESTS=(
	"only_loads: insmod and rmmod under traffic"
	"only_loads_changing: insmod and rmmod while routes change"
	"only_loads_ipv6: insmod while IPv6 routes change, which takes no RTNL"
	"only_loads_namespaces: insmod and rmmod while namespaces come and go"
	"only_switches: mode switches under traffic"
	"only_switches_changing: mode switches while routes change"
)
in_ipv6 only_loads only_loads_changing only_switches only_switches_changing
ALL_TESTS+=("only_back: loaded again as before")

# As often as asked for, and else not as often as IPv4.
before_ipv6() {
	LOADS=${ALTFIB_LOADS:-10}
	SWITCHES=${ALTFIB_SWITCHES:-40}
}

start() {
	topo_bare
	lines <<-EOT
	tap s1 af1 s0
	cpu 0
	watch 0
	flood sender afc c0 cpu=1 dmac=$RMAC src=$SRC dst=$HOST1
	progress 100
	EOT
}

stop() {
	lines <<-EOT
	flood-end
	sleep 100
	watch-end
	EOT
}

absent() {
	! altfib_loaded || rmmod altfib
}

only_loads() {
	local i

	[ -n "${ALTFIB_KO:-}" ] || fail "set ALTFIB_KO=path/to/altfib.ko" || return 1
	absent || return 1
	{
		start
		for ((i = 0; i < LOADS; i++)); do
			lines <<-EOT
			sh insmod $ALTFIB_KO
			arm afr
			sleep 20
			$ALTFIB afr begin
			flow s1 200
			$ALTFIB afr end min=50
			sh rmmod altfib
			flow s1 100
			EOT
		done
		stop
	} | run_scenario on >"$TMP/loads" || {
		grep -v '^#' "$TMP/loads" | head -n 5
		tail -n 5 "$TMP/loads"
		return 1
	}
	awk '/^# altfib6* on/ { n++; last = $0 }
		END { print "# " n " times; the last: " substr(last, 3) }' "$TMP/loads"
	tail -n 2 "$TMP/loads"
}

only_loads_changing() {
	local i

	absent || return 1
	{
		start
		echo "ip afr route add $NET5 via $GW1"
		for ((i = 0; i < LOADS / 10; i++)); do
			lines <<-EOT
			sh insmod $ALTFIB_KO & for i in 1 2 3; do ip -n afr route replace $SUB5_I via $GW2; done; wait
			fill afr $FILL dev=r1 via=$GW1 count=$((MANY / 10))
			arm afr
			sh rmmod altfib & for i in 1 2 3; do ip -n afr route del $SUB5_I; done; wait
			fill afr $FILL dev=r1 via=$GW1 count=$((MANY / 10)) del
			flow s1 100
			EOT
		done
		stop
	} | run_scenario on
}

# Each change of any family voids a dump of the routes, and nothing holds these
# back: the first load must find a gap, and the ones after it need none.
only_loads_ipv6() {
	local i pid rc=0 came=0 fields

	absent || return 1
	{
		topo_bare
		echo "fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=$MANY"
		echo "sysctl afr net/ipv6/conf/all/disable_ipv6 0"
		echo "sysctl afr net/ipv6/conf/r1/disable_ipv6 0"
	} | run_scenario none || return 1
	for ((i = 0; i < 2000; i++)); do
		echo "route add 2001:db8:1::/48 dev r1"
		echo "route del 2001:db8:1::/48 dev r1"
	done >"$TMP/batch"
	while :; do
		ip -6 -n afr -force -batch "$TMP/batch" >/dev/null 2>&1
	done &
	pid=$!
	sleep 1
	insmod "$ALTFIB_KO" mode=on || rc=1
	ipv6_serving 60 || rc=1
	for i in 1 2 3; do
		in_ns afr sh -c "echo off >/proc/sys/net/altfib/mode; echo on >/proc/sys/net/altfib/mode"
		ipv6_serving 10 || rc=1
	done
	kill "$pid"
	wait "$pid" 2>/dev/null
	sleep 1
	in_ns afr sh -c "echo 1 >/proc/sys/net/altfib/audit" || rc=1
	in_ns afr cat /proc/net/altfib/audit
	while read -ra fields; do
		came=$((came + 16#${fields[17]}))
	done < <(in_ns afr tail -n +2 /proc/net/stat/altfib6)
	echo "$came IPv6 routes came meanwhile"
	((came >= 1000)) || fail "too few for a test" || rc=1
	[ "$(in_ns afr grep -c '^\(IPv6 \)*differences: 0$' /proc/net/altfib/audit)" = 2 ] || rc=1
	echo "netns-del $NAMESPACES" | "$PROBE" none
	rmmod altfib || rc=1
	return "$rc"
}

# ipv6_serving SECONDS: both families must be, within so many.
ipv6_serving() {
	local i

	for ((i = 0; i < $1 * 10; i++)); do
		if [ "$(in_ns afr grep -c '^\(IPv6 \)*serving: yes' /proc/net/altfib/status)" = 2 ]; then
			echo "serving after $((i / 10)).$((i % 10)) s"
			return 0
		fi
		sleep 0.1
	done
	in_ns afr cat /proc/net/altfib/status
	fail "not serving after $1 s"
}

only_loads_namespaces() {
	local i

	absent || return 1
	{
		start
		for ((i = 0; i < LOADS / 10; i++)); do
			lines <<-EOT
			sh insmod $ALTFIB_KO & ip netns add afx; ip netns add afy; ip -n afx link set lo up; ip netns del afx; wait
			arm afr
			sh rmmod altfib & ip netns del afy; ip netns add afx; ip netns del afx; wait
			flow s1 100
			EOT
		done
		stop
	} | run_scenario on
}

only_switches() {
	local i

	altfib_loaded || insert_altfib || return 1
	{
		start
		echo "arm afr"
		for ((i = 0; i < SWITCHES / 2; i++)); do
			lines <<-EOT
			altfib-set afr net/altfib/mode off
			progress 20
			altfib-set afr net/altfib/mode on
			progress 20
			EOT
		done
		lines <<-EOT
		arm afr
		$ALTFIB afr begin
		flow s1 $((SWITCHES * 10))
		$ALTFIB afr end min=90
		EOT
		stop
	} | run_scenario on
}

only_switches_changing() {
	local i

	altfib_loaded || insert_altfib || return 1
	{
		start
		for ((i = 0; i < SWITCHES / 20; i++)); do
			lines <<-EOT
			sh (for i in 1 2 3 4; do for m in off on; do nsenter --net=/run/netns/afr sh -c "echo \$m >/proc/sys/net/altfib/mode"; done; done) &
			fill afr $FILL dev=r1 via=$GW1 count=$((MANY * 3 / 20))
			fill afr $FILL dev=r1 via=$GW1 count=$((MANY * 3 / 20)) del
			sleep 100
			EOT
		done
		lines <<-EOT
		sleep 500
		arm afr
		flow s1 100
		EOT
		stop
	} | run_scenario on
}

only_back() {
	altfib_loaded || insert_altfib
}

tests_run "$@"
