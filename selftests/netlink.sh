#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The generic netlink family, asked with the kernel's own ynl and by those who misuse it.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_get: one address of each kind, with what altfib and the kernel know of it"
	"only_get_punts: why a packet would be left to the kernel, and when it would not"
	"only_get_nothing_done: asking moves no counter and fills no slot"
	"only_get_rules: policy rules, other tables, a VRF"
	"only_get_flow: what is kept of a packet's flow, and whether it still holds"
	"only_random: 1,000 random addresses of each family: altfib, the kernel, ip route get"
	"only_routes: 100,000 routes are those of /proc/net/altfib/routes, and of all tables"
	"only_routes_change: a dump during which a route changes says so, and another one does not"
	"only_nexthops: next hops and the state of their cached routes"
	"only_traffic: packets by what they left by, of the namespace that asks"
	"only_stats: counters, reasons, caches"
	"only_stats_settings: the cache, the fast path and the host's own lookups"
	"only_audit: an audit is started, watched, refused beside another one, and told of"
	"only_flush: cached routes and flows are given back"
	"only_bad: bad attributes get the kernel's messages"
	"only_permission: who may start an audit or flush, and who only asks"
	"only_events: what listeners hear of modes, caches, algorithms and routes"
	"only_events_many: no more than 64 events in a second, and the last word is true"
	"only_corrupt_get: a wrong answer is told as such"
	"only_corrupt_event: a mismatch is told, and who switched the mode off"
	"only_corrupt_lookup: so is a wrong answer to a lookup of the host's own"
	"only_hold: with a dump that nobody reads the module stays"
	"only_fuzz: random and mutated messages"
)

SYS=/proc/sys/net/altfib
ROUTES=${ALTFIB_NETLINK_ROUTES:-100000}
SEED=${ALTFIB_SEED:-$RANDOM}
FUZZ_SECONDS=${ALTFIB_FUZZ_SECONDS:-20}

# The kernel's library and command line: YNL=.../tools/net/ynl/pyynl, or from the source that the
# set-up has.
for YNL in "${YNL:-}" "${KSRC:-/nowhere}/tools/net/ynl/pyynl" \
	"${ALTFIB_CACHE:-/nowhere}"/src/linux-source-*/tools/net/ynl/pyynl; do
	[ ! -e "$YNL/cli.py" ] || break
