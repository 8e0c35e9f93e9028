#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Route changes between packets: once a command has returned, no packet may be
# sent by the route that was. (changes.sh does it while packets are in flight.)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"add_delete: a route comes and goes"
	"more_specific: a more specific route comes and goes"
	"replace: ip route replace to another device and back"
	"change: ip route change of the gateway on the same device"
	"append_prepend: append and prepend to a prefix"
	"default_change: the default route changes three times"
	"type_change: unicast, blackhole, unreachable and back"
	"metric_change: a better metric comes and goes"
	"tos_change: a route with a TOS comes and goes"
	"multipath_change: one next hop, two, then one again"
	"nexthop_object: a nexthop object is replaced and deleted"
	"nexthop_group: a route over a nexthop group, then over one"
	"mtu_metric_change: the mtu metric of a route changes"
	"flush: ip route flush of the whole table"
	"many: 600 routes added, half deleted, all replaced"
	"host_route_host: /32 routes beside each other"
	"cover_removed: the covering route goes, the inner stays"
	"zero_and_32: the default route and 0.0.0.0/1, 128.0.0.0/1"
	"local_over_main: an address appears inside a routed prefix"
	"connected_route: the prefix route of an address is replaced"
	"rule_then_route: routes change after a policy rule was added and removed"
)

S="dst=10.5.0.1 n=50"

add_delete() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	$TX $S
	report before
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	$TX $S
	report added
	ip afr route del 10.5.0.0/16
	$TX $S
	report deleted
	ip afr route del default
	$TX dst=10.5.0.1 n=4
	EOT
	finish min=90
}

more_specific() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	$TX $S
	report before
	ip afr route add 10.5.0.0/24 via 10.0.3.2
	$TX $S
	report /24
	ip afr route add 10.5.0.1/32 via 10.0.2.2
	$TX $S
	report /32
	ip afr route del 10.5.0.0/24
	$TX $S
	report without /24
	ip afr route del 10.5.0.1/32
	ip afr route add 10.5.0.0/25 via 10.0.3.2
	$TX $S
	report /25
	ip afr route del 10.5.0.0/25
	$TX $S
	EOT
	finish min=90
}

replace() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	$TX $S
	report first
	ip afr route replace 10.5.0.0/16 via 10.0.3.2
	$TX $S
	report second
	ip afr route replace 10.5.0.0/16 via 10.0.2.2
	$TX $S
	EOT
	finish min=90
}

change() {
	topo
	gateways r1 100 3 2
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.100
	$TX $S
	ip afr route change 10.5.0.0/16 via 10.0.2.101
	$TX $S
	ip afr route change 10.5.0.0/16 via 10.0.2.102
	$TX $S
	ip afr route change 10.5.0.0/16 via 10.0.2.100
	$TX $S
	EOT
	finish min=90
}

append_prepend() {
	topo
	gateways r1 100 3 2
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.100
	$TX $S
	ip afr route append 10.5.0.0/16 via 10.0.2.101
	$TX $S
	ip afr route prepend 10.5.0.0/16 via 10.0.2.102
	$TX $S
	report appended and prepended
	ip afr route del 10.5.0.0/16 via 10.0.2.102
	$TX $S
	report prepended is gone
	ip afr route del 10.5.0.0/16 via 10.0.2.100
	$TX $S
	EOT
	finish min=90
}

default_change() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.2.2
	$TX $S
	report first
	ip afr route replace default via 10.0.3.2
	$TX $S
	report second
	ip afr route add default via 10.0.2.2 metric 100
	$TX $S
	report with a spare
	ip afr route del default via 10.0.3.2
	$TX $S
	EOT
	finish min=90
}

type_change() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	$TX $S
	report unicast
	ip afr route replace blackhole 10.5.0.0/16
	$TX $S
	report blackhole
	ip afr route replace unreachable 10.5.0.0/16
	$TX dst=10.5.0.1 n=4
	report unreachable
	ip afr route replace 10.5.0.0/16 via 10.0.3.2
	$TX $S
	EOT
	finish min=60
}

