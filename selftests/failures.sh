#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Allocations that fail: at random, and each n-th one. Needs a kernel with failslab,
# fail_page_alloc and the stack trace filter (scripts/kernel/debug.config).
#
# Whatever fails, nothing may crash or leak, no packet may get another route than
# the kernel's, and once allocations work again the mirror must be in sync.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_insmod: each n-th allocation of the module's start"
	"only_namespace: each n-th allocation of altfib's for a new namespace"
	"only_namespace_any: allocations of whomever for a new namespace"
	"only_route: each n-th allocation while a route is added, replaced, deleted"
	"only_load: allocations of loads of the whole table"
	"only_churn: at random while routes change"
	"only_packets: atomic allocations of whomever, at random, while packets are compared"
)

SYS=/proc/sys/net/altfib
FAULTS=/sys/kernel/debug
MANY=1000000

# faults KEY=VALUE...: for both kinds.
faults() {
	local pair kind

	for pair in "$@"; do
		for kind in failslab fail_page_alloc; do
			echo "${pair#*=}" >"$FAULTS/$kind/${pair%%=*}" || return 1
		done
	done
}

faults_off() {
	faults probability=0 interval=1 space=0 times=0 require-start=0 require-end=0xffffffffffffffff \
		ignore-gfp-wait=Y
}

# How many failed since the last `faults "times=$MANY"`.
failed() {
	echo $((2 * MANY - $(cat "$FAULTS/failslab/times") - $(cat "$FAULTS/fail_page_alloc/times")))
}

# range_of FUNCTION: its first address and the one behind its last.
range_of() {
	sort /proc/kallsyms | awk -v name="$1" '
		found && $1 != start { print "0x" start, "0x" $1; exit }
		$3 == name { found = 1; start = $1 }'
}

# prepare: failures are possible, whatever may sleep, and quiet: a trace of each
# would read like a splat. Nothing fails yet. After router(), which ends them.
prepare() {
	local start end

	[ -d "$FAULTS/failslab" ] || mount -t debugfs debugfs "$FAULTS" 2>/dev/null
	[ -e "$FAULTS/failslab/require-start" ] ||
		fail "this kernel has no failslab with a stack trace filter" || return 1
	faults_off && faults verbose=0 ignore-gfp-wait=N stacktrace-depth=32 &&
		echo N >"$FAULTS/fail_page_alloc/ignore-gfp-highmem" &&
		echo 0 >"$FAULTS/fail_page_alloc/min-order" || return 1
	# The trackers of references are witnesses: without their own memory they
	# say no more than "unreliable".
	read -r start end < <(range_of ref_tracker_alloc)
	[ -z "$end" ] || faults "reject-start=$start" "reject-end=$end"
}

# Only allocations under a function of altfib's fail.
filter_altfib() {
	local size base

	read -r size base < <(awk '$1 == "altfib" { print $2, $6 }' /proc/modules)
	faults "require-start=$base" "require-end=$(printf '0x%x' $((base + size)))"
}

# Only allocations under one function of the kernel's.
filter_function() {
	local start end

	read -r start end < <(range_of "$1")
	[ -n "$end" ] || fail "/proc/kallsyms has no $1" || return 1
	faults "require-start=$start" "require-end=$end"
}

# at_nth N COMMAND...: the command's own N-th allocation that the filter lets
# through fails. The filter matters for exec, too. True if one did fail.
at_nth() {
	faults "times=$MANY"
	# shellcheck disable=SC2016 # the inner shell expands it
	bash -c 'echo "$1" >/proc/self/fail-nth && shift && exec "$@"' - "$@" >"$TMP/nth" 2>&1
	STATUS=$?
	FAILED=$(failed)
	faults times=0
	[ "$FAILED" != 0 ]
}

# serving NS: it must be, soon.
serving() {
	local i

	for ((i = 0; i < 100; i++)); do
		in_ns "$1" grep -q '^serving: yes' /proc/net/altfib/status && return 0
		sleep 0.1
	done
	in_ns "$1" cat /proc/net/altfib/status
	fail "$1: still not serving after 10 s"
}

