#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Source validation in its three settings, and addresses that no packet may have.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"good_0: honest sources, rp_filter 0"
	"good_1: honest sources, rp_filter 1 (strict)"
	"good_2: honest sources, rp_filter 2 (loose)"
	"forged_0: forged sources, rp_filter 0"
	"forged_1: forged sources, rp_filter 1 (strict)"
	"forged_2: forged sources, rp_filter 2 (loose)"
	"forged_default_1: forged sources with a default route, rp_filter 1"
	"forged_default_2: forged sources with a default route, rp_filter 2"
	"all_and_device: the larger of conf.all and conf.DEV counts"
	"changed_live: rp_filter changed under one flow"
	"behind_a_router: sources that are routed back through the client"
	"more_specific_source: a more specific route turns a good source bad"
	"rejected_source: sources whose own route is a reject"
	"two_metrics: a source with two routes, the better one elsewhere"
	"multipath_source: a source with a multipath route"
	"martian_sources: 0/8, 127/8, 224/4, 240/4, broadcast as source"
	"martian_destinations: 0/8, 127/8, 240/4 as destination"
	"route_localnet: 127/8 with route_localnet"
	"accept_local: own addresses as source with accept_local"
	"local_to_local: sources of one network for each local address"
	"source_device_down: the device of the source's route goes down"
)

good() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/conf/rc/rp_filter $1
	$TX dst=10.1.0.1 n=100
	$TX src=10.0.1.200 dst=10.2.0.1 n=50
	$TX dst=10.0.1.1 icmp n=50
	EOT
	finish min=90
}

good_0() { good 0; }
good_1() { good 1; }
good_2() { good 2; }

# To a routed and to a local destination each.
from() {
	local src

	for src in "$@"; do
		printf '%s\n' "$TX src=$src dst=10.1.0.1 n=4" \
			"$TX src=$src dst=10.0.1.1 icmp n=4"
	done
}

forged_sources() {
	from 10.0.1.2 10.2.0.5 10.1.0.5 10.0.2.2 10.0.3.9 172.20.0.1 \
		10.0.1.1 10.0.2.1 10.0.3.1 10.0.1.255 10.0.2.255 10.0.1.0
}

forged() {
	topo
	echo "sysctl afr net/ipv4/conf/rc/rp_filter $1"
	forged_sources
	finish
}

forged_0() { forged 0; }
forged_1() { forged 1; }
forged_2() { forged 2; }

forged_default() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	sysctl afr net/ipv4/conf/rc/rp_filter $1
	EOT
	forged_sources
	finish
}

forged_default_1() { forged_default 1; }
forged_default_2() { forged_default 2; }

all_and_device() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/conf/all/rp_filter 1
	sysctl afr net/ipv4/conf/rc/rp_filter 0
	EOT
	from 10.0.1.2 10.2.0.5 172.20.0.1
	echo "report all 1, rc 0"
	echo "sysctl afr net/ipv4/conf/rc/rp_filter 2"
	from 10.0.1.2 10.2.0.5 172.20.0.1
	echo "report all 1, rc 2"
	echo "sysctl afr net/ipv4/conf/all/rp_filter 0"
	echo "sysctl afr net/ipv4/conf/rc/rp_filter 1"
	from 10.0.1.2 10.2.0.5 172.20.0.1
	finish
}

changed_live() {
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
	finish
}

behind_a_router() {
	topo
	lines <<-EOT
	ip afr route add 10.90.0.0/16 via 10.0.1.2
	sysctl afr net/ipv4/conf/rc/rp_filter 1
	$TX src=10.90.0.1 sstep=1 dst=10.1.0.1 n=100
	$TX src=10.90.3.1 dst=10.0.1.1 icmp n=50
	EOT
	finish min=90
}

more_specific_source() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/conf/rc/rp_filter 1
	$TX dst=10.1.0.1 n=50
	report before
	ip afr route add 10.0.1.2/32 via 10.0.2.2
	$TX dst=10.1.0.1 n=10
	report while
	ip afr route del 10.0.1.2/32
	$TX dst=10.1.0.1 n=50
	EOT
	finish min=80
}

