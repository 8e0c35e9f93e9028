# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by setup.sh: configures and builds the test kernels.

# Measured with 2 CPUs: CPU minutes, and lines that make prints ("  CC ...").
declare -A kernel_cpu_minutes=([uml]=11 [x86]=19 [uml-stock]=11 [uml-suites]=16 [uml-debug]=16 [x86-debug]=40)
declare -A kernel_objects=([uml]=1335 [x86]=1974 [uml-stock]=1335 [uml-suites]=1628 [uml-debug]=1600 [x86-debug]=2300)
declare -A kernel_image=([um]=linux [x86_64]=arch/x86/boot/bzImage)
declare -A kernel_targets=([um]="linux modules" [x86_64]="bzImage modules")

kernel_uml_done() { kernel_done uml; }
kernel_uml_plan() { kernel_plan uml; }
kernel_uml_run() { kernel_run uml; }
kernel_x86_done() { kernel_done x86; }
kernel_x86_plan() { kernel_plan x86; }
kernel_x86_run() { kernel_run x86; }
kernel_uml-stock_done() { kernel_done uml-stock; }
kernel_uml-stock_plan() { kernel_plan uml-stock; }
kernel_uml-stock_run() { kernel_run uml-stock; }
kernel_uml-suites_done() { kernel_done uml-suites; }
kernel_uml-suites_plan() { kernel_plan uml-suites; }
kernel_uml-suites_run() { kernel_run uml-suites; }
kernel_uml-debug_done() { kernel_done uml-debug; }
kernel_uml-debug_plan() { kernel_plan uml-debug; }
kernel_uml-debug_run() { kernel_run uml-debug; }
kernel_x86-debug_done() { kernel_done x86-debug; }
kernel_x86-debug_plan() { kernel_plan x86-debug; }
kernel_x86-debug_run() { kernel_run x86-debug; }

# Every kernel but the plain ones has what the kernel's own selftests ask for, and a
# debug kernel has two fragments more; uml-stock differs from uml in its source only, and both
# have what the benchmarks want.
kernel_fragments() {
	local dir=$ALTFIB_TOP/scripts/kernel
	printf '%s\n' "$dir/altfib.config" "$dir/${1%%-*}.config"
	case $1 in
	uml | uml-stock) printf '%s\n' "$dir/bench.config" ;;
	*-*) printf '%s\n' "$dir/suites.config" "$dir/$1.config" ;;
	esac
	[[ $1 != *-debug ]] || printf '%s\n' "$dir/debug.config"
}

# What is asked for, without comments, so that a comment costs no rebuild.
kernel_options() {
	# shellcheck disable=SC2046 # the checkout's path has no blanks (lib.sh)
	grep -hE '^CONFIG_' $(kernel_fragments "$1") | sort -u
}

