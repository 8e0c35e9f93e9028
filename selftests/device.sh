#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Devices and gateways that change or go away, and what the next-hop cache drops.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"down_up: the outgoing device goes down and comes back"
	"down_with_spare: a route with a worse metric takes over"
	"incoming_down: the incoming device goes down and comes back"
	"carrier: the link is lost, then found again"
	"carrier_ignored: linkdown routes are ignored, a spare takes over"
	"removed: the outgoing device is removed, a spare takes over"
	"recreated: the outgoing device is removed and made anew"
	"renamed: the outgoing device changes its name"
	"moved: the outgoing device moves to another namespace"
	"mtu_change: MTU down and up under one flow"
	"vlan_removed: a VLAN device is removed under one flow"
	"dummy: a route over a dummy device that is removed"
	"address_gone: the last address of the outgoing device goes"
	"vrf_enslaved: the outgoing device enters and leaves a VRF"
	"gateway_mac: the gateway changes its MAC address"
	"gateway_relearned: the neighbour is deleted and resolved again"
	"gateway_dead: the gateway does not answer"
	"takes_many: a device takes $MANY prefixes along, and gets them back"
	"only_drop_remove: removing a device drops exactly its cached routes"
	"only_drop_down: a device going down drops exactly its cached routes"
	"only_drop_mtu: a new MTU drops exactly the device's cached routes"
	"only_drop_fib: deleting the routes empties their slots"
	"only_outdated: any new route makes each cached route prove itself again"
	"only_memory: few routes take little memory, also when $MANY have just gone"
)
in_ipv6 only_memory

takes_many() {
	topo
	lines <<-EOT
	ip afr route add 11.0.0.0/8 via 10.0.3.2
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=$MANY
	$TX dst=11.0.0.1 dstep=256 n=400
	report to r1
	ip afr link set r1 down
	$TX dst=11.0.0.1 dstep=256 n=100
	ip afr route add 11.0.3.0/24 via 10.0.3.2
	$TX dst=11.0.0.1 dstep=256 n=100
	report what is shorter
	ip afr link set r1 up
	fill afr 11.0.4.0/24 dev=r1 via=10.0.2.2 count=$((MANY / 2))
	$TX dst=11.0.0.1 dstep=256 n=400
	report some again
	ip afr link del r1
	$TX dst=11.0.0.1 dstep=256 n=100
	EOT
	finish min=60
}

down_up() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	$TX dst=10.1.0.1 n=50
	report up
	ip afr link set r1 down
	$TX dst=10.1.0.1 n=50
	report down
	ip afr link set r1 up
	$TX dst=10.1.0.1 n=50
	report up, without the route
	ip afr neigh replace 10.0.2.2 lladdr 02:00:00:00:02:02 nud permanent dev r1
	ip afr route add 10.1.0.0/16 via 10.0.2.2
	$TX dst=10.1.0.1 n=50
	EOT
	finish min=90
}

down_with_spare() {
	topo
	lines <<-EOT
	ip afr route add 10.1.0.0/16 via 10.0.3.2 metric 50
	$TX dst=10.1.0.1 n=50
	report up
	ip afr link set r1 down
	$TX dst=10.1.0.1 n=50
	EOT
	finish min=90
}

incoming_down() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 n=50
	report up
	ip afr link set rc down
	sleep 20
	ip afr link set rc up
	ip afr neigh replace 10.0.1.2 lladdr 02:00:00:00:01:02 nud permanent dev rc
	$TX dst=10.1.0.1 n=50
	$TX dst=10.0.1.1 icmp n=50
	EOT
	finish min=90
}

# The kernel reports a change of the carrier up to a second later.
carrier() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 n=50
	report up
	ip af1 link set s0 down
	sleep 1300
	$TX dst=10.1.0.1 n=50
	report lost
	ip af1 link set s0 up
	sleep 1300
	$TX dst=10.1.0.1 n=50
	EOT
	finish
}

carrier_ignored() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/conf/all/ignore_routes_with_linkdown 1
	sysctl afr net/ipv4/conf/r1/ignore_routes_with_linkdown 1
	ip afr route add 10.1.0.0/16 via 10.0.3.2 metric 50
	$TX dst=10.1.0.1 n=50
	report up
	ip af1 link set s0 down
	sleep 1300
	$TX dst=10.1.0.1 n=50
	report lost
	ip af1 link set s0 up
	sleep 1300
	$TX dst=10.1.0.1 n=50
	EOT
	finish
}

removed() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	$TX dst=10.1.0.1 n=50
	report there
	ip afr link del r1
	$TX dst=10.1.0.1 n=50
	EOT
	finish min=90
}

