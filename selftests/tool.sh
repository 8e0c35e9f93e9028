#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The altfib tool: what each command prints, against the files, ip, and the page that tells of it.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_get: one address, both answers, against ip route get"
	"only_get_received: a packet that comes in, and why it would be left to the kernel"
	"only_get_disagree: a wrong answer is told, with exit status 1"
	"only_routes: text, JSON, the files, and ip route have the same routes"
	"only_routes_many: 20,000 routes, and a reader who has had enough"
	"only_nexthops: text, JSON and the file have the same next hops"
	"only_stats: counters and reasons are those of the files"
	"only_output: so are those of the host's own lookups, in stats, get, caches and top"
	"only_caches: so are the caches' counters, with flows, too"
	"only_audit: an audit is made and told of, and differences are exit status 1"
	"only_flush: cached routes are given back"
	"only_monitor: events come as they happen, as text and as JSON"
	"only_top: rates of packets, updates, punts and hits are what was sent"
	"only_top_nexthops: top: packets of each next hop, as they were sent, of both families"
	"only_terminal: top draws on a terminal, follows its size, and leaves it as it was"
	"only_explain: reasons by number, with advice, and only new ones if asked for"
	"only_doctor: what is wrong is found, and told with what to do"
	"only_errors: one line that says what to do, and exit status 2"
	"only_permission: who may not audit or flush is told so"
	"only_netns: another namespace, by name and by path"
	"only_color: colours if asked for, and the same text"
	"only_absent: without the module, too, a line says what to do"
	"only_completions: completions and man pages are well-formed"
)

SYS=/proc/sys/net/altfib
# build.sh puts it there.
TOOL=${ALTFIB_TOOL:-${ALTFIB_CACHE:-/nowhere}/build/cargo/release/altfib}
export TOOL
unset NO_COLOR CLICOLOR CLICOLOR_FORCE

compare() { # NS WORD...
	in_ns "$1" python3 -B "$HERE/tool.py" "${@:2}" 2>&1
}

# run STATUS ARGUMENT...: the tool ends so; SAID is what it printed, COMPLAINT what it complained of.
run() {
	local want=$1 rc=0

	SAID=$("$TOOL" "${@:2}" 2>"$TMP/complaint" </dev/null) || rc=$?
	COMPLAINT=$(cat "$TMP/complaint")
	[ "$rc" = "$want" ] || fail "altfib ${*:2} ended with $rc: $COMPLAINT $SAID" || return 1
	# Only what could not be done is complained of, in one line.
	if [ "$want" = 2 ]; then
		[ -z "$SAID" ] && [ "$(wc -l <"$TMP/complaint")" = 1 ] && [[ $COMPLAINT == "altfib: "* ]] ||
			fail "altfib ${*:2}: $COMPLAINT $SAID" || return 1
	else
		[ -z "$COMPLAINT" ] || fail "altfib ${*:2}: $COMPLAINT"
	fi
}

# has TEXT WHAT...: each WHAT is somewhere in TEXT.
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

only_get() {
	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	ip afr route add default via 10.0.3.2
	ip afr route add 10.1.128.0/17 via 10.0.3.2 metric 7
	ip afr route add unreachable 10.6.0.0/16
	ip afr route add prohibit 10.7.0.0/16
	EOT
	compare afr get 10.1.2.3 10.1.200.1 10.0.2.9 10.0.1.1 10.6.1.1 10.7.1.1 8.8.8.8 || return 1
	run_scenario on <<-EOT || return 1
	ip afr route del default
	EOT
	compare afr get 9.9.9.9 || return 1
	run 0 -n afr get 10.1.2.3 || return 1
	has "$SAID" "both found the same route" && has_not "$SAID" "left to the kernel" || return 1
	run 0 -n afr get 9.9.9.9 && has "$SAID" "both found no route" "Network is unreachable" || return 1
	use_family 6
	in_mode on || return 1
	compare afr get 2001:db8:a::1 2001:db8:1::1 2001:db8:2::77 2001:db9::1
}

