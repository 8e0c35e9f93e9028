#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make bench: altfib beside the kernel as it is, nftables' flowtable and itself in other
# ways, in one kernel. Less than 20 minutes; with --quick less than four.
#
#   bench.sh [--quick] [--docs] [--kernel KERNEL]
#   bench.sh report FOLDER...     the report of what is there
#
# --docs                writes docs/bench.md and its charts too
# KERNEL                uml-stock, or x86 on a machine with KVM
# ALTFIB_RIB            the user's own table instead of libloc's, ALTFIB_RIB6 that of IPv6
# ALTFIB_DATA           a folder with real updates, for the control plane (bench/control.sh)
# ALTFIB_BENCH_ROUNDS   rounds of what targets are about (15; fewer prove no target)
# ALTFIB_BENCH_SIZES    table sizes ("3 1000 100000 full", with --quick "3 full")
# ALTFIB_BENCH_PARTS    of "forward udp control"
# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ALTFIB_TOP/scripts/toolchain.sh"
. "$ALTFIB_TOP/scripts/setup/check.sh"
. "$ALTFIB_TOP/scripts/setup/packages.sh"

# Nothing else of the project draws.
packages_wanted() { printf '%s\n' "${packages_bench[@]}"; }

quick='' docs=() kernel=uml-stock
args=("$@")
while (($#)); do
	case $1 in
	--quick) quick=1 && shift ;;
	--docs) docs=(--docs "$ALTFIB_TOP/docs") && shift ;;
	--kernel) kernel=$2 && shift 2 ;;
	report) break ;;
	*) die "bench.sh: unknown option \"$1\"" ;;
	esac
done

if [[ -z ${ALTFIB_BENCH_SETUP:-} ]]; then
	kernels=("$kernel")
	# The control plane needs a routing daemon, and the sends the patched kernel.
	if [[ -z $quick ]]; then kernels+=(bird); fi
	if [[ $kernel == uml-stock && -z $quick ]]; then kernels+=(uml); fi
	[[ ${1:-} == report || -n ${ALTFIB_SETUP_DONE:-} ]] || "$ALTFIB_TOP/scripts/setup.sh" "${kernels[@]}"
	packages_done || packages_run
	export ALTFIB_BENCH_SETUP=1
fi
become_builder ALTFIB_RIB="${ALTFIB_RIB:-}" ALTFIB_RIB6="${ALTFIB_RIB6:-}" ALTFIB_DATA="${ALTFIB_DATA:-}" ALTFIB_BENCH_SETUP=1 \
	ALTFIB_SETUP_DONE="${ALTFIB_SETUP_DONE:-}" "$(readlink -f "$0")" "${args[@]}"

here=$ALTFIB_TOP/scripts/bench
if [[ ${1:-} == report ]]; then
	shift
	exec /usr/bin/python3 "$here/report.py" "${docs[@]}" "$@"
fi
. "$ALTFIB_TOP/scripts/demo/table.sh"
start=$(date +%s)
ALTFIB_BENCH_QUICK=$quick
export ALTFIB_BENCH_QUICK
sizes=${ALTFIB_BENCH_SIZES:-3 1000 100000 full}
if [[ -n $quick ]]; then sizes=${ALTFIB_BENCH_SIZES:-3 full}; fi
parts=" ${ALTFIB_BENCH_PARTS:-forward udp control} "
export ALTFIB_BENCH_ROUNDS=${ALTFIB_BENCH_ROUNDS:-15}
name=bench
if [[ -n $quick ]]; then name=quick; fi
out=$ALTFIB_CACHE/bench/$name-$(date +%Y%m%d-%H%M%S)
mkdir -p "$out"

for variant in plain bench rig; do build_module "$kernel" "$variant"; done
"$ALTFIB_TOP/scripts/routeload/build.sh"
"$ALTFIB_TOP/scripts/demo/prepare.sh"

