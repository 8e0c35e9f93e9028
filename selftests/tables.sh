#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Policy rules, the tables that they lead to, and VRFs.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"rule: a policy rule that overrides the main table"
	"rules: rules of all kinds, some for these packets, some not"
	"rules_source: rules, and the validation of sources"
	"rules_ports: rules that look at protocols and ports"
	"suppress: the main table without its default route, and another one behind it"
	"suppress_others: prefix lengths and device groups that a rule suppresses"
	"throw_on: routes that lead back to the rules"
	"jumps: rules that jump, and to where no rule is yet"
	"many: more tables than altfib follows"
	"tables_change: routes of another table come, change and go under traffic"
	"tables_come_and_go: hundreds of tables, and the mirror is loaded anew"
	"default_table: a route in table 253 (default)"
	"default_table_behind: main first, and 253 for what it has not"
	"vrf: router devices in a VRF"
	"vrf_two: the same addresses in two VRFs"
	"vrf_source: sources in a VRF, with rp_filter in its three settings"
	"vrf_leak: from a VRF to the main table, and back"
	"vrf_local: packets for a VRF's own addresses, and a local socket"
	"vrf_moved: a device changes its VRF under traffic"
)

rule() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 n=20
	ip afr route add 10.1.0.0/16 via 10.0.3.2 table 77
	ip afr rule add from 10.0.1.0/25 table 77
	$TX dst=10.1.0.1 n=20
	$TX src=10.0.1.200 dst=10.1.0.1 n=20
	ip afr rule del from 10.0.1.0/25 table 77
	$TX dst=10.1.0.1 n=20
	$TX dst=10.0.1.1 n=20 icmp
	EOT
	finish min=90
}

# Each rule alone: packets that it is for go elsewhere, and are the kernel's.
rules() {
	local sel

	topo
	lines <<-EOT
	ip afr route add 10.1.0.0/16 via 10.0.3.2 table 77
	$TX dst=10.1.0.1 n=5
	EOT
	while read -r sel; do
		lines <<-EOT
		ip afr rule add $sel
		$TX dst=10.1.0.1 n=6
		$TX dst=10.1.0.1 tos=0x10 n=6
		$TX dst=10.2.0.1 n=6
		$TX dst=10.0.1.1 n=2
		send afc c0 dmac=$RMAC src=10.0.1.130 dst=10.1.0.1 n=6
		report $sel
		ip afr rule del $sel
		EOT
	done <<-EOT
	pref 100 from 10.0.1.128/25 table 77
	pref 100 from 10.9.0.0/16 table 77
	pref 100 to 10.1.0.0/16 table 77
	pref 100 to 10.7.0.0/16 table 77
	pref 100 iif rc table 77
	pref 100 iif r1 table 77
	pref 100 iif nowhere table 77
	pref 100 oif r1 table 77
	pref 100 fwmark 1 table 77
	pref 100 fwmark 0/1 table 77
	pref 100 tos 0x10 table 77
	pref 100 not from 10.0.1.128/25 table 77
	pref 100 not from 10.0.0.0/8 table 77
	pref 100 not iif r1 table 77
	pref 100 from 10.0.1.128/25 blackhole
	pref 100 from 10.0.1.128/25 nop
	pref 100 from 10.0.1.128/25 goto 32766
	pref 100 from 10.9.0.0/16 prohibit
	pref 32767 from all table 77
	pref 32765 from all lookup main suppress_prefixlength 15
	pref 100 ipproto tcp table 77
	EOT
	echo "ip afr rule add pref 32765 from 10.0.1.128/25 table 77"
	echo "ip afr rule add pref 32764 to 10.2.0.0/16 table 77"
	echo "ip afr rule add pref 99 from 10.9.0.0/16 table 77"
	echo "$TX dst=10.1.0.1 n=20"
	echo "$TX dst=10.2.0.1 n=20"
	finish min=75 punt=rules:20
}

