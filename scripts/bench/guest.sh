#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs as root in the kernel under test: one table size of "make bench". Each measurement
# becomes one line of JSON in $ALTFIB_OUT/SIZE.jsonl.
#
#   guest.sh SIZE KEYS            SIZE: 3, 1000, 100000 or full; KEYS: folder of address lists
#   guest.sh udp KEYS TURN ARM... unconnected sends with a full table, in this kernel
#   guest.sh SIZE KEYS steps ARM FAMILY TRAFFIC   packets for steps.sh
#
#   altfib_bench or pktgen -> g0 =veth= r0 -> router -> out0 (dummy, discards)
#
# There is one CPU and no queue on the way, so the sender's rate is the rate of
# the whole path.
#
# ALTFIB_BENCH_QUICK    1: the arms and the traffic that targets are about, less of them
# ALTFIB_BENCH_ROUNDS   rounds of the cells that targets are about (15)
# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
export LC_ALL=C
here=$(dirname "$(readlink -f "$0")")
. "$here/../demo/table.sh"
size=$1 keys=$2
shift 2
rounds=${ALTFIB_BENCH_ROUNDS:-15}
few=5
quick=${ALTFIB_BENCH_QUICK:-}
build=$ALTFIB_CACHE/build/module-$ALTFIB_KERNEL
ko=$build/altfib.ko
results=$ALTFIB_OUT/$size.jsonl
work=/tmp/altfib-bench

die() {
	printf 'bench: %s\n' "$*" >&2
	exit 1
}

build_network() {
	local i
	ip -batch - <<-END
		netns add gen
		netns add router
	END
	{
		echo "link set lo up"
		echo "link add r0 type veth peer name g0 netns gen"
		echo "link add out0 type dummy"
		echo "addr add 198.19.0.1/24 dev r0"
		echo "addr add 198.18.0.1/24 dev out0"
		echo "addr add 2001:db8:19::1/64 dev r0 nodad"
		echo "addr add 2001:db8:18::1/64 dev out0 nodad"
		echo "link set r0 address 02:00:00:00:00:01"
		echo "link set r0 up"
		# A flowtable asks for the way back.
		echo "neigh add 198.19.0.2 lladdr 02:00:00:00:00:02 dev r0 nud permanent"
		echo "neigh add 2001:db8:19::2 lladdr 02:00:00:00:00:02 dev r0 nud permanent"
		echo "link set out0 up"
		# 94 next hops, as many as a measured transit router had.
		for ((i = 10; i < 104; i++)); do
			echo "neigh add 198.18.0.$i lladdr 02:00:00:00:01:$(printf %02x "$i") dev out0 nud permanent"
			echo "neigh add 2001:db8:18::$i lladdr 02:00:00:00:01:$(printf %02x "$i") dev out0 nud permanent"
		done
		echo "route add default metric 1000 via 198.18.0.10"
		echo "-6 route add default metric 2048 via 2001:db8:18::10"
	} | sed 's/^-6 //' | ip -n router -batch -
	ip netns exec router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.r0.rp_filter=0
	ip -n gen -batch - <<-END
		addr add 198.19.0.2/24 dev g0
		addr add 2001:db8:19::2/64 dev g0 nodad
		link set g0 address 02:00:00:00:00:02
		link set g0 up
	END
}

# The rest runs in the router's namespace, whose settings are then at hand without a process.
if [[ ${ALTFIB_BENCH_INSIDE:-} != yes ]]; then
	mkdir -p "$work"
	build_network
	# Room for a flow of each destination, for the flowtable; the host's alone to say.
	if [[ -e /proc/sys/net/netfilter/nf_conntrack_max ]]; then
		echo 1048576 >/sys/module/nf_conntrack/parameters/hashsize
		echo 6000000 >/proc/sys/net/netfilter/nf_conntrack_max
	fi
	export ALTFIB_BENCH_INSIDE=yes
	exec ip netns exec router "$(readlink -f "$0")" "$size" "$keys" "$@"
fi

answer=
bench() {
	printf '%s\n' "$1" >/proc/altfib_bench || die "altfib_bench refused \"$1\""
	read -r answer </proc/altfib_bench || true
}

