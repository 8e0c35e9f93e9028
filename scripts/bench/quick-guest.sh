#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in User-Mode Linux as root: the rounds of bench-quick. Each measurement
# becomes one line of JSON in $ALTFIB_OUT/rounds.jsonl.
#
#   pktgen or a packet ring -> g0 =veth= r0 -> router -> out0 (dummy, discards)
#
# There is one CPU and no queue on the way, so the sender's rate is the rate of
# the whole path; the packets that out0 discards are counted.
set -euo pipefail
# The decimal point of EPOCHREALTIME depends on it.
export LC_ALL=C
here=$(dirname "$(readlink -f "$0")")
. "$here/../demo/table.sh"
ko=${ALTFIB_KO:-none}
rounds=${ALTFIB_BENCH_ROUNDS:-7}
packets=${ALTFIB_BENCH_PACKETS:-400000}
results=$ALTFIB_OUT/rounds.jsonl
work=/tmp/altfib-bench

die() {
	printf 'bench-quick: %s\n' "$*" >&2
	exit 1
}

build_network() {
	local i
	ip -batch - <<-END
		netns add gen
		netns add router
	END
	ip -n router -batch - <<-END
		link set lo up
		link add r0 type veth peer name g0 netns gen
		link add out0 type dummy
		addr add 198.19.0.1/24 dev r0
		addr add 198.18.0.1/24 dev out0
		link set r0 address 02:00:00:00:00:01
		link set r0 up
		link set out0 up
	END
	# 94 next hops, as many as a measured transit router had.
	for ((i = 10; i < 104; i++)); do
		echo "neigh add 198.18.0.$i lladdr 02:00:00:00:01:$(printf %02x "$i") dev out0 nud permanent"
	done | ip -n router -batch -
	ip -n router route add default metric 1000 via 198.18.0.10
	ip netns exec router sysctl -qw net.ipv4.ip_forward=1 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.r0.rp_filter=0
	# The same in IPv6.
	{
		echo "addr add 2001:db8:19::1/64 dev r0 nodad"
		echo "addr add 2001:db8:18::1/64 dev out0 nodad"
		for ((i = 10; i < 104; i++)); do
			echo "neigh add 2001:db8:18::$i lladdr 02:00:00:00:01:$(printf %02x "$i") dev out0 nud permanent"
		done
		echo "route add default metric 2048 via 2001:db8:18::10"
	} | ip -n router -6 -batch -
	ip netns exec router sysctl -qw net.ipv6.conf.all.forwarding=1
	ip -n gen -batch - <<-END
		addr add 198.19.0.2/24 dev g0
		addr add 2001:db8:19::2/64 dev g0 nodad
		link set g0 up
	END
}

# Runs the rest of the script inside the sender's namespace: pktgen's files are
# per namespace.
if [[ ${ALTFIB_BENCH_INSIDE:-} != yes ]]; then
	[[ -r $TABLE ]] || die "$TABLE is missing: scripts/demo/prepare.sh makes it"
	mkdir -p "$work"
	build_network
	export ALTFIB_BENCH_INSIDE=yes
	exec ip netns exec gen "$(readlink -f "$0")" "$@"
fi

pg() { printf '%s\n' "$2" >"/proc/net/pktgen/$1" || die "pktgen refused \"$2\""; }

setup_pktgen() {
	local line
	[[ -e /proc/net/pktgen/kpktgend_0 ]] || die "this kernel has no pktgen"
	pg kpktgend_0 rem_device_all
	pg kpktgend_0 "add_device g0"
	# Not shared: the receiver would have to copy each packet.
	for line in "pkt_size 60" "delay 0" "clone_skb 0" "burst 1" "flag !SHARED" \
		"flag IPDST_RND" "src_min 198.19.0.2" "src_max 198.19.0.2" \
		"dst_min 1.0.0.0" "dst_max 223.255.255.255" \
		"udp_src_min 9" "udp_src_max 9" "udp_dst_min 4001" "udp_dst_max 4001" \
		"dst_mac 02:00:00:00:00:01"; do
		pg g0 "$line"
	done
}

in_router() { ip netns exec router "$@"; }

discarded() { in_router sed -n 's/^ *out0: *//p' /proc/net/dev | awk '{ print $10 }'; }

# "attached eligible" since the module was loaded.
attached() { # STREAM
	local file=altfib
	[[ $1 != *6 ]] || file=altfib6
	[[ -e /proc/net/stat/$file ]] || { echo "0 0" && return; }
	in_router cat "/proc/net/stat/$file" | python3 "$here/attached.py"
}

