#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# IPv6: policy rules, the tables that they lead to, and VRFs.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"rule: a policy rule that overrides the main table"
	"rules: rules of all kinds, some for these packets, some not"
	"rules_marked: rules that look at the mark that netfilter set"
	"rules_ports: rules that look at protocols and ports"
	"rules_multipath: several paths, and rules that look at ports"
	"suppress: the main table without its default route, and another one behind it"
	"suppress_others: prefix lengths and device groups that a rule suppresses"
	"rejects: reject routes of a rule's table, and rules that reject"
	"throw_on: routes that lead back to the rules"
	"jumps: rules that jump, and to where no rule is yet"
	"many: more tables than altfib follows"
	"tables_change: routes of another table come, change and go under traffic"
	"local_rule_gone: the local table's rule is deleted, and comes behind the others"
	"vrf: router devices in a VRF"
	"vrf_two: the same addresses in two VRFs"
	"vrf_leak: from a VRF to the main table, and back"
	"vrf_local: packets for a VRF's own addresses, and a local socket"
	"vrf_moved: a device changes its VRF under traffic"
)

rule() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=20
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:3::2 table 77
	ip6 afr rule add from 2001:db8:1::/112 table 77
	$TX6 dst=2001:db8:a::1 n=20
	send afc c0 dmac=$RMAC src=2001:db8:1:0:1::2 dst=2001:db8:a::1 n=20
	ip6 afr rule del from 2001:db8:1::/112 table 77
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:1::1 n=20 icmp
	audit afr
	EOT
	finish6 min=90
}

rules() {
	local sel

	topo6
	lines <<-EOT
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:3::2 table 77
	$TX6 dst=2001:db8:a::1 n=5
	EOT
	while read -r sel; do
		lines <<-EOT
		ip6 afr rule add $sel
		$TX6 dst=2001:db8:a::1 n=6
		$TX6 dst=2001:db8:a::1 tclass=0x10 n=6
		$TX6 dst=2001:db8:a::1 label=7 n=6
		$TX6 dst=2001:db8:b::1 n=6
		$TX6 dst=2001:db8:1::1 n=2
		send afc c0 dmac=$RMAC src=2001:db8:1:0:8000::9 dst=2001:db8:a::1 n=6
		report $sel
		ip6 afr rule del $sel
		EOT
	done <<-EOT
	pref 100 from 2001:db8:1:0:8000::/65 table 77
	pref 100 from 2001:db8:9::/48 table 77
	pref 100 to 2001:db8:a::/48 table 77
	pref 100 to 2001:db8:7::/48 table 77
	pref 100 iif rc table 77
	pref 100 iif r1 table 77
	pref 100 iif nowhere table 77
	pref 100 oif r1 table 77
	pref 100 fwmark 1 table 77
	pref 100 fwmark 0/1 table 77
	pref 100 tos 0x10 table 77
	pref 100 not from 2001:db8:1:0:8000::/65 table 77
	pref 100 not from 2001:db8::/32 table 77
	pref 100 not iif r1 table 77
	pref 100 from 2001:db8:1:0:8000::/65 blackhole
	pref 100 from 2001:db8:1:0:8000::/65 goto 32766
	pref 100 from 2001:db8:9::/48 prohibit
	pref 32767 from all table 77
	pref 32765 from all lookup main suppress_prefixlength 47
	pref 100 ipproto tcp table 77
	EOT
	lines <<-EOT
	ip6 afr rule add pref 32765 from 2001:db8:1:0:8000::/65 table 77
	ip6 afr rule add pref 32764 to 2001:db8:b::/48 table 77
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:b::1 n=20
	EOT
	finish6 min=75
}