done
export YNL
NL=${PROBE%/*}/nl
UDP=${PROBE%/*}/udp
SPEC=$(cd "$HERE/.." && pwd)/Documentation/netlink/specs/altfib.yaml

ynl() { # NS ARGUMENT...
	in_ns "$1" python3 -B "$YNL/cli.py" --no-schema --spec "$SPEC" --output-json "${@:2}" 2>&1
}

client() { # NS ARGUMENT...
	in_ns "$1" python3 -B "$HERE/netlink.py" "${@:2}" 2>&1
}

# has TEXT WHAT...: each WHAT, as JSON has it ("key": value), is somewhere in TEXT.
has() {
	local text=$1 what

	for what in "${@:2}"; do
		grep -qF -- "$what" <<<"$text" || fail "no $what in $text" || return 1
	done
}

has_not() {
	local text=$1 what

	for what in "${@:2}"; do
		! grep -qF -- "$what" <<<"$text" || fail "$what in $text" || return 1
	done
}

# side REPLY altfib|kernel: that part of a reply to "get".
side() {
	python3 -c 'import json, sys; print(json.dumps(json.loads(sys.argv[1])[sys.argv[2]]))' "$@"
}

index() { # NS DEV
	in_ns "$1" ip -o link show "$2" | cut -d: -f1
}

set_in() { # NS SETTING VALUE
	in_ns "$1" bash -c "echo $3 >$SYS/$2"
}

# The topology of lib.sh in one family at a time, altfib in mode MODE on the router.
in_mode() {
	ON=$1 run_scenario "$1" <<-EOT
	$(topo_bare)
	arm afr
	$([ "$FAMILY" = 4 ] || echo ready)
	EOT
}

# More routes by GW1, which the test's next hops know.
fill() { # COUNT [WORD...]
	run_scenario on <<-EOT
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=$1 ${*:2}
	EOT
}

get() { # NS JSON
	ynl "$1" --do get --json "$2"
}

only_get() {
	local reply part

	in_mode on || return 1
	reply=$(get afr '{"dst": "10.1.2.3"}') || fail "$reply" || return 1
	for part in altfib kernel; do
		has "$(side "$reply" "$part")" '"prefix": "10.1.0.0"' '"prefix-len": 16' '"table": 254' \
			'"type": "unicast"' '"gateway": "10.0.2.2"' '"dev": "r1"' \
			"\"oif\": $(index afr r1)" || return 1
	done
	has "$reply" '"agree": 1' && has_not "$reply" '"punt"' || return 1
	reply=$(get afr '{"dst": "10.0.2.9"}') && has "$(side "$reply" altfib)" '"prefix": "10.0.2.0"' &&
		has_not "$reply" gateway && has "$reply" '"agree": 1' || return 1
	reply=$(get afr '{"dst": "10.0.1.1"}') && has "$(side "$reply" altfib)" '"type": "local"' \
		'"table": 255' '"prefix-len": 32' && has "$reply" '"agree": 1' || return 1
	reply=$(get afr '{"dst": "10.9.9.9"}') && has "$reply" '"agree": 1' '"kernel": {"error": 101}' \
		'"altfib": {}' || return 1
	run_scenario on <<-EOT
	ip afr route add unreachable 10.6.0.0/16
	ip afr route add 10.7.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2
	EOT
	reply=$(get afr '{"dst": "10.6.1.1"}') && has "$(side "$reply" altfib)" '"type": "unreachable"' &&
		has "$(side "$reply" kernel)" '"error": 113' && has "$reply" '"agree": 1' || return 1
	reply=$(get afr '{"dst": "10.7.1.1"}') && has "$(side "$reply" altfib)" '"paths": 2' &&
		has "$reply" '"agree": 1' || return 1
	set_in afr mode off
	reply=$(get afr '{"dst": "10.1.2.3"}') && has "$reply" '"punt": "not_ready"' '"gateway": "10.0.2.2"' &&
		has_not "$reply" '"agree"' || return 1
	use_family 6
	in_mode on || return 1
	reply=$(get afr '{"dst": "2001:db8:a::1"}') || fail "$reply" || return 1
	for part in altfib kernel; do
		has "$(side "$reply" "$part")" '"prefix": "2001:db8:a::"' '"prefix-len": 48' '"table": 254' \
			'"type": "unicast"' '"gateway": "2001:db8:2::2"' '"dev": "r1"' || return 1
	done
	has "$reply" '"agree": 1' || return 1
	reply=$(get afr '{"dst": "2001:db8:1::1"}') && has "$(side "$reply" altfib)" '"type": "local"' '"table": 255' &&
		has "$reply" '"agree": 1' || return 1
	reply=$(get afr '{"dst": "2001:db9::1"}') && has "$reply" '"agree": 1' '"kernel": {"error": 101}'
}

received() { # DST [MORE JSON]: asked as received from the client
	get afr "{\"dst\": \"$1\", \"src\": \"$SRC\", \"iif\": $(index afr rc)${2:-}}"
}

only_get_punts() {
	local reply

	in_mode on || return 1
	reply=$(received 10.1.2.3) && has "$(side "$reply" altfib)" '"punt": "no_dst"' \
		'"dst-state": "empty"' '"cause": "first packet' && has "$reply" '"agree": 1' || return 1
	# The kernel has made one, when it was asked itself; altfib would take it.
	reply=$(received 10.1.2.3) && has_not "$reply" '"punt"' || return 1
	run_scenario on <<-EOT
	$TX dst=10.1.0.1 n=2
	settle
	EOT
	reply=$(received 10.1.2.3) && has "$(side "$reply" altfib)" '"dst-state": "cached"' &&
		has_not "$reply" '"punt"' && has "$reply" '"agree": 1' || return 1
	reply=$(received 10.9.9.9) && has "$reply" '"punt": "no_route"' '"agree": 1' || return 1
	reply=$(received 224.1.1.1) && has "$reply" '"punt": "special_address"' && has_not "$reply" '"agree"' || return 1
	run_scenario on <<-EOT
	ip afr route add unreachable 10.6.0.0/16
	ip afr route add 10.12.0.0/16 via 10.0.2.2 tos 0x10
	sysctl afr net/ipv4/conf/rc/rp_filter 1
	EOT
	reply=$(received 10.6.1.1) && has "$reply" '"punt": "route_type"' '"agree": 1' || return 1
	reply=$(received 10.12.1.1) && has "$reply" '"punt": "dscp"' || return 1
	reply=$(get afr "{\"dst\": \"10.1.2.3\", \"src\": \"10.0.3.7\", \"iif\": $(index afr rc)}") &&
		has "$reply" '"punt": "source"' '"drop-reason"' || return 1
	run_scenario on <<-EOT
	sysctl afr net/ipv4/ip_forward 0
	EOT
	reply=$(received 10.1.2.3) && has "$reply" '"punt": "not_forwarding"' || return 1
	set_in afr mode off
	reply=$(received 10.1.2.3) && has "$reply" '"punt": "not_ready"' && has_not "$reply" '"agree"' || return 1
	use_family 6
	in_mode on || return 1
	reply=$(received 2001:db8:a::1) && has "$reply" '"punt": "no_dst"' '"agree": 1' || return 1
	reply=$(received 2001:db8:a::1) && has_not "$reply" '"punt"' && has "$reply" '"dst-state": "cached"' || return 1
	reply=$(received fe80::1) && has "$reply" '"punt": "special_address"' || return 1
	reply=$(received 2001:db9::1) && has "$reply" '"punt": "no_route"' '"agree": 1'
}

only_get_nothing_done() {
	local before after _

	in_mode on || return 1
	before=$(in_ns afr cat /proc/net/stat/altfib /proc/net/altfib/punts /proc/net/altfib/nexthops)
	for _ in 1 2 3 4 5; do
		received 10.1.2.3 >/dev/null && received 10.9.9.9 >/dev/null &&
			get afr '{"dst": "10.1.2.3"}' >/dev/null || return 1
	done
	after=$(in_ns afr cat /proc/net/stat/altfib /proc/net/altfib/punts /proc/net/altfib/nexthops)
	[ "$before" = "$after" ] || diff <(echo "$before") <(echo "$after")
}

flow_state() { # DST STATE [MORE...]
	local reply

	reply=$(received "$1") && has "$(side "$reply" altfib)" "\"flow-state\": \"$2\"" &&
		has "$reply" '"agree": 1' "${@:3}"
}

# What a question would move in altfib_cache; the collector runs by itself.
questions() {
	# shellcheck disable=SC2016 # awk's own
	in_ns afr awk 'NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^(in_|out_|insert|uncached|verified)/) name[i] = $i; next }
		{ for (i = 1; i <= NF; i++) if (i in name) printf "%s=%s ", name[i], $i }' /proc/net/stat/altfib_cache
}

only_get_flow() {
	local cache before

	for cache in flow percpu-flow; do
		use_family 4
		in_mode on && set_in afr cache "$cache" && run_scenario on <<-EOT || return 1
		$TX dst=10.1.0.1 n=2
		settle
		EOT
		# Looked for by the source, too: altfib asks for UDP, which has no say in it.
		before=$(questions)
		flow_state 10.1.0.1 cached && flow_state 10.1.0.2 empty || return 1
		[ "$before" = "$(questions)" ] || fail "asking has moved a counter: $before, $(questions)" || return 1
		run_scenario on <<-EOT || return 1
		ip afr route add 10.77.0.0/16 via 10.0.3.2
		EOT
		flow_state 10.1.0.1 stale || return 1
		run_scenario on <<-EOT || return 1
		$TX dst=10.1.0.1 n=2
		settle
		EOT
		flow_state 10.1.0.1 cached || return 1
		set_in afr cache nexthop
		has_not "$(received 10.1.0.1)" flow-state || return 1
		use_family 6
		in_mode on && set_in afr cache "$cache" && run_scenario on <<-EOT || return 1
		$TX6 dst=2001:db8:a::1 n=4
		settle
		EOT
		flow_state 2001:db8:a::1 cached && flow_state 2001:db8:a::2 empty || return 1
		run_scenario on <<-EOT || return 1
		ip afr route add 2001:db8:77::/48 via 2001:db8:3::2
		EOT
		flow_state 2001:db8:a::1 stale || return 1
	done
}

only_get_rules() {
	local reply mark

	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	ip afr route add 10.5.0.0/16 via 10.0.3.2 table 77
	ip afr route add 10.1.0.0/16 via 10.0.3.2 table 78
	ip afr rule add from 10.0.1.0/24 table 77
	ip afr rule add fwmark 9 table 78
	EOT
	for mark in "" ', "mark": 8'; do
		reply=$(received 10.1.2.3 "$mark") && has "$(side "$reply" altfib)" '"table": 254' '"dev": "r1"' &&
			has "$(side "$reply" kernel)" '"table": 254' '"dev": "r1"' && has "$reply" '"agree": 1' || return 1
	done
	reply=$(received 10.1.2.3 ', "mark": 9, "dscp": 10') && has "$reply" '"mark": 9' '"dscp": 10' &&
		has "$(side "$reply" altfib)" '"table": 78' '"dev": "r2"' &&
		has "$(side "$reply" kernel)" '"table": 78' '"dev": "r2"' && has "$reply" '"agree": 1' || return 1
	reply=$(received 10.5.1.1) && has "$(side "$reply" altfib)" '"table": 77' &&
		has "$reply" '"agree": 1' || return 1
	reply=$(get afr '{"dst": "10.5.1.1"}') && has "$reply" '"error": 101' '"agree": 1' || return 1
	reply=$(get afr '{"dst": "10.1.2.3", "mark": 9}') && has "$(side "$reply" altfib)" '"table": 78' &&
		has "$reply" '"agree": 1' || return 1
	run_scenario on <<-EOT || return 1
	ip afr link add vrf1 type vrf table 99
	ip afr link set vrf1 up
	ip afr link set rc master vrf1
	ip afr route add 10.8.0.0/16 via 10.0.3.2 dev r2 table 99
	EOT
	reply=$(received 10.8.1.1) && has "$(side "$reply" altfib)" '"table": 99' '"dev": "r2"' &&
		has "$(side "$reply" kernel)" '"table": 99' '"dev": "r2"' && has "$reply" '"agree": 1'
}

only_random() {
	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	ip afr route add default via 10.0.3.2
	ip afr route add 10.1.128.0/17 via 10.0.3.2
	ip afr route add 10.1.200.0/24 via 10.0.2.2
	ip afr route add 64.0.0.0/2 via 10.0.2.2
	ip afr route add unreachable 96.0.0.0/4
	ip afr route add blackhole 10.1.201.0/24
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=300
	EOT
	use_family 6
	lines <<-EOT >"$TMP/six"
	ip afr addr add 2001:db8:1::1/64 dev rc nodad
	ip afr addr add 2001:db8:2::1/64 dev r1 nodad
	ip afr addr add 2001:db8:3::1/64 dev r2 nodad
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2
	ip afr route add 2001:db8:a:8000::/49 via 2001:db8:3::2
	ip afr route add ::/0 via 2001:db8:3::2
	ip afr route add 4000::/2 via 2001:db8:2::2
	ip afr route add unreachable 6000::/4
	EOT
	run_scenario on <<-EOT || return 1
	sysctl afr net/ipv6/conf/all/disable_ipv6 0
	sysctl afr net/ipv6/conf/default/disable_ipv6 0
	sysctl afr net/ipv6/conf/rc/disable_ipv6 0
	sysctl afr net/ipv6/conf/r1/disable_ipv6 0
	sysctl afr net/ipv6/conf/r2/disable_ipv6 0
	sysctl afr net/ipv6/conf/all/forwarding 1
	$(cat "$TMP/six")
	EOT
	sleep 1
	echo "# seed $SEED"
	client afr random 1000 "$SEED" &&
		client afr random 1000 "$SEED" rc 10.0.1.2 2001:db8:1::2
}

only_routes() {
	in_mode on || return 1
	fill "$ROUTES" || return 1
	run_scenario on <<-EOT || return 1
	ip afr route add 10.12.0.0/16 via 10.0.3.2 metric 10
	ip afr route add 10.13.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2
	ip afr route add unreachable 10.14.0.0/16
	ip afr route add 10.5.0.0/16 via 10.0.3.2 table 77
	ip afr route add 10.5.0.0/16 via 10.0.3.2 table 1000000
	EOT
	client afr routes || return 1
	use_family 6
	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	fill afr 2001:db8:b00::/120 dev=r1 via=2001:db8:2::2 count=2000
	ip afr route add 2001:db8:77::/48 via 2001:db8:3::2 table 77
	EOT
	client afr routes
}

only_routes_change() {
	local said

	in_mode on || return 1
	fill 20000 || return 1
	said=$(in_ns afr "$NL" change) || fail "$said" || return 1
	has "$said" "20005 routes, consistent" || return 1
	said=$(in_ns afr "$NL" change ip route add 12.0.0.0/8 via 10.0.3.2) || fail "$said" || return 1
	has "$said" "routes, inconsistent" || return 1
	# What is deleted meanwhile does not end it, nor does a mirror that goes.
	said=$(in_ns afr "$NL" change ip route flush root 11.32.0.0/11) || fail "$said" || return 1
	has "$said" "routes, inconsistent" || return 1
	said=$(in_ns afr "$NL" change sh -c "echo off >$SYS/mode") || fail "$said" || return 1
	has "$said" "routes, inconsistent"
}

only_nexthops() {
	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	sysctl afr net/ipv6/conf/r1/disable_ipv6 0
	ip afr route add 10.13.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2
	ip afr route add 10.14.0.0/16 via inet6 fe80::1 dev r1
	ip afr route add unreachable 10.15.0.0/16
	$(for i in $(seq 10 99); do echo "ip afr route add 10.$((100 + i)).0.0/16 via 10.0.2.$i"; done)
	$TX dst=10.1.0.1 n=2
	$TX dst=10.2.0.1 n=2
	settle
	EOT
	client afr nexthops && in_ns afr grep -c cached /proc/net/altfib/nexthops
}

# packets REPLY MEMBER...: those of entries with all of these members, as JSON has them.
packets() {
	python3 -c 'import json, sys
want = json.loads("{" + ", ".join(sys.argv[2:]) + "}")
print(sum(e["packets"] for e in json.loads(sys.argv[1]) if all(e.get(k) == v for k, v in want.items())))' "$@"
}

only_traffic() {
	local reply n

	in_mode on || return 1
	reply=$(ynl afr --dump traffic) && [ "$reply" = "[]" ] || fail "before any packet: $reply" || return 1
	# Errors come back to afc.
	set_in afc mode off
	run_scenario on <<-EOT || return 1
	sysctl afr net/ipv6/conf/r1/disable_ipv6 0
	ip afr route add 10.14.0.0/16 via inet6 fe80::1 dev r1
	ip afr route add 10.15.0.0/16 dev r2
	ip afr route add 10.16.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2
	$(for i in 14 15; do echo "$TX dst=10.$i.0.1 n=1000"; done)
	$(for ((i = 1; i <= 100; i++)); do echo "$TX dst=10.16.0.$i n=20"; done)
	$TX dst=10.0.1.1 n=1000
	settle
	EOT
	reply=$(ynl afr --dump traffic) || fail "$reply" || return 1
	for n in "$(packets "$reply" '"gateway": "fe80::1"' '"dev": "r1"')" \
		"$(packets "$reply" '"type": "unicast"' '"gateway": null' '"dev": "r2"')" \
		"$(packets "$reply" '"type": "local"' '"gateway": null' '"oif": null')"; do
		# Up to 64 of each end may be the others'.
		((n > 1000 - 130 && n < 1000 + 130)) || fail "$n packets of 1,000: $reply" || return 1
	done
	# Of several paths the one, by the hash.
	n=$(packets "$reply" '"gateway": "10.0.2.2"')
	((n > 200 && n < 1800)) || fail "$n packets of 2,000 by one of two paths: $reply" || return 1
	n=$(packets "$reply" '"family": "ipv4"')
	((n > 5000 - 130 && n < 5000 + 70)) || fail "$n packets of 5,000: $reply" || return 1
	reply=$(ynl afc --dump traffic) && [ "$reply" = "[]" ] || fail "of another namespace: $reply" || return 1
	# Nothing is held, and the numbers stay.
	run_scenario on <<<"ip afr link del r2"
	reply=$(ynl afr --dump traffic) && has "$reply" '"gateway": "10.0.3.2"' && has_not "$reply" '"dev": "r2"'
}

only_stats() {
	local reply

	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=20
	$TX dst=10.9.0.1 n=3
	$TX dst=10.0.1.1 n=5
	settle
	EOT
	client afr stats || return 1
	reply=$(ynl afr --do stats --json '{"family": "ipv4"}') &&
		has "$reply" '"mode": "on"' '"serving": 1' '"algorithm": "ranges"' \
			'{"name": "no_route", "group": "route", "packets": 3,' &&
		has_not "$reply" "why-not" || return 1
	set_in afr mode off
	reply=$(ynl afr --do stats --json '{"family": "ipv6"}') &&
		has "$reply" '"serving": 0' '"why-not": "mode is off"' || return 1
	set_in afr cache flow
	reply=$(ynl afr --dump caches) && has "$reply" '"strategy": "flow", "entries": 0, "limit": 65536'
}

# counter REPLY NAME: its value in a reply to "stats".
counter() {
	python3 -c 'import json, sys
reply = json.loads(sys.argv[1])
print({c["name"]: c["value"] for c in reply["counter"] + reply["output-counter"]}[sys.argv[2]])' "$@"
}

only_stats_settings() {
	local reply i

	in_mode on || return 1
	reply=$(ynl afr --do stats --json '{"family": "ipv4"}') &&
		has "$reply" '"cache": "nexthop"' '"output": "off"' '"fastpath": 0' || return 1
	in_mode on+socket && set_in afr fastpath 1 || return 1
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=2
	settle
	$TX dst=10.1.0.1 n=10
	$TX dst=10.1.0.1 ttl=1 n=3
	settle
	EOT
	for i in 1 2 3 4; do
		# The third to the same address has the route that the second one left.
		echo "10.1.$i.1" | in_ns afr "$UDP" send 53 6 >/dev/null
	done
	reply=$(ynl afr --do stats --json '{"family": "ipv4"}') &&
		has "$reply" '"cache": "nexthop"' '"output": "socket"' '"fastpath": 1' || return 1
	[ "$(counter "$reply" fast)" -ge 10 ] || fail "fast: $reply" || return 1
	has "$reply" '{"name": "fast_ttl", "group": "fast", "packets": 3,' || return 1
	i="$(counter "$reply" lookup_answered) lookups answered, $(counter "$reply" lookup_verified) compared, $(
		counter "$reply" lookup_learned) learned, $(counter "$reply" lookup_left) left"
	in_ns afr grep "^output: socket, $i" /proc/net/altfib/status ||
		fail "$i: $(in_ns afr grep output: /proc/net/altfib/status)" || return 1
	[ "$(counter "$reply" lookup_answered)" -gt 0 ] || fail "no lookup was answered: $i" || return 1
	i="$(counter "$reply" socket_hit) had their last route, $(counter "$reply" socket_verified) compared, $(
		counter "$reply" socket_miss) asked the kernel; $(counter "$reply" socket_mismatch) mismatches"
	in_ns afr grep "^sockets: $i" /proc/net/altfib/status ||
		fail "$i: $(in_ns afr grep sockets: /proc/net/altfib/status)" || return 1
	[ "$(counter "$reply" socket_hit)" -gt 0 ] || fail "no socket had its last route: $i" || return 1
	reply=$(ynl afr --dump caches) && has "$reply" '"strategy": "nexthop", ' '"socket-routes-max": 4096' || return 1
	reply=$(get afr '{"dst": "10.1.2.3"}') && has "$reply" '"output": "socket"' '"agree": 1' || return 1
	set_in afr output lookup
	reply=$(ynl afr --dump caches) && has_not "$reply" socket-routes-max || return 1
	set_in afr output off
	reply=$(get afr '{"dst": "10.1.2.3"}') && has "$reply" '"output": "off"' '"agree": 1' || return 1
	reply=$(received 10.1.2.3) && has_not "$reply" '"output"'
}

# listen NS SECONDS: to events, from now on; "heard" waits for the end, and sets HEARD.
listen() {
	# An earlier one has said so, too.
	rm -f "$TMP/events"
	client "$1" events "$2" >"$TMP/events" &
	LISTENER=$!
	for _ in $(seq 100); do
		! grep -qs listening "$TMP/events" || return 0
		sleep 0.1
	done
	fail "nobody listens: $(cat "$TMP/events")"
}

heard() {
	wait "$LISTENER"
	HEARD=$(cat "$TMP/events")
	echo "$HEARD"
}

only_audit() {
	local reply n

	in_mode on || return 1
	reply=$(ynl afr --do audit-get) && has "$reply" '{"state": "none"}' || return 1
	fill "$ROUTES" || return 1
	n=$(in_ns afr sed -n 's/^routes: \([0-9]*\) .*/\1/p' /proc/net/altfib/status)
	listen afr 6 || return 1
	reply=$(client afr audit) || fail "$reply" || return 1
	echo "$reply"
	has "$reply" '"state": "done"' '"family": "ipv4", "differences": 0' '"family": "ipv6", "differences": 0' \
		"\"routes-mirrored\": $n," && has_not "$reply" '"error"' || return 1
	# As the file has it.
	in_ns afr grep -q "^routes: $n of the kernel, $n mirrored" /proc/net/altfib/audit ||
		fail "$(in_ns afr cat /proc/net/altfib/audit)" || return 1
	heard && has "$HEARD" '"name": "audit-ntf"' "\"routes-mirrored\": $n," || return 1
	set_in afr mode off
	ynl afr --do audit-start || return 1
	sleep 1
	reply=$(ynl afr --do audit-get) && has "$reply" '"state": "done"' '"error": 16'
}

