#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Everything that can change changes again and again under traffic, each time with
# altfib off, on, and verifying every packet. Three things are asked: no packet is
# lost that the kernel alone would not lose, no packet differs from the kernel's
# decision, and an audit at the end finds the mirror equal.
#
# ALTFIB_REPEAT is how often (50, and 10 with IPv6). `make test-full` asks for 1,000.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

REPEAT=${ALTFIB_REPEAT:-50}
# Paced, so that all three meet as many packets within the time of one change.
PPS=${ALTFIB_PPS:-4000}
ARMS=("$ON" verify)
[ "$ON" != verify ] || ARMS=(verify)

ALL_TESTS=(
	"only_down_up: a device goes down and up, another route takes over"
	"only_removed: a device is removed and made anew, another route takes over"
	"only_addresses: addresses of the router come and go"
	"only_flap: the default route goes and comes, another takes over"
	"only_gap: the default route goes and comes, none takes over"
	"only_group: a nexthop group changes its members"
	"only_switches: modes switch"
	"only_netns_others: other namespaces come and go"
	"only_netns: the router's namespace is removed"
)
in_ipv6 only_down_up only_removed only_addresses only_flap only_gap only_group \
	only_switches only_netns_others only_netns
ALL_TESTS+=("only_module: rmmod and insmod")
in_ipv6 only_module
ALL_TESTS+=("only_back: loaded again as before")

# As often as asked for, and else not as often as IPv4.
before_ipv6() {
	REPEAT=${ALTFIB_REPEAT:-10}
}

# begin ARM DST [LINE]...: topology, lines, traffic.
begin_flood() {
	local arm=$1 dst=$2 at=""

	shift 2
	[ "$(cpus)" = 1 ] || at=cpu=1
	topo_bare
	printf '%s\n' "$@"
	lines <<-EOT
	arm $NAMESPACES
	tap s1 af1 s0
	tap s2 af2 s0
	cpu 0
	watch 0
	flood sender afc c0 $at pps=$PPS dmac=$RMAC src=$SRC dst=$dst
	progress 50
	EOT
	[ "$arm" != verify ] || echo "altfib-set afr net/altfib/verify_sample 1"
	echo "$ALTFIB afr begin"
}

end_flood() {
	lines <<-EOT
	progress 50
	flood-end
	sleep 100
	watch-end
	lost sender s1 s2
	EOT
}

judged() {
	echo "audit afr"
	echo "$ALTFIB afr end $*"
}

# churn SCENARIO ALLOWED [ARM]: SCENARIO prints one for an arm; ALLOWED is how many
# packets a hundred changes may lose beyond twice what they lose without altfib,
# while they are under way; ARM is the one without altfib.
churn() {
	local scenario=$1 allowed=$2 first=${3:-off} arm rc=0
	local rest during all given rest0=0 during0=0

	for arm in "$first" "${ARMS[@]}"; do
		if ! "$scenario" "$arm" | run_scenario "$arm" >"$TMP/churn"; then
			grep -v '^#' "$TMP/churn" | head
			tail -n 10 "$TMP/churn"
			fail "altfib $arm: it failed"
			rc=1
			continue
		fi
		read -r rest all during given < <(sed -n \
			's/^# lost: \(-*[0-9]*\) at rest of \([0-9]*\), \(-*[0-9]*\) in changes of \([0-9]*\)$/\1 \2 \3 \4/p' \
			"$TMP/churn")
		echo "altfib $arm, $REPEAT times: lost $during of $given packets during changes, $rest of $all at rest"
		[ "$arm" = "$first" ] || grep '^# altfib [a-z]* afr: ' "$TMP/churn" | tail -n 1
		# Less than nothing: the taps saw packets that nobody sent.
		[ "$rest" -ge 0 ] && [ "$during" -ge 0 ] || fail "altfib $arm: more came than was sent" || rc=1
		if [ "$arm" = "$first" ]; then
			rest0=$rest
			during0=$during
			continue
		fi
		# A packet is "at rest", too, if the change began just after it was stamped.
		[ "$rest" -le $((rest0 + 2 + REPEAT / 50)) ] || {
			fail "altfib $arm: $rest packets lost at rest, without altfib $rest0"
			rc=1
		}
		# Ten changes more: one that took long counts for many when they are few.
		[ "$during" -le $((2 * during0 + 2 + allowed * (REPEAT + 10) / 100)) ] || {
			fail "altfib $arm: $during packets lost during changes, without altfib $during0"
			rc=1
		}
	done
	return "$rc"
}

