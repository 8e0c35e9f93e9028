# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by daemons.sh: namespaces, links, and who sends what through the router.
#
#                                 +-- u1 -- r0 af1 d0 -- d1 --+
#   afs s0 -- s1 afi r0 -- in afr +                           +-- afd
#   198.19.0.2                    +-- u2 -- r0 af2 d0 -- d2 --+
#
#   afr  the router under test, 10.255.0.1, AS 65000; altfib is on nowhere else
#   afi  an inside router, 10.255.0.2: OSPF, and a BGP session with afr between the
#        two loopback addresses, so that its next hop is resolved by OSPF
#   af1  the first upstream, AS 65001, and af2 the second, AS 65002: each announces
#        the table, af2 with a longer path; both send everything on to afd
#   afd  takes each address for its own, and counts what came by whom
#
# Links are 10.0.NET.0/24 and 2001:db8:NET::/64: in 1, u1 2, u2 3, d1 4, d2 5.

NAMESPACES="afs afi afr af1 af2 afd"
# What afi announces: in OSPF, and in BGP.
INSIDE=16

# pair NET NS DEV NS DEV: the first end has host 1, the second host 2. Indexes differ: with
# equal ones the kernel takes up to a second to notice the carrier.
pair() {
	ip link add "$3" index "2${1}1" netns "$2" type veth peer name "$5" index "2${1}2" netns "$4"
	ends "$1" "$2" "$3" 1
	ends "$1" "$4" "$5" 2
}

ends() {
	ip -n "$2" -batch - <<-EOT
	link set $3 up
	addr add 10.0.$1.$4/24 dev $3
	addr add 2001:db8:$1::$4/64 dev $3 nodad
	EOT
}

make_network() {
	local ns i

	for ns in $NAMESPACES; do
		ip netns add "$ns" || return 1
		in_ns "$ns" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
			net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
			net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
			net.ipv6.conf.all.keep_addr_on_down=1 net.ipv6.conf.default.keep_addr_on_down=1
		ip -n "$ns" link set lo up
	done
	pair 1 afr in afi r0
	pair 2 afr u1 af1 r0
	pair 3 afr u2 af2 r0
	pair 4 af1 d0 afd d1
	pair 5 af2 d0 afd d2
	ip link add s0 netns afs type veth peer name s1 index 261 netns afi
	ip -n afs -batch - <<-EOT
	addr add 198.19.0.2/24 dev s0
	addr add 2001:db8:19::2/64 dev s0 nodad
	link set s0 up
	route add default via 198.19.0.1
	route add default via 2001:db8:19::1
	EOT
	ip -n afi -batch - <<-EOT
	addr add 198.19.0.1/24 dev s1
	addr add 2001:db8:19::1/64 dev s1 nodad
	link set s1 up
	addr add 10.255.0.2/32 dev lo
	addr add 2001:db8:ffff::2/128 dev lo
	route add default via 10.0.1.1
	route add default via 2001:db8:1::1
	route add local 10.77.0.0/16 dev lo table local
	route add local 10.78.0.0/16 dev lo table local
	route add local 2001:db8:77::/48 dev lo table local
	route add local 2001:db8:78::/48 dev lo table local
	EOT
	ip -n afr -batch - <<-EOT
	addr add 10.255.0.1/32 dev lo
	addr add 2001:db8:ffff::1/128 dev lo
	EOT
	for i in 1 2; do
		ip -n "af$i" -batch - <<-EOT
		route add default via 10.0.$((i + 3)).2
		route add default via 2001:db8:$((i + 3))::2
		EOT
		to_inside $i
		# The local table is asked first: what is not here stands in it, too.
		ip -n afd -batch - <<-EOT
		route add 10.0.$((i + 3)).1/32 dev d$i table local
		route add 2001:db8:$((i + 3))::1/128 dev d$i table local
		EOT
	done
	# Nor may the sender's be its own.
	ip -n afd -batch - <<-EOT
	route add 198.19.0.0/24 via 10.0.4.1 dev d1 table local
	route add 2001:db8:19::/64 via 2001:db8:4::1 dev d1 table local
	route add local 0.0.0.0/0 dev lo table local
	route add local ::/0 dev lo table local
	EOT
}

# to_inside N: an upstream's way to what is inside, which goes with the link.
to_inside() {
	ip -n "af$1" -batch - <<-EOT
	route replace 10.77.0.0/16 via 10.0.$(($1 + 1)).1
	route replace 10.78.0.0/16 via 10.0.$(($1 + 1)).1
	route replace 2001:db8:77::/48 via 2001:db8:$(($1 + 1))::1
	route replace 2001:db8:78::/48 via 2001:db8:$(($1 + 1))::1
	EOT
}

