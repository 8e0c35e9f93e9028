#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# mode=verify, the sample of mode=on and the audit: that they compare, and notice.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_every_packet: verify compares every packet that altfib would attach"
	"only_sample: verify_sample chooses one in so many, in both modes"
	"only_values: verify_sample and verify_action take what they should, and nothing else"
	"only_forwarding: what verify lets through is what the kernel lets through"
	"only_corrupt_log: a wrong next hop is noticed, logged and listed"
	"only_corrupt_disable: and switches the namespace off"
	"only_corrupt_sample: and a sample of mode=on notices it too"
	"only_audit: the audit finds the mirror equal, with routes of all kinds"
	"only_audit_big: and with 20,000 routes, while they change"
	"only_audit_filled: and with 65,536 routes that were read when they had rested"
	"only_audit_link_loss: and when a link has just taken 20,000 routes along"
	"only_audit_off: there is nothing to audit while the mirror is not in sync"
	"only_corrupt_audit: the audit notices a wrong next hop, and reads the routes anew"
)

SYS=/proc/sys/net/altfib

# In the family of the test: addresses by r2 and of the router, and what its lines in
# status and audit begin with.
family_words() {
	SEND="send afc c0 dmac=$RMAC src=$SRC"
	if [ "$FAMILY" = 4 ]; then
		HOST2=10.2.0.1
		OWN=10.0.1.1
		WORD=""
		# What the corrupt module takes for what (build-module.sh uml corrupt).
		BAD=198.51.100
		BAD_NET=$BAD.0/24
		BAD_HOST=$BAD.1
		GOOD_NET=203.0.113.0/24
		GOOD_HOST=203.0.113.1
	else
		HOST2=2001:db8:b::1
		OWN=2001:db8:1::1
		WORD="IPv6 "
		BAD=2001:db8:bad
		BAD_NET=$BAD::/48
		BAD_HOST=$BAD::1
		GOOD_NET=2001:db8:600d::/48
		GOOD_HOST=2001:db8:600d::1
	fi
}
family_words
before_ipv6() { family_words; }
in_ipv6 only_every_packet only_sample only_corrupt_log only_corrupt_disable only_corrupt_sample \
	only_corrupt_audit

# counter NS NAME: of all CPUs.
counter() {
	in_ns "$1" cat "/proc/net/stat/$ALTFIB" |
		awk -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
			NR > 1 { print $at }' | while read -r hex; do echo $((16#$hex)); done |
		awk '{ n += $1 } END { print n + 0 }'
}

# expect NS NAME N: or at least N, as +N.
expect() {
	local n

	n=$(counter "$1" "$2")
	case $3 in
	+*) [ "$n" -ge "${3#+}" ] ;;
	*) [ "$n" = "$3" ] ;;
	esac || fail "$1: $2 is $n, expected $3"
}

set_in() {
	in_ns "$1" bash -c "echo $3 >$SYS/$2"
}

# in_mode MODE: the topology, altfib in this mode on the router, first packets sent.
in_mode() {
	ON=$1 run_scenario "$1" <<-EOT
	$(topo_bare)
	arm afr
	$([ "$FAMILY" = 4 ] || echo ready)
	$SEND dst=$HOST1 n=2
	$SEND dst=$OWN n=2
	settle
	EOT
}

# Another CPU of the kernel may still have no dst for its first IPv6 packet.
about() { # N
	if [ "$FAMILY" = 4 ]; then
		echo "$1"
	else
		echo "+$(($1 - 10))"
	fi
}

only_every_packet() {
	local before

	in_mode verify || return 1
	before=$(counter afr verified)
	run_scenario verify <<-EOT || return 1
	$SEND dst=$HOST1 n=100
	$SEND dst=$HOST2 n=1
	settle
	$SEND dst=$HOST2 n=40
	$SEND dst=$OWN n=30
	settle
	EOT
	expect afr verified "$(about $((before + 170)))" || return 1
	expect afr forward 0 && expect afr local 0 && expect afr mismatch 0
	in_ns afr grep "^${WORD}verified: 1[0-9][0-9] forwarded, .* [23][0-9] to this host; 0 mismatches" \
		/proc/net/altfib/status
}