only_flush() {
	local reply

	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=2
	$TX dst=10.2.0.1 n=2
	$TX dst=10.0.1.1 n=2
	settle
	EOT
	[ "$(in_ns afr grep -c cached /proc/net/altfib/nexthops)" = 3 ] ||
		fail "$(in_ns afr cat /proc/net/altfib/nexthops)" || return 1
	reply=$(ynl afr --do flush) && has "$reply" '"nexthops": 3, "flows": 0' || return 1
	[ "$(in_ns afr grep -c cached /proc/net/altfib/nexthops)" = 0 ] || fail "still cached" || return 1
	set_in afr cache flow
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=2
	$TX dst=10.1.0.2 n=2
	$TX dst=10.1.0.3 n=2
	settle
	EOT
	reply=$(ynl afr --dump caches) && has "$reply" '"entries": 3' || return 1
	reply=$(ynl afr --do flush) && has "$reply" '"flows": 3' || return 1
	reply=$(ynl afr --dump caches) && has_not "$reply" '"entries": 3' || return 1
	# And it goes on.
	"$PROBE" --compare off on <<-EOT
	$(topo)
	$TX dst=10.1.0.1 n=5
	$(finish)
	EOT
}

# refused NS OPTION... -- TEXT...
refused() {
	local ns=$1 said
	local -a words=()

	shift
	while [ "$1" != -- ]; do words+=("$1") && shift; done
	shift
	said=$(ynl "$ns" "${words[@]}") && fail "${words[*]} was accepted: $said" && return 1
	has "$said" "$@"
}

