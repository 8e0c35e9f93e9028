#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make test: set-up, then all tests, stage by stage.
#
#   test.sh               host uml lint debug x86
#   test.sh STAGE...      any of these, or uml-debug x86-debug demo kernel replay churn
#                         daemons packages matrix
#
# Without arguments two tests of each program may fail and be run once more: an hour of
# packets, timers and emulation on a shared machine is not to be thrown away by one
# report that a host sent by itself.  What passed only then is listed.  Nobody runs a
# warning of the kernel away: the log is read once, at each program's end.
#
# Closes with the line "N passed, N failed".  A stage that breaks off counts as
# one failure more, and so does each test that a plan announced and nobody ran.

# shellcheck disable=SC2317 # stage_* are called by name

# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Minutes on 2 CPUs after the set-up.  A guest may take twice its budget.
declare -A budget=([lint]=2 [host]=12 [uml]=28 [debug]=17 [x86]=35 [uml-debug]=55 [x86-debug]=90 [demo]=20 [kernel]=180 [replay]=20 [churn]=400 [daemons]=30 [packages]=15 [matrix]=60)
# Fewer tests than this mean that something was not run; whoever adds tests
# raises it.
declare -A minimum=([lint]=9 [host]=118 [uml]=906 [debug]=270 [x86]=459 [uml-debug]=474 [x86-debug]=120 [demo]=1 [kernel]=179 [replay]=8 [churn]=48 [daemons]=22 [packages]=9 [matrix]=242)

