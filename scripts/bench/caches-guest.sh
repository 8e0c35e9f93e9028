#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in User-Mode Linux as root: the rounds of bench-caches. Each measurement
# becomes one line "ROUTES RP_FILTER STREAM CACHE PACKETS_A_SECOND ATTACHED HITS" in
# $ALTFIB_OUT/rounds.
#
#   pktgen -> g0 =veth= r0 -> router -> out0 (dummy, discards)
#
# There is one CPU and no queue on the way, so the sender's rate is that of the
# whole path.
set -euo pipefail
rounds=${ALTFIB_BENCH_ROUNDS:-5}
packets=${ALTFIB_BENCH_PACKETS:-100000}
ko=${ALTFIB_KO:?path of altfib.ko}
PROBE=${PROBE:?path of the probe program}
caches="stock nexthop none flow percpu-flow"

die() {
	printf 'bench-caches: %s\n' "$*" >&2
	exit 1
}

build_network() {
	local i

	ip netns add gen
	ip netns add router
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
	for ((i = 10; i < 104; i++)); do
		echo "neigh add 198.18.0.$i lladdr 02:00:00:00:01:$(printf %02x "$i") dev out0 nud permanent"
	done | ip -n router -batch -
	ip -n router route add 20.0.0.0/8 via 198.18.0.10
	ip -n gen addr add 198.19.0.2/24 dev g0
	ip -n gen link set g0 up
	ip netns exec router sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0
}

# pktgen's files are per namespace.
if [[ ${ALTFIB_BENCH_INSIDE:-} != yes ]]; then
	build_network
	export ALTFIB_BENCH_INSIDE=yes
	exec ip netns exec gen "$(readlink -f "$0")" "$@"
fi

in_router() { ip netns exec router "$@"; }

pg() { printf '%s\n' "$2" >"/proc/net/pktgen/$1" || die "pktgen refused \"$2\""; }

# Destinations from 20.0.0.1 on.
setup_stream() { # LAST
	local line

	pg kpktgend_0 rem_device_all
	pg kpktgend_0 "add_device g0"
	for line in "pkt_size 60" "delay 0" "clone_skb 0" "burst 1" "flag !SHARED" "flag IPDST_RND" \
		"src_min 198.19.0.2" "src_max 198.19.0.2" "dst_min 20.0.0.1" "dst_max $1" \
		"udp_src_min 9" "udp_src_max 9" "udp_dst_min 4001" "udp_dst_max 4001" \
		"dst_mac 02:00:00:00:00:01"; do
		pg g0 "$line"
	done
}

send() { # COUNT: sets rate
	pg g0 "count $1"
	pg pgctrl start
	grep -q '^Result: OK' /proc/net/pktgen/g0 || die "pktgen: $(</proc/net/pktgen/g0)"
	rate=$(sed -n 's/^ *\([0-9]*\)pps.*/\1/p' /proc/net/pktgen/g0)
}

field() { # FILE NAME
	[[ -e /proc/net/stat/altfib ]] || { echo 0 && return; }
	# shellcheck disable=SC2016
	in_router awk -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
		NR == 2 { print $at }' "/proc/net/stat/$1" | { read -r hex && echo $((16#$hex)); }
}

arm() { # CACHE
	local i

	if [[ $1 == stock ]]; then
		[[ ! -e /proc/sys/net/altfib ]] || rmmod altfib
		return
	fi
	[[ -e /proc/sys/net/altfib ]] || insmod "$ko" || die "the kernel refused $ko"
	for ((i = 0; i < 300; i++)); do
		in_router grep -q '^serving: *yes' /proc/net/altfib/status && break
		sleep 0.1
	done
	in_router sh -c "echo $1 >/proc/sys/net/altfib/cache"
}

measure() { # ROUTES RP_FILTER STREAM CACHE
	local rate forward hits

	send $((packets / 5))
	forward=$(field altfib forward)
	hits=$(field altfib_cache in_hit)
	send "$packets"
	printf '%s %s %s %s %s %s %s\n' "$@" "$rate" $(($(field altfib forward) - forward)) \
		$(($(field altfib_cache in_hit) - hits)) >>"$ALTFIB_OUT/rounds"
}

series() { # ROUTES
	local round stream cache rp

	for ((round = 1; round <= rounds; round++)); do
		for cache in $caches; do
			arm "$cache"
			for rp in 0 1; do
				in_router sysctl -qw net.ipv4.conf.r0.rp_filter=$rp
				for stream in one:20.0.0.1 thousand:20.0.3.232 all:20.255.255.254; do
					setup_stream "${stream#*:}"
					measure "$1" "$rp" "${stream%:*}" "$cache"
				done
			done
		done
		printf 'bench-caches: %s routes, round %s of %s\n' "$1" "$round" "$rounds"
	done
	arm stock
}

: >"$ALTFIB_OUT/rounds"
[[ -e /proc/net/pktgen/kpktgend_0 ]] || die "this kernel has no pktgen"
series 1
echo "fill router 20.0.0.0/24 dev=out0 via=198.18.0.10 ways=94 count=65536" | "$PROBE" none ||
	die "the routes did not load"
series 65537
# The best of the rounds: other work on the machine only ever takes away.
awk '
	{ key = $1 " " $2 " " $3 " " $4; attached[key] = $6; hits[key] = $7 }
	$5 > best[key] { best[key] = $5 }
	END {
		printf "%-8s %-4s %-10s %-12s %10s %9s %9s\n", "routes", "rp", "stream", "cache", "pps", "attached", "hits"
		for (key in best) {
			split(key, k, " ")
			printf "%-8s %-4s %-10s %-12s %10d %9d %9d\n", k[1], k[2], k[3], k[4], best[key], attached[key], hits[key] | "sort"
		}
	}' "$ALTFIB_OUT/rounds"
