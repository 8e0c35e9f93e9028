#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The tracepoints altfib:lookup, punt, dst_drop and resync, read through tracefs.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_events: there are four, and they know the reasons of /proc/net/altfib/punts"
	"only_lookup: what was found for each packet"
	"only_host_lookup: and for the host's own packets"
	"only_punt: each packet that is left to the kernel, once, with its reason"
	"only_dst_drop: cached routes of next hops that go, and why"
	"only_flow_drop: and those of flows"
	"only_resync: the mirror is loaded, and why it was not"
	"only_filter: of one namespace and one reason only"
	"only_off: nothing is told that nobody asks for"
	"only_page: the commands of docs/tracing.md, and the events and fields that it names"
	"only_unload: the module goes while somebody listens"
)
in_ipv6 only_lookup only_host_lookup only_punt only_flow_drop only_resync

SYS=/proc/sys/net/altfib
UDP=${UDP:-$(dirname "$PROBE")/udp}
TRACING=/sys/kernel/tracing
HERE_IN=$TRACING/instances/altfib_test
EVENTS=$HERE_IN/events/altfib

if [ "${1:-}" != --count ]; then
	[ -d "$TRACING" ] || skip_all "this kernel has no tracing"
	mountpoint -q "$TRACING" || mount -t tracefs tracefs "$TRACING" || skip_all "tracefs is not to be had"
fi

set_in() { # NS SETTING VALUE
	in_ns "$1" bash -c "echo $3 >$SYS/$2"
}

# The topology of lib.sh in one family, altfib in ARM, and the events named on.
# NETNS is the router's number in each event.
begin_with() { # ARM EVENT...
	local arm=$1 event

	rmdir "$HERE_IN" 2>/dev/null
	mkdir "$HERE_IN" || return 1
	run_scenario "$arm" <<-EOT || return 1
	$(topo_bare)
	arm afr
	$([ "$FAMILY" = 4 ] || echo ready)
	EOT
	NETNS=$(stat -L -c %i /run/netns/afr)
	for event in "${@:2}"; do
		echo 1 >"$EVENTS/$event/enable" || return 1
	done
}

# What was told of the router since the last call.
told() {
	local all

	all=$(grep "netns=$NETNS " "$HERE_IN/trace")
	echo >"$HERE_IN/trace"
	TOLD=$all
}

# tells COUNT PATTERN: so many lines of TOLD match; "some" is one at least.
tells() {
	local n

	n=$(grep -cE -- "$2" <<<"$TOLD")
	if [ "$1" = some ]; then
		[ "$n" != 0 ] && return 0
	else
		[ "$n" = "$1" ] && return 0
	fi
	echo "$TOLD" | head -n 40
	fail "$n lines with \"$2\", not $1"
}

index() { # DEV
	in_ns afr ip -o link show "$1" | cut -d: -f1
}

family() {
	if [ "$FAMILY" = 4 ]; then echo ipv4; else echo ipv6; fi
}

# How an address is shown.
shown() { # ADDRESS
	if [ "$FAMILY" = 4 ]; then echo "daddr=$1 daddrv6=::ffff:$1"; else echo "daddr=0.0.0.0 daddrv6=$1"; fi
}

only_events() {
	local names known

	begin_with on || return 1
	names=$(find "$EVENTS" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort | xargs)
	[ "$names" = "dst_drop lookup punt resync" ] || fail "events: $names" || return 1
	names=$(grep -o '__print_symbolic(REC->reason, .*' "$EVENTS/punt/format" | grep -o '"[a-z_]*"' | tr -d '"' | sort)
	# shellcheck disable=SC2016 # awk's own
	known=$(in_ns afr awk 'NR > 1 && $3 != "fast" { print $1 }' /proc/net/altfib/punts | sort)
	[ "$(wc -l <<<"$known")" -ge 28 ] || fail "reasons: $known" || return 1
	diff <(echo "$names") <(echo "$known")
}

only_lookup() {
	local send=$TX none=10.9.9.9 own=10.0.1.1

	if [ "$FAMILY" = 6 ]; then
		send=$TX6 none=2001:db9::1 own=2001:db8:1::1
	fi
	begin_with on lookup || return 1
	run_scenario on <<-EOT || return 1
	$send dst=$HOST1 n=7
	$send dst=$none n=3
	$send dst=$own n=2
	settle
	EOT
	told
	tells 7 " lookup: .* family=$(family) iif=$(index rc) $(shown "$HOST1") found=route type=1 oif=$(index r1)\$" &&
		tells 3 "family=$(family) iif=$(index rc) $(shown "$none") found=none type=0 oif=0\$" &&
		tells 2 "$(shown "$own") found=route type=2 oif=" || return 1
	run_scenario on <<-EOT || return 1
	ip afr route add $NET5 nexthop via $GW1 nexthop via $GW2
	$send dst=$HOST5 n=2
	settle
	EOT
	told
	tells 2 "$(shown "$HOST5") found=route type=1 oif=0\$"
}

