#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# net.altfib.cache: each strategy decides as the kernel, whatever changes under flows
# that are known, and keeps within its bounds.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

UDP=${UDP:-$(dirname "$PROBE")/udp}
# Each comparison runs in both modes and with both shapes of a cache; in each mode with
# each cache where they differ in more than the shape, or for all, if asked for.
ARMS="on+flow verify+percpu-flow"
ALL_ARMS="on+none on+flow on+percpu-flow verify+none verify+flow verify+percpu-flow"
IN_ALL=" flows routes paths exceptions flows6 routes6 objects6 "
[ -z "${ALTFIB_ALL_ARMS:-}" ] || ARMS=$ALL_ARMS
# Those of the host's own packets: a cache of flows stands before the routes of sockets.
HOST_ARMS="on+lookup+flow verify+socket+percpu-flow"

ALL_TESTS=(
	"flows: flows over two next hops, to this host and to a neighbour"
	"keys: one destination from many sources, with DSCPs and marks"
	"routes: routes come, change and go under one flow"
	"addresses: an address of the router comes and goes under one flow"
	"source_filter: rp_filter is changed under flows, good and forged"
	"source_routes: the route of a source changes under a flow"
	"source_local: accept_local is switched under a flow from an own address"
	"source_link: a source's link goes, and is or is not ignored"
	"forwarding: forwarding is switched under a flow"
	"redirects: redirects are switched under a flow that leaves where it came in"
	"carrier: the link of a flow's route goes, and is or is not ignored"
	"device: the device of a flow's route goes down, changes its MTU, and is removed"
	"objects: next-hop objects are replaced under a flow"
	"paths: several paths are chosen anew for each packet"
	"rules: policy rules of all kinds come and go under flows"
	"rules_device: a device takes the name that a rule has"
	"rules_mark: src_valid_mark is switched under a flow with a mark"
	"exceptions: a path MTU is learned under a flow"
	"sockets: a socket is connected under a flow"
	"flows6: IPv6: the same flows"
	"keys6: IPv6: one destination from many sources, with classes and labels"
	"routes6: IPv6: routes come, change and go under one flow"
	"forwarding6: IPv6: forwarding is switched under a flow"
	"carrier6: IPv6: the link of a flow's route goes, and is or is not ignored"
	"device6: IPv6: the device of a flow's route goes down, and is removed"
	"expires6: IPv6: the route of a flow expires"
	"objects6: IPv6: next-hop objects and several paths"
	"rules6: IPv6: policy rules come and go under flows"
	"exceptions6: IPv6: a path MTU is learned under a flow"
	"sockets6: IPv6: a socket is connected under a flow"
	"host_sends: the host's own packets, of sockets and without one"
	"host_changes: routes, addresses, rules and devices change under flows of the host's own"
	"host_redirect: a redirect under a flow of the host's own, and its end"
	"host_exception: a path MTU is learned under a flow of the host's own"
	"host_sends6: IPv6: the host's own packets"
	"host_changes6: IPv6: routes, addresses, rules and devices change under them"
	"only_values: the settings take what they should, and nothing else"
	"only_lnstat: lnstat shows what became of flows"
	"only_hits: a flow is looked up once"
	"only_bound: max_size bounds what a sender of many addresses can fill"
	"only_pressure: above gc_thresh the oldest go first"
	"only_age: what is not used for gc_timeout goes"
	"only_device_gone: known flows hold no device"
	"only_namespace_gone: nor a namespace"
	"only_switches: $((${ALTFIB_SWITCHES:-200})) switches of the strategy under traffic"
	"only_changes: routes change under traffic, and every packet is compared"
	"only_unload: altfib goes while flows are known"
	"only_corrupt: a wrong decision that is kept is noticed"
)

SYS=/proc/sys/net/altfib
FLOWS="flow percpu-flow"

run_compared() {
	local arms=$ARMS

	[[ $IN_ALL != *" $1 "* ]] || arms=$ALL_ARMS
	[[ $1 != host_* ]] || arms=$HOST_ARMS
	# The end of a redirect is for sockets to see, too.
	[ "$1" != host_redirect ] || arms+=" on+socket"
	# shellcheck disable=SC2086
	"$1" | "$PROBE" --compare off $arms
}

flows() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 n=50
	$TX dst=10.2.0.1 tcp n=50
	$TX dst=10.0.2.2 icmp n=20
	$TX dst=10.0.1.1 icmp n=20
	$TX dst=10.1.0.1 ttl=1 n=5
	$TX dst=10.1.0.1 n=20
	EOT
	finish min=90 hits=150
}

keys() {
	topo
	lines <<-EOT
	ip afr route add 10.0.1.0/24 dev rc metric 50
	$TX src=10.0.1.3 sstep=1 dst=10.1.0.1 n=60
	$TX src=10.0.1.3 sstep=1 dst=10.1.0.1 n=60
	$TX dst=10.1.0.1 tos=0x10 n=10
	$TX dst=10.1.0.1 tos=0xb8 n=10
	$TX dst=10.1.0.1 tos=0x13 n=10
	$TX dst=10.1.0.1 dstep=1 n=60
	$TX dst=10.1.0.1 dstep=1 n=60
	EOT
	finish min=90 hits=120
}

routes() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 n=20
	ip afr route replace 10.1.0.0/16 via 10.0.3.2
	$TX dst=10.1.0.1 n=20
	report replaced
	ip afr route add 10.1.0.0/24 via 10.0.2.2
	$TX dst=10.1.0.1 n=20
	report a longer one
	ip afr route add blackhole 10.1.0.1/32
	$TX dst=10.1.0.1 n=5
	report a blackhole
	ip afr route del blackhole 10.1.0.1/32
	$TX dst=10.1.0.1 n=20
	report without it
	ip afr route del 10.1.0.0/24
	$TX dst=10.1.0.1 n=20
	report the shorter one again
	ip afr route del 10.1.0.0/16
	$TX dst=10.1.0.1 n=4
	report none
	ip afr route add 10.1.0.0/16 via 10.0.2.2 metric 5
	$TX dst=10.1.0.1 n=20
	ip afr route add 10.1.0.0/16 via 10.0.3.2 metric 1
	$TX dst=10.1.0.1 n=20
	report by metric
	ip afr route add 10.1.0.0/16 tos 0x10 via 10.0.3.2
	$TX dst=10.1.0.1 tos=0x10 n=10
	$TX dst=10.1.0.1 n=10
	EOT
	finish hits=100
}

