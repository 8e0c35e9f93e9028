#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in the virtual machine as root: builds a router with a full table, sends
# traffic through it, and reports who forwarded it.
#
#   guest.sh [MODULE]     default: $ALTFIB_KO; "none": the kernel alone
#
# ALTFIB_ROUTES=full|N|auto   how much of the table (auto: all of it if that
#                             takes less than three minutes, else 200,000)
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
: "${ALTFIB_CACHE:?is not set: start the demo with "make demo"}"
. "$here/table.sh"
. "$here/net.sh"

ko=${1:-${ALTFIB_KO:-}}
work=/tmp/altfib-demo
LOAD_LIMIT=180
MINIMUM=200000
# 95 next hops cost one miss each, and 99.9 % of the stream is to be attached.
STREAM=300000
STREAM_DESTINATIONS=50000
LOSS_RATE=50000
LOSS_SECONDS=6
# The kernel keeps an IPv6 dst for each route and CPU: the first packets miss.
STREAM6=200000
STREAM6_DESTINATIONS=2000
FILE_MB=32
REPLIES=20000
if [[ ${ALTFIB_ACCEL:-native} == tcg ]]; then
	STREAM=200000
	LOSS_RATE=2000
	LOSS_SECONDS=10
	STREAM6=100000
	STREAM6_DESTINATIONS=1000
	FILE_MB=4
	REPLIES=2000
fi

failed=()
output_text=()
output_error=
counted=

say() { printf '%s\n' "$*"; }
fail() {
	failed+=("$*")
	say "FAILED: $*"
}
die() {
	say "altfib demo: $*" >&2
	exit 1
}
title() { printf '\n== %s\n' "$*"; }
row() { printf '  %-24s %s\n' "$1" "$2"; }