scenario_down_up() {
	local i again

	again=$(up_again r1 2)
	begin_flood "$1" "$HOST1" "ip afr route add $ANY via $GW2"
	for ((i = 0; i < REPEAT; i++)); do
		lines <<-EOT
		progress 10
		change begin
		ip afr link set r1 down
		change end
		flow s2 5
		change begin
		$again
		links
		ip afr route add $NET1 via $GW1
		change end
		EOT
	done
	end_flood
	judged min=60
}

only_down_up() {
	churn scenario_down_up 400
}

# A VLAN device: its frames still come by s1, whose tap outlives it.
scenario_removed() {
	local i make gw

	address 7 2
	gw=$ADDRESS
	address 7 1
	make=$(lines <<-EOT
	try afr link add link r1 name r1.7 type vlan id 7
	ip afr link set r1.7 up
	ip afr addr add $ADDRESS$LINK dev r1.7 $NODAD
	ip afr neigh add $gw lladdr 02:00:00:00:02:02 nud permanent dev r1.7
	links
	ip afr route add $NET5 via $gw
	EOT
	)
	begin_flood "$1" "$HOST5" "ip afr route add $ANY via $GW2"
	for ((i = 0; i < REPEAT; i++)); do
		printf '%s\n' "change begin" "$make" "change end" "flow s1 10" \
			"change begin" "try afr link del r1.7" "change end" "flow s2 5"
	done
	end_flood
	judged min=50
}

only_removed() {
	churn scenario_removed 400
}

# Some change the routes of the packets' own device; for a while the address to which
# a second flood goes is the router's.
scenario_addresses() {
	local i at="" own beside link

	[ "$(cpus)" = 1 ] || at=cpu=1
	address 2 9
	beside=$ADDRESS$LINK
	address 77 1
	link=$ADDRESS$LINK
	address 99 9
	own=$ADDRESS$ONE
	begin_flood "$1" "$HOST1" "ip afr route add $ANY via $GW2"
	echo "flood other afc c0 $at pps=$((PPS / 4)) dmac=$RMAC src=$SRC dst=$ADDRESS"
	for ((i = 0; i < REPEAT; i++)); do
		lines <<-EOT
		change begin
		ip afr addr add $own dev r2 $NODAD
		progress 4
		ip afr addr add $beside dev r1 $NODAD
		ip afr addr add $link dev r1 $NODAD
		change end
		progress 4
		change begin
		ip afr addr del $own dev r2
		ip afr addr del $beside dev r1
		ip afr addr del $link dev r1
		change end
		progress 4
		EOT
	done
	end_flood | sed 's/^lost sender .*/lost sender s1/'
	judged min=50
}

only_addresses() {
	churn scenario_addresses 0
}

scenario_flap() {
	local i

	begin_flood "$1" "$HOST5" "ip afr route add $ANY via $GW2 metric 1000" \
		"ip afr route add $ANY via $GW1 metric 10"
	for ((i = 0; i < REPEAT; i++)); do
		lines <<-EOT
		progress 10
		change begin
		ip afr route del $ANY via $GW1 metric 10
		change end
		progress 10
		change begin
		ip afr route add $ANY via $GW1 metric 10
		change end
		EOT
	done
	end_flood
	judged min=50
}

only_flap() {
	churn scenario_flap 0
}

scenario_gap() {
	local i

	begin_flood "$1" "$HOST5" "ip afr route add $ANY via $GW1"
	for ((i = 0; i < REPEAT; i++)); do
		lines <<-EOT
		progress 10
		change begin
		ip afr route del $ANY via $GW1
		progress 2
		ip afr route add $ANY via $GW1
		change end
		EOT
	done
	end_flood
	judged min=5
}

only_gap() {
	# Without a route all are lost: as many as the clock lets through.
	churn scenario_gap 4000
}