# How far it is: seconds, and of these on the CPU.
progress() {
	bench cpu
	printf 'bench: %s (%s s, %s of them on the CPU)\n' "$1" "$SECONDS" $((answer / 1000000000))
}

symbol() { awk -v name="$1" '$3 == name { print "0x" $1; exit }' /proc/kallsyms; }

setup_bench() {
	insmod "$build-rig/altfib_bench.ko" fib6_lookup_at="$(symbol fib6_lookup)" \
		fib6_node_lookup_at="$(symbol fib6_node_lookup)" || die "the measuring module did not load"
	exec 9</run/netns/gen
	bench "device gen g0 9"
	bench "device in r0"
	bench "device sink out0"
	exec 9<&-
}

declare -A slot_of length_of
slots=0
use_keys() { # FAMILY TRAFFIC FILE
	bench "keys $slots $1 $3"
	slot_of[$1-$2]=$slots
	length_of[$1-$2]=$answer
	slots=$((slots + 1))
}

record() { # BENCH FAMILY TRAFFIC ARM RP_FILTER ROUND VALUE UNIT [MORE]
	printf '{"bench":"%s","family":%s,"table":"%s","traffic":"%s","arm":"%s","rp_filter":%s,"round":%s,"value":%s,"unit":"%s"%s}\n' \
		"$1" "$2" "${table:-$size}" "$3" "$4" "$5" "$6" "$7" "$8" "${9:-}" >&3
}

# rate COUNT NS: in thousandths, since bash has no fractions
rate() { value=$(($1 * 1000000000 / $2)); }
ns_each() { # NS COUNT
	local thousandths=$(($1 * 1000 / $2))
	printf -v value '%d.%03d' $((thousandths / 1000)) $((thousandths % 1000))
}

# ---- arms ----------------------------------------------------------------

# loaded: nothing, off or on
loaded='' table_of_flows='' dropping=''
altfib_ko=$ko

unload() {
	[[ -z $loaded ]] || rmmod altfib
	loaded=
}

serve() {
	local i status
	for ((i = 0; i < 3000; i++)); do
		read -rd '' status </proc/net/altfib/status || true
		[[ $status == "serving: yes"*"IPv6 serving: yes"* ]] && return
		sleep 0.01
	done
	die "altfib does not serve: $(</proc/net/altfib/status)"
}

no_others() {
	if [[ -n $dropping ]]; then
		bench "drop 0"
		dropping=
	fi
	if [[ -n $table_of_flows ]]; then
		nft delete table inet bench
		table_of_flows=
	fi
}

set_to() { [[ ! -e /proc/sys/net/altfib/$1 ]] || printf '%s\n' "$2" >"/proc/sys/net/altfib/$1"; }

# With flows that do not end, and room for them.
flowtable() {
	local name
	nft -f - <<-END
		table inet bench {
			flowtable f {
				hook ingress priority 0
				devices = { r0, out0 }
			}
			chain forward {
				type filter hook forward priority 0
				meta l4proto udp flow add @f
			}
		}
	END
	table_of_flows=yes
	for name in nf_flowtable_udp_timeout nf_conntrack_udp_timeout_stream; do
		[[ ! -e /proc/sys/net/netfilter/$name ]] || echo 600 >"/proc/sys/net/netfilter/$name"
	done
}

arm() {
	local before=$loaded
	no_others
	case $1 in
	stock) unload ;;
	drop)
		unload
		bench "drop 1"
		dropping=yes
		;;
	flowtable)
		unload
		flowtable
		;;
	off)
		[[ -n $loaded ]] || insmod "$altfib_ko" mode=off || die "the kernel refused $altfib_ko"
		loaded=off
		set_to mode off
		;;
	*)
		[[ -n $loaded ]] || insmod "$altfib_ko" || die "the kernel refused $altfib_ko"
		loaded=on
		set_to mode on
		set_to fastpath 0
		case $1 in
		fastpath)
			set_to cache nexthop
			set_to fastpath 1
			;;
		lookup | socket) set_to output "$1" ;;
		*) set_to cache "$1" ;;
		esac
		serve
		;;
	esac
	# What a module leaves to workers and to RCU belongs to no packet.
	[[ $before == "$loaded" ]] || sleep 0.3
}