recreated() {
	topo
	echo "ip afr route add default via 10.0.3.2"
	echo "$TX dst=10.1.0.1 n=50"
	echo "report there"
	echo "ip afr link del r1"
	link afr r1 1 2 af1 s0
	link_up afr r1 1 2 2
	link_up af1 s0 2 2 1
	echo "ip afr route add 10.1.0.0/16 via 10.0.2.2"
	echo "tap s1b af1 s0"
	echo "$TX dst=10.1.0.1 n=50"
	finish min=90
}

renamed() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	$TX dst=10.1.0.1 n=50
	ip afr link set r1 down
	ip afr link set r1 name west
	ip afr link set west up
	ip afr neigh replace 10.0.2.2 lladdr 02:00:00:00:02:02 nud permanent dev west
	ip afr route add 10.1.0.0/16 via 10.0.2.2 dev west
	$TX dst=10.1.0.1 n=50
	EOT
	finish min=90
}

moved() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	$TX dst=10.1.0.1 n=50
	report here
	ip afr link set r1 netns af2
	$TX dst=10.1.0.1 n=50
	report away
	ip af2 link set r1 netns afr
	ip afr addr add 10.0.2.1/24 dev r1
	ip afr link set r1 up
	ip afr neigh replace 10.0.2.2 lladdr 02:00:00:00:02:02 nud permanent dev r1
	ip afr route add 10.1.0.0/16 via 10.0.2.2
	$TX dst=10.1.0.1 n=50
	EOT
	finish min=90
}

mtu_change() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 len=1400 df n=50
	report 1500
	ip afr link set r1 mtu 1300
	$TX dst=10.1.0.1 len=1400 df n=50
	$TX dst=10.1.0.1 len=1272 df n=50
	report 1300
	ip afr link set r1 mtu 1280
	$TX dst=10.1.0.1 len=1272 df n=50
	report 1280
	ip afr link set r1 mtu 1500
	$TX dst=10.1.0.1 len=1400 df n=50
	EOT
	finish min=90
}

vlan_removed() {
	topo
	lines <<-EOT
	ip afr link add link r1 name r1.7 type vlan id 7
	ip afr addr add 10.0.7.1/24 dev r1.7
	ip afr link set r1.7 up
	ip afr neigh add 10.0.7.2 lladdr 02:00:00:00:07:02 nud permanent dev r1.7
	ip af1 link add link s0 name s0.7 address 02:00:00:00:07:02 type vlan id 7
	ip af1 link set s0.7 up
	tap s1.7 af1 s0.7
	ip afr route add 10.5.0.0/16 via 10.0.7.2
	ip afr route add default via 10.0.3.2
	$TX dst=10.5.0.1 n=50
	report there
	ip afr link del r1.7
	$TX dst=10.5.0.1 n=50
	EOT
	finish min=90
}

dummy() {
	topo
	lines <<-EOT
	ip afr link add d0 type dummy
	ip afr link set d0 up
	ip afr route add 10.5.0.0/16 dev d0
	ip afr neigh add 10.5.0.1 lladdr 02:00:00:00:05:01 nud permanent dev d0
	ip afr route add default via 10.0.3.2
	tap d0 afr d0 out
	$TX dst=10.5.0.1 n=50
	report there
	ip afr link del d0
	$TX dst=10.5.0.1 n=50
	EOT
	finish min=90
}

address_gone() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	$TX dst=10.1.0.1 n=50
	report there
	ip afr addr del 10.0.2.1/24 dev r1
	$TX dst=10.1.0.1 n=50
	$TX dst=10.0.2.1 icmp n=10
	EOT
	finish
}

vrf_enslaved() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	ip afr link add vrf9 type vrf table 9
	ip afr link set vrf9 up
	$TX dst=10.1.0.1 n=20
	report outside
	ip afr link set r1 master vrf9
	$TX dst=10.1.0.1 n=20
	report inside
	ip afr link set r1 nomaster
	ip afr neigh replace 10.0.2.2 lladdr 02:00:00:00:02:02 nud permanent dev r1
	ip afr route replace 10.1.0.0/16 via 10.0.2.2
	$TX dst=10.1.0.1 n=20
	EOT
	finish
}

gateway_mac() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 n=50
	ip afr neigh replace 10.0.2.2 lladdr 02:00:00:00:02:aa nud permanent dev r1
	$TX dst=10.1.0.1 n=50
	ip afr neigh replace 10.0.2.2 lladdr 02:00:00:00:02:bb nud permanent dev r1
	$TX dst=10.1.0.1 n=50
	EOT
	finish min=90
}

