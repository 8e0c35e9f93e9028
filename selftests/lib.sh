# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by every test program.
#
# A test is a shell function that prints a scenario for `probe` (see probe.c).
# It is run twice, in fresh namespaces each time: with altfib off, and with
# altfib on. Both runs must print the same: the same frames out of the router,
# the same ICMP, the same counters. Lines that start with '#' are not compared;
# those of the second run are shown, so that each test says how many packets
# altfib attached.
#
# A program lists its tests in ALL_TESTS, one "function: description" each,
# and ends with `tests_run "$@"`. A function whose name starts with "only_" is
# no comparison: it is called once, and its own exit status counts.

set -uo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PROBE=${PROBE:-$HERE/probe}
# `make OUTPUT=FOLDER run_tests` builds there and runs here.
[ -x "$PROBE" ] || PROBE=${OUTPUT:-$HERE}/probe
KSFT_SKIP=4
# The mode to be compared with "off", and that of only_ tests; none without altfib.
export ON=${ALTFIB_ARM:-on}
TMP=$(mktemp -d "${TMPDIR:-/tmp}/altfib.XXXXXX")

# The topology. Names are short: device names end at 15 characters.
#
#                        +-- r1 -- s0 af1   10.0.2.2, next hop of 10.1.0.0/16
#   afc c0 -- rc  afr ---+
#   10.0.1.2              +-- r2 -- s0 af2   10.0.3.2, next hop of 10.2.0.0/16
#
# The router has the .1 of each link. MAC addresses are 02:00:00:00:LINK:HOST,
# so that a frame tells its gateway. Neighbours are permanent and IPv6 is off:
# nothing moves that the test did not send.
NAMESPACES="afc afr af1 af2"
RMAC=02:00:00:00:01:01
export TX="send afc c0 dmac=$RMAC src=10.0.1.2"

# The same for IPv6, with the same namespaces and devices: 2001:db8:LINK::HOST, and
# 2001:db8:a::/48 by r1, 2001:db8:b::/48 by r2. topo6 instead of topo.
export TX6="send afc c0 dmac=$RMAC src=2001:db8:1::2"

# names_output ARM: an arm is MODE, MODE+OUTPUT, MODE+CACHE, or both in any order.
names_output() {
	[[ $1+ == *+@(off|lookup|socket)+* ]]
}

altfib_loaded() {
	[ -e /proc/sys/net/altfib/mode ]
}

# link NS DEV HOST NET PEER_NS PEER_DEV: a veth pair. Its two ends have different
# indexes: with equal ones the kernel takes up to a second to notice the carrier.
link() {
	local ns=$1 dev=$2 host=$3 net=$4 pns=$5 pdev=$6

	echo "ip - link add $dev index 1$net netns $ns address 02:00:00:00:0$net:0$host type veth peer name $pdev index 2$net netns $pns address 02:00:00:00:0$net:02"
}

link_up() {
	local ns=$1 dev=$2 host=$3 net=$4 peer=$5

	lines <<-EOT
	ip $ns link set lo up
	ip $ns addr add 10.0.$net.$host/24 brd + dev $dev
	ip $ns link set $dev up
	ip $ns neigh add 10.0.$net.$peer lladdr 02:00:00:00:0$net:0$peer nud permanent dev $dev
	EOT
}

# The whole topology, without taps and without traffic. Made once: in the guest
# each of the processes that write it costs as much as a test's packets.
topo_bare() {
	if [ "$FAMILY" = 4 ]; then
		printf '%s\n' "$TOPOLOGY"
	else
		printf '%s\n' "$TOPOLOGY6" ready
	fi
}

topology() {
	local ns

	echo "netns $NAMESPACES"
	for ns in $NAMESPACES; do
		echo "sysctl $ns net/ipv6/conf/all/disable_ipv6 1"
		echo "sysctl $ns net/ipv6/conf/default/disable_ipv6 1"
		echo "sysctl $ns net/ipv4/icmp_ratemask 0"
		echo "sysctl $ns net/ipv4/conf/all/rp_filter 0"
		echo "sysctl $ns net/ipv4/conf/default/rp_filter 0"
	done
	echo "sysctl afr net/ipv4/ip_forward 1"
	link afr rc 1 1 afc c0
	link afr r1 1 2 af1 s0
	link afr r2 1 3 af2 s0
	link_up afr rc 1 1 2
	link_up afr r1 1 2 2
	link_up afr r2 1 3 2
	echo "ip afr route add 10.1.0.0/16 via 10.0.2.2"
	echo "ip afr route add 10.2.0.0/16 via 10.0.3.2"
	link_up afc c0 2 1 1
	echo "ip afc route add default via 10.0.1.1"
	link_up af1 s0 2 2 1
	echo "ip af1 route add default via 10.0.2.1"
	link_up af2 s0 2 3 1
	echo "ip af2 route add default via 10.0.3.1"
}

