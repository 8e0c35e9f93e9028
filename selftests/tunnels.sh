#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The outer headers of tunnels, with output=off, lookup and socket.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# The packets inside are IPv4, from the host afc or the router itself to 10.20.0.1,
# behind a tunnel from the router to af1. af2 has the other end's addresses, too, so
# that a change of the way there changes who gets them.
#
# A tunnel keeps its last route (dst_cache) and looks nothing up until it is outdated,
# but for a packet with a TOS that it inherits: so the host's packets have one, and the
# router's own have none. WireGuard inherits nothing; it looks up when a peer's port
# changes.
KINDS4=(ipip gre vxlan wg)
KINDS6=(ip6tnl ip6gre vxlan6 wg6)

ALL_TESTS=()
for kind in "${KINDS4[@]}" "${KINDS6[@]}"; do
	ALL_TESTS+=(
		"routes_$kind: $kind: the way to the other end changes"
		"addresses_$kind: $kind: the local address changes"
		"devices_$kind: $kind: the device below goes down, then away, then the tunnel"
	)
	eval "routes_$kind() { routes $kind; }"
	eval "addresses_$kind() { addresses $kind; }"
	eval "devices_$kind() { devices $kind; }"
done
ALL_TESTS+=(
	"source_ipip: ipip: the local address is the route's"
	"source_gre: gre: the same"
	"source_vxlan: vxlan: the same"
	"source_vxlan6: vxlan6: the same"
	"loop: the way to the other end leads into the tunnel"
	"only_removed: the device below is removed under traffic of four tunnels"
	"only_removed6: the same for IPv6"
	"only_namespace: the namespace goes under traffic of four tunnels"
	"only_namespace6: the same for IPv6"
	"only_unload: altfib goes under traffic of four tunnels"
	"only_unload6: the same for IPv6"
)
source_ipip() { source_of ipip; }
source_gre() { source_of gre; }
source_vxlan() { source_of vxlan; }
source_vxlan6() { source_of vxlan6; }

command -v wg >/dev/null || skip_all "needs wg (wireguard-tools)"
(umask 077 && wg genkey >"$TMP/key.r" && wg genkey >"$TMP/key.f")
PUB_R=$(wg pubkey <"$TMP/key.r")
PUB_F=$(wg pubkey <"$TMP/key.f")

# Each comparison is with both, unless one is asked for.
run_compared() {
	local arms=("$ON+lookup" "$ON+socket")

	! names_output "$ON" || arms=("$ON")
	"$1" | "$PROBE" --compare off "${arms[@]}"
}

# use_kind KIND: the words that follow from it.
use_kind() {
	KIND=$1
	MIDDLE=10.1.0.1
	case $KIND in
	*6*)
		use_family 6
		MIDDLE=$HOST1
		LOCAL=2001:db8:9::1
		SPARE="$NET1 via $GW2 metric 2000"
		BY1=2001:db8:2::1
		BY2=2001:db8:3::1
		NEW=2001:db8:2::9
		;;
	*)
		use_family 4
		LOCAL=10.9.0.1
		SPARE="$NET1 via $GW2 metric 50"
		BY1=10.0.2.1
		BY2=10.0.3.1
		NEW=10.0.2.9
		;;
	esac
	# WireGuard has no local address of its own: it is that of the route, or was, if the
	# router still has it (IPv6).
	OUT1="$LOCAL>$MIDDLE"
	OUT2=$OUT1
	if [[ "$KIND" == wg* ]]; then
		OUT1="$BY1>$MIDDLE"
		OUT2="$BY2>$MIDDLE"
		[ "$FAMILY" = 4 ] || OUT2=">$MIDDLE"
	fi
}