# The arms that this kernel and this altfib have: those without altfib, then those with.
find_arms() {
	caches=nexthop
	without=(stock drop)
	insmod "$ko" || die "the kernel refused $ko"
	[[ ! -e /proc/sys/net/altfib/available_caches ]] || caches=$(</proc/sys/net/altfib/available_caches)
	read -ra caches <<<"$caches"
	if [[ -n $quick ]]; then caches=(nexthop); fi
	with=(off "${caches[@]}")
	target_arms=" stock nexthop fastpath "
	if [[ -e /proc/sys/net/altfib/fastpath ]]; then
		with+=(fastpath)
		target_arms+="flowtable "
		full_if_flowtable=$rounds
	fi
	rmmod altfib
	if [[ -n $quick ]]; then
		with=("${with[@]:1}")
		without=(stock)
		if [[ $target_arms != *flowtable* ]]; then return; fi
	fi
	if nft -c -f - <<<"table inet bench { flowtable f { hook ingress priority 0; devices = { r0 }; }; }" 2>/dev/null; then
		without+=(flowtable)
	else
		printf 'bench: no flowtable in this kernel (CONFIG_NFT_FLOW_OFFLOAD): that arm is left out\n'
	fi
}

# ---- forwarding ------------------------------------------------------------

# A tenth to a fifth of a second, by the stock kernel with a full table.
packets=([4]=100000 [6]=50000)

send() { # FAMILY TRAFFIC OFFSET COUNT [BATCH]: sets ns, sent, left
	local slot=${slot_of[$1-$2]}
	bench "send $slot $3 $4 ${5:-1}"
	read -r ns sent left <<<"$answer"
}

# pktgen listens to processes of its own namespace only.
pg() {
	local reply
	printf '%s %s\n' "$1" "$2" >&"${GEN[1]}"
	read -r reply <&"${GEN[0]}"
	[[ $reply == ok ]] || die "pktgen refused \"$2\""
}