rules_marked() {
	topo6
	lines <<-EOT
	sh nsenter --net=/run/netns/afr nft 'add table ip6 t; add chain ip6 t p { type filter hook prerouting priority -150; }; add rule ip6 t p ip6 flowlabel 5 meta mark set 5; add rule ip6 t p ip6 flowlabel 6 meta mark set 6'
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:3::2 table 77
	ip6 afr rule add pref 100 fwmark 5 table 77
	ip6 afr rule add pref 101 fwmark 0x6/0xe prohibit
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:a::1 label=5 n=20
	$TX6 dst=2001:db8:a::1 label=6 n=6
	$TX6 dst=2001:db8:1::1 label=5 icmp n=20
	EOT
	finish6 min=80
}

rules_ports() {
	local sel

	topo6
	echo "ip6 afr route add 2001:db8:a::/48 via 2001:db8:3::2 table 77"
	while read -r sel; do
		lines <<-EOT
		ip6 afr rule add $sel
		$TX6 dst=2001:db8:a::1 sport=1000 dport=2000 n=6
		$TX6 dst=2001:db8:a::1 sport=1000 dport=2001 n=6
		$TX6 dst=2001:db8:a::1 sport=1000 dport=2000 ext=dst n=6
		$TX6 dst=2001:db8:a::1 sport=999 dport=2000 tcp n=6
		$TX6 dst=2001:db8:a::1 mf len=1400 dport=2000 n=6
		$TX6 dst=2001:db8:a::1 frag=1408 n=6
		$TX6 dst=2001:db8:a::1 icmp n=4
		$TX6 dst=2001:db8:1::1 sport=1000 dport=2000 n=2
		report $sel
		ip6 afr rule del $sel
		EOT
	done <<-EOT
	pref 100 ipproto udp table 77
	pref 100 ipproto tcp table 77
	pref 100 ipproto ipv6-icmp table 77
	pref 100 ipproto udp dport 2000 table 77
	pref 100 ipproto udp dport 2001-2100 table 77
	pref 100 ipproto udp sport 1000 table 77
	pref 100 not ipproto udp sport 1000 table 77
	pref 100 dport 2000 from 2001:db8:1::/64 table 77
	EOT
	finish6 min=60
}

rules_multipath() {
	local policy

	topo6
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	ip6 afr route add 2001:db8:5::/48 table 77 nexthop via 2001:db8:2::2 nexthop via 2001:db8:3::2
	ip6 afr rule add pref 100 iif rc table 77
	EOT
	for policy in 0 1 2; do
		lines <<-EOT
		sysctl afr net/ipv6/fib_multipath_hash_policy $policy
		$TX6 dst=2001:db8:5::1 lstep=1 n=40
		$TX6 dst=2001:db8:5::1 dstep=1 dport=2001 n=40
		ip6 afr rule add pref 99 ipproto udp dport 2001 table 77
		$TX6 dst=2001:db8:5::1 lstep=1 n=20
		$TX6 dst=2001:db8:5::1 dstep=1 dport=2001 n=20
		$TX6 dst=2001:db8:a::1 n=20
		ip6 afr rule del pref 99
		report policy $policy
		EOT
	done
	finish6 min=60
}

# As WireGuard's wg-quick does it.
suppress() {
	topo6
	lines <<-EOT
	ip6 afr route add default via 2001:db8:2::2
	ip6 afr route add default via 2001:db8:3::2 table 51820
	ip6 afr rule add pref 100 not fwmark 0xca6c table 51820
	ip6 afr rule add pref 99 table main suppress_prefixlength 0
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:b::1 n=20
	$TX6 dst=2600::1 n=20
	$TX6 dst=2001:db8:1::1 n=10
	audit afr
	ip6 afr route del default via 2001:db8:3::2 table 51820
	$TX6 dst=2600::1 n=20
	ip6 afr rule del pref 99
	$TX6 dst=2600::1 n=20
	audit afr
	EOT
	finish6 min=80
}

