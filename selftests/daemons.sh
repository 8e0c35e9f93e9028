#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Routing daemons, unchanged, with altfib on: BIRD 2 and FRR have a table of real prefixes
# by BGP from two upstreams, and inside ones by OSPF. The link of the better upstream goes,
# its session goes, both come back, the daemon is restarted: the traffic is to suffer no
# longer than with the stock kernel, and altfib's table to be the kernel's after all of it.
#
# The tests of one daemon build on each other; each brings about what it needs.
#
#	ALTFIB_DAEMON_ROUTES	how many IPv4 prefixes the full table has (0: all there are)
#	ALTFIB_DAEMON_ROUNDS	how often each failure is measured twice with either kernel

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
: "${ALTFIB_CACHE:?where the tables, the daemons and altfib-routeload are}"
. "$HERE/../scripts/demo/table.sh"
# shellcheck source=daemons/network.sh
. "$HERE/daemons/network.sh"
# shellcheck source=daemons/bird.sh
. "$HERE/daemons/bird.sh"
# shellcheck source=daemons/frr.sh
. "$HERE/daemons/frr.sh"

ALL_TESTS=(
	"only_DAEMON_loads: sessions come up, the mirror has each route, the audit is clean"
	"only_DAEMON_flags: no route says that hardware has it"
	"only_DAEMON_verify: traffic with mode=verify, no mismatch"
	"only_DAEMON_on: traffic with mode=on, 99 of 100 packets attached"
	"only_DAEMON_link: the upstream's link fails and comes back, as with the stock kernel"
	"only_DAEMON_session: the upstream's session ends and comes back, as with the stock kernel"
	"only_DAEMON_restart: the daemon is restarted, no packet is lost"
	"only_DAEMON_full: the full table: the same as above"
	"only_DAEMON_full_link: the upstream's link fails and comes back with the full table (FRR: a ninth of it)"
)

# shellcheck disable=SC2034 # network.sh's
declare -A REAL=([4]=$TABLE [6]=$TABLE6)
SMALL=2000
FULL=${ALTFIB_DAEMON_ROUTES:-0}
ROUNDS=${ALTFIB_DAEMON_ROUNDS:-2}
# Packets a second of each family, and seconds before and behind a failure. A receiver gives up
# after five seconds without a packet.
RATE=500
BEFORE=1
BEHIND=4
SECONDS_FULL=900

# Set for each daemon.
DAEMON=

in_router() { in_ns afr "$@"; }

# stock, or altfib in a mode. It is off in all other namespaces.
arm() {
	! altfib_loaded || rmmod altfib || return 1
	[ "$1" != stock ] || return 0
	insert_altfib mode=off || return 1
	in_router sh -c "echo $1 >/proc/sys/net/altfib/mode" && serving
}

status_of() { # LINE
	in_router sed -n "s/^$1: *//p" /proc/net/altfib/status
}

serving() {
	local i

	for ((i = 0; i < 1200; i++)); do
		if [[ "$(status_of serving)" == yes* && "$(status_of "IPv6 serving")" == yes* ]]; then
			return 0
		fi
		sleep 0.1
	done
	fail "altfib does not serve: $(in_router grep serving /proc/net/altfib/status)"
}

# all_by DEVICE SECONDS: waits until the whole table of both families is through it, and sets
# TOOK to how long that was.
all_by() {
	local begin=$SECONDS f n ok

	while :; do
		ok=yes
		for f in 4 6; do
			n=$(sample_by "$f" "$1")
			[ "$n" -ge "$(wc -l <"$TMP/sample$f")" ] || { ok=; break; }
			n=$(by_device "$f" "$1")
			[ "$n" -ge "$(wc -l <"$TMP/table$f")" ] || { ok=; break; }
		done
		TOOK=$((SECONDS - begin))
		[ -z "$ok" ] || return 0
		if [ "$TOOK" -ge "$2" ]; then
			fail "after $TOOK s only $n IPv$f routes through $1"
			"${DAEMON}_tell"
			return 1
		fi
		if [ "$FULL_NOW" = yes ]; then sleep 2; else sleep 0.2; fi
	done
}
TOOK=
FULL_NOW=no

