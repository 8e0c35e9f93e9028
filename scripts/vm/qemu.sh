# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by vm.sh: an x86 guest under QEMU alone, its root a folder of the host's
# by 9p, with scripts/vm/init.sh as process 1.
# shellcheck disable=SC2154 # accel and append are vm.sh's

# qemu_run RUN OUTPUT CPUS MEMORY LIMIT ROOT IMAGE INITRD WORD...
# INITRD may be empty; the WORDs go on the kernel's command line.
qemu_run() {
	local run=$1 out=$2 cpus=$3 memory=$4 limit=$5 root=$6 image=$7 initrd=$8
	local rc=0 tag pid tail_pid
	shift 8
	local -a words=(
		console=ttyS0 loglevel=5 panic=-1 log_buf_len=4M ro root=/dev/root
		rootfstype=9p "rootflags=trans=virtio,version=9p2000.L,msize=262144,cache=loose"
		"init=$ALTFIB_TOP/scripts/vm/init.sh" "altfib.run=$run" "altfib.out=$out"
		"altfib.top=$ALTFIB_TOP" "altfib.cache=$ALTFIB_CACHE" "$@" "${append[@]}"
	)
	# A CPU of an emulated guest stands still while the host runs something else,
	# and clocks go on.  Whoever compares two of them then may find either broken:
	# "Watchdog remote CPU 1 read timed out", said a boot without this.
	[[ $accel == kvm ]] || words+=(tsc=reliable)
	# While the kernel reads the features of its first CPU it knows none of them for a moment,
	# five levels of page tables neither; an interrupt just then, and KASAN takes a
	# good address for a wild one ("wild-memory-access in rcu_is_watching", called from
	# identify_cpu) and lockdep goes off.
	words+=(no5lvl)
	local -a cmd=(
		qemu-system-x86_64 -machine q35 -cpu max -smp "$cpus" -m "$memory"
		-display none -vga none -net none -no-reboot -serial stdio -monitor none
		-kernel "$image" -append "${words[*]}"
	)
	[[ -z $initrd ]] || cmd+=(-initrd "$initrd")
	[[ $accel != kvm ]] || cmd+=(-enable-kvm)
	# What init.sh mounts, by these names.
	local -A shares=([root]=$root [top]=$ALTFIB_TOP [cache]=$ALTFIB_CACHE [run]=$run [out]=$out)
	for tag in "${!shares[@]}"; do
		local fs=local,id=$tag,path=${shares[$tag]},security_model=none,multidevs=remap
		case $tag in
		run | out) ;;
		*) fs+=,readonly=on ;;
		esac
		cmd+=(-fsdev "$fs" -device "virtio-9p-pci,fsdev=$tag,mount_tag=${tag/#root//dev/root}")
	done

	: >"$run/output"
	: >"$run/console"
	timeout -k 5 "$limit" "${cmd[@]}" </dev/null > >(cat >>"$run/console") 2>&1 &
	pid=$!
	tail -s 0.2 -n +1 -f --pid=$pid "$run/output" 2>/dev/null &
	tail_pid=$!
	trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
	wait "$pid" || rc=$?
	wait "$tail_pid" || true
	trap - INT TERM
	if ((rc == 137)) && [[ ! -s $run/rc ]]; then rc=124; fi
	return "$rc"
}