only_get_received() {
	in_mode on || return 1
	run 0 -n afr get 10.1.2.3 from 10.0.1.2 iif rc || return 1
	has "$SAID" "10.1.2.3 from 10.0.1.2 iif rc" "empty" "left to the kernel: no_dst, first packet of a next hop" || return 1
	run_scenario on <<-EOT
	$TX dst=10.1.0.1 n=2
	settle
	EOT
	run 0 -n afr get 10.1.2.3 from 10.0.1.2 iif rc mark 0x9 tos 0x28 || return 1
	has "$SAID" "iif rc mark 0x9 dscp 10" "cached" "altfib would attach its route" || return 1
	run 0 -n afr -j get 10.1.2.3 from 10.0.1.2 iif rc mark 9 dscp 10 || return 1
	has "$SAID" '"iif":"rc","mark":9,"dscp":10,' '"dst_state":"cached"' '"agree":true' && has_not "$SAID" punt || return 1
	set_in afr mode off
	run 0 -n afr -j get 10.1.2.3 from 10.0.1.2 iif rc || return 1
	has "$SAID" '"punt":"not_ready"' && has_not "$SAID" agree || return 1
	run 0 -n afr get 10.1.2.3 from 10.0.1.2 iif rc || return 1
	has "$SAID" "altfib has no say here" "left to the kernel: not_ready"
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

only_get_disagree() {
	local rc=0

	corrupted || return 1
	in_mode on && run_scenario on <<-EOT || rc=1
	ip afr route add 198.51.100.0/24 via 10.0.2.2
	ip afr route add 203.0.113.0/24 via 10.0.3.2
	EOT
	run 1 -n afr get 198.51.100.1 && has "$SAID" "they do not agree" \
		"altfib  unicast  203.0.113.0/24   10.0.3.2  r2" "kernel  unicast  198.51.100.0/24  10.0.2.2  r1" || rc=1
	run 1 -n afr -j get 198.51.100.1 && has "$SAID" '"agree":false' || rc=1
	run 0 -n afr get 203.0.113.1 || rc=1
	# An audit finds it, too.
	run 1 -n afr audit && has "$SAID" "IPv4: 1 difference, the first one at 198.51.100.0" || rc=1
	restored "$rc"
}

routes() {
	run_scenario on <<-EOT || return 1
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=${1:-300}
	ip afr route add default via 10.0.3.2
	ip afr route add 10.12.0.0/16 via 10.0.3.2 metric 10
	ip afr route add 10.13.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2
	ip afr route add unreachable 10.14.0.0/16
	ip afr route add 10.5.0.0/16 via 10.0.3.2 table 77
	ip afr route add 10.5.0.0/16 via 10.0.3.2 table 1000000
	EOT
}

# IPv6 goes on for a while by itself.
settled() {
	local before="" now

	for _ in $(seq 20); do
		now=$(in_ns afr ip -6 route show table all)
		[ "$now" != "$before" ] || return 0
		before=$now
		sleep 2
	done
	fail "IPv6 does not settle: $now"
}

only_routes() {
	in_mode on && routes || return 1
	use_family 6
	lines <<-EOT >"$TMP/six"
	$(for dev in all default r1 r2; do
		echo "sysctl afr net/ipv6/conf/$dev/accept_dad 0"
		echo "sysctl afr net/ipv6/conf/$dev/dad_transmits 0"
	done)
	sysctl afr net/ipv6/conf/all/disable_ipv6 0
	sysctl afr net/ipv6/conf/default/disable_ipv6 0
	sysctl afr net/ipv6/conf/r1/disable_ipv6 0
	sysctl afr net/ipv6/conf/r2/disable_ipv6 0
	ip afr addr add 2001:db8:2::1/64 dev r1 nodad
	ip afr addr add 2001:db8:3::1/64 dev r2 nodad
	ip afr route add 2001:db8:a::/48 via 2001:db8:2::2
	ip afr route add ::/0 via 2001:db8:3::2
	ip afr route add 2001:db8:77::/48 via 2001:db8:3::2 table 77
	ready
	EOT
	run_scenario on <"$TMP/six" && settled || return 1
	compare afr routes || return 1
	run 0 -n afr routes root 10.0.0.0/8 table all && has "$SAID" \
		"10.12.0.0/16 via 10.0.3.2 dev r2 metric 10 nexthop " "10.13.0.0/16 via 10.0.2.2 dev r1 paths 2 nexthop " \
		"unreachable 10.14.0.0/16" "10.5.0.0/16 via 10.0.3.2 dev r2 table 77 nexthop " \
		"table 1000000" && has_not "$SAID" 11.0 default || return 1
	run 0 -n afr routes 10.1.2.0/24 && [ -z "$SAID" ] || fail "$SAID" || return 1
	run 0 -n afr -j routes 10.1.2.0/24 || return 1
	[ "$SAID" = "[]" ] || fail "$SAID"
}

only_routes_many() {
	local rc=0

	in_mode on && routes 20000 || return 1
	[ "$("$TOOL" -n afr -4 routes | wc -l)" = "$(in_ns afr sed -n 's/^routes: \([0-9]*\) .*/\1/p' /proc/net/altfib/status)" ] ||
		fail "not all routes" || return 1
	# Whoever has read enough is not told that something broke.
	("$TOOL" -n afr routes; echo "$?" >"$TMP/rc") 2>"$TMP/complaint" | head -n 1 >/dev/null
	[ "$(cat "$TMP/rc")" = 0 ] && [ ! -s "$TMP/complaint" ] || fail "$(cat "$TMP/rc" "$TMP/complaint")" || return 1
	("$TOOL" -n afr -j routes; echo "$?" >"$TMP/rc") 2>"$TMP/complaint" | head -c 100 >/dev/null
	[ "$(cat "$TMP/rc")" = 0 ] && [ ! -s "$TMP/complaint" ] || fail "$(cat "$TMP/rc" "$TMP/complaint")" || return 1
	# And a full disk is.
	"$TOOL" -n afr routes >/dev/full 2>"$TMP/complaint" || rc=$?
	[ "$rc" = 2 ] && has "$(cat "$TMP/complaint")" "No space left"
}

only_nexthops() {
	in_mode on && routes || return 1
	run_scenario on <<-EOT || return 1
	sysctl afr net/ipv6/conf/r1/disable_ipv6 0
	ip afr route add 10.15.0.0/16 via inet6 fe80::1 dev r1
	$TX dst=10.1.0.1 n=2
	settle
	EOT
	compare afr nexthops || return 1
	run 0 -n afr nexthops && has "$SAID" cached empty
}

only_stats() {
	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=20
	$TX dst=10.9.0.1 n=3
	$TX dst=10.0.1.1 n=5
	settle
	EOT
	compare afr stats || return 1
	run 0 -n afr -4 stats && has "$SAID" "no prefix matches" && has_not "$SAID" IPv6 why_not || return 1
	set_in afr mode off
	run 0 -n afr stats && has "$SAID" "why_not" "mode is off" && compare afr stats
}

only_output() {
	local answered

	in_mode on || return 1
	set_in afr output socket || return 1
	sleep 1
	timeout 20 "$TOOL" -n afr -4 -j top -n 1 -d 4 >"$TMP/json" &
	sleep 1
	for _ in 1 2 3; do
		echo 10.1.0.1 | in_ns afr "${PROBE%/*}/udp" send 53 20 | grep -v '^#'
	done
	wait
	compare afr stats || return 1
	answered=$(in_ns afr sed -n 's/^output: socket, \([0-9]*\) lookups answered.*/\1/p' /proc/net/altfib/status)
	[ "$answered" -gt 0 ] || fail "$(in_ns afr cat /proc/net/altfib/status)" || return 1
	run 0 -n afr -4 stats && grep -Eq "^lookup_answered +$answered\$" <<<"$SAID" || fail "$SAID" || return 1
	grep -Eq "^socket_hit +[1-9]" <<<"$SAID" || fail "$SAID" || return 1
	run 0 -n afr get 10.1.0.1 && has "$SAID" "the host's own lookups are altfib's (net.altfib.output=socket)" || return 1
	run 0 -n afr caches && has "$SAID" "socket_routes_max" || return 1
	python3 -c '
import json, sys
block = json.load(open(sys.argv[1]))
(own,) = block["own"]
got = own["answered"] * block["seconds"]
assert own["output"] == "socket" and own["socket_hit"] > 0 and 0 < got <= float(sys.argv[2]) + 0.1, block
' "$TMP/json" "$answered" || return 1
	set_in afr output off
	run 0 -n afr get 10.1.0.1 && has "$SAID" "the host's own lookups are the kernel's (net.altfib.output=off)"
}

only_caches() {
	in_mode on && compare afr caches || return 1
	set_in afr cache flow
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=5
	$TX dst=10.1.0.2 n=5
	settle
	EOT
	compare afr caches || return 1
	run 0 -n afr get 10.1.0.1 from 10.0.1.2 iif rc && has "$SAID" "its flow is known" || return 1
	run 0 -n afr -4 -j caches && has "$SAID" '"strategy":"flow","entries":2,"limit":65536'
}

only_audit() {
	in_mode on && routes 20000 || return 1
	run 0 -n afr audit --last && has "$SAID" "no audit yet" || return 1
	run 0 -n afr audit && has "$SAID" "IPv4: no differences" "IPv6: no differences" || return 1
	# As the file has it.
	has "$SAID" "$(in_ns afr sed -n 's/^routes: /  /p' /proc/net/altfib/audit | head -n 1 |
		sed 's/\([0-9]*\) of the kernel/\1 routes of the kernel/')" || return 1
	run 0 -n afr -4 -j audit -l && has "$SAID" '"state":"done"' '"family":"ipv4","differences":0' && has_not "$SAID" ipv6 || return 1
	# One that was started by somebody else is watched.
	"$TOOL" -n afr audit >"$TMP/one" 2>&1 &
	"$TOOL" -n afr audit >"$TMP/two" 2>&1
	wait
	has "$(cat "$TMP/one")" "IPv4: no differences" && has "$(cat "$TMP/two")" "IPv4: no differences" || return 1
	set_in afr mode off
	SAID=$("$TOOL" -n afr audit 2>&1) && fail "$SAID" && return 1
	has "$SAID" "altfib has no routes now"
}