# pktgen's own random destinations, all over the address space.
setup_pktgen() {
	local line
	# shellcheck disable=SC2016 # it is that shell's
	coproc GEN { exec ip netns exec gen bash -c 'while read -r file line; do
		printf "%s\n" "$line" >"/proc/net/pktgen/$file" && echo ok || echo failed; done'; }
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

sink_packets() {
	local name rest
	while read -r name rest; do
		if [[ $name == out0: ]]; then
			read -ra rest <<<"$rest"
			out=${rest[9]}
		fi
	done </proc/net/dev
}

pktgen() { # COUNT: sets ns, sent, left
	local before out
	sink_packets
	left=$out
	pg g0 "count $1"
	bench cpu
	before=$answer
	pg pgctrl start
	bench cpu
	ns=$((answer - before)) sent=$1
	sink_packets
	left=$((out - left))
}

# Packets that altfib attached a route to, and those it might have.
counters() { # FAMILY: sets attached, eligible
	local -a names values
	local i n file=/proc/net/stat/altfib
	if [[ $1 == 6 ]]; then file+=6; fi
	attached=0 eligible=0
	{
		read -ra names
		while read -ra values; do
			for i in "${!names[@]}"; do
				n=$((16#${values[i]}))
				case ${names[i]} in
				forward | local | verified) attached=$((attached + n)) eligible=$((eligible + n)) ;;
				early_demux | punt_*) eligible=$((eligible + n)) ;;
				esac
			done
		done
	} <"$file"
}

forward() { # FAMILY TRAFFIC[:BATCH] RP_FILTER ARM ROUND
	local n=${packets[$1]} ns sent left value warm=10000 want what=forward
	local traffic=${2%:*} batch=1 length at more='' attached=0 eligible=0 before=0
	length=${length_of[$1-$traffic]:-1}
	if [[ $2 == *:* ]]; then batch=${2#*:} what=forward-batch; fi
	if [[ $1 == 4 ]]; then echo "$3" >/proc/sys/net/ipv4/conf/r0/rp_filter; fi
	if [[ $traffic == pktgen ]]; then
		pktgen $((n / 8))
		[[ -z $loaded || $4 == off ]] || counters "$1"
		before="$attached $eligible"
		pktgen "$n"
	else
		at=$(($5 * (n + warm)))
		case $4-$traffic in
		*-one) warm=5000 ;;
		# Nothing is warm when each packet is new, and a new one takes a flowtable long.
		flowtable-attack) n=20000 ;;
		# A flow is in the flowtable after its second packet.
		flowtable-*) warm=$((2 * length)) ;;
		*-20k) warm=$length ;;
		esac
		send "$1" "$traffic" "$at" "$warm"
		[[ -z $loaded || $4 == off ]] || counters "$1"
		before="$attached $eligible"
		send "$1" "$traffic" $((at + warm)) "$n" "$batch"
	fi
	want=$sent
	if [[ $4 == drop ]]; then
		((left < 100)) || die "the drop arm let $left of $sent packets pass"
	else
		((left * 1000 >= sent * 998)) ||
			die "$4, IPv$1, $size routes, $2: only $left of $sent packets were forwarded"
		want=$left
	fi
	rate "$want" "$ns"
	if [[ -n $loaded && $4 != off ]]; then
		counters "$1"
		printf -v more ',"attached":%s,"eligible":%s' $((attached - ${before% *})) $((eligible - ${before#* }))
	fi
	record "$what" "$1" "$traffic" "$4" "$3" "$5" "$value" pps "$more"
}

# Lines "FAMILY TRAFFIC[:BATCH] RP_FILTER ROUNDS OTHERS": rounds of the arms that targets are
# about, and of the others. Those for the flowtable, which takes half a minute to hold a
# million flows, are limited in forwarding().
cells() {
	local full=$rounds t
	case $size-$quick in
	*-1)
		for t in one 1m attack; do
			[[ $size-$t != 3-attack ]] || continue
			printf '%s\n' "4 $t 0 $full 0" "6 $t 0 $full 0"
		done
		;;
	full-)
		for t in "one 0 $full $few" "20k 0 ${full_if_flowtable:-$few} $few" "zipf 0 $few $few" \
			"1m 0 $full $few" "1m:32 0 $few 0" "attack 0 $full $few"; do
			printf '%s\n' "4 $t" "6 $t"
		done
		printf '%s\n' "4 1m 1 $few 0" "4 pktgen 0 $few 0"
		;;
	3-)
		for t in "one 0 $full $few" "1m 0 $full $few" "1m:32 0 $few 0"; do
			printf '%s\n' "4 $t" "6 $t"
		done
		printf '%s\n' "4 one 1 $few 0" "4 pktgen 0 $few 0"
		;;
	*-) printf '%s\n' "4 1m 0 $few 0" "6 1m 0 $few 0" ;;
	esac
}

