#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What the user sees and sets: sysctls, statistics, listings.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_mode_values: mode takes on and off, and nothing else"
	"only_number_values: numbers out of range change nothing"
	"only_available: available_modes lists the modes and is read-only"
	"only_algorithm: algorithm takes auto and what is available, and nothing else"
	"only_algorithm_auto: the algorithm follows the size of the table"
	"only_unprivileged: everybody reads, nobody but root writes"
	"only_user_namespace: a container's root cannot raise the memory limit"
	"only_new_namespace: a new namespace has the module's mode"
	"only_stat_format: /proc/net/stat/altfib is what lnstat reads"
	"only_lnstat: lnstat -f altfib"
	"only_per_namespace: statistics and routes belong to a namespace"
	"only_punts: /proc/net/altfib/punts"
	"only_status: /proc/net/altfib/status"
	"only_routes: /proc/net/altfib/routes equals the main table"
	"only_routes_big: 20,000 routes, listed while they change"
	"only_nexthops: /proc/net/altfib/nexthops"
	"mode_switch: packets between mode switches"
	"algorithm_switch: packets while the algorithm changes"
	"memory_limit: too little memory for the table, then enough"
)

SYS=/proc/sys/net/altfib

get() {
	cat "$SYS/$1"
}

# set_fails NAME VALUE ERROR: must be refused so, and leave the value.
set_fails() {
	local before after err

	before=$(get "$1")
	err=$(printf '%s' "$2" 2>&1 >"$SYS/$1") && fail "$1 = '$2' was accepted" && return 1
	after=$(get "$1")
	[[ $err == *"$3"* ]] || fail "$1 = '$2': $err, expected: $3" || return 1
	[ "$before" = "$after" ] || fail "$1 changed from $before to $after" || return 1
}

only_mode_values() {
	local rc=0 bad long old

	old=$(get mode)
	long=$(printf '%5000s' x)
	for bad in On ON onn o of offf Verify verif 1 0 "on off" "on,off" "$long" "-" " x"; do
		set_fails mode "$bad" "Invalid argument" || rc=1
	done
	for good in off on verify off verify on; do
		echo "$good" >"$SYS/mode" || rc=1
		[ "$(get mode)" = "$good" ] || fail "mode is $(get mode), not $good" || rc=1
	done
	printf off >"$SYS/mode" && [ "$(get mode)" = off ] || rc=1
	echo "$old" >"$SYS/mode"
	return "$rc"
}

only_number_values() {
	local rc=0 bad

	for bad in 2 -1 x 99999999999; do
		set_fails early_demux_probe "$bad" "Invalid argument" || rc=1
	done
	for bad in -1 x 99999999999999; do
		set_fails memory_max_kb "$bad" "Invalid argument" || rc=1
	done
	for good in 0 1; do
		echo "$good" >"$SYS/early_demux_probe" || rc=1
		[ "$(get early_demux_probe)" = "$good" ] || rc=1
	done
	return "$rc"
}

only_available() {
	[ "$(get available_modes)" = "off on verify" ] ||
		fail "available_modes: $(get available_modes)" || return 1
	[ "$(stat -c %a "$SYS/available_modes")" = 444 ] || fail "not read-only"
}

# algorithm_of FILE: what status says of the main table's.
algorithm_of() {
	sed -n 's/^algorithm: \([a-z]*\) .*/\1/p' "$1"
}

only_algorithm() {
	local rc=0 bad name

	[ "$(get available_algorithms)" = "auto ranges chunks" ] ||
		fail "available_algorithms: $(get available_algorithms)" || rc=1
	[ "$(stat -c %a "$SYS/available_algorithms")" = 444 ] || fail "not read-only" || rc=1
	[ "$(get ipv4/algorithm)" = auto ] || fail "the default is $(get ipv4/algorithm)" || rc=1
	for bad in Auto range chunk "auto ranges" dxr 0 " x"; do
		set_fails ipv4/algorithm "$bad" "Invalid argument" || rc=1
	done
	for name in chunks ranges auto; do
		echo "$name" >"$SYS/ipv4/algorithm" || rc=1
		[ "$(get ipv4/algorithm)" = "$name" ] ||
			fail "algorithm is $(get ipv4/algorithm), not $name" || rc=1
	done
	return "$rc"
}