only_flush() {
	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=2
	$TX dst=10.2.0.1 n=2
	settle
	EOT
	[ "$(in_ns afr grep -c cached /proc/net/altfib/nexthops)" = 2 ] || fail "nothing is cached" || return 1
	run 0 -n afr flush && has "$SAID" "gave back the routes of 2 next hops, and 0 flows" || return 1
	[ "$(in_ns afr grep -c cached /proc/net/altfib/nexthops)" = 0 ] || fail "still cached" || return 1
	run 0 -n afr -j flush || return 1
	[ "$SAID" = '[{"nexthops":0,"flows":0}]' ] || fail "$SAID"
}

only_monitor() {
	local text json

	in_mode on || return 1
	timeout 20 "$TOOL" -n afr monitor --count 6 >"$TMP/text" &
	text=$!
	timeout 20 "$TOOL" -n afr -j monitor -t >"$TMP/json" &
	json=$!
	sleep 1
	set_in afr mode off
	sleep 1
	# A line is there when it has happened.
	has "$(cat "$TMP/text")" "switched net.altfib.mode=off was on" "out_of_sync IPv4 (mode is off)" || return 1
	set_in afr mode on
	sleep 1
	"$TOOL" -n afr audit >/dev/null
	sleep 1
	has "$(cat "$TMP/text")" "switched net.altfib.mode=on was off" "resync IPv4 " "resync IPv6 " || return 1
	# It ended by itself, after six.
	wait "$text" || fail "it did not end: $(cat "$TMP/text")" || return 1
	[ "$(wc -l <"$TMP/text")" = 6 ] || fail "$(cat "$TMP/text")" || return 1
	kill "$json"
	wait
	has "$(cat "$TMP/json")" '{"event":"switched","time":' '"setting":"mode","value":"off","before":"on"' \
		'"family":"ipv4","reason":"mode is off"' '{"event":"audit","time":' '"differences":0' || return 1
	python3 -c 'import json, sys; print("#", len([json.loads(line) for line in sys.stdin]), "events")' <"$TMP/json"
}