forwarding() {
	local round a n
	local -a list order cell forth
	mapfile -t list < <(cells)
	for ((round = 1; round <= rounds; round++)); do
		# There and back again, so that a drift of the machine cancels out; and another first
		# one each time.
		n=$((round % ${#with[@]}))
		forth=("${with[@]:n}" "${with[@]:0:n}")
		order=("${without[@]}" "${forth[@]}")
		if ((round % 2 == 0)); then order=("${forth[@]}" "${without[@]}"); fi
		for a in "${order[@]}"; do
			if ((round > few)) && [[ $target_arms != *" $a "* ]]; then continue; fi
			arm "$a"
			for line in "${list[@]}"; do
				read -ra cell <<<"$line"
				n=${cell[4]}
				if [[ $target_arms == *" $a "* ]]; then n=${cell[3]}; fi
				case $size-$a-${cell[1]} in
				full-flowtable-1m) n=$((n < 1 ? n : 1)) ;;
				*-flowtable-1m | *-flowtable-zipf | *-flowtable-*:*) n=0 ;;
				esac
				if ((round > n)); then continue; fi
				forward "${cell[0]}" "${cell[1]}" "${cell[2]}" "$a" "$round"
			done
		done
		progress "$size routes, forwarding, round $round of $rounds"
	done
	no_others
	unload
}

# ---- lookups -----------------------------------------------------------------

# Rounds of one arm after the other, without loading anything between them.
inside() {
	local round family a offset value dependent independent found attached n
	local counts=([4]=100000 [6]=50000) count arms
	altfib_ko=$build-bench/altfib.ko
	arm nexthop
	for ((round = 1; round <= rounds; round++)); do
		for family in 4 6; do
			count=${counts[family]}
			offset=$((round * count))
			arms=(loop kernel altfib)
			[[ $family == 4 ]] || arms+=(walk)
			n=$((round % ${#arms[@]}))
			for a in "${arms[@]:n}" "${arms[@]:0:n}"; do
				bench "lookup $a ${slot_of[$family-1m]} $offset $count"
				read -r dependent independent found <<<"$answer"
				((found * 1000 >= count * 999)) ||
					die "$a found $found of $count addresses of IPv$family, $size routes"
				ns_each "$dependent" "$count"
				record lookup "$family" 1m "$a" 0 "$round" "$value" ns
				ns_each "$independent" "$count"
				record lookup-overlapping "$family" 1m "$a" 0 "$round" "$value" ns
				if ((round > 3)) || [[ $a == loop ]]; then continue; fi
				bench "latency $a ${slot_of[$family-1m]} $offset $count"
				record latency "$family" 1m "$a" 0 "$round" 0 ns ",\"histogram\":\"${answer% }\""
			done
			if ((round > few)); then continue; fi
			for a in loop kernel "${caches[@]}"; do
				case $a in
				loop | kernel) bench "input $a ${slot_of[$family-1m]} $offset $count" ;;
				*)
					set_to cache "$a"
					bench "input altfib ${slot_of[$family-1m]} $offset $count"
					;;
				esac
				read -r ns sent attached <<<"$answer"
				[[ $a == loop ]] || ((attached * 100 >= sent * 99)) ||
					die "input $a: $attached of $sent packets have a route"
				ns_each "$ns" "$sent"
				record input "$family" 1m "$a" 0 "$round" "$value" ns
			done
			set_to cache nexthop
			bench "dst $family 50000"
			read -r ns sent <<<"$answer"
			ns_each "$ns" "$sent"
			record dst "$family" none alloc 0 "$round" "$value" ns
		done
	done
	progress "$size routes, lookups, $rounds rounds"
	unload
	altfib_ko=$ko
}

# ---- memory ---------------------------------------------------------------------

kernel_memory() { # sets kib: what objects of the kernel take
	local name value
	kib=0
	while read -r name value _; do
		case $name in Slab: | VmallocUsed: | Percpu:) kib=$((kib + value)) ;; esac
	done </proc/meminfo
}

altfib_memory() {
	local line
	arm nexthop
	while read -r line; do
		[[ $line =~ ^memory:\ ([0-9]+) ]] && record memory 4 none nexthop 0 1 "${BASH_REMATCH[1]}" KiB
		[[ $line =~ ^IPv6\ memory:\ ([0-9]+) ]] && record memory 6 none nexthop 0 1 "${BASH_REMATCH[1]}" KiB
		[[ $line =~ ^algorithm:.*touch\ ([0-9]+) ]] && record touched 4 none nexthop 0 1 "${BASH_REMATCH[1]}" KiB
		[[ $line =~ ^IPv6\ algorithm:.*touch\ ([0-9]+) ]] && record touched 6 none nexthop 0 1 "${BASH_REMATCH[1]}" KiB
	done </proc/net/altfib/status
	unload
}

# ---- the table ----------------------------------------------------------------------

load() { # FAMILY TABLE
	local limit=() via kib before
	[[ $size == 3 ]] && return
	case $size in full | udp) ;; *) limit=(--limit "$size") ;; esac
	via=$(seq -s, -f '198.18.0.%g' 10 103)
	if [[ $1 == 6 ]]; then via=$(seq -s, -f '2001:db8:18::%g' 10 103); fi
	kernel_memory
	before=$kib
	"$ROUTELOAD" load "$2" "${limit[@]}" --dev out0 --via "$via" --report "$work/load$1" >/dev/null ||
		die "the IPv$1 table did not load"
	kernel_memory
	record memory "$1" none stock 0 1 $((kib - before)) KiB
	record routes "$1" none stock 0 1 "$(sed -n 's/^loaded=//p' "$work/load$1")" routes
}