rules_source() {
	local v

	topo
	lines <<-EOT
	ip afr route add default via 10.0.1.2
	ip afr rule add pref 100 from 10.9.0.0/16 table 77
	ip afr rule add pref 101 to 10.90.0.0/16 table 78
	ip afr rule add pref 102 iif r1 to 10.91.0.0/16 table 78
	ip afr route add 10.90.0.0/16 via 10.0.1.2 table 78
	ip afr route add blackhole 10.91.0.0/16 table 78
	EOT
	for v in 0 1 2; do
		lines <<-EOT
		sysctl afr net/ipv4/conf/rc/rp_filter $v
		$TX dst=10.1.0.1 n=6
		send afc c0 dmac=$RMAC src=10.90.0.1 dst=10.1.0.1 n=4
		send afc c0 dmac=$RMAC src=10.91.0.1 dst=10.1.0.1 n=4
		send afc c0 dmac=$RMAC src=10.92.0.1 dst=10.1.0.1 n=6
		send afc c0 dmac=$RMAC src=10.2.0.1 dst=10.1.0.1 n=4
		send afc c0 dmac=$RMAC src=10.0.3.1 dst=10.1.0.1 n=4
		send afc c0 dmac=$RMAC src=10.92.0.1 dst=10.0.1.1 n=4
		report rp_filter $v
		EOT
	done
	finish
}

rules_ports() {
	local sel

	topo
	lines <<-EOT
	ip afr route add 10.1.0.0/16 via 10.0.3.2 table 77
	EOT
	while read -r sel; do
		lines <<-EOT
		ip afr rule add $sel
		$TX dst=10.1.0.1 sport=1000 dport=2000 n=6
		$TX dst=10.1.0.1 sport=1000 dport=2001 n=6
		$TX dst=10.1.0.1 sport=999 dport=2000 tcp n=6
		$TX dst=10.1.0.1 icmp n=4
		$TX dst=10.0.1.1 sport=1000 dport=2000 n=2
		report $sel
		ip afr rule del $sel
		EOT
	done <<-EOT
	pref 100 ipproto udp table 77
	pref 100 ipproto tcp table 77
	pref 100 ipproto icmp table 77
	pref 100 ipproto udp dport 2000 table 77
	pref 100 ipproto udp dport 2001-2100 table 77
	pref 100 ipproto udp sport 1000 table 77
	pref 100 not ipproto udp sport 1000 table 77
	pref 100 dport 2000 from 10.0.1.0/24 table 77
	EOT
	echo "sysctl afr net/ipv4/conf/rc/rp_filter 1"
	echo "ip afr rule add pref 100 ipproto udp sport 2000 blackhole"
	echo "ip afr rule add pref 101 ipproto udp dport 2001 table 77"
	echo "$TX dst=10.1.0.1 sport=1000 dport=2000 n=10"
	echo "$TX dst=10.1.0.1 sport=1000 dport=2001 n=10"
	finish min=60
}

# As WireGuard's wg-quick does it.
suppress() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.2.2
	ip afr route add default via 10.0.3.2 table 51820
	ip afr rule add pref 100 not fwmark 0xca6c table 51820
	ip afr rule add pref 99 table main suppress_prefixlength 0
	$TX dst=10.1.0.1 n=20
	$TX dst=10.2.0.1 n=20
	$TX dst=10.77.0.1 n=20
	$TX dst=10.0.1.1 n=10
	ip afr route del default via 10.0.3.2 table 51820
	$TX dst=10.77.0.1 n=20
	ip afr rule del pref 99
	$TX dst=10.77.0.1 n=20
	EOT
	finish min=85
}

suppress_others() {
	local sel

	topo
	lines <<-EOT
	ip afr route add 10.1.0.0/24 via 10.0.3.2 table 77
	ip afr route add 10.1.1.1 via 10.0.3.2 table 77
	ip afr route add default via 10.0.3.2 table 77
	ip afr route add unreachable 10.77.0.0/16 table 77
	ip afr link set r2 group 7
	EOT
	while read -r sel; do
		lines <<-EOT
		ip afr rule add pref 100 table 77 $sel
		$TX dst=10.1.0.1 n=6
		$TX dst=10.1.1.1 n=6
		$TX dst=10.2.0.1 n=6
		$TX dst=10.77.0.1 n=4
		report $sel
		ip afr rule del pref 100
		EOT
	done <<-EOT
	suppress_prefixlength 0
	suppress_prefixlength 8
	suppress_prefixlength 24
	suppress_prefixlength 31
	suppress_prefixlength 32
	suppress_ifgroup 7
	suppress_ifgroup 8
	EOT
	finish min=40 punt=rules:20
}