rejected_source() {
	local v

	topo
	lines <<-EOT
	ip afr route add blackhole 10.91.0.0/16
	ip afr route add unreachable 10.92.0.0/16
	ip afr route add prohibit 10.93.0.0/16
	ip afr route add throw 10.94.0.0/16
	EOT
	for v in 0 1 2; do
		echo "sysctl afr net/ipv4/conf/rc/rp_filter $v"
		from 10.91.0.1 10.92.0.1 10.93.0.1 10.94.0.1
		echo "report rp_filter $v"
	done
	finish
}

two_metrics() {
	topo
	lines <<-EOT
	ip afr route add 10.90.0.0/16 via 10.0.1.2 metric 20
	sysctl afr net/ipv4/conf/rc/rp_filter 1
	$TX src=10.90.0.1 dst=10.1.0.1 n=20
	report one
	ip afr route add 10.90.0.0/16 via 10.0.3.2 metric 10
	$TX src=10.90.0.1 dst=10.1.0.1 n=20
	report two
	ip afr route del 10.90.0.0/16 metric 10
	$TX src=10.90.0.1 dst=10.1.0.1 n=20
	EOT
	finish
}

multipath_source() {
	local v

	topo
	lines <<-EOT
	ip afr route add 10.90.0.0/16 nexthop via 10.0.1.2 nexthop via 10.0.3.2
	ip afr route add 10.91.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2
	EOT
	for v in 0 1 2; do
		echo "sysctl afr net/ipv4/conf/rc/rp_filter $v"
		from 10.90.0.1 10.91.0.1
		echo "report rp_filter $v"
	done
	finish
}

martian_sources() {
	local v

	topo
	for v in 0 1; do
		echo "sysctl afr net/ipv4/conf/rc/rp_filter $v"
		from 0.0.0.0 0.1.2.3 127.0.0.1 127.200.1.1 224.0.0.5 239.1.1.1 \
			240.0.0.1 255.255.255.255 169.254.1.1
		echo "report rp_filter $v"
	done
	finish
}

martian_destinations() {
	local dst

	topo
	echo "ip afr route add default via 10.0.3.2"
	for dst in 0.0.0.0 0.1.2.3 127.0.0.1 127.200.1.1 240.0.0.1 \
		255.255.255.255 169.254.1.1; do
		echo "$TX dst=$dst n=4"
		echo "$TX src=0.0.0.0 dst=$dst n=4"
	done
	finish
}

route_localnet() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/conf/rc/route_localnet 1
	$TX dst=127.0.0.1 icmp n=10
	$TX src=127.0.0.9 dst=10.0.1.1 icmp n=10
	$TX src=127.0.0.9 dst=10.1.0.1 n=10
	EOT
	finish
}

accept_local() {
	local v

	topo
	echo "sysctl afr net/ipv4/conf/rc/accept_local 1"
	for v in 0 1 2; do
		echo "sysctl afr net/ipv4/conf/rc/rp_filter $v"
		from 10.0.1.1 10.0.2.1 10.0.3.1
		echo "report rp_filter $v"
	done
	finish
}

local_to_local() {
	local v src

	topo
	for v in 0 1 2; do
		echo "sysctl afr net/ipv4/conf/r1/rp_filter $v"
		for src in 10.0.2.2 10.0.1.2 10.1.4.4 172.20.0.1; do
			lines <<-EOT
			send af1 s0 dmac=02:00:00:00:02:01 src=$src dst=10.0.2.1 icmp n=4
			send af1 s0 dmac=02:00:00:00:02:01 src=$src dst=10.0.3.1 icmp n=4
			send af1 s0 dmac=02:00:00:00:02:01 src=$src dst=10.0.1.2 n=4
			EOT
		done
		echo "report rp_filter $v"
	done
	finish
}

source_device_down() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/conf/rc/rp_filter 2
	$TX src=10.2.0.5 dst=10.1.0.1 n=20
	report up
	ip afr link set r2 down
	$TX src=10.2.0.5 dst=10.1.0.1 n=20
	report down
	sysctl afr net/ipv4/conf/rc/rp_filter 0
	$TX src=10.2.0.5 dst=10.1.0.1 n=20
	EOT
	finish
}

tests_run "$@"