main() {
	local family traffic
	exec 3>"$results"
	: "${keys:?}"
	setup_bench
	load 4 "$TABLE"
	load 6 "$TABLE6"
	for family in 4 6; do
		for traffic in one 20k 1m zipf attack; do
			[[ ! -e $keys/$size-$family-$traffic ]] || use_keys "$family" "$traffic" "$keys/$size-$family-$traffic"
		done
	done
	setup_pktgen
	find_arms
	progress "$size routes, loaded; arms ${without[*]} ${with[*]}"
	# The kernel makes an IPv6 dst for each route that a packet asks for, and keeps it.
	local ns sent left
	send 6 1m 0 300000
	progress "$size routes, IPv6 routes used once"
	altfib_memory
	inside
	forwarding
	kill "$GEN_PID"
}

# As many rounds of sendto() as this turn has; TURN numbers them.
udp() { # TURN ARM...
	local turn=$1 round a family traffic ns sent left value learned
	local per_turn=$rounds order counts=([4]=100000 [6]=50000)
	shift
	table=full
	results=$ALTFIB_OUT/udp.jsonl
	exec 3>"$results"
	setup_bench
	load 4 "$TABLE"
	load 6 "$TABLE6"
	for family in 4 6; do
		for traffic in one 20k 1m; do
			use_keys "$family" "$traffic" "$keys/full-$family-$traffic"
		done
	done
	# The kernel makes an IPv6 dst for each route, once.
	bench "udp ${slot_of[6-1m]} 0 300000"
	for ((round = 1; round <= per_turn; round++)); do
		# There and back again. Whoever answers lookups stays next to its like: altfib forgets
		# what it learned when it need not answer any more.
		order=("$@")
		if ((round % 2 == 0)); then
			order=()
			for a in "$@"; do order=("$a" "${order[@]}"); done
		fi
		learned=
		for a in "${order[@]}"; do
			case $a in
			stock | patched) arm stock ;;
			off)
				arm nexthop
				set_to output off
				serve
				;;
			*)
				arm "$a"
				# It learns from the kernel's first walk to each prefix.
				if [[ -z $learned ]]; then
					bench "udp ${slot_of[4-1m]} 0 ${length_of[4-1m]}"
					bench "udp ${slot_of[6-1m]} 0 300000"
				fi
				learned=yes
				;;
			esac
			for family in 4 6; do
				for traffic in one 20k 1m; do
					bench "udp ${slot_of[$family-$traffic]} $((round * 200000)) 20000"
					bench "udp ${slot_of[$family-$traffic]} $((round * 200000 + 20000)) ${counts[family]}"
					read -r ns sent left <<<"$answer"
					((left * 1000 >= sent * 998)) || die "udp, $a: only $left of $sent datagrams left"
					ns_each "$ns" "$sent"
					record udp "$family" "$traffic" "$a" 0 $((turn * 100 + round)) "$value" ns
				done
			done
		done
	done
	unload
	progress "unconnected sends in $ALTFIB_KERNEL, turn $turn"
}

# For whoever steps through it, and ends it.
stepped() { # ARM FAMILY TRAFFIC
	local ns sent left at=0
	exec 3>"$results"
	setup_bench
	load 4 "$TABLE"
	load 6 "$TABLE6"
	use_keys "$2" "$3" "$keys/$size-$2-$3"
	arm "$1"
	# The kernel makes an IPv6 dst for each route, once.
	send "$2" "$3" 0 300000
	cat /proc/kallsyms >"$ALTFIB_OUT/kallsyms"
	: >"$ALTFIB_OUT/begin"
	while :; do
		at=$(((at + 100000) % 800000))
		send "$2" "$3" "$at" 100000
	done
}

if [[ $size == udp ]]; then
	udp "$@"
elif [[ ${1:-} == steps ]]; then
	stepped "${@:2}"
else
	main
fi
exit
}
