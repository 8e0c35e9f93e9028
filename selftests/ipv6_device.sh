#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# IPv6: devices, gateways and next-hop objects that change or go away.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
use_family 6

ALL_TESTS=(
	"down_up: the outgoing device goes down and comes back"
	"down_with_spare: a route with a worse metric takes over"
	"down_kept: a device that keeps its addresses while it is down"
	"incoming_down: the incoming device goes down and comes back"
	"carrier: the link is lost, then found again"
	"carrier_ignored: linkdown routes are ignored, a spare takes over"
	"removed: the outgoing device is removed, a spare takes over"
	"recreated: the outgoing device is removed and made anew"
	"renamed: the outgoing device changes its name"
	"moved: the outgoing device moves to another namespace"
	"mtu_change: MTU down and up under one flow, and too small for IPv6"
	"vlan_removed: a VLAN device is removed under one flow"
	"dummy: a route over a dummy device that is removed"
	"address_gone: the last address of the outgoing device goes"
	"disabled: disable_ipv6 on the outgoing and on the incoming device"
	"gateway_mac: the gateway changes its MAC address"
	"gateway_relearned: the neighbour is deleted and resolved again"
	"gateway_dead: the gateway does not answer"
	"objects_replaced: next-hop objects and groups are replaced"
	"objects_and_device: the device of a next-hop object is removed"
	"takes_many: a device takes 1,000 prefixes along, and gets them back"
	"lost_end: a device goes that had a route whose end the kernel did not tell"
	"only_removed_under_traffic: devices are removed while packets pass"
	"only_namespace: the namespace is removed while packets pass"
)

down_up() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2001:db8:a::1 n=50
	report up
	ip afr link set r1 down
	$TX6 dst=2001:db8:a::1 n=50
	$TX6 dst=2001:db8:2::1 icmp n=10
	report down
	audit afr
	EOT
	up_again r1 2
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=50
	report up, without the route
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2
	$TX6 dst=2001:db8:a::1 n=50
	audit afr
	EOT
	finish6 min=90
}

down_with_spare() {
	topo6
	lines <<-EOT
	ip afr route add 2001:db8:a::/48 via 2001:db8:3::2 metric 2000
	$TX6 dst=2001:db8:a::1 n=50
	report up
	ip afr link set r1 down
	$TX6 dst=2001:db8:a::1 n=50
	audit afr
	EOT
	finish6 min=90
}

down_kept() {
	topo6
	lines <<-EOT
	sysctl afr net/ipv6/conf/r1/keep_addr_on_down 1
	ip afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2001:db8:a::1 n=50
	$TX6 dst=2001:db8:2::1 icmp n=20
	report up
	ip afr link set r1 down
	$TX6 dst=2001:db8:a::1 n=50
	$TX6 dst=2001:db8:2::1 icmp n=20
	report down
	audit afr
	ip afr link set r1 up
	ready
	ip afr neigh replace 2001:db8:2::2 lladdr 02:00:00:00:02:02 nud permanent dev r1
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2
	$TX6 dst=2001:db8:a::1 n=50
	$TX6 dst=2001:db8:2::1 icmp n=20
	audit afr
	EOT
	finish6 min=85
}

incoming_down() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=50
	report up
	ip afr link set rc down
	sleep 20
	EOT
	up_again rc 1
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=50
	$TX6 dst=2001:db8:1::1 icmp n=50
	audit afr
	EOT
	finish6 min=90
}

# The kernel reports a change of the carrier up to a second later.
carrier() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=50
	report up
	ip af1 link set s0 down
	sleep 1300
	$TX6 dst=2001:db8:a::1 n=50
	report lost
	audit afr
	ip af1 link set s0 up
	sleep 1300
	$TX6 dst=2001:db8:a::1 n=50
	audit afr
	EOT
	finish6
}