throw_on() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2 table 77
	ip afr route add throw 10.1.0.0/16 table 77
	ip afr route add throw 10.78.0.0/16 table 78
	ip afr route add 10.78.0.0/17 via 10.0.2.2 table 78
	ip afr rule add pref 99 table 78
	ip afr rule add pref 100 table 77
	$TX dst=10.1.0.1 n=20
	$TX dst=10.2.0.1 n=20
	$TX dst=10.78.0.1 n=20
	$TX dst=10.78.200.1 n=20
	ip afr route del throw 10.1.0.0/16 table 77
	$TX dst=10.1.0.1 n=20
	EOT
	finish min=90
}

jumps() {
	topo
	lines <<-EOT
	ip afr route add 10.1.0.0/16 via 10.0.3.2 table 77
	ip afr rule add pref 100 from 10.0.1.0/24 goto 300
	ip afr rule add pref 200 table 77
	$TX dst=10.1.0.1 n=20
	ip afr rule add pref 300 from all nop
	$TX dst=10.1.0.1 n=20
	ip afr rule add pref 301 from 10.0.1.2 goto 400
	ip afr rule add pref 302 to 10.2.0.0/16 unreachable
	ip afr rule add pref 400 to 10.1.0.0/24 table 77
	$TX dst=10.1.0.1 n=20
	$TX dst=10.1.1.1 n=20
	$TX dst=10.2.0.1 n=20
	ip afr rule del pref 300
	$TX dst=10.1.0.1 n=20
	$TX dst=10.2.0.1 n=20
	EOT
	finish min=85
}

many() {
	local i

	topo
	for ((i = 1; i <= 6; i++)); do
		echo "ip afr rule add pref $((100 + i)) table $((1000 + i))"
	done
	echo "$TX dst=10.1.0.1 n=20"
	for (( ; i <= 12; i++)); do
		echo "ip afr rule add pref $((100 + i)) table $((1000 + i))"
	done
	echo "$TX dst=10.1.0.1 n=20"
	echo "ip afr route add 10.1.0.0/16 via 10.0.3.2 table 1003"
	echo "$TX dst=10.1.0.1 n=20"
	echo "ip afr route add 10.2.0.0/16 via 10.0.2.2 table 1011"
	echo "$TX dst=10.2.0.1 n=20"
	finish min=20 punt=rules:30
}

tables_change() {
	local i

	topo
	lines <<-EOT
	ip afr rule add pref 100 from 10.0.1.0/24 table 77
	ip afr rule add pref 101 table 78
	EOT
	for ((i = 0; i < 20; i++)); do
		lines <<-EOT
		ip afr route add 10.1.$i.0/24 via 10.0.3.2 table 77
		ip afr route add 10.1.$i.7 via 10.0.2.2 table $((77 + i % 2))
		$TX dst=10.1.$i.1 n=6
		$TX dst=10.1.$i.7 n=6
		ip afr route replace 10.1.$i.0/24 via 10.0.2.2 table 77
		$TX dst=10.1.$i.1 n=6
		ip afr route del 10.1.$i.7 table $((77 + i % 2))
		$TX dst=10.1.$i.7 n=6
		EOT
	done
	echo "ip afr route flush table 77"
	echo "$TX dst=10.1.3.1 n=20"
	echo "audit afr"
	finish min=85
}

tables_come_and_go() {
	local i

	topo
	echo "ip afr rule add pref 100 table 500"
	for ((i = 0; i < 200; i++)); do
		echo "ip afr route add 10.1.0.0/16 via 10.0.3.2 table $((400 + i))"
	done
	echo "$TX dst=10.1.0.1 n=20"
	for ((i = 0; i < 200; i++)); do
		((i == 100)) || echo "ip afr route del 10.1.0.0/16 table $((400 + i))"
	done
	echo "sleep 500"
	echo "$TX dst=10.1.0.1 n=20"
	echo "ip afr route del 10.1.0.0/16 table 500"
	echo "$TX dst=10.1.0.1 n=20"
	echo "audit afr"
	finish min=40
}