scenario_group() {
	local i

	begin_flood "$1" "$HOST5 dstep=1 n=200" \
		"ip afr nexthop add id 1 via $GW1 dev r1" \
		"ip afr nexthop add id 2 via $GW2 dev r2" \
		"ip afr nexthop add id 10 group 1/2" \
		"ip afr route add $NET5 nhid 10"
	for ((i = 0; i < REPEAT; i++)); do
		lines <<-EOT
		change begin
		try afr nexthop replace id 10 group 1
		change end
		progress 5
		change begin
		try afr nexthop replace id 10 group 2
		change end
		progress 5
		change begin
		try afr nexthop replace id 10 group 1,3/2
		change end
		progress 5
		change begin
		try afr nexthop replace id 10 group 1/2
		change end
		progress 5
		EOT
	done
	end_flood
	judged min=30
}

only_group() {
	churn scenario_group 0
}

scenario_switches() {
	local i

	begin_flood "$1" "$HOST1"
	for ((i = 0; i < REPEAT; i++)); do
		lines <<-EOT
		change begin
		altfib-set afr net/altfib/mode off
		change end
		progress 5
		change begin
		altfib-set afr net/altfib/mode $([ "$1" = off ] && echo off || echo verify)
		change end
		progress 10
		change begin
		altfib-set afr net/altfib/mode $1
		change end
		progress 10
		EOT
	done
	echo "arm afr"
	echo "progress 100"
	end_flood
	judged min=20
}

only_switches() {
	churn scenario_switches 0
}

scenario_netns_others() {
	local i gw

	address 99 2
	gw=$ADDRESS
	address 99 1
	begin_flood "$1" "$HOST1"
	for ((i = 0; i < REPEAT; i++)); do
		lines <<-EOT
		change begin
		netns afx afy
		ip - link add x0 netns afx type veth peer name y0 netns afy
		ip afx link set x0 up
		ip afx addr add $ADDRESS$LINK dev x0 $NODAD
		ip afx route add $NET1 via $gw
		progress 5
		netns-del afx afy
		change end
		flow s1 5
		EOT
	done
	end_flood
	judged min=90
}

only_netns_others() {
	churn scenario_netns_others 0
}

# With the router goes the traffic: there is no loss to compare.
only_netns() {
	local arm i at="" rc=0

	[ "$(cpus)" = 1 ] || at=cpu=1
	for arm in "${ARMS[@]}"; do
		for ((i = 0; i < REPEAT; i++)); do
			topo_bare
			lines <<-EOT
			arm $NAMESPACES
			cpu 0
			$ALTFIB afr begin
			flood sender afc c0 $at pps=$PPS dmac=$RMAC src=$SRC dst=$HOST1
			progress 100
			$([ $((i % 10)) != 0 ] || echo audit afr)
			$ALTFIB afr end min=50
			netns-del afr
			progress 20
			flood-end
			EOT
		done | run_scenario "$arm" >"$TMP/churn" || {
			tail -n 20 "$TMP/churn"
			rc=1
		}
		echo "altfib $arm: $(grep -c '^# altfib [a-z]* afr: ' "$TMP/churn") times"
	done
	return "$rc"
}

# With altfib off, no module at all.
scenario_module() {
	local i

	# There is no altfib yet to be set.
	begin_flood "$1" "$HOST1" | grep -vE '^(arm|altfib)'
	for ((i = 0; i < REPEAT; i++)); do
		if [ "$1" = none ]; then
			echo "flow s1 70"
			continue
		fi
		lines <<-EOT
		change begin
		sh insmod $ALTFIB_KO
		arm afr
		change end
		altfib-set afr net/altfib/verify_sample $([ "$1" = verify ] && echo 1 || echo 0)
		$ALTFIB afr begin
		flow s1 50
		$([ $((i % 10)) != 0 ] || echo audit afr)
		$ALTFIB afr end min=50
		change begin
		sh rmmod altfib
		change end
		flow s1 20
		EOT
	done
	end_flood
}

only_module() {
	[ -n "${ALTFIB_KO:-}" ] || fail "set ALTFIB_KO=path/to/altfib.ko" || return 1
	! altfib_loaded || rmmod altfib || return 1
	churn scenario_module 0 none
}

only_back() {
	altfib_loaded || insert_altfib
}

tests_run "$@"
