#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two real name servers answer real queries: what a reply's lookups cost. NSD has a plain
# socket, recvfrom() and sendto(); Knot DNS uses recvmmsg() and sendmmsg(), and says with
# IP_PKTINFO from which address. Both ask for a route for each reply.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_nsd_off: NSD, output=off: each answer is right, nothing is counted"
	"only_nsd_lookup: NSD, many clients, output=lookup: the lookups are altfib's"
	"only_nsd_socket: NSD, many clients, output=socket: the same"
	"only_nsd_one: NSD, one client, output=socket: no lookups"
	"only_nsd_compared: NSD, mode=verify: the kernel answers, and altfib agrees"
	"only_nsd_changes: NSD, output=socket: the client's route changes again and again"
	"only_knot_off: Knot DNS, output=off: each answer is right, nothing is counted"
	"only_knot_lookup: Knot DNS, many clients, output=lookup: the lookups are altfib's"
	"only_knot_socket: Knot DNS, many clients, output=socket: the same"
	"only_knot_one: Knot DNS, one client, output=socket: no lookups"
	"only_knot_compared: Knot DNS, mode=verify: the kernel answers, and altfib agrees"
	"only_knot_changes: Knot DNS, output=socket: the client's route changes again and again"
)

# Unpacked there by scripts/setup.sh dns; else the system's.
DNS=${ALTFIB_DNS:-${ALTFIB_CACHE:-}/tools/dns}
DNS_PATH=$DNS/usr/sbin:$DNS/usr/bin:$PATH:/usr/sbin
DNS_ENV=(env "PATH=$DNS_PATH" "LD_LIBRARY_PATH=$DNS/usr/lib/x86_64-linux-gnu:$DNS/lib/x86_64-linux-gnu")
DOMAIN=altfib.test
SYS=/proc/sys/net/altfib

# Each client has a prefix of its own. Each query is a round trip.
CLIENTS=200
ROUNDS=5
if [ "${ALTFIB_ACCEL:-}" = tcg ]; then
	CLIENTS=30
	ROUNDS=3
fi
REPLIES=$((CLIENTS * ROUNDS))
# As many may be something else's, such as a neighbour's.
OTHERS=$((REPLIES / 100 + 2))

# client I: sets CLIENT to its address and PREFIX to what the router has a route for.
client() {
	local high=$(($1 / 256)) low=$(($1 % 256))

	if [ "$FAMILY" = 4 ]; then
		CLIENT=10.$((64 + high)).$low.9
		PREFIX=10.$((64 + high)).$low.0/24
	else
		printf -v CLIENT '2001:db8:c%01x%02x::9' "$high" "$low"
		PREFIX=${CLIENT%9}/48
	fi
}

# made ARM: the topology; all clients are behind the router's one link, in afc, which takes
# all their addresses for its own.
made() {
	local i

	address 1 2
	{
		topo_bare
		if [ "$FAMILY" = 4 ]; then
			echo "ip afc route add local 10.64.0.0/10 dev lo"
		else
			echo "sysctl afc net/ipv6/ip_nonlocal_bind 1"
			echo "ip afc route add local 2001:db8:c000::/36 dev lo"
		fi
		for ((i = 0; i < CLIENTS; i++)); do
			client "$i"
			echo "ip afr route add $PREFIX via $ADDRESS"
		done
		echo "arm $NAMESPACES"
	} | run_scenario "$1"
}

zone() {
	local i

	lines <<-EOT
	@ 3600 IN SOA ns hostmaster 1 3600 600 86400 300
	@ 3600 IN NS ns
	ns 3600 IN A 10.0.1.1
	EOT
	for ((i = 0; i < CLIENTS; i++)); do
		echo "c$i 3600 IN TXT \"answer $i\""
	done
}

nsd_config() {
	lines <<-EOT
	server:
	  ip-address: $1
	  port: 53
	  server-count: 1
	  username: ""
	  database: ""
	  pidfile: ""
	  zonesdir: "$TMP"
	  xfrdir: "$TMP"
	  xfrdfile: ""
	  zonelistfile: "$TMP/zone.list"
	  rrl-ratelimit: 0
	remote-control:
	  control-enable: no
	zone:
	  name: $DOMAIN
	  zonefile: zone
	EOT
}

knot_config() {
	lines <<-EOT
	server:
	    rundir: "$TMP"
	    listen: $1@53
	    udp-workers: 1
	    tcp-workers: 1
	    background-workers: 1
	database:
	    storage: "$TMP"
	    journal-db-max-size: 1M
	log:
	  - target: stderr
	    any: warning
	template:
	  - id: default
	    storage: "$TMP"
	    journal-content: none
	zone:
	  - domain: $DOMAIN
	    file: zone
	EOT
}