addresses() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 icmp n=10
	$TX src=10.0.1.77 dst=10.2.0.1 n=10
	ip afr addr add 10.1.0.1/32 dev lo
	$TX dst=10.1.0.1 icmp n=10
	report it is here
	ip afr addr del 10.1.0.1/32 dev lo
	$TX dst=10.1.0.1 icmp n=10
	report and gone
	ip afr addr add 10.0.1.77/32 dev lo
	$TX src=10.0.1.77 dst=10.2.0.1 n=10
	report the source is our own
	ip afr addr del 10.0.1.77/32 dev lo
	$TX src=10.0.1.77 dst=10.2.0.1 n=10
	EOT
	finish hits=40
}

source_filter() {
	local v

	topo
	for v in 0 1 0 2 1 0; do
		lines <<-EOT
		sysctl afr net/ipv4/conf/rc/rp_filter $v
		$TX src=10.2.0.5 dst=10.1.0.1 n=10
		$TX src=10.0.1.2 dst=10.1.0.1 n=10
		$TX src=172.20.0.1 dst=10.1.0.1 n=10
		report rp_filter $v
		EOT
	done
	lines <<-EOT
	sysctl afr net/ipv4/conf/all/rp_filter 1
	$TX src=10.2.0.5 dst=10.1.0.1 n=10
	$TX src=10.0.1.2 dst=10.1.0.1 n=10
	EOT
	finish hits=60
}

source_routes() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/conf/rc/rp_filter 1
	$TX dst=10.1.0.1 n=20
	report good
	ip afr route add 10.0.1.2/32 via 10.0.2.2
	$TX dst=10.1.0.1 n=10
	report elsewhere
	ip afr route del 10.0.1.2/32
	$TX dst=10.1.0.1 n=20
	report good again
	ip afr route add unreachable 10.0.1.2/32
	$TX dst=10.1.0.1 n=10
	report rejected
	ip afr route del unreachable 10.0.1.2/32
	sysctl afr net/ipv4/conf/rc/rp_filter 2
	ip afr route add 10.90.0.0/16 via 10.0.3.2
	$TX src=10.90.0.1 dst=10.1.0.1 n=20
	report loose
	ip afr route del 10.90.0.0/16
	$TX src=10.90.0.1 dst=10.1.0.1 n=10
	EOT
	finish hits=40
}

source_local() {
	local v

	topo
	for v in 1 0 1 0; do
		lines <<-EOT
		sysctl afr net/ipv4/conf/rc/accept_local $v
		$TX src=10.0.3.1 dst=10.1.0.1 n=10
		report accept_local $v
		EOT
	done
	finish hits=8
}

# The kernel reports a change of the carrier up to a second later.
source_link() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/conf/rc/rp_filter 2
	ip afr route add 10.90.0.0/16 via 10.0.3.2
	$TX src=10.90.0.1 dst=10.1.0.1 n=20
	report up
	ip af2 link set s0 down
	sleep 1300
	$TX src=10.90.0.1 dst=10.1.0.1 n=10
	report lost
	sysctl afr net/ipv4/conf/r2/ignore_routes_with_linkdown 1
	$TX src=10.90.0.1 dst=10.1.0.1 n=10
	report ignored
	sysctl afr net/ipv4/conf/r2/ignore_routes_with_linkdown 0
	$TX src=10.90.0.1 dst=10.1.0.1 n=10
	EOT
	finish hits=15
}

forwarding() {
	local v

	topo
	for v in 1 0 1; do
		lines <<-EOT
		sysctl afr net/ipv4/conf/rc/forwarding $v
		$TX dst=10.1.0.1 n=20
		$TX dst=10.0.1.1 icmp n=10
		report forwarding $v
		EOT
	done
	finish hits=40
}

# One packet at a time: the kernel limits redirects by time.
redirects() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/conf/all/send_redirects 0
	sysctl afr net/ipv4/conf/rc/send_redirects 0
	ip afr neigh add 10.0.1.3 lladdr 02:00:00:00:01:03 nud permanent dev rc
	ip afr route add 10.70.0.0/16 via 10.0.1.3
	$TX dst=10.70.0.1 n=20
	report quiet
	sysctl afr net/ipv4/conf/rc/send_redirects 1
	$TX dst=10.70.0.1 n=1
	report redirected
	sysctl afr net/ipv4/conf/rc/send_redirects 0
	$TX dst=10.70.0.1 n=20
	EOT
	finish hits=30 punt=redirect:1
}

carrier() {
	topo
	lines <<-EOT
	ip afr route add 10.1.0.0/16 via 10.0.3.2 metric 50
	$TX dst=10.1.0.1 n=20
	report up
	ip af1 link set s0 down
	sleep 1300
	$TX dst=10.1.0.1 n=20
	report lost
	sysctl afr net/ipv4/conf/r1/ignore_routes_with_linkdown 1
	$TX dst=10.1.0.1 n=20
	report lost, and ignored
	sysctl afr net/ipv4/conf/r1/ignore_routes_with_linkdown 0
	$TX dst=10.1.0.1 n=20
	report lost, but not ignored
	ip af1 link set s0 up
	sleep 1300
	$TX dst=10.1.0.1 n=20
	EOT
	finish hits=30
}

device() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	$TX dst=10.1.0.1 len=1200 n=20
	ip afr link set r1 mtu 1000
	$TX dst=10.1.0.1 len=1200 n=20
	$TX dst=10.1.0.1 len=1200 df n=3
	report a smaller MTU
	ip afr link set r1 down
	$TX dst=10.1.0.1 n=20
	report down
	ip afr link set r1 up
	ip afr neigh replace 10.0.2.2 lladdr 02:00:00:00:02:02 nud permanent dev r1
	ip afr route add 10.1.0.0/16 via 10.0.2.2
	$TX dst=10.1.0.1 n=20
	report up
	ip afr link del r1
	$TX dst=10.1.0.1 n=20
	EOT
	finish hits=70
}

