#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own network selftests, from the kernel's source: each one with
# altfib off, on and verifying.  The lists of results must be the same.
#
#   kernel-selftests.sh [--kernel KERNEL] [--arms "off on verify"]
#                       [--guests N] [fast|all|SUITE...]
#
# SUITE is a path below tools/testing/selftests/net, with arguments if need be,
# as one word: 'fib_nexthops.sh -t "basic ipv4_fcnal"'.  Default: fast, in the uml
# kernel, and uml-suites for all else.  Arms (default: off on verify) are values of the
# module's parameter mode=, so they hold for every namespace, or MODE+OUTPUT for
# net.altfib.output besides (in User-Mode Linux); each arm has a guest
# of its own, N at a time (default: as many as CPUs).  The first is what the
# others are compared with; "verify" has the kernel decide, and compares each
# packet too.  ALTFIB_SUITE_TIMEOUT: seconds for each suite (600).  In uml-suites
# these are seconds of the guest's clock, which does not wait for sleepers;
# with ALTFIB_APPEND= (empty) it is the host's.
#
# Prints TAP, one line for each suite: how many results, "attached A of N
# eligible, IPv6 A of N", and why the kernel got the rest.  Where altfib attached nothing,
# equal lists prove nothing: "not exercised", which is a failure for one of fast.  With
# MODE+OUTPUT also "own lookups A of N", answered or compared, and how many there was no
# need for, since the socket had its last route; none of either is "not exercised", too.
# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ALTFIB_TOP/scripts/toolchain.sh"
. "$ALTFIB_TOP/scripts/setup/check.sh"
. "$ALTFIB_TOP/scripts/setup/packages.sh"
args=("$@")