# tunnel NS DEV HOST NET LOCAL REMOTE: one end, HOST 1 or 2 of 10.NET.0.0/16.
tunnel() {
	local ns=$1 dev=$2 host=$3 net=$4 local=$5 remote=$6
	local peer=$((3 - host)) hex ends="local $5 remote $6"

	[ "$remote" != - ] || ends="local $5"
	[ "$local" != - ] || ends="remote $6"
	printf -v hex '%02x' "$net"
	case $KIND in
	ipip | gre) echo "ip $ns link add $dev type $KIND $ends ttl 64 tos inherit" ;;
	ip6tnl) echo "ip $ns link add $dev type ip6tnl mode any $ends encaplimit none hoplimit 64 tclass inherit" ;;
	ip6gre) echo "ip $ns link add $dev type ip6gre $ends encaplimit none hoplimit 64 tclass inherit" ;;
	# The source port is a hash of what is inside otherwise.
	vxlan*) echo "ip $ns link add $dev address 02:00:00:00:$hex:0$host type vxlan id $net $ends dstport 4789 srcport 40000 40001 ttl 64 tos inherit nolearning" ;;
	wg*) echo "ip $ns link add $dev type wireguard" ;;
	esac
	if [ "$FAMILY" = 6 ]; then
		# No reports of groups through the tunnel.
		echo "sysctl $ns net/ipv6/conf/$dev/disable_ipv6 1"
	fi
	case $KIND in
	wg*) wg_set "$ns" "$dev" "$host" "$net" ;;
	esac
	lines <<-EOT
	ip $ns addr add 10.$net.0.$host/16 brd + dev $dev
	ip $ns link set $dev up
	EOT
	[[ "$KIND" != vxlan* ]] ||
		echo "ip $ns neigh add 10.$net.0.$peer lladdr 02:00:00:00:$hex:0$peer nud permanent dev $dev"
}

# Only the router knows where the other end is.
wg_set() {
	local ns=$1 dev=$2 host=$3 net=$4 key=r peer=$PUB_F

	[ "$host" = 2 ] || { key=f; peer="$PUB_R"; }
	echo "sh nsenter --net=/run/netns/$ns wg set $dev listen-port 51820 private-key $TMP/key.$key peer $peer allowed-ips 0.0.0.0/0"
	[ "$host" = 1 ] || wg_port 51820 "$dev"
}

wg_port() { # PORT [DEVICE]
	local to=$MIDDLE

	[ "$FAMILY" = 4 ] || to="[$MIDDLE]"
	echo "sh nsenter --net=/run/netns/afr wg set ${2:-t0} peer $PUB_F endpoint $to:$1"
}

# What is inside has to come from somewhere.
ipv4_inside() {
	[ "$FAMILY" = 6 ] || return 0
	lines <<-EOT
	sysctl afr net/ipv4/ip_forward 1
	ip afr addr add 10.0.1.1/24 brd + dev rc
	ip afr neigh add 10.0.1.2 lladdr 02:00:00:00:01:02 nud permanent dev rc
	ip afc addr add 10.0.1.2/24 brd + dev c0
	ip afc neigh add 10.0.1.1 lladdr 02:00:00:00:01:01 nud permanent dev c0
	ip afc route add default via 10.0.1.1
	EOT
	for ns in $NAMESPACES; do
		lines <<-EOT
		sysctl $ns net/ipv4/icmp_ratemask 0
		sysctl $ns net/ipv4/conf/all/rp_filter 0
		sysctl $ns net/ipv4/conf/default/rp_filter 0
		EOT
	done
}

# far NET DEV: the other end, twice.
far() {
	local ns

	for ns in af1 af2; do
		tunnel "$ns" "$2" 1 "$1" "$MIDDLE" "${3:-$LOCAL}"
		[ "$1" != 20 ] || echo "ip $ns route add 10.0.1.0/24 via 10.20.0.2"
	done
}

below() {
	local ns

	ipv4_inside
	echo "ip afr addr add $LOCAL$ONE dev lo $NODAD"
	for ns in af1 af2; do
		echo "ip $ns addr add $MIDDLE$ONE dev lo $NODAD"
	done
}

# made KIND: the topology, the tunnel, taps, sockets at its ends. With "any", the local
# address is the route's.
made() {
	use_kind "$1"
	topo_bare
	below
	echo "arm $NAMESPACES"
	far 20 t0 "${2:+-}"
	if [ -n "${2:-}" ]; then
		tunnel afr t0 2 20 - "$MIDDLE"
		OUT1="$BY1>$MIDDLE"
		OUT2="$BY2>$MIDDLE"
	else
		tunnel afr t0 2 20 "$LOCAL" "$MIDDLE"
	fi
	lines <<-EOT
	$TAPS
	ready
	sock in1 af1 bind=10.20.0.1:2000
	sock in2 af2 bind=10.20.0.1:2000
	sock own afr bind=10.20.0.2:3000
	EOT
	# A handshake first.
	if [[ "$KIND" == wg* ]]; then
		echo "say own to=10.20.0.1:2000"
		echo "frames s1 $OUT1 udp 51820>51820 len=$((FAMILY == 4 ? 176 : 156)) 1"
		echo "read in1"
	fi
	# What the kernel did for the tunnel by itself.
	echo "discard"
	begin
	[ "$FAMILY" = 4 ] || begin6
}

IN="send afc c0 dmac=$RMAC src=10.0.1.2 dst=10.20.0.1 tos=0x20"