# They are not kept, as they become others before anybody tells.
objects() {
	topo
	lines <<-EOT
	ip afr nexthop add id 1 via 10.0.2.2 dev r1
	ip afr route add 10.5.0.0/16 nhid 1
	$TX dst=10.5.0.1 n=20
	ip afr nexthop replace id 1 via 10.0.3.2 dev r2
	$TX dst=10.5.0.1 n=20
	report replaced
	ip afr nexthop replace id 1 blackhole
	$TX dst=10.5.0.1 n=4
	report a blackhole
	ip afr nexthop replace id 1 via 10.0.2.2 dev r1
	$TX dst=10.5.0.1 n=20
	ip afr nexthop del id 1
	$TX dst=10.5.0.1 n=4
	EOT
	finish
}

paths() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	sysctl afr net/ipv4/fib_multipath_hash_policy 1
	ip afr route add 10.5.0.0/16 nexthop via 10.0.2.2 weight 1 nexthop via 10.0.3.2 weight 3
	EOT
	for i in 1 2 3 4 5 6 7 8; do
		echo "$TX dst=10.5.0.1 sport=$i n=5"
	done
	finish
}

# Of the selectors, the first ones are in a flow's key; with one of the others, each
# packet is decided anew.
rules() {
	local sel

	topo
	lines <<-EOT
	sh nsenter --net=/run/netns/afr nft 'add table ip t; add chain ip t p { type filter hook prerouting priority -150; }; add rule ip t p udp sport 1005 meta mark set 5'
	ip afr route add 10.1.0.0/16 via 10.0.3.2 table 77
	EOT
	while read -r sel; do
		lines <<-EOT
		ip afr rule add pref 100 $sel table 77
		$TX dst=10.1.0.1 n=6
		$TX dst=10.1.0.1 sport=1005 n=6
		$TX dst=10.1.0.1 tos=0x10 n=6
		$TX src=10.0.1.200 dst=10.1.0.1 n=6
		$TX dst=10.1.0.1 dport=99 n=6
		report $sel
		ip afr rule del pref 100
		$TX dst=10.1.0.1 n=6
		$TX dst=10.1.0.1 sport=1005 n=6
		report without
		EOT
	done <<-EOT
	fwmark 5
	from 10.0.1.128/25
	to 10.1.0.0/24
	iif rc
	iif r1
	not iif r1
	tos 0x10
	sport 1005
	ipproto udp dport 99
	EOT
	finish hits=100
}

rules_device() {
	topo
	lines <<-EOT
	ip afr route add 10.1.0.0/16 via 10.0.3.2 table 77
	ip afr rule add pref 100 not iif west table 77
	ip afr rule add pref 101 oif r2 table 77
	$TX dst=10.1.0.1 n=10
	report west is nobody
	ip afr link set rc name west
	$TX dst=10.1.0.1 n=10
	report it came by west
	ip afr link set west name rc
	$TX dst=10.1.0.1 n=10
	EOT
	finish hits=20
}

rules_mark() {
	local v

	topo
	lines <<-EOT
	sh nsenter --net=/run/netns/afr nft 'add table ip t; add chain ip t p { type filter hook prerouting priority -150; }; add rule ip t p udp sport 1005 meta mark set 5'
	sysctl afr net/ipv4/conf/rc/rp_filter 1
	ip afr route add 10.90.0.0/16 via 10.0.1.2 table 77
	ip afr rule add pref 100 fwmark 5 to 10.90.0.0/16 table 77
	EOT
	for v in 1 0 1; do
		lines <<-EOT
		sysctl afr net/ipv4/conf/rc/src_valid_mark $v
		$TX src=10.90.0.1 sport=1005 dst=10.1.0.1 n=10
		report src_valid_mark $v
		EOT
	done
	finish hits=15
}

exceptions() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/ip_forward_use_pmtu 1
	sysctl af1 net/ipv4/ip_forward 1
	ip af1 link add d0 mtu 1000 type dummy
	ip af1 link set d0 up
	ip af1 route add 10.1.0.0/24 dev d0
	$TX dst=10.1.0.9 len=1100 df n=20
	$TX dst=10.1.0.10 len=1100 df n=20
	discard
	sock own afr bind=10.0.2.1:999 connect=10.1.0.9:2000
	say own len=1200
	settle
	say own len=900
	read own
	settle
	$TX dst=10.1.0.10 len=900 n=20
	$TX dst=10.1.0.9 len=1100 df n=20
	$TX dst=10.1.0.9 len=900 n=20
	$TX dst=10.1.0.10 len=1100 df n=20
	EOT
	finish hits=30
}

sockets() {
	topo
	lines <<-EOT
	ip afr addr add 10.0.1.99/32 dev lo
	$TX dst=10.0.1.99 n=10
	$TX dst=10.1.0.9 n=10
	report before
	sock con afr bind=10.0.1.99:2000 connect=10.0.1.2:1000
	sock way afr transparent bind=10.1.0.9:2000 connect=10.0.1.2:1000
	$TX dst=10.0.1.99 n=10
	$TX dst=10.1.0.9 n=10
	read con
	read way
	close con
	close way
	report with sockets
	$TX dst=10.1.0.9 n=10
	EOT
	finish punt=early_demux:20 hits=30
}

flows6() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=50
	$TX6 dst=2001:db8:b::1 tcp n=50
	$TX6 dst=2001:db8:2::2 icmp n=20
	$TX6 dst=2001:db8:1::1 icmp n=20
	$TX6 dst=2001:db8:a::1 ttl=1 n=5
	$TX6 dst=2001:db8:a::1 n=20
	EOT
	finish6 min=90 hits=150
}

keys6() {
	topo6
	lines <<-EOT
	$TX6 src=2001:db8:1::3 sstep=1 dst=2001:db8:a::1 n=60
	$TX6 src=2001:db8:1::3 sstep=1 dst=2001:db8:a::1 n=60
	$TX6 dst=2001:db8:a::1 tos=0x10 n=10
	$TX6 dst=2001:db8:a::1 tos=0x13 n=10
	$TX6 dst=2001:db8:a::1 label=5 n=10
	$TX6 dst=2001:db8:a::1 label=6 n=10
	$TX6 dst=2001:db8:a::1 dstep=1 n=60
	$TX6 dst=2001:db8:a::1 dstep=1 n=60
	EOT
	finish6 min=90 hits=120
}