# Milliseconds since boot.
now() {
	local up
	read -r up _ </proc/uptime
	printf '%s\n' $((10#${up/./} * 10))
}
seconds() { printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }
thousands() {
	local n=$1 out=
	while ((${#n} > 3)); do
		out=,${n: -3}$out
		n=${n:0:-3}
	done
	printf '%s%s\n' "$n" "$out"
}
# percent PART WHOLE: with three digits, cut off, never rounded up to 100.
percent() {
	(($2)) || { printf 'none' && return; }
	local p=$(($1 * 100000 / $2))
	printf '%d.%03d %%' $((p / 1000)) $((p % 1000))
}

# One value of a routeload report.
value() { sed -n "s/^$2=//p" "$1"; }

# Sums /proc/net/stat/altfib, or the file named $2 there, over the CPUs into the
# array named $1.
read_stat() {
	local -n into=$1
	local -a names fields
	local i name value
	into=()
	{
		read -ra names
		while read -ra fields; do
			for i in "${!names[@]}"; do
				name=${names[i]} value=${fields[i]}
				value=$((16#$value))
				# These are the same on each line, not shares of a sum.
				case $name in
				entries | memory_kb) into["$name"]=$value ;;
				*) into["$name"]=$((${into["$name"]:-0} + value)) ;;
				esac
			done
		done
	} </proc/net/stat/"${2:-altfib}"
}

# read_links ARRAY: packets received and sent by each device of this namespace.
read_links() {
	local -n links=$1
	local dev line
	local -a f
	links=()
	# shellcheck disable=SC2034 # the caller's array
	while IFS=: read -r dev line; do
		[[ -n $line && $dev != *'|'* ]] || continue
		read -ra f <<<"$line"
		dev=${dev// /}
		links["${dev}_rx"]=${f[1]}
		links["${dev}_tx"]=${f[9]}
	done </proc/net/dev
}

in_ns() { # NAMESPACE COMMAND...
	ip netns exec "$@"
}

have_module() { [[ $ko != none ]]; }

status_line() { sed -n "s/^$1: *//p" /proc/net/altfib/status; }

wait_until_serving() {
	local i
	for ((i = 0; i < 600; i++)); do
		[[ $(status_line serving) == yes* ]] && return 0
		sleep 0.1
	done
	fail "altfib does not serve this router: $(status_line serving)"
}

insert_module() {
	local t
	have_module || return 0
	[[ -f $ko ]] || die "the module $ko is not there: build it first"
	t=$(now)
	insmod "$ko" || die "the kernel refused the module (see the kernel log)"
	say "insmod altfib.ko took $(($(now) - t)) ms; mode of this namespace: $(</proc/sys/net/altfib/mode)"
}

# Sets LIMIT and ROUTES: how many routes of the table to load.
choose_size() {
	local total ms estimate
	total=$(wc -l <"$TABLE")
	LIMIT=$total
	case ${ALTFIB_ROUTES:-auto} in
	full) ;;
	auto)
		# The second time counts: emulation is slow at what it meets first.
		for _ in 1 2; do
			"$ROUTELOAD" load "$TABLE.sample" --via "$vias" \
				--report "$work/load" >/dev/null || die "a first sample of the table did not load"
			"$ROUTELOAD" unload "$TABLE.sample" >/dev/null
		done
		ms=$(value "$work/load" seconds)
		ms=$((10#${ms/./}))
		# A large table takes about twice the time a route of a small one.
		estimate=$((2 * ms * total / $(value "$work/load" loaded) / 1000))
		if ((estimate > LOAD_LIMIT && total > MINIMUM)); then
			LIMIT=$MINIMUM
			say "The full table would take about $estimate s here: loading $(thousands "$LIMIT") routes of it, spread evenly."
			say "ALTFIB_ROUTES=full loads all of it."
		fi
		;;
	*[!0-9]* | 0*) die "ALTFIB_ROUTES=$ALTFIB_ROUTES: give full, auto or a number" ;;
	*) ((ALTFIB_ROUTES < total)) && LIMIT=$ALTFIB_ROUTES ;;
	esac
	ROUTES="$(thousands "$LIMIT") of $(thousands "$total")"
}

load_table() {
	title "Loading $ROUTES real prefixes to $NEXTHOPS next hops"
	say "  $TABLE_NAME"
	"$ROUTELOAD" load "$TABLE" --limit "$LIMIT" --via "$vias" --report "$work/load" \
		--sample "$work/destinations" --sample-size "$STREAM_DESTINATIONS" ||
		fail "$(value "$work/load" errors) routes were refused"
	load_seconds=$(value "$work/load" seconds)
	have_module || return 0
	local t
	t=$(now)
	wait_until_serving
	say "altfib was in step with the kernel $(($(now) - t)) ms later"

	# What insmod does on a router that has its routes already.
	echo off >/proc/sys/net/altfib/mode
	t=$(now)
	echo on >/proc/sys/net/altfib/mode
	wait_until_serving
	say "Switched off and on again: all routes read and built anew within $(($(now) - t)) ms"
	say "  algorithm: $(status_line algorithm)"
	if echo 1 >/proc/sys/net/altfib/audit; then
		sed 's/^/  audit: /' /proc/net/altfib/audit
		grep -q '^differences: 0$' /proc/net/altfib/audit || fail "the audit found differences"
	else
		fail "the audit did not run"
	fi
}

try_ping() {
	local to out
	for to in 8.8.8.8 1.1.1.1 193.0.6.139; do
		if out=$(in_ns client ping -n -q -c 3 -i 0.2 -W 5 "$to"); then
			say "  ping $to: $(sed -n 's/^rtt.*= \([^/]*\)\/\([^/]*\)\/.*/average \2 ms/p' <<<"$out")"
		else
			fail "ping $to got no answer"
		fi
	done
	# The router itself, and a packet that dies there.
	in_ns client ping -n -q -c 1 -W 5 198.19.0.1 >/dev/null || fail "the router did not answer a ping"
	out=$(in_ns client ping -n -c 1 -t 1 -W 5 8.8.8.8 || true)
	[[ $out == *"From 198.19.0.1"*"exceeded"* ]] || fail "no \"time to live exceeded\" came back from the router"
	say "  the router answers pings, and says \"time exceeded\" where it should"
}

try_tcp() {
	local i t ms
	mkdir -p "$work/www"
	head -c "${FILE_MB}M" /dev/urandom >"$work/www/file"
	(cd "$work/www" && exec ip netns exec server python3 -m http.server 80 >"$work/http" 2>&1) &
	server_pid=$!
	for ((i = 0; i < 300; i++)); do
		# Port 80 listening, seen without one more process.
		grep -q ':0050 00000000:0000 0A' "/proc/$server_pid/net/tcp" && break
		sleep 0.2
	done
	t=$(now)
	if in_ns client curl -sS --max-time 120 -o "$work/got" http://9.9.9.9/file; then
		ms=$(($(now) - t))
		cmp "$work/got" "$work/www/file" || fail "the file came through TCP damaged"
		say "  curl got $FILE_MB MB from 9.9.9.9 in $(seconds $ms), unharmed"
	else
		fail "curl could not get a file from 9.9.9.9"
	fi
	kill "$server_pid" 2>/dev/null || true
	wait "$server_pid" 2>/dev/null || true
	rm -f "$work/got" "$work/www/file"
}

# start_sink EXPECT [ADDRESS]: counts a stream in the server; sink_pid is set.
start_sink() {
	local i
	rm -f "$work/ready" "$work/sink"
	ip netns exec server "$ROUTELOAD" sink --port 4001 --address "${2:-0.0.0.0}" --first 120 --idle 3 --expect "$1" \
		--ready "$work/ready" --report "$work/sink" >"$work/sink.out" 2>&1 &
	sink_pid=$!
	for ((i = 0; i < 300; i++)); do
		[[ -e $work/ready ]] && return 0
		sleep 0.1
	done
	die "the receiver of the stream did not start: $(<"$work/sink.out")"
}

stream_from_client() { # ARGUMENTS...
	in_ns client "$ROUTELOAD" stream "$work/destinations" \
		--destinations "$STREAM_DESTINATIONS" --port 4001 --report "$work/stream" "$@"
}

# shellcheck disable=SC2034 # filled through read_links
declare -A before after links_before links_after
# Sets delta[] from before[] to after[], attached, eligible and share.
declare -A delta
judge() {
	local k
	delta=()
	for k in "${!after[@]}"; do
		delta[$k]=$((after[$k] - ${before[$k]:-0}))
	done
	attached=$((delta[forward] + delta[local] + delta[verified]))
	eligible=$((attached + delta[early_demux]))
	for k in "${!delta[@]}"; do
		[[ $k == punt_* ]] && eligible=$((eligible + delta[$k]))
	done
	share=$(percent "$attached" "$eligible")
}

# Packets that link up$1 took between the two readings.
taken_by() { printf '%s\n' $((${links_after[up$1_tx]} - ${links_before[up$1_tx]})); }

# The stream's packets that reached the server, counted there.
arrived() { printf '%s\n' $(($(value "$work/sink" received) + $(value "$work/sink" overflow))); }

try_stream() {
	local sent got
	title "A UDP stream to $(thousands $STREAM_DESTINATIONS) destinations all over the table"
	start_sink "$STREAM"
	have_module && read_stat before
	read_links links_before
	stream_from_client --count "$STREAM" ${STREAM_RATE:+--rate "$STREAM_RATE"} ||
		fail "the stream could not be sent"
	read_links links_after
	have_module && read_stat after
	wait "$sink_pid" || fail "the receiver saw packets go astray: $(<"$work/sink.out")"
	sent=$(value "$work/stream" sent)
	got=$(arrived)
	say "server: $(<"$work/sink.out")"
	((got >= sent)) || fail "$(thousands $((sent - got))) of $(thousands "$sent") packets were not forwarded"
	have_module || return 0
	judge
	stream_share=$share
	stream_text="$share of $(thousands "$eligible") packets"
	if ((attached * 1000 < eligible * 999 || eligible < sent)); then
		fail "altfib attached $share of the stream, less than 99.9 %"
	fi
	stream_hits="$(percent "${delta[dst_hit]}" $((delta[dst_hit] + delta[dst_fill] + delta[dst_stale]))), ${delta[dst_fill]} filled, ${delta[dst_stale]} stale"
	say "altfib attached $stream_text"
}

lose_link() {
	local sent got t ms count=$((LOSS_RATE * LOSS_SECONDS)) i by_link='' routes_before=0
	title "Taking up1 down under $(thousands $LOSS_RATE) packets a second"
	start_sink "$count"
	if have_module; then
		read_stat before
		routes_before=${before[entries]}
	fi
	read_links links_before
	stream_from_client --count "$count" --rate "$LOSS_RATE" --seed 2 >"$work/stream.out" 2>&1 &
	stream_pid=$!
	# Wait until the stream flows, then let it flow a while.
	for ((i = 0; i < 600; i++)); do
		read_links links_after
		(($(taken_by 0) > 100)) && break
		sleep 0.1
	done
	sleep 1.5
	t=$(now)
	ip link set up1 down
	ms=$(($(now) - t))
	wait "$stream_pid" || fail "the stream broke: $(<"$work/stream.out")"
	wait "$sink_pid" || fail "the receiver saw packets go astray: $(<"$work/sink.out")"
	read_links links_after
	sent=$(value "$work/stream" sent)
	got=$(arrived)
	loss_text="$(thousands $((sent - got))) of $(thousands "$sent") packets lost, longest silence $(value "$work/sink" silence_ms) ms"
	((got * 100 >= sent * 90)) || fail "the traffic did not go on after the link loss: $loss_text"
	say "the kernel took $ms ms to remove the link and its routes"
	for ((i = 0; i < LINKS; i++)); do
		by_link+="up$i $(thousands "$(taken_by "$i")"), "
	done
	say "packets by link: ${by_link%, }; the default route on up3 took over"
	say "$loss_text"
	have_module || return 0
	read_stat after
	judge
	loss_drops=${delta[dst_drop_dev]}
	loss_routes=$((routes_before - after[entries]))
	((loss_drops > 0)) || fail "altfib kept the cached routes of a device that is down"
	say "altfib: $loss_drops cached routes of up1 dropped, $(thousands "$loss_routes") routes gone, $share of $(thousands "$eligible") packets attached meanwhile"
}

# The same for IPv6, in short.
try_ipv6() {
	local total limit t sent got i
	total=$(wc -l <"$TABLE6")
	limit=$total
	((LIMIT == $(wc -l <"$TABLE"))) || limit=$((total / 5))
	((LIMIT >= limit)) || limit=$LIMIT
	title "IPv6: $(thousands "$limit") of $(thousands "$total") real prefixes to $NEXTHOPS next hops"
	"$ROUTELOAD" load "$TABLE6" --limit "$limit" --via "$(nexthop_list6)" --report "$work/load6" \
		--sample "$work/destinations6" --sample-size "$STREAM6_DESTINATIONS" ||
		fail "$(value "$work/load6" errors) IPv6 routes were refused"
	routes6_text="$(thousands "$limit") of $(thousands "$total") in $(value "$work/load6" seconds) s"
	if have_module; then
		t=$(now)
		for ((i = 0; i < 600; i++)); do
			[[ $(status_line "IPv6 serving") == yes* ]] && break
			sleep 0.1
		done
		say "altfib was in step with the kernel $(($(now) - t)) ms later"
		if echo 1 >/proc/sys/net/altfib/audit; then
			sed -n '/^IPv6/,$s/^/  audit: /p' /proc/net/altfib/audit
			grep -q '^IPv6 differences: 0$' /proc/net/altfib/audit || fail "the audit found differences in IPv6"
		else
			fail "the audit did not run"
		fi
	fi
	in_ns client ping -n -q -c 3 -i 0.2 -W 5 2001:4860:4860::8888 >"$work/ping6" ||
		fail "ping 2001:4860:4860::8888 got no answer"
	say "  ping 2001:4860:4860::8888: $(sed -n 's/^rtt.*= \([^/]*\)\/\([^/]*\)\/.*/average \2 ms/p' "$work/ping6")"
	start_sink "$STREAM6" ::
	have_module && read_stat before altfib6
	in_ns client "$ROUTELOAD" stream "$work/destinations6" --destinations "$STREAM6_DESTINATIONS" \
		--count "$STREAM6" --port 4001 --report "$work/stream" ${STREAM_RATE:+--rate "$STREAM_RATE"} ||
		fail "the IPv6 stream could not be sent"
	have_module && read_stat after altfib6
	wait "$sink_pid" || fail "the receiver saw packets go astray: $(<"$work/sink.out")"
	sent=$(value "$work/stream" sent)
	got=$(arrived)
	say "server: $(<"$work/sink.out")"
	((got >= sent)) || fail "$(thousands $((sent - got))) of $(thousands "$sent") IPv6 packets were not forwarded"
	have_module || return 0
	judge
	stream6_text="$share of $(thousands "$eligible") packets"
	((attached * 100 >= eligible * 95 && eligible >= sent)) ||
		fail "altfib attached $share of the IPv6 stream, less than 95 %"
	say "altfib attached $stream6_text"
}

# Kprobes on the two functions that walk the kernel's tables count their calls.
tracing=$work/tracing
probe_lookups() { # on|off
	if [[ $1 == off ]]; then
		[[ -e $tracing/events/altfib_demo ]] || return 0
		echo 0 >"$tracing/events/altfib_demo/enable"
		echo >"$tracing/kprobe_events"
		return 0
	fi
	mkdir -p "$tracing"
	mountpoint -q "$tracing" || mount -t tracefs tracefs "$tracing" 2>"$work/error" || return 1
	[[ -e $tracing/kprobe_events ]] || return 1
	printf 'p:altfib_demo/calls%s\n' '4 fib_table_lookup' '6 fib6_node_lookup' 2>"$work/error" \
		>"$tracing/kprobe_events" || return 1
	echo 1 >"$tracing/events/altfib_demo/enable"
}

# read_lookups FAMILY: sets calls, and what altfib counts: answered ones, all that it was
# asked, and those spared by a socket's last route (kept).
read_lookups() {
	local name n _ line ipv6=
	[[ $1 == 4 ]] || ipv6="IPv6 "
	calls=0 answered=0 asked=0 kept=0
	if [[ -n $counted ]]; then
		while read -r name n _; do
			[[ $name != "calls$1" ]] || calls=$n
		done <"$tracing/kprobe_profile"
	fi
	while IFS= read -r line; do
		if [[ $line =~ ^"$ipv6"output:\ .*\ ([0-9]+)\ lookups\ answered,.*\ ([0-9]+)\ learned,\ ([0-9]+)\ left ]]; then
			answered=${BASH_REMATCH[1]}
			asked=$((BASH_REMATCH[1] + BASH_REMATCH[2] + BASH_REMATCH[3]))
		elif [[ $line =~ ^"$ipv6"sockets:\ ([0-9]+)\ had ]]; then
			kept=${BASH_REMATCH[1]}
		fi
	done </proc/net/altfib/status
}

# set_output VALUE: or says why not.
set_output() {
	local i
	if ! (echo "$1" >/proc/sys/net/altfib/output) 2>"$work/error"; then
		output_error="output=$1 cannot be set: $(sed 's/.*: //' "$work/error")"
		return 1
	fi
	for ((i = 0; i < 600; i++)); do
		[[ $(status_line serving) != yes* || $(status_line "IPv6 serving") != yes* ]] || return 0
		sleep 0.1
	done
	fail "altfib does not serve with output=$1"
}

# table_address FILE: one in a prefix that is in the table for certain.
table_address() {
	local prefix
	prefix=$(sed -n "$(($(wc -l <"$1") / 3))p" "$1")
	prefix=${prefix%%/*}
	case $prefix in
	*::) printf '%s1\n' "$prefix" ;;
	*:*) printf '%s\n' "$prefix" ;;
	*) printf '%s.1\n' "${prefix%.*}" ;;
	esac
}

# ask_server FAMILY FROM: REPLIES requests from this address, whose host has a
# connected socket, and so looks nothing up. Sets what read_lookups does, to what these
# requests added.
ask_server() {
	local to i pid calls0 answered0 asked0 kept0
	# The server's socket has no address: its replies come from that of the link.
	to=$(ip route get "$2" | sed -n 's/.* src \([^ ]*\).*/\1/p')
	"$UDP" serve 5300 "$REPLIES" >"$work/serve" 2>&1 &
	pid=$!
	for ((i = 0; i < 300; i++)); do
		# Port 5300 is 14B4.
		grep -q ':14B4 ' /proc/net/udp6 /proc/net/udp && break
		sleep 0.1
	done
	read_lookups "$1"
	calls0=$calls answered0=$answered asked0=$asked kept0=$kept
	in_ns server "$UDP" ask "$to" 5300 "$REPLIES" "$2" >"$work/ask" 2>&1 || true
	read_lookups "$1"
	calls=$((calls - calls0)) answered=$((answered - answered0))
	asked=$((asked - asked0)) kept=$((kept - kept0))
	if ! grep -qx "answers $REPLIES" "$work/ask"; then
		fail "the UDP server's replies got lost: $(paste -sd, "$work/ask"), $(paste -sd, "$work/serve")"
		kill "$pid" 2>/dev/null || true
	fi
	wait "$pid" || true
}

# each N: for each reply, with two digits.
each() {
	(($1 >= 0)) || { printf '?' && return; }
	local n=$((($1 * 100 + REPLIES / 2) / REPLIES))
	printf '%d.%02d' $((n / 100)) $((n % 100))
}

# What the replies of a UDP server with one unconnected socket cost. The functions are
# patched while nothing is sent: QEMU 7.2 may run an INT3 that is gone already.
try_output() {
	local value family walks limit
	local -a from
	from=([4]=$(table_address "$work/destinations") [6]=$(table_address "$work/destinations6"))
	title "A UDP server with one unconnected socket: $(thousands $REPLIES) replies to ${from[4]}, and to ${from[6]}"
	if [[ ! -x $UDP ]]; then
		fail "$UDP is not built"
		return
	fi
	counted=yes
	if ! probe_lookups on; then
		counted=
		output_error="no kprobe counts walks here"
	fi
	for value in off lookup socket; do
		if ! set_output "$value"; then
			break
		fi
		for family in 4 6; do
			ask_server "$family" "${from[family]}"
			walks=-1
			[[ -z $counted ]] || walks=$((calls - answered))
			case $value in
			off)
				output_text[family]="$(each "$walks") with output=off"
				[[ -z $counted ]] || ((walks >= REPLIES)) || fail "the kernel walked its table only $walks times for $REPLIES replies (IPv$family)"
				;;
			lookup)
				output_text[family]+=", $(each "$walks") with lookup ($(each "$answered") answered by altfib)"
				((answered * 100 >= REPLIES * 95)) ||
					fail "altfib answered $answered lookups of $REPLIES replies (IPv$family)"
				# In IPv6 the local table is another one, which the kernel looks into first.
				limit=$((REPLIES / 20))
				[[ $family == 4 ]] || limit=$((limit + REPLIES))
				((walks <= limit)) || fail "the kernel walked $walks times for $REPLIES replies (IPv$family)"
				;;
			socket)
				output_text[family]+=", $(each "$walks") with socket ($(each "$asked") lookups)"
				((kept * 100 >= REPLIES * 95)) ||
					fail "$kept of $REPLIES replies took the socket's last route (IPv$family)"
				((walks <= REPLIES / 20)) || fail "the kernel walked $walks times for $REPLIES replies (IPv$family)"
				;;
			esac
		done
	done
	set_output off || true
	probe_lookups off
	say "walks of the kernel's table for each: ${output_text[4]:-none measured}${output_error:+; $output_error}"
	say "walks in IPv6, local table and main: ${output_text[6]:-none measured}"
}

# What altfib answers for an address: the longest of its routes that covers it.
# One pass of grep over the million lines, with all candidates at once.
altfib_answers() {
	local a ip len
	local -a o
	for a in "$@"; do
		IFS=. read -ra o <<<"$a"
		ip=$((o[0] << 24 | o[1] << 16 | o[2] << 8 | o[3]))
		for ((len = 0; len <= 32; len++)); do
			dotted $((len ? ip & 0xffffffff << (32 - len) : 0))
		done
	done | sort -u >"$work/networks"
	# This finds others too; the arithmetic below sorts them out.
	grep -Ff "$work/networks" /proc/net/altfib/routes >"$work/routes" || true
	for a in "$@"; do
		awk -v a="$a" 'function num(s, p) { split(s, p, "."); return ((p[1] * 256 + p[2]) * 256 + p[3]) * 256 + p[4] }
			{
				size = 4294967296 - num($3)
				if (int(num(a) / size) == num($1) / size && (!best || size < best)) {
					best = size
					answer = sprintf("%-18s via %-12s dev %s", $1 "/" 32 - log(size) / log(2), $2, $NF)
				}
			}
			END { print best ? answer : "no route" }' "$work/routes"
	done
}
dotted() { printf '%d.%d.%d.%d\n' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)); }

