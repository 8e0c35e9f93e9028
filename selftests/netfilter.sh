#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Other hooks in PRE_ROUTING and elsewhere: address translation, connection
# tracking, rules that drop, and rules that run as late as altfib does.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"dnat: destination translated to a routed host"
	"dnat_local: destination translated to the router"
	"dnat_away: a packet for the router translated to a host"
	"snat: source translated on the way out, and the answers"
	"conntrack_fragments: fragments put together for connection tracking"
	"prerouting_drop: dropped in PRE_ROUTING"
	"forward_drop: dropped in FORWARD"
	"mark_rule: a mark set in PRE_ROUTING selects a table"
	"flowtable_kept: a route that a flow keeps, and that changes once altfib is off"
	"last_hook_after: a hook of the last priority that came after altfib"
	"last_hook_before: a hook of the last priority that was there first"
)

command -v nft >/dev/null || skip_all "needs nft (package nftables)"

# nft_in NS RULESET
nft_in() {
	echo "sh echo '$2' | nsenter --net=/run/netns/$1 nft -f -"
}

dnat() {
	topo
	nft_in afr 'table ip t { chain p { type nat hook prerouting priority -100; ip daddr 10.1.0.7 dnat to 10.0.3.2; }; }'
	lines <<-EOT
	$TX dst=10.1.0.7 n=50
	$TX dst=10.1.0.8 n=50
	$TX dst=10.1.0.7 icmp n=20
	EOT
	finish min=90
}

dnat_local() {
	topo
	nft_in afr 'table ip t { chain p { type nat hook prerouting priority -100; ip daddr 10.1.0.7 udp dport 2000 dnat to 10.0.1.1:2001; }; }'
	lines <<-EOT
	sock one afr bind=10.0.1.1:2001
	$TX dst=10.1.0.7 n=50
	read one
	EOT
	finish min=90
}

dnat_away() {
	topo
	nft_in afr 'table ip t { chain p { type nat hook prerouting priority -100; ip daddr 10.0.1.1 udp dport 2000 dnat to 10.0.2.2; }; }'
	lines <<-EOT
	sock web af1 bind=10.0.2.2:2000
	$TX dst=10.0.1.1 n=50
	$TX dst=10.0.1.1 icmp n=20
	read web
	say web to=10.0.1.2:1000 n=20
	EOT
	finish min=90
}

snat() {
	topo
	nft_in afr 'table ip t { chain p { type nat hook postrouting priority 100; oifname "r1" snat to 10.0.2.1; }; }'
	lines <<-EOT
	sock web af1 bind=10.0.2.2:2000
	$TX dst=10.0.2.2 n=50
	read web
	say web to=10.0.2.1:1000 n=50
	EOT
	finish min=90
}

conntrack_fragments() {
	topo
	nft_in afr 'table ip t { chain p { type filter hook prerouting priority 0; ct state invalid drop; }; }'
	lines <<-EOT
	$TX dst=10.1.0.1 mf len=1472 id=7
	$TX dst=10.1.0.1 frag=1480 len=100 id=7
	$TX dst=10.1.0.1 df mf len=1472 id=8
	$TX dst=10.1.0.1 df frag=1480 len=100 id=8
	$TX dst=10.0.1.1 mf len=1472 id=9
	$TX dst=10.0.1.1 frag=1480 len=100 id=9
	EOT
	finish
}

prerouting_drop() {
	topo
	nft_in afr 'table ip t { chain p { type filter hook prerouting priority 0; ip daddr 10.1.0.7 drop; }; }'
	lines <<-EOT
	$TX dst=10.1.0.7 n=20
	$TX dst=10.1.0.8 n=50
	EOT
	finish min=90
}

forward_drop() {
	topo
	nft_in afr 'table ip t { chain f { type filter hook forward priority 0; ip daddr 10.1.0.7 drop; }; }'
	lines <<-EOT
	$TX dst=10.1.0.7 n=20
	$TX dst=10.1.0.8 n=50
	EOT
	finish min=90
}

mark_rule() {
	topo
	nft_in afr 'table ip t { chain p { type filter hook prerouting priority -150; ip daddr 10.1.0.7 meta mark set 7; }; }'
	lines <<-EOT
	ip afr rule add fwmark 7 table 77
	ip afr route add default via 10.0.3.2 table 77
	$TX dst=10.1.0.7 n=20
	$TX dst=10.1.0.8 n=20
	EOT
	finish min=90
}

# No packet for 10.1.0.9 asks the kernel for its route, so only altfib knows that somebody
# may keep it: the flowtable does, where the kernel has any.
flowtable_kept() {
	local chain='chain c { type filter hook forward priority 0; ip daddr 10.1.0.9 udp dport 2000 flow add @f; }; }'

	topo
	if echo "table ip t { flowtable f { hook ingress priority 0; }; $chain" | nft -c -f - 2>/dev/null; then
		nft_in afr "table ip t { flowtable f { hook ingress priority 0; devices = { rc, r1, r2 }; }; $chain"
	fi
	lines <<-EOT
	ip af1 addr add 10.1.0.9/32 dev lo
	sock web af1 bind=10.1.0.9:2000
	ip afr route add 10.1.0.9/32 via 10.0.2.2
	$TX dst=10.1.0.7 n=5
	$TX dst=10.1.0.9 n=1
	say web to=10.0.1.2:1000 n=1
	$TX dst=10.1.0.9 n=10
	altfib-set afr net/altfib/mode off
	ip afr route replace 10.1.0.9/32 via 10.0.3.2
	$TX dst=10.1.0.9 n=10
	EOT
	finish
}

LATE='table ip t { chain p { type filter hook prerouting priority 2147483647; ip daddr 10.1.0.7 ip daddr set 10.2.0.7; }; }'

last_hook_after() {
	topo
	nft_in afr "$LATE"
	lines <<-EOT
	$TX dst=10.1.0.7 n=50
	$TX dst=10.1.0.8 n=50
	EOT
	finish
}

# Switched off and on again, altfib may stand before the other hook: then it has
# to leave the packets alone. Either way the other hook's change counts. The other
# address has the same next hop and makes the kernel keep a route for it.
last_hook_before() {
	topo
	echo "altfib-set afr net/altfib/mode off"
	nft_in afr "$LATE"
	lines <<-EOT
	arm afr
	$TX dst=10.1.0.8 n=50
	$TX dst=10.1.0.7 n=50
	EOT
	finish
}

tests_run "$@"
