#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Loading and removing the module, with tables and namespaces already there.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_absent: not loaded and loaded give the same packets"
	"only_takeover: loaded on a router with $((MANY / 4)) routes, it takes over"
	"only_remove: after rmmod the router forwards, and nothing is left"
	"only_param_off: mode=off at load leaves every namespace off"
	"only_param_bad: an unknown mode at load is refused"
	"only_hook_order: a hook of the last priority that was there first"
	"only_ten_times: ten times in and out, next hops cached each time"
	"only_namespaces: namespaces made and removed between in and out"
	"only_back: loaded again as before"
)

TRACING=/sys/kernel/tracing

# Where calls of the kernel's own functions can be counted.
! grep -q ' register_kprobe$' /proc/kallsyms || ALL_TESTS+=(
	"only_namespace_ends: namespaces that go wait for no grace period of altfib's"
)

absent() {
	! altfib_loaded || rmmod altfib
}

# traffic ARM: with namespaces as they are.
traffic() {
	"$PROBE" "$1" <<-EOT
	tap c afc c0
	tap s1 af1 s0
	tap s2 af2 s0
	counters afr begin
	altfib afr begin
	$TX dst=10.1.0.1 n=50
	$TX dst=10.2.0.1 n=50
	$TX dst=10.0.1.1 icmp n=50
	report
	counters afr end
	altfib afr end ${*:2}
	EOT
}

build() {
	topo_bare | "$PROBE" none
}

wait_serving() {
	echo "arm ${*:-$NAMESPACES}" | "$PROBE" on
}

same() {
	grep -v '^#' "$1" >"$TMP/first"
	grep -v '^#' "$2" >"$TMP/second"
	grep '^#' "$2"
	diff -U0 "$TMP/first" "$TMP/second"
}

only_absent() {
	absent && build && traffic none >"$TMP/none" &&
		insert_altfib && build && wait_serving &&
		traffic on min=90 >"$TMP/on" && same "$TMP/none" "$TMP/on"
}

only_takeover() {
	absent && build || return 1
	echo "fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=$((MANY / 4))" | "$PROBE" none || return 1
	traffic none >"$TMP/none"
	insert_altfib && wait_serving && traffic on min=90 >"$TMP/on" &&
		same "$TMP/none" "$TMP/on"
}

only_remove() {
	altfib_loaded || insert_altfib || return 1
	build && wait_serving && traffic on min=90 >"$TMP/on" || return 1
	rmmod altfib || return 1
	[ ! -e /proc/sys/net/altfib ] && [ ! -e /proc/net/altfib ] &&
		[ ! -e /proc/net/stat/altfib ] || fail "files are left" || return 1
	traffic none >"$TMP/none" && same "$TMP/none" "$TMP/on"
}

only_param_off() {
	absent && build && insert_altfib mode=off || return 1
	[ "$(in_ns afr cat /proc/sys/net/altfib/mode)" = off ] || fail "mode is on" || return 1
	traffic off >"$TMP/off" || return 1
	grep '^#' "$TMP/off"
	! grep '^altfib' "$TMP/off" || return 1
	rmmod altfib
}

only_param_bad() {
	local bad

	absent || return 1
	for bad in banana ON "" onn; do
		insert_altfib "mode=$bad" 2>"$TMP/err" &&
			fail "mode='$bad' was accepted" && return 1
		grep -q 'Invalid' "$TMP/err" || fail "$(cat "$TMP/err")" || return 1
	done
	! altfib_loaded
}

# altfib's hook is newer, so it stands before the other, which rewrites the
# destination after it: every packet has to be left alone.
only_hook_order() {
	command -v nft >/dev/null || fail "needs nft (package nftables)" || return 1
	absent && build || return 1
	in_ns afr nft 'add table ip t; add chain ip t p { type filter hook prerouting priority 2147483647; }; add rule ip t p ip daddr 10.1.0.1 ip daddr set 10.2.0.9' || return 1
	traffic none >"$TMP/none" && insert_altfib && wait_serving &&
		traffic on punt=hook_order:150 forward=0 local=0 >"$TMP/on" &&
		same "$TMP/none" "$TMP/on"
}

only_ten_times() {
	local i

	absent && build && traffic none >"$TMP/none" || return 1
	for i in 1 2 3 4 5 6 7 8 9 10; do
		if ! { insert_altfib && wait_serving afr &&
			traffic on min=90 >"$TMP/on" && rmmod altfib &&
			same "$TMP/none" "$TMP/on" >"$TMP/same"; }; then
			echo "# round $i"
			cat "$TMP/same"
			return 1
		fi
	done
}

only_namespaces() {
	local i

	absent || return 1
	for i in 1 2 3; do
		build && insert_altfib && wait_serving &&
			traffic on min=90 >/dev/null || return 1
		echo "netns-del $NAMESPACES" | "$PROBE" none || return 1
		build && wait_serving && traffic on min=90 >/dev/null || return 1
		rmmod altfib || return 1
		echo "netns-del $NAMESPACES" | "$PROBE" none || return 1
	done
}

# To unregister from the FIB notifier takes one, and the kernel takes namespaces down one after the
# other: with altfib's two, a thousand of them would take minutes.
only_namespace_ends() {
	local i ends=8 calls

	altfib_loaded || insert_altfib || return 1
	mountpoint -q "$TRACING" || mount -t tracefs tracefs "$TRACING" || return 1
	for ((i = 0; i < ends; i++)); do
		ip netns add "ends$i" && ip -n "ends$i" link add d0 up type dummy || return 1
		ip netns exec "ends$i" timeout 60 sh -c \
			'until grep -q "^serving: *yes" /proc/net/altfib/status; do sleep 0.1; done' || return 1
	done
	echo p:graces synchronize_rcu >>"$TRACING/kprobe_events"
	echo 1 >"$TRACING/events/kprobes/graces/enable"
	for ((i = 0; i < ends; i++)); do ip netns del "ends$i" || return 1; done
	# As long as they would take if they waited.
	for ((i = 0; i < 50; i++)); do
		calls=$(awk '$1 == "graces" { print $2 }' "$TRACING/kprobe_profile")
		((calls < ends)) || break
		sleep 0.1
	done
	echo 0 >"$TRACING/events/kprobes/graces/enable"
	echo -:graces >>"$TRACING/kprobe_events"
	echo "# $calls grace periods for $ends namespaces"
	((calls < ends))
}

only_back() {
	altfib_loaded || insert_altfib
}

tests_run "$@"