only_bad() {
	local iif

	in_mode on || return 1
	iif=$(index afr rc)
	refused afr --do get -- "Invalid argument" "'miss-type': 'dst'" || return 1
	refused afr --do get --json '{"dst": "10.1.2.3", "dscp": 64}' -- \
		"integer out of range: Numerical result out of range" "'bad-attr': '.dscp'" "'max-value': 63" || return 1
	refused afr --do get --json '{"dst": "10.1.2.3", "iif": 0}' -- "integer out of range" "'bad-attr': '.iif'" || return 1
	refused afr --do get --json '{"dst": "10.1.2.3", "src": "2001:db8::1"}' -- \
		"source and destination are of two families: Invalid argument" "'bad-attr': '.src'" || return 1
	refused afr --do get --json "{\"dst\": \"10.1.2.3\", \"iif\": $iif}" -- "'miss-type': 'src'" || return 1
	refused afr --do get --json '{"dst": "10.1.2.3", "src": "10.0.1.2", "iif": 4000}' -- \
		"there is no such device: No such device" || return 1
	refused afr --do stats -- "Invalid argument" "'miss-type': 'family'" || return 1
	refused afr --do stats --json '{"family": 3}' -- "invalid enum value" "'bad-attr': '.family'" || return 1
	refused afr --dump routes --json '{"family": 7}' -- "invalid enum value" "'bad-attr': '.family'" || return 1
	# Not asked for, and not known to that command.
	refused afr --do get --json '{"dst": "10.1.2.3", "agree": 1}' -- "Unknown attribute type" "Invalid argument" || return 1
	refused afr --dump routes --json '{"metric": 1}' -- "Unknown attribute type" "Invalid argument"
}

