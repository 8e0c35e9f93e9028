#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds altfib.ko against a test kernel (x86, uml, x86-debug, uml-debug,
# uml-stock) or any prepared tree.
#
#   build-module.sh KERNEL [VARIANT] [MAKE ARGUMENT...]
#   build-module.sh --kdir TREE [MAKE ARGUMENT...]
#
# VARIANT: plain     what the tests load                  build/module-KERNEL
#          checked   overflow checks on, for the panic gate  ...-checked
#          clippy    linted with the kernel's lints          ...-clippy
#          corrupt   wrong on purpose (src/mirror/tables.rs)   ...-corrupt
#          bench     with entries to time the table alone (src/bench.rs)  ...-bench
#          rig       not altfib, but scripts/bench/module, which times it  ...-rig
#          direct    not altfib, but selftests/direct, for its tests   ...-direct
# The last line printed is the path of the module.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/toolchain.sh"
become_builder "$(readlink -f "$0")" "$@"

[[ $# -ge 1 ]] || die "usage: build-module.sh KERNEL [plain|checked|clippy|corrupt|bench|rig|direct], or --kdir TREE"

# UML's module loader knows no GOT relocation, and cuts a 32-bit one that does
# not reach (with more than 1 GiB of memory, from a module to the kernel) off
# in silence: the call then lands nowhere and insmod hangs.  So all addresses
# are 64 bits wide, as UML's makefile has it for C (-mcmodel=large).
uml_flags='-Crelocation-model=static -Ccode-model=large'

flags=
variant=plain
module=$ALTFIB_TOP
name=altfib.ko
if [[ $1 == --kdir ]]; then
	[[ $# -ge 2 ]] || die "--kdir needs the path of a prepared kernel tree"
	tree=$(readlink -f "$2") || die "KDIR=$2 does not exist"
	shift 2
	check_tree "$tree"
	release=$(tree_release "$tree")
	if ! tree_has_crates "$tree"; then
		tree=$("$ALTFIB_TOP/scripts/prepare-rust.sh" "$tree" "$ALTFIB_CACHE/build/crates-$release")
	fi
	use_tree_compilers "$tree"
	out=$ALTFIB_CACHE/build/module-$release
	KMAKE+=(-C "$tree")
	if grep -q '^CONFIG_UML=y' "$tree/include/config/auto.conf"; then
		KMAKE+=(ARCH=um)
		flags=$uml_flags
	fi
else
	kernel=$1
	arch=$(arch_of "$kernel")
	shift
	case ${1:-} in plain | checked | clippy | corrupt | bench | rig | direct) variant=$1 && shift ;; esac
	tree=$ALTFIB_CACHE/build/$kernel
	[[ -f $tree/include/config/auto.conf ]] ||
		die "the $kernel test kernel is not built yet: run \"scripts/setup.sh $kernel\""
	set_toolchain
	src=$(source_of "$kernel") || die "the kernel source is missing: run \"make setup\""
	KMAKE+=(-C "$src" "O=$tree" "ARCH=$arch")
	out=$ALTFIB_CACHE/build/module-$kernel
	[[ $kernel == uml* ]] && flags=$uml_flags
	case $variant in
	checked)
		out+=-checked
		flags+=' -Coverflow-checks=on'
		;;
	corrupt)
		out+=-corrupt
		flags+=' --cfg altfib_corrupt'
		;;
	bench)
		out+=-bench
		flags+=' --cfg altfib_bench'
		KMAKE+=(ALTFIB_BENCH=1)
		;;
	rig)
		out+=-rig
		module=$ALTFIB_TOP/scripts/bench/module
		name=altfib_bench.ko
		flags=
		;;
	direct)
		out+=-direct
		module=$ALTFIB_TOP/selftests/direct
		name=altfib_direct.ko
		flags=
		;;
	clippy)
		out+=-clippy
		flags+=' -Dwarnings'
		KMAKE+=(CLIPPY=1)
		;;
	esac
fi

mkdir -p "$out" "$ALTFIB_LOG"
# Two builds in one folder would destroy each other's objects.
exec 9>"$out/.lock"
flock 9

# A moved checkout leaves the old paths in kbuild's dependency files.
if [[ $(cat "$out/.checkout" 2>/dev/null) != "$ALTFIB_TOP" ]]; then
	find "$out" -mindepth 1 ! -name .lock -delete
	printf '%s\n' "$ALTFIB_TOP" >"$out/.checkout"
fi

"${KMAKE[@]}" "M=$module" "MO=$out" ${flags:+"KRUSTFLAGS=$flags"} \
	-j"$(nproc)" "$@" modules 9>&-
[[ -f $out/$name ]] || die "the build ended without an error, yet made no $out/$name"
printf '%s\n' "$out/$name"
