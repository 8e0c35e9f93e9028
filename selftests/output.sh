#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The host's own lookups, with output=off and output=lookup.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"route_get: ip route get of all kinds of addresses, from all sides"
	"route_get_changes: ip route get while routes come, change and go"
	"route_get_device: ip route get while a device comes and goes"
	"route_get_paths: several paths, next-hop objects, no carrier"
	"route_get_metrics: several routes of one prefix"
	"route_get_dscp: routes for a DSCP"
	"route_get_rules: rules come and go, and the tables are split"
	"route_get6: the same for IPv6"
	"route_get6_changes: IPv6 routes come, change and go"
	"route_get6_source: IPv6 routes for certain sources"
	"route_get6_rules: IPv6 rules come and go"
	"sends: UDP from an unconnected socket to many prefixes"
	"sends_changing: UDP while the route of each datagram changes before it"
	"source_check: packets whose source is looked up"
	"errors: ICMP errors to senders all over the table"
	"only_values: output takes off and lookup, and nothing else"
	"only_counts: lookups that were answered are counted, and what was left"
	"only_answers: nearly every lookup of a known prefix is answered"
	"only_empty: output is set before there is a route"
	"only_compared: with mode=verify each lookup is compared"
	"only_many: a big table, all of it looked up, and its memory given back"
	"only_arming: on and off 200 times while 4 sockets send"
	"only_namespaces: two namespaces, one of which goes while it answers"
	"only_device_gone: 100 sockets send while their device is removed"
	"only_unload: altfib goes while it answers"
	"only_socket_hits: a socket that answers one peer looks nothing up"
	"only_socket_twice: a route is remembered when it is asked for twice in a row"
	"only_socket_changes: its route changes, and so does the next datagram"
	"only_socket_bound: more sockets than places"
	"only_corrupt: a wrong lookup is noticed, and ends it"
)

UDP=${UDP:-$(dirname "$PROBE")/udp}
export UDP
# The mode of the comparisons, with "+lookup" if it says no output.
names_output "$ON" || ON+="+lookup"

SYS=/proc/sys/net/altfib

# get4 NS TEXT...: `ip route get` with each text, in one process. What a kernel
# tells of users and of time is left out.
get4() {
	local ns=$1

	shift
	get_of "$ns" -4 "$@"
}

get6() {
	local ns=$1

	shift
	get_of "$ns" -6 "$@"
}

get_of() {
	local ns=$1 family=$2 batch

	shift 2
	batch=$(mktemp "$TMP/get.XXXXXX")
	printf 'route get %s\n' "$@" >"$batch"
	echo "sh ip -n $ns $family -force -batch $batch 2>&1 | sed -f $TMP/get.sed"
}

# Not what the clock decides, and not what the file is called.
cat >"$TMP/get.sed" <<-EOT
s/ uid [0-9]*//
s/expires [0-9]*sec//
s/^Command failed .*/failed/
s/^ *//
EOT

ADDRESSES="10.1.0.1 10.1.255.255 10.2.3.4 10.0.1.1 10.0.1.2 10.0.2.2 10.0.2.255 10.0.2.0 10.5.0.1
8.8.8.8 127.0.0.1 255.255.255.255 224.0.0.1 0.0.0.0 1.1.1.1 10.1.128.1 10.3.0.1 10.4.0.1 198.51.100.7"

all_sides() {
	local a list=()

	for a in $ADDRESSES; do
		list+=("$a" "fibmatch $a" "$a oif r1" "$a oif r2" "$a from 10.0.1.1"
			"$a from 10.0.1.2 iif rc" "$a from 10.1.0.7 iif r2" "$a tos 0x10" "$a mark 7"
			"$a ipproto udp sport 5 dport 53")
	done
	get4 afr "${list[@]}"
}

