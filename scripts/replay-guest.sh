#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in User-Mode Linux as root, for replay.sh: a day of updates, and the module
# that comes and goes, on a full table under traffic. TAP.
#
#   a packet ring -> g0 =veth= r0 -> router -> out0 (dummy, counts and discards)
#
# There is one CPU and no queue on the way, so each packet that r0 takes and out0
# does not was lost in the router.
#
# ALTFIB_FAMILY says of which family: 4 or 6.
set -euo pipefail
# The decimal point of EPOCHREALTIME depends on it.
export LC_ALL=C
here=$(dirname "$(readlink -f "$0")")
. "$here/demo/table.sh"
ko=${ALTFIB_KO:?path of altfib.ko}
probe=${PROBE:-$ALTFIB_CACHE/build/selftests/probe}
updates=${ALTFIB_UPDATES:?file of updates}
family=${ALTFIB_FAMILY:?4 or 6}
burst=${ALTFIB_REPLAY_BURST:-1600}
limit=${ALTFIB_REPLAY_UPDATES:-100000000}
loads=${ALTFIB_LOADS:-10}
# RTNL is to be held for less than this by an insmod.
RTNL_US=1000000
work=/tmp/altfib-replay
mkdir -p "$work"
n=0
bad=0

if [[ $family == 6 ]]; then
	table=$TABLE6
	# Of status and audit.
	label='IPv6 '
	stat=altfib6
	gateways=2001:db8:18::
	source=2001:db8:19::2
	net=/64
	# At 8,000 more than one packet in a hundred is the first one for its route.
	rate=${ALTFIB_REPLAY_RATE:-5000}
else
	table=$TABLE
	label=
	stat=altfib
	gateways=198.18.0.
	source=198.19.0.2
	net=/24
	rate=${ALTFIB_REPLAY_RATE:-8000}
fi

in_router() { nsenter --net=/run/netns/router "$@"; }
note() { printf '# IPv%s: %s\n' "$family" "$*"; }
# Of one test; the next line of result() tells.
wrong=0
fail() {
	note "$*"
	wrong=1
}
result() {
	n=$((n + 1))
	if ((wrong)); then
		bad=$((bad + 1))
		echo "not ok $n IPv$family: $*"
	else
		echo "ok $n IPv$family: $*"
	fi
	wrong=0
}

build_network() {
	local i nodad=
	[[ $family == 4 ]] || nodad=nodad
	ip -batch - <<-END
		netns add gen
		netns add router
	END
	# Nothing but the stream: in IPv4 this is quiet anyway.
	for i in gen router; do
		ip netns exec $i sysctl -qw net.ipv6.conf.default.accept_ra=0 \
			net.ipv6.conf.default.router_solicitations=0 \
			net.ipv6.conf.default.disable_ipv6=$((family == 4))
	done
	in_router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
	ip -n router -batch - <<-END
		link set lo up
		link add r0 type veth peer name g0 netns gen
		link add out0 type dummy
		link add spare type dummy
		addr add ${source%2}1$net dev r0 $nodad
		addr add ${gateways}1$net dev out0 $nodad
		link set r0 address 02:00:00:00:00:01
		link set r0 up
		link set out0 up
	END
	# 94 next hops, as many as a measured transit router had.
	for ((i = 10; i < 104; i++)); do
		echo "neigh add $gateways$i lladdr 02:00:00:00:01:$(printf %02x "$i") dev out0 nud permanent"
	done | ip -n router -batch -
	# What no prefix covers, or none any more.
	ip -n router "-$family" route add default metric 2048 via "${gateways}10"
	ip -n gen -batch - <<-END
		addr add $source$net dev g0 $nodad
		link set g0 up
	END
}

# "received sent": what came to r0, what went to out0.
passed() {
	in_router sed -n 's/^ *\(r0\|out0\): */\1 /p' /proc/net/dev |
		awk '$1 == "r0" { rx = $3 } $1 == "out0" { tx = $11 } END { print rx, tx }'
}

# "attached eligible" since the module was loaded.
attached() { in_router cat "/proc/net/stat/$stat" | python3 "$here/bench/attached.py"; }

sender=
start_traffic() {
	nsenter --net=/run/netns/gen "$ROUTELOAD" stream "$work/sample" --destinations 200000 \
		--count 1000000000000 --seed 7 --inject g0 --dst-mac 02:00:00:00:00:01 \
		--source "$source" --port 4001 >/dev/null 2>&1 &
	sender=$!
	local i
	for ((i = 0; i < 300; i++)); do
		(($(passed | cut -d' ' -f1) > 100000)) && return 0
		sleep 0.1
	done
	fail "there is no traffic"
}
stop_traffic() {
	kill "$sender" 2>/dev/null || true
	wait "$sender" 2>/dev/null || true
}

serving() {
	local i
	for ((i = 0; i < 300; i++)); do
		in_router grep -q "^${label}serving: *yes" /proc/net/altfib/status && return 0
		sleep 0.1
	done
	fail "altfib does not serve: $(in_router grep serving /proc/net/altfib/status)"
}

set_altfib() { in_router sh -c "echo $2 >/proc/sys/net/altfib/$1"; }

mismatches() { in_router sed -n "s/^${label}verified: .*; \([0-9]*\) mismatches.*/\1/p" /proc/net/altfib/status; }