# in_use NAME WHEN: which algorithm serves afr.
in_use() {
	local name

	in_ns afr cat /proc/net/altfib/status >"$TMP/status"
	name=$(algorithm_of "$TMP/status")
	[ "$name" = "$1" ] || fail "$2: $name, expected $1"
}

only_algorithm_auto() {
	local set=/proc/sys/net/altfib/ipv4/algorithm

	run_scenario "$ON" <<-EOT || return 1
	$(topo_bare)
	arm $NAMESPACES
	EOT
	in_use ranges "a few routes" || return 1
	in_ns afr sh -c "echo chunks >$set" && in_use chunks "pinned to chunks" || return 1
	in_ns afr sh -c "echo auto >$set" && in_use ranges "auto again" || return 1
	run_scenario "$ON" <<-EOT || return 1
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=100
	EOT
	in_use chunks "a hundred routes" || return 1
	in_ns afr sh -c "echo ranges >$set" &&
		in_use chunks "pinned to what cannot hold so many" || return 1
	run_scenario "$ON" <<-EOT || return 1
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=70 del
	EOT
	in_use ranges "pinned, and few enough" || return 1
	in_ns afr sh -c "echo auto >$set"
	run_scenario "$ON" <<-EOT || return 1
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=70
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=75 del
	EOT
	in_use chunks "25 and those of the links: not yet few enough" || return 1
	run_scenario "$ON" <<-EOT || return 1
	fill afr 11.0.75.0/24 dev=r1 via=10.0.2.2 count=25 del
	EOT
	in_use ranges "only those of the links"
}