only_top() {
	in_mode on || return 1
	# Three blocks, while packets are sent and routes change.
	timeout 20 "$TOOL" -n afr -j top -n 3 -d 2 >"$TMP/json" &
	timeout 20 "$TOOL" -n afr top -b -n 3 -d 2 >"$TMP/text" &
	sleep 1
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=50
	$TX dst=10.9.0.1 n=7
	ip afr route add 10.20.0.0/16 via 10.0.3.2
	ip afr route add 10.21.0.0/16 via 10.0.3.2
	ip afr route del 10.20.0.0/16
	settle
	EOT
	wait
	python3 - "$TMP/json" <<-'EOT' || return 1
	import json, sys
	blocks = [json.loads(line) for line in open(sys.argv[1])]
	assert len(blocks) == 3, blocks
	total = lambda f: sum(f(block) * block["seconds"] for block in blocks)
	of = lambda block, key: block["families"][0][key]
	dev = lambda block, name, key: sum(d[key] for d in block["devices"] if d["dev"] == name)
	punted = lambda block, name: sum(p["packets"] for p in block["punts"] if p["reason"] == name)
	for name, got, want in (
	    ("attached", total(lambda b: of(b, "attached")), 49), ("punted", total(lambda b: of(b, "punted")), 8),
	    ("updates", total(lambda b: of(b, "updates")), 3), ("sent by r1", total(lambda b: dev(b, "r1", "tx")), 50),
	    ("no_route", total(lambda b: punted(b, "no_route")), 7), ("no_dst", total(lambda b: punted(b, "no_dst")), 1)):
	    # Rounded to two places, each block's.
	    assert abs(got - want) < 0.2, (name, got, want, blocks)
	assert any(0 < block["families"][0].get("dst_hit", 0) <= 100 for block in blocks), blocks
	EOT
	[ "$(grep -c '^altfib: all a second' "$TMP/text")" = 3 ] || fail "$(cat "$TMP/text")" || return 1
	has "$(cat "$TMP/text")" "no_route" "nexthop" "RECEIVED" && has_not "$(cat "$TMP/text")" $'\e'
}