more_routes() {
	lines <<-EOT
	ip afr route add 10.1.128.0/17 via 10.0.3.2
	ip afr route add 10.1.128.1/32 via 10.0.2.2
	ip afr route add 10.1.0.0/24 dev r1 scope link
	ip afr route add unreachable 10.3.0.0/16
	ip afr route add blackhole 10.4.0.0/17
	ip afr route add prohibit 10.4.128.0/17
	ip afr route add throw 10.5.0.0/16
	ip afr route add default via 10.0.3.2 metric 5
	ip afr route add 128.0.0.0/1 via 10.0.2.2
	ip afr route add 10.6.0.0/16 via 10.0.2.2 mtu 1400 advmss 1200
	EOT
}

# What was learned is asked for once more.
route_get() {
	topo
	more_routes
	all_sides
	all_sides
	finish
}

route_get_changes() {
	local asked=(10.1.0.1 10.1.128.1 "fibmatch 10.1.128.1" 10.7.0.1 "10.7.0.1 oif r2")

	topo
	get4 afr "${asked[@]}" "${asked[@]}"
	while read -r change; do
		echo "ip afr route $change"
		get4 afr "${asked[@]}" "${asked[@]}"
	done <<-EOT
	add 10.1.128.0/17 via 10.0.3.2
	add 10.1.128.0/24 via 10.0.2.2
	add 10.1.128.0/25 via 10.0.3.2
	del 10.1.128.0/24
	add 10.1.128.0/24 via 10.0.2.2 metric 3
	add 10.1.128.0/24 via 10.0.3.2 metric 2
	del 10.1.128.0/24 metric 2
	del 10.1.128.0/25
	replace 10.1.128.0/17 via 10.0.2.2
	del 10.1.128.0/24
	del 10.1.128.0/17
	add 10.1.128.0/17 via 10.0.3.2
	del 10.1.0.0/16
	add default via 10.0.2.2
	add unreachable 10.1.128.1/32
	replace blackhole 10.1.128.1/32
	del 10.1.128.1/32
	add 10.7.0.0/16 via 10.0.2.2
	append 10.7.0.0/16 via 10.0.3.2
	del 10.7.0.0/16 via 10.0.2.2
	flush 10.7.0.0/16
	del default
	flush root 10.1.0.0/16
	EOT
	finish
}

route_get_device() {
	local asked=(10.1.0.1 10.2.0.1 10.0.2.2 10.0.2.1)

	topo
	get4 afr "${asked[@]}" "${asked[@]}"
	for change in "link set r1 down" "link set r1 up" "route add 10.1.0.0/16 via 10.0.2.2" \
		"addr del 10.0.2.1/24 dev r1" "addr add 10.0.2.1/24 dev r1" \
		"route add 10.1.0.0/16 via 10.0.2.2" "link set r1 mtu 1300" "link del r1"; do
		echo "ip afr $change"
		get4 afr "${asked[@]}" "${asked[@]}"
	done
	finish
}

route_get_paths() {
	local asked=(10.5.0.1 10.5.0.2 10.5.0.3 "10.5.0.1 oif r2" 10.6.0.1 10.7.0.1 "10.7.0.1 oif r1")

	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2 weight 3
	ip afr nexthop add id 1 via 10.0.2.2 dev r1
	ip afr nexthop add id 2 via 10.0.3.2 dev r2
	ip afr nexthop add id 9 group 1/2
	ip afr route add 10.6.0.0/16 nhid 1
	ip afr route add 10.7.0.0/16 nhid 9
	EOT
	get4 afr "${asked[@]}" "${asked[@]}"
	for change in "nexthop replace id 1 via 10.0.3.2 dev r2" "nexthop replace id 9 group 2" \
		"nexthop replace id 1 blackhole" "nexthop del id 2"; do
		echo "ip afr $change"
		get4 afr "${asked[@]}" "${asked[@]}"
	done
	echo "sysctl afr net/ipv4/conf/r1/ignore_routes_with_linkdown 1"
	echo "ip af1 link set s0 down"
	get4 afr "${asked[@]}" "${asked[@]}"
	echo "ip af1 link set s0 up"
	get4 afr "${asked[@]}" "${asked[@]}"
	finish
}

