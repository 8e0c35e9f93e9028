#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything between a fresh Debian and a booting test kernel.
#
#   setup.sh [KERNEL...]        uml x86 uml-stock uml-suites uml-debug x86-debug; default the first two
#   setup.sh [KERNEL...] dns    and the name servers of selftests/dns.sh
#   setup.sh [KERNEL...] bird   and the routing daemon of scripts/bench/control.sh and selftests/daemons.sh
#   setup.sh [KERNEL...] frr    and that of selftests/daemons.sh alone
#
# Each step (scripts/setup/STEP.sh) has three functions:
#   STEP_done   true if there is nothing to do; must be fast
#   STEP_plan   prints "MINUTES GIGABYTES what it will do"
#   STEP_run    does it, or says in one sentence what is missing
# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ALTFIB_TOP/scripts/toolchain.sh"
for part in check packages tools source unpack dns bird frr kernel; do
	# shellcheck source=/dev/null # each is checked by itself
	. "$ALTFIB_TOP/scripts/setup/$part.sh"
done

args=("$@")
((${#args[@]})) || args=(uml x86)
kernels=()
more=()
for word in "${args[@]}"; do
	case $word in
	dns | bird | frr) more+=("$word") ;;
	*) kernels+=("$word") ;;
	esac
done
for kernel in "${kernels[@]}"; do arch_of "$kernel" >/dev/null; done

# A step that ends without a sentence of its own would leave a riddle.
trap '[[ $? == 0 || -n ${ALTFIB_DIED:-} ]] || warn "the set-up stopped unexpectedly in step ${step:-start} (logs: $ALTFIB_LOG)"' EXIT

make_cache

# Two runs at once would build in the same folders.
if [[ -z ${ALTFIB_SETUP_LOCKED:-} ]]; then
	exec 7<"$ALTFIB_CACHE"
	if ! flock -n 7; then
		say "Another set-up is running in $ALTFIB_CACHE: waiting for it"
		flock 7
	fi
	export ALTFIB_SETUP_LOCKED=1
fi

steps=(packages tools source "${more[@]}")
for kernel in "${kernels[@]}"; do steps+=("kernel_$kernel"); done

todo=()
for step in "${steps[@]}"; do
	"${step}_done" || todo+=("$step")
done
if ((${#todo[@]} == 0)); then
	say "Set-up: all there (${args[*]}; Linux $(source_version "$(find_source)"), in $ALTFIB_CACHE)"
	exit 0
fi

# Checked and announced once, before anything is changed.
if [[ -z ${ALTFIB_SETUP_CHECKED:-} ]]; then
	show_plan "${todo[@]}"
	check_machine "${todo[@]}"
	export ALTFIB_SETUP_CHECKED=1
fi

start=$(date +%s)
for step in "${todo[@]}"; do
	if [[ $step != packages ]]; then
		# From here on as the account that builds.
		become_builder "$(readlink -f "$0")" "${args[@]}"
	fi
	# An earlier step may have brought what a later one looks for.
	if ! "${step}_done"; then
		step_start=$(date +%s)
		"${step}_run"
		say "  done in $(since "$step_start")"
	fi
done
say "Set-up finished in $(since "$start")"
exit
}