# The addresses that are sent to, made once for each table: destination and source of each packet.
keys=$ALTFIB_CACHE/bench/keys
mkdir -p "$keys"
make_keys() { # SIZE FAMILY TRAFFIC OPTION...
	local table=$TABLE source=198.19.0.2 file=$keys/$1-$2-$3
	local limit=()
	if [[ $2 == 6 ]]; then table=$TABLE6 source=2001:db8:19::2; fi
	if [[ $3 == attack ]]; then
		source=11.0.0.0
		if [[ $2 == 6 ]]; then source=2001:db8:19::5000:0; fi
	fi
	case $1 in 3 | full) ;; *) limit=(--limit "$1") ;; esac
	local of="$table $source ${*:4}"
	[[ $file -nt $table && $(cat "$file.of" 2>/dev/null) == "$of" ]] && return
	"$ROUTELOAD" keys "$table" "${limit[@]}" --source "$source" -o "$file.new" "${@:4}"
	mv "$file.new" "$file"
	printf '%s\n' "$of" >"$file.of"
}
for family in 4 6; do
	for size in full 3; do
		make_keys "$size" "$family" one --destinations 1
		make_keys "$size" "$family" 1m --destinations 1000000
	done
	make_keys full "$family" 20k --destinations 20000
	make_keys full "$family" zipf --destinations 1000000 --zipf 1 --count 1000000
	make_keys full "$family" attack --destinations 2000000 --sources 24
	for size in 1000 100000; do make_keys "$size" "$family" 1m --destinations 1000000; done
done

cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)
{
	printf 'kernel=%s\n' "$kernel"
	case $kernel in
	uml*) printf 'place=%s\n' "User-Mode Linux on one CPU: no SMP, no jump labels or static calls, no retpolines, no BPF JIT, 4 KiB mappings" ;;
	*) printf 'place=%s\n' "a virtual machine, $kernel" ;;
	esac
	printf 'cpu=%s\n' "${cpu:-unknown}"
	printf 'date=%s\n' "$(date +%F)"
	printf 'table=%s\ntable6=%s\n' "$TABLE_NAME" "$TABLE6_NAME"
	printf 'version=%s\n' "$(git -C "$ALTFIB_TOP" describe --always --dirty 2>/dev/null || echo unknown)"
	printf 'linux=%s\n' "$(cat "$ALTFIB_CACHE/build/$kernel/include/config/kernel.release" 2>/dev/null || echo unknown)"
	printf 'rounds=%s\n' "$ALTFIB_BENCH_ROUNDS"
} >"$out/about"

# One failure is no reason to lose the rest.
failed=''
guest() { # KERNEL WHAT...
	local which=$1
	shift
	"$ALTFIB_TOP/scripts/vm.sh" --kernel "$which" --cpus 1 --memory 6G --timeout 1800 --output "$out" -- \
		"$here/guest.sh" "$@" || { failed+=" $1" && warn "bench: the part \"$1\" ended early"; }
}

if [[ $parts == *" forward "* ]]; then
	for size in $sizes; do
		say "bench: $size routes ($(since "$start"))"
		guest "$kernel" "$size" "$keys"
	done
fi

if [[ $parts == *" udp "* && -z $quick && $kernel != uml* ]]; then
	guest "$kernel" udp "$keys" 1 stock off lookup socket
elif [[ $parts == *" udp "* && -z $quick ]]; then
	# The host's own lookups need a patched kernel in User-Mode Linux, so the kernels take turns.
	for variant in plain rig; do build_module uml "$variant"; done
	rounds=$ALTFIB_BENCH_ROUNDS
	turns=3
	export ALTFIB_BENCH_ROUNDS=$(((rounds + turns - 1) / turns))
	for ((turn = 1; turn <= turns; turn++)); do
		order=(uml-stock uml)
		if ((turn % 2 == 0)); then order=(uml uml-stock); fi
		for which in "${order[@]}"; do
			arms=(stock)
			if [[ $which == uml ]]; then arms=(patched off lookup socket); fi
			guest "$which" udp "$keys" "$turn" "${arms[@]}"
			[[ ! -e $out/udp.jsonl ]] || mv "$out/udp.jsonl" "$out/udp-$turn-$which.jsonl"
		done
	done
	export ALTFIB_BENCH_ROUNDS=$rounds
fi

if [[ $parts == *" control "* && -x $here/control.sh ]]; then
	if [[ -n $quick ]]; then export ALTFIB_BENCH_CONTROL=${ALTFIB_BENCH_CONTROL:-install4=1 namespaces=1}; fi
	"$here/control.sh" "$out" "$kernel" || { failed+=" control" && warn "bench: the control plane's part ended early"; }
fi

say "bench: measured in $(since "$start")"
/usr/bin/python3 "$here/report.py" ${quick:+--quick} "${docs[@]}" "$out"
say ""
say "Written to $out (report.md, report.json, and charts)"
[[ -z $failed ]] || die "these parts ended early:$failed"
exit
}