routes6() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=20
	ip afr route replace 2001:db8:a::/48 via 2001:db8:3::2
	$TX6 dst=2001:db8:a::1 n=20
	report replaced
	ip afr route add 2001:db8:a::/64 via 2001:db8:2::2
	$TX6 dst=2001:db8:a::1 n=20
	report a longer one
	ip afr route add unreachable 2001:db8:a::1/128
	$TX6 dst=2001:db8:a::1 n=4
	report rejected
	ip afr route del unreachable 2001:db8:a::1/128
	$TX6 dst=2001:db8:a::1 n=20
	report without it
	ip afr route del 2001:db8:a::/64
	$TX6 dst=2001:db8:a::1 n=20
	report the shorter one again
	ip afr route del 2001:db8:a::/48
	$TX6 dst=2001:db8:a::1 n=4
	report none
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2 metric 50
	$TX6 dst=2001:db8:a::1 n=20
	ip afr route add 2001:db8:a::/48 via 2001:db8:3::2 metric 10
	$TX6 dst=2001:db8:a::1 n=20
	report by metric
	ip afr addr add 2001:db8:a::1/128 dev lo nodad
	ready
	$TX6 dst=2001:db8:a::1 icmp n=10
	report it is here
	ip afr addr del 2001:db8:a::1/128 dev lo
	ready
	$TX6 dst=2001:db8:a::1 icmp n=10
	EOT
	finish6 hits=110
}

forwarding6() {
	local v

	topo6
	for v in 1 0 1; do
		lines <<-EOT
		sysctl afr net/ipv6/conf/all/forwarding $v
		$TX6 dst=2001:db8:a::1 n=20
		$TX6 dst=2001:db8:1::1 icmp n=10
		report forwarding $v
		EOT
	done
	finish6 hits=40
}

carrier6() {
	topo6
	lines <<-EOT
	ip afr route add 2001:db8:a::/48 via 2001:db8:3::2 metric 2000
	$TX6 dst=2001:db8:a::1 n=20
	report up
	ip af1 link set s0 down
	sleep 1300
	$TX6 dst=2001:db8:a::1 n=20
	report lost
	sysctl afr net/ipv6/conf/r1/ignore_routes_with_linkdown 1
	$TX6 dst=2001:db8:a::1 n=20
	report lost, and ignored
	sysctl afr net/ipv6/conf/r1/ignore_routes_with_linkdown 0
	$TX6 dst=2001:db8:a::1 n=20
	report lost, but not ignored
	ip af1 link set s0 up
	sleep 1300
	$TX6 dst=2001:db8:a::1 n=20
	EOT
	finish6 hits=30
}

device6() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2001:db8:a::1 n=20
	ip afr link set r1 down
	$TX6 dst=2001:db8:a::1 n=20
	report down
	ip afr link set r1 up
	ip afr addr add 2001:db8:2::1/64 dev r1 nodad
	ready
	ip afr neigh replace 2001:db8:2::2 lladdr 02:00:00:00:02:02 nud permanent dev r1
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2
	$TX6 dst=2001:db8:a::1 n=20
	report up
	ip afr link del r1
	$TX6 dst=2001:db8:a::1 n=20
	EOT
	finish6 hits=60
}

expires6() {
	topo6
	lines <<-EOT
	ip afr route add 2001:db8:a:5::/64 via 2001:db8:3::2 expires 2
	$TX6 dst=2001:db8:a:5::1 n=20
	report before
	sleep 2500
	$TX6 dst=2001:db8:a:5::1 n=20
	report after
	ip afr route add 2001:db8:a:6::/64 via 2001:db8:3::2
	$TX6 dst=2001:db8:a:6::1 n=20
	ip6 afr route flush cache
	$TX6 dst=2001:db8:a:5::1 n=20
	EOT
	finish6 hits=30
}

objects6() {
	topo6
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	ip6 afr nexthop add id 1 via 2001:db8:2::2 dev r1
	ip6 afr route add 2001:db8:5::/48 nhid 1
	$TX6 dst=2001:db8:5::1 n=20
	ip6 afr nexthop replace id 1 via 2001:db8:3::2 dev r2
	$TX6 dst=2001:db8:5::1 n=20
	report replaced
	ip6 afr route add 2001:db8:6::/48 nexthop via 2001:db8:2::2 weight 1 nexthop via 2001:db8:3::2 weight 3
	$TX6 dst=2001:db8:6::1 dstep=1 n=30
	$TX6 dst=2001:db8:6::1 dstep=1 n=30
	EOT
	finish6
}

rules6() {
	local sel

	topo6
	lines <<-EOT
	sh nsenter --net=/run/netns/afr nft 'add table ip6 t; add chain ip6 t p { type filter hook prerouting priority -150; }; add rule ip6 t p udp sport 1005 meta mark set 5'
	ip afr route add 2001:db8:a::/48 via 2001:db8:3::2 table 77
	EOT
	while read -r sel; do
		lines <<-EOT
		ip6 afr rule add pref 100 $sel table 77
		$TX6 dst=2001:db8:a::1 n=6
		$TX6 dst=2001:db8:a::1 sport=1005 n=6
		$TX6 dst=2001:db8:a::1 tos=0x10 n=6
		$TX6 src=2001:db8:1:0:8000::2 dst=2001:db8:a::1 n=6
		$TX6 dst=2001:db8:a::1 dport=99 n=6
		report $sel
		ip6 afr rule del pref 100
		$TX6 dst=2001:db8:a::1 n=6
		$TX6 dst=2001:db8:a::1 sport=1005 n=6
		report without
		EOT
	done <<-EOT
	fwmark 5
	from 2001:db8:1:0:8000::/65
	to 2001:db8:a::/64
	iif rc
	iif r1
	not iif r1
	tos 0x10
	sport 1005
	EOT
	finish6 hits=80
}

