# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced after lib.sh: which compilers build the kernel and the module.
#
# The kernel, its Rust crates and the module must come from one and the same
# rustc.  The compiler that is first on PATH may be a rustup one, which has no
# library source of its own, so the distribution's comes first here.

RUSTC_MIN=1.85.0
BINDGEN_MIN=0.71.1

# version_ge A B: is A at least B?
version_ge() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1) == "$2" ]]; }

rustc_version() { "$1" --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p'; }

# The LLVM major that a rustc was linked with.
rustc_llvm() { "$1" -vV 2>/dev/null | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p'; }

# The source of core that belongs to a rustc, or nothing.
rustc_library() {
	local dir version
	version=$(rustc_version "$1")
	for dir in "/usr/src/rustc-$version/library" \
		"$("$1" --print sysroot)/lib/rustlib/src/rust/library"; do
		if [[ -f $dir/core/src/lib.rs ]]; then
			readlink -f "$dir"
			return 0
		fi
	done
	return 1
}

find_rustc() {
	local rustc
	for rustc in "${RUSTC:-}" /usr/bin/rustc "$(command -v rustc || true)"; do
		[[ -n $rustc && -x $rustc ]] || continue
		version_ge "$(rustc_version "$rustc")" "$RUSTC_MIN" || continue
		rustc_library "$rustc" >/dev/null || continue
		printf '%s\n' "$rustc"
		return 0
	done
	return 1
}

# A cargo that knows edition 2024: that of rustup or of the distribution.
find_cargo() {
	local cargo
	for cargo in "$(command -v cargo || true)" /usr/bin/cargo; do
		[[ -n $cargo && -x $cargo ]] || continue
		version_ge "$("$cargo" --version 2>/dev/null | sed -n 's/^cargo \([0-9.]*\).*/\1/p')" "$RUSTC_MIN" || continue
		printf '%s\n' "$cargo"
		return 0
	done
	return 1
}

bindgen_version() { "$1" --version 2>/dev/null | sed -n 's/^bindgen \([0-9.]*\).*/\1/p'; }

# libclang 22 needs a bindgen that knows it (scripts/rust_is_available.sh).
bindgen_floor() { # LLVM major
	if ((${1:-0} >= 22)); then echo 0.72.1; else echo "$BINDGEN_MIN"; fi
}

find_bindgen() { # LLVM major
	local bindgen
	for bindgen in "${BINDGEN:-}" "$ALTFIB_CACHE/tools/bin/bindgen" \
		"$(command -v bindgen || true)" "$(builder_home)/.cargo/bin/bindgen"; do
		[[ -n $bindgen && -x $bindgen ]] || continue
		version_ge "$(bindgen_version "$bindgen")" "$(bindgen_floor "$1")" || continue
		printf '%s\n' "$bindgen"
		return 0
	done
	return 1
}

# A tool that lies beside a given rustc (clippy-driver, rustfmt).
rustc_sibling() { # rustc, name
	local path
	path=$(dirname "$1")/$2
	[[ -x $path ]] && printf '%s\n' "$path"
}

# Fill KMAKE: the make command line shared by kernel and module builds.
# With clang of rustc's own LLVM where there is one, else with gcc.
set_toolchain() {
	local rustc llvm bindgen library tool
	rustc=$(find_rustc) ||
		die "no rustc of $RUSTC_MIN or newer with its library source: run \"make setup\""
	library=$(rustc_library "$rustc")
	llvm=$(rustc_llvm "$rustc")
	bindgen=$(find_bindgen "$llvm") ||
		die "no bindgen of $(bindgen_floor "$llvm") or newer: run \"make setup\""

	KMAKE=(make "RUSTC=$rustc" "HOSTRUSTC=$rustc" "BINDGEN=$bindgen")
	for tool in rustfmt:RUSTFMT clippy-driver:CLIPPY_DRIVER; do
		if rustc_sibling "$rustc" "${tool%%:*}" >/dev/null; then
			KMAKE+=("${tool#*:}=$(rustc_sibling "$rustc" "${tool%%:*}")")
		fi
	done
	export RUST_LIB_SRC=$library
	if command -v "clang-$llvm" "ld.lld-$llvm" "llvm-link-$llvm" >/dev/null; then
		KMAKE+=("LLVM=-$llvm")
		ALTFIB_LLVM=$llvm
	else
		ALTFIB_LLVM=
	fi
	if [[ -d /usr/lib/llvm-$llvm/lib ]]; then
		export LIBCLANG_PATH=/usr/lib/llvm-$llvm/lib
	fi
	ALTFIB_RUSTC=$rustc
	export ALTFIB_RUSTC ALTFIB_LLVM
	# Variables of a calling make must not reach the kernel's.
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
}

# One line that changes whenever a rebuild is needed.
toolchain_id() {
	local cc=gcc
	[[ -n $ALTFIB_LLVM ]] && cc=clang-$ALTFIB_LLVM
	printf '%s; %s; %s\n' "$("$ALTFIB_RUSTC" --version)" \
		"$("$cc" --version | head -n1)" \
		"$(bindgen_version "$(find_bindgen "$(rustc_llvm "$ALTFIB_RUSTC")")")"
}

# newest unpacked source that the module supports
find_source() {
	local version
	if [[ -n ${KSRC:-} ]]; then
		[[ -f $KSRC/Makefile && -d $KSRC/rust/kernel ]] ||
			die "KSRC=$KSRC is no Linux source tree with Rust: give the folder that has its Makefile and rust/"
		readlink -f "$KSRC"
		return 0
	fi
	for version in "${ALTFIB_KERNELS[@]}"; do
		if [[ -f $ALTFIB_CACHE/src/linux-source-$version/Makefile ]]; then
			printf '%s\n' "$ALTFIB_CACHE/src/linux-source-$version"
			return 0
		fi
	done
	return 1
}

# Whether a kernel is built with scripts/kernel/patches/: User-Mode Linux has no ftrace, and
# so no other way to net.altfib.output.  "uml-stock" is what the times are compared with.
kernel_is_patched() { [[ $1 == uml* && $1 != uml-stock ]]; }

# The source of a kernel: a patched one has a tree of its own.
source_of() { # KERNEL
	local src
	src=$(find_source) || return 1
	! kernel_is_patched "$1" || src=$ALTFIB_CACHE/src/$(basename "$src")-patched
	printf '%s\n' "$src"
}

# "7.3.4" from a source tree's Makefile
source_version() {
	awk -F' *= *' '/^VERSION/{v=$2} /^PATCHLEVEL/{p=$2} /^SUBLEVEL/{s=$2} END{print v"."p"."s}' "$1/Makefile"
}

check_kernel_supported() { # version text, what it is
	local base=${1%%-*} v
	[[ -z ${ALTFIB_ANY_KERNEL:-} ]] || return 0
	for v in "${ALTFIB_KERNELS[@]}"; do
		[[ $base == "$v" || $base == "$v".* ]] && return 0
	done
	die "$2 is Linux $1, and altfib is tested with Linux ${ALTFIB_KERNELS[*]} only: use one of these, or try with ALTFIB_ANY_KERNEL=1 (and mode=verify)"
}

# The rest is for a tree made by somebody else, a prepared one or a headers package.
# It names its compilers in its configuration.

tree_release() { # TREE
	sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$1/include/generated/utsrelease.h"
}

tree_has_crates() { compgen -G "$1/rust/*kernel.rmeta" >/dev/null; }

check_tree() { # TREE
	local conf=$1/include/config/auto.conf
	[[ -d $1 ]] || die "KDIR=$1 is no folder"
	[[ -f $conf ]] ||
		die "KDIR=$1 is not prepared: it has no include/config/auto.conf (run \"make prepare modules_prepare\" there)"
	check_kernel_supported "$(tree_release "$1")" "KDIR=$1"
	grep -q '^CONFIG_RUST=y' "$conf" ||
		die "KDIR=$1 was configured without Rust: set CONFIG_RUST=y there (\"make rustavailable\" tells what it needs) and build it"
}

# Fill KMAKE for a tree: the very rustc, and the same C compiler.
use_tree_compilers() { # TREE
	local conf=$1/include/config/auto.conf want rustc major word
	local -a kept=()
	want=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$conf")
	for rustc in "${RUSTC:-}" /usr/bin/rustc "$(command -v rustc || true)" ''; do
		[[ -n $rustc && -x $rustc ]] || continue
		[[ $("$rustc" --version) == "$want" ]] && break
	done
	[[ -n $rustc ]] ||
		die "KDIR=$1 was built by \"$want\", and no such rustc is here ($(rustc --version 2>/dev/null || echo 'none on PATH')): name it with RUSTC=/path/to/rustc"
	export RUSTC=$rustc
	set_toolchain
	# The tree's own C compiler, whatever set_toolchain would prefer.
	for word in "${KMAKE[@]}"; do [[ $word == LLVM=* ]] || kept+=("$word"); done
	KMAKE=("${kept[@]}")
	if grep -q '^CONFIG_CC_IS_CLANG=y' "$conf"; then
		major=$(sed -n 's/^CONFIG_CLANG_VERSION=\([0-9]*\)[0-9]\{4\}$/\1/p' "$conf")
		TREE_CC=clang-$major
		KMAKE+=("LLVM=-$major")
	else
		major=$(sed -n 's/^CONFIG_GCC_VERSION=\([0-9]*\)[0-9]\{4\}$/\1/p' "$conf")
		TREE_CC=gcc-$major
		command -v "$TREE_CC" >/dev/null || TREE_CC=x86_64-linux-gnu-gcc-$major
		KMAKE+=("CC=$TREE_CC")
	fi
	command -v "$TREE_CC" >/dev/null ||
		die "KDIR=$1 was built by ${TREE_CC/#*gcc-/gcc-}, which is not here: install it"
}
