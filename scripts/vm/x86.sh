# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by vm.sh: the x86 guest under virtme-ng.
# shellcheck disable=SC2154 # accel and kernel are vm.sh's

x86_vng() {
	local vng
	# vng starts its siblings by name, so a call needs its folder on PATH.
	for vng in "$ALTFIB_CACHE/tools/virtme/bin/vng" "$(command -v vng || true)"; do
		if [[ -n $vng && -x $vng ]]; then
			printf '%s\n' "$vng"
			return 0
		fi
	done
	die "virtme-ng is missing: run \"make setup\""
}

x86_image() {
	local image=$ALTFIB_CACHE/build/$kernel/arch/x86/boot/bzImage
	[[ -f $image ]] || die "the $kernel kernel is not built: run \"scripts/setup.sh $kernel\""
	printf '%s\n' "$image"
}

# kvm or tcg.  A /dev/kvm that opens may still fail at the first guest (nested
# virtualization): so a real boot decides, once for each host kernel.
x86_accel() {
	local stamp=$ALTFIB_CACHE/stamp/kvm id vng image
	case ${ALTFIB_KVM:-auto} in
	yes) echo kvm && return ;;
	no) echo tcg && return ;;
	esac
	if [[ ! -r /dev/kvm || ! -w /dev/kvm ]]; then
		echo tcg
		return
	fi
	id="$(uname -r) $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n1)"
	if [[ $(head -n1 "$stamp" 2>/dev/null) != "$id" ]]; then
		vng=$(x86_vng)
		image=$(x86_image)
		mkdir -p "${stamp%/*}"
		printf '%s\n' "$id" >"$stamp.new"
		if PATH=${vng%/*}:$PATH timeout -k 5 30 "$vng" --run "$image" --user root --cpus 1 --memory 512M \
			--cwd / --exec true </dev/null >"$ALTFIB_LOG/kvm.log" 2>&1; then
			echo kvm >>"$stamp.new"
		else
			echo tcg >>"$stamp.new"
		fi
		mv "$stamp.new" "$stamp"
	fi
	tail -n1 "$stamp"
}

# x86_run RUN OUTPUT CPUS MEMORY LIMIT INTERACTIVE
x86_run() {
	local run=$1 out=$2 cpus=$3 memory=$4 limit=$5 interactive=$6
	local vng image rc=0 dir pid tail_pid
	vng=$(x86_vng)
	image=$(x86_image)

	local -a cmd=(env "PATH=${vng%/*}:$PATH" "$vng" --run "$image" --user root --cpus "$cpus" --memory "$memory"
		--cwd / --rwdir "$run" --append "log_buf_len=4M ${append[*]}")
	[[ $out == "$run"/* ]] || cmd+=(--rwdir "$out")
	[[ $accel == kvm ]] || cmd+=(--disable-kvm)
	# virtme-ng puts a tmpfs over these folders of the guest.  It mounts what is
	# read-only last, so no such folder may hold the writable one.
	for dir in "$ALTFIB_TOP"/{scripts,selftests} "$ALTFIB_CACHE"/{build,tables}; do
		case $dir in
		/run/* | /var/tmp/* | /var/cache/* | /var/log/* | /dev/shm/*)
			[[ ! -d $dir ]] || cmd+=(--rodir "$dir")
			;;
		esac
	done

	if [[ -n $interactive ]]; then
		"${cmd[@]}" --exec "bash $ALTFIB_TOP/scripts/vm/guest.sh $run" || true
		return 0
	fi
	: >"$run/output"
	: >"$run/console"
	# The last words of a dying kernel go to the console, on fd 2; a pipe,
	# since QEMU would truncate a file.
	timeout -k 5 "$limit" "${cmd[@]}" --verbose --append "loglevel=5" \
		--exec "bash $ALTFIB_TOP/scripts/vm/guest.sh $run" \
		</dev/null > >(cat >>"$run/console") 2>&1 &
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
