# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by vm.sh: the User-Mode Linux guest, an ordinary process.
# shellcheck disable=SC2154 # kernel is vm.sh's

# One CPU of the host for each guest: pinned, its programs' system calls are
# four times faster.  The lock on fd 8 lives as long as the guest.
uml_pick_cpu() {
	local cpu
	local -a host_cpus
	if [[ -n ${ALTFIB_UML_CPU:-} ]]; then
		UML_CPU=$ALTFIB_UML_CPU
		return
	fi
	mapfile -t host_cpus < <(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' |
		while IFS=- read -r a b; do seq "$a" "${b:-$a}"; done | sort -rn)
	for cpu in "${host_cpus[@]}"; do
		exec 8>"$ALTFIB_CACHE/run/.cpu$cpu"
		if flock -n 8; then
			UML_CPU=$cpu
			return
		fi
	done
	UML_CPU=${host_cpus[0]}
}

# uml_run RUN OUTPUT CPUS MEMORY LIMIT INTERACTIVE
uml_run() {
	local run=$1 out=$2 memory=$4 limit=$5 interactive=$6
	local linux=$ALTFIB_CACHE/build/$kernel/linux rc=0 tmp pid tail_pid seccomp=on
	[[ -x $linux ]] || die "the $kernel kernel is not built: run \"scripts/setup.sh $kernel\""

	# The guest's memory is a file there; only a tmpfs is fast enough.
	tmp=/dev/shm
	[[ $(stat -f -c %T $tmp 2>/dev/null) == tmpfs && -w $tmp ]] || tmp=${TMPDIR:-/tmp}

	# The faster way to run user space; under the debug kernel init crashes in it.
	[[ $kernel != uml-debug ]] || seccomp=off

	uml_pick_cpu
	: >"$run/output"
	: >"$run/console"
	local -a console=(con=null ssl=null "con0=null,fd:2")
	[[ -n $interactive ]] && console=(con=null ssl=null "con0=fd:0,fd:1")

	local -a cmd=(
		taskset -c "$UML_CPU" "$linux" "mem=$memory" "umid=altfib-${run##*/}"
		"uml_dir=$run/uml/"
		root=/dev/root rootfstype=hostfs rootflags=/ ro
		"init=$ALTFIB_TOP/scripts/vm/init.sh" "${console[@]}"
		"seccomp=$seccomp" quiet log_buf_len=4M panic=-1
		"altfib.run=$run" "altfib.out=$out" "altfib.top=$ALTFIB_TOP"
		"altfib.cache=$ALTFIB_CACHE" "${append[@]}"
	)
	if [[ -n $interactive ]]; then
		local saved
		saved=$(stty -g 2>/dev/null || true)
		TMPDIR=$tmp "${cmd[@]}" 2>"$run/console" || rc=$?
		[[ -n $saved ]] && stty "$saved"
		return 0
	fi

	TMPDIR=$tmp timeout -k 5 "$limit" "${cmd[@]}" \
		</dev/null >>"$run/console" 2>&1 &
	pid=$!
	tail -s 0.2 -n +1 -f --pid=$pid "$run/output" 2>/dev/null 8>&- &
	tail_pid=$!
	# An interrupted run must not leave a kernel behind.
	trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
	wait "$pid" || rc=$?
	wait "$tail_pid" || true
	trap - INT TERM
	# timeout's own 124 (or 137 after -k); else what the guest wrote counts.
	if ((rc == 137)) && [[ ! -s $run/rc ]]; then rc=124; fi
	return "$rc"
}