# The inside routes, by OSPF and by BGP over it.
inside_there() {
	local i f

	for ((i = 0; i < 300; i++)); do
		[ "$(by_device 4 in)" -ge $((2 * INSIDE + 2)) ] && [ "$(by_device 6 in)" -ge $((2 * INSIDE + 2)) ] && return 0
		sleep 0.2
	done
	for f in 4 6; do
		fail "only $(by_device "$f" in) IPv$f routes inside"
	done
	"${DAEMON}_tell"
	return 1
}

# lab SIZE: the network with the table of that size, all sessions up. Left as it is for the
# next test if it is there.
lab() {
	local now

	FULL_NOW=no
	[ "$1" = "$SMALL" ] || FULL_NOW=yes
	now=$(cat "$TMP/lab" 2>/dev/null)
	if [ "$now" != "$DAEMON $1" ]; then
		stop_lab || return 1
		# Until it is all there.
		echo "$DAEMON none" >"$TMP/lab"
		make_network && make_tables "$1" && make_inside || return 1
		arm on || return 1
		start_neighbours || return 1
		"${DAEMON}_start" || return 1
		echo "$DAEMON $1" >"$TMP/lab"
	fi
	all_by u1 "$SECONDS_FULL" && inside_there
}

stop_lab() {
	[ -e "$TMP/lab" ] || return 0
	"$(cut -d' ' -f1 "$TMP/lab")_stop"
	end_neighbours
	delete_network
	rm -f "$TMP/lab"
}

delete_network() {
	local ns

	for ns in $NAMESPACES; do ip netns del "$ns" 2>/dev/null; done
}

cleanup() {
	[ ! -e "$TMP/lab" ] || stop_lab >/dev/null 2>&1
	delete_network
	rm -rf "$TMP"
}

# The prefixes of the main table, the kernel's and altfib's.
same_routes() {
	local f label="" kernel mirror rc=0

	for f in 4 6; do
		[ "$f" = 4 ] || label="IPv6 "
		kernel=$(ip -n afr "-$f" -o route show table main | awk '!seen[$1]++' | wc -l)
		mirror=$(status_of "${label}routes" | sed -n 's/.*main \([0-9]*\).*/\1/p')
		echo "IPv$f: $kernel prefixes in the kernel's main table, $mirror in altfib's"
		[ "$kernel" = "$mirror" ] || rc=1
	done
	[ "$rc" = 0 ] || fail "the mirror has not each route"
}

audit() {
	local label

	in_router sh -c 'echo 1 >/proc/sys/net/altfib/audit' || fail "the audit did not run" || return 1
	for label in "" "IPv6 "; do
		if ! in_router grep -q "^${label}differences: 0$" /proc/net/altfib/audit; then
			in_router cat /proc/net/altfib/audit
			fail "the audit found differences"
			return 1
		fi
	done
	echo "audit: $(in_router sed -n '/routes:\|compared:/p' /proc/net/altfib/audit | paste -sd';')"
}

no_mismatches() {
	local label

	# What a mismatch does, beside being counted.
	[ "$(in_router cat /proc/sys/net/altfib/mode)" != off ] || fail "altfib has switched itself off" || return 1
	for label in "" "IPv6 "; do
		status_of "${label}verified" | grep -q '; 0 mismatches' || fail "$(status_of "${label}verified")" || return 1
	done
}

in_sync() {
	same_routes && audit && no_mismatches
}

counted() {
	local file=altfib

	[ "$1" = 4 ] || file=altfib6
	in_router cat "/proc/net/stat/$file" | python3 "$HERE/../scripts/bench/attached.py"
}

