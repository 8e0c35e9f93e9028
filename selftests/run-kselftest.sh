#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs the test programs as root inside a guest, as one TAP stream with one plan.
#
#	ALTFIB_KO=/path/to/altfib.ko ./run-kselftest.sh [PROGRAM...]
#
# Exits 0 only if each planned test ran and passed, the kernel log is clean, and
# the kernel is tainted by nothing but an out-of-tree module. A program that is
# skipped fails the run: what is not tested is not tested.
set -u

cd "$(dirname "$0")" || exit 1
: "${ALTFIB_KO:?path of altfib.ko}"
export ALTFIB_KO
LIMIT=${ALTFIB_TIMEOUT:-1200}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/altfib-run.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

. ./lib.sh
rm -rf "$TMP"
TMP=$WORK
# How long the kernel waits before it complains of a device that is still held.
echo 1 >/proc/sys/net/core/netdev_unregister_timeout_secs

# QEMU 7.2's emulation now and then runs an INT3 that the kernel has already
# replaced ("Oops: int3" in ip_rcv or ipv6_rcv, where memory shows the NOP), when a static
# key is switched while another CPU passes it. The first and the last hook of
# PRE_ROUTING switch one, so under emulation one hook of each family stays, in a
# namespace that no test uses.
if [ "${ALTFIB_ACCEL:-}" = tcg ]; then
	for family in ip ip6; do
		nft "add table $family keep; add chain $family keep keep { type filter hook prerouting priority 0; }"
	done
fi

SEQUENTIAL="forward.sh tables.sh local.sh source.sh routes.sh device.sh netfilter.sh ipv6.sh ipv6_tables.sh ipv6_device.sh control.sh verify.sh module.sh churn.sh"
OUTPUT="output.sh tunnels.sh early_demux.sh"
# Thousands of queries, one after the other.
DNS="dns.sh"
# Each cache there is.
CACHES="caches.sh"
# The fast path, whatever the arm.
FAST="fastpath.sh"
# Hundreds of starts of Python.
NETLINK="netlink.sh"
# The tool, which scripts/test.sh has built.
COMMAND_LINE="tool.sh"
# And the pages' commands, its own among them.
DOCS="docs.sh"
# Where there are tracepoints.
TRACING=
[ ! -d /sys/kernel/tracing ] || TRACING="tracing.sh"
# Where it is ftrace that leads to altfib.
TRACE="output_trace.sh"
RACES="race_routes.sh race_devices.sh race_module.sh"

echo "TAP version 13"
echo "# Linux $(uname -r) on $(uname -m), $(cpus) CPUs"
uml=no
if grep -q 'User Mode Linux' /proc/cpuinfo; then
	uml=yes
fi
if [ $# != 0 ]; then
	programs=$*
elif [ $uml = yes ]; then
	# Hundreds of scenarios in a minute, and four in one under emulation.
	programs="random.sh $SEQUENTIAL $OUTPUT $DNS $CACHES $FAST $NETLINK $COMMAND_LINE $DOCS $TRACING"
	echo "# User-Mode Linux has one CPU and no races; not run here: $RACES"
elif [ "${ALTFIB_ACCEL:-}" = tcg ]; then
	# ftrace switches a function's first bytes as static keys are switched, 200 times
	# and more, while other CPUs run them: with one CPU, or not under this emulation.
	programs="$SEQUENTIAL $RACES"
	[ "$(cpus)" != 1 ] || programs="output.sh early_demux.sh $TRACE $TRACING"
	echo "# emulated: with several CPUs $SEQUENTIAL $RACES, with one output.sh early_demux.sh $TRACE $TRACING"
else
	programs="random.sh $SEQUENTIAL $OUTPUT $DNS $CACHES $FAST $NETLINK $COMMAND_LINE $DOCS $TRACE $TRACING $RACES"
fi

total=2
for prog in $programs; do
	count=$("./$prog" --count) || exit 1
	echo "$count" >"$WORK/$prog.count"
	total=$((total + count))
done
echo "1..$total"

altfib_loaded || insmod "$ALTFIB_KO" || echo "# insmod failed"
started=$SECONDS
n=0
passed=0
for prog in $programs; do
	count=$(cat "$WORK/$prog.count")
	before=$SECONDS
	timeout -k 10 "$LIMIT" "./$prog" 2>&1 |
		awk -v n="$n" -v prog="${prog%.sh}" -v count="$count" \
			-v result="$WORK/result" '
		/^TAP version/ || /^1\.\.[1-9]/ { next }
		/^1\.\.0/ { print "# " $0; fflush(); next }
		/^(not )?ok [0-9]+ / && done < count {
			bad = /^not/
			sub(/^(not )?ok [0-9]+ /, "")
			done++
			pass += !bad
			print (bad ? "not ok " : "ok ") n + done " " prog ": " $0
			fflush()
			next
		}
		{ print ($0 ~ /^#/ ? "" : "# ") $0; fflush() }
		END {
			while (done < count) {
				done++
				print "not ok " n + done " " prog ": the program ended before this test"
			}
			print pass + 0 >result
		}'
	n=$((n + count))
	passed=$((passed + $(cat "$WORK/result")))
	echo "# $prog took $((SECONDS - before)) s"
done

# Whatever is still held now is reported within a second.
echo "netns-del $NAMESPACES" | "$PROBE" none
sleep 3
n=$((n + 1))
if ! altfib_loaded || timeout 30 rmmod altfib; then
	echo "ok $n altfib can be removed at the end"
	passed=$((passed + 1))
else
	echo "not ok $n altfib can be removed at the end"
fi
n=$((n + 1))
taint=$(cat /proc/sys/kernel/tainted)
# 4096: out-of-tree module, 8192: unsigned module.
if [ $((taint & ~12288)) = 0 ] && ! dmesg | grep -E "$KMSG_BAD" >"$WORK/bad"; then
	echo "ok $n the kernel log is clean, and the kernel is not tainted ($taint)"
	passed=$((passed + 1))
else
	comment <"$WORK/bad"
	echo "not ok $n the kernel log is clean, and the kernel is not tainted ($taint)"
fi
echo "# $((SECONDS - started)) s"
echo "# Totals: pass:$passed fail:$((total - passed)) xfail:0 xpass:0 skip:0 error:0"
[ "$passed" = "$total" ]
