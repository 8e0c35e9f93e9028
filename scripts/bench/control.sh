#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The control plane's part of "make bench": routes that come and go, a routing daemon,
# updates under traffic, namespaces, memory; each with altfib and without it. About
# seven minutes in User-Mode Linux on an idle machine.
#
#   control.sh OUT [KERNEL]   adds to OUT/control.jsonl (KERNEL: uml-stock)
#
# ALTFIB_BENCH_QUICK=1    only what matters most, in about a minute
# ALTFIB_BENCH_ROUNDS     rounds of the parts that are judged
# ALTFIB_BENCH_CONTROL    instead, these parts with so many rounds: "install4=15 bird=5"
# ALTFIB_DATA             a folder with real updates (ris-*-updates-v4.txt.xz, -v6) and their
#                         tables; without, updates are made up over the tables of libloc-database
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../lib.sh"
. "$here/../demo/updates.sh"
become_builder ALTFIB_DATA="${ALTFIB_DATA:-}" ALTFIB_RIB="${ALTFIB_RIB:-}" \
	ALTFIB_RIB6="${ALTFIB_RIB6:-}" "$(readlink -f "$0")" "$@"

(($# == 1 || $# == 2)) || die "control.sh: name the folder for the results"
kernel=${2:-uml-stock}
mkdir -p "$1"
out=$(readlink -f "$1")
find_updates
"$here/../routeload/build.sh"
"$here/../demo/prepare.sh"
. "$here/../demo/table.sh"

parts=()
if [[ -n ${ALTFIB_BENCH_CONTROL:-} ]]; then
	read -ra parts <<<"$ALTFIB_BENCH_CONTROL"
elif [[ ${ALTFIB_BENCH_QUICK:-0} == 1 ]]; then
	parts=("install4=${ALTFIB_BENCH_ROUNDS:-3}" namespaces=3)
else
	# As many as the install rate and the namespaces need to be judged; a round of the others is longer.
	n=${ALTFIB_BENCH_ROUNDS:-15}
	parts=("install4=$n" install6=5 "bird=$(((n + 2) / 3))" "replay4=$n" replay6=3
		"namespaces=$n" memory=1)
fi

for family in 4 6; do
	updates_of "$family"
	declare -x "ALTFIB_UPDATES$family=$UPDATES"
	say "bench control: IPv$family: $UPDATES_NAME"
done

run=$out/control
mkdir -p "$run"
if [[ $kernel == uml* ]]; then
	python3 "$here/cputime.py" "altfib.out=$run" "$run/cputime" &
	sampler=$!
	trap 'kill "$sampler" 2>/dev/null || true' EXIT
fi
rc=0
"$here/../vm.sh" --kernel "$kernel" --cpus 1 --memory 3G --output "$run" --timeout "${ALTFIB_TIMEOUT:-1800}" -- \
	"$here/control-guest.sh" "${parts[@]}" || rc=$?
# What was measured before a failure counts.
python3 "$here/control_records.py" "$run" >>"$out/control.jsonl"
say "bench control: $(wc -l <"$out/control.jsonl") records in $out/control.jsonl"
exit "$rc"