# traffic FROM TO TABLE COUNT DESTINATIONS4 DESTINATIONS6: all of it has to arrive, and 99 of 100 to have altfib's
# route. The first packet of a next hop, in IPv6 of a route, is the kernel's: they come before.
traffic() {
	local f n after attached eligible rc=0
	local -A before

	n=$(($5 > $6 ? $5 : $6))
	sinks "$2" "$n" && streams "$1" "$3" 2000 "$n" "$5" "$6" && streamed || return 1
	for f in 4 6; do before[$f]=$(counted "$f"); done
	sinks "$2" "$4" && streams "$1" "$3" 2000 "$4" "$5" "$6" && streamed || return 1
	for f in 4 6; do
		after=$(counted "$f")
		attached=$((${after% *} - ${before[$f]% *}))
		eligible=$((${after#* } - ${before[$f]#* }))
		echo "IPv$f, $1 to $2: ${SENT[$f]} packets, ${LOST[$f]} lost, attached $attached of $eligible"
		[ "${LOST[$f]}" = 0 ] || fail "packets were lost" || rc=1
		[ "$eligible" -ge "${SENT[$f]}" ] || fail "altfib has not seen them all" || rc=1
		[ $((attached * 100)) -ge $((eligible * 99)) ] || fail "fewer than 99 of 100 attached" || rc=1
	done
	return "$rc"
}

# all_traffic [UPSTREAM]: to the table, and to the inside from the first or this one.
all_traffic() {
	local n=2000

	[ "$FULL_NOW" = no ] || n=10000
	traffic afs afd table 10000 "$n" $((n / 5)) && traffic "${1:-af1}" afi inside 4000 $((2 * INSIDE)) $((2 * INSIDE))
}

test_loads() {
	lab "$1" && serving && in_sync
}

test_verify() {
	lab "$1" && arm verify && all_traffic && in_sync
}

test_on() {
	lab "$1" && arm on && all_traffic && in_sync
}

test_flags() {
	local f

	lab "$SMALL" && arm on || return 1
	for f in 4 6; do
		ip -n afr "-$f" -d -o route show table all >"$TMP/flags"
		echo "IPv$f: $(wc -l <"$TMP/flags") routes, $(grep -cw nhid "$TMP/flags") of them by a next-hop object"
		! grep -wE 'offload|trap|rt_offload|rt_trap|offload_failed|rt_offload_failed' "$TMP/flags" ||
			fail "a flag of hardware" || return 1
	done
}

# The first upstream's end goes down: the router's has no carrier.
link_fails() { ip -n af1 link set r0 down; }
link_returns() { ip -n af1 link set r0 up && to_inside 1; }
session_fails() { "${DAEMON}_sessions" disable; }
session_returns() { "${DAEMON}_sessions" enable; }

# under_stream SECONDS COMMAND...: the command while packets flow, and so long after its beginning.
under_stream() {
	local count=$(((BEFORE + $1) * RATE))

	sinks afd "$count" && streams afs table "$RATE" "$count" 2000 500 || return 1
	sleep "$BEFORE"
	"${@:2}" || return 1
	streamed
}

# Frames that the router gave to a device, or wanted to.
given_to() {
	# shellcheck disable=SC2016 # awk's
	in_router awk -v dev="$1:" '$1 == dev { print $11 + $13 }' /proc/net/dev
}

# outage EVENT ARM: one failure and its end. Adds to $TMP/outages lines "EVENT ARM FAMILY LOST SILENCE".
outage() {
	local event=$1 f before

	arm "$2" && all_by u1 60 || return 1
	under_stream "$BEHIND" "${event}_fails" && all_by u2 60 || return 1
	for f in 4 6; do
		echo "$event $2 $f ${LOST[$f]} ${SILENCE[$f]}" >>"$TMP/outages"
	done
	# All of the kernel's routes have changed: nothing leaves by the old way any more.
	before=$(given_to u1)
	under_stream 1 : || return 1
	before=$(($(given_to u1) - before))
	echo "$event $2: ${BY1[4]:-0} and ${BY1[6]:-0} packets by the old way, $before frames given to it"
	[ $((${BY1[4]:-0} + ${BY1[6]:-0} + LOST[4] + LOST[6])) = 0 ] || fail "packets left by the old way" || return 1
	# Neighbour solicitations, and attempts to have the session again.
	[ "$before" -lt 100 ] || fail "frames left by the old way" || return 1
	under_stream "$BEHIND" "${event}_returns" && all_by u1 60 || return 1
	for f in 4 6; do
		echo "$event-back $2 $f ${LOST[$f]} ${SILENCE[$f]}" >>"$TMP/outages"
	done
	[ "$2" = stock ] || in_sync >"$TMP/sync" || { cat "$TMP/sync"; return 1; }
}

# of EVENT ARM FAMILY COLUMN: the values, the smallest first.
of() {
	awk -v e="$1" -v a="$2" -v f="$3" -v c="$4" '$1 == e && $2 == a && $3 == f { print $c }' "$TMP/outages" | sort -n
}

median() {
	of "$@" | awk '{ v[NR] = $1 } END { print int((v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2) }'
}

# outages EVENT: the arms take turns, there and back. Which family a daemon withdraws first changes from
# one failure to the next: so each arm has as many of the odd ones as of the even ones.
outages() {
	local round turn rc=0

	lab "$SMALL" || return 1
	: >"$TMP/outages"
	for ((round = 0; round < ROUNDS; round++)); do
		for turn in stock on on stock; do
			outage "$1" "$turn" || return 1
		done
	done
	judge "$1" || rc=1
	arm on && return "$rc"
}

# Lost packets are the interruption, whatever prefix they are for. Too many: in the median a fourth
# and those of a tenth of a second more than with the stock kernel, and more than it ever lost.
judge() {
	local event f stock on worst rc=0

	for event in "$1" "$1-back"; do
		for f in 4 6; do
			stock=$(median "$event" stock "$f" 4)
			worst=$(of "$event" stock "$f" 4 | tail -n 1)
			on=$(median "$event" on "$f" 4)
			echo "$event, IPv$f: $on packets lost with altfib, $stock without (of $RATE a second;" \
				"$(of "$event" on "$f" 4 | paste -sd' ') and $(of "$event" stock "$f" 4 | paste -sd' ')), longest silence" \
				"$(median "$event" on "$f" 5) and $(median "$event" stock "$f" 5) ms"
			if [ "$on" -gt $((stock * 5 / 4 + RATE / 10)) ] && [ "$on" -gt "$worst" ]; then
				fail "longer than with the stock kernel"
				rc=1
			fi
		done
	done
	return "$rc"
}

test_link() { outages link; }
test_session() { outages session; }

test_restart() {
	lab "$SMALL" && arm on || return 1
	under_stream 40 "${DAEMON}_restart" || return 1
	echo "lost ${LOST[4]} and ${LOST[6]} of ${SENT[4]} and ${SENT[6]} packets, silence ${SILENCE[4]} and ${SILENCE[6]} ms"
	[ $((LOST[4] + LOST[6])) = 0 ] || fail "packets were lost" || return 1
	all_by u1 60 && inside_there && in_sync && all_traffic
}

test_full() {
	local begin=$SECONDS

	lab "$FULL" || return 1
	echo "loaded after $((SECONDS - begin)) s"
	serving && in_sync && arm verify && all_traffic && no_mismatches && arm on && all_traffic
}

test_full_link() {
	local before size=$FULL

	# With all of it zebra 8.4.4 has no next-hop object any more when the link is back ("Nexthop id
	# does not exist", for each route), without altfib, too.
	[ "$DAEMON$size" != frr0 ] || size=100000
	lab "$size" && arm on || return 1
	before=$SECONDS
	link_fails
	all_by u2 "$SECONDS_FULL" || return 1
	echo "all by the second upstream after $((SECONDS - before)) s"
	in_sync && all_traffic af2 || return 1
	before=$SECONDS
	link_returns
	all_by u1 "$SECONDS_FULL" || return 1
	echo "all by the first one again after $((SECONDS - before)) s"
	in_sync && all_traffic
}

TESTS=("${ALL_TESTS[@]}")
ALL_TESTS=()
for DAEMON in bird frr; do
	for entry in "${TESTS[@]}"; do
		ALL_TESTS+=("${entry/DAEMON/$DAEMON}")
		name=${entry%%:*}
		name=${name#only_DAEMON_}
		case $name in
		loads | verify | on) call="test_$name $SMALL" ;;
		*) call=test_$name ;;
		esac
		eval "only_${DAEMON}_$name() { DAEMON=$DAEMON; $call; }"
	done
done

# Each configuration is in the docs as it is here; how far in its lines begin does not count.
only_docs() {
	local docs config wanted rc=0

	docs=$(sed 's/^[ \t]*//' "$HERE/../docs/daemons.md")
	for config in bird bgpd ospfd ospf6d; do
		wanted=$("${config}_config" | sed 's/^[ \t]*//')
		[[ $docs == *"$wanted"* ]] || fail "docs/daemons.md has another configuration of $config" || rc=1
	done
	return "$rc"
}
ALL_TESTS+=("only_docs: docs/daemons.md has the configurations that are tested here")

if [ "${1:-}" != --count ]; then
	for program in $(bird_programs); do
		PATH=$BIRD_PATH command -v "$program" >/dev/null ||
			skip_all "$program is not here: scripts/setup.sh bird fetches it"
	done
	for program in $(frr_programs); do
		PATH=$FRR_PATH command -v "$program" >/dev/null ||
			skip_all "$program is not here: scripts/setup.sh frr fetches it"
	done
fi
tests_run "$@"
