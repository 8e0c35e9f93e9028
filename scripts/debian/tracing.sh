#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In the guest with Debian's own kernel: each line of docs/tracing.md for perf and bpftrace,
# while packets pass, a link comes and goes, and service ends and begins.
#
# Each must show something of what happened.  altfib is loaded for it and removed again.
set -uo pipefail
page=$(dirname "$(readlink -f "$0")")/../../docs/tracing.md
page=$(readlink -f "$page")
work=$(mktemp -d)
cd "$work" || exit 1
export HOME=$work
rc=0

complain() {
	printf '# %s\n' "$*"
	rc=1
}

# In namespaces, since new ones take over what is set in the first one.
build_network() {
	local side
	ip netns add router
	ip netns exec router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	for side in 1 2; do
		ip netns add "host$side"
		ip -n router link add "to$side" type veth peer name eth0 netns "host$side"
		ip -n router addr add "10.98.$side.1/24" dev "to$side"
		ip -n router -6 addr add "2001:db8:$side::1/64" dev "to$side" nodad
		ip -n router link set "to$side" up
		ip -n "host$side" addr add "10.98.$side.2/24" dev eth0
		ip -n "host$side" -6 addr add "2001:db8:$side::2/64" dev eth0 nodad
		ip -n "host$side" link set eth0 up
		ip -n "host$side" route add default via "10.98.$side.1"
		ip -n "host$side" -6 route add default via "2001:db8:$side::1"
	done
}

# Everything that there is an event for, over and over.
events() {
	while :; do
		ip netns exec host1 ping -q -i 0.1 -c 5 -W 1 10.98.2.2
		ip netns exec host1 ping -q -i 0.1 -c 5 -W 1 2001:db8:2::2
		ip -n router link set to2 down
		ip -n router link set to2 up
		ip -n router -6 addr add 2001:db8:2::1/64 dev to2 nodad
		ip netns exec router sysctl -w net.altfib.mode=off
		ip netns exec router sysctl -w net.altfib.mode=on
		sleep 1
	done
}

# The page's lines that begin with a word, without what they say behind them.
commands() { # WORD
	sed -n "s/^    \($1 .*\)/\1/p" "$page" | sed 's/  *# [^"'\'']*$//'
}

# bpftrace ends when somebody says so; compiling takes its time under emulation.
try_bpftrace() { # COMMAND
	local pid i
	bash -c "exec $1" >out 2>&1 </dev/null &
	pid=$!
	for ((i = 0; i < 180; i++)); do
		grep -q '^Attach' out && break
		kill -0 "$pid" 2>/dev/null || break
		sleep 1
	done
	for ((i = 0; i < 30; i++)); do
		# A count is printed at the end, so there is nothing to wait for but time.
		sleep 1
		[[ $1 != *count\(\)* ]] || ((i < 8)) || break
		[[ $1 == *count\(\)* || $(wc -l <out) -le 2 ]] || break
	done
	kill -INT "$pid" 2>/dev/null
	wait "$pid"
	grep -v '^Attach' out | grep -q '[^[:space:]]' || complain "$1: nothing: $(<out)"
	printf '# %s\n' "$1"
	grep -v '^Attach' out | grep '[^[:space:]]' | head -n 3 | sed 's/^/#     /'
}

try_perf() { # COMMAND
	bash -c "$1" >out 2>&1 </dev/null || complain "$1 ended with $?: $(tail -n 3 out)"
	case $1 in
	'perf stat'*) grep -Eq '[1-9][0-9,]* +altfib:lookup' out ;;
	*'perf script') grep -q 'altfib:punt: ' out ;;
	*'perf report') grep -q 'dst_drop' out ;;
	*) false ;;
	esac || complain "$1: $(head -n 20 out)"
	printf '# %s\n' "$1"
	grep '[^[:space:]]' out | grep -v '^#' | head -n 3 | sed 's/^/#     /'
}

modprobe altfib || exit 1
build_network
events >/dev/null 2>&1 &
generator=$!
n=0
while read -r line; do
	try_perf "$line"
	n=$((n + 1))
done < <(commands perf)
while read -r line; do
	try_bpftrace "$line"
	n=$((n + 1))
done < <(commands bpftrace)
((n >= 9)) || complain "only $n lines in $page"
kill "$generator"
wait "$generator" 2>/dev/null
for name in router host1 host2; do ip netns del "$name"; done
modprobe -r altfib || rc=1
exit "$rc"