# Packets to three next hops, three to two to one, and one of them this host's.
sent_by_three() { # ROUNDS, with LOCAL an address of the router, HOST2 one by r2
	local i

	for ((i = 0; i < $1; i++)); do
		printf '%s\n' "$TX dst=$HOST1 n=300" "$TX dst=$HOST2 n=200" "$TX dst=$LOCAL n=100"
	done
	echo settle
}

nexthops_in_top() { # LOCAL HOST2
	local LOCAL=$1 HOST2=$2 TOP

	in_mode on || return 1
	# It is the sum over all namespaces that is right, and errors come back to afc.
	set_in afc mode off
	# The first one of each next hop is the kernel's.
	run_scenario on <<<"$(sent_by_three 1)" || return 1
	timeout 30 "$TOOL" -n afr "-$FAMILY" -j top -n 2 -d 3 >"$TMP/json" &
	TOP=$!
	sleep 1
	run_scenario on <<<"$(sent_by_three 100)" || return 1
	wait "$TOP" || return 1
	python3 - "$TMP/json" "$GW1" "$GW2" "ipv$FAMILY" "$(cpus)" <<-'EOT'
	import json, sys
	blocks = [json.loads(line) for line in open(sys.argv[1])]
	want = {("unicast", sys.argv[2], "r1"): 30000, ("unicast", sys.argv[3], "r2"): 20000, ("local", None, None): 10000}
	got = dict.fromkeys(want, 0)
	for block in blocks:
	    assert not block["nexthops"] or abs(sum(n["share"] for n in block["nexthops"]) - 100) < 0.1, block
	    packets = [n["packets"] for n in block["nexthops"]]
	    assert packets == sorted(packets, reverse=True), block
	    for n in block["nexthops"]:
	        # No other one, and of this family.
	        assert n["family"] == sys.argv[4], n
	        got[n["type"], n.get("gateway"), n.get("dev")] += n["packets"] * block["seconds"]
	attached = sum(block["families"][0]["attached"] * block["seconds"] for block in blocks)
	print("#", attached, "attached;", got)
	# A block's time is rounded.
	assert abs(attached - 60000) < 300, blocks
	# A CPU is in the middle of up to 64 packets, before and behind.
	assert abs(sum(got.values()) - attached) < 150 * int(sys.argv[5]), got
	# Chance has a say where they change from one to another, which they do 300 times.
	for key, n in want.items():
	    assert abs(got[key] - n) < 2500, (key, got)
	EOT
}

only_top_nexthops() {
	nexthops_in_top 10.0.1.1 10.2.0.1 || return 1
	use_family 6
	nexthops_in_top 2001:db8:1::1 2001:db8:b::1
}