stages=("$@")
retries=$(($# ? 0 : 2))
# What needs the kernel for User-Mode Linux only comes first, see below.
((${#stages[@]})) || stages=(host uml lint debug x86)
for stage in "${stages[@]}"; do
	[[ -n ${budget[$stage]:-} ]] || die "no stage is called \"$stage\": choose from ${!budget[*]}"
done

begin=$(date +%s)
# These two have kernels of their own, and need root.
privileged=
if [[ ${stages[*]} == @(packages|matrix|packages matrix|matrix packages) ]]; then
	privileged=yes
	export ALTFIB_SETUP_DONE=1
	mkdir -p "$ALTFIB_LOG"
fi
if [[ -z ${ALTFIB_SETUP_DONE:-} ]]; then
	# And two name servers, for one of the programs.
	kernels=(uml dns)
	later=(x86)
	for stage in "${stages[@]}"; do
		[[ $stage != *-debug ]] || later+=("$stage")
		[[ $stage != debug ]] || later+=(uml-debug)
		[[ $stage != kernel ]] || later+=(uml-suites)
		[[ $stage != daemons ]] || kernels+=(bird frr)
	done
	# User-Mode Linux has one CPU: where there is memory for both, the other kernels are
	# built on the rest meanwhile.
	memory_kb=$(awk '/^MemTotal:/{print $2}' /proc/meminfo)
	if ((memory_kb < 7000000)) || [[ ! " ${stages[*]} " =~ \ (host|uml)\  ]]; then
		kernels+=("${later[@]}")
		later=()
	fi
	"$ALTFIB_TOP/scripts/setup.sh" "${kernels[@]}"
	export ALTFIB_SETUP_DONE=1
	if ((${#later[@]})); then
		export ALTFIB_LATER=$ALTFIB_LOG/setup-later
		rm -f "$ALTFIB_LATER.status"
		say "Set-up of the other kernels goes on meanwhile (${later[*]}; log: $ALTFIB_LATER.log)"
		(
			rc=0
			ALTFIB_SETUP_DONE='' nice -n 15 "$ALTFIB_TOP/scripts/setup.sh" "${later[@]}" \
				>"$ALTFIB_LATER.log" 2>&1 </dev/null || rc=$?
			echo "$rc" >"$ALTFIB_LATER.status"
		) &
		echo $! >"$ALTFIB_LATER.pid"
	fi
fi
[[ -n $privileged ]] || become_builder ALTFIB_DATA="${ALTFIB_DATA:-}" ALTFIB_SETUP_DONE=1 ALTFIB_LATER="${ALTFIB_LATER:-}" CI="${CI:-}" "$(readlink -f "$0")" "$@"
. "$ALTFIB_TOP/scripts/toolchain.sh"
. "$ALTFIB_TOP/scripts/sanitize.sh"
cd "$ALTFIB_TOP"

passed=0
failed=0
second=()
summary=()
failures=()

# Counts TAP: results outside of subtests (those are indented), and the plan.
count_tap() { # log -> "PASSED FAILED PLANNED"
	awk '/^ok /{p++} /^not ok /{f++} /^1\.\.[0-9]+/{split($0, a, /\.\.|[^0-9.]/); n += a[2]}
		END{print p + 0, f + 0, n + 0}' "$1"
}

# cargo test's closing lines, one per test program.
count_cargo() {
	awk '/^test result:/{for (i = 1; i < NF; i++) {
			if ($(i+1) ~ /^passed/) p += $i
			if ($(i+1) ~ /^failed/) f += $i}}
		END{print p + 0, f + 0}' "$1"
}

# The kernels that were not there at the start.
wait_for_kernels() {
	[[ -n ${ALTFIB_LATER:-} ]] || return 0
	while [[ -d /proc/$(<"$ALTFIB_LATER.pid") && ! -e $ALTFIB_LATER.status ]]; do sleep 1; done
	# Somebody may have killed it.
	[[ $(cat "$ALTFIB_LATER.status" 2>&1) == 0 ]] ||
		die "the set-up of the other kernels failed: $(tail -n 1 "$ALTFIB_LATER.log") (log: $ALTFIB_LATER.log)"
	ALTFIB_LATER=
}

stage_lint() { scripts/lint.sh; }

stage_host() {
	local cargo crate rc=0 cargo_rc
	cargo=$(find_cargo) || die "no cargo of $RUSTC_MIN or newer: run \"make setup\""
	export CARGO_TARGET_DIR=$ALTFIB_CACHE/build/cargo
	if [[ -z ${ALTFIB_DATA:-} ]]; then
		scripts/demo/prepare.sh 4 6 || say "# no table of real prefixes: the tests make one up"
	fi
	for crate in selftests/unit scripts/routeload tool selftests/unit/fuzz selftests/unit/loom; do
		say "# $crate with $("$cargo" --version)"
		cargo_rc=0
		# rustup's cargo goes with rustup's rustc, Debian's with Debian's.
		RUSTC=${cargo%/*}/rustc "$cargo" test --locked \
			--manifest-path "$crate/Cargo.toml" || cargo_rc=$?
		# A crate that does not build has no "test result" line.
		((cargo_rc == 0)) || rc=1
	done
	host_asan "$cargo" || rc=1
	host_fuzz || rc=1
	return "$rc"
}

# What runs only where its tools are counts as one test each, and not as passed
# where they are not.
as_one_test() { # NAME STATUS
	if (($2 == 0)); then
		printf 'test %s ... ok\ntest result: ok. 1 passed; 0 failed\n' "$1"
	else
		printf 'test %s ... FAILED\ntest result: FAILED. 0 passed; 1 failed\n' "$1"
	fi
	return "$2"
}

# The whole of selftests/unit again, with AddressSanitizer.
host_asan() { # CARGO
	local rustc=${1%/*}/rustc flags log=$ALTFIB_LOG/asan.log rc=0
	say "# selftests/unit with AddressSanitizer (log: $log)"
	if ! flags=$(asan_flags "$rustc" 2>&1); then
		say "# AddressSanitizer: not run: $flags"
		return 0
	fi
	RUSTC_BOOTSTRAP=1 RUSTC=$rustc RUSTFLAGS=$flags CARGO_TARGET_DIR=$ALTFIB_CACHE/build/cargo-asan \
		"$1" test --locked --tests --target "$(host_triple "$rustc")" \
		--manifest-path selftests/unit/Cargo.toml >"$log" 2>&1 || rc=1
	((rc == 0)) || grep -E 'FAILED|panicked|ERROR: AddressSanitizer|^error' -A5 "$log" | head -n 40
	as_one_test address_sanitizer "$rc"
}

# A minute of libFuzzer on the tables.
host_fuzz() {
	local log=$ALTFIB_LOG/fuzz.log rc=0
	say "# libFuzzer (log: $log)"
	scripts/fuzz.sh 60 -max_len=300 >"$log" 2>&1 || rc=$?
	if ((rc == 3)); then
		say "# libFuzzer: not run: $(tail -n1 "$log")"
		return 0
	fi
	grep -E '^stat::number_of_executed_units|^Done ' "$log" || true
	((rc == 0)) || grep -E 'panicked|SUMMARY|Test unit|^error' -A3 "$log" | head -n 20
	as_one_test fuzz_operations "$((rc != 0))"
}

# The kselftest folder is built here, since the guest cannot write.
build_selftests() {
	local log=$ALTFIB_LOG/selftests.log
	mkdir -p "$ALTFIB_CACHE/build/selftests"
	make -C selftests "OUTPUT=$ALTFIB_CACHE/build/selftests" >"$log" 2>&1 ||
		die "the programs of the selftests did not build: $(grep -m1 error "$log" || tail -n1 "$log") (log: $log)"
}

# And the tool, which two of them run.
build_tool() {
	local log=$ALTFIB_LOG/tool.log
	tool/build.sh >"$log" 2>&1 || die "the tool did not build: $(grep -m1 -E '^error|^altfib:' "$log" || tail -n1 "$log") (log: $log)"
}

in_guest() { # kernel cpus [arm [program...]]
	build_module "$1"
	build_module "$1" corrupt
	[[ $1 != x86* ]] || build_module "$1" direct
	build_selftests
	build_tool
	scripts/vm.sh --kernel "$1" --cpus "$2" --memory "${guest_memory:-3G}" \
		--timeout "${guest_limit:-$((budget[$stage] * 120))}" -- \
		env "PROBE=$ALTFIB_CACHE/build/selftests/probe" "YNL=$(find_source)/tools/net/ynl/pyynl" \
		"ALTFIB_KO_CORRUPT=$ALTFIB_CACHE/build/module-$1-corrupt/altfib.ko" \
		"ALTFIB_KO_DIRECT=$ALTFIB_CACHE/build/module-$1-direct/altfib_direct.ko" \
		"ALTFIB_RETRIES=$retries" "ALTFIB_ARM=${3:-on}" selftests/run-kselftest.sh "${@:4}"
}
stage_uml() {
	local rc=0
	in_guest uml 1 || rc=$?
	say "# the comparisons once more, with mode=verify, output=socket"
	in_guest uml 1 verify+socket forward.sh tables.sh local.sh source.sh routes.sh device.sh netfilter.sh \
		ipv6.sh ipv6_tables.sh ipv6_device.sh output.sh random.sh || rc=$?
	uml_kunit || rc=$?
	say "# some of the kernel's own selftests, with altfib off and on"
	ALTFIB_TIMEOUT=600 ALTFIB_SUITE_TIMEOUT=300 \
		scripts/kernel-selftests.sh --arms "off on+lookup" fast || rc=$?
	return "$rc"
}

# A boot of its own: where suites may run, the kernel is tainted by them.
uml_kunit() {
	say "# KUnit"
	scripts/vm.sh --kernel uml --cpus 1 --memory 1G --timeout 240 \
		--append 'kunit.enable=1 kunit.filter_glob=altfib*' -- \
		env "PROBE=$ALTFIB_CACHE/build/selftests/probe" selftests/kunit.sh
}
stage_x86() {
	local rc=0
	say "# x86 kernel with 2 CPUs"
	in_guest x86 2 || rc=$?
	say "# with one CPU: by ftrace to the kernel's own lookups"
	in_guest x86 1 || rc=$?
	return "$rc"
}

# The debug kernel for everybody: what takes and gives references, in a quarter of an
# hour.  stage_uml-debug has all of it.
stage_debug() {
	say "# uml-debug: KASAN, lockdep, reference trackers"
	in_debug_guest uml-debug 1 ALTFIB_ARMINGS=20 ALTFIB_ARM_ROUNDS=30 ALTFIB_SWITCHES=40 \
		ALTFIB_CACHES="flows device device6 host_sends host_sends6 only_bound only_age only_device_gone only_namespace_gone only_switches only_changes only_unload" -- \
		forward.sh device.sh ipv6.sh ipv6_device.sh verify.sh module.sh output.sh caches.sh fastpath.sh
}

# The debug kernels, which slow everything down: User-Mode Linux runs all, and
# then lets allocations fail in a boot of its own; the emulated kernel runs what
# a second CPU matters for, and repeats each race less often.
stage_uml-debug() {
	local rc=0
	say "# uml-debug: KASAN, lockdep, kmemleak, reference trackers"
	in_debug_guest uml-debug 1 ALTFIB_RANDOM_SHRINK=300 ALTFIB_NETLINK_ROUTES=5000 -- || rc=$?
	say "# allocations that fail"
	in_debug_guest uml-debug 1 -- failures.sh || rc=$?
	return "$rc"
}
stage_x86-debug() {
	say "# x86-debug with 2 CPUs: KASAN, lockdep, reference trackers"
	in_debug_guest x86-debug 2 ALTFIB_CHANGES=100 ALTFIB_ROUNDS=2 ALTFIB_LOADS=10 ALTFIB_SWITCHES=200 ALTFIB_MANY=2000 ALTFIB_ARMINGS=20 ALTFIB_ARM_ROUNDS=20 -- \
		forward.sh device.sh module.sh output.sh output_trace.sh race_routes.sh race_devices.sh race_module.sh
}
in_debug_guest() { # kernel cpus [VARIABLE=VALUE...] -- [program...]
	local kernel=$1 cpus=$2
	local -a settings=()
	shift 2
	while [[ $1 != -- ]]; do settings+=("$1") && shift; done
	shift
	build_module "$kernel"
	build_module "$kernel" corrupt
	[[ $kernel != x86* ]] || build_module "$kernel" direct
	build_selftests
	build_tool
	scripts/vm.sh --kernel "$kernel" --cpus "$cpus" --memory 3G \
		--timeout $((budget[$stage] * 120)) -- \
		env "PROBE=$ALTFIB_CACHE/build/selftests/probe" "YNL=$(find_source)/tools/net/ynl/pyynl" \
		"ALTFIB_KO_CORRUPT=$ALTFIB_CACHE/build/module-$kernel-corrupt/altfib.ko" \
		"ALTFIB_KO_DIRECT=$ALTFIB_CACHE/build/module-$kernel-direct/altfib_direct.ko" \
		"ALTFIB_RETRIES=$retries" "ALTFIB_REPEAT=${ALTFIB_REPEAT:-5}" ALTFIB_TIMEOUT=1800 "${settings[@]}" \
		scripts/debug-guest.sh selftests/run-kselftest.sh "$@"
}

# A day of updates, and the module's coming and going, on a full table.
stage_replay() {
	build_module uml
	build_selftests
	scripts/replay.sh
}

# What the README shows first.
stage_demo() {
	say "1..1"
	if make demo; then
		say "ok 1 make demo"
	else
		say "not ok 1 make demo"
	fi
}

# Each change a thousand times. One CPU at native speed, then two that are emulated.
stage_churn() {
	local rc=0 guest_limit=$((budget[churn] * 60))
	export ALTFIB_REPEAT=1000 ALTFIB_TIMEOUT=$guest_limit
	in_guest uml 1 on churn.sh || rc=$?
	in_guest x86 2 on churn.sh || rc=$?
	return "$rc"
}

# Routing daemons, with the full tables of two upstreams: that takes memory.
stage_daemons() {
	local guest_memory=6G
	export ALTFIB_TIMEOUT=$((budget[daemons] * 120))
	scripts/demo/prepare.sh
	in_guest uml 1 on daemons.sh
}

# What an operator has: Debian, its package manager and its kernels.  Neither is part of
# "make test": each kernel's Rust crates alone take five minutes of a core.
stage_packages() { scripts/debian.sh packages; }
stage_matrix() { scripts/debian.sh matrix; }

# The kernel's own network selftests, in the kernel that has what they ask for.
stage_kernel() { scripts/kernel-selftests.sh all; }

# The stage's functions see its name as $stage.
run_stage() {
	local stage=$1 log=$ALTFIB_LOG/test-$1.log start rc=0 p f n took missing
	[[ $stage == @(host|uml|replay|daemons) ]] || wait_for_kernels
	start=$(date +%s)
	say ""
	say "== $stage (budget ${budget[$stage]} min)"
	# No "set -e" in a condition: each function minds its own errors.
	("stage_$stage" 2>&1 </dev/null | tee "$log"; exit "${PIPESTATUS[0]}") || rc=$?
	took=$(since "$start")

	case $stage in
	host)
		read -r p f < <(count_cargo "$log")
		n=$((p + f))
		;;
	lint)
		read -r p f n < <(count_tap "$log")
		n=$((p + f))
		;;
	*) read -r p f n < <(count_tap "$log") ;;
	esac

	while IFS= read -r line; do failures+=("$stage: $line"); done < <(
		grep -E '^not ok |^test .* \.\.\. FAILED$' "$log" || true
	)
	while IFS= read -r line; do second+=("$stage: $line"); done < <(
		grep -E '^ok .*\(the second time\)$' "$log" || true
	)
	# Tests that were announced, or must be there, and were not run.
	((n >= minimum[$stage])) || n=${minimum[$stage]}
	missing=$((n - p - f))
	if ((missing > 0)); then
		f=$((f + missing))
		failures+=("$stage: $missing of $n expected tests gave no result")
	fi
	# Broken off, a splat, a crate that does not build: no "not ok" says it.
	if ((rc != 0 && f == 0)); then
		f=1
		failures+=("$stage: ended with status $rc (log: $log)")
	fi
	passed=$((passed + p))
	failed=$((failed + f))
	summary+=("$(printf '  %-6s %5d passed %5d failed   took %s of %d:00' "$stage" "$p" "$f" "$took" "${budget[$stage]}")")
}

for stage in "${stages[@]}"; do run_stage "$stage"; done

say ""
say "== summary (logs: $ALTFIB_LOG)"
printf '%s\n' "${summary[@]}"
((${#failures[@]} == 0)) || printf '  %s\n' "${failures[@]}"
((${#second[@]} == 0)) || printf '  %s\n' "${second[@]}"
say "  all of it took $(since "$begin")"
((${#second[@]} == 0)) || say "  ${#second[@]} of those that passed had failed once"
say "$passed passed, $failed failed"
((failed == 0 && passed > 0)) && exit 0
exit 1
}