only_sample() {
	in_mode on || return 1
	set_in afr verify_sample 10
	run_scenario on <<-EOT || return 1
	$SEND dst=$HOST1 n=1000
	settle
	EOT
	# The CPU may have had some packets to go of the old interval of 65,536.
	if [ "$(counter afr verified)" = 0 ]; then
		fail "nothing was verified" || return 1
	fi
	expect afr verified +99 && expect afr forward +890 && expect afr mismatch 0 || return 1
	in_mode verify || return 1
	set_in afr verify_sample 4
	run_scenario verify <<-EOT || return 1
	$SEND dst=$HOST1 n=1000
	settle
	EOT
	expect afr verified +249 && expect afr forward +740 && expect afr mismatch 0
}

only_values() {
	local rc=0 bad

	for bad in -1 x 4294967296 ""; do
		printf '%s' "$bad" 2>/dev/null >"$SYS/verify_sample" && [ -n "$bad" ] &&
			fail "verify_sample = $bad was accepted" && rc=1
	done
	[ "$(cat "$SYS/verify_sample")" = 0 ] || fail "verify_sample changed" || rc=1
	for bad in off on Log disabled 1; do
		printf '%s' "$bad" 2>/dev/null >"$SYS/verify_action" &&
			fail "verify_action = $bad was accepted" && rc=1
	done
	[ "$(cat "$SYS/verify_action")" = disable ] || fail "verify_action changed" || rc=1
	for good in log disable; do
		echo "$good" >"$SYS/verify_action" && [ "$(cat "$SYS/verify_action")" = "$good" ] || rc=1
	done
	return "$rc"
}

only_forwarding() {
	"$PROBE" --compare off verify <<-EOT
	$(topo)
	$TX dst=10.1.0.1 n=20
	$TX dst=10.2.0.1 n=20
	$TX dst=10.9.0.1 n=3
	$TX dst=10.0.1.1 n=5
	$TX dst=10.1.0.1 ttl=1 n=3
	send afc c0 dmac=$RMAC src=10.0.3.9 dst=10.1.0.1 n=3
	ip afr route replace 10.1.0.0/16 via 10.0.3.2
	$TX dst=10.1.0.1 n=20
	ip afr link set r2 down
	$TX dst=10.1.0.1 n=3
	$(finish)
	EOT
}

# The module that takes TEST-NET-3 for TEST-NET-2 (build-module.sh uml corrupt).
corrupted() {
	[ -n "${ALTFIB_KO_CORRUPT:-}" ] || fail "set ALTFIB_KO_CORRUPT=path/to/the/corrupt/altfib.ko" || return 1
	echo "netns-del $NAMESPACES" | "$PROBE" none
	kmsg_mark corrupted
	rmmod altfib && insmod "$ALTFIB_KO_CORRUPT"
}

restored() {
	echo "netns-del $NAMESPACES" | "$PROBE" none
	rmmod altfib
	insert_altfib || return 1
	return "$1"
}

corrupt_routes() {
	lines <<-EOT
	ip afr route add $BAD_NET via $GW1
	ip afr route add $GOOD_NET via $GW2
	$SEND dst=$GOOD_HOST n=3
	$SEND dst=$BAD_HOST n=3
	settle
	EOT
}

# Since "corrupted".
log_says() {
	dmesg | tac | sed '/altfib selftest: corrupted/q' >"$TMP/log"
	grep -qF "$1" "$TMP/log" || fail "the kernel log has no \"$1\""
}

only_corrupt_log() {
	local rc=0

	corrupted || return 1
	in_mode verify && set_in afr verify_action log || rc=1
	run_scenario verify <<-EOT || rc=1
	$(corrupt_routes)
	$SEND dst=$BAD_HOST n=5
	settle
	EOT
	sleep 1
	expect afr mismatch +1 || rc=1
	[ "$(in_ns afr cat "$SYS/mode")" = verify ] || fail "the mode changed" || rc=1
	in_ns afr cat /proc/net/altfib/mismatches
	in_ns afr grep -q "from $SRC to $BAD_HOST on dev [0-9]*: altfib via $GW2 dev [0-9]*.*, kernel via $GW1 dev" \
		/proc/net/altfib/mismatches || fail "it is not listed" || rc=1
	log_says "altfib: mismatch: from $SRC to $BAD_HOST" || rc=1
	restored "$rc"
}