only_terminal() {
	in_mode on || return 1
	python3 -B "$HERE/tool.py" screen afr 2>&1
}

only_explain() {
	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=20
	$TX dst=10.9.0.1 n=5
	settle
	EOT
	run 0 -n afr -4 explain || return 1
	has "$SAID" "IPv4: 6 of 25 packets were left to the kernel since altfib was loaded here (24.00 %)" \
		"5 no_route: no prefix matches" "The kernel refuses these packets" "1 no_dst: first packet" || return 1
	[[ $SAID == *no_route*no_dst* ]] || fail "not by number: $SAID" || return 1
	run 0 -n afr -j -4 explain && has "$SAID" \
		'"reason":"no_route","group":"route","packets":5,"share":20.0,' '"verdict":"passes"' || return 1
	run 0 -n afr -4 explain -s 0.5 && has "$SAID" "IPv4: 0 of 0 packets" && has_not "$SAID" no_route || return 1
	run 0 -n afr -4 explain rules && has "$SAID" "0 rules: a policy rule" "Simplify" || return 1
	run 2 -n afr explain colour && has "$COMPLAINT" 'no reason is called "colour"' || return 1
	set_in afr mode off
	run 0 -n afr explain && has "$SAID" "now all of them are, since mode is off"
}

only_doctor() {
	in_mode on || return 1
	run 0 -n afr doctor || return 1
	has "$SAID" "ok      kernel    Linux $(uname -r)" "ok      module    altfib" "ok      IPv4      altfib serves, mode on" \
		"ok      rights" "send_redirects" && has_not "$SAID" problem || return 1
	if grep -q ' __fib_table_lookup$' /proc/kallsyms; then
		has "$SAID" "ok      config    it has altfib's patch" && has_not "$SAID" ftrace || return 1
	else
		# output_trace.sh has more of it.
		has "$SAID" "    ftrace    " || return 1
	fi
	in_ns afr sysctl -qw net.ipv4.conf.all.send_redirects=0
	run 0 -n afr -j doctor && has_not "$SAID" send_redirects && has "$SAID" '"about":"sysctl"' || return 1
	# Not a problem, since somebody wants it so.
	set_in afr mode off
	run 0 -n afr doctor && has "$SAID" "note    IPv4      altfib is switched off" "sysctl net.altfib.mode=on" || return 1
	# A table that does not fit.
	set_in afr memory_max_kb 0
	set_in afr mode on
	sleep 1
	run 1 -n afr doctor && has "$SAID" "problem IPv4      the kernel routes alone: the routes need more than memory_max_kb" \
		"raise net.altfib.memory_max_kb" || return 1
	set_in afr memory_max_kb 262144
	in_ns afr sysctl -qw net.ipv4.ip_forward=0
	run 0 -n afr doctor && has "$SAID" "forwarding is off" || return 1
	# What a policy rule costs.
	in_ns afr sysctl -qw net.ipv4.ip_forward=1
	sleep 1
	run_scenario on <<-EOT || return 1
	ip afr rule add from all lookup main suppress_prefixlength 8 pref 10
	$TX dst=10.1.0.1 n=50
	settle
	EOT
	run 0 -n afr doctor && has "$SAID" "packets: a policy rule is, or might be, for it" "Simplify the policy rules"
}

only_errors() {
	in_mode on || return 1
	run 2 -n afr get 10.1.2.3 iif rc && has "$COMPLAINT" "from SRC" || return 1
	run 2 -n afr get 10.1.2.3 from 10.0.1.2 iif nowhere && has "$COMPLAINT" 'no device "nowhere"' || return 1
	run 2 -n afr get 10.1.0.0/16 && has "$COMPLAINT" "altfib routes 10.1.0.0/16" || return 1
	run 2 -n afr get ten && has "$COMPLAINT" "is no address" || return 1
	run 2 -n afr get 10.1.2.3 dscp 64 && has "$COMPLAINT" "at most 63" || return 1
	run 2 -n afr routes table nowhere && has "$COMPLAINT" "is no routing table" || return 1
	run 2 -n afr -6 routes 10.1.0.0/16 && has "$COMPLAINT" "other family" || return 1
	run 2 -n afr -6 nexthops && has "$COMPLAINT" "IPv4 only" || return 1
	run 2 -n nowhere stats && has "$COMPLAINT" 'no network namespace "nowhere"' || return 1
	run 2 -n /proc/version stats && has "$COMPLAINT" "is no network namespace" || return 1
	SAID=$("$TOOL" colour 2>&1) && fail "$SAID" && return 1
	has "$SAID" "unrecognized subcommand"
}

