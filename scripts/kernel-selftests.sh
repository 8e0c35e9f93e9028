#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own network selftests, from the kernel's source: each one with
# altfib off and with altfib on.  The lists of results must be the same.
#
#   kernel-selftests.sh [--kernel KERNEL] [--arms "off on"] [fast|all|SUITE...]
#
# SUITE is a path below tools/testing/selftests/net, with arguments if need be,
# as one word: "fib_nexthops.sh -t basic".  Default: fast.  Arms are
# values of the module's parameter mode=, so they hold for every namespace; each
# arm has a guest of its own, all at once.  The first is what the others are
# compared with; "verify" has the kernel decide, and compares each packet too.
#
# Prints TAP, one line for each suite: how many results, "attached A of N
# eligible", and why the kernel got the rest.  Where altfib attached nothing,
# equal lists prove nothing: "not exercised".
# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"
become_builder "$(readlink -f "$0")" "$@"
. "$ALTFIB_TOP/scripts/toolchain.sh"
cd "$ALTFIB_TOP"

# A minute in User-Mode Linux, and altfib attaches packets in each of them.
fast=(
	icmp.sh fib_rule_tests.sh fib_nexthop_multiprefix.sh fib_nexthop_nongw.sh
	unicast_extensions.sh "fib_tests.sh -t ipv4_mangle"
	"fib_nexthops.sh -t ipv4_fcnal_runtime"
)
all=(
	fib_tests.sh fib_rule_tests.sh fib_nexthops.sh fib_nexthop_multiprefix.sh
	fib_nexthop_nongw.sh fib-onlink-tests.sh pmtu.sh icmp_redirect.sh icmp.sh
	route_localnet.sh unicast_extensions.sh vrf_strict_mode_test.sh
	vrf_route_leaking.sh ip_defrag.sh traceroute.sh xfrm_policy.sh exception_cache.sh
	ecmp_rehash.sh broadcast_pmtu.sh route_hint.sh gre_gso.sh l2tp.sh nat6to4.sh
	netfilter/nft_flowtable.sh netfilter/br_netfilter.sh
	forwarding/router.sh forwarding/router_multipath.sh forwarding/router_mpath_nh.sh
)

kernel=uml
arms=(off on)
suites=()
while (($#)); do
	case $1 in
	--kernel) kernel=$2 && shift 2 ;;
	--arms) read -ra arms <<<"$2" && shift 2 ;;
	fast) suites+=("${fast[@]}") && shift ;;
	all) suites+=("${all[@]}") && shift ;;
	-*) die "kernel-selftests.sh: unknown option \"$1\"" ;;
	*) suites+=("$1") && shift ;;
	esac
done
((${#suites[@]})) || suites=("${fast[@]}")
((${#arms[@]} >= 2)) || die "kernel-selftests.sh: two arms at least, such as --arms \"off on\""

[[ -n ${ALTFIB_SETUP_DONE:-} ]] || "$ALTFIB_TOP/scripts/setup.sh" "$kernel"
build_module "$kernel" | sed 's/^/# /'
source=$(find_source)/tools/testing/selftests
net=$ALTFIB_CACHE/build/kernel-selftests/net

# The suites write beside themselves, and want helpers built there; the kernel's
# source stays as it is.
prepare() {
	local tool log=$ALTFIB_LOG/kernel-selftests.log
	rm -rf "${net%/*}"
	mkdir -p "${net%/*}"
	cp -r "$source"/{net,kselftest,lib,kselftest.h} "${net%/*}/"
	: >"$log"
	for tool in nettest ip_defrag; do
		gcc -O1 -w -I"$net/.." -o "$net/$tool" "$net/$tool.c" >>"$log" 2>&1 ||
			printf '# no %s: it did not build (log: %s)\n' "$tool" "$log"
	done
	for tool in mausezahn socat traceroute iptables jq tcpdump; do
		command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null ||
			printf '# no %s here: what needs it is skipped with and without altfib\n' "$tool"
	done
}
prepare

out=$ALTFIB_CACHE/run/kernel-selftests
rm -rf "$out"
guest_rc=0

# run_guests SUITE...: a guest for each arm, all at once.
run_guests() {
	local arm i rc
	local -a guests=()
	for arm in "${arms[@]}"; do
		mkdir -p "$out/$arm"
		scripts/vm.sh --kernel "$kernel" --cpus 2 --memory 2G --output "$out/$arm" \
			--timeout "${ALTFIB_TIMEOUT:-7200}" -- \
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
file() { printf '%s\n' "$out/$1/${2//[\/ ]/_}"; }

# results ARM SUITE: one line for each result, without what differs by chance:
# colours, columns, the ends of namespaces' names.
results() {
	sed -E -e 's/\x1b\[[0-9;]*m//g' -e 's/[[:space:]]+/ /g' \
		-e 's/\b([a-z][a-z0-9_]*)-[A-Za-z0-9]{6}\b/\1-XXXXXX/g' "$(file "$1" "$2").log" 2>/dev/null |
		grep -E '\[ ?(OK|FAIL|SKIP|XFAIL|PASS|UNSUPP) ?\]|^ ?(ok|not ok|OK|PASS|FAIL|SKIP)\b|^status [0-9]+$' || true
}

# sums ARM SUITE: "A N MISMATCHES REASON=N...", over all samples of the suite.
sums() {
	awk '
	function hex(text,   i, n) {
		for (i = 1; i <= length(text); i++)
			n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
		return n
	}
	$1 == "entries" { split($0, name); next }
	# A line of hexadecimal numbers: one CPU.
	/^[0-9a-f]+( [0-9a-f]+)+ *$/ {
		for (i = 1; i <= NF; i++) {
			if (name[i] ~ /^(forward|local|verified)$/) attached += hex($i)
			if (name[i] == "mismatch") mismatch += hex($i)
		}
		next
	}
	$2 ~ /^[0-9]+$/ && $2 > 0 { punt[$1] += $2 }
	END {
		for (why in punt) {
			if (why ~ /^(has_dst|not_unicast_frame|special_address)$/) continue
			n += punt[why]
			text = text " " why "=" punt[why]
		}
		print attached + 0, attached + n + 0, mismatch + 0 text
	}' "$(file "$1" "$2").sample" 2>/dev/null || echo 0 0 0
}

# differs ARM SUITE: from the first arm; the difference is in $out/diff.
differs() {
	results "${arms[0]}" "$2" >"$out/a"
	results "$1" "$2" >"$out/b"
	! diff "$out/a" "$out/b" >"$out/diff"
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
		read -r attached eligible mismatches punts < <(sums "$arm" "$suite")
		count=$(grep -vc '^status ' "$out/b" || true)
		bad=$(grep -cE 'FAIL|^ ?not ok' "$out/b" || true)
		text="$suite $arm: $count results, $bad of them failures; attached $attached of $eligible eligible"
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
			failed=$((failed + 1))
		elif ((count == 0)); then
			printf 'ok %d %s: not run (%s)\n' "$n" "$suite $arm" "$(tr '\n' ' ' <"$out/b")"
		elif ((attached == 0)); then
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