exceptions6() {
	topo6
	lines <<-EOT
	sysctl af1 net/ipv6/conf/all/forwarding 1
	ip af1 link add d0 mtu 1280 type dummy
	ip af1 link set d0 up
	ip af1 route add 2001:db8:a::/64 dev d0
	ready
	$TX6 dst=2001:db8:a::9 len=1300 n=20
	$TX6 dst=2001:db8:a::10 len=1300 n=20
	discard
	sock own afr bind=[2001:db8:2::1]:999 connect=[2001:db8:a::9]:2000
	say own len=1400
	settle
	say own len=900
	read own
	settle
	$TX6 dst=2001:db8:a::10 len=900 n=20
	$TX6 dst=2001:db8:a::9 len=1300 n=20
	$TX6 dst=2001:db8:a::9 len=900 n=20
	$TX6 dst=2001:db8:a::10 len=1300 n=20
	EOT
	finish6 hits=30
}

sockets6() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:1::1 n=10
	report before
	sock con afr bind=[2001:db8:1::1]:2000 connect=[2001:db8:1::2]:1000
	$TX6 dst=2001:db8:1::1 n=10
	read con
	close con
	report with a socket
	$TX6 dst=2001:db8:1::1 n=10
	EOT
	finish6 punt=early_demux:10 hits=15
}

# sends ROUNDS PORT ADDRESS...: datagrams of a new, unconnected socket.
sends() {
	local rounds=$1 port=$2

	shift 2
	echo "sh echo $* | xargs -n 1 | ip netns exec afr $UDP send 53 $rounds $port | grep -v '^#'"
}

# Echo replies and RSTs have no socket; five sockets have one peer.
host_sends() {
	local i

	topo
	for i in 1 2 3 4 5; do
		sends 5 "530$i" 10.1.0.1 10.2.0.1 10.0.2.2
	done
	lines <<-EOT
	report sockets
	$TX dst=10.0.1.1 icmp n=20
	$TX dst=10.0.1.1 tcp dport=9 n=20
	report none
	sock con afr bind=10.0.2.1:999 connect=10.1.0.9:2000
	say con
	close con
	EOT
	finish out_hits=100
}

host_changes() {
	local change i=0

	topo
	while read -r change; do
		[ -z "$change" ] || echo "$change"
		sends 4 $((6000 + i)) 10.1.0.1 10.2.0.1
		i=$((i + 1))
		echo "report $i"
	done <<-EOT

	ip afr route replace 10.1.0.0/16 via 10.0.3.2
	ip afr route add 10.1.0.0/24 via 10.0.2.2
	ip afr route add blackhole 10.1.0.1/32
	ip afr route del blackhole 10.1.0.1/32
	ip afr addr add 10.1.0.1/32 dev lo
	ip afr addr del 10.1.0.1/32 dev lo
	ip afr addr add 10.0.2.77/24 dev r1
	ip afr route replace 10.1.0.0/24 via 10.0.2.2 src 10.0.2.77
	ip afr addr del 10.0.2.77/24 dev r1
	ip afr route replace 10.1.0.0/24 via 10.0.2.2
	ip afr route del 10.1.0.0/24
	ip afr route add unreachable 10.1.0.0/20
	ip afr route del unreachable 10.1.0.0/20
	ip afr route add 10.1.0.0/20 nexthop via 10.0.2.2 nexthop via 10.0.3.2
	ip afr route del 10.1.0.0/20
	ip afr route del 10.1.0.0/16
	ip afr route add 10.1.0.0/16 via 10.0.2.2
	ip afr route add default via 10.0.3.2
	ip afr link set r1 down
	ip afr route add unreachable 10.1.0.0/16 table 77
	ip afr rule add pref 100 to 10.1.0.0/16 table 77
	ip afr rule del pref 100
	EOT
	finish out_hits=90
}

# The second host of a link tells it. What the kernel has learned it forgets after
# gc_timeout, which all namespaces share.
host_redirect() {
	local before

	before=$(cat /proc/sys/net/ipv4/route/gc_timeout)
	topo
	lines <<-EOT
	sysctl af1 net/ipv4/ip_forward 1
	sysctl af1 net/ipv4/conf/all/send_redirects 1
	sysctl af1 net/ipv4/conf/s0/send_redirects 1
	ip af1 neigh add 10.0.2.3 lladdr 02:00:00:00:02:03 nud permanent dev s0
	ip af1 route add 10.1.0.0/16 via 10.0.2.3
	ip afr neigh add 10.0.2.3 lladdr 02:00:00:00:02:03 nud permanent dev r1
	sysctl afr net/ipv4/conf/all/accept_redirects 1
	sysctl afr net/ipv4/conf/r1/accept_redirects 1
	sh echo 2 >/proc/sys/net/ipv4/route/gc_timeout
	EOT
	lines <<-EOT
	sock one afr bind=10.0.2.1:999
	say one to=10.1.0.1:53
	settle
	say one to=10.1.0.1:53
	say one to=10.1.0.1:53
	say one to=10.1.0.1:53
	report redirected
	sleep 2500
	say one to=10.1.0.1:53
	EOT
	echo "sh echo $before >/proc/sys/net/ipv4/route/gc_timeout"
	finish out_hits=2
}

host_exception() {
	topo
	lines <<-EOT
	sysctl af1 net/ipv4/ip_forward 1
	ip af1 link add d0 mtu 1000 type dummy
	ip af1 link set d0 up
	ip af1 route add 10.1.0.0/24 dev d0
	sock one afr bind=10.0.2.1:999
	say one to=10.1.0.9:2000 len=1200
	say one to=10.1.0.10:2000 len=500
	settle
	say one to=10.1.0.9:2000 len=1200
	say one to=10.1.0.10:2000 len=900
	settle
	say one to=10.1.0.9:2000 len=900
	say one to=10.1.0.10:2000 len=1200
	settle
	say one to=10.1.0.10:2000 len=1200
	EOT
	finish
}

host_sends6() {
	local i

	topo6
	for i in 1 2 3 4 5; do
		sends 5 "530$i" 2001:db8:a::1 2001:db8:b::1 2001:db8:2::2
	done
	lines <<-EOT
	report sockets
	$TX6 dst=2001:db8:1::1 tcp dport=9 n=20
	report none
	EOT
	finish6 out_hits=80
}

