#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in User-Mode Linux as root, for control.sh: the control plane with and without
# altfib. Each measurement becomes one line of JSON in $ALTFIB_OUT/raw.jsonl.
#
#   control-guest.sh PART=ROUNDS...
#
#   a packet ring -> g0 =veth= r0 -> router -> out0 (dummy, discards)
#
# The arms of a round follow each other, and every other round backwards. "stock" is
# this kernel without the module. Moments are Unix time: the host knows how much CPU
# time the kernel had between any two.
set -euo pipefail
# The decimal point of EPOCHREALTIME depends on it.
export LC_ALL=C
here=$(dirname "$(readlink -f "$0")")
. "$here/../demo/table.sh"
ko=${ALTFIB_KO:?path of altfib.ko}
raw=$ALTFIB_OUT/raw.jsonl
work=/tmp/altfib-control
bird=$ALTFIB_CACHE/tools/bird
# Changes by "ip -batch", and how many namespaces.
BATCH=10000
NAMESPACES=1000
mkdir -p "$work"

say() { printf 'bench control: %s\n' "$*"; }
die() {
	say "$*" >&2
	exit 1
}

in_router() { nsenter --net=/run/netns/router "$@"; }

# record BENCH FAMILY ARM ROUND MORE: one line; MORE are JSON's fields.
record() {
	printf '{"bench": "%s", "family": %s, "arm": "%s", "round": %s, %s}\n' "$@" >>"$raw"
}

# span BENCH FAMILY ARM ROUND WHAT BEGIN END COUNT: so many of what, between two moments.
span() {
	record "$1" "$2" "$3" "$4" \
		"\"what\": \"$5\", \"begin\": $6, \"end\": $7, \"count\": $8"
}

build_network() {
	local i
	ip -batch - <<-END
		netns add gen
		netns add router
	END
	for i in gen router; do
		ip netns exec $i sysctl -qw net.ipv6.conf.default.accept_ra=0 \
			net.ipv6.conf.default.router_solicitations=0
	done
	in_router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
	ip -n router -batch - <<-END
		link set lo up
		link add r0 type veth peer name g0 netns gen
		link add out0 type dummy
		addr add 198.19.0.1/24 dev r0
		addr add 2001:db8:19::1/64 dev r0 nodad
		link set r0 address 02:00:00:00:00:01
		link set r0 up
	END
	out_up
	ip -n gen -batch - <<-END
		addr add 198.19.0.2/24 dev g0
		addr add 2001:db8:19::2/64 dev g0 nodad
		link set g0 up
	END
}

# The router's way out, which a flush takes away.
out_up() {
	local i
	{
		echo "addr replace 198.18.0.1/24 dev out0"
		echo "addr replace 2001:db8:18::1/64 dev out0 nodad"
		echo "link set out0 up"
		# 94 next hops, as many as a measured transit router had.
		for ((i = 10; i < 104; i++)); do
			echo "neigh replace 198.18.0.$i lladdr 02:00:00:00:01:$(printf %02x "$i") dev out0 nud permanent"
			echo "neigh replace 2001:db8:18::$i lladdr 02:00:00:00:01:$(printf %02x "$i") dev out0 nud permanent"
		done
		# What no prefix covers, or none any more.
		echo "route replace default metric 2048 via 198.18.0.10"
		echo "-6 route replace default metric 2048 via 2001:db8:18::10"
	} >"$work/out"
	# "-6" is no word of a batch.
	grep -v '^-6' "$work/out" | ip -n router -batch -
	sed -n 's/^-6 //p' "$work/out" | ip -n router -6 -batch -
}

serving() { # FAMILY
	local i label=
	[[ $1 == 4 ]] || label='IPv6 '
	for ((i = 0; i < 600; i++)); do
		in_router grep -q "^${label}serving: *yes" /proc/net/altfib/status && return 0
		sleep 0.05
	done
	die "altfib does not serve: $(in_router grep serving /proc/net/altfib/status)"
}

# As the next measurement wants it: stock, off or on. New namespaces have the mode with which
# the module was loaded.
arm() {
	[[ ! -e /proc/sys/net/altfib ]] || rmmod altfib
	[[ $1 != stock ]] || return 0
	insmod "$ko" mode="$1" || die "the kernel refused $ko"
	[[ $1 == on ]] || return 0
	serving 4
	serving 6
}