# through BY [N]: a packet from the host and one of the router's own leave by that
# device, and nothing by the other; N of each, 1 if it says nothing.
through() {
	local n=${2:-1}

	lines <<-EOT
	$IN n=$n
	say own n=$n to=10.20.0.1:2000
	EOT
	if [ "$1" = 1 ]; then
		echo "frames s1 $OUT1 $((2 * n))"
		echo "frames s2 >$MIDDLE 0"
		echo "read in1"
	elif [ "$1" = 2 ]; then
		echo "frames s2 $OUT2 $((2 * n))"
		echo "frames s1 >$MIDDLE 0"
		echo "read in2"
	else
		echo "frames s1 >$MIDDLE 0"
		echo "frames s2 >$MIDDLE 0"
	fi
	echo "report by $1"
}

# done_with [CHECK]...: what was counted of the family outside is checked.
done_with() {
	echo "audit afr"
	if [ "$FAMILY" = 4 ]; then
		finish "$@"
	else
		finish
		finish6 "$@"
	fi
}

# checks LOOKUPS RECALLED: the last routes of sockets are asked for by those tunnels
# that look up as a socket. (The router's own packets inside do so, too, in IPv4.)
checks() {
	echo "least=known:$1"
	case $KIND in
	vxlan6 | wg*) echo "socket.least=recalled:$2" ;;
	esac
}

routes() {
	made "$1"
	through 1 5
	# And back.
	lines <<-EOT
	sock back af1 bind=10.20.0.1:1000
	say back n=3 to=10.0.1.2:1000
	frames c 10.20.0.1>10.0.1.2 3
	report back
	close back
	ip afr route replace $NET1 via $GW2
	EOT
	through 2
	through 2 5
	echo "ip afr route add $MIDDLE$ONE via $GW1"
	through 1
	echo "ip afr route del $MIDDLE$ONE"
	through 2
	echo "ip afr route replace $NET1 via $GW1"
	through 1
	echo "ip afr route add blackhole $MIDDLE$ONE"
	through none
	echo "ip afr route del blackhole $MIDDLE$ONE"
	through 1 5
	echo "ip afr route del $NET1"
	through none
	echo "ip afr route add $NET1 via $GW2"
	through 2
	if [[ "$KIND" == wg* ]]; then
		# Each makes it look again.
		for port in 51821 51820 51821 51820 51821 51820; do
			wg_port "$port"
			echo "say own to=10.20.0.1:2000"
			echo "frames s2 $OUT2 udp 51820>$port 1"
			echo "report $port"
		done
		# shellcheck disable=SC2046
		done_with $(checks 3 $((FAMILY == 4 ? 24 : 4)))
	else
		# shellcheck disable=SC2046
		done_with $(checks 12 8)
	fi
}

addresses() {
	made "$1"
	through 1 3
	if [[ "$KIND" != wg* ]]; then
		echo "ip afr addr del $LOCAL$ONE dev lo"
		# Nobody asks whether this address is still there.
		through "$([ "$KIND" = vxlan6 ] && echo 1 || echo none)"
		echo "ip afr addr add $LOCAL$ONE dev lo $NODAD"
		echo "ready"
		through 1
		through 1 5
	else
		new_address
		through 1 5
	fi
	# shellcheck disable=SC2046
	done_with $(checks $([[ "$KIND" == wg* ]] && echo 0 0 || echo 5 4))
}

# The address that was the route's goes, and another one takes its place.
new_address() {
	[ "$FAMILY" = 6 ] || echo "sysctl afr net/ipv4/conf/r1/promote_secondaries 1"
	lines <<-EOT
	ip afr addr add $NEW$LINK dev r1 $NODAD
	ready
	EOT
	# IPv6 prefers the newer one, where nothing is remembered.
	[ "$FAMILY" = 4 ] || OUT1=">$MIDDLE"
	through 1
	lines <<-EOT
	ip afr addr del $BY1$LINK dev r1
	ready
	EOT
	OUT1="$NEW>$MIDDLE"
	through 1
}

source_of() {
	made "$1" any
	through 1 5
	echo "ip afr route replace $NET1 via $GW2"
	through 2
	through 2 5
	echo "ip afr route replace $NET1 via $GW1"
	through 1
	new_address
	through 1 5
	# shellcheck disable=SC2046
	done_with $(checks 10 7)
}