carrier_ignored() {
	topo6
	lines <<-EOT
	sysctl afr net/ipv6/conf/r1/ignore_routes_with_linkdown 1
	ip afr route add 2001:db8:a::/48 via 2001:db8:3::2 metric 2000
	$TX6 dst=2001:db8:a::1 n=50
	report up
	ip af1 link set s0 down
	sleep 1300
	$TX6 dst=2001:db8:a::1 n=50
	report lost
	sysctl afr net/ipv6/conf/r1/ignore_routes_with_linkdown 0
	$TX6 dst=2001:db8:a::1 n=50
	report lost, but not ignored
	sysctl afr net/ipv6/conf/all/ignore_routes_with_linkdown 1
	$TX6 dst=2001:db8:a::1 n=50
	report lost, and ignored everywhere
	ip af1 link set s0 up
	sleep 1300
	$TX6 dst=2001:db8:a::1 n=50
	audit afr
	EOT
	finish6
}

removed() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2001:db8:a::1 n=50
	report there
	ip afr link del r1
	$TX6 dst=2001:db8:a::1 n=50
	$TX6 dst=2001:db8:2::1 icmp n=10
	audit afr
	EOT
	finish6 min=90
}

recreated() {
	topo6
	echo "ip afr route add ::/0 via 2001:db8:3::2"
	echo "$TX6 dst=2001:db8:a::1 n=50"
	echo "report there"
	echo "ip afr link del r1"
	link afr r1 1 2 af1 s0
	link_up6 afr r1 1 2 2
	link_up6 af1 s0 2 2 1
	lines <<-EOT
	ready
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2
	tap s1b af1 s0
	$TX6 dst=2001:db8:a::1 n=50
	audit afr
	EOT
	finish6 min=90
}

renamed() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2001:db8:a::1 n=50
	report r1
	ip afr link set r1 down
	ip afr link set r1 name west
	EOT
	up_again west 2
	lines <<-EOT
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2 dev west
	$TX6 dst=2001:db8:a::1 n=50
	audit afr
	EOT
	finish6 min=90
}

moved() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2001:db8:a::1 n=50
	report here
	ip afr link set r1 netns af2
	$TX6 dst=2001:db8:a::1 n=50
	report away
	audit afr
	ip af2 link set r1 netns afr
	EOT
	up_again r1 2
	lines <<-EOT
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2
	$TX6 dst=2001:db8:a::1 n=50
	audit afr
	EOT
	finish6 min=90
}

mtu_change() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2001:db8:a::1 len=1400 n=50
	report 1500
	ip afr link set r1 mtu 1300
	$TX6 dst=2001:db8:a::1 len=1400 n=50
	$TX6 dst=2001:db8:a::1 len=1252 n=50
	report 1300
	ip afr link set r1 mtu 1280
	$TX6 dst=2001:db8:a::1 len=1252 n=50
	report 1280
	ip afr link set r1 mtu 1500
	$TX6 dst=2001:db8:a::1 len=1400 n=50
	report 1500 again
	ip afr link set r1 mtu 1200
	$TX6 dst=2001:db8:a::1 len=1000 n=50
	$TX6 dst=2001:db8:2::1 icmp n=10
	report 1200: no IPv6
	audit afr
	ip afr link set r1 mtu 1500
	EOT
	up_again r1 2
	lines <<-EOT
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2
	$TX6 dst=2001:db8:a::1 len=1400 n=50
	audit afr
	EOT
	finish6 min=90
}

vlan_removed() {
	topo6
	lines <<-EOT
	ip afr link add link r1 name r1.7 type vlan id 7
	ip afr addr add 2001:db8:7::1/64 dev r1.7 nodad
	ip afr link set r1.7 up
	ip af1 link add link s0 name s0.7 address 02:00:00:00:07:02 type vlan id 7
	ip af1 link set s0.7 up
	ready
	ip afr neigh add 2001:db8:7::2 lladdr 02:00:00:00:07:02 nud permanent dev r1.7
	tap s1.7 af1 s0.7
	ip afr route add 2001:db8:5::/48 via 2001:db8:7::2
	ip afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2001:db8:5::1 n=50
	report there
	ip afr link del r1.7
	$TX6 dst=2001:db8:5::1 n=50
	audit afr
	EOT
	finish6 min=90
}

dummy() {
	topo6
	lines <<-EOT
	ip afr link add d0 type dummy
	ip afr link set d0 up
	ready
	ip afr route add 2001:db8:5::/64 dev d0
	ip afr neigh add 2001:db8:5::1 lladdr 02:00:00:00:05:01 nud permanent dev d0
	ip afr route add ::/0 via 2001:db8:3::2
	tap d0 afr d0 out
	$TX6 dst=2001:db8:5::1 n=50
	report there
	ip afr link del d0
	$TX6 dst=2001:db8:5::1 n=50
	audit afr
	EOT
	finish6 min=90
}