# each FUNCTION ROUNDS ARM...: the rounds, there and back again.
each() {
	local function=$1 rounds=$2 round a i
	local -a arms=("${@:3}") turn
	for ((round = 1; round <= rounds; round++)); do
		turn=("${arms[@]}")
		if ((round % 2 == 0)); then
			turn=()
			for ((i = ${#arms[@]} - 1; i >= 0; i--)); do turn+=("${arms[i]}"); done
		fi
		for a in "${turn[@]}"; do "$function" "$a" "$round"; done
		say "$function, round $round of $rounds, $((SECONDS)) s"
	done
	arm stock
}

# Sets table, vias, gateway (without its last part), source, stat, destinations and sample.
family() {
	if [[ $1 == 6 ]]; then
		table=$TABLE6 gateway=2001:db8:18:: source=2001:db8:19::2 stat=altfib6
		# The kernel keeps an IPv6 dst for each route: as many as a warm-up reaches.
		destinations=20000
	else
		table=$TABLE gateway=198.18.0. source=198.19.0.2 stat=altfib destinations=200000
	fi
	vias=$(seq -s, -f "$gateway%g" 10 103)
	vias=$(seq -s, -f "$gateway%g" 10 103)
	sample=$work/sample$1
	[[ -s $sample ]] && return
	# Prefixes at whose first address no other begins, in no order.
	# shellcheck disable=SC2016 # awk's
	awk '{ split($1, a, "/"); first[NR] = a[1]; line[NR] = $0; n[a[1]]++ }
		END { for (i = 1; i <= NR; i++) if (n[first[i]] == 1) print line[i] }' "$table" |
		shuf -n 200000 --random-source=<(yes) >"$sample"
	# As many changes of routes, each to the next of two gateways.
	awk -v via="$gateway" -v n=$BATCH 'NR <= n { print "route replace " $1 " via " via (10 + NR % 2) " dev out0" }' \
		"$sample" >"$work/batch$1"
}

load() { # FAMILY: sets begin, end, loaded
	family "$1"
	in_router "$ROUTELOAD" load "$table" --dev out0 --via "$vias" --report "$work/load" >"$work/load.out" 2>&1 ||
		die "the table did not load: $(tail -n 3 "$work/load.out")"
	begin=$(sed -n 's/^begin=//p' "$work/load")
	end=$(sed -n 's/^end=//p' "$work/load")
	loaded=$(sed -n 's/^loaded=//p' "$work/load")
}

# One full table: packed messages, changes by "ip -batch", and the end of its device.
install() { # ARM ROUND FAMILY
	local begin end loaded
	arm "$1"
	load "$3"
	span install "$3" "$1" "$2" packed "$begin" "$end" "$loaded"
	if [[ $1 == on ]]; then
		# Routes that were filled in are read when they have rested.
		serving "$3"
		span install "$3" "$1" "$2" served "$end" "$EPOCHREALTIME" "$loaded"
	fi
	begin=$EPOCHREALTIME
	in_router ip "-$3" -batch "$work/batch$3" >"$work/batch.out" 2>&1 || die "ip -batch: $(head -n 2 "$work/batch.out")"
	end=$EPOCHREALTIME
	span install "$3" "$1" "$2" batch "$begin" "$end" "$(wc -l <"$work/batch$3")"
	if ((${update:-0})); then changes "$1" "$2" "$3"; fi
	begin=$EPOCHREALTIME
	ip -n router link set out0 down
	end=$EPOCHREALTIME
	span install "$3" "$1" "$2" flush "$begin" "$end" "$loaded"
	out_up
}
install4() { install "$@" 4; }
install6() { install "$@" 6; }

# Single changes of a full table, and packets behind them.
changes() { # ARM ROUND FAMILY
	local file=none line
	[[ $1 != on ]] || file=/proc/net/stat/$stat
	in_router python3 "$here/update.py" "$sample" 2000 200 /run/netns/gen "$file" "${gateway}12" "${gateway}13" >"$work/update" ||
		die "update.py: $(tail -n 2 "$work/update")"
	while read -r line; do
		line=${line#\{}
		record update "$3" "$1" "$2" "${line%\}}"
	done <"$work/update"
}

# A routing daemon that has the table, and gives it to the kernel. It is one process for all rounds,
# so that it reads its configuration once.
start_bird() {
	local i
	family 4
	# Every fifth of them: a round of all would take two minutes.
	awk 'NR % 5 == 1' "$table" >"$work/bird.table"
	shuf -n 1000 "$work/bird.table" >"$work/bird.sample"
	{
		printf '%s\n' 'router id 198.18.0.1;' 'protocol device { scan time 3600; }' \
			"protocol kernel fib { disabled; persist; scan time 3600; ipv4 { import none; export all; }; }" \
			'protocol static full { ipv4;'
		awk '{ as = $2 ~ /^[0-9]+$/ ? $2 : NR; print "route " $1 " via 198.18.0." (10 + as % 94) ";" }' "$work/bird.table"
		echo '}'
	} >"$work/bird.conf"
	export LD_LIBRARY_PATH=$bird/usr/lib/x86_64-linux-gnu:$bird/lib/x86_64-linux-gnu
	in_router "$bird/usr/sbin/bird" -c "$work/bird.conf" -s "$work/bird.ctl" -P "$work/bird.pid" ||
		die "BIRD does not start"
	unset LD_LIBRARY_PATH
	for ((i = 0; i < 600; i++)); do
		[[ $(birdc show route count) == *" $(wc -l <"$work/bird.table") routes for $(wc -l <"$work/bird.table") networks"* ]] && return
		sleep 0.2
	done
	die "BIRD has not read its table: $(birdc show route count)"
}

birdc() { LD_LIBRARY_PATH=$bird/usr/lib/x86_64-linux-gnu "$bird/usr/sbin/birdcl" -s "$work/bird.ctl" "$@"; }

bird() { # ARM ROUND
	local begin end n
	n=$(wc -l <"$work/bird.table")
	arm "$1"
	begin=$EPOCHREALTIME
	birdc enable fib >"$work/birdc"
	end=$(in_router "$here/arrived.py" "$work/bird.sample" 300) || die "BIRD has not loaded its table: $(birdc show protocols all fib)"
	[[ $(in_router sed -n 's/.*Prefixes: *//p' /proc/net/fib_triestat | sort -n | tail -n 1) -ge $n ]] ||
		die "the kernel has not all of BIRD's routes"
	span bird 4 "$1" "$2" load "$begin" "$end" "$n"
	# The routes stay, and go faster than BIRD would take them back.
	birdc disable fib >"$work/birdc"
	in_router "$ROUTELOAD" unload "$work/bird.table" --proto 12 >"$work/load.out" 2>&1 ||
		die "BIRD's routes do not go: $(tail -n 2 "$work/load.out")"
}

# The first updates of the day in slices, one for each round, and the origins of their prefixes.
SLICE=2000
slices() { # FAMILY ROUNDS
	local file=ALTFIB_UPDATES$1
	family "$1"
	file=${!file}
	rm -f "$work"/slice-*
	# The reader may end before the file does.
	{ xz -dcf "$file" || true; } 2>/dev/null | head -n $((SLICE * $2)) >"$work/updates"
	split -l $SLICE -d -a 4 --numeric-suffixes=1 "$work/updates" "$work/slice-"
	awk 'NR == FNR { want[$2]; next } $1 in want' "$work/updates" "$table" >"$work/origins"
}

# "received sent": what came to r0, what went to out0.
passed() {
	in_router sed -n 's/^ *\(r0\|out0\): */\1 /p' /proc/net/dev |
		awk '$1 == "r0" { rx = $3 } $1 == "out0" { tx = $11 } END { print rx, tx }'
}

sender=
start_traffic() { # it stands still at first
	local i p0
	p0=$(passed)
	# Not by a function, whose process would be another.
	nsenter --net=/run/netns/gen "$ROUTELOAD" stream "$sample" --destinations "$destinations" --count 1000000000000 --seed 7 --inject g0 \
		--dst-mac 02:00:00:00:00:01 --source "$source" --port 4001 >/dev/null 2>&1 &
	sender=$!
	for ((i = 0; i < 300; i++)); do
		(($(passed | cut -d' ' -f1) > ${p0% *} + 10000)) && kill -STOP "$sender" && return 0
		sleep 0.1
	done
	die "there is no traffic"
}

# A slice of updates, at a thousand a second, with as much traffic as the router forwards.
replay() { # ARM ROUND FAMILY
	local begin end p0 p1 before='0 0' after='0 0'
	arm "$1"
	kill -CONT "$sender"
	sleep 0.3
	[[ $1 != on ]] || before=$(in_router cat "/proc/net/stat/$stat" | python3 "$here/attached.py")
	p0=$(passed)
	begin=$EPOCHREALTIME
	in_router "$ROUTELOAD" replay "$work/slice-$(printf %04d "$2")" --origins "$work/origins" --dev out0 \
		--via "$vias" --moves 50 --rate 1000 --report "$work/replay" >"$work/replay.out" 2>&1 ||
		die "updates were refused: $(tail -n 2 "$work/replay.out")"
	end=$EPOCHREALTIME
	p1=$(passed)
	kill -STOP "$sender"
	[[ $1 != on ]] || after=$(in_router cat "/proc/net/stat/$stat" | python3 "$here/attached.py")
	record replay "$3" "$1" "$2" "\"what\": \"forward\", \"traffic\": \"replay\", \"begin\": $begin, \"end\": $end, \"count\": $((${p1#* } - ${p0#* })), \"updates\": $SLICE, \"lost\": $((${p1% *} - ${p0% *} - ${p1#* } + ${p0#* })), \"attached\": $((${after% *} - ${before% *})), \"eligible\": $((${after#* } - ${before#* }))"
}
replay4() { replay "$@" 4; }
replay6() { replay "$@" 6; }

replays() { # FAMILY ROUNDS
	local begin end loaded
	slices "$1" "$2"
	load "$1"
	start_traffic
	each "replay$1" "$2" stock on
	kill -KILL "$sender"
	wait "$sender" 2>/dev/null || true
	ip -n router link set out0 down
	out_up
}

# A thousand namespaces that come and go.
namespaces() { # ARM ROUND
	local text t
	arm "$1"
	text=$(python3 "$here/namespaces.py" $NAMESPACES "$(find /run/netns -type f | wc -l)" 0) || die "namespaces.py failed"
	read -ra t <<<"$text"
	span namespaces 4 "$1" "$2" all "${t[0]}" "${t[3]}" $NAMESPACES
	span namespaces 4 "$1" "$2" make "${t[0]}" "${t[1]}" $NAMESPACES
	span namespaces 4 "$1" "$2" end "${t[2]}" "${t[3]}" $NAMESPACES
}

# What memory a table, a burst of updates and the table's end take.
memory() { # ARM ROUND
	local begin end loaded watcher
	arm "$1"
	echo idle >"$work/phase"
	in_router python3 "$here/memory.py" "$ALTFIB_OUT/memory-$1-$2.jsonl" "$work/phase" /proc/net/altfib/status 0.2 &
	watcher=$!
	sleep 1
	echo load >"$work/phase"
	load 4
	[[ $1 != on ]] || serving 4
	sleep 1
	echo replay >"$work/phase"
	in_router "$ROUTELOAD" replay "$work/updates" --origins "$work/origins" --dev out0 --via "$vias" --moves 50 \
		>"$work/replay.out" 2>&1 || die "updates were refused: $(tail -n 2 "$work/replay.out")"
	sleep 1
	echo flush >"$work/phase"
	ip -n router link set out0 down
	# What altfib gives back once the routes have rested.
	sleep 4
	rm "$work/phase"
	wait "$watcher"
	out_up
}

main() {
	local part rounds
	: >"$raw"
	build_network
	for part in "$@"; do
		rounds=${part#*=}
		part=${part%=*}
		case $part in
		install4) update=1 each install4 "$rounds" stock on ;;
		install6) update=1 each install6 "$rounds" stock on ;;
		bird)
			start_bird
			each bird "$rounds" stock on
			kill "$(<"$work/bird.pid")"
			;;
		replay[46]) replays "${part#replay}" "$rounds" ;;
		namespaces) each namespaces "$rounds" stock on off ;;
		memory)
			slices 4 20
			each memory "$rounds" stock on
			;;
		*) die "no part \"$part\"" ;;
		esac
	done
}
main "$@"