only_unprivileged() {
	local rc=0 f

	for f in "$SYS"/[!i]* "$SYS"/ipv4/* /proc/net/stat/altfib /proc/net/altfib/*; do
		setpriv --reuid=65534 --regid=65534 --clear-groups \
			cat "$f" >/dev/null || rc=1
		setpriv --reuid=65534 --regid=65534 --clear-groups \
			sh -c "echo on >$f" 2>/dev/null &&
			fail "everybody can write $f" && rc=1
	done
	return "$rc"
}

only_user_namespace() {
	# shellcheck disable=SC2016	# expanded inside
	unshare --user --map-root-user --net sh -c '
		cd /proc/sys/net/altfib || exit 1
		echo "# mode $(cat mode), memory_max_kb $(cat memory_max_kb)"
		[ "$(cat mode)" = off ] || { echo "# starts with mode on"; exit 1; }
		before=$(cat memory_max_kb)
		for v in 1 999999999; do
			echo $v 2>/dev/null >memory_max_kb &&
				{ echo "# memory_max_kb = $v was accepted"; exit 1; }
		done
		[ "$(cat memory_max_kb)" = "$before" ]
	'
}

only_new_namespace() {
	local param

	param=$(cat /sys/module/altfib/parameters/mode) || return 1
	echo "netns afr" | "$PROBE" none || return 1
	[ "$(in_ns afr cat "$SYS/mode")" = "$param" ] ||
		fail "mode is $(in_ns afr cat "$SYS/mode"), the parameter says $param"
}

COLUMNS="entries lookup forward local early_demux punt_state punt_packet
punt_config punt_route punt_source punt_nexthop dst_hit dst_fill dst_stale
dst_drop_dev dst_drop_fib dst_drop_nh route_add route_replace route_del resync
oom verified mismatch transient memory_kb fast fast_left"

only_stat_format() {
	# shellcheck disable=SC2086	# one word each
	set -- $COLUMNS
	awk -v want="$*" -v cpus="$(cpus)" '
		function bad(why) { print "# line " NR ": " why; failed = 1 }
		length($0) >= 1023 { bad("1023 characters or more") }
		NR == 1 {
			n = NF
			if (NF > 32) bad("more than 32 columns")
			for (i = 1; i <= NF; i++) {
				if (length($i) > 32) bad("long name " $i)
				names = names (i > 1 ? " " : "") $i
			}
			if (names != want) bad("columns: " names)
			next
		}
		NF != n { bad(NF " values under " n " names") }
		{
			for (i = 1; i <= NF; i++)
				if ($i !~ /^[0-9a-f]+$/ || length($i) < 8)
					bad("not eight hex digits: " $i)
			if (NR == 2) entries = $1
			if ($1 != entries) bad("entries differ between CPUs")
		}
		END {
			if (NR - 1 < cpus) bad(NR - 1 " lines for " cpus " CPUs")
			exit failed
		}' /proc/net/stat/altfib
}

only_lnstat() {
	command -v lnstat >/dev/null || fail "needs lnstat (package iproute2)" || return 1
	# It always exits with 1.
	lnstat -f altfib -c 1 -i 1 -k entries,lookup,forward >"$TMP/lnstat"
	cat "$TMP/lnstat"
	grep -q lookup "$TMP/lnstat"
}

only_per_namespace() {
	run_scenario "$ON" <<-EOT || return 1
	$(topo_bare)
	arm $NAMESPACES
	altfib af2 begin
	$TX dst=10.1.0.1 n=50
	settle
	altfib af2 end lookup=0 forward=0
	EOT
	in_ns afr grep -q '^10\.1\.0\.0 ' /proc/net/altfib/routes ||
		fail "the router does not list its route" || return 1
	! in_ns af2 grep -q '^10\.1\.0\.0 ' /proc/net/altfib/routes ||
		fail "another namespace lists the router's route"
}

only_punts() {
	awk 'NR > 1 && ($2 !~ /^[0-9]+$/ || NF < 4) { print "# " $0; bad = 1 }
		{ seen[$1]++ }
		END {
			split("not_ready hook_order has_dst not_unicast_frame " \
			      "ip_options rules early_demux no_route dscp route_type " \
			      "multipath dead_nexthop not_forwarding source " \
			      "redirect exception no_dst", w)
			for (i in w)
				if (seen[w[i]] != 1) { print "# no reason " w[i]; bad = 1 }
			exit bad
		}' /proc/net/altfib/punts
}

only_status() {
	run_scenario "$ON" <<-EOT || return 1
	$(topo_bare)
	arm $NAMESPACES
	$TX dst=10.1.0.1 n=50
	settle
	EOT
	in_ns afr cat /proc/net/altfib/status >"$TMP/status" || return 1
	cat "$TMP/status"
	[ "$(wc -l <"$TMP/status")" -le 24 ] || fail "longer than a screen's corner" || return 1
	grep -qx 'serving: yes' "$TMP/status" || fail "does not say 'serving: yes'" || return 1
	grep -q '^mode: on$' "$TMP/status" || return 1
	in_ns afr sh -c "echo off >$SYS/mode"
	in_ns afr grep '^serving: no (.*)$' /proc/net/altfib/status
}

# "destination/length gateway metric device", one route a line: the first of each
# prefix, which is the one that the kernel tries first and tells others about.
kernel_routes() {
	in_ns afr ip -4 route show table main | awk '
		$1 ~ /^(blackhole|unreachable|prohibit|throw)$/ {
			metric = 0
			for (i = 3; i < NF; i++) if ($i == "metric") metric = $(i + 1)
			if ($2 !~ /\//) $2 = $2 "/32"
			print $2, "reject", metric
			next
		}
		{
			gw = "0.0.0.0"; metric = 0; dev = "-"; dst = $1
			if (dst == "default") dst = "0.0.0.0/0"
			if (dst !~ /\//) dst = dst "/32"
			for (i = 2; i < NF; i++) {
				if ($i == "via") gw = $(i + 1)
				if ($i == "dev") dev = $(i + 1)
				if ($i == "metric") metric = $(i + 1)
			}
			print dst, gw, metric, dev
		}' | awk '!seen[$1]++' | sort
}

altfib_routes() {
	in_ns afr cat /proc/net/altfib/routes | awk '
		function bits(mask,   a, n, i, v) {
			split(mask, a, ".")
			for (i = 1; i <= 4; i++)
				for (v = a[i]; v > 0; v = (v % 128) * 2) n++
			return n + 0
		}
		NR == 1 { next }
		$4 ~ /!/ { print $1 "/" bits($3), "reject", $5; next }
		{ print $1 "/" bits($3), $2, $5, $6 }' | sort
}

same_routes() {
	kernel_routes >"$TMP/kernel"
	altfib_routes >"$TMP/altfib"
	[ -s "$TMP/kernel" ] || fail "no routes" || return 1
	echo "# $(wc -l <"$TMP/kernel") routes"
	diff -U0 "$TMP/kernel" "$TMP/altfib" >"$TMP/routediff" && return 0
	echo "# '-' ip route, '+' altfib:"
	sed 1,2d "$TMP/routediff" | head -n 20
	return 1
}

only_routes() {
	run_scenario "$ON" <<-EOT || return 1
	$(topo_bare)
	arm $NAMESPACES
	ip afr route add default via 10.0.3.2
	ip afr route add 10.5.0.0/16 via 10.0.2.2 metric 10
	ip afr route add 10.5.0.0/16 via 10.0.3.2 metric 20
	ip afr route add 10.6.0.1/32 via 10.0.3.2
	ip afr route add 128.0.0.0/1 dev r2
	ip afr route add 10.7.0.0/23 via 10.0.2.2
	ip afr route add blackhole 10.8.0.0/16
	ip afr route add unreachable 10.9.0.0/16 metric 7
	ip afr route add 10.10.0.0/29 via 10.0.2.2
	ip afr route del 10.7.0.0/23
	ip afr route replace 10.10.0.0/29 via 10.0.3.2
	EOT
	in_ns afr head -n 4 /proc/net/altfib/routes
	same_routes
}

only_routes_big() {
	local i

	run_scenario "$ON" <<-EOT || return 1
	$(topo_bare)
	arm $NAMESPACES
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=20000
	EOT
	same_routes || return 1
	# Read to the end while routes go: no crash, no endless listing.
	for i in 1 2 3; do
		in_ns afr cat /proc/net/altfib/routes >/dev/null &
		run_scenario "$ON" <<-EOT || return 1
		fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=5000 del
		fill afr 11.0.0.0/24 dev=r2 via=10.0.3.2 count=5000
		fill afr 11.0.0.0/24 dev=r2 via=10.0.3.2 count=5000 del
		fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=5000
		EOT
		wait
	done
	same_routes
}

only_nexthops() {
	run_scenario "$ON" <<-EOT || return 1
	$(topo_bare)
	arm $NAMESPACES
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	$TX dst=10.1.0.1 n=10
	settle
	EOT
	in_ns afr cat /proc/net/altfib/nexthops >"$TMP/nexthops" || return 1
	cat "$TMP/nexthops"
	grep -E '10\.0\.2\.2.*cached' "$TMP/nexthops" >/dev/null ||
		fail "10.0.2.2 is not shown as cached" || return 1
	grep -E '10\.0\.3\.2.*empty' "$TMP/nexthops" >/dev/null ||
		fail "10.0.3.2 is not shown as empty"
}

mode_switch() {
	local i

	topo
	for i in 1 2 3; do
		lines <<-EOT
		$TX dst=10.1.0.1 n=30
		altfib-set afr net/altfib/mode off
		$TX dst=10.1.0.1 n=10
		ip afr route replace 10.1.0.0/16 via 10.0.$((2 + i % 2)).2
		$TX dst=10.1.0.1 n=10
		arm afr
		$TX dst=10.1.0.1 n=30
		report round $i
		EOT
	done
	finish
}

algorithm_switch() {
	local i

	topo
	for i in 1 2; do
		lines <<-EOT
		$TX dst=10.1.0.1 n=20
		fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=60
		$TX dst=11.0.0.1 dstep=256 n=60
		$TX dst=10.1.0.1 n=20
		altfib-set afr net/altfib/ipv4/algorithm ranges
		$TX dst=11.0.0.1 dstep=256 n=60
		fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=50 del
		$TX dst=11.0.40.1 dstep=256 n=20
		$TX dst=10.1.0.1 n=20
		altfib-set afr net/altfib/ipv4/algorithm chunks
		$TX dst=11.0.40.1 dstep=256 n=20
		altfib-set afr net/altfib/ipv4/algorithm auto
		$TX dst=11.0.40.1 dstep=256 n=20
		fill afr 11.0.50.0/24 dev=r1 via=10.0.2.2 count=10 del
		report round $i
		EOT
	done
	finish min=80
}

memory_limit() {
	topo
	lines <<-EOT
	altfib-set afr net/altfib/memory_max_kb 256
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=40000
	$TX dst=11.0.0.1 dstep=256 n=200
	$TX dst=10.1.0.1 n=50
	report little memory
	fill afr 11.0.0.0/24 dev=r1 via=10.0.2.2 count=20000 del
	fill afr 11.0.0.0/24 dev=r2 via=10.0.3.2 count=20000
	altfib-set afr net/altfib/memory_max_kb 262144
	arm afr
	altfib afr begin
	$TX dst=11.0.0.1 dstep=256 n=200
	$TX dst=10.1.0.1 n=50
	EOT
	finish min=90
}

tests_run "$@"