# A minute in User-Mode Linux; altfib attaches packets in each of them, and none
# needs more than the common packages.
fast=(
	icmp.sh fib_nexthop_multiprefix.sh fib_nexthop_nongw.sh unicast_extensions.sh
	"fib_tests.sh -t ipv4_mangle" "fib_nexthops.sh -t ipv4_fcnal_runtime"
)
# Split so that a difference is told apart, and run again, in minutes;
# docs/selftests.md has what each showed.
all=(
	"${fast[@]}" fib_rule_tests.sh
	icmp_redirect.sh exception_cache.sh traceroute.sh vrf_route_leaking.sh
	'fib_tests.sh -t "unregister down carrier nexthop suppress"'
	'fib_tests.sh -t "ipv6_notify ipv4_notify ipv6_rt ipv4_rt rp_filter ipv4_bcast_neigh"'
	'fib_tests.sh -t "ipv6_addr_metric ipv4_addr_metric ipv6_route_metrics ipv4_route_metrics"'
	'fib_tests.sh -t "ipv4_route_v6_gw ipv4_del_addr ipv6_del_addr ipv6_mangle"'
	'fib_tests.sh -t "fib6_gc_test fib6_ra_to_static fib6_temp_addr_renewal"'
	'fib_tests.sh -t "ipv4_mpath_balance ipv6_mpath_balance ipv4_mpath_balance_preferred"'
	'fib_tests.sh -t "ipv4_mpath_oif ipv4_mpath_oif_nh ipv4_mpath_oif_vrf"'
	'fib_tests.sh -t "ipv6_mpath_oif ipv6_mpath_oif_nh ipv6_mpath_oif_vrf"'
	"fib_nexthops.sh -t basic" "fib_nexthops.sh -t ipv6_fcnal_runtime"
	'fib_nexthops.sh -t "ipv4_fcnal ipv4_grp_fcnal ipv4_res_grp_fcnal ipv4_withv6_fcnal"'
	'fib_nexthops.sh -t "ipv6_fcnal ipv6_grp_fcnal ipv6_res_grp_fcnal"'
	'fib_nexthops.sh -t "ipv4_mpath_select ipv4_compat_mode"'
	'fib_nexthops.sh -t "ipv6_mpath_select ipv6_compat_mode ipv6_fdb_grp_fcnal"'
	"pmtu.sh pmtu_ipv4_exception pmtu_ipv4_route_change list_flush_ipv4_exception"
	"pmtu.sh pmtu_ipv4_mp_exceptions pmtu_vti4_exception"
	"pmtu.sh pmtu_ipv6_exception pmtu_ipv6_route_change"
	"pmtu.sh pmtu_ipv6_vxlan4_exception pmtu_ipv6_vxlan6_exception pmtu_ipv6_fou6_exception \
pmtu_ipv6_ipv6_exception pmtu_ipv4_ipv6_exception pmtu_ipv6_ipv4_exception"
	"pmtu.sh pmtu_vti6_exception pmtu_vti6_udp_exception pmtu_vti6_udp_routed_exception \
cleanup_ipv6_exception list_flush_ipv6_exception"
	fib-onlink-tests.sh route_localnet.sh vrf_strict_mode_test.sh ip_defrag.sh
	ndisc_unsolicited_na_test.sh arp_ndisc_untracked_subnets.sh route_hint.sh
	ipv6_force_forwarding.sh ip6_tunnel.sh l2tp.sh vrf-xfrm-tests.sh xfrm_policy.sh ioam6.sh
	srv6_end_dt46_l3vpn_test.sh srv6_end_dt4_l3vpn_test.sh srv6_end_dt6_l3vpn_test.sh
	srv6_end_next_csid_l3vpn_test.sh srv6_end_x_next_csid_l3vpn_test.sh srv6_end_flavors_test.sh
	srv6_end_dx4_netfilter_test.sh srv6_end_dx6_netfilter_test.sh
	srv6_hencap_red_l3vpn_test.sh srv6_hl2encap_red_l2vpn_test.sh
	srv6_iptunnel_cache.sh
	tcp_ecmp_failover.sh udpgro_fwd.sh
	"fcnal-test.sh -t ipv4_ping" "fcnal-test.sh -t ipv4_udp" "fcnal-test.sh -t ipv4_tcp"
	"fcnal-test.sh -t ipv4_bind" "fcnal-test.sh -t ipv4_runtime" "fcnal-test.sh -t ipv4_netfilter"
	"fcnal-test.sh -t ipv6_ping" "fcnal-test.sh -t ipv6_udp" "fcnal-test.sh -t ipv6_tcp"
	"fcnal-test.sh -t ipv6_bind" "fcnal-test.sh -t ipv6_runtime" "fcnal-test.sh -t ipv6_netfilter"
	"fcnal-test.sh -t use_cases"
	netfilter/nft_nat.sh netfilter/conntrack_icmp_related.sh netfilter/conntrack_vrf.sh
	netfilter/nft_flowtable.sh netfilter/br_netfilter.sh netfilter/rpath.sh
	forwarding/router.sh forwarding/router_nh.sh forwarding/router_multipath.sh
	forwarding/router_broadcast.sh forwarding/router_multicast.sh
	forwarding/router_vid_1.sh forwarding/router_mpath_nh.sh forwarding/router_mpath_nh_res.sh
	forwarding/gre_multipath.sh forwarding/gre_multipath_nh.sh forwarding/custom_multipath_hash.sh
	forwarding/ip6gre_flat.sh forwarding/ip6gre_hier_keys.sh forwarding/ip6gre_inner_v6_multipath.sh
)

kernel=
arms=(off on verify)
guests_at_once=$(nproc)
suites=()
needs_all=
while (($#)); do
	case $1 in
	--kernel) kernel=$2 && shift 2 ;;
	--arms) read -ra arms <<<"$2" && shift 2 ;;
	--guests) guests_at_once=$2 && shift 2 ;;
	fast) suites+=("${fast[@]}") && shift ;;
	all) suites+=("${all[@]}") && needs_all=yes && shift ;;
	-*) die "kernel-selftests.sh: unknown option \"$1\"" ;;
	*) suites+=("$1") && needs_all=yes && shift ;;
	esac
