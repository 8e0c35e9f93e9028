#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# How often the router itself looks up a route for what its sockets take and send.
# A connected socket has its route in both directions: nobody looks anything up.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"udp_connected: connected UDP sockets look nothing up"
	"udp_connected_no_demux: the same with ip_early_demux=0"
	"udp_connected_no_udp_demux: the same with udp_early_demux=0"
	"udp_connected_changes: their route changes, and they look once"
	"tcp_established: an established TCP connection looks nothing up"
	"tcp_established_no_demux: the same with ip_early_demux=0"
	"tcp_established_changes: its route changes, and it looks once"
	"udp_unconnected: an unconnected socket looks up each answer, or the first"
	"udp_unconnected_no_demux: the same with ip_early_demux=0"
	"udp_two_peers: a socket that answers two peers in turn"
	"udp_source: what chooses the source of an unconnected socket changes"
	"udp_reconnected: a socket that is connected, disconnected and connected again"
)
# Elsewhere altfib's own counters have to do.
! grep -q ' register_kprobe$' /proc/kallsyms || ALL_TESTS+=(
	"only_walks: the kernel's functions are not even called"
)
in_ipv6 udp_connected udp_connected_no_demux udp_connected_no_udp_demux udp_connected_changes \
	tcp_established tcp_established_no_demux tcp_established_changes udp_unconnected \
	udp_unconnected_no_demux udp_two_peers udp_source udp_reconnected \
	only_walks

TRACING=/sys/kernel/tracing

# Each comparison is with both, unless one is asked for.
run_compared() {
	local arms=("$ON+lookup" "$ON+socket")

	! names_output "$ON" || arms=("$ON")
	"$1" | "$PROBE" --compare off "${arms[@]}"
}

# at ADDRESS PORT: as a socket's address is written.
at() {
	if [ "$FAMILY" = 4 ]; then
		echo "$1:$2"
	else
		echo "[$1]:$2"
	fi
}

# The addresses of the router on the host's link and on another one, and the host's.
start() {
	address 1 1
	NEAR=$ADDRESS
	address 3 1
	FAR=$ADDRESS
	HOST=$(at "$SRC" 1000)
	if [ "$FAMILY" = 4 ]; then
		topo
	else
		topo6
	fi
}

# From here on it counts: what was done before is forgotten.
now() {
	echo "discard"
	if [ "$FAMILY" = 4 ]; then
		begin
	else
		begin6
	fi
}

end() {
	if [ "$FAMILY" = 4 ]; then
		finish "$@"
	else
		finish6 "$@"
	fi
}

# Of the host's own lookups, in each of the words' columns none.
NONE="lookups=0 recalled=0 asked=0"
# The packets that come are looked up by the kernel in mode=verify, and by altfib else.
NONE_ON="on+lookup.lookups=0 on+socket.lookups=0 recalled=0 asked=0"

# Two connected sockets, each of which has had a packet: the first one is routed.
connected() {
	lines <<-EOT
	sock near afr bind=$(at "$NEAR" 2000) connect=$HOST
	sock far afr bind=$(at "$FAR" 2000) connect=$HOST
	sock host afc bind=$HOST
	say host to=$(at "$NEAR" 2000)
	say host to=$(at "$FAR" 2000)
	say near
	say far
	read near
	read far
	read host
	EOT
	now
}

both_ways() {
	lines <<-EOT
	say host n=100 to=$(at "$NEAR" 2000)
	say near n=100
	say far n=100
	say host n=100 to=$(at "$FAR" 2000)
	read near
	read far
	read host
	EOT
}

udp_connected() {
	start
	connected
	both_ways
	# shellcheck disable=SC2086 # words
	end early_demux=200 local=0 $NONE
}

udp_connected_no_demux() {
	start
	echo "sysctl afr net/ipv4/ip_early_demux 0"
	connected
	both_ways
	# shellcheck disable=SC2086
	end min=100 early_demux=0 $NONE_ON
}

udp_connected_no_udp_demux() {
	start
	echo "sysctl afr net/ipv4/udp_early_demux 0"
	connected
	both_ways
	# shellcheck disable=SC2086
	end min=100 early_demux=0 $NONE_ON
}

# With the second packet after a change it has its new route.
udp_connected_changes() {
	start
	connected
	lines <<-EOT
	say near n=50
	ip afr route add $SRC$ONE via $GW1
	say near n=50
	frames s1 >$SRC 50
	report another way
	ip afr route del $SRC$ONE
	say near n=50
	frames c >$SRC 50
	EOT
	end least=lookups:2 recalled=0 asked=0
}