host_changes6() {
	local change i=0

	topo6
	while read -r change; do
		[ -z "$change" ] || printf '%s\n' "$change" ready
		sends 4 $((6000 + i)) 2001:db8:a::1 2001:db8:b::1
		i=$((i + 1))
		echo "report $i"
	done <<-EOT

	ip afr route replace 2001:db8:a::/48 via 2001:db8:3::2
	ip afr route add 2001:db8:a::/64 via 2001:db8:2::2
	ip afr route add unreachable 2001:db8:a::1/128
	ip afr route del unreachable 2001:db8:a::1/128
	ip afr addr add 2001:db8:a::1/128 dev lo nodad
	ip afr addr del 2001:db8:a::1/128 dev lo
	ip afr addr add 2001:db8:2::77/64 dev r1 nodad
	ip afr addr del 2001:db8:2::77/64 dev r1
	ip afr route del 2001:db8:a::/64
	ip afr route del 2001:db8:a::/48
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2
	ip afr route add ::/0 via 2001:db8:3::2
	ip afr link set r1 down
	ip afr route add unreachable 2001:db8:a::/48 table 77
	ip6 afr rule add pref 100 to 2001:db8:a::/48 table 77
	ip6 afr rule del pref 100
	EOT
	finish6 out_hits=60
}

# counter NAME [6]: of the router's flows, all CPUs; entries are the same on each line.
counter() {
	in_ns afr cat "/proc/net/stat/altfib${2:-}_cache" |
		awk -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
			NR > 1 && (name != "entries" || NR == 2) { print $at }' |
		while read -r hex; do echo $((16#$hex)); done | awk '{ n += $1 } END { print n + 0 }'
}

# expect NAME N [6]: or at least N, as +N.
expect() {
	local n

	n=$(counter "$1" "${3:-}")
	case $2 in
	+*) [ "$n" -ge "${2#+}" ] ;;
	*) [ "$n" = "$2" ] ;;
	esac || fail "$1 is $n, expected $2"
}

set_to() { # SETTING VALUE
	in_ns afr bash -c "echo $2 >$SYS/$1"
}

# made ARM: the topology, without taps.
made() {
	{
		topo_bare
		lines <<-EOT
		ip af1 route add blackhole default metric 1
		arm afr
		EOT
	} | run_scenario "$1"
}

# from_many COUNT [FIRST]: so many flows, of one packet each.
from_many() {
	run_scenario on <<-EOT
	$TX src=${2:-11.0.0.1} sstep=1 dst=10.1.0.1 n=$1
	settle
	EOT
}

refused() { # SETTING VALUE...
	local file=$1 rc=0 bad

	shift
	for bad in "$@"; do
		printf '%s' "$bad" 2>/dev/null >"$SYS/$file" && fail "$file = '$bad' was accepted" && rc=1
	done
	return "$rc"
}

taken() { # SETTING VALUE...
	local file=$1 rc=0 good

	shift
	for good in "$@"; do
		echo "$good" >"$SYS/$file" || rc=1
		[ "$(cat "$SYS/$file")" = "$good" ] || fail "$file is $(cat "$SYS/$file"), not $good" || rc=1
	done
	return "$rc"
}

only_values() {
	local rc=0 file

	[ "$(cat "$SYS/cache")" = nexthop ] || fail "the default is $(cat "$SYS/cache")" || rc=1
	[ "$(cat "$SYS/available_caches")" = "nexthop none flow percpu-flow" ] || rc=1
	refused cache x off 1 "none flow" Flow || rc=1
	taken cache none flow percpu-flow flow none percpu-flow nexthop flow flow nexthop || rc=1
	refused gc_thresh -1 x 1048577 4294967296 && taken gc_thresh 0 1 1048576 4096 || rc=1
	for file in gc_interval gc_timeout; do
		refused "$file" -1 0 x 86401 && taken "$file" 1 86400 || rc=1
	done
	taken gc_interval 60 && taken gc_timeout 300 || rc=1
	refused gc_elasticity 0 1025 x && taken gc_elasticity 1 1024 8 || rc=1
	refused max_size 0 1048577 x && taken max_size 1 1048576 65536 || rc=1
	# With a size that the next cache is made for.
	taken max_size 1 && taken cache flow percpu-flow nexthop && taken max_size 65536 || rc=1
	unshare --user --map-root-user --net sh -c "echo 65536 >$SYS/max_size" 2>/dev/null &&
		fail "a container's root could have that much" && rc=1
	unshare --user --map-root-user --net sh -c "grep -qx 4096 $SYS/max_size && echo flow >$SYS/cache" ||
		fail "a container's root could not have a small one" || rc=1
	return "$rc"
}