devices() {
	made "$1"
	echo "ip afr route add $SPARE"
	through 1 3
	echo "ip afr link set r1 down"
	through 2
	through 2 3
	up_again r1 2
	echo "ip afr route add $NET1 via $GW1"
	through 1
	echo "ip afr link del r1"
	through 2
	through 2 3
	lines <<-EOT
	ip afr link del t0
	$IN n=2
	say own to=10.20.0.1:2000
	frames s2 >$MIDDLE 0
	report without a tunnel
	EOT
	# shellcheck disable=SC2046
	done_with $(checks $([[ "$KIND" == wg* ]] && echo 0 0 || echo 6 3))
}

loop() {
	made ipip
	through 1
	echo "ip afr route replace $NET1 dev t0"
	through none
	through none
	echo "ip afr route replace $NET1 via $GW2"
	through 2
	done_with least=known:3
}

# all_made KIND...: four tunnels t0 to t3 with their own prefixes, and traffic through
# each, of other lengths.
all_made() {
	local i=0 kind

	use_kind "$1"
	topo_bare
	below
	echo "ip afr route add $SPARE"
	echo "arm $NAMESPACES"
	for kind in "$@"; do
		use_kind "$kind"
		far $((20 + i)) "t$i"
		tunnel afr "t$i" 2 $((20 + i)) "$LOCAL" "$MIDDLE"
		i=$((i + 1))
	done
	echo "ready"
	for i in 0 1 2 3; do
		lines <<-EOT
		sock own$i afr bind=10.$((20 + i)).0.2:3000
		say own$i n=3 to=10.$((20 + i)).0.1:2000
		EOT
	done
	echo "$ALTFIB afr begin"
	for i in 0 1 2 3; do
		echo "flood f$i afc c0 pps=200 dmac=$RMAC src=10.0.1.2 dst=10.$((20 + i)).0.1 tos=0x20 len=$((100 * (i + 1)))"
	done
	echo "progress 100"
}

arm_of_all() {
	names_output "$ON" && echo "$ON" || echo "$ON+socket"
}

# From the end of this call on all four go by the other device.
removed() {
	local kind i=0

	all_made "$@"
	lines <<-EOT
	tap s2 af2 s0
	sh begin=\$(date +%s%3N); ip -n afr link del r1; echo "# gone in \$((\$(date +%s%3N) - begin)) ms"
	progress 100
	EOT
	for i in 0 1 2 3; do
		echo "say own$i n=3 to=10.$((20 + i)).0.1:2000"
	done
	echo "flood-end"
	i=0
	for kind in "$@"; do
		use_kind "$kind"
		echo "frames s2 >$MIDDLE $(outer "$i") 90+"
		i=$((i + 1))
	done
	echo "discard"
	echo "$ALTFIB afr end least=known:300"
	echo "audit afr"
}

# outer I: the word that tells the length of what flood I's packets are outside.
outer() {
	local len=$((28 + 100 * ($1 + 1)))

	case $KIND in
	*gre) len=$((len + 4)) ;;
	vxlan*) len=$((len + 30)) ;;
	wg*) len=$(((len + 15) / 16 * 16 + 40)) ;;
	esac
	# IPv6 does not count its own header.
	[ "$FAMILY" = 6 ] || len=$((len + 20))
	echo "len=$len"
}

only_removed() { removed "${KINDS4[@]}" | run_scenario "$(arm_of_all)"; }
only_removed6() { removed "${KINDS6[@]}" | run_scenario "$(arm_of_all)"; }

# When the last reference to the namespace is gone, so is the other end of its devices.
namespace() {
	all_made "$@"
	for i in 0 1 2 3; do
		echo "close own$i"
	done
	lines <<-EOT
	netns-del afr
	sh for i in \$(seq 100); do ip -n afc link show c0 >/dev/null 2>&1 || exit 0; sleep 0.1; done; exit 1
	flood-end
	sleep 2000
	EOT
}

only_namespace() { namespace "${KINDS4[@]}" | run_scenario "$(arm_of_all)"; }
only_namespace6() { namespace "${KINDS6[@]}" | run_scenario "$(arm_of_all)"; }

# The tunnels' sockets and last routes stay, altfib's do not.
unload() {
	local kind i=0

	all_made "$@"
	lines <<-EOT
	sh rmmod altfib
	tap s1 af1 s0
	progress 100
	flood-end
	EOT
	for kind in "$@"; do
		use_kind "$kind"
		echo "frames s1 >$MIDDLE $(outer "$i") 90+"
		i=$((i + 1))
	done
	echo "discard"
}

unloaded() {
	local rc=0

	unload "$@" | run_scenario "$(arm_of_all)" || rc=1
	altfib_loaded || insert_altfib || rc=1
	return "$rc"
}

only_unload() { unloaded "${KINDS4[@]}"; }
only_unload6() { unloaded "${KINDS6[@]}"; }

tests_run "$@"