suppress_others() {
	local sel

	topo6
	lines <<-EOT
	ip6 afr route add 2001:db8:a::/64 via 2001:db8:3::2 table 77
	ip6 afr route add 2001:db8:a:1::1 via 2001:db8:3::2 table 77
	ip6 afr route add default via 2001:db8:3::2 table 77
	ip6 afr route add unreachable 2001:db8:77::/48 table 77
	ip afr link set r2 group 7
	EOT
	while read -r sel; do
		lines <<-EOT
		ip6 afr rule add pref 100 table 77 $sel
		$TX6 dst=2001:db8:a::1 n=6
		$TX6 dst=2001:db8:a:1::1 n=6
		$TX6 dst=2001:db8:b::1 n=6
		$TX6 dst=2001:db8:77::1 n=4
		report $sel
		ip6 afr rule del pref 100
		EOT
	done <<-EOT
	suppress_prefixlength 0
	suppress_prefixlength 47
	suppress_prefixlength 64
	suppress_prefixlength 127
	suppress_prefixlength 128
	suppress_ifgroup 7
	suppress_ifgroup 8
	EOT
	finish6 punt=rules:20
}

rejects() {
	local type

	topo6
	for type in unreachable prohibit blackhole throw; do
		lines <<-EOT
		ip6 afr route add default via 2001:db8:3::2 table 77
		ip6 afr route add $type 2001:db8:a:1::/64 table 77
		ip6 afr rule add pref 100 table 77
		$TX6 dst=2001:db8:a:1::1 n=6
		$TX6 dst=2001:db8:a:2::1 n=6
		ip6 afr rule del pref 100
		$TX6 dst=2001:db8:a:1::1 n=6
		report a route: $type
		ip6 afr route flush table 77
		EOT
	done
	for type in unreachable prohibit blackhole; do
		lines <<-EOT
		ip6 afr rule add pref 100 to 2001:db8:a:1::/64 $type
		$TX6 dst=2001:db8:a:1::1 n=6
		$TX6 dst=2001:db8:a:2::1 n=6
		report a rule: $type
		ip6 afr rule del pref 100
		EOT
	done
	echo "audit afr"
	finish6 min=40
}

throw_on() {
	topo6
	lines <<-EOT
	ip6 afr route add default via 2001:db8:3::2 table 77
	ip6 afr route add throw 2001:db8:a::/48 table 77
	ip6 afr route add throw 2001:db8:78::/48 table 78
	ip6 afr route add 2001:db8:78::/49 via 2001:db8:2::2 table 78
	ip6 afr rule add pref 99 table 78
	ip6 afr rule add pref 100 table 77
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:b::1 n=20
	$TX6 dst=2001:db8:78::1 n=20
	$TX6 dst=2001:db8:78:8000::1 n=20
	ip6 afr route del throw 2001:db8:a::/48 table 77
	$TX6 dst=2001:db8:a::1 n=20
	audit afr
	EOT
	finish6 min=50
}

jumps() {
	topo6
	lines <<-EOT
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:3::2 table 77
	ip6 afr rule add pref 100 from 2001:db8:1::/64 goto 300
	ip6 afr rule add pref 200 table 77
	$TX6 dst=2001:db8:a::1 n=20
	ip6 afr rule add pref 300 from all nop
	$TX6 dst=2001:db8:a::1 n=20
	ip6 afr rule add pref 301 from 2001:db8:1::2 goto 400
	ip6 afr rule add pref 302 to 2001:db8:b::/48 unreachable
	ip6 afr rule add pref 400 to 2001:db8:a::/64 table 77
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:a:1::1 n=20
	$TX6 dst=2001:db8:b::1 n=20
	ip6 afr rule del pref 300
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:b::1 n=20
	EOT
	finish6 min=85
}