route_get_metrics() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.2 metric 10
	ip afr route add 10.5.0.0/16 via 10.0.3.2 metric 20
	ip afr route add 10.5.0.0/24 via 10.0.3.2 metric 10
	ip afr route add default via 10.0.2.2 metric 1
	ip afr route append default via 10.0.3.2 metric 1
	EOT
	get4 afr 10.5.0.1 10.5.1.1 "10.5.0.1 oif r1" "10.5.1.1 oif r2" 9.9.9.9 "9.9.9.9 oif r2" \
		10.5.0.1 10.5.1.1 "10.5.0.1 oif r1" "10.5.1.1 oif r2" 9.9.9.9 "9.9.9.9 oif r2" "fibmatch 10.5.1.1"
	finish
}

route_get_dscp() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	ip afr route add 10.5.0.0/16 tos 0x10 via 10.0.3.2
	ip afr route add 10.5.0.0/24 tos 0x08 via 10.0.3.2
	EOT
	get4 afr 10.5.0.1 "10.5.0.1 tos 0x10" "10.5.0.1 tos 0x08" 10.5.1.1 "10.5.1.1 tos 0x10" \
		10.5.0.1 "10.5.0.1 tos 0x10" "10.5.0.1 tos 0x08" 10.5.1.1 "10.5.1.1 tos 0x10"
	finish
}

route_get_rules() {
	local asked=(10.1.0.1 10.2.0.1 10.0.2.1 "10.1.0.1 mark 7" "10.1.0.1 from 10.0.1.1" 127.0.0.1)

	topo
	echo "ip afr route add 10.1.0.0/16 via 10.0.3.2 table 100"
	get4 afr "${asked[@]}" "${asked[@]}"
	while read -r change; do
		echo "ip afr $change"
		get4 afr "${asked[@]}" "${asked[@]}"
	done <<-EOT
	rule add fwmark 7 table 100
	rule add from 10.0.1.1 table 100
	rule add to 10.2.0.0/16 prohibit
	rule del to 10.2.0.0/16 prohibit
	rule add table main suppress_prefixlength 16 pref 10
	route add 10.1.0.0/24 via 10.0.3.2
	addr add 10.9.0.1/24 dev r2
	addr del 10.9.0.1/24 dev r2
	rule del pref 10
	rule del fwmark 7
	rule del from 10.0.1.1
	EOT
	finish
}

ADDRESSES6="2001:db8:a::1 2001:db8:b::1 2001:db8:1::1 2001:db8:1::2 2001:db8:2::2 2001:db8:2:: ::1
2001:db8:a:8000::1 2001:db8:c::1 2001:db8:d::1 2001:db8:f::1 fe80::1 ff02::1 :: 2002::1 2001:db8:600d::1"

route_get6() {
	local a list=()

	topo6
	lines <<-EOT
	ip afr route add 2001:db8:a:8000::/49 via 2001:db8:3::2
	ip afr route add 2001:db8:a:8000::1/128 via 2001:db8:2::2
	ip afr route add unreachable 2001:db8:c::/48
	ip afr route add blackhole 2001:db8:d::/48
	ip afr route add throw 2001:db8:f::/48
	ip afr route add ::/0 via 2001:db8:3::2 metric 5
	ip afr route add 2001:db8:e::/48 nexthop via 2001:db8:2::2 nexthop via 2001:db8:3::2
	EOT
	for a in $ADDRESSES6 2001:db8:e::1 2001:db8:e::2; do
		list+=("$a" "fibmatch $a" "$a oif r1" "$a oif r2" "$a from 2001:db8:1::1"
			"$a from 2001:db8:1::2 iif rc" "$a mark 7" "$a ipproto udp sport 5 dport 53")
	done
	get6 afr "${list[@]}" "${list[@]}"
	finish6
}