done
((${#suites[@]})) || suites=("${fast[@]}")
((${#arms[@]} >= 2)) || die "kernel-selftests.sh: two arms at least, such as --arms \"off on\""
# The plain kernel lacks what most of them ask for.
[[ -n $kernel ]] || kernel=uml${needs_all:+-suites}

# Installs as root, so before all else.
if [[ -z ${ALTFIB_SUITES_SETUP:-} ]]; then
	[[ -n ${ALTFIB_SETUP_DONE:-} ]] || "$ALTFIB_TOP/scripts/setup.sh" "$kernel"
	if [[ -n $needs_all ]]; then
		packages_wanted() { printf '%s\n' "${packages_suites[@]}"; }
		packages_done || packages_run
	fi
fi
become_builder ALTFIB_SUITES_SETUP=1 "$(readlink -f "$0")" "${args[@]}"
cd "$ALTFIB_TOP"

build_module "$kernel" | sed 's/^/# /'
source=$(find_source)/tools/testing/selftests
net=$ALTFIB_CACHE/build/kernel-selftests/net

# The suites write beside themselves, and want helpers built there; the kernel's
# source stays as it is.
prepare() {
	local tool lib log=$ALTFIB_LOG/kernel-selftests.log
	rm -rf "${net%/*}"
	mkdir -p "${net%/*}"
	cp -r "$source"/{net,kselftest,lib,kselftest.h} "${net%/*}/"
	: >"$log"
	for tool in nettest ip_defrag udpgso_bench_tx udpgso_bench_rx ioam6_parser cmsg_sender \
		netfilter/{nf_queue,connect_close,udpclash,conntrack_reverse_clash}; do
		lib=-lpthread
		[[ $tool != */nf_queue ]] || lib=-lmnl
		gcc -O1 -w -I"$net/.." -o "$net/$tool" "$net/$tool.c" "$lib" >>"$log" 2>&1 ||
			printf '# no %s: it did not build (log: %s)\n' "$tool" "$log"
	done
	for tool in mausezahn socat traceroute iptables jq tcpdump conntrack smcrouted ra6 ipvsadm iperf3; do
		command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null ||
			printf '# no %s here: what needs it is skipped with and without altfib\n' "$tool"
	done
}
prepare

# Most of what suites do is wait.  There nobody waits: where all would sleep, the
# clock jumps.
travel=
[[ $kernel != uml-suites ]] || travel=time-travel

out=$ALTFIB_CACHE/run/kernel-selftests
rm -rf "$out"
guest_rc=0

# run_guests SUITE...: a guest for each arm.
run_guests() {
	local arm i rc
	local -a guests=()
	for arm in "${arms[@]}"; do
		while (($(jobs -rp | wc -l) >= guests_at_once)); do sleep 0.2; done
		mkdir -p "$out/$arm"
		scripts/vm.sh --kernel "$kernel" --cpus 2 --memory 2G --output "$out/$arm" \
			--append "${ALTFIB_APPEND-$travel}" --timeout "${ALTFIB_TIMEOUT:-7200}" -- \
			bash scripts/kernel-selftests-guest.sh "$arm" "$net" "$@" \
			>"$out/$arm/output" 2>&1 &
		guests+=($!)
	done
	for i in "${!guests[@]}"; do
		rc=0
		wait "${guests[i]}" || rc=$?
		if ((rc != 0)); then
			guest_rc=1
			printf '# the guest with mode=%s ended with status %s:\n' "${arms[i]}" "$rc"
			tail -n 30 "$out/${arms[i]}/output" | sed 's/^/#   /'
		fi
	done
}

# file ARM SUITE: without its ending.
file() { printf '%s\n' "$out/$1/${2//[^A-Za-z0-9.-]/_}"; }

# results ARM SUITE: one line for each result, without what differs by chance:
# colours, columns, the ends of namespaces' names.
results() {
	sed -E -e 's/\x1b\[[0-9;]*m//g' -e 's/[[:space:]]+/ /g' \
		-e 's/\b([a-z][a-z0-9_]*)-[A-Za-z0-9]{6}\b/\1-XXXXXX/g' "$(file "$1" "$2").log" 2>/dev/null |
		grep -E '\[ ?(OK|FAIL|SKIP|XFAIL|PASS|UNSUPP) ?\]|^ ?(ok|not ok|OK|PASS|FAIL|SKIP|ERROR)\b|^.* (ok|fail)$|^status [0-9]+$' || true
}

# sums ARM SUITE: "A N A6 N6 MISMATCHES L M L6 M6 S REASON=N...", over all samples of the
# suite: attached and eligible of IPv4, of IPv6; of the host's own lookups, those that
# altfib answered or compared and all, of IPv4, of IPv6; sockets' last routes of both.
sums() {
	awk '
	# The number before a word.
	function before(word) {
		return match($0, "[0-9]+ " word) ? substr($0, RSTART) + 0 : 0
	}
	function hex(text,   i, n) {
		for (i = 1; i <= length(text); i++)
			n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
		return n
	}
	# What follows is of this file.
	$1 == "==>" { file = $2; six = file ~ /6$/ ? "6" : ""; next }
	file ~ /mismatches$/ { next }
	file == "log" { logged++; next }
	file ~ /status$/ {
		six = /^IPv6/ ? "6" : ""
		if (/output: /) {
			own[six] += before("lookups answered") + before("compared")
			left[six] += before("learned") + before("left to")
		} else if (/sockets: /) {
			sockets += before("had their") + before("compared")
		}
		if (/output: |sockets: /) mismatch += before("mismatches")
		next
	}
	$1 == "entries" { split($0, name); next }
	# A line of hexadecimal numbers: one CPU.
	/^[0-9a-f]+( [0-9a-f]+)+ *$/ {
		for (i = 1; i <= NF; i++) {
			if (name[i] ~ /^(forward|local|verified)$/) attached[six] += hex($i)
			if (name[i] == "mismatch") mismatch += hex($i)
		}
		next
	}
	# The last: a VRF shows its packets again.
	$1 ~ /^(has_dst|not_unicast_frame|special_address|bridge|vrf)$/ { next }
	$2 ~ /^[0-9]+$/ && $2 > 0 { punt[six ? "ipv6:" $1 : $1] += $2; punts[six] += $2 }
	END {
		for (why in punt) text = text " " why "=" punt[why]
		if (mismatch < logged) mismatch = logged
		print attached[""] + 0, attached[""] + punts[""] + 0,
			attached["6"] + 0, attached["6"] + punts["6"] + 0, mismatch + 0,
			own[""] + 0, own[""] + left[""], own["6"] + 0, own["6"] + left["6"],
			sockets + 0 text
	}' "$(file "$1" "$2").sample" 2>/dev/null || echo 0 0 0 0 0 0 0 0 0 0
}

# mismatches ARM SUITE: what the namespaces told of them, a line each.
mismatches() {
	awk '$1 == "==>" { mine = $2 ~ /mismatches$|^log$/; next } mine && NF' \
		"$(file "$1" "$2").sample" 2>/dev/null || true
}

# differs ARM SUITE: from the first arm; the difference is in $out/diff.
differs() {
	results "${arms[0]}" "$2" >"$out/a"
	results "$1" "$2" >"$out/b"
	! diff "$out/a" "$out/b" >"$out/diff"
}

# Those were chosen because altfib has something to do there.
is_fast() {
	local suite
	for suite in "${fast[@]}"; do
		[[ $suite != "$1" ]] || return 0
	done
	return 1
}

run_guests "${suites[@]}"
# Some results depend on a timeout, and so on chance, with or without altfib.
for try in 2 3; do
	again=()
	for suite in "${suites[@]}"; do
		for arm in "${arms[@]:1}"; do
			if differs "$arm" "$suite"; then
				printf '# %s differs with mode=%s, try %d follows:\n' "$suite" "$arm" "$try"
				head -n 40 "$out/diff" | sed 's/^/#   /'
				[[ " ${again[*]} " == *" $suite "* ]] || again+=("$suite")
			fi
		done
	done
	((${#again[@]})) || break
	run_guests "${again[@]}"
done

echo "TAP version 13"
echo "1..$((${#suites[@]} * (${#arms[@]} - 1) + 1))"
n=0
failed=0
base=${arms[0]}
for suite in "${suites[@]}"; do
	for arm in "${arms[@]:1}"; do
		n=$((n + 1))
		same=yes
		! differs "$arm" "$suite" || same=
		read -r attached eligible attached6 eligible6 mismatches own owned own6 owned6 sockets punts \
			< <(sums "$arm" "$suite")
		# What equal lists would prove nothing without.
		exercised=$((attached + attached6 > 0))
		exercised_own=$((own + own6 + sockets > 0))
		[[ $arm == *+lookup || $arm == *+socket ]] || exercised_own=$exercised
		count=$(grep -vc '^status ' "$out/b" || true)
		# Some tell only by their exit status.
		((count > 0)) || ! grep -qx 'status 0' "$out/b" || count=1
		bad=$(grep -cE 'FAIL|ERROR|^ ?not ok| fail$' "$out/b" || true)
		text="$suite $arm: $count results, $bad of them failures; attached $attached of $eligible eligible"
		((eligible6 == 0)) || text+=", IPv6 $attached6 of $eligible6"
		if [[ $arm == *+lookup || $arm == *+socket ]]; then
			text+="; own lookups $own of $owned, IPv6 $own6 of $owned6"
			((sockets == 0)) || text+=", $sockets by the socket's last route"
		fi
		! grep -qE '^status (124|137)$' "$out/b" || text+="; cut off by the time limit"
		took=$(sed -n 's/^took //p' "$(file "$arm" "$suite").log" 2>/dev/null || true)
		if [[ $(tail -qn1 "$out/a" "$out/b" | grep -c '^status ') != 2 ]]; then
			printf 'not ok %d %s: broken off\n' "$n" "$suite $arm"
			failed=$((failed + 1))
		elif [[ -z $same ]]; then
			sed 's/^/#   /' "$out/diff"
			printf 'not ok %d %s: DIFFERENT from mode=%s\n' "$n" "$text" "$base"
			failed=$((failed + 1))
		elif ((mismatches > 0)); then
			printf 'not ok %d %s, %d mismatches\n' "$n" "$text" "$mismatches"
			mismatches "$arm" "$suite" | sed 's/^/#   /'
			failed=$((failed + 1))
		elif ((!exercised || !exercised_own)) && is_fast "$suite"; then
			printf 'not ok %d %s: not exercised\n' "$n" "$text"
			failed=$((failed + 1))
		elif ((count == 0)); then
			printf 'ok %d %s: not run (%s)\n' "$n" "$suite $arm" "$(tr '\n' ' ' <"$out/b")"
		elif ((!exercised_own)); then
			printf 'ok %d %s: not exercised\n' "$n" "$text"
		else
			printf 'ok %d %s: identical\n' "$n" "$text"
		fi
		printf '#   %s s%s\n' "${took:-?}" "${punts:+; punted: $punts}"
	done
done
n=$((n + 1))
if ((guest_rc == 0)); then
	echo "ok $n the kernel logs are clean"
else
	echo "not ok $n the kernel logs are clean"
	failed=$((failed + 1))
fi
((failed == 0)) && exit 0
exit 1
}