audit() {
	set_altfib audit 1 || fail "the audit did not run"
	in_router grep -q "^${label}differences: 0$" /proc/net/altfib/audit || fail "the audit found differences"
	# The family's part of it.
	# shellcheck disable=SC2016 # awk's
	in_router awk -v six=$((family == 6)) '/^IPv6 /{ in6 = 1 } in6 == six { print "# audit: " $0 }' \
		/proc/net/altfib/audit
}

# replay MODE SAMPLE: the whole trace in this mode, one packet in SAMPLE verified.
# Each burst of IPv4 updates outdates the kernel's cached routes, so the first packet
# of each next hop after it is the kernel's. In IPv6 each route has its own, so that
# is the first packet for each prefix that was announced.
replay() {
	local before after p0 p1 a e lost
	set_altfib mode "$1"
	serving
	set_altfib verify_sample "$2"
	start_traffic
	before=$(attached)
	p0=$(passed)
	in_router "$ROUTELOAD" replay "$updates" --origins "$table" --dev out0 --via "$vias" \
		--moves 50 --rate "$rate" --burst "$burst" --limit "$limit" \
		--report "$work/replay" >"$work/replay.out" 2>&1 || fail "updates were refused"
	grep -v '^ *$' "$work/replay.out" | tr '\r' '\n' | grep -E '^(replayed|[0-9,]+ withdrawals)' | sed 's/^/# /'
	after=$(attached)
	p1=$(passed)
	stop_traffic
	a=$((${after% *} - ${before% *}))
	e=$((${after#* } - ${before#* }))
	# Those still on their way at either reading are at most a backlog.
	lost=$((${p1% *} - ${p0% *} - ${p1#* } + ${p0#* }))
	note "mode=$1: attached $a of $e packets ($((a * 10000 / (e ? e : 1))) of 10,000), $lost lost; $(mismatches) mismatches"
	# shellcheck disable=SC2016 # awk's
	in_router awk -v six=$((family == 6)) '/^IPv6 / == six { print "# status: " $0 }' /proc/net/altfib/status
	((a * 100 >= e * 99)) || fail "fewer than 99 % attached"
	((e > 1000000)) || fail "hardly any traffic"
	((lost <= 1000)) || fail "$lost packets were lost"
	[[ $(mismatches) == 0 ]] || fail "mismatches"
	[[ $(in_router cat /proc/sys/net/altfib/mode) == "$1" ]] || fail "the mode has changed"
	audit
}

# The longest wait for RTNL, in microseconds, while COMMAND runs.
rtnl_during() { # COMMAND...
	local command="$*"
	"$probe" none >"$work/rtnl" <<-END || fail "probe: $(<"$work/rtnl")"
		rtnl-watch router spare
		sh $command
		rtnl-end
	END
	sed -n 's/.*late by \([0-9]*\) us at most.*/\1/p' "$work/rtnl"
}

takeover() {
	local i us worst=0 worst_out=0 idle p0 p1 lost begin longest=0
	start_traffic
	idle=$(rtnl_during sleep 2)
	p0=$(passed)
	for ((i = 0; i < loads; i++)); do
		# Loading goes on after insmod has returned.
		begin=$EPOCHREALTIME
		us=$(rtnl_during "insmod $ko && nsenter --net=/run/netns/router sh -c 'until grep -q \"^${label}serving: *yes\" /proc/net/altfib/status; do sleep 0.05; done'")
		begin=$(((${EPOCHREALTIME/./} - ${begin/./}) / 1000))
		((begin <= longest)) || longest=$begin
		((us <= worst)) || worst=$us
		us=$(rtnl_during rmmod altfib)
		((us <= worst_out)) || worst_out=$us
	done
	p1=$(passed)
	stop_traffic
	lost=$((${p1% *} - ${p0% *} - ${p1#* } + ${p0#* }))
	note "from insmod to service: $longest ms at most"
	note "longest wait for RTNL and the CPU: $worst us at insmod, $worst_out us at rmmod, $idle us without either"
	note "$lost of $((${p1% *} - ${p0% *})) packets lost"
	((worst < RTNL_US && worst_out < RTNL_US)) || fail "RTNL was held too long"
	((lost <= 1000)) || fail "$lost packets were lost"
}

echo "TAP version 13"
echo "1..4"
[[ -r $table ]] || { fail "$table is missing: scripts/demo/prepare.sh makes it"; }
build_network
vias=$(seq -s, -f "$gateways%g" 10 103)
awk 'NR % 4 == 1' "$table" >"$work/sample"
in_router "$ROUTELOAD" load "$table" --dev out0 --via "$vias" --report "$work/load" >/dev/null 2>&1 ||
	fail "the table did not load"
note "$(sed -n 's/^loaded=//p' "$work/load") routes in $(sed -n 's/^seconds=//p' "$work/load") s"
takeover
result "insmod and rmmod on a full table under traffic, $loads times"
insmod "$ko" || fail "insmod"
replay verify 1
result "updates under traffic, every packet verified"
replay on 16
result "the same with mode=on, one packet in 16 verified"
rmmod altfib || fail "rmmod"
if dmesg | grep -E 'BUG:|WARNING:|Oops|altfib: (mismatch|audit)' >"$work/log"; then
	sed 's/^/# /' "$work/log"
	fail "the kernel log has this"
fi
result "the kernel log is clean"
note "Totals: pass:$((n - bad)) fail:$bad"
((bad == 0))