address_gone() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2001:db8:a::1 n=50
	report there
	ip afr addr del 2001:db8:2::1/64 dev r1
	$TX6 dst=2001:db8:a::1 n=50
	$TX6 dst=2001:db8:2::1 icmp n=10
	$TX6 dst=2001:db8:2::2 n=10
	audit afr
	EOT
	finish6
}

disabled() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2001:db8:a::1 n=50
	report enabled
	sysctl afr net/ipv6/conf/r1/disable_ipv6 1
	$TX6 dst=2001:db8:a::1 n=50
	report disabled on the outgoing device
	audit afr
	sysctl afr net/ipv6/conf/r1/disable_ipv6 0
	EOT
	up_again r1 2
	lines <<-EOT
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2
	$TX6 dst=2001:db8:a::1 n=50
	report enabled again
	sysctl afr net/ipv6/conf/rc/disable_ipv6 1
	$TX6 dst=2001:db8:a::1 n=50
	report disabled on the incoming device
	sysctl afr net/ipv6/conf/rc/disable_ipv6 0
	EOT
	up_again rc 1
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=50
	audit afr
	EOT
	finish6 min=90
}

gateway_mac() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=50
	ip afr neigh replace 2001:db8:2::2 lladdr 02:00:00:00:02:aa nud permanent dev r1
	$TX6 dst=2001:db8:a::1 n=50
	ip afr neigh replace 2001:db8:2::2 lladdr 02:00:00:00:02:bb nud permanent dev r1
	$TX6 dst=2001:db8:a::1 n=50
	EOT
	finish6 min=90
}

# Neighbours that the router has to ask for.
gateway_relearned() {
	topo6
	lines <<-EOT
	ip6 afr neigh del 2001:db8:2::2 dev r1
	$TX6 dst=2001:db8:a::1 n=40
	settle 200
	report resolved
	ip6 afr neigh del 2001:db8:2::2 dev r1
	$TX6 dst=2001:db8:a::1 n=40
	settle 200
	EOT
	# Solicitations are multicast at first, and by timers later.
	printf '%s\n' report "altfib6 afr end min=90"
}

gateway_dead() {
	topo6
	lines <<-EOT
	sysctl afr net/ipv6/neigh/r1/retrans_time_ms 50
	ip afr route add 2001:db8:5::/48 via 2001:db8:2::99
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:5::1 n=3
	settle 800
	$TX6 dst=2001:db8:a::1 n=20
	report dead
	ip afr neigh replace 2001:db8:2::99 lladdr 02:00:00:00:02:63 nud permanent dev r1
	$TX6 dst=2001:db8:5::1 n=20
	report alive
	ip6 afr neigh del 2001:db8:2::99 dev r1
	$TX6 dst=2001:db8:5::1 n=3
	settle 800
	EOT
	printf '%s\n' report "altfib6 afr end"
}

objects() {
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	ip6 afr nexthop add id 1 via 2001:db8:2::2 dev r1
	ip6 afr nexthop add id 2 via 2001:db8:3::2 dev r2
	ip6 afr nexthop add id 3 via 2001:db8:2::2 dev r1
	ip afr nexthop add id 10 group 1/2
	ip6 afr route add 2001:db8:5::/48 nhid 3
	ip6 afr route add 2001:db8:6::/48 nhid 10
	EOT
}

objects_traffic() {
	lines <<-EOT
	$TX6 dst=2001:db8:5::1 n=20
	$TX6 dst=2001:db8:6::1 dstep=1 n=40
	report $*
	audit afr
	EOT
}

objects_replaced() {
	topo6
	objects
	objects_traffic made
	echo "ip6 afr nexthop replace id 3 via 2001:db8:3::2 dev r2"
	objects_traffic the single one is replaced
	echo "ip afr nexthop replace id 10 group 1,3/2,9"
	objects_traffic the weights are
	echo "ip afr nexthop replace id 10 group 2"
	objects_traffic one in the group
	echo "ip6 afr nexthop replace id 2 via 2001:db8:2::2 dev r1"
	objects_traffic and that one is replaced
	echo "ip afr nexthop replace id 10 group 1/2/3"
	objects_traffic three
	echo "ip6 afr nexthop del id 2"
	objects_traffic two
	echo "ip6 afr route replace 2001:db8:5::/48 nhid 10"
	objects_traffic another object for a route
	finish6 min=85
}

