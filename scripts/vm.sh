#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs a command as root in a test kernel, with the files of this machine
# visible and protected, and returns its exit status.
#
#   vm.sh --kernel KERNEL [--cpus N] [--memory 3G] [--timeout SECONDS]
#         [--output FOLDER] [--append WORDS] [--no-dmesg-check] -- COMMAND...
#   vm.sh --kernel KERNEL --interactive
#
# KERNEL: x86, uml, x86-debug or uml-debug; debian-RELEASE: that of a distribution, in a
# system of its own (scripts/debian.sh).
# WORDS go on the kernel's command line.
# The command finds: ALTFIB_KO (the module), ALTFIB_OUT (the one folder that
# it can write to and that survives), ALTFIB_KERNEL, ALTFIB_CPUS, ALTFIB_ACCEL
# (native, kvm or tcg) and each other ALTFIB_* variable of the caller.
#
# Exit status: the command's; 123 if the kernel's log has a splat; 124 after
# the timeout; 125 if the virtual machine ended without an answer.
# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ALTFIB_TOP/scripts/vm/uml.sh"
. "$ALTFIB_TOP/scripts/vm/x86.sh"
. "$ALTFIB_TOP/scripts/vm/x86-debug.sh"
. "$ALTFIB_TOP/scripts/vm/debian.sh"
. "$ALTFIB_TOP/scripts/vm/qemu.sh"
become_builder "$(readlink -f "$0")" "$@"

kernel=
cpus=2
memory=3G
limit=1800
interactive=
output=
append=()
check_dmesg=yes
while (($#)); do
	case $1 in
	--kernel) kernel=$2 && shift 2 ;;
	--cpus) cpus=$2 && shift 2 ;;
	--memory) memory=$2 && shift 2 ;;
	--timeout) limit=$2 && shift 2 ;;
	--output) output=$2 && shift 2 ;;
	--append) read -ra append <<<"$2" && shift 2 ;;
	--interactive) interactive=yes && shift ;;
	--no-dmesg-check) check_dmesg= && shift ;;
	--) shift && break ;;
	*) die "vm.sh: unknown option \"$1\" (the command comes after --)" ;;
	esac
done
arch_of "$kernel" >/dev/null
if [[ -z $interactive ]]; then
	(($#)) || die "vm.sh: no command given after --"
fi
[[ $kernel == uml* ]] && cpus=1

mkdir -p "$ALTFIB_LOG" "$ALTFIB_CACHE/run"
run=$(mktemp -d "$ALTFIB_CACHE/run/$kernel-XXXXXX")
name=$kernel-$(date +%Y%m%d-%H%M%S)-${run##*-}
trap 'rm -rf "$run"' EXIT
if [[ -n $output ]]; then
	mkdir -p "$output"
	output=$(readlink -f "$output")
else
	output=$run/out
	mkdir "$output"
fi

accel=native
case $kernel in
x86*) accel=$(x86_accel) ;;
debian-*) accel=$(debian_accel) ;;
esac

# What the guest's root runs: settings, then the command.
write_job() {
	local var
	{
		for var in "${!ALTFIB_@}"; do
			printf 'export %s=%q\n' "$var" "${!var}"
		done
		printf 'export ALTFIB_KERNEL=%q ALTFIB_CPUS=%q ALTFIB_ACCEL=%q ALTFIB_OUT=%q\n' \
			"$kernel" "$cpus" "$accel" "$output"
		printf 'export ALTFIB_KO=%q\n' \
			"${ALTFIB_KO:-$ALTFIB_CACHE/build/module-$kernel/altfib.ko}"
		# kselftest's own sign for "this machine can't keep time".
		[[ $accel == tcg ]] && printf 'export KSFT_MACHINE_SLOW=yes\n'
		printf 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n'
		printf 'export HOME=/tmp LC_ALL=C.UTF-8 TERM=%q\n' "${TERM:-dumb}"
		printf 'cd %q\n' "$ALTFIB_TOP"
		if [[ -n $interactive && $# -eq 0 ]]; then
			printf 'exec bash -i\n'
		else
			printf 'exec '
			printf '%q ' "$@"
			printf '\n'
		fi
	} >"$run/job"
}
write_job "$@"
echo "${interactive:-no}" >"$run/interactive"

rc=0
case $kernel in
uml*) guest=uml_run ;;
x86) guest=x86_run ;;
debian-*) guest=debian_run ;;
*) guest=x86_debug_run ;;
esac
"$guest" "$run" "$output" "$cpus" "$memory" "$limit" "$interactive" || rc=$?

# 124: the time is over.  Else the answer counts that the guest wrote.
if [[ $rc != 124 ]]; then
	if [[ -s $run/rc ]]; then
		rc=$(<"$run/rc")
	else
		rc=125
	fi
fi

log=$ALTFIB_LOG/dmesg-$name.txt
cp "$run/dmesg" "$log" 2>/dev/null || : >"$log"
if [[ -s $run/console ]]; then
	cp "$run/console" "$ALTFIB_LOG/console-$name.txt"
fi
[[ -s $run/taint ]] && printf 'altfib-vm: taint %s\n' "$(<"$run/taint")" >>"$log"
case $rc in
124) warn "the command took longer than $limit s in the $kernel kernel: stopped (kernel log: $log)" ;;
125)
	warn "the $kernel kernel ended without an answer (kernel log: $log); its last words:"
	tail -n 25 "$run/console" >&2 || true
	;;
esac
if [[ -n $check_dmesg ]]; then
	if ! "$ALTFIB_TOP/scripts/check-dmesg.sh" "$log" "$run/console"; then
		((rc != 0)) || rc=123
	fi
fi
exit "$rc"
}