route_get6_changes() {
	local asked=(2001:db8:a::1 2001:db8:a:8000::1 "fibmatch 2001:db8:a:8000::1" 2001:db8:f::1)

	topo6
	get6 afr "${asked[@]}" "${asked[@]}"
	while read -r change; do
		echo "ip afr $change"
		get6 afr "${asked[@]}" "${asked[@]}"
	done <<-EOT
	route add 2001:db8:a:8000::/49 via 2001:db8:3::2
	route add 2001:db8:a:8000::/50 via 2001:db8:2::2
	route add 2001:db8:a:8000::/50 via 2001:db8:3::2 metric 7
	route del 2001:db8:a:8000::/50 via 2001:db8:2::2
	route replace 2001:db8:a:8000::/50 via 2001:db8:2::2 metric 7
	route append 2001:db8:a:8000::/50 via 2001:db8:3::2 metric 7
	route del 2001:db8:a:8000::/50 via 2001:db8:3::2
	route del 2001:db8:a:8000::/50
	route del 2001:db8:a::/48
	route add unreachable 2001:db8:a:8000::1/128
	route del unreachable 2001:db8:a:8000::1/128
	route add ::/0 via 2001:db8:2::2
	route flush root 2001:db8:a::/48
	link set r1 down
	link set r1 up
	route add ::/0 via 2001:db8:3::2
	link del r1
	EOT
	finish6
}

route_get6_source() {
	local asked=(2001:db8:a::1 "2001:db8:a::1 from 2001:db8:1::1" 2001:db8:f::1)

	topo6
	get6 afr "${asked[@]}" "${asked[@]}"
	for change in "route add 2001:db8:a::/48 from 2001:db8:1::/64 via 2001:db8:3::2" \
		"route add 2001:db8:f::/48 from 2001:db8:1::/64 via 2001:db8:3::2" \
		"route del 2001:db8:a::/48 from 2001:db8:1::/64 via 2001:db8:3::2" \
		"route del 2001:db8:f::/48 from 2001:db8:1::/64 via 2001:db8:3::2"; do
		echo "ip afr $change"
		get6 afr "${asked[@]}" "${asked[@]}"
	done
	finish6
}

route_get6_rules() {
	local asked=(2001:db8:a::1 2001:db8:b::1 2001:db8:2::1 "2001:db8:a::1 mark 7")

	topo6
	echo "ip afr route add 2001:db8:a::/48 via 2001:db8:3::2 table 100"
	get6 afr "${asked[@]}" "${asked[@]}"
	while read -r change; do
		echo "ip6 afr $change"
		get6 afr "${asked[@]}" "${asked[@]}"
	done <<-EOT
	rule add fwmark 7 table 100
	rule add to 2001:db8:b::/48 prohibit
	rule del to 2001:db8:b::/48 prohibit
	rule add table main suppress_prefixlength 48 pref 10
	rule del pref 10
	rule del fwmark 7
	EOT
	finish6
}

# Two of each prefix, so that the second is not the one that learns.
some_prefixes() {
	local i

	for ((i = 1; i < 60; i++)); do
		echo "ip afr route add 10.$((20 + i)).0.0/16 via 10.0.$((2 + i % 2)).2"
	done
}

sends() {
	local i

	topo
	some_prefixes
	for ((i = 21; i < 80; i++)); do
		printf '10.%d.0.1\n10.%d.7.1\n' "$i" "$i"
	done >"$TMP/sends"
	echo "sh ip netns exec afr $UDP send 53 3 5300 <$TMP/sends | grep -v ^#"
	finish
}

sends_changing() {
	local i

	topo
	for ((i = 0; i < 12; i++)); do
		lines <<-EOT
		ip afr route replace 10.1.0.0/16 via 10.0.$((3 - i % 2)).2
		sh echo 10.1.0.1 | ip netns exec afr $UDP send 53 1 5300 | grep -v ^#
		EOT
	done
	lines <<-EOT
	ip afr route del 10.1.0.0/16
	sh echo 10.1.0.1 | ip netns exec afr $UDP send 53 2 5300 | grep -v ^#
	ip afr route add 10.1.0.0/24 via 10.0.2.2
	sh echo 10.1.0.1 | ip netns exec afr $UDP send 53 2 5300 | grep -v ^#
	EOT
	finish
}