# serve SERVER: starts it in the router, and sees what kind of socket it has.
serve() {
	local any=0.0.0.0 file=udp i state cmd

	[ "$FAMILY" = 4 ] || { any=::; file=udp6; }
	zone >"$TMP/zone"
	"$1_config" "$any" >"$TMP/$1.conf"
	case $1 in
	nsd) cmd=(nsd -d -c "$TMP/nsd.conf") ;;
	knot) cmd=(knotd -c "$TMP/knot.conf") ;;
	esac
	(exec nsenter --net=/run/netns/afr "${DNS_ENV[@]}" "${cmd[@]}") >"$TMP/server.log" 2>&1 &
	SERVER=$!
	for ((i = 0; i < 300; i++)); do
		# Port 53: 0035.
		state=$(in_ns afr sed -n 's/^ *[0-9]*: [0-9A-F]*:0035 \([0-9A-F:]*\) .*/\1/p' "/proc/net/$file")
		[ -z "$state" ] || break
		sleep 0.1
	done
	[[ $state =~ ^0*:0000$ ]] || fail "no unconnected socket: '$state'; $(cat "$TMP/server.log")" || return 1
	# Until it has read the zone.
	for ((i = 0; i < 100; i++)); do
		ask 0 1 1 && same_answers >/dev/null && return 0
		sleep 0.1
	done
	fail "does not answer: $(cat "$TMP/server.log" "$TMP/errors")"
}

stop_server() {
	kill "$SERVER" 2>/dev/null
	wait "$SERVER" 2>/dev/null
}

# ask FIRST CLIENTS ROUNDS: each client asks for its own name, one after the other.
ask() {
	local i round query=()

	address 1 1
	: >"$TMP/expected"
	for ((round = 0; round < $3; round++)); do
		for ((i = $1; i < $1 + $2; i++)); do
			client "$i"
			query+=("c$i.$DOMAIN" TXT -b "$CLIENT")
			echo "\"answer $i\"" >>"$TMP/expected"
		done
	done
	# No second try: what gets lost is missed.
	in_ns afc "${DNS_ENV[@]}" kdig +short +retry=0 +timeout=4 "@$ADDRESS" "${query[@]}" \
		>"$TMP/answers" 2>"$TMP/errors"
}

same_answers() {
	diff "$TMP/expected" "$TMP/answers" >"$TMP/diff" && [ ! -s "$TMP/errors" ] && return 0
	head -n 5 "$TMP/diff" "$TMP/errors"
	return 1
}

# field NAME LINE WORD: the number before a word of a line of STATUS into C[NAME], 0 without
# one.
field() {
	local prefix=

	[ "$FAMILY" = 4 ] || prefix="IPv6 "
	C[$1]=0
	[[ $'\n'$STATUS =~ $'\n'"$prefix$2: "([^$'\n']*" ")?([0-9]+)" $3" ]] || return 0
	C[$1]=${BASH_REMATCH[2]}
}

# The router's counters into C.
declare -A C
counters() {
	STATUS=$(in_ns afr cat /proc/net/altfib/status)
	field answered output "lookups answered"
	field learned output "learned"
	field left output "left to"
	field compared output "compared"
	field bad output "mismatches"
	field kept sockets "had their"
	field bad_kept sockets "mismatches"
}

# per N REPLIES: with two digits.
per() {
	printf '%d.%02d' $(($1 / $2)) $(($1 * 100 / $2 % 100))
}

# measured FIRST CLIENTS ROUNDS: asks, and leaves in C what the counters moved.
measured() {
	local -A before
	local name n=$(($2 * $3)) rc=0

	counters
	for name in "${!C[@]}"; do before[$name]=${C[$name]}; done
	ask "$@"
	counters
	for name in "${!C[@]}"; do C[$name]=$((C[$name] - before[$name])); done
	C[lookups]=$((C[answered] + C[learned] + C[left]))
	same_answers || rc=1
	[ $((C[bad] + C[bad_kept])) = 0 ] || fail "${C[bad]} and ${C[bad_kept]} mismatches" || rc=1
	return "$rc"
}

# show REPLIES
show() {
	local n=$1

	echo "lookups per reply: $(per "${C[lookups]}" "$n") ($(per "${C[answered]}" "$n") answered by altfib," \
		"$(per "${C[learned]}" "$n") learned, $(per "${C[left]}" "$n") left to the kernel)," \
		"$(per "${C[kept]}" "$n") by the socket's last route; $n replies"
}