only_permission() {
	local word user="setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all"

	# Where everybody may run it.
	cp "$TOOL" "$TMP/altfib" && chmod 755 "$TMP" "$TMP/altfib" || return 1
	in_mode on || return 1
	for word in audit flush; do
		# shellcheck disable=SC2086 # words
		SAID=$(in_ns afr $user "$TMP/altfib" $word 2>&1) && fail "$word: $SAID" && return 1
		has "$SAID" "altfib: this needs CAP_NET_ADMIN" "as root, or with sudo" || return 1
	done
	# shellcheck disable=SC2086 # words
	{
		SAID=$($user "$TMP/altfib" -n afr stats 2>&1) && fail "$SAID" && return 1
		has "$SAID" "CAP_SYS_ADMIN" || return 1
		for word in "get 10.1.2.3" routes nexthops caches stats explain "audit -l"; do
			SAID=$(in_ns afr $user "$TMP/altfib" $word 2>&1) || fail "$word: $SAID" || return 1
		done
		SAID=$(in_ns afr $user "$TMP/altfib" doctor 2>&1) || fail "$SAID" || return 1
		has "$SAID" "neither audit nor flush"
	}
}

only_netns() {
	in_mode on || return 1
	run 0 -n afr routes 10.1.0.0/16 && has "$SAID" "10.1.0.0/16 via 10.0.2.2 dev r1" || return 1
	run 0 -netns /run/netns/afr -json routes 10.1.0.0/16 && has "$SAID" '"dev":"r1"' || return 1
	run 0 -n afc routes 10.1.0.0/16 && [ -z "$SAID" ] || fail "$SAID" || return 1
	[ "$(in_ns afr "$TOOL" routes 10.1.0.0/16)" = "$("$TOOL" -n afr routes 10.1.0.0/16)" ] || fail "not the same"
}

only_color() {
	local word

	in_mode on || return 1
	for word in "get 10.1.2.3" routes nexthops caches stats explain doctor; do
		# shellcheck disable=SC2086 # words
		{
			run 0 -n afr $word && has_not "$SAID" $'\e' || return 1
			run 0 -n afr -c $word && has "$SAID" $'\e[' || return 1
			# Without them it is the same text.
			diff <("$TOOL" -n afr -c $word | sed 's/\x1b\[[0-9;]*m//g') <("$TOOL" -n afr $word) || return 1
		}
	done
}

only_absent() {
	local rc=0 word

	echo "netns-del $NAMESPACES" | "$PROBE" none
	rmmod altfib || return 1
	for word in "get 10.1.2.3" routes nexthops caches stats audit flush monitor "top -b" explain; do
		# shellcheck disable=SC2086 # words
		run 2 $word && has "$COMPLAINT" "altfib: the altfib module is not loaded" "altfib doctor" || rc=1
	done
	run 1 doctor && has "$SAID" "problem module    altfib is not loaded" "insmod altfib.ko" || rc=1
	insert_altfib || rc=1
	return "$rc"
}

only_completions() {
	local page

	run 0 completions bash && bash -n <<<"$SAID" && has "$SAID" nexthops || return 1
	run 0 completions zsh && has "$SAID" "#compdef altfib" || return 1
	run 0 completions fish && has "$SAID" "complete -c altfib" || return 1
	# What is for those who build it is not shown.
	run 0 --help && has "$SAID" "get" "doctor" "Exit status" && has_not "$SAID" completions || return 1
	run 0 man "$TMP/man" || return 1
	for page in "" -get -routes -nexthops -caches -stats -audit -flush -monitor -top -explain -doctor; do
		grep -q '^\.SH NAME' "$TMP/man/altfib$page.1" || fail "no man page altfib$page" || return 1
	done
}

[ "${1:-}" = --count ] || [ -x "$TOOL" ] ||
	skip_all "the tool is not built: run tool/build.sh, or set ALTFIB_TOOL=path/to/altfib"
tests_run "$@"