only_permission() {
	local op said user="setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all"
	local cli=(python3 -B "$TMP/pyynl/cli.py" --no-schema --spec "$TMP/altfib.yaml" --output-json)

	# Where everybody may read them.
	cp -r "$YNL" "$TMP/pyynl" && cp "$SPEC" "$TMP/" && chmod 755 "$TMP" || return 1

	in_mode on || return 1
	for op in audit-start flush; do
		# shellcheck disable=SC2086 # words
		said=$(in_ns afr $user "${cli[@]}" --do "$op" 2>&1) && fail "$op: $said" && return 1
		has "$said" "Operation not permitted" || return 1
		# Root of a user namespace that does not own this network namespace.
		said=$(in_ns afr unshare --user --map-root-user "${cli[@]}" --do "$op" 2>&1) && fail "$op: $said" && return 1
		has "$said" "Operation not permitted" || return 1
		# And of one that owns its own.
		said=$(unshare --user --map-root-user --net "${cli[@]}" --do "$op" 2>&1) || fail "$op: $said" || return 1
		# The one capability that it takes, and all others.
		said=$(in_ns afr setpriv --bounding-set=-all,+net_admin --inh-caps=-all "${cli[@]}" --do "$op" 2>&1) ||
			fail "$op with CAP_NET_ADMIN: $said" || return 1
		said=$(in_ns afr setpriv --bounding-set=-net_admin --inh-caps=-all "${cli[@]}" --do "$op" 2>&1) &&
			fail "$op without CAP_NET_ADMIN: $said" && return 1
		has "$said" "Operation not permitted" || return 1
	done
	# shellcheck disable=SC2086 # words
	{
		said=$(in_ns afr $user "${cli[@]}" --do get --json '{"dst": "10.1.2.3"}' 2>&1) &&
			has "$said" '"gateway": "10.0.2.2"' || return 1
		said=$(in_ns afr $user "${cli[@]}" --dump routes 2>&1) && has "$said" '"prefix": "10.1.0.0"' || return 1
		said=$(in_ns afr $user "${cli[@]}" --dump nexthops 2>&1) && has "$said" '"gateway": "10.0.2.2"' || return 1
		said=$(in_ns afr $user "${cli[@]}" --do audit-get 2>&1) && has "$said" '"state"' || return 1
		said=$(in_ns afr $user "${cli[@]}" --do stats --json '{"family": "ipv4"}' 2>&1) && has "$said" '"mode"' || return 1
	}
	# What another namespace has is not to be seen.
	said=$(get afc '{"dst": "10.1.2.3"}') && has_not "$said" 10.0.2.2
}

