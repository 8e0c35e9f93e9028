#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# output=lookup beside other users of ftrace, where that is the way to it.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_tracer_first: the function tracer was there before"
	"only_tracer_later: the function tracer comes and goes meanwhile"
	"only_kprobe_first: a kprobe was there before"
	"only_kprobe_later: a kprobe comes and goes meanwhile"
	"only_direct_first: a direct call was there before, as of a BPF fentry program"
	"only_direct_later: a direct call is refused meanwhile"
	"only_doctor: altfib doctor tells who else has the functions"
	"only_back: the functions are as they were afterwards"
)

UDP=${UDP:-$(dirname "$PROBE")/udp}
SYS=/proc/sys/net/altfib
TOOL=${ALTFIB_TOOL:-${ALTFIB_CACHE:-/nowhere}/build/cargo/release/altfib}
TRACING=/sys/kernel/tracing
FUNCTIONS="fib_table_lookup fib6_node_lookup"

made() {
	mountpoint -q "$TRACING" || mount -t tracefs tracefs "$TRACING" || return 1
	{ topo_bare; echo "arm $NAMESPACES"; } | run_scenario on
}

traced() { # on|off
	if [ "$1" = on ]; then
		echo "$FUNCTIONS" >"$TRACING/set_ftrace_filter" &&
			echo function >"$TRACING/current_tracer"
	else
		echo nop >"$TRACING/current_tracer"
		echo >"$TRACING/set_ftrace_filter"
	fi
}

probed() { # on|off
	if [ "$1" = on ]; then
		echo 'p:altfib_test fib_table_lookup' >"$TRACING/kprobe_events" &&
			echo 1 >"$TRACING/events/kprobes/altfib_test/enable"
	else
		echo 0 >"$TRACING/events/kprobes/altfib_test/enable"
		echo >"$TRACING/kprobe_events"
	fi
}

seen() { # NAME
	grep -c "$1" "$TRACING/trace"
}

answered() {
	in_ns afr sed -n "s/^output: .* \([0-9][0-9]*\) lookups answered.*/\1/p" /proc/net/altfib/status
}

set_output() {
	in_ns afr sh -c "echo $1 >$SYS/output" || return 1
	for ((n = 0; n < 100; n++)); do
		in_ns afr grep -q '^serving: yes' /proc/net/altfib/status && return 0
		sleep 0.1
	done
	fail "not served after 10 s"
}

# answers: lookups are answered, and right.
answers() {
	local before

	echo 10.1.0.1 | in_ns afr "$UDP" send 53 2 >/dev/null
	before=$(answered)
	echo 10.1.0.1 | in_ns afr "$UDP" send 53 20 | grep -v '^#' || return 1
	[ $(($(answered) - before)) -ge 20 ] || fail "$(($(answered) - before)) of 20 answered" || return 1
	in_ns afr ip route get 10.1.0.1 | grep -q 'via 10.0.2.2 dev r1' || fail "not right" || return 1
}

# beside FUNCTION WHAT first|later: what somebody else sees, and what altfib does.
beside() {
	local other=$1 what=$2 rc=0

	made || return 1
	if [ "$3" = first ]; then
		"$other" on || return 1
		set_output lookup || rc=1
	else
		set_output lookup || return 1
		"$other" on || rc=1
	fi
	echo >"$TRACING/trace"
	[ "$rc" != 0 ] || answers || rc=1
	[ "$(seen "$what")" -ge 20 ] || fail "the other one saw $(seen "$what") calls" || rc=1
	if [ "$3" = first ]; then
		set_output off || rc=1
		echo >"$TRACING/trace"
		echo 10.1.0.1 | in_ns afr "$UDP" send 53 20 >/dev/null
		[ "$(seen "$what")" -ge 20 ] || fail "the other one sees nothing any more" || rc=1
		"$other" off
	else
		"$other" off
		answers || rc=1
		set_output off || rc=1
	fi
	in_ns afr ip route get 10.1.0.1 | grep -q 'via 10.0.2.2 dev r1' || rc=1
	return "$rc"
}

only_tracer_first() { beside traced 'fib_table_lookup <-' first; }
only_tracer_later() { beside traced 'fib_table_lookup <-' later; }
only_kprobe_first() { beside probed altfib_test first; }
only_kprobe_later() { beside probed altfib_test later; }

# Neither goes without a word, and neither breaks the other.
only_direct_first() {
	local rc=0

	[ -n "${ALTFIB_KO_DIRECT:-}" ] || fail "set ALTFIB_KO_DIRECT=path/to/altfib_direct.ko" || return 1
	made || return 1
	insmod "$ALTFIB_KO_DIRECT" || return 1
	in_ns afr sysctl -qw net.altfib.output=lookup 2>"$TMP/error" && fail "output=lookup was accepted" && rc=1
	# sh's echo has one word for all errors.
	grep -q 'resource busy' "$TMP/error" || fail "$(cat "$TMP/error")" || rc=1
	[ "$(in_ns afr cat "$SYS/output")" = off ] || fail "output is not off" || rc=1
	dmesg | tail -n 5 | grep -q 'another tracer' || fail "the log does not say why" || rc=1
	direct_sees || rc=1
	rmmod altfib_direct || rc=1
	set_output lookup && answers || rc=1
	set_output off || rc=1
	return "$rc"
}

only_direct_later() {
	local rc=0

	made && set_output lookup || return 1
	insmod "$ALTFIB_KO_DIRECT" 2>"$TMP/error" && fail "it was accepted" && rmmod altfib_direct && rc=1
	cat "$TMP/error"
	answers || rc=1
	set_output off || rc=1
	insmod "$ALTFIB_KO_DIRECT" && direct_sees || rc=1
	rmmod altfib_direct || rc=1
	return "$rc"
}

# direct_sees: all calls of the kernel's lookup.
direct_sees() {
	local calls=/sys/module/altfib_direct/parameters/calls before n

	before=$(cat "$calls")
	echo 10.1.0.1 | in_ns afr "$UDP" send 53 20 | grep -v '^#'
	n=$(($(cat "$calls") - before))
	[ "$n" -ge 20 ] || fail "the other one saw $n calls of 20"
}

# doctor WHAT: a line of the tool's has it.
doctor() {
	"$TOOL" -n afr doctor >"$TMP/doctor"
	grep -q "ftrace  *$1" "$TMP/doctor" || fail "no \"$1\" in $(cat "$TMP/doctor")"
}

only_doctor() {
	local rc=0

	[ -n "${ALTFIB_KO_DIRECT:-}" ] || fail "set ALTFIB_KO_DIRECT=path/to/altfib_direct.ko" || return 1
	made && doctor "nobody else has" || return 1
	traced on && doctor "a tracer follows fib.*, fib.*, which altfib can live with" || rc=1
	traced off
	# altfib itself is nobody else.
	set_output lookup && doctor "nobody else has" || rc=1
	set_output off
	insmod "$ALTFIB_KO_DIRECT" && doctor "a BPF program (fentry) or a live patch has fib_table_lookup" || rc=1
	rmmod altfib_direct || rc=1
	return "$rc"
}

only_back() {
	set_output off || return 1
	! grep -E 'fib_table_lookup|fib6_node_lookup' "$TRACING/enabled_functions"
}

tests_run "$@"