# Neighbours that ARP finds: the router has to ask, and to hear a new address.
gateway_relearned() {
	topo
	lines <<-EOT
	ip afr neigh del 10.0.2.2 dev r1
	$TX dst=10.1.0.1 n=20
	settle 200
	report resolved
	ip af1 link set s0 down
	ip af1 link set s0 address 02:00:00:00:02:cc
	ip af1 link set s0 up
	ip af1 neigh replace 10.0.2.1 lladdr 02:00:00:00:02:01 nud permanent dev s0
	ip afr neigh flush dev r1
	$TX dst=10.1.0.1 n=20
	settle 200
	EOT
	finish min=90
}

gateway_dead() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/neigh/r1/retrans_time_ms 50
	ip afr route add 10.5.0.0/16 via 10.0.2.99
	$TX dst=10.1.0.1 n=20
	$TX dst=10.5.0.1 n=4
	settle 800
	$TX dst=10.1.0.1 n=20
	report dead
	ip afr neigh replace 10.0.2.99 lladdr 02:00:00:00:02:63 nud permanent dev r1
	$TX dst=10.5.0.1 n=20
	report alive
	ip afr neigh del 10.0.2.99 dev r1
	$TX dst=10.5.0.1 n=4
	settle 800
	EOT
	finish
}

# K gateways on r1 and one on r2, each with its slot filled; then CHANGE.
K=40
fill_then() {
	local change=$1 i
	shift

	{
		topo_bare
		echo "arm $NAMESPACES"
		gateways r1 100 "$K" 2
		for ((i = 100; i < 100 + K; i++)); do
			echo "ip afr route add 10.50.$i.0/24 via 10.0.2.$i"
		done
		echo "altfib afr begin"
		for ((i = 100; i < 100 + K; i++)); do
			echo "$TX dst=10.50.$i.1 n=4"
		done
		echo "$TX dst=10.2.0.1 n=4"
		echo "settle"
		echo "altfib afr end dst_fill=$((K + 1)) dst_drop_dev=0"
		echo "altfib afr begin"
		echo "$change"
		echo "altfib afr end $*"
	} | run_scenario "$ON"
}

only_drop_remove() {
	fill_then "ip afr link del r1" dst_drop_dev="$K"
}

only_drop_down() {
	fill_then "ip afr link set r1 down" dst_drop_dev="$K"
}

only_drop_mtu() {
	fill_then "ip afr link set r1 mtu 1400" dst_drop_dev="$K"
}

only_drop_fib() {
	local i

	fill_then "$(for ((i = 100; i < 100 + K; i++)); do
		echo "ip afr route del 10.50.$i.0/24"
	done)" dst_drop_fib="$K" dst_drop_dev=0
}

# The kernel's own cached routes are outdated as well (its route generation moves
# on), so each next hop's next packet is the kernel's, and the one behind it ours.
only_outdated() {
	local i

	fill_then "ip afr route add 10.60.0.0/16 via 10.0.2.100
	$(for ((i = 100; i < 100 + K; i++)); do
		echo "$TX dst=10.50.$i.1 n=4"
	done)
	settle" dst_fill="$K" dst_drop_dev=0 dst_drop_fib=0
}

# memory [PREFIX]: KiB of the mirror, by the line of status with this prefix.
memory() {
	in_ns afr sed -n "s/^${1:-}memory: \([0-9]*\) KiB.*/\1/p" /proc/net/altfib/status
}

# Tables give no memory back before the mirror is loaded anew, which it is when it
# has much more than it needs and the routes have come to rest.
only_memory() {
	local label="" few full kb i rc=0

	[ "$FAMILY" = 4 ] || label="IPv6 "
	{
		topo_bare
		# What changes has memory that waits for readers: load it at once.
		echo "altfib-set afr net/altfib/mode off"
		echo "arm afr"
	} | run_scenario "$ON" || return 1
	few=$(($(memory) + $(memory "IPv6 ")))
	echo "fill afr $FILL dev=r1 via=$GW1 count=$MANY" | run_scenario "$ON" || rc=1
	full=$(memory "$label")
	ip -n afr link set r1 down
	# Some go a little later.
	sleep 1
	for ((i = 0; i < 100; i++)); do
		kb=$(memory "$label")
		[ "$kb" -gt 512 ] || break
		sleep 0.1
	done
	echo "few: $few KiB for both families; $MANY more: $full KiB; when they are gone: $kb KiB after $((1 + i / 10)).$((i % 10)) s"
	[ "$few" -le 16 ] || fail "$few KiB for a handful of routes" || rc=1
	[ "$kb" -le 512 ] || fail "$kb KiB although the routes are gone" || rc=1
	for ((i = 0; i < 100; i++)); do
		[ "$(in_ns afr grep -c 'serving: yes' /proc/net/altfib/status)" = 2 ] && break
		sleep 0.1
	done
	echo "audit afr" | run_scenario "$ON" || rc=1
	echo "netns-del $NAMESPACES" | "$PROBE" none
	return "$rc"
}

tests_run "$@"