# What a kernel is built of beside its source; nothing for the plain ones.
kernel_patches() {
	[[ $1 != uml-debug ]] || cat "$ALTFIB_TOP/scripts/kernel/uml-stacktrace.c"
	! kernel_is_patched "$1" || cat "$ALTFIB_TOP"/scripts/kernel/patches/*.patch
}

# The patched source: links to the plain one, of which patch replaces what it
# changes.
kernel_patch_source() { # KERNEL
	local from to patch made
	from=$(find_source) || die "the kernel source is missing: run \"make setup\""
	to=$(source_of "$1")
	made=$({ source_id && cat "$ALTFIB_TOP"/scripts/kernel/patches/*.patch; } | sha256sum)
	# The same files would be newer than what was built from them.
	[[ $(cat "$to/.altfib-patched" 2>/dev/null) != "$made" ]] || return 0
	rm -rf "$to"
	mkdir -p "${to%/*}"
	cp -al "$from" "$to" 2>/dev/null || { rm -rf "$to" && cp -a "$from" "$to"; } ||
		die "the kernel source could not be copied to $to"
	for patch in "$ALTFIB_TOP"/scripts/kernel/patches/*.patch; do
		patch -d "$to" -p1 -s --no-backup-if-mismatch <"$patch" ||
			die "$patch does not fit Linux $(source_version "$from")"
	done
	printf '%s\n' "$made" >"$to/.altfib-patched"
}

# The inputs of a build in one line each; equal means: nothing to do.
kernel_inputs() {
	printf 'source %s %s\n' "$(source_id)" "$(find_source)"
	printf 'tools %s\n' "$(toolchain_id)"
	printf 'options %s\n' "$({ kernel_options "$1" && kernel_patches "$1"; } | sha256sum | cut -c1-16)"
}

kernel_done() {
	local stamp=$ALTFIB_CACHE/stamp/kernel-$1
	[[ -f $ALTFIB_CACHE/build/$1/${kernel_image[$(arch_of "$1")]} ]] || return 1
	bindgen_there && source_done || return 1
	[[ -n ${KMAKE+x} ]] || set_toolchain
	[[ -f $stamp ]] || kernel_adopt "$1" || return 1
	[[ $(kernel_inputs "$1") == "$(<"$stamp")" ]]
}

# A finished build without a stamp (made by hand) is taken over if it is of
# this source, this compiler and these options.  Not one that gets more than
# make: it may have been left before that (kernel_relink).
kernel_adopt() {
	local out=$ALTFIB_CACHE/build/$1
	[[ -z $(kernel_patches "$1") ]] || return 1
	[[ -f $out/Module.symvers && -f $out/include/config/auto.conf ]] || return 1
	[[ $(cat "$out/include/config/kernel.release" 2>/dev/null) == "$(source_version "$(find_source)")-altfib" ]] || return 1
	grep -qxF "CONFIG_RUSTC_VERSION_TEXT=$("$ALTFIB_RUSTC" --version)" "$out/include/config/auto.conf" || return 1
	[[ -z $(kernel_lost "$1") ]] || return 1
	kernel_inputs "$1" >"$ALTFIB_CACHE/stamp/kernel-$1"
}

kernel_plan() {
	local minutes=$(((kernel_cpu_minutes[$1] + $(nproc) - 1) / $(nproc)))
	printf '%s 0.6 build the %s test kernel\n' "$minutes" "$1"
}

# Requested options that the configuration does not have.
kernel_lost() {
	local option
	while read -r option; do
		# gcc cannot inline C helpers into Rust; all else works without.
		[[ $option == CONFIG_RUST_INLINE_HELPERS=y && -z $ALTFIB_LLVM ]] && continue
		grep -qxF "$option" "$ALTFIB_CACHE/build/$1/.config" || printf '%s\n' "$option"
	done < <(kernel_options "$1")
}

# Turns make's output into "n of m": one line that moves on a terminal, else
# one every half minute.
kernel_progress() { # total, log
	awk -v total="$1" -v log_file="$2" -v tty="$([[ -t 1 ]] && echo 1)" '
	function show(   left, text) {
		left = n ? (total - n) * (systime() - start) / n : 0
		if (left < 0) left = 0
		text = sprintf("  %d of %d, about %d:%02d left", n, n > total ? n : total, left / 60, left % 60)
		if (tty) printf "\r%s   ", text
		else print text
		fflush()
	}
	BEGIN { start = last = systime() }
	{ print >log_file }
	/^  [A-Z0-9]+ / {
		n++
		if (systime() - last >= (tty ? 1 : 30)) { last = systime(); show() }
	}
	END { if (tty) printf "\r%60s\r", ""; printf "%d\n", n >(log_file ".count") }'
}

kernel_run() {
	local kernel=$1 out=$ALTFIB_CACHE/build/$1 log=$ALTFIB_LOG/kernel-$1.log
	local stamp=$ALTFIB_CACHE/stamp/kernel-$1 src lost total arch
	local -a make
	arch=$(arch_of "$kernel")
	set_toolchain
	! kernel_is_patched "$kernel" || kernel_patch_source "$kernel"
	src=$(source_of "$kernel") || die "the kernel source is missing: run \"make setup\""
	check_kernel_supported "$(source_version "$src")" "$src"
	[[ ! -f $src/.config && ! -d $src/include/config ]] ||
		die "$src was built in place, and a kernel cannot be built beside it: run \"make mrproper\" there, or use it with KDIR="
	make=("${KMAKE[@]}" -C "$src" "O=$out" "ARCH=$arch")

	# Files of another revision may be older than objects of the last one.
	if [[ -f $stamp && $(head -n1 "$stamp") != "$(kernel_inputs "$kernel" | head -n1)" ]]; then
		rm -rf "$out"
	fi
	rm -f "$stamp"
	mkdir -p "$out"

	say "Configuring the $kernel kernel of Linux $(source_version "$src")"
	# shellcheck disable=SC2046 # the checkout's path has no blanks (lib.sh)
	cat $(kernel_fragments "$kernel") >"$out/altfib.config"
	KCONFIG_ALLCONFIG=$out/altfib.config "${make[@]}" allnoconfig >"$log" 2>&1 </dev/null ||
		die "the $kernel kernel could not be configured: $(kernel_error "$log") (log: $log)"
	lost=$(kernel_lost "$kernel" | tr '\n' ' ')
	[[ -z $lost ]] ||
		die "the configuration of the $kernel kernel dropped what scripts/kernel/ asks for: ${lost}(a dependency is missing; \"make rustavailable\" in $src tells for CONFIG_RUST)"
	if [[ -n ${ALTFIB_SETUP_NO_BUILD:-} ]]; then
		die "stopped before the compilation, as ALTFIB_SETUP_NO_BUILD asks"
	fi

	total=${kernel_objects[$kernel]}
	[[ -s $log.count ]] && total=$(<"$log.count")
	say "Building the $kernel kernel with $(toolchain_id) (log: $log)"
	# shellcheck disable=SC2086 # two targets
	if ! { "${make[@]}" -j"$(nproc)" ${kernel_targets[$arch]} 2>&1 </dev/null |
		kernel_progress "$total" "$log"; }; then
		rm -f "$log.count"
		die "the $kernel kernel did not build: $(kernel_error "$log") (log: $log)"
	fi
	if [[ $kernel == uml-debug ]]; then
		kernel_relink "$out" "$log" "${make[@]}"
	fi
	[[ -f $out/${kernel_image[$arch]} ]] ||
		die "the build of the $kernel kernel ended well, yet there is no ${kernel_image[$arch]} (log: $log)"
	kernel_inputs "$kernel" >"$stamp"
}

# UML is compiled for the large code model, and clang then puts all zeroed data
# into .lbss, which UML's linker script does not know: it ends up behind _end.
# lockdep takes no lock there for a static one and gives up at the first, and
# kmemleak does not look there for pointers.  And its way to walk the stack is
# too slow here: another takes its place, compiled as the original was.
kernel_relink() { # OUT LOG MAKE...
	local out=$1 log=$2 script=arch/um/kernel walk=$ALTFIB_TOP/scripts/kernel/uml-stacktrace.c
	shift 2
	(
		cd "$out"
		sed -n "1s|^[^=]*:= ||; 1s| [^ ]* *$| $walk|p" $script/.stacktrace.o.cmd | bash
	) >>"$log" 2>&1 </dev/null || die "$walk did not compile (log: $log)"
	sed 's/\*(\.bss \.bss\.\*/& .lbss .lbss.*/' "$out/$script/vmlinux.lds" >"$out/$script/large.lds"
	"$@" KBUILD_LDS=$script/large.lds linux >>"$log" 2>&1 </dev/null ||
		die "the uml-debug kernel could not be linked again: $(kernel_error "$log") (log: $log)"
}

kernel_error() {
	grep -m1 -E '(^|[ :])(fatal )?error(\[E[0-9]+\])?:|^make.*\*\*\*|Killed' "$1" || tail -n1 "$1"
}