only_corrupt_disable() {
	local rc=0

	corrupted || return 1
	in_mode verify || rc=1
	run_scenario verify <<-EOT || rc=1
	$(corrupt_routes)
	EOT
	sleep 1
	[ "$(in_ns afr cat "$SYS/mode")" = off ] || fail "the mode is still $(in_ns afr cat "$SYS/mode")" || rc=1
	in_ns afr grep -q "^${WORD}serving: no" /proc/net/altfib/status || fail "still serving" || rc=1
	[ "$(in_ns afc cat "$SYS/mode")" != off ] || fail "another namespace is off" || rc=1
	log_says "mode is off in this namespace from now on" || rc=1
	restored "$rc"
}

only_corrupt_sample() {
	local rc=0

	corrupted || return 1
	in_mode on && set_in afr verify_sample 10 || rc=1
	run_scenario on <<-EOT || rc=1
	$(corrupt_routes)
	$SEND dst=$BAD_HOST n=200
	settle
	EOT
	sleep 1
	[ "$(in_ns afr cat "$SYS/mode")" = off ] || fail "nobody noticed" || rc=1
	restored "$rc"
}

# audit: of the router; shows what it found.
audit() {
	set_in afr audit 1 || return 1
	in_ns afr cat /proc/net/altfib/audit
}

found() {
	in_ns afr grep -qE "$1" /proc/net/altfib/audit || fail "not found: $1"
}

only_audit() {
	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	ip afr route add default via 10.0.2.2
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	ip afr route add 10.5.1.0/24 via 10.0.3.2
	ip afr route add 10.5.1.1/32 via 10.0.2.2
	ip afr route add 10.5.1.0/32 via 10.0.3.2
	ip afr route add unreachable 10.6.0.0/16
	ip afr route add prohibit 10.7.0.0/16
	ip afr route add blackhole 10.8.0.0/16
	ip afr route add throw 10.9.0.0/16
	ip afr route add 255.255.255.0/24 via 10.0.2.2
	ip afr route add 10.10.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2
	ip afr route add 10.11.0.0/16 via 10.0.2.2 tos 0x10
	ip afr route add 10.12.0.0/16 via 10.0.2.2 metric 50
	ip afr route add 10.12.0.0/16 via 10.0.3.2 metric 10
	ip afr route add local 10.13.0.0/16 dev lo
	EOT
	audit || return 1
	found '^differences: 0$' && found '^routes: ([0-9]+) of the kernel' || return 1
	found '^addresses compared: [3-9][0-9] ' || return 1
	run_scenario on <<-EOT || return 1
	ip afr link set r2 down
	EOT
	audit && found '^differences: 0$' || return 1
	# Rules part the kernel's local table from the main one; other tables are not mirrored.
	run_scenario on <<-EOT || return 1
	ip afr route add default via 10.0.2.2 table 253
	ip afr route del default
	ip afr route add 10.5.3.0/24 via 10.0.2.2 table 77
	ip afr rule add from 10.9.0.0/16 table 77
	ip afr link set r2 up
	ip afr route add 10.5.1.0/24 via 10.0.3.2
	EOT
	audit && found '^differences: 0$'
}

only_audit_big() {
	local i

	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=20000
	EOT
	audit && found '^differences: 0$' && found '^addresses compared: 200[0-9][0-9] ' || return 1
	run_scenario on <<-EOT &
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=10000 del
	fill afr 11.0.0.0/24 dev=r2 via=10.0.3.2 count=10000
	fill afr 11.0.0.0/24 dev=r2 via=10.0.3.2 count=10000 del
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=10000
	EOT
	for i in 1 2 3 4 5 6; do
		set_in afr audit 1 || return 1
		found '^differences: 0$' || return 1
	done
	wait
	audit && found '^differences: 0$' && found '^addresses compared: 200[0-9][0-9] '
}