side_by_side() {
	local -a ask=(8.8.8.8 1.1.1.1) kernel mine
	local i prefix
	# And two that are in the table for certain.
	for i in 3 4; do
		prefix=$(sed -n "$((i * STREAM_DESTINATIONS / 10))p" "$work/destinations")
		prefix=${prefix%%/*}
		[[ -z $prefix ]] || ask+=("${prefix%.*}.1")
	done
	mapfile -t kernel < <(printf 'route get %s from 198.19.0.2 iif client0\n' "${ask[@]}" |
		ip -batch - | sed -n 's/^[0-9.]* from .* via \([0-9.]*\) dev \([^ ]*\).*/via \1 dev \2/p')
	mapfile -t mine < <(altfib_answers "${ask[@]}")
	for i in "${!ask[@]}"; do
		printf '  %-15s kernel: %-26s altfib: %s\n' "${ask[i]}" "${kernel[i]:-no route}" "${mine[i]:-no answer}"
		# The kernel's words, in altfib's line with its blanks squeezed.
		[[ $(tr -s ' ' <<<"${mine[i]:-}") == *"${kernel[i]:-no route}"* ]] ||
			fail "kernel and altfib differ about ${ask[i]}"
	done
}

report() {
	local name count why
	title "Report: $(status_line serving | sed 's/^yes.*/altfib serves this router/;s/^no/altfib does NOT serve this router:/')"
	before=()
	read_stat after
	judge
	row "routes loaded" "$ROUTES in $load_seconds s"
	row "routes mirrored now" "$(status_line routes)"
	row "packets by altfib" "$(thousands "$attached") ($(thousands "${delta[forward]}") forwarded, $(thousands "${delta[local]}") to the router itself)"
	row "left to the kernel" "$(thousands $((eligible - attached))), because:"
	tail -n +2 /proc/net/altfib/punts | sort -k2,2nr | awk '$2 > 0' >"$work/punts"
	while read -r name count _ why; do
		printf '  %24s %-14s %s\n' "$(thousands "$count")" "$name" "$why"
	done < <(head -n 6 "$work/punts")
	row "attached of the stream" "$stream_text $([[ -n ${stream_share:-} ]] && echo "(at least 99.9 % expected)")"
	row "dst cache, stream" "$stream_hits"
	row "link loss" "${loss_drops:-no} cached routes dropped, $loss_text"
	row "algorithm" "$(status_line algorithm)"
	row "memory" "$(status_line memory)"
	row "IPv6 routes loaded" "${routes6_text:-none}"
	row "IPv6 mirrored now" "$(status_line "IPv6 routes")"
	row "attached of its stream" "${stream6_text:-none} (at least 95 % expected: the first one to a route makes its dst)"
	row "IPv6 algorithm" "$(status_line "IPv6 algorithm")"
	row "IPv6 memory" "$(status_line "IPv6 memory")"
	row "UDP server's replies" "walks of the kernel's table for each: ${output_text[4]:-none measured}${output_error:+; $output_error}"
	row "IPv6 replies" "walks of its local table and its main table: ${output_text[6]:-none measured}"
	say ""
	side_by_side
}

# The whole demo runs in the router's namespace, so that its /proc/net can be
# read without one more process (each costs a quarter of a second under
# emulation).
if [[ ${ALTFIB_DEMO_INSIDE:-} != yes ]]; then
	[[ -x $ROUTELOAD ]] || die "$ROUTELOAD is not built"
	[[ -r $TABLE ]] || die "$TABLE is missing: scripts/demo/prepare.sh makes it"
	mkdir -p "$work"
	title "Three namespaces: client, router, server"
	build_network
	export ALTFIB_DEMO_INSIDE=yes
	exec ip netns exec router "$(readlink -f "$0")" "$@"
fi

start=$(now)
vias=$(nexthop_list)
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
say "Linux $(uname -r), CPUs: ${ALTFIB_CPUS:-?}, ${ALTFIB_KERNEL:-?} (${ALTFIB_ACCEL:-?}); $NEXTHOPS next hops on $LINKS links"
# ping asks for time stamps, which switches a static key when it comes and goes; under
# emulation another CPU then may run code that is not there any more ("Oops: int3" in
# netif_rx_internal). One that comes first and stays keeps it switched.
if [[ ${ALTFIB_ACCEL:-native} == tcg ]]; then
	ping -q -i 3600 127.0.0.1 >/dev/null 2>&1 &
fi
insert_module
choose_size
load_table
title "Ping and TCP through the router"
try_ping
try_tcp
try_stream
try_ipv6
if have_module; then try_output; fi
lose_link
have_module && report
say ""
if ((${#failed[@]})); then
	say "The demo FAILED:"
	printf '  %s\n' "${failed[@]}"
	exit 1
fi
say "The demo passed in $(seconds $(($(now) - start)))."