# with SERVER ARM CHECK: made, served, checked, stopped.
with() {
	local rc=0

	made "$2" || return 1
	serve "$1" && "$3" || rc=1
	stop_server
	return "$rc"
}

# The kernel's own way: altfib sees nothing.
check_off() {
	measured 0 "$CLIENTS" "$ROUNDS" || return 1
	echo "lookups per reply: all the kernel's; $REPLIES replies"
	! in_ns afr grep -E '(output|sockets): ' /proc/net/altfib/status
}

# many_clients: each asks once, since the first lookup of a prefix may be the one that
# learns, and then the replies are measured.
many_clients() {
	measured 0 "$CLIENTS" 1 && measured 0 "$CLIENTS" "$ROUNDS" || return 1
	show "$REPLIES"
}

# altfib answers what each reply asks for.
check_lookup() {
	many_clients || return 1
	[ "${C[answered]}" -ge "$REPLIES" ] || fail "not answered" || return 1
	[ "${C[kept]}" = 0 ] || fail "a socket kept a route, with output=lookup" || return 1
	[ $((C[learned] + C[left])) -le "$OTHERS" ] || fail "more than $OTHERS went to the kernel"
}

# The last route is never that of this client, but for one that had asked twice in a row before.
check_socket() {
	many_clients || return 1
	[ $((C[answered] + C[kept])) -ge "$REPLIES" ] || fail "not answered" || return 1
	[ $((C[kept] * CLIENTS)) -le $((REPLIES * 2)) ] || fail "routes of other clients" || return 1
	[ $((C[learned] + C[left])) -le "$OTHERS" ] || fail "more than $OTHERS went to the kernel"
}

check_one() {
	measured 7 1 1 && measured 7 1 "$REPLIES" || return 1
	show "$REPLIES"
	[ "${C[kept]}" -ge $((REPLIES - OTHERS)) ] || fail "not by the last route" || return 1
	[ "${C[lookups]}" -le "$OTHERS" ] || fail "the table was asked"
}

# Without altfib, that is how many lookups there are.
check_compared() {
	in_ns afr sh -c "echo verify >$SYS/mode" || return 1
	measured 0 "$CLIENTS" 1 && measured 0 "$CLIENTS" "$ROUNDS" || return 1
	echo "lookups per reply: $(per "${C[compared]}" "$REPLIES") of the kernel's, compared; $REPLIES replies"
	[ "${C[compared]}" -ge "$REPLIES" ] || fail "not compared"
}

# Two next hops take turns: who is not the client's then has a MAC address that is
# nobody's, so a reply by the last but one route is lost.
check_changes() {
	local i now old

	address 1 3
	now=$ADDRESS
	address 1 2
	old=$ADDRESS
	client 7
	# A route is remembered when it is asked for twice in a row.
	measured 7 1 2 || return 1
	for ((i = 0; i < 20; i++)); do
		in_ns afr ip neigh replace "$now" lladdr 02:00:00:00:01:02 nud permanent dev rc &&
			in_ns afr ip route replace "$PREFIX" via "$now" &&
			in_ns afr ip neigh replace "$old" lladdr 02:00:00:00:01:99 nud permanent dev rc || return 1
		measured 7 1 5 || return 1
		[ "${C[kept]}" -ge 4 ] || fail "only ${C[kept]} of 5 by the last route" || return 1
		address 1 2
		[ "$now" != "$ADDRESS" ] || address 1 3
		old=$now
		now=$ADDRESS
	done
}

only_nsd_off() { with nsd on+off check_off; }
only_nsd_lookup() { with nsd on+lookup check_lookup; }
only_nsd_socket() { with nsd on+socket check_socket; }
only_nsd_one() { with nsd on+socket check_one; }
only_nsd_compared() { with nsd on+socket check_compared; }
only_nsd_changes() { with nsd on+socket check_changes; }
only_knot_off() { with knot on+off check_off; }
only_knot_lookup() { with knot on+lookup check_lookup; }
only_knot_socket() { with knot on+socket check_socket; }
only_knot_one() { with knot on+socket check_one; }
only_knot_compared() { with knot on+socket check_compared; }
only_knot_changes() { with knot on+socket check_changes; }

in_ipv6 "${ALL_TESTS[@]%%:*}"

if [ "${1:-}" != --count ]; then
	for program in nsd knotd kdig; do
		PATH=$DNS_PATH command -v "$program" >/dev/null ||
			skip_all "$program is not here: scripts/setup.sh dns fetches it"
	done
fi
tests_run "$@"