only_host_lookup() {
	begin_with on+lookup lookup || return 1
	run_scenario on <<-EOT || return 1
	ip afr route add $NET5 via $GW2
	EOT
	echo "$HOST5" | in_ns afr "$UDP" send 53 5 || return 1
	told
	# The first one may be the kernel's own, to be learned from, and the next one compared. Of
	# IPv6 the kernel chooses.
	tells some " lookup: .* family=$(family) iif=0 $(shown "$HOST5") found=route type=1 oif=$(
		if [ "$FAMILY" = 4 ]; then index r2; else echo 0; fi)\$" || return 1
	[ "$(grep -c "iif=0 $(shown "$HOST5")" <<<"$TOLD")" -ge 3 ] || fail "$TOLD"
}

# Each reason with its number of packets.
punts() {
	# shellcheck disable=SC2016 # awk's own
	in_ns afr awk 'NR > 1 && $3 != "fast" && $2 { print $1, $2 }' \
		"/proc/net/altfib/punts$([ "$FAMILY" = 4 ] || echo 6)" | sort
}

only_punt() {
	local send=$TX none=10.9.9.9 multicast=224.1.1.1 reject=10.6.0.1 before counted

	if [ "$FAMILY" = 6 ]; then
		send=$TX6 none=2001:db9::1 multicast=fe80::1 reject=2001:db8:6::1
	fi
	begin_with off punt || return 1
	before=$(punts)
	run_scenario on <<-EOT || return 1
	ip afr route add unreachable $reject
	$send dst=$HOST1 n=3
	arm afr
	$send dst=$HOST1 n=6
	$send dst=$none n=4
	$send dst=$multicast n=2
	$send dst=$reject n=5
	settle
	EOT
	counted=$(awk 'NR == FNR { n[$1] = $2; next } $2 > n[$1] { print $1, $2 - n[$1] }' \
		<(echo "$before") <(punts))
	told
	tells 4 " punt: .*skbaddr=[0-9a-f]+ family=$(family) iif=$(index rc) protocol=17 mark=0x0 .* reason=no_route\$" &&
		tells 2 "reason=special_address\$" || return 1
	if [ "$FAMILY" = 4 ]; then
		tells 5 "saddr=10.0.1.2 daddr=$reject saddrv6=::ffff:10.0.1.2 daddrv6=::ffff:$reject reason=route_type\$" ||
			return 1
	else
		tells some "saddr=0.0.0.0 daddr=0.0.0.0 saddrv6=2001:db8:1::2 daddrv6=$none reason=no_route\$" ||
			return 1
	fi
	TOLD=$(grep "family=$(family) " <<<"$TOLD" | sed 's/.* reason=//' | sort | uniq -c | awk '{ print $2, $1 }')
	diff <(echo "$counted") <(echo "$TOLD")
}