# equal NS: the mirror is in sync, and the kernel's routes are in it.
equal() {
	local i

	# A load that is just due makes an audit impossible, for a moment.
	for ((i = 0; i < 20; i++)); do
		serving "$1" || return 1
		if in_ns "$1" bash -c "echo 1 >$SYS/audit" 2>/dev/null; then
			in_ns "$1" grep -q '^differences: 0$' /proc/net/altfib/audit && return 0
			in_ns "$1" cat /proc/net/altfib/audit
			fail "the mirror differs from the kernel's routes"
			return 1
		fi
		sleep 0.1
	done
	fail "no audit was possible"
}

# no_mismatch NS: packets were compared, and no decision was wrong.
no_mismatch() {
	sleep 1
	in_ns "$1" grep '^verified: ' /proc/net/altfib/status
	in_ns "$1" grep -q '^verified: [1-9].* 0 mismatches' /proc/net/altfib/status || {
		in_ns "$1" cat /proc/net/altfib/mismatches
		fail "not compared, or mismatches"
	}
}

# What failed may be a file of the namespace's; then there is nothing to ask.
equal_if_there() {
	in_ns "$1" test -e /proc/net/altfib/status || return 0
	in_ns "$1" test -e "$SYS/audit" || return 0
	equal "$1"
}

module_there() {
	[ -e /sys/module/altfib ]
}

router() {
	[ ! -e "$FAULTS/failslab" ] || faults_off
	run_scenario "$ON" <<-EOT
	$(topo_bare)
	arm afr
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=$1
	$TX dst=10.1.0.1 n=2
	settle
	EOT
}

only_insmod() {
	local n refused=0

	router 300 || return 1
	rmmod altfib || return 1
	prepare || return 1
	filter_function do_one_initcall || return 1
	# The first namespaces', one by one; then it is the same for each.
	for ((n = 1; n < 2000; n += n < 60 ? 1 : 7)); do
		at_nth "$n" insmod "$ALTFIB_KO" mode=on || break
		if module_there; then
			equal_if_there afr || return 1
			rmmod altfib || return 1
		else
			refused=$((refused + 1))
		fi
	done
	faults_off
	echo "up to the ${n}th allocation, insmod refused after $refused of those tried"
	if ! module_there; then
		insert_altfib || return 1
	fi
	equal afr || return 1
	[ "$n" -gt 50 ] || fail "hardly anything failed" || return 1
	[ "$refused" -gt 0 ] || fail "insmod was never refused"
}

only_namespace() {
	local n

	ip netns del aff 2>/dev/null
	prepare && filter_altfib || return 1
	for ((n = 1; n < 500; n++)); do
		at_nth "$n" ip netns add aff || break
		[ "$STATUS" = 0 ] || fail "$n: no namespace: $(cat "$TMP/nth")" || return 1
		in_ns aff ip link set lo up
		equal_if_there aff || return 1
		ip netns del aff
	done
	ip netns del aff 2>/dev/null
	faults_off
	echo "$((n - 1)) allocations"
	[ "$n" -gt 1 ] || fail "nothing failed"
}

only_namespace_any() {
	local n made=0

	ip netns del aff 2>/dev/null
	prepare && filter_function copy_net_ns || return 1
	for ((n = 1; n < 3000; n += 23)); do
		at_nth "$n" ip netns add aff || break
		if [ "$STATUS" = 0 ]; then
			made=$((made + 1))
			equal_if_there aff || return 1
		fi
		ip netns del aff 2>/dev/null
	done
	ip netns del aff 2>/dev/null
	faults_off
	echo "up to the ${n}th allocation, a namespace in spite of $made of those tried"
	[ "$n" -gt 10 ] || fail "hardly anything failed"
}