default_table() {
	topo
	lines <<-EOT
	ip afr route add 10.55.0.0/16 via 10.0.3.2 table default
	ip afr route add throw 10.1.9.0/24
	ip afr route add 10.1.9.0/24 via 10.0.3.2 table default
	$TX dst=10.55.0.1 n=20
	$TX dst=10.1.9.1 n=20
	$TX dst=10.1.8.1 n=20
	EOT
	finish
}

default_table_behind() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2 table 253
	ip afr route add throw 10.78.0.0/16
	$TX dst=10.1.0.1 n=20
	$TX dst=10.77.0.1 n=20
	$TX dst=10.78.0.1 n=10
	sysctl afr net/ipv4/conf/rc/rp_filter 1
	send afc c0 dmac=$RMAC src=10.77.0.1 dst=10.1.0.1 n=10
	sysctl afr net/ipv4/conf/rc/rp_filter 0
	ip afr rule add pref 100 from 10.9.0.0/16 table 77
	$TX dst=10.77.0.1 n=20
	$TX dst=10.78.0.1 n=10
	EOT
	finish min=70
}

vrf() {
	topo
	lines <<-EOT
	ip afr link add vrf9 type vrf table 9
	ip afr link set vrf9 up
	ip afr link set rc master vrf9
	ip afr link set r2 master vrf9
	ip afr neigh replace 10.0.1.2 lladdr 02:00:00:00:01:02 nud permanent dev rc
	ip afr neigh replace 10.0.3.2 lladdr 02:00:00:00:03:02 nud permanent dev r2
	ip afr route add 10.1.0.0/16 via 10.0.3.2 vrf vrf9
	$TX dst=10.1.0.1 n=20
	$TX dst=10.0.1.1 icmp n=20
	$TX dst=10.0.2.2 n=4
	EOT
	finish min=80
}

# vrf_add NAME TABLE DEV...: enslaving takes a device's neighbours and routes away.
vrf_add() {
	local name=$1 table=$2 dev net

	shift 2
	echo "ip afr link add $name type vrf table $table"
	echo "ip afr link set $name up"
	for dev in "$@"; do
		case $dev in
		rc) net=1 ;;
		r1) net=2 ;;
		r2) net=3 ;;
		esac
		echo "ip afr link set $dev master $name"
		echo "ip afr neigh replace 10.0.$net.2 lladdr 02:00:00:00:0$net:02 nud permanent dev $dev"
	done
}

vrf_two() {
	topo
	# A second way in, with the first one's addresses, behind another VRF.
	link afr rd 1 4 afc c1
	vrf_add red 10 rc r1
	lines <<-EOT
	ip afc link set c1 up
	ip afr link add blue type vrf table 11
	ip afr link set blue up
	ip afr link set rd master blue
	ip afr addr add 10.0.1.1/24 dev rd
	ip afr link set rd up
	ip afr neigh add 10.0.1.2 lladdr 02:00:00:00:04:02 nud permanent dev rd
	ip afr link set r2 master blue
	ip afr neigh replace 10.0.3.2 lladdr 02:00:00:00:03:02 nud permanent dev r2
	ip afr route add 10.1.0.0/16 via 10.0.2.2 vrf red
	ip afr route add 10.1.0.0/16 via 10.0.3.2 vrf blue
	ip afr route add 10.5.0.0/16 via 10.0.3.2 vrf blue
	$TX dst=10.1.0.1 n=20
	send afc c1 dmac=02:00:00:00:04:01 src=10.0.1.2 dst=10.1.0.1 n=20
	$TX dst=10.5.0.1 n=10
	send afc c1 dmac=02:00:00:00:04:01 src=10.0.1.2 dst=10.5.0.1 n=20
	$TX dst=10.0.1.1 icmp n=10
	ip afr route del 10.1.0.0/16 vrf red
	$TX dst=10.1.0.1 n=10
	send afc c1 dmac=02:00:00:00:04:01 src=10.0.1.2 dst=10.1.0.1 n=20
	audit afr
	EOT
	finish min=65
}

