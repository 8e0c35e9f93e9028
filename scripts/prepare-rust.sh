#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes a kernel tree that Rust modules can be built in, for a kernel whose headers
# package leaves the Rust crates out, as Debian's does.
#
#   prepare-rust.sh HEADERS OUT
#
# HEADERS: what /lib/modules/RELEASE/build leads to.  OUT: a folder, made anew
# unless it is of the same kernel, source and compilers.  The last line printed
# is OUT.
#
# The crates are compiled from the matching linux-source package (or KSRC, a folder)
# with the configuration and symbol table of HEADERS.  Their symbols have the names
# that the running kernel's have, since rustc makes these of crate and compiler
# version only, and so the very rustc that built the kernel is needed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/toolchain.sh"

(($# == 2)) || die "usage: prepare-rust.sh HEADERS OUT"
headers=$1
out=$2
release=$(tree_release "$headers")
base=${release%%-*}
base=${base%%+*}
series=${base%.*}

# The source: a package, or a folder that somebody named.
find_kernel_source() {
	local archive
	if [[ -n ${KSRC:-} ]]; then
		find_source
		return
	fi
	for archive in "/usr/src/linux-source-$series".tar.{xz,zst,gz}; do
		if [[ -f $archive ]]; then
			printf '%s\n' "$archive"
			return
		fi
	done
	die "the headers of Linux $release have no Rust crates, and the source to build them from is missing: install linux-source-$series ($base), or name an unpacked one with KSRC=/path"
}

# What the build runs or includes, each with the package that has it.
check_tools() {
	local pair missing=()
	for pair in make:make flex:flex bison:bison bc:bc pahole:pahole python3:python3 xz:xz-utils; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	for pair in gelf.h:libelf-dev openssl/evp.h:libssl-dev; do
		printf '#include <%s>\n' "${pair%%:*}" | "$TREE_CC" -E -x c - >/dev/null 2>&1 || missing+=("${pair#*:}")
	done
	((${#missing[@]} == 0)) ||
		die "the Rust crates of Linux $release cannot be built without these packages: ${missing[*]}"
}

# Options that differ, but for those that only tell a compiler's version.
changed_options() { # CONFIG CONFIG
	awk -F= '/^CONFIG_/ { n[$0]++ } END { for (l in n) print n[l] "=" l }' "$1" "$2" |
		sed -n 's/^1=\(CONFIG_[A-Za-z0-9_]*\)=.*/\1/p' | sort -u |
		grep -vE '^CONFIG_(CC_VERSION_TEXT|(GCC|CLANG|AS|LD|LLD|PAHOLE|BINDGEN)_VERSION|RUSTC_LLVM_VERSION)$' || true
}

use_tree_compilers "$headers"
check_tools
source=$(find_kernel_source)

inputs=$(printf '%s\n' "$release" "$(sha256sum <"$headers/.config")" \
	"$(stat -Lc '%n %s %Y' "$source")" "$("$RUSTC" --version)" "$("$TREE_CC" --version | head -n1)")
if [[ $(cat "$out/.altfib-prepared" 2>/dev/null) == "$inputs" ]]; then
	printf '%s\n' "$out"
	exit
fi

start=$(date +%s)
warn "the headers of Linux $release have no Rust crates: building them, once, from $source"
log=$out.log
rm -rf "$out"
mkdir -p "$out"
if [[ -d $source ]]; then
	cp -a "$source/." "$out"
else
	# Without the drivers' own code: the configuration reads all Kconfig files, and
	# the bindings read headers from anywhere, but nothing else of it is used.
	top=$(basename "${source%.tar.*}")
	excluded=("$top"/{Documentation,tools/perf,tools/testing}'/*/*' "$top/drivers/gpu/drm/amd/include/*"
		"$top"/{drivers,sound,fs,net,crypto}'/*.'{c,S,rs} '*.dts' '*.dtsi' '*.dtso')
	tar -xf "$source" -C "$out" --strip-components=1 "${excluded[@]/#/--exclude=}" ||
		die "$source could not be unpacked: is the disk full ($out)?"
fi
[[ $(source_version "$out") == "$base" ]] ||
	die "$source is Linux $(source_version "$out"), and the headers are of $release: install linux-source-$series of version $base"
cp "$headers/.config" "$headers/Module.symvers" "$out"

make=("${KMAKE[@]}" -C "$out" "KERNELRELEASE=$release")
"${make[@]}" olddefconfig >"$log" 2>&1 </dev/null ||
	die "the configuration of Linux $release could not be read again (log: $log)"
changed=$(changed_options "$headers/.config" "$out/.config" | tr '\n' ' ')
[[ -z $changed ]] ||
	die "with the compilers here the configuration of Linux $release changes, and a module would not fit: $changed(CONFIG_RUST: \"make rustavailable\" in $out tells why)"
"${make[@]}" -j"$(nproc)" prepare modules_prepare >>"$log" 2>&1 </dev/null ||
	die "the Rust crates of Linux $release did not build: $(grep -m1 -E '(^|[ :])(fatal )?error(\[E[0-9]+\])?:|\*\*\*' "$log" || tail -n1 "$log") (log: $log)"
printf '%s\n' "$inputs" >"$out/.altfib-prepared"
warn "they are built, in $(since "$start")"
printf '%s\n' "$out"