source_check() {
	topo
	some_prefixes
	lines <<-EOT
	sysctl afr net/ipv4/conf/rc/rp_filter 1
	sysctl afr net/ipv4/conf/all/rp_filter 1
	ip afr route add 10.99.0.0/16 via 10.0.1.2
	$TX dst=10.1.0.1 n=40
	send afc c0 dmac=$RMAC src=10.99.0.1 dst=10.1.0.1 n=40
	send afc c0 dmac=$RMAC src=10.22.0.1 dst=10.1.0.1 n=40
	send afc c0 dmac=$RMAC src=10.250.0.1 dst=10.1.0.1 n=40
	EOT
	finish
}

errors() {
	topo
	some_prefixes
	lines <<-EOT
	send afc c0 dmac=$RMAC src=10.22.0.1 dst=10.250.0.1 n=20
	send afc c0 dmac=$RMAC src=10.23.0.1 dst=10.1.0.1 ttl=1 n=20
	send afc c0 dmac=$RMAC src=10.24.0.1 dst=10.0.1.1 icmp n=20
	EOT
	finish
}

# For the tests that are no comparison: the topology, with altfib on.
made() {
	{ topo_bare; echo "arm $NAMESPACES"; some_prefixes; } | run_scenario on+lookup
}

# lookup_field NS WORD [6]: the number before a word of the line in status.
lookup_field() {
	local prefix=${3:+IPv6 }

	in_ns "$1" sed -n "s/^${prefix}output: .* \([0-9][0-9]*\) $2.*/\1/p" /proc/net/altfib/status
}

only_values() {
	local rc=0 bad

	for bad in x on 1 "lookup off" Lookup; do
		printf '%s' "$bad" 2>/dev/null >"$SYS/output" && fail "output = '$bad' was accepted" && rc=1
	done
	[ "$(cat "$SYS/available_outputs")" = "off lookup socket" ] || rc=1
	for good in off lookup socket lookup lookup socket off off socket off; do
		echo "$good" >"$SYS/output" || rc=1
		[ "$(cat "$SYS/output")" = "$good" ] || fail "output is $(cat "$SYS/output"), not $good" || rc=1
	done
	# Not for a container's root: the kernel's code is everybody's.
	unshare --user --map-root-user --net sh -c "echo lookup >$SYS/output" 2>/dev/null &&
		fail "a container's root could have it" && rc=1
	return "$rc"
}

only_counts() {
	local answered left learned

	made || return 1
	echo 10.21.0.1 | in_ns afr "$UDP" send 53 1 >/dev/null
	learned=$(lookup_field afr learned)
	answered=$(lookup_field afr "lookups answered")
	echo 10.21.0.2 | in_ns afr "$UDP" send 53 10 >/dev/null
	[ "$(($(lookup_field afr "lookups answered") - answered))" -ge 10 ] ||
		fail "not answered: $(in_ns afr grep output /proc/net/altfib/status)" || return 1
	[ "$(lookup_field afr learned)" = "$learned" ] || fail "learned what was known" || return 1
	left=$(lookup_field afr "left to")
	echo 10.250.0.1 | in_ns afr "$UDP" send 53 10 >/dev/null
	[ "$(($(lookup_field afr "left to") - left))" -ge 10 ] ||
		fail "what has no route was not left to the kernel" || return 1
}

# destinations COUNT: addresses over the prefixes.
destinations() {
	local i

	for ((i = 0; i < $1; i++)); do
		echo "10.$((21 + i % 59)).$((i / 59 % 256)).1"
	done
}

only_answers() {
	local before after

	made || return 1
	destinations 590 | in_ns afr "$UDP" send 53 1 >/dev/null
	before=$(lookup_field afr "lookups answered")
	destinations 590 | in_ns afr "$UDP" send 53 10 | grep -v '^#' || return 1
	after=$(lookup_field afr "lookups answered")
	echo "$((after - before)) of 5900 answered"
	[ $((after - before)) -ge 5900 ]
}