vrf_source() {
	local v

	topo
	vrf_add red 10 rc r1
	lines <<-EOT
	ip afr route add 10.1.0.0/16 via 10.0.2.2 vrf red
	ip afr route add 10.60.0.0/16 via 10.0.1.2 vrf red
	ip afr route add 10.61.0.0/16 via 10.0.2.2 vrf red
	ip afr route add 10.62.0.0/16 via 10.0.3.2
	EOT
	for v in 0 1 2; do
		lines <<-EOT
		sysctl afr net/ipv4/conf/rc/rp_filter $v
		$TX dst=10.1.0.1 n=10
		send afc c0 dmac=$RMAC src=10.60.0.1 dst=10.1.0.1 n=6
		send afc c0 dmac=$RMAC src=10.61.0.1 dst=10.1.0.1 n=6
		send afc c0 dmac=$RMAC src=10.62.0.1 dst=10.1.0.1 n=6
		send afc c0 dmac=$RMAC src=10.63.0.1 dst=10.1.0.1 n=6
		send afc c0 dmac=$RMAC src=10.0.3.1 dst=10.1.0.1 n=6
		send afc c0 dmac=$RMAC src=10.0.2.1 dst=10.1.0.1 n=6
		send afc c0 dmac=$RMAC src=10.60.0.1 dst=10.0.1.1 n=6
		send afc c0 dmac=$RMAC src=10.62.0.1 dst=10.0.1.1 n=6
		report rp_filter $v
		EOT
	done
	finish min=40
}

vrf_leak() {
	local v

	topo
	vrf_add red 10 rc
	lines <<-EOT
	ip afr route add 10.1.0.0/16 via 10.0.2.2 dev r1 table 10
	ip afr route add 10.0.1.0/24 dev rc
	ip af1 route replace default via 10.0.2.1
	EOT
	for v in 0 1 2; do
		lines <<-EOT
		sysctl afr net/ipv4/conf/rc/rp_filter $v
		sysctl afr net/ipv4/conf/r1/rp_filter $v
		$TX dst=10.1.0.1 n=20
		send af1 s0 dmac=02:00:00:00:02:01 src=10.1.0.1 dst=10.0.1.2 n=20
		send af1 s0 dmac=02:00:00:00:02:01 src=10.1.0.1 dst=10.0.1.1 n=10
		report rp_filter $v
		EOT
	done
	finish min=40
}

vrf_local() {
	topo
	vrf_add red 10 rc r1
	lines <<-EOT
	sysctl afr net/ipv4/udp_l3mdev_accept 1
	sock any afr bind=0.0.0.0:2000
	$TX dst=10.0.1.1 dport=2000 n=20
	settle
	read any
	$TX dst=10.0.2.1 dport=2000 n=10
	$TX dst=10.0.3.1 dport=2000 n=10
	settle
	read any
	$TX dst=10.0.1.1 icmp n=10
	EOT
	finish min=60
}

vrf_moved() {
	topo
	vrf_add red 10 rc r1
	lines <<-EOT
	ip afr route add 10.1.0.0/16 via 10.0.2.2 vrf red
	$TX dst=10.1.0.1 n=20
	ip afr link add blue type vrf table 11
	ip afr link set blue up
	ip afr route add 10.1.0.0/16 via 10.0.3.2 dev r2 table 11
	ip afr link set rc master blue
	ip afr neigh replace 10.0.1.2 lladdr 02:00:00:00:01:02 nud permanent dev rc
	$TX dst=10.1.0.1 n=20
	ip afr link set rc nomaster
	ip afr neigh replace 10.0.1.2 lladdr 02:00:00:00:01:02 nud permanent dev rc
	$TX dst=10.1.0.1 n=20
	ip afr link del blue
	ip afr link del red
	$TX dst=10.1.0.1 n=20
	EOT
	finish min=40
}

tests_run "$@"