column() { # NAME: of /proc/net/stat/altfib, one CPU's lines added up
	local sum=0 n

	# shellcheck disable=SC2016 # awk's own
	while read -r n; do
		sum=$((sum + 16#$n))
	done < <(in_ns afr awk -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
		{ print $at }' /proc/net/stat/altfib)
	echo "$sum"
}

only_dst_drop() {
	local r1

	begin_with on dst_drop || return 1
	r1=$(index r1)
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=3
	$TX dst=10.2.0.1 n=3
	settle
	EOT
	told
	tells 0 dst_drop || return 1
	run_scenario on <<-EOT || return 1
	ip afr route del 10.2.0.0/16
	EOT
	told
	tells 1 " dst_drop: .* dst=[0-9a-f]+ of=nexthop oif=$(index r2) dev=r2 why=route\$" && tells 1 . || return 1
	run_scenario on <<-EOT || return 1
	ip afr nexthop add id 1 via 10.0.3.2 dev r2
	ip afr route add 10.2.0.0/16 nhid 1
	$TX dst=10.2.0.1 n=3
	settle
	ip afr nexthop replace id 1 via 10.0.3.2 dev r2
	EOT
	told
	tells some "of=nexthop .* why=nexthop\$" || return 1
	# What the kernel outdates is replaced by the next packet.
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=3
	settle
	EOT
	told
	run_scenario on <<-EOT || return 1
	sh ip netns exec afr sysctl -qw net.ipv4.route.flush=1
	$TX dst=10.1.0.1 n=3
	settle
	EOT
	told
	tells 1 "of=nexthop oif=$r1 dev=r1 why=stale\$" || return 1
	run_scenario on <<-EOT || return 1
	ip afr link set r1 down
	EOT
	told
	tells some "of=nexthop .* why=device\$" || return 1
	run_scenario on <<-EOT || return 1
	$TX dst=10.2.0.1 n=3
	settle
	sysctl afr net/altfib/mode off
	EOT
	told
	tells some "of=nexthop .* why=end\$" || return 1
	r1="$(column dst_drop_dev) $(column dst_drop_fib)"
	[[ $r1 =~ ^[1-9][0-9]*\ [1-9] ]] || fail "dst_drop_dev and dst_drop_fib: $r1"
}

only_flow_drop() {
	local send=$TX cache

	[ "$FAMILY" = 4 ] || send=$TX6
	for cache in flow percpu-flow; do
		begin_with "on+$cache" dst_drop || return 1
		run_scenario on <<-EOT || return 1
		$send dst=$HOST1 n=4
		settle
		ip afr route add $NET5 via $GW2
		$send dst=$HOST1 n=4
		settle
		EOT
		told
		tells some " dst_drop: .* of=flow oif=$(index r1) dev=r1 why=stale\$" && tells 0 why=flush || return 1
		set_in afr cache nexthop
		told
		tells some " of=flow oif=$(index r1) dev=r1 why=flush\$" || return 1
	done
}

only_resync() {
	local n suffix=

	[ "$FAMILY" = 4 ] || suffix="IPv6 "
	begin_with off resync || return 1
	run_scenario on <<-EOT || return 1
	arm afr
	EOT
	told
	n=$(in_ns afr sed -n "s/^${suffix}routes: \\([0-9]*\\) .*/\\1/p" /proc/net/altfib/status)
	tells 1 " resync: .* family=$(family) routes=$n took_us=[0-9]+ why=mode is off\$" || return 1
	set_in afr mode off
	run_scenario on <<-EOT || return 1
	ip afr route add $NET5 via $GW2
	arm afr
	EOT
	told
	tells 1 "family=$(family) routes=$((n + 1)) took_us=[0-9]+ why=mode is off\$" || return 1
	# A namespace that has just come, with more than its loopback.
	run_scenario on <<-EOT || return 1
	netns late
	ip late link add v0 type veth peer name v1
	ip late link set v0 up
	EOT
	NETNS=$(stat -L -c %i /run/netns/late)
	for ((n = 0; n < 100; n++)); do
		grep -q "netns=$NETNS family=$(family)" "$HERE_IN/trace" && break
		sleep 0.1
	done
	told
	echo "netns-del late" | "$PROBE" none
	tells 1 " resync: .* family=$(family) routes=[0-9]+ took_us=[0-9]+ why=\$"
}

only_filter() {
	local reason

	begin_with on || return 1
	# By its number, from the event's format.
	reason=$(grep -o '{ [0-9]*, "no_route" }' "$EVENTS/punt/format" | tr -dc 0-9)
	echo "netns == $NETNS && iif == $(index rc) && reason == $reason" >"$EVENTS/punt/filter" || return 1
	echo 1 >"$EVENTS/punt/enable"
	run_scenario on <<-EOT || return 1
	arm afc
	$TX dst=10.9.9.9 n=4
	$TX dst=224.1.1.1 n=2
	send af1 s0 dmac=02:00:00:00:02:01 src=10.0.2.2 dst=10.9.9.9 n=3
	settle
	EOT
	told
	tells 4 " punt: .* iif=$(index rc) .* reason=no_route\$" && tells 4 . || return 1
}

only_off() {
	begin_with on lookup punt || return 1
	echo 0 >"$EVENTS/enable"
	told
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=5
	$TX dst=10.9.9.9 n=5
	settle
	EOT
	told
	tells 0 .
}

only_page() {
	begin_with on || return 1
	in_ns afr python3 -B "$HERE/docs.py" page docs/tracing.md 2>&1 &&
		python3 -B "$HERE/docs.py" events docs/tracing.md 2>&1
}

only_unload() {
	local rc=0

	begin_with on lookup punt dst_drop resync || return 1
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=5
	settle
	EOT
	# What is in the buffer goes with the module.
	[ "$(grep -cE ' (lookup|punt): ' "$HERE_IN/trace")" -ge 5 ] || fail "$(cat "$HERE_IN/trace")" || rc=1
	rmmod altfib || rc=1
	[ ! -e "$EVENTS" ] || fail "the events stay" || rc=1
	insert_altfib || rc=1
	[ -e "$EVENTS/punt/enable" ] || fail "the events do not come back" || rc=1
	rmdir "$HERE_IN" || rc=1
	return "$rc"
}

tests_run "$@"