# A namespace that is set up by a script has its settings first, and the kernel makes
# its tables with the first route.
only_empty() {
	local before rc=0

	{
		echo "netns-del $NAMESPACES"
		echo "netns afr"
	} | "$PROBE" none
	in_ns afr sh -c "echo on >$SYS/mode; echo lookup >$SYS/output" || return 1
	lines <<-EOT | in_ns afr ip -force -batch - || return 1
	link set lo up
	link add r1 type dummy
	link set r1 up
	addr add 10.0.2.1/24 dev r1
	route add 10.1.0.0/16 via 10.0.2.2
	EOT
	settled afr || return 1
	echo 10.1.0.1 | in_ns afr "$UDP" send 53 2 >/dev/null
	before=$(lookup_field afr "lookups answered")
	echo 10.1.0.2 | in_ns afr "$UDP" send 53 10 | grep -v '^#'
	[ "$(($(lookup_field afr "lookups answered") - before))" -ge 10 ] ||
		fail "not answered: $(in_ns afr grep output: /proc/net/altfib/status)" || rc=1
	return "$rc"
}

only_compared() {
	local n

	made || return 1
	destinations 590 | in_ns afr "$UDP" send 53 1 >/dev/null
	in_ns afr sh -c "echo verify >$SYS/mode"
	n=$(lookup_field afr compared)
	destinations 590 | in_ns afr "$UDP" send 53 5 >/dev/null
	in_ns afr grep output: /proc/net/altfib/status
	[ $(($(lookup_field afr compared) - n)) -ge 2950 ] || fail "not compared" || return 1
	[ "$(lookup_field afr mismatches)" = 0 ]
}

# memory NS: KiB of the IPv4 mirror.
memory() {
	in_ns "$1" sed -n 's/^memory: \([0-9]*\) .*/\1/p' /proc/net/altfib/status
}

only_many() {
	local rc=0 before with after

	{
		topo_bare
		echo "arm $NAMESPACES"
		echo "fill afr 20.0.0.0/24 dev=r1 via=10.0.2.2 count=$MANY"
	} | run_scenario on || return 1
	before=$(memory afr)
	in_ns afr sh -c "echo lookup >$SYS/output"
	settled afr || return 1
	in_ns afr ip route show | awk 'NR % 3 == 0 && $1 ~ "/" { sub("/.*", "", $1); print $1 }' >"$TMP/to"
	in_ns afr "$UDP" send 53 2 <"$TMP/to" | grep -v '^#'
	with=$(memory afr)
	in_ns afr grep output: /proc/net/altfib/status
	[ "$(lookup_field afr "lookups answered")" -ge "$(wc -l <"$TMP/to")" ] || fail "not answered" || rc=1
	in_ns afr sh -c "echo off >$SYS/output"
	settled afr || rc=1
	after=$(memory afr)
	echo "memory: $before KiB, with lookups $with, without again $after"
	[ "$with" -gt "$before" ] && [ "$after" -le "$((before + before / 10))" ] || rc=1
	return "$rc"
}

# settled NS: waits until it is served again.
settled() {
	local n

	for ((n = 0; n < 100; n++)); do
		in_ns "$1" grep -q '^serving: yes' /proc/net/altfib/status && return 0
		sleep 0.1
	done
	fail "not served after 10 s"
}

senders() { # COUNT ROUNDS
	local i

	for ((i = 0; i < $1; i++)); do
		destinations 590 | in_ns afr "$UDP" send 53 "$2" >"$TMP/sender.$i" 2>&1 &
	done
}

only_arming() {
	local n rc=0 lost

	made || return 1
	senders 4 "${ALTFIB_ARM_ROUNDS:-300}"
	for ((n = 0; n < ${ALTFIB_ARMINGS:-200}; n++)); do
		in_ns afr sh -c "echo off >$SYS/output; echo lookup >$SYS/output" || rc=1
	done
	wait
	lost=$(grep -c , "$TMP"/sender.*)
	grep -h -v '^#' "$TMP"/sender.* | sort | uniq -c
	[[ $lost != *:[1-9]* ]] || fail "some sends failed" || rc=1
	settled afr || rc=1
	[ "$(lookup_field afr mismatches)" = 0 ] || rc=1
	return "$rc"
}