metric_change() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.2 metric 100
	$TX $S
	report 100
	ip afr route add 10.5.0.0/16 via 10.0.3.2 metric 50
	$TX $S
	report 100 and 50
	ip afr route add blackhole 10.5.0.0/16 metric 10
	$TX $S
	report 100, 50 and 10
	ip afr route del blackhole 10.5.0.0/16 metric 10
	$TX $S
	report 100 and 50 again
	ip afr route del 10.5.0.0/16 metric 50
	$TX $S
	EOT
	finish min=70
}

tos_change() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	$TX $S tos=0x10
	report without
	ip afr route add 10.5.0.0/16 tos 0x10 via 10.0.3.2
	$TX $S tos=0x10
	$TX $S
	report with
	ip afr route del 10.5.0.0/16 tos 0x10
	$TX $S tos=0x10
	$TX $S
	EOT
	finish
}

multipath_change() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	$TX dst=10.5.0.1 dstep=1 n=50
	report one
	ip afr route replace 10.5.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2
	$TX dst=10.5.0.1 dstep=1 n=50
	report two
	ip afr route replace 10.5.0.0/16 via 10.0.3.2
	$TX dst=10.5.0.1 dstep=1 n=50
	EOT
	finish min=80
}

nexthop_object() {
	topo
	lines <<-EOT
	ip afr nexthop add id 1 via 10.0.2.2 dev r1
	ip afr nexthop add id 2 via 10.0.3.2 dev r2
	ip afr nexthop add id 3 blackhole
	ip afr route add 10.5.0.0/16 nhid 1
	ip afr route add 10.6.0.0/16 nhid 1
	$TX $S
	$TX dst=10.6.0.1 n=50
	report id 1 to r1
	ip afr nexthop replace id 1 via 10.0.3.2 dev r2
	$TX $S
	$TX dst=10.6.0.1 n=50
	report id 1 to r2
	ip afr route replace 10.6.0.0/16 nhid 3
	$TX $S
	$TX dst=10.6.0.1 n=50
	report 10.6/16 to the blackhole
	ip afr nexthop replace id 1 blackhole
	$TX $S
	report id 1 to the blackhole
	ip afr nexthop replace id 1 via 10.0.2.2 dev r1
	$TX $S
	report id 1 to r1 again
	ip afr nexthop del id 1
	$TX dst=10.5.0.1 n=4
	EOT
	finish
}

nexthop_group() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	ip afr nexthop add id 1 via 10.0.2.2 dev r1
	ip afr nexthop add id 2 via 10.0.3.2 dev r2
	ip afr nexthop add id 10 group 1/2
	ip afr route add 10.5.0.0/16 nhid 10
	$TX dst=10.5.0.1 dstep=1 n=50
	report group of two
	ip afr nexthop replace id 10 group 2
	$TX dst=10.5.0.1 dstep=1 n=50
	report group of one
	ip afr nexthop replace id 10 group 1
	$TX dst=10.5.0.1 dstep=1 n=50
	report group of the other
	ip afr nexthop del id 1
	$TX dst=10.5.0.1 n=4
	EOT
	finish
}

mtu_metric_change() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	$TX $S len=1200 df
	report 1500
	ip afr route replace 10.5.0.0/16 via 10.0.2.2 mtu lock 1000
	$TX $S len=1200 df
	report 1000
	ip afr route replace 10.5.0.0/16 via 10.0.2.2
	$TX $S len=1200 df
	EOT
	finish min=90
}

flush() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	$TX $S
	report before
	ip afr route flush table main
	$TX dst=10.5.0.1 n=4
	$TX dst=10.0.1.1 icmp n=20
	report flushed
	ip afr route add 10.0.2.0/24 dev r1
	ip afr route add 10.0.1.0/24 dev rc
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	$TX $S
	EOT
	finish
}

