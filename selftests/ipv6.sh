#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# IPv6 packets through the router: where they leave, how they look, what comes back.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"udp: UDP to two routed prefixes"
	"other_protocols: TCP, ICMPv6 and GRE to a routed prefix"
	"spread: 1000 destinations over two next hops"
)

udp() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=100
	$TX6 dst=2001:db8:b::1 n=100
	EOT
	finish6 min=90
}

other_protocols() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=60 tcp
	$TX6 dst=2001:db8:a::1 n=60 tcp flags=0x10
	$TX6 dst=2001:db8:a::1 n=60 icmp
	$TX6 dst=2001:db8:a::1 n=60 proto=47
	$TX6 dst=2001:db8:a::1 n=60 proto=59
	EOT
	finish6 min=90
}

spread() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 dstep=61 n=500
	$TX6 dst=2001:db8:b::1 dstep=127 n=500
	EOT
	finish6 min=90
}

tests_run "$@"