objects_and_device() {
	topo6
	echo "ip afr route add ::/0 via 2001:db8:3::2"
	objects
	objects_traffic made
	echo "ip afr link set r1 down"
	objects_traffic down
	up_again r1 2
	lines <<-EOT
	ip6 afr nexthop add id 5 via 2001:db8:2::2 dev r1
	ip afr nexthop replace id 10 group 2/5
	EOT
	objects_traffic up
	echo "ip afr link del r1"
	objects_traffic removed
	finish6 min=80
}

takes_many() {
	local i

	topo6
	echo "ip afr route add 2001:db8:c000::/36 via 2001:db8:3::2"
	for ((i = 0; i < 1000; i++)); do
		printf 'ip afr route add 2001:db8:c%03x::/48 via 2001:db8:2::2\n' "$i"
	done
	for ((i = 0; i < 1000; i += 50)); do
		printf '%s dst=2001:db8:c%03x::1 n=10\n' "$TX6" "$i"
	done
	lines <<-EOT
	report to r1
	audit afr
	ip afr link set r1 down
	EOT
	for ((i = 0; i < 1000; i += 50)); do
		printf '%s dst=2001:db8:c%03x::1 n=10\n' "$TX6" "$i"
	done
	echo "report what is shorter"
	echo "audit afr"
	up_again r1 2
	for ((i = 0; i < 1000; i += 2)); do
		printf 'ip afr route add 2001:db8:c%03x::/48 via 2001:db8:2::2\n' "$i"
	done
	for ((i = 0; i < 1000; i += 25)); do
		printf '%s dst=2001:db8:c%03x::1 n=10\n' "$TX6" "$i"
	done
	lines <<-EOT
	report every other one
	ip afr link del r1
	$TX6 dst=2001:db8:c000::1 n=20
	audit afr
	EOT
	finish6 min=80
}

# A device that goes waits for each reference on it, so this is over when it is gone.
# Of these siblings the second is named, and the notifier hears nothing. The program
# fails if the kernel has to wait for r1.
lost_end() {
	topo6
	lines <<-EOT
	ip6 afr route add 2001:db8:5::/48 nexthop via 2001:db8:2::2 dev r1 nexthop via 2001:db8:3::2 dev r2
	ip6 afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2001:db8:5::1 n=20
	ip6 afr route del 2001:db8:5::/48 dev r2
	$TX6 dst=2001:db8:5::1 n=20
	ip afr link del r1
	$TX6 dst=2001:db8:5::1 n=20
	EOT
	finish6
	echo "audit afr"
}

only_removed_under_traffic() {
	local i

	{
		topo6
		echo "ip afr route add ::/0 via 2001:db8:3::2"
		echo "flood a afc c0 pps=4000 dmac=$RMAC src=2001:db8:1::2 dst=2001:db8:a::1"
		echo "flood b afc c0 pps=4000 dmac=$RMAC src=2001:db8:1::2 dst=2001:db8:2::1 icmp"
		for ((i = 0; i < 5; i++)); do
			echo "progress 200"
			echo "ip afr link del r1"
			echo "progress 200"
			link afr r1 1 2 af1 s0
			link_up6 afr r1 1 2 2
			echo "ready"
			echo "ip afr route add 2001:db8:a::/48 via 2001:db8:2::2"
		done
		echo "flood-end"
		echo "audit afr"
		echo "discard"
		echo "altfib6 afr end min=50"
	} | run_scenario "$ON"
}

only_namespace() {
	{
		topo6
		echo "flood a afc c0 pps=4000 dmac=$RMAC src=2001:db8:1::2 dst=2001:db8:a::1"
		echo "progress 400"
		echo "altfib6 afr end min=90"
		echo "netns-del afr"
		# The other end of its device goes with it.
		echo "sh for i in \$(seq 100); do ip -n afc link show c0 >/dev/null 2>&1 || exit 0; sleep 0.1; done; exit 1"
		echo "flood-end"
	} | run_scenario "$ON"
}

tests_run "$@"