only_namespaces() {
	local before

	made || return 1
	in_ns af1 sh -c "echo lookup >$SYS/output" || return 1
	settled af1 || return 1
	in_ns af1 ip route get 10.0.2.1 >/dev/null
	echo "netns-del af1" | "$PROBE" none
	echo 10.21.0.1 | in_ns afr "$UDP" send 53 1 >/dev/null
	before=$(lookup_field afr "lookups answered")
	echo 10.23.0.1 | in_ns afr "$UDP" send 53 5 >/dev/null
	[ "$(lookup_field afr "lookups answered")" -gt "$before" ] ||
		fail "the other one is not answered any more"
}

only_device_gone() {
	local i

	made || return 1
	for ((i = 0; i < 100; i++)); do
		echo 10.1.0.1 | in_ns afr "$UDP" send 53 2000 >"$TMP/sender.$i" 2>&1 &
	done
	sleep 0.5
	in_ns afr ip link del r1
	# From the end of this call on, there is no way.
	in_ns afr ip route get 10.1.0.1 2>"$TMP/get" && fail "there is still a way" && return 1
	cat "$TMP/get"
	wait
	grep -h -v '^#' "$TMP"/sender.* | sed 's/[0-9][0-9]*/N/g' | sort | uniq -c
	! dmesg | tail -n 50 | grep 'to become free'
}

only_unload() {
	local rc=0

	made || return 1
	senders 4 200
	sleep 0.2
	rmmod altfib || rc=1
	wait
	grep -h -v '^#' "$TMP"/sender.* | sort | uniq -c
	in_ns afr ip route get 10.21.0.1 | grep -q 10.0. || rc=1
	insert_altfib || rc=1
	return "$rc"
}

# sockets_field NS WORD: the number before a word of the sockets' line in status.
sockets_field() {
	in_ns "$1" sed -n "s/^sockets: \(.* \)*\([0-9][0-9]*\) $2.*/\2/p" /proc/net/altfib/status
}

repeated() { # N ADDRESS
	local i

	for ((i = 0; i < $1; i++)); do echo "$2"; done
}

sockets_on() {
	{ topo_bare; echo "arm $NAMESPACES"; some_prefixes; } | run_scenario on+socket
}

# No table is walked, neither altfib's nor the kernel's.
only_socket_hits() {
	local rc=0 walks hits n

	sockets_on || return 1
	repeated 2 10.21.0.1 | in_ns afr "$UDP" send 53 1 >/dev/null
	walks=$(($(lookup_field afr "lookups answered") + $(lookup_field afr learned) + $(lookup_field afr "left to")))
	hits=$(sockets_field afr "had their")
	repeated 1000 10.21.0.1 | in_ns afr "$UDP" send 53 1 | grep -v '^#' || rc=1
	n=$(($(lookup_field afr "lookups answered") + $(lookup_field afr learned) + $(lookup_field afr "left to") - walks))
	echo "$n walks for 1000 datagrams, $(($(sockets_field afr "had their") - hits)) of them by the socket's last route"
	# It is remembered when it is asked for twice in a row.
	[ "$n" -le 2 ] && [ $(($(sockets_field afr "had their") - hits)) -ge 998 ] || rc=1
	[ "$(sockets_field afr mismatches)" = 0 ] || rc=1
	return "$rc"
}