# make_tables COUNT: the prefixes that both upstreams announce, spread evenly over the real ones;
# 0 is all of them. IPv6 gets its share.
make_tables() {
	local f step=1

	[ "$1" = 0 ] || step=$(($(wc -l <"${REAL[4]}") / $1))
	for f in 4 6; do
		awk -v n="$step" 'NR % n == 0 { print $1 }' "${REAL[$f]}" >"$TMP/table$f"
		sed 's/.*/route & blackhole;/' "$TMP/table$f" >"$TMP/routes$f"
		awk -v n=$(($(wc -l <"$TMP/table$f") / 50)) -F/ 'NR % n == 0 { print $1 }' "$TMP/table$f" >"$TMP/sample$f"
	done
}

# Prefixes whose first addresses are sent to from outside.
make_inside() {
	local i

	for ((i = 0; i < INSIDE; i++)); do
		printf '10.77.%d.0/24\n10.78.%d.0/24\n' "$i" "$i"
	done >"$TMP/inside4"
	for ((i = 0; i < INSIDE; i++)); do
		printf '2001:db8:77:%x::/64\n2001:db8:78:%x::/64\n' "$i" "$i"
	done >"$TMP/inside6"
}

# value FILE KEY: of a report of altfib-routeload.
value() {
	sed -n "s/^$2=//p" "$1"
}

any_address() {
	[ "$1" = 4 ] && echo 0.0.0.0 || echo ::
}

# sinks NAMESPACE COUNT: one for each family, until so many packets have come; SINKS are
# their processes.
sinks() {
	local f i

	SINKS=()
	for f in 4 6; do
		rm -f "$TMP/ready$f" "$TMP/sink$f"
		in_ns "$1" "$ROUTELOAD" sink --address "$(any_address $f)" --port 400$f --first 10 --idle 5 \
			--expect "$2" --ready "$TMP/ready$f" --report "$TMP/sink$f" >"$TMP/sink$f.out" 2>&1 &
		SINKS+=($!)
	done
	for ((i = 0; i < 200; i++)); do
		[ -e "$TMP/ready4" ] && [ -e "$TMP/ready6" ] && return 0
		sleep 0.1
	done
	fail "the receivers do not start: $(cat "$TMP"/sink?.out)"
}

# streams NAMESPACE TABLE RATE COUNT DESTINATIONS4 DESTINATIONS6: begins one of each family.
streams() {
	local f destinations=$5

	STREAMS=()
	for f in 4 6; do
		rm -f "$TMP/stream$f"
		in_ns "$1" "$ROUTELOAD" stream "$TMP/$2$f" --port 400$f --rate "$3" --count "$4" \
			--destinations "$destinations" --report "$TMP/stream$f" >"$TMP/stream$f.out" 2>&1 &
		STREAMS+=($!)
		destinations=$6
	done
}

# streamed: waits for both, and sets of each family SENT, LOST, SILENCE (ms), and BY1, the packets
# that came by the first upstream.
# shellcheck disable=SC2034 # read by daemons.sh
declare -A SENT LOST SILENCE BY1
# shellcheck disable=SC2034 # read by daemons.sh
streamed() {
	local f rc=0

	wait "${STREAMS[@]}" || { fail "a stream broke: $(tail -n 2 "$TMP"/stream?.out)"; rc=1; }
	wait "${SINKS[@]}" || { fail "packets went astray: $(tail -n 2 "$TMP"/sink?.out)"; rc=1; }
	for f in 4 6; do
		SENT[$f]=$(value "$TMP/stream$f" sent)
		LOST[$f]=$((SENT[$f] - $(value "$TMP/sink$f" received) - $(value "$TMP/sink$f" overflow)))
		SILENCE[$f]=$(value "$TMP/sink$f" silence_ms)
		BY1[$f]=$(value "$TMP/sink$f" if_242)
	done
	return $rc
}

# by_device FAMILY DEVICE: the routes that the daemon has given the router through it.
by_device() {
	ip -n afr "-$1" -o route show table main dev "$2" | grep -vc 'proto kernel'
}

# sample_by FAMILY DEVICE: how many of some fifty addresses go there. Much cheaper with a full table.
sample_by() {
	sed 's/^/route get /' "$TMP/sample$1" | ip -n afr "-$1" -force -batch - 2>/dev/null | grep -c " dev $2 "
}