# Packets of about 60 bytes in both directions, each in a segment of its own.
established() {
	lines <<-EOT
	sock web afr tcp bind=$(at "$NEAR" 80) listen
	sock host afc tcp connect=$(at "$NEAR" 80)
	accept web1 web
	say host
	say web1
	settle
	EOT
	now
}

talk() { # N
	local i

	for ((i = 0; i < $1; i++)); do
		printf '%s\n' "say host" "say web1"
	done
}

# Which segment acknowledges what is a matter of time.
end_tcp() {
	lines <<-EOT
	discard
	altfib${FAMILY#4} afr end $*
	EOT
}

tcp_established() {
	start
	established
	talk 100
	# shellcheck disable=SC2086
	end_tcp punt=early_demux:100 local=0 $NONE
}

tcp_established_no_demux() {
	start
	echo "sysctl afr net/ipv4/ip_early_demux 0"
	established
	talk 100
	# shellcheck disable=SC2086
	end_tcp min=100 early_demux=0 $NONE_ON
}

tcp_established_changes() {
	start
	established
	talk 20
	# All is acknowledged. What goes to the other host is lost: it forwards nothing.
	lines <<-EOT
	sleep 300
	ip afr route add $SRC$ONE via $GW1
	say web1
	frames s1 >$SRC tcp 1+
	ip afr route del $SRC$ONE
	EOT
	talk 20
	echo "sleep 500"
	end_tcp punt=early_demux:20 least=lookups:2 recalled=0 asked=0
}

unconnected() {
	lines <<-EOT
	sock any afr bind=$(at "$([ "$FAMILY" = 4 ] && echo 0.0.0.0 || echo ::)" 2000)
	sock host afc bind=$HOST
	say host n=2 to=$(at "$NEAR" 2000)
	say any n=2 to=$HOST
	read any
	read host
	EOT
	now
	lines <<-EOT
	say host n=100 to=$(at "$NEAR" 2000)
	say any n=100 to=$HOST
	read any
	read host
	EOT
}

# As many as answers, or none: what comes, altfib attaches.
ANSWERS="lookup.least=known:100 on+lookup.lookups=100 lookup.recalled=0
	on+socket.lookups=0 socket.recalled=100 asked=0"

udp_unconnected() {
	start
	unconnected
	# shellcheck disable=SC2086
	end min=100 early_demux=0 $ANSWERS
}

udp_unconnected_no_demux() {
	start
	echo "sysctl afr net/ipv4/ip_early_demux 0"
	unconnected
	# shellcheck disable=SC2086
	end min=100 early_demux=0 $ANSWERS
}

# Each answer is to another one than the last, so that of one peer at most is remembered.
udp_two_peers() {
	local i

	start
	unconnected
	lines <<-EOT
	report one peer
	altfib${FAMILY#4} afr begin
	EOT
	for ((i = 0; i < 20; i++)); do
		lines <<-EOT
		say any to=$HOST
		say any to=$(at "$HOST1" 1000)
		EOT
	done
	lines <<-EOT
	frames c >$SRC udp 20
	frames s1 >$HOST1 udp 20
	EOT
	end lookup.least=known:30 socket.least=known:15 socket.least=asked:15 lookup.recalled=0
}

# The source is chosen with the route. No route changes with what decides about it.
udp_source() {
	start
	unconnected
	if [ "$FAMILY" = 4 ]; then
		lines <<-EOT
		sysctl afr net/ipv4/conf/r1/promote_secondaries 1
		ip afr addr add 10.0.2.9/24 dev r1
		say any n=3 to=$(at "$HOST1" 1000)
		ip afr addr del 10.0.2.1/24 dev r1
		say any n=3 to=$(at "$HOST1" 1000)
		ip afr addr add 10.9.0.1/32 dev lo
		ip afr route replace $NET1 via $GW1 src 10.9.0.1
		say any n=3 to=$(at "$HOST1" 1000)
		EOT
	else
		lines <<-EOT
		ip afr addr add 2001:db8:2::9/64 dev r1 nodad
		ready
		say any n=3 to=$(at "$HOST1" 1000)
		report two addresses
		ip6 afr addrlabel add prefix 2001:db8:a::/48 label 99
		ip6 afr addrlabel add prefix 2001:db8:2::1/128 label 99
		say any n=3 to=$(at "$HOST1" 1000)
		report the first one has the label of the destination
		ip6 afr addrlabel del prefix 2001:db8:2::1/128 label 99
		ip6 afr addrlabel add prefix 2001:db8:2::9/128 label 99
		say any n=3 to=$(at "$HOST1" 1000)
		report the second one has
		ip6 afr addr change 2001:db8:2::9/64 dev r1 preferred_lft 0
		say any n=3 to=$(at "$HOST1" 1000)
		report the second one is deprecated
		ip afr addr del 2001:db8:2::9/64 dev r1
		ip afr addr del 2001:db8:2::1/64 dev r1
		ip afr addr add 2001:db8:9::1/128 dev lo nodad
		ready
		ip afr route replace $NET1 via fe80::1 dev r1
		ip afr neigh add fe80::1 lladdr 02:00:00:00:02:02 nud permanent dev r1
		say any n=3 to=$(at "$HOST1" 1000)
		report the only one on another device
		sysctl afr net/ipv6/conf/r1/use_oif_addrs_only 1
		say any n=3 to=$(at "$HOST1" 1000)
		report of the device itself only
		EOT
	fi
	end
}

# One socket, first unconnected, then connected, then to another one.
udp_reconnected() {
	start
	lines <<-EOT
	sock one afr bind=$(at "$NEAR" 2000)
	sock host afc bind=$HOST
	say one n=10 to=$HOST
	connect one $HOST
	say host to=$(at "$NEAR" 2000)
	say one
	read one
	read host
	EOT
	now
	lines <<-EOT
	say host n=50 to=$(at "$NEAR" 2000)
	say one n=50
	read one
	read host
	report connected
	EOT
	# shellcheck disable=SC2086
	end early_demux=50 $NONE
	lines <<-EOT
	connect one none
	say one n=10 to=$(at "$HOST1" 1000)
	frames s1 >$HOST1 udp 10
	connect one $HOST
	say one n=10
	frames c >$SRC udp 10
	EOT
	end
}

# kprobes on|off: counts the calls of the kernel's own functions, whoever answers them.
FUNCTIONS="fib_table_lookup fib6_node_lookup"
kprobes() {
	local function

	for function in $FUNCTIONS; do
		if [ "$1" = on ]; then
			echo "sh echo p:walks_$function $function >>$TRACING/kprobe_events"
			echo "sh echo 1 >$TRACING/events/kprobes/walks_$function/enable"
		else
			echo "sh echo 0 >$TRACING/events/kprobes/walks_$function/enable"
			echo "sh echo -:walks_$function >>$TRACING/kprobe_events"
		fi
	done
}

# walked WHAT TEST N: how often they were called since the last time.
walked() {
	kprobes off
	lines <<-EOT
	sh [ \$(cat $TMP/walks) $2 $3 ] || { echo "$1: \$(cat $TMP/walks) calls"; }
	EOT
}

count_walks() {
	echo "sh awk '{ n += \$2 } END { print n + 0 }' $TRACING/kprobe_profile >$TMP/walks; echo \"# $1: \$(cat $TMP/walks) calls\""
}

walks_of() { # OUTPUT
	start
	lines <<-EOT
	sock near afr bind=$(at "$NEAR" 2000) connect=$HOST
	sock host afc bind=$HOST connect=$(at "$NEAR" 2000)
	sock any afr bind=$(at "$NEAR" 3000)
	sock host2 afc bind=$(at "$SRC" 1001) connect=$(at "$NEAR" 3000)
	say host
	say near
	say any n=2 to=$(at "$SRC" 1001)
	settle
	EOT
	kprobes on
	lines <<-EOT
	say host n=100
	say near n=100
	settle
	EOT
	count_walks "connected, output=$1"
	walked "connected, output=$1" -eq 0
	kprobes on
	# Who takes them is connected, so what is counted is the sender's.
	echo "say any n=100 to=$(at "$SRC" 1001)"
	echo "settle"
	count_walks "unconnected, output=$1"
	if [ "$1" = socket ]; then
		walked "unconnected, output=$1" -eq 0
	else
		walked "unconnected, output=$1" -ge 100
	fi
	echo "discard"
}

only_walks() {
	local rc=0 output

	mountpoint -q "$TRACING" || mount -t tracefs tracefs "$TRACING" || return 1
	for output in off lookup socket; do
		walks_of "$output" | run_scenario "on+$output" || rc=1
	done
	return "$rc"
}

tests_run "$@"