# Each process has a socket of its own.
only_socket_twice() {
	local rc=0 i n hits

	sockets_on || return 1
	for n in 1 2 3; do
		hits=$(sockets_field afr "had their")
		for ((i = 0; i < 20; i++)); do
			repeated "$n" 10.21.0.1 | in_ns afr "$UDP" send 53 1 >/dev/null
		done
		hits=$(($(sockets_field afr "had their") - hits))
		echo "20 sockets, $n datagrams each: $hits had their socket's last route"
		[ "$hits" = $((n < 3 ? 0 : 20)) ] || rc=1
	done
	hits=$(sockets_field afr "had their")
	for ((i = 0; i < 20; i++)); do
		echo 10.21.0.1
		echo 10.0.3.2
	done | in_ns afr "$UDP" send 53 1 >/dev/null
	[ "$(sockets_field afr "had their")" = "$hits" ] || rc=1
	return "$rc"
}

only_socket_changes() {
	local rc=0 i n

	sockets_on || return 1
	in_ns afr sh -c "echo 1 >$SYS/verify_sample"
	repeated 20000 10.1.0.1 | in_ns afr "$UDP" send 53 2 >"$TMP/sender" &
	for ((i = 0; i < 60; i++)); do
		in_ns afr ip route replace 10.1.0.0/16 via "10.0.$((3 - i % 2)).2"
		n=$(in_ns afr ip route get 10.1.0.1)
		[[ $n == *"via 10.0.$((3 - i % 2)).2"* ]] || fail "$n" || rc=1
	done
	wait
	grep -v '^#' "$TMP/sender"
	in_ns afr grep -A 1 ^output: /proc/net/altfib/status
	[ "$(sockets_field afr mismatches)" = 0 ] && [ "$(lookup_field afr mismatches)" = 0 ] || rc=1
	return "$rc"
}

only_socket_bound() {
	local i rc=0

	sockets_on || return 1
	in_ns afr sh -c "echo lookup >$SYS/output; echo 16 >$SYS/socket_routes_max; echo socket >$SYS/output" || return 1
	for ((i = 0; i < 60; i++)); do
		repeated 50 10.21.0.1 | in_ns afr "$UDP" send 53 20 >"$TMP/sender.$i" 2>&1 &
	done
	wait
	grep -h -v '^#' "$TMP"/sender.* | sort | uniq -c
	in_ns afr grep ^sockets: /proc/net/altfib/status
	in_ns afr sh -c "echo 4096 >$SYS/socket_routes_max"
	[ "$(cat "$TMP"/sender.* | grep -c '^sent 1000$')" = 60 ] || rc=1
	return "$rc"
}

# That module looks up 198.51.0.0 instead of TEST-NET-2 here, and 2001:db8:600d:: instead of
# 2001:db8:bad::.
only_corrupt() {
	local rc=0

	[ -n "${ALTFIB_KO_CORRUPT:-}" ] || fail "set ALTFIB_KO_CORRUPT=path/to/the/corrupt/altfib.ko" || return 1
	rmmod altfib && insmod "$ALTFIB_KO_CORRUPT" || return 1
	corrupt_noticed on || rc=1
	# Here altfib answers none itself.
	corrupt_noticed verify || rc=1
	rmmod altfib
	insert_altfib || return 1
	return "$rc"
}

corrupt_noticed() { # MODE
	local rc=0 n

	{
		topo_bare
		lines <<-EOT
		ip afr route add 198.51.0.0/16 via 10.0.2.2
		ip afr route add 198.51.100.0/24 via 10.0.3.2
		EOT
		echo "arm $NAMESPACES"
	} | run_scenario "$1+lookup" || rc=1
	in_ns afr sh -c "echo 1 >$SYS/verify_sample"
	echo 198.51.0.1 | in_ns afr "$UDP" send 53 2 >/dev/null
	echo 198.51.100.1 | in_ns afr "$UDP" send 53 2 >/dev/null
	for ((n = 0; n < 50; n++)); do
		[ "$(in_ns afr cat "$SYS/output")" = off ] && break
		sleep 0.1
	done
	in_ns afr grep output: /proc/net/altfib/status
	[ "$(in_ns afr cat "$SYS/output")" = off ] || fail "nobody noticed" || rc=1
	[ "$(lookup_field afr mismatches)" -ge 1 ] || fail "status tells of no mismatch" || rc=1
	return "$rc"
}

tests_run "$@"