link_up6() {
	local ns=$1 dev=$2 host=$3 net=$4 peer=$5

	lines <<-EOT
	ip $ns link set lo up
	ip $ns link set $dev up
	ip $ns addr add 2001:db8:$net::$host/64 dev $dev nodad
	ip $ns neigh add 2001:db8:$net::$peer lladdr 02:00:00:00:0$net:0$peer nud permanent dev $dev
	EOT
}

# No duplicate address detection, no router solicitations or advertisements, no
# limits for ICMPv6 errors. MLD reports can't be switched off: taps and counters6
# leave them out.
topology6() {
	local ns conf

	echo "netns $NAMESPACES"
	for ns in $NAMESPACES; do
		for conf in all default; do
			lines <<-EOT
			sysctl $ns net/ipv6/conf/$conf/accept_dad 0
			sysctl $ns net/ipv6/conf/$conf/dad_transmits 0
			sysctl $ns net/ipv6/conf/$conf/router_solicitations 0
			sysctl $ns net/ipv6/conf/$conf/accept_ra 0
			sysctl $ns net/ipv6/conf/$conf/mldv2_unsolicited_report_interval 1
			EOT
		done
		echo "sysctl $ns net/ipv6/icmp/ratemask 0"
		# Of a socket they are random.
		echo "sysctl $ns net/ipv6/auto_flowlabels 0"
	done
	echo "sysctl afr net/ipv6/conf/all/forwarding 1"
	link afr rc 1 1 afc c0
	link afr r1 1 2 af1 s0
	link afr r2 1 3 af2 s0
	link_up6 afr rc 1 1 2
	link_up6 afr r1 1 2 2
	link_up6 afr r2 1 3 2
	echo "ip afr route add 2001:db8:a::/48 via 2001:db8:2::2"
	echo "ip afr route add 2001:db8:b::/48 via 2001:db8:3::2"
	link_up6 afc c0 2 1 1
	echo "ip afc route add ::/0 via 2001:db8:1::1"
	link_up6 af1 s0 2 2 1
	echo "ip af1 route add ::/0 via 2001:db8:2::1"
	link_up6 af2 s0 2 3 1
	echo "ip af2 route add ::/0 via 2001:db8:3::1"
}

# The words of the topology in one family, for tests that run in both.
# shellcheck disable=SC2034
use_family() {
	FAMILY=$1
	if [ "$1" = 4 ]; then
		ALTFIB=altfib
		SRC=10.0.1.2
		# The gateways by r1 and r2, and the first of 32 more by r1.
		GW1=10.0.2.2
		GW2=10.0.3.2
		GW100=10.0.2.100
		# By r1, and other prefixes.
		NET1=10.1.0.0/16
		HOST1=10.1.0.1
		NET5=10.5.0.0/16
		HOST5=10.5.0.1
		SUB5=10.5.0.0/24
		# For a shell's i.
		SUB5_I="10.5.\$i.0/24"
		ANY=0.0.0.0/0
		# Prefixes side by side: 256 addresses each.
		FILL=11.0.0.0/24
		FILLED=11.0.0.1
		# Inside of them, and a longer one.
		HOST11=11.5.0.1
		SUB11=11.5.0.0/25
		ONE=/32
		LINK=/24
		NODAD=""
	else
		ALTFIB=altfib6
		SRC=2001:db8:1::2
		GW1=2001:db8:2::2
		GW2=2001:db8:3::2
		GW100=2001:db8:2::64
		NET1=2001:db8:a::/48
		HOST1=2001:db8:a::1
		NET5=2001:db8:5::/48
		HOST5=2001:db8:5::1
		SUB5=2001:db8:5::/64
		SUB5_I="2001:db8:5:\$i::/64"
		ANY=::/0
		FILL=2001:db8:b00::/120
		FILLED=2001:db8:b00::1
		HOST11=2001:db8:b00::5:1
		SUB11=2001:db8:b00::5:0/121
		ONE=/128
		LINK=/64
		NODAD=nodad
	fi
}
use_family 4