many() {
	local i

	topo
	for ((i = 0; i < 600; i++)); do
		echo "ip afr route add 10.5.$((i / 4)).$((i % 4 * 64))/26 via 10.0.$((2 + i % 2)).2"
	done
	echo "$TX dst=10.5.0.1 dstep=64 n=600"
	echo "report added"
	for ((i = 0; i < 600; i += 2)); do
		echo "ip afr route del 10.5.$((i / 4)).$((i % 4 * 64))/26"
	done
	echo "ip afr route add default via 10.0.2.2"
	echo "$TX dst=10.5.0.1 dstep=64 n=600"
	echo "report half"
	for ((i = 0; i < 600; i++)); do
		echo "ip afr route replace 10.5.$((i / 4)).$((i % 4 * 64))/26 via 10.0.$((2 + i % 3 / 2)).2"
	done
	echo "$TX dst=10.5.0.1 dstep=64 n=600"
	finish min=90
}

host_route_host() {
	local i

	topo
	for ((i = 0; i < 64; i++)); do
		echo "ip afr route add 10.5.0.$i/32 via 10.0.$((2 + i * 7 % 5 % 2)).2"
	done
	echo "$TX dst=10.5.0.0 dstep=1 n=64"
	echo "ip afr route del 10.5.0.31/32"
	echo "ip afr route del 10.5.0.32/32"
	echo "ip afr route add 10.5.0.0/26 via 10.0.3.2"
	echo "$TX dst=10.5.0.0 dstep=1 n=64"
	finish min=90
}

cover_removed() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	ip afr route add 10.5.1.0/24 via 10.0.3.2
	$TX dst=10.5.1.1 n=50
	$TX $S
	report both
	ip afr route del 10.5.0.0/16
	$TX dst=10.5.1.1 n=50
	$TX dst=10.5.0.1 n=2
	$TX dst=10.5.2.1 n=2
	EOT
	finish min=90
}

zero_and_32() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.2.2
	ip afr route add 128.0.0.0/1 via 10.0.3.2
	$TX dst=127.255.255.255 n=4
	$TX dst=128.0.0.0 n=50
	$TX dst=223.255.255.255 n=50
	$TX dst=1.0.0.0 n=50
	report with 128/1
	ip afr route add 0.0.0.0/1 via 10.0.3.2
	$TX dst=1.0.0.0 n=50
	report with 0/1
	ip afr route del 128.0.0.0/1
	$TX dst=128.0.0.0 n=50
	$TX dst=223.255.255.255 n=50
	EOT
	finish min=85
}

local_over_main() {
	topo
	lines <<-EOT
	$TX dst=10.1.7.7 icmp n=50
	report routed
	ip afr addr add 10.1.7.7/32 dev r2
	$TX dst=10.1.7.7 icmp n=50
	report local
	ip afr addr del 10.1.7.7/32 dev r2
	$TX dst=10.1.7.7 icmp n=50
	report routed again
	ip afr addr add 10.1.7.7/24 brd + dev r2
	$TX dst=10.1.7.7 icmp n=50
	$TX dst=10.1.7.255 n=4
	EOT
	finish min=80
}

connected_route() {
	topo
	lines <<-EOT
	ip afr neigh add 10.0.2.9 lladdr 02:00:00:00:02:09 nud permanent dev r1
	$TX dst=10.0.2.9 n=50
	report connected
	ip afr route replace 10.0.2.0/24 via 10.0.3.2
	$TX dst=10.0.2.9 n=50
	$TX dst=10.1.0.1 n=50
	report replaced
	ip afr route replace 10.0.2.0/24 dev r1 src 10.0.2.1
	$TX dst=10.0.2.9 n=50
	EOT
	finish min=90
}

rule_then_route() {
	topo
	lines <<-EOT
	$TX $S
	ip afr rule add from 10.0.1.0/25 table 77
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	ip afr route add 10.5.0.0/16 via 10.0.3.2 table 77
	$TX $S
	report rule
	ip afr rule del from 10.0.1.0/25 table 77
	$TX $S
	report rule gone
	ip afr route replace 10.5.0.0/16 via 10.0.3.2
	$TX $S
	ip afr route del 10.5.0.0/16
	$TX dst=10.5.0.1 n=2
	EOT
	finish
}

tests_run "$@"