# send STREAM COUNT: sets begin and end to the moments (Unix time) between which
# the packets went.
send() {
	case $1 in
	uniform)
		pg g0 "count $2"
		begin=$EPOCHREALTIME
		pg pgctrl start
		end=$EPOCHREALTIME
		grep -q '^Result: OK' /proc/net/pktgen/g0 || die "pktgen: $(</proc/net/pktgen/g0)"
		;;
	prefixes)
		"$ROUTELOAD" stream "$work/sample" --destinations 200000 --count "$2" --seed 7 \
			--inject g0 --dst-mac 02:00:00:00:00:01 --source 198.19.0.2 \
			--port 4001 --report "$work/sent" >/dev/null
		begin=$(sed -n 's/^begin=//p' "$work/sent")
		end=$(sed -n 's/^end=//p' "$work/sent")
		;;
	prefixes6)
		"$ROUTELOAD" stream "$work/sample6" --destinations "$DESTINATIONS6" --count "$2" --seed 7 \
			--inject g0 --dst-mac 02:00:00:00:00:01 --source 2001:db8:19::2 \
			--port 4001 --report "$work/sent" >/dev/null
		begin=$(sed -n 's/^begin=//p' "$work/sent")
		end=$(sed -n 's/^end=//p' "$work/sent")
		;;
	esac
}

measure() { # ROUTES STREAM ARM ROUND
	local begin end d0 d1 before after
	# The caches of a real router are warm.
	send "$2" $((packets / 8))
	before=$(attached "$2")
	d0=$(discarded)
	send "$2" "$packets"
	d1=$(discarded)
	after=$(attached "$2")
	printf '{"routes": %s, "stream": "%s", "arm": "%s", "round": %s, "begin": %s, "end": %s, "sent": %s, "forwarded": %s, "attached": %s, "eligible": %s}\n' \
		"$1" "$2" "$3" "$4" "$begin" "$end" "$packets" $((d1 - d0)) \
		$((${after% *} - ${before% *})) $((${after#* } - ${before#* })) >>"$results"
}

loaded=no
arm() { # stock, on or off
	local i
	case $1 in
	stock)
		[[ $loaded == no ]] || rmmod altfib
		loaded=no
		return
		;;
	*)
		[[ $loaded == yes ]] || insmod "$ko" || die "the kernel refused $ko"
		loaded=yes
		;;
	esac
	in_router sh -c "echo $1 >/proc/sys/net/altfib/mode"
	[[ $1 == on ]] || return 0
	for ((i = 0; i < 300; i++)); do
		in_router grep -q '^serving: *yes' /proc/net/altfib/status && return 0
		sleep 0.1
	done
	die "altfib does not serve: $(in_router cat /proc/net/altfib/status)"
}

series() { # ROUTES STREAM...
	local round stream a
	local -a order streams=("${@:2}")
	for ((round = 1; round <= rounds; round++)); do
		# There and back again, so that a drift of the machine cancels out.
		if [[ $ko == none ]]; then
			order=(stock)
		elif ((round % 2)); then
			order=(stock on off)
		else
			order=(off on stock)
		fi
		for a in "${order[@]}"; do
			arm "$a"
			for stream in "${streams[@]}"; do
				measure "$1" "$stream" "$a" "$round"
			done
		done
		printf 'bench-quick: %s routes, round %s of %s\n' "$1" "$round" "$rounds"
	done
	arm stock
}

[[ $ko == none || -f $ko ]] || die "the module $ko is not there: build it first"
: >"$results"
awk 'NR % 4 == 1' "$TABLE" >"$work/sample"
# The kernel keeps an IPv6 dst for each route: as many as a warm-up reaches.
DESTINATIONS6=20000
awk 'NR % 8 == 1' "$TABLE6" >"$work/sample6"
setup_pktgen
series 3 uniform prefixes prefixes6
vias=$(seq -s, -f '198.18.0.%g' 10 103)
in_router "$ROUTELOAD" load "$TABLE" --dev out0 --via "$vias" --report "$work/load" ||
	die "the table did not load"
series "$(sed -n 's/^loaded=//p' "$work/load")" uniform prefixes
vias=$(seq -s, -f '2001:db8:18::%g' 10 103)
in_router "$ROUTELOAD" load "$TABLE6" --dev out0 --via "$vias" --report "$work/load" ||
	die "the IPv6 table did not load"
series "$(sed -n 's/^loaded=//p' "$work/load")" prefixes6