# address NET HOST: sets ADDRESS to that of a host on a link.
address() {
	if [ "$FAMILY" = 4 ]; then
		ADDRESS=10.0.$1.$2
	else
		printf -v ADDRESS '2001:db8:%x::%x' "$1" "$2"
	fi
}

# A program may do here what its tests need before they run with IPv6.
before_ipv6() { :; }

# in_ipv6 TEST...: these of ALL_TESTS once more, with IPv6, a 6 behind their names.
in_ipv6() {
	local fn entry

	for fn in "$@"; do
		for entry in "${ALL_TESTS[@]}"; do
			[ "${entry%%:*}" = "$fn" ] || continue
			ALL_TESTS+=("${fn}6: IPv6: ${entry#*: }")
			eval "${fn}6() { use_family 6; before_ipv6; $fn; }"
		done
	done
}

# What link_up does, in the family of the test.
family_link_up() {
	if [ "$FAMILY" = 4 ]; then
		link_up "$@"
	else
		link_up6 "$@"
	fi
}

# up_again DEV NET: a device of the router, with what down took away.
up_again() {
	local dev=$1 net=$2

	echo "ip afr link set $dev up"
	if [ "$FAMILY" = 6 ]; then
		address "$net" 1
		echo "ip afr addr add $ADDRESS/64 dev $dev nodad"
		echo "ready"
	fi
	address "$net" 2
	echo "ip afr neigh replace $ADDRESS lladdr 02:00:00:00:0$net:02 nud permanent dev $dev"
}

TAPS="tap c afc c0
tap s1 af1 s0
tap s2 af2 s0"

# The topology, altfib in the mode of this run, taps on the three hosts.
topo() {
	topo_bare
	printf '%s\n' "arm $NAMESPACES" "$TAPS"
	begin
}

topo6() {
	printf '%s\n' "$TOPOLOGY6" "arm $NAMESPACES" "$TAPS" ready
	begin6
}

begin6() {
	printf '%s\n' "counters6 afr begin" "altfib6 afr begin"
}

finish6() {
	printf '%s\n' report "counters6 afr end" "altfib6 afr end $*"
}

begin() {
	printf '%s\n' "counters afr begin" "altfib afr begin"
}

# finish [CHECK]...: what the taps saw, the counters that moved, the share.
finish() {
	printf '%s\n' report "counters afr end" "altfib afr end $*"
}

# gateways DEV BASE COUNT NET: permanent neighbours, of whom the first is host BASE
# of the link; the MAC address of each ends like its IP address.
gateways() {
	local dev=$1 base=$2 count=$3 net=$4 i

	for ((i = base; i < base + count; i++)); do
		address "$net" "$i"
		printf 'ip afr neigh add %s lladdr 02:00:00:00:%02x:%02x nud permanent dev %s\n' \
			"$ADDRESS" "$net" "$i" "$dev"
	done
}

# Standard input to standard output, as cat, but without its process.
lines() {
	local text

	IFS= read -r -d '' text
	printf '%s' "$text"
}

in_ns() {
	nsenter --net="/run/netns/$1" "${@:2}"
}

comment() {
	sed 's/^/# /'
}

# Shown with a failure that is not a difference.
fail() {
	echo "# $*"
	return 1
}

run_compared() {
	local fn=$1 a=off b=$ON

	altfib_loaded || a=none b=none
	"$fn" | "$PROBE" --compare "$a" "$b"
}

# Kernel messages that fail a program, wherever they come from.
KMSG_BAD='BUG:|WARNING:|Oops|Call Trace|general protection|unable to handle|to become free|detected (expedited )?stall|rcu_.*stall|refcount_t|KASAN|possible (circular|recursive)|suspicious RCU|Kernel panic|Unknown symbol|blocked for more'

# kmsg_bad MARK: the bad messages since the line that holds MARK.
kmsg_bad() {
	dmesg >"$TMP/dmesg"
	# If the mark has left the ring buffer, all that is there came after it.
	grep -q "$1" "$TMP/dmesg" || echo "$1" | cat - "$TMP/dmesg" >"$TMP/dmesg2"
	[ ! -e "$TMP/dmesg2" ] || mv "$TMP/dmesg2" "$TMP/dmesg"
	sed -n "/$1/,\$p" "$TMP/dmesg" | grep -E "$KMSG_BAD"
}

kmsg_mark() {
	echo "altfib selftest: $1" >/dev/kmsg
}