only_events() {
	in_mode on || return 1
	listen afr 10 || return 1
	echo '{"listener": "of another namespace"}' >"$TMP/other"
	client afc events 10 >>"$TMP/other" &
	set_in afr mode off
	sleep 0.5
	set_in afr mode verify
	sleep 0.5
	set_in afr cache percpu-flow
	sleep 0.5
	set_in afr fastpath 1
	sleep 0.5
	set_in afr output lookup
	sleep 0.5
	set_in afr ipv4/algorithm chunks
	sleep 0.5
	set_in afr ipv4/algorithm auto
	sleep 0.5
	# The table's size switches it, too.
	fill 20000 || return 1
	heard
	has "$HEARD" '"setting": "mode", "value": "off", "before": "on"' \
		'"name": "out-of-sync", "msg": {"family": "ipv4", "reason": "mode is off"}' \
		'"name": "out-of-sync", "msg": {"family": "ipv6", "reason": "mode is off"}' \
		'"setting": "mode", "value": "verify", "before": "off"' \
		'"name": "resync", "msg": {"family": "ipv4", "routes": ' \
		'"name": "resync", "msg": {"family": "ipv6"' \
		'"setting": "cache", "value": "percpu-flow", "before": "nexthop"' \
		'"setting": "fastpath", "value": "1", "before": "0"' \
		'"setting": "output", "value": "lookup", "before": "off"' \
		'"setting": "ipv4.algorithm", "family": "ipv4", "value": "chunks", "before": "ranges"' \
		'"setting": "ipv4.algorithm", "family": "ipv4", "value": "ranges", "before": "chunks"' || return 1
	[ "$(grep -c '"value": "chunks", "before": "ranges"' <<<"$HEARD")" = 2 ] ||
		fail "the algorithm was not switched by the table's size" || return 1
	wait
	has_not "$(cat "$TMP/other")" '"name"'
}