only_audit_filled() {
	local i begin=$SECONDS

	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=65536
	EOT
	# A kernel that takes longer has followed them one by one.
	if ((SECONDS - begin < 8)); then
		in_ns afr grep '^service ended last because: many routes come' /proc/net/altfib/status ||
			fail "the routes were followed one by one" || return 1
	fi
	for ((i = 0; i < 100; i++)); do
		in_ns afr grep -q '^serving: yes' /proc/net/altfib/status && break
		sleep 0.1
	done
	audit && found '^differences: 0$' && found '^addresses compared: 655[0-9][0-9] ' || return 1
	# A change of many of them is followed.
	run_scenario on <<-EOT || return 1
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=20000 del
	fill afr 11.0.0.0/24 dev=r2 via=10.0.3.2 count=20000
	EOT
	in_ns afr grep '^serving: yes' /proc/net/altfib/status || fail "service ended" || return 1
	audit && found '^differences: 0$' && found '^addresses compared: 655[0-9][0-9] '
}

only_audit_link_loss() {
	local i

	in_mode on || return 1
	run_scenario on <<-EOT || return 1
	ip afr route add 11.0.0.0/8 via 10.0.3.2
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=20000
	ip afr link set r1 down
	EOT
	# At once, with what is left of them in the table, and when that is gone.
	audit && found '^differences: 0$' || return 1
	for i in 1 2 3 4 5 6 7 8 9 10; do
		audit >"$TMP/audit" && found '^differences: 0$' || return 1
		found '^routes: 1?[0-9] of the kernel, 1?[0-9] mirrored' >/dev/null && break
		sleep 0.2
	done
	cat "$TMP/audit"
	[ "$i" -lt 10 ] || fail "the prefixes were never taken out" || return 1
	run_scenario on <<-EOT || return 1
	ip afr link set r1 up
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=20000
	ip afr link set r1 down
	ip afr link set r1 up
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=20000
	EOT
	audit && found '^differences: 0$' && found '^routes: 200[0-9][0-9] of the kernel, 200[0-9][0-9] mirrored' || return 1
	sleep 0.3
	audit && found '^differences: 0$' && found '^routes: (200[0-9][0-9]) of the kernel, 200[0-9][0-9] mirrored' &&
		expect afr mismatch 0
}

only_audit_off() {
	in_mode off || return 1
	set_in afr audit 1 2>"$TMP/err" && fail "an audit while off" && return 1
	grep -q 'resource busy' "$TMP/err" || fail "$(cat "$TMP/err")" || return 1
	set_in afr audit 2 2>"$TMP/err" && fail "audit = 2 was accepted" && return 1
	grep -q 'Invalid argument' "$TMP/err" || fail "$(cat "$TMP/err")"
}

only_corrupt_audit() {
	local rc=0

	corrupted || return 1
	in_mode on && set_in afr verify_action log || rc=1
	run_scenario on <<-EOT || rc=1
	$(corrupt_routes)
	EOT
	audit && found "^${WORD}differences: [1-9]" &&
		found "^first difference: ${BAD}[.:]" || rc=1
	log_says "altfib: audit: " || rc=1
	sleep 1
	in_ns afr grep -q "^${WORD}loads: 2, " /proc/net/altfib/status || fail "no new load" || rc=1
	in_ns afr grep -q "^${WORD}service ended last because: the mirror differed from the kernel" \
		/proc/net/altfib/status || fail "it does not say why" || rc=1
	[ "$FAMILY" = 6 ] || in_ns afr grep -qE '^in sync since: [0-9]{1,2}\.[0-9]{3} s$' /proc/net/altfib/status ||
		fail "it does not say since when: $(in_ns afr grep '^in sync' /proc/net/altfib/status)" || rc=1
	in_ns afr grep -q "^${WORD}serving: yes" /proc/net/altfib/status || fail "not serving" || rc=1
	restored "$rc"
}

tests_run "$@"