only_route() {
	local n what total=0

	router 300 || return 1
	prepare && filter_altfib || return 1
	for what in add replace del; do
		# Few changes allocate, so the first allocation of each.
		for ((n = 1; n < 60; n++)); do
			case $what in
			add) set -- "203.0.$n.0/24" via "10.0.2.$((n + 2))" ;;
			replace) set -- 10.1.0.0/16 via 10.0.$((2 + n % 2)).2 ;;
			del) set -- "11.0.$n.0/24" ;;
			esac
			at_nth 1 ip -n afr route "$what" "$@" && total=$((total + 1))
			[ "$STATUS" = 0 ] || fail "ip route $what: $(cat "$TMP/nth")" || return 1
			[ "$FAILED" = 0 ] || equal afr || return 1
		done
		echo "$total failed after $what"
	done
	faults_off
	equal afr || return 1
	[ "$total" -gt 0 ] || fail "nothing failed"
}

only_load() {
	local n sum=0

	router 3000 || return 1
	prepare && filter_altfib || return 1
	for n in 1 2 3 5 7 11 13 17 23 31 47 61 89 127 1 2 3 5 7 11; do
		in_ns afr bash -c "echo off >$SYS/mode"
		# The count goes on from where it was, so the same n is another place.
		faults "interval=$n" "times=$MANY" probability=100
		for kind in failslab fail_page_alloc; do
			echo $((n % 3 + 1)) >"$FAULTS/$kind/times"
		done
		in_ns afr bash -c "echo on >$SYS/mode"
		sleep 0.2
		sum=$((sum + 2 * (n % 3 + 1) - $(cat "$FAULTS/failslab/times") - $(cat "$FAULTS/fail_page_alloc/times")))
		faults probability=0 times=0
		equal afr || return 1
	done
	faults_off
	echo "$sum allocations failed"
	[ "$sum" -gt 0 ] || fail "nothing failed"
}

# A change seldom takes memory, but the first ones after a load do. So only what
# changes allocate fails, and the load after each failure goes well.
only_churn() {
	local round

	ON=verify router 1000 || return 1
	in_ns afr bash -c "echo verify >$SYS/mode"
	prepare && filter_function call_fib_notifiers || return 1
	faults "times=$MANY" probability=50
	for round in 1 2 3 4 5 6; do
		run_scenario verify <<-EOT || return 1
		fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=1000 del
		$TX dst=11.0.9.1 n=20
		sleep 500
		fill afr 11.0.0.0/24 dev=r2 via=10.0.3.2 ways=100 count=1000
		$TX dst=11.0.9.1 n=20
		sleep 500
		fill afr 11.0.0.0/24 dev=r2 via=10.0.3.2 ways=100 count=1000 del
		fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=1000
		$TX dst=11.0.9.1 n=20
		sleep 500
		EOT
	done
	echo "$(failed) allocations failed in $round rounds"
	[ "$(failed)" -gt 0 ] || fail "nothing failed" || return 1
	faults_off
	equal afr || return 1
	run_scenario verify <<-EOT || return 1
	$TX dst=11.0.9.1 n=20
	settle
	EOT
	no_mismatch afr
}

only_packets() {
	ON=verify router 100 || return 1
	in_ns afr bash -c "echo verify >$SYS/mode"
	prepare || return 1
	# What may sleep is spared: else the test's own programs would fail.
	faults ignore-gfp-wait=Y "times=$MANY" probability=5
	"$PROBE" --check verify >"$TMP/out" 2>&1 <<-EOT
	$TX dst=10.1.0.1 n=300
	ip afr route replace 10.1.0.0/16 via 10.0.3.2
	$TX dst=10.1.0.1 n=300
	ip afr route replace 10.1.0.0/16 via 10.0.2.2
	$TX dst=11.0.9.1 n=300
	$TX dst=10.0.1.1 n=100
	EOT
	faults probability=0
	echo "$(failed) allocations failed"
	[ "$(failed)" -gt 0 ] || fail "nothing failed" || return 1
	faults_off
	run_scenario verify <<-EOT || return 1
	$TX dst=10.1.0.1 n=20
	settle
	EOT
	equal afr && no_mismatch afr
}

tests_run "$@"