many() {
	local i

	topo6
	for ((i = 1; i <= 6; i++)); do
		echo "ip6 afr rule add pref $((100 + i)) table $((1000 + i))"
	done
	echo "$TX6 dst=2001:db8:a::1 n=20"
	for (( ; i <= 12; i++)); do
		echo "ip6 afr rule add pref $((100 + i)) table $((1000 + i))"
	done
	echo "$TX6 dst=2001:db8:a::1 n=20"
	echo "ip6 afr route add 2001:db8:a::/48 via 2001:db8:3::2 table 1003"
	echo "$TX6 dst=2001:db8:a::1 n=20"
	echo "ip6 afr route add 2001:db8:b::/48 via 2001:db8:2::2 table 1011"
	echo "$TX6 dst=2001:db8:b::1 n=20"
	finish6 min=20 punt=rules:30
}

tables_change() {
	local i

	topo6
	lines <<-EOT
	ip6 afr rule add pref 100 from 2001:db8:1::/64 table 77
	ip6 afr rule add pref 101 table 78
	EOT
	for ((i = 0; i < 20; i++)); do
		lines <<-EOT
		ip6 afr route add 2001:db8:a:$i::/64 via 2001:db8:3::2 table 77
		ip6 afr route add 2001:db8:a:$i::7 via 2001:db8:2::2 table $((77 + i % 2))
		$TX6 dst=2001:db8:a:$i::1 n=6
		$TX6 dst=2001:db8:a:$i::7 n=6
		ip6 afr route replace 2001:db8:a:$i::/64 via 2001:db8:2::2 table 77
		$TX6 dst=2001:db8:a:$i::1 n=6
		ip6 afr route del 2001:db8:a:$i::7 table $((77 + i % 2))
		$TX6 dst=2001:db8:a:$i::7 n=6
		EOT
	done
	lines <<-EOT
	audit afr
	ip6 afr route flush table 77
	$TX6 dst=2001:db8:a:3::1 n=20
	audit afr
	EOT
	finish6 min=75
}

local_rule_gone() {
	topo6
	lines <<-EOT
	ip6 afr rule add pref 200 table local
	ip6 afr rule del pref 0
	ip6 afr route add 2001:db8:1::1 via 2001:db8:2::2 table 77
	ip6 afr rule add pref 100 to 2001:db8:1::/64 table 77
	$TX6 dst=2001:db8:1::1 icmp n=20
	$TX6 dst=2001:db8:3::1 icmp n=20
	$TX6 dst=2001:db8:a::1 n=20
	ip6 afr rule del pref 200
	$TX6 dst=2001:db8:3::1 n=20
	$TX6 dst=2001:db8:a::1 n=20
	EOT
	# Not the counters: without a local table, what neighbours ask by themselves
	# finds no route, and when they do is the clock's.
	printf '%s\n' report "altfib6 afr end min=85"
}

# Enslaving a device takes its neighbours away, and leaves its addresses to it.
enslave() {
	local dev=$1 master=$2 net

	case $dev in
	rc) net=1 ;;
	r1) net=2 ;;
	r2) net=3 ;;
	esac
	lines <<-EOT
	ip afr link set $dev $master
	ready
	ip afr neigh replace 2001:db8:$net::2 lladdr 02:00:00:00:0$net:02 nud permanent dev $dev
	EOT
}

vrf_add() {
	local name=$1 table=$2 dev

	shift 2
	lines <<-EOT
	sysctl afr net/ipv6/conf/all/keep_addr_on_down 1
	ip afr link add $name type vrf table $table
	ip afr link set $name up
	EOT
	for dev in "$@"; do
		enslave "$dev" "master $name"
	done
}

vrf() {
	topo6
	vrf_add vrf9 9 rc r2
	lines <<-EOT
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:3::2 table 9
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:1::1 icmp n=20
	$TX6 dst=2001:db8:3::2 n=20
	$TX6 dst=2001:db8:2::2 n=4
	$TX6 dst=fe80::ff:fe00:101 icmp n=4
	$TX6 dmac=33:33:00:00:00:01 dst=ff02::1 icmp n=4
	audit afr
	EOT
	finish6 min=75
}