# The names of the old rt_cache among them.
only_lnstat() {
	local rc=0 shown name
	local names=(entries in_hit in_slow_tot out_hit out_slow_tot gc_total gc_ignored
		gc_goal_miss gc_dst_overflow in_hlist_search insert uncached evict stale age flush)

	command -v lnstat >/dev/null || fail "needs lnstat (iproute2)" || return 1
	made on+lookup+flow || return 1
	{
		lines <<-EOT
		$TX dst=10.1.0.1 n=1
		settle
		$TX dst=10.1.0.1 n=70
		$TX dst=10.0.1.1 icmp n=30
		settle
		EOT
		sends 20 5301 10.2.0.1
	} | run_scenario on | grep -v 'sent 20$' || true
	# It always exits with 1.
	shown=$(in_ns afr lnstat -f altfib_cache -s 0 -c 1 -i 1 -j -k "$(IFS=,; echo "${names[*]/#/altfib_cache:}")")
	echo "$shown"
	for name in "${names[@]}"; do
		[[ $shown =~ \"$name\":\ *([0-9]+) ]] || fail "$name is not shown" || return 1
		[ "${BASH_REMATCH[1]}" = "$(counter "$name")" ] ||
			fail "$name is ${BASH_REMATCH[1]}, and $(counter "$name") in its file" || rc=1
	done
	expect in_hit +90 && expect out_hit +45 && expect out_slow_tot +1 && expect entries +3 || rc=1
	return "$rc"
}

only_hits() {
	local cache rc=0

	for cache in $FLOWS; do
		made "on+$cache" || return 1
		{
			lines <<-EOT
			$TX dst=10.1.0.1 n=2
			settle
			$TX dst=10.1.0.1 n=1000
			settle
			EOT
		} | run_scenario on
		in_ns afr grep ^cache: /proc/net/altfib/status
		expect in_hit +999 && expect insert 1 && expect entries 1 && expect neighbour 1 || rc=1
		run_scenario on <<-EOT
		$TX dst=10.1.0.1 dstep=1 n=200
		settle
		$TX dst=10.1.0.1 dstep=1 n=200
		settle
		EOT
		# Two of a CPU's places may be one.
		expect in_hit +1190 && expect entries +190 || rc=1
		set_to cache nexthop
		expect entries 0 || rc=1
	done
	return "$rc"
}

only_bound() {
	local cache rc=0 n most pid

	for cache in $FLOWS; do
		made on || return 1
		set_to max_size 512 && set_to gc_elasticity 1024 && set_to cache "$cache" || return 1
		from_many 20000 &
		pid=$!
		most=0
		while kill -0 "$pid" 2>/dev/null; do
			n=$(counter entries)
			[ "$n" -le "$most" ] || most=$n
			sleep 0.02
		done
		wait "$pid" || rc=1
		n=$(counter entries)
		echo "$cache: at most $most flows of 512, $n at the end, $(counter insert) inserts, $(counter evict) evictions, $(counter gc_dst_overflow) not kept"
		[ "$most" -le 512 ] && [ "$n" -le 512 ] && [ "$n" -ge 1 ] && [ "$most" -ge 200 ] || rc=1
		expect insert +5000 && expect evict +5000 || rc=1
		# No chain is longer than it may be.
		set_to max_size 65536 && set_to gc_elasticity 1
		from_many 2000 12.0.0.1 || rc=1
	done
	# The second one has but 512 places, the first one 32 chains of two.
	set_to cache nexthop && set_to max_size 512 && set_to cache flow && set_to max_size 65536 || rc=1
	from_many 5000 13.0.0.1 || rc=1
	n=$(counter entries)
	echo "elasticity 1, 32 chains: $n flows"
	[ "$n" -le 64 ] && [ "$n" -ge 32 ] || rc=1
	return "$rc"
}

# until_counter SECONDS NAME N: until it is N or less.
until_counter() {
	local i

	for ((i = 0; i < $1 * 10; i++)); do
		[ "$(counter "$2")" -gt "$3" ] || return 0
		sleep 0.1
	done
	fail "$2 is still $(counter "$2") after $1 s"
}

only_pressure() {
	local rc=0 before

	made on || return 1
	set_to gc_thresh 1000 && set_to gc_elasticity 1024 && set_to cache flow || return 1
	from_many 800 || rc=1
	sleep 3
	# A collection of these leaves the old ones, since they are not too many.
	expect entries +790 && expect gc_total 0 || rc=1
	from_many 700 12.0.0.1 || rc=1
	until_counter 10 entries 1000 || rc=1
	expect gc_total +1 && expect gc_run +1 || rc=1
	before=$(counter in_hit)
	from_many 700 12.0.0.1 || rc=1
	echo "$(counter entries) flows, $(($(counter in_hit) - before)) of the 700 younger ones, $(counter gc_total) times too many, $(counter gc_ignored) ignored, $(counter gc_run) collections"
	[ $(($(counter in_hit) - before)) -ge 690 ] || rc=1
	# Down to gc_thresh, and no further.
	expect age +450 || rc=1
	# And less at once, if asked for.
	set_to max_size 100 || rc=1
	until_counter 10 entries 100 || rc=1
	return "$rc"
}

only_age() {
	local cache rc=0

	for cache in $FLOWS; do
		made on || return 1
		set_to gc_timeout 2 && set_to gc_interval 1 && set_to cache "$cache" || return 1
		from_many 300 || rc=1
		sleep 1
		expect entries +200 || rc=1
		until_counter 10 entries 0 || rc=1
		expect age +200 || rc=1
		echo "$cache: $(counter age) aged, $(counter gc_run) collections"
		# What changes is not used any more, and goes at once when somebody looks.
		from_many 100 || rc=1
		in_ns afr ip route add 10.77.0.0/16 via 10.0.2.2
		until_counter 10 entries 0 || rc=1
		expect stale +50 || rc=1
	done
	return "$rc"
}

only_device_gone() {
	local cache rc=0 begin

	for cache in $FLOWS; do
		made "on+$cache" || return 1
		run_scenario on <<-EOT || rc=1
		$TX src=11.0.0.1 sstep=1 dst=10.1.0.1 n=500
		$TX6 dst=2001:db8:a::1 n=1
		settle
		EOT
		expect entries +300 || rc=1
		begin=${EPOCHREALTIME/./}
		in_ns afr ip link del r1 || rc=1
		echo "$cache: removed in $(((${EPOCHREALTIME/./} - begin) / 1000)) ms, $(counter flush) flows dropped"
		# Told by the device's end itself, and not by a collector.
		expect entries 0 && expect flush +300 || rc=1
	done
	FAMILY=6
	for cache in $FLOWS; do
		made6 "on+$cache" || return 1
		run_scenario on <<-EOT || rc=1
		$TX6 dst=2001:db8:a::1 dstep=1 n=2
		$TX6 src=2001:db8:1::5 sstep=1 dst=2001:db8:a::1 n=500
		settle
		EOT
		expect entries +300 6 || rc=1
		in_ns afr ip link del r1 || rc=1
		expect entries 0 6 && expect flush +300 6 || rc=1
	done
	sleep 2
	dmesg | tail -n 50 | grep 'to become free' && rc=1
	return "$rc"
}

made6() {
	{
		topo_bare
		lines <<-EOT
		arm afr
		ready
		EOT
	} | run_scenario "$1"
}

only_namespace_gone() {
	local cache rc=0 i

	for i in 1 2 3; do
		for cache in $FLOWS; do
			use_family 6
			made6 "on+$cache" || return 1
			run_scenario on <<-EOT || rc=1
			ip afr addr add 10.0.1.1/24 dev rc
			$TX6 src=2001:db8:1::5 sstep=1 dst=2001:db8:a::1 n=200
			settle
			EOT
			use_family 4
			echo "netns-del $NAMESPACES" | "$PROBE" none
		done
	done
	sleep 2
	dmesg | tail -n 50 | grep 'to become free' && rc=1
	return "$rc"
}

# traffic ARM: with taps, and a flood of so many flows.
traffic() { # FLOWS
	topo_bare
	lines <<-EOT
	arm afr
	tap s1 af1 s0
	tap s2 af2 s0
	$([ "$FAMILY" = 4 ] || echo ready)
	$ALTFIB afr begin
	watch
	flood sender afc c0 pps=${ALTFIB_PPS:-3000} dmac=$RMAC src=$SRC dst=$HOST1 dstep=1 n=$1
	progress 100
	EOT
}

quiet() {
	lines <<-EOT
	flood-end
	sleep 200
	watch-end
	$ALTFIB afr end $*
	EOT
}

only_switches() {
	local i n=${ALTFIB_SWITCHES:-200} family
	local names=(flow percpu-flow none nexthop flow none percpu-flow nexthop percpu-flow flow)

	for family in 4 6; do
		use_family "$family"
		{
			traffic 5
			for ((i = 0; i < n; i++)); do
				echo "altfib-set afr net/altfib/cache ${names[i % 10]}"
				echo "progress 20"
			done
			echo "flow s1 200"
			quiet min=90
			echo "lost sender s1"
		} | run_scenario on || return 1
		in_ns afr grep 'cache:' /proc/net/altfib/status
		[ "$(counter insert "${family#4}")" -ge $((n / 10)) ] || return 1
	done
}

only_changes() {
	local i family cache rc=0 verified

	for family in 4 6; do
		for cache in $FLOWS; do
			use_family "$family"
			{
				traffic 4
				for ((i = 0; i < ${ALTFIB_CHANGES:-150}; i++)); do
					address $((2 + i % 2)) 2
					echo "ip afr route replace $NET1 via $ADDRESS"
					echo "progress 20"
					[ $((i % 10)) != 0 ] || lines <<-EOT
					ip afr route add $HOST1$ONE via $GW2
					progress 20
					ip afr route del $HOST1$ONE
					EOT
				done
				echo "flow s2 100"
				quiet min=50
			} | run_scenario "verify+$cache" || rc=1
			verified=$(counter verified "${family#4}")
			echo "IPv$family $cache: $verified hits compared"
			[ "$verified" -ge $((${ALTFIB_CHANGES:-150} * 6)) ] || rc=1
			in_ns afr grep 'verified:' /proc/net/altfib/status | sed -n "$((family / 2 - 1))p"
			[ "$(in_ns afr cat "$SYS/mode")" = verify ] || fail "the mode is $(in_ns afr cat "$SYS/mode")" || rc=1
		done
	done
	return "$rc"
}

only_unload() {
	local cache rc=0 family

	for family in 4 6; do
		for cache in $FLOWS none; do
			use_family "$family"
			altfib_loaded || insert_altfib || return 1
			{
				traffic 100
				lines <<-EOT
				flow s1 200
				sh rmmod altfib
				flow s1 200
				sh insmod $ALTFIB_KO
				flow s1 100
				flood-end
				sleep 100
				watch-end
				EOT
			} | run_scenario "on+$cache" || rc=1
			altfib_loaded || fail "it is not back" || rc=1
		done
	done
	altfib_loaded || insert_altfib
	return "$rc"
}

# That module takes TEST-NET-3 for TEST-NET-2, and 2001:db8:600d:: for 2001:db8:bad::. The
# sample begins when the flow is known, so what is compared is what was kept.
only_corrupt() {
	local rc=0 cache family good bad send n

	[ -n "${ALTFIB_KO_CORRUPT:-}" ] || fail "set ALTFIB_KO_CORRUPT=path/to/the/corrupt/altfib.ko" || return 1
	rmmod altfib && insmod "$ALTFIB_KO_CORRUPT" || return 1
	for family in 4 6; do
		use_family "$family"
		if [ "$family" = 4 ]; then
			bad=198.51.100.1 good=203.0.113.1 send=$TX
			routes=("203.0.113.0/24 via 10.0.2.2" "198.51.100.0/24 via 10.0.3.2")
		else
			bad=2001:db8:bad::1 good=2001:db8:600d::1 send=$TX6
			routes=("2001:db8:600d::/48 via 2001:db8:2::2" "2001:db8:bad::/48 via 2001:db8:3::2")
		fi
		for cache in $FLOWS; do
			{
				topo_bare
				lines <<-EOT
				ip afr route add ${routes[0]}
				ip afr route add ${routes[1]}
				arm afr
				$([ "$family" = 4 ] || echo ready)
				$send dst=$good n=3
				$send dst=$bad n=3
				settle
				EOT
			} | run_scenario "on+$cache" || rc=1
			expect entries +1 "${family#4}" || rc=1
			expect verified 0 "${family#4}" || rc=1
			set_to verify_sample 1
			echo "$send dst=$bad n=1" | run_scenario on
			for ((n = 0; n < 50; n++)); do
				[ "$(in_ns afr cat "$SYS/mode")" = off ] && break
				sleep 0.1
			done
			in_ns afr cat /proc/net/altfib/mismatches | tail -n 1
			expect verified +1 "${family#4}" || rc=1
			[ "$(in_ns afr cat "$SYS/mode")" = off ] || fail "nobody noticed" || rc=1
		done
	done
	echo "netns-del $NAMESPACES" | "$PROBE" none
	rmmod altfib
	insert_altfib || return 1
	return "$rc"
}

# Fewer of them, for a slow kernel.
if [ -n "${ALTFIB_CACHES:-}" ]; then
	for i in "${!ALL_TESTS[@]}"; do
		[[ " $ALTFIB_CACHES " == *" ${ALL_TESTS[i]%%:*} "* ]] || unset "ALL_TESTS[i]"
	done
fi
tests_run "$@"