insert_altfib() {
	[ -n "${ALTFIB_KO:-}" ] || fail "set ALTFIB_KO=path/to/altfib.ko" || return 1
	insmod "$ALTFIB_KO" "$@"
}

# run_scenario ARM: standard input to probe, for the tests that are no comparison.
# Everything it prints is shown; a line that is no comment fails.
run_scenario() {
	"$PROBE" --check "$1"
}

# Routes of a big table. A kernel with its checkers on, and emulated, takes 10 ms
# to add one. More than 1,300, since tests send to the 1,281st.
export MANY=${ALTFIB_MANY:-20000}

# Races need a second CPU: with one, each test of the program fails.
MIN_CPUS=1

cpus() {
	grep -c '^processor' /proc/cpuinfo
}

cleanup() {
	echo "netns-del $NAMESPACES" | "$PROBE" none 2>/dev/null
	rm -rf "$TMP"
}

# skip_all WHY: nothing of this program can run here.
skip_all() {
	echo "TAP version 13"
	echo "1..0 # SKIP $*"
	rm -rf "$TMP"
	exit $KSFT_SKIP
}

run_test() {
	case $1 in
	only_*) "$1" 2>&1 | sed -u 's/^# //; s/^/# /' ;;
	false) return 1 ;;
	*) run_compared "$1" ;;
	esac
}

tests_run() {
	local entry fn desc mark n=0 failed=0 rc begin retries=${ALTFIB_RETRIES:-0}

	if [ "${1:-}" = --count ]; then
		echo "$((${#ALL_TESTS[@]} + 1))"
		rm -rf "$TMP"
		exit 0
	fi
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	[ -x "$PROBE" ] || skip_all "probe is not built: run make here"
	if ! altfib_loaded && [ -n "${ALTFIB_KO:-}" ]; then
		insmod "$ALTFIB_KO" || exit 1
	fi
	if ! altfib_loaded && [ -z "${ALTFIB_ABSENT:-}" ]; then
		skip_all "altfib is not loaded (set ALTFIB_KO=path/to/altfib.ko)"
	fi
	altfib_loaded || ON=none
	# One "unreachable" a second after the first five, by the clock: the two runs of
	# a test must not differ by how fast the machine was. Not a namespace's setting.
	echo 0 >/proc/sys/net/ipv4/route/error_cost
	# And redirects to one host, which come faster the longer ago the last one was: one.
	echo 1 >/proc/sys/net/ipv4/route/redirect_number
	echo 1000000000 >/proc/sys/net/ipv4/route/redirect_silence
	trap cleanup EXIT
	TOPOLOGY=$(topology)
	TOPOLOGY6=$(topology6)
	echo "TAP version 13"
	echo "1..$((${#ALL_TESTS[@]} + 1))"
	echo "# $(cpus) CPUs, $(uname -r)"
	mark="$(basename "$0") $$"
	kmsg_mark "$mark"
	for entry in "${ALL_TESTS[@]}"; do
		fn=${entry%%:*}
		desc=${entry#*: }
		n=$((n + 1))
		if [ $# != 0 ] && [[ " $* " != *" $fn "* ]]; then
			echo "ok $n $desc # SKIP not asked for"
			continue
		fi
		if [ "$(cpus)" -lt $MIN_CPUS ]; then
			echo "# needs $MIN_CPUS CPUs to run packets beside the change"
			fn=false
		fi
		begin=$SECONDS
		rc=0
		run_test "$fn" || rc=1
		if [ $rc = 1 ] && [ "$fn" != false ] && [ "$retries" -gt 0 ]; then
			# Shown by the name it has, so that nobody takes it for a first success.
			retries=$((retries - 1))
			echo "# failed, and is run once more: $fn"
			rc=0
			run_test "$fn" || rc=1
			[ $rc = 1 ] || desc="$desc (the second time)"
		fi
		if [ $((SECONDS - begin)) -gt 9 ]; then
			echo "# $((SECONDS - begin)) s"
		fi
		if [ $rc = 0 ]; then
			echo "ok $n $desc"
		else
			echo "not ok $n $desc"
			failed=$((failed + 1))
		fi
	done
	n=$((n + 1))
	if kmsg_bad "$mark" >"$TMP/out"; then
		head -n 20 "$TMP/out" | comment
		echo "not ok $n the kernel log is clean"
		failed=$((failed + 1))
	else
		echo "ok $n the kernel log is clean"
	fi
	echo "# Totals: pass:$((n - failed)) fail:$failed"
	[ "$failed" = 0 ]
	exit
}
