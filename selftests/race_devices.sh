#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Devices, gateways and namespaces that go away with packets in flight: sender on
# one CPU, the change on another. A reference that altfib kept would show as
# "waiting for ... to become free" in the kernel log.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2034	# read by tests_run
MIN_CPUS=2
ROUNDS=${ALTFIB_ROUNDS:-20}

ALL_TESTS=(
	"only_removed: the outgoing device is removed and made anew"
	"only_incoming_removed: the incoming device is removed and made anew"
	"only_down_up: the outgoing device goes down and up"
	"only_mtu: the MTU changes"
	"only_gateway: the gateway changes its MAC address, is deleted, fails"
	"only_vrf: the outgoing device enters and leaves a VRF"
	"only_netns: the router's namespace is removed"
	"only_netns_others: other namespaces come and go"
)

in_ipv6 only_removed only_incoming_removed only_down_up only_mtu only_gateway only_vrf \
	only_netns only_netns_others

start() {
	topo_bare
	lines <<-EOT
	ip afr route add $ANY via $GW2
	arm $NAMESPACES
	tap s2 af2 s0
	cpu 0
	$ALTFIB afr begin
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
	$ALTFIB afr end $*
	EOT
}

remake_r1() {
	link afr r1 1 2 af1 s0
	family_link_up afr r1 1 2 2
	family_link_up af1 s0 2 2 1
	echo "ready"
	echo "ip afr route add $NET1 via $GW1"
}

# The prefix is lost with its device; the default route has to carry on.
only_removed() {
	local i again

	again=$(remake_r1)
	{
		start
		for ((i = 0; i < ROUNDS; i++)); do
			printf '%s\n' "progress 200" "ip afr link del r1" "flow s2 50" "$again"
		done
		stop min=30
	} | run_scenario "$ON"
}

only_incoming_removed() {
	local i again

	again=$(
		link afr rc 1 1 afc c0
		family_link_up afr rc 1 1 2
		family_link_up afc c0 2 1 1
		echo "ready"
	)
	{
		topo_bare
		echo "ip afr route add $ANY via $GW2"
		echo "arm $NAMESPACES"
		echo "cpu 0"
		for ((i = 0; i < ROUNDS; i++)); do
			lines <<-EOT
			flood sender afc c0 cpu=1 dmac=$RMAC src=$SRC dst=$HOST1
			progress 500
			ip afr link del rc
			flood-end
			$again
			EOT
		done
	} | run_scenario "$ON" | tail -n 2
}

only_down_up() {
	local i again

	again=$(up_again r1 2)
	{
		start
		for ((i = 0; i < ROUNDS; i++)); do
			lines <<-EOT
			progress 100
			ip afr link set r1 down
			flow s2 50
			$again
			ip afr route add $NET1 via $GW1
			EOT
		done
		stop min=30
	} | run_scenario "$ON"
}

only_mtu() {
	local i

	{
		start
		for ((i = 0; i < ROUNDS * 2; i++)); do
			echo "progress 50"
			echo "ip afr link set r1 mtu $((1300 + i))"
		done
		stop min=30
	} | run_scenario "$ON"
}

only_gateway() {
	local i

	{
		start
		echo "ip afr route replace $NET1 via $GW2"
		for ((i = 0; i < ROUNDS; i++)); do
			lines <<-EOT
			progress 100
			ip afr neigh replace $GW2 lladdr 02:00:00:00:03:$((10 + i)) nud permanent dev r2
			flow s2 50
			ip afr neigh del $GW2 dev r2
			ip afr neigh replace $GW2 lladdr 02:00:00:00:03:02 nud failed dev r2
			progress 50
			ip afr neigh replace $GW2 lladdr 02:00:00:00:03:02 nud permanent dev r2
			flow s2 50
			EOT
		done
		stop min=30
	} | run_scenario "$ON"
}

# With a VRF there are policy rules, so altfib leaves the packets alone.
only_vrf() {
	local i

	{
		start
		echo "ip afr link add vrf9 type vrf table 9"
		echo "ip afr link set vrf9 up"
		for ((i = 0; i < ROUNDS / 2; i++)); do
			lines <<-EOT
			progress 100
			ip afr link set r1 master vrf9
			flow s2 50
			ip afr link set r1 nomaster
			EOT
		done
		stop
	} | run_scenario "$ON"
}

only_netns() {
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		topo_bare
		lines <<-EOT
		arm $NAMESPACES
		cpu 0
		flood sender afc c0 cpu=1 dmac=$RMAC src=$SRC dst=$HOST1
		progress 500
		netns-del afr
		sleep 50
		flood-end
		EOT
	done | run_scenario "$ON" | tail -n 2
}

only_netns_others() {
	local i gw

	address 99 2
	gw=$ADDRESS
	address 99 1
	{
		start
		echo "ip afr route replace $NET1 via $GW2"
		for ((i = 0; i < ROUNDS; i++)); do
			lines <<-EOT
			netns afx afy
			ip - link add x0 netns afx type veth peer name y0 netns afy
			ip afx link set x0 up
			ip afx addr add $ADDRESS$LINK dev x0 $NODAD
			ip afx route add $NET1 via $gw
			netns-del afx afy
			flow s2 50
			EOT
		done
		stop min=90
	} | run_scenario "$ON"
}

tests_run "$@"