vrf_two() {
	topo6
	# A second way in, with the first one's addresses, behind another VRF.
	link afr rd 1 4 afc c1
	vrf_add red 10 rc r1
	lines <<-EOT
	ip afc link set c1 up
	ip afr link add blue type vrf table 11
	ip afr link set blue up
	ip afr link set rd master blue
	ip afr link set rd up
	ip afr addr add 2001:db8:1::1/64 dev rd nodad
	ready
	ip afr neigh add 2001:db8:1::2 lladdr 02:00:00:00:04:02 nud permanent dev rd
	EOT
	enslave r2 "master blue"
	lines <<-EOT
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:2::2 table 10
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:3::2 table 11
	ip6 afr route add 2001:db8:5::/48 via 2001:db8:3::2 table 11
	tap c1 afc c1
	$TX6 dst=2001:db8:a::1 n=20
	send afc c1 dmac=02:00:00:00:04:01 src=2001:db8:1::2 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:5::1 n=10
	send afc c1 dmac=02:00:00:00:04:01 src=2001:db8:1::2 dst=2001:db8:5::1 n=20
	$TX6 dst=2001:db8:1::1 icmp n=10
	send afc c1 dmac=02:00:00:00:04:01 src=2001:db8:1::2 dst=2001:db8:1::1 icmp n=10
	report both
	ip6 afr route del 2001:db8:a::/48 table 10
	$TX6 dst=2001:db8:a::1 n=10
	send afc c1 dmac=02:00:00:00:04:01 src=2001:db8:1::2 dst=2001:db8:a::1 n=20
	audit afr
	EOT
	finish6 min=65
}

vrf_leak() {
	topo6
	vrf_add red 10 rc
	lines <<-EOT
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:2::2 dev r1 table 10
	ip6 afr route add 2001:db8:1::/64 dev rc
	ip6 af1 route replace default via 2001:db8:2::1
	$TX6 dst=2001:db8:a::1 n=20
	send af1 s0 dmac=02:00:00:00:02:01 src=2001:db8:a::1 dst=2001:db8:1::2 n=20
	send af1 s0 dmac=02:00:00:00:02:01 src=2001:db8:a::1 dst=2001:db8:1::1 icmp n=10
	ip6 afr route add unreachable default metric 4278198272 table 10
	$TX6 dst=2001:db8:b::1 n=10
	audit afr
	EOT
	finish6 min=40
}

vrf_local() {
	topo6
	vrf_add red 10 rc r1
	lines <<-EOT
	ip afr addr add 2001:db8:ffff::1/128 dev red nodad
	ready
	sock any afr bind=[::]:2000
	sock red afr dev=red bind=[::]:2001
	$TX6 dst=2001:db8:1::1 n=20
	$TX6 dst=2001:db8:1::1 dport=2001 n=20
	$TX6 dst=2001:db8:2::1 dport=2001 n=10
	$TX6 dst=2001:db8:3::1 dport=2001 n=10
	$TX6 dst=2001:db8:ffff::1 dport=2001 n=20
	$TX6 dst=2001:db8:1::1 icmp n=10
	settle
	read any
	read red
	report not accepted
	sysctl afr net/ipv4/udp_l3mdev_accept 1
	$TX6 dst=2001:db8:1::1 n=20
	settle
	read any
	EOT
	finish6 min=60
}

vrf_moved() {
	topo6
	vrf_add red 10 rc r1
	lines <<-EOT
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:2::2 table 10
	$TX6 dst=2001:db8:a::1 n=20
	report red
	ip afr link add blue type vrf table 11
	ip afr link set blue up
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:3::2 dev r2 table 11
	EOT
	enslave rc "master blue"
	echo "$TX6 dst=2001:db8:a::1 n=20"
	echo "report blue"
	enslave rc nomaster
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=20
	report none
	ip afr link del blue
	EOT
	enslave r1 nomaster
	lines <<-EOT
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:2::2
	$TX6 dst=2001:db8:a::1 n=20
	ip afr link del red
	$TX6 dst=2001:db8:a::1 n=20
	audit afr
	EOT
	finish6 min=40
}

tests_run "$@"