only_events_many() {
	local i switches

	in_mode on || return 1
	listen afr 8 || return 1
	# A switch takes a moment, and whoever reads makes way for the worker.
	switches=$(in_ns afr bash -c "n=0; end=\$((SECONDS + 4)); while ((SECONDS < end)); do
		for mode in on verify; do echo \$mode >$SYS/mode; read -r now <$SYS/mode; n=\$((n + 1)); done
	done; echo \$n")
	set_in afr mode off
	heard >/dev/null
	i=$(grep -c '"setting": "mode"' <<<"$HEARD")
	echo "# $i of $switches switches told"
	# 64 in each of the five seconds and the one before.
	[ "$i" -ge 10 ] && [ "$i" -le 384 ] || fail "$i events" || return 1
	has "$(grep '"setting": "mode"' <<<"$HEARD" | tail -n1)" '"value": "off"'
}

# The module that takes TEST-NET-3 for TEST-NET-2 (build-module.sh uml corrupt).
corrupted() {
	[ -n "${ALTFIB_KO_CORRUPT:-}" ] || fail "set ALTFIB_KO_CORRUPT=path/to/the/corrupt/altfib.ko" || return 1
	echo "netns-del $NAMESPACES" | "$PROBE" none
	rmmod altfib && insmod "$ALTFIB_KO_CORRUPT"
}

restored() {
	echo "netns-del $NAMESPACES" | "$PROBE" none
	rmmod altfib
	insert_altfib || return 1
	return "$1"
}

only_corrupt_get() {
	local rc=0 reply

	corrupted || return 1
	in_mode on && run_scenario on <<-EOT || rc=1
	ip afr route add 198.51.100.0/24 via 10.0.2.2
	ip afr route add 203.0.113.0/24 via 10.0.3.2
	EOT
	reply=$(get afr '{"dst": "198.51.100.1"}') && has "$reply" '"agree": 0' &&
		has "$(side "$reply" altfib)" '"prefix": "203.0.113.0"' '"gateway": "10.0.3.2"' &&
		has "$(side "$reply" kernel)" '"prefix": "198.51.100.0"' '"gateway": "10.0.2.2"' || rc=1
	reply=$(received 198.51.100.1) && has "$reply" '"agree": 0' || rc=1
	reply=$(received 203.0.113.1) && has "$reply" '"agree": 1' || rc=1
	use_family 6
	in_mode on && run_scenario on <<-EOT || rc=1
	ip afr route add 2001:db8:bad::/48 via 2001:db8:2::2
	ip afr route add 2001:db8:600d::/48 via 2001:db8:3::2
	EOT
	reply=$(get afr '{"dst": "2001:db8:bad::1"}') && has "$reply" '"agree": 0' || rc=1
	reply=$(received 2001:db8:bad::1) && has "$reply" '"agree": 0' &&
		has "$(side "$reply" altfib)" '"prefix": "2001:db8:600d::"' || rc=1
	reply=$(received 2001:db8:600d::1) && has "$reply" '"agree": 1' || rc=1
	restored "$rc"
}

only_corrupt_event() {
	local rc=0

	corrupted || return 1
	in_mode verify && listen afr 6 || rc=1
	run_scenario verify <<-EOT || rc=1
	ip afr route add 198.51.100.0/24 via 10.0.2.2
	ip afr route add 203.0.113.0/24 via 10.0.3.2
	$TX dst=203.0.113.1 n=3
	$TX dst=198.51.100.1 n=5
	settle
	EOT
	heard
	has "$HEARD" '"name": "mismatch", "msg": {"decision": "packet", "family": "ipv4", "dst": "198.51.100.1", "src": "10.0.1.2"' \
		'"altfib": {"type": "unicast", "gateway": "10.0.3.2"' \
		'"kernel": {"type": "unicast", "gateway": "10.0.2.2"' \
		'"value": "off", "before": "verify", "reason": "altfib disagreed with the kernel"' \
		'"name": "out-of-sync", "msg": {"family": "ipv4", "reason": "mode is off"}' || rc=1
	restored "$rc"
}

# That module takes 198.51.0.0/16 for TEST-NET-2 when a lookup asks.
only_corrupt_lookup() {
	local rc=0

	corrupted || return 1
	in_mode on+lookup && listen afr 8 || rc=1
	run_scenario on <<-EOT || rc=1
	ip afr route add 198.51.0.0/16 via 10.0.2.2
	ip afr route add 198.51.100.0/24 via 10.0.3.2
	sysctl afr net/altfib/verify_sample 1
	EOT
	echo 198.51.0.1 | in_ns afr "$UDP" send 53 2 >/dev/null
	echo 198.51.100.1 | in_ns afr "$UDP" send 53 2 >/dev/null
	heard
	has "$HEARD" '"name": "mismatch", "msg": {"decision": "lookup", "family": "ipv4", "dst": "198.51.100.1"}' \
		'"setting": "output", "value": "off", "before": "lookup", "reason": "altfib disagreed with the kernel"' \
		'"setting": "mode", "value": "off", "before": "on", "reason": "altfib disagreed with the kernel"' || rc=1
	restored "$rc"
}

only_hold() {
	local rc=0 said

	in_mode on || return 1
	fill 20000 || return 1
	mkfifo "$TMP/fifo"
	in_ns afr "$NL" hold <"$TMP/fifo" >"$TMP/held" &
	exec 7>"$TMP/fifo"
	for _ in $(seq 100); do
		! grep -q routes "$TMP/held" || break
		sleep 0.1
	done
	said=$(rmmod altfib 2>&1) && fail "the module went" && rc=1
	has "$said" "in use" || rc=1
	# The mirror may go.
	set_in afr mode off && set_in afr mode on || rc=1
	exec 7>&-
	wait
	# Without a dump it goes, although somebody listens.
	listen afr 5 || rc=1
	rmmod altfib || fail "the module stays" || rc=1
	heard
	insert_altfib || rc=1
	return "$rc"
}

only_fuzz() {
	in_mode on || return 1
	fill 300 || return 1
	run_scenario on <<-EOT || return 1
	sysctl afr net/ipv6/conf/r1/disable_ipv6 0
	ip afr route add 10.13.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2
	ip afr route add 10.5.0.0/16 via 10.0.3.2 table 77
	$TX dst=10.1.0.1 n=200
	settle
	EOT
	echo "# seed $SEED"
	# Beside changes of what is asked about.
	in_ns afr bash -c "
		end=\$((SECONDS + $FUZZ_SECONDS))
		while ((SECONDS < end)); do
			ip route replace 10.6.0.0/16 via 10.0.3.2
			echo flow >$SYS/cache
			ip route del 10.6.0.0/16
			echo nexthop >$SYS/cache
			ip rule add from 10.77.0.0/16 table 77
			echo off >$SYS/mode
			ip rule del from 10.77.0.0/16 table 77
			echo on >$SYS/mode
			sleep 0.1
		done" &
	in_ns afr "$NL" fuzz "$SEED" "$FUZZ_SECONDS" || return 1
	wait
	set_in afr mode on
	sleep 1
	client afr routes && client afr nexthops
}

tests_run "$@"
