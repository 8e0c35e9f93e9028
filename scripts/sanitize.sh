# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced after toolchain.sh: how to build for the host with AddressSanitizer.
# The flag for it is an unstable one of rustc, so RUSTC_BOOTSTRAP=1 stands for a
# nightly compiler. rustup's rustc has the sanitizer's runtime; Debian's has not,
# and takes gcc's, which has the same interface.

# asan_flags RUSTC: flags for RUSTFLAGS, or failure and a reason on stderr.
asan_flags() {
	local rustc=$1 sysroot libasan
	sysroot=$("$rustc" --print sysroot)
	if compgen -G "$sysroot/lib/rustlib/$(host_triple "$rustc")/lib/librustc*_rt.asan.a" >/dev/null; then
		printf '%s\n' -Zsanitizer=address
		return 0
	fi
	libasan=$(gcc -print-file-name=libasan.so 2>/dev/null || true)
	if [[ $libasan == /* && -e $libasan ]]; then
		printf '%s %s %s %s\n' -Zsanitizer=address -Zexternal-clangrt \
			-Zpre-link-args=-Wl,--no-as-needed -Zpre-link-args=-lasan
		return 0
	fi
	printf 'neither %s nor gcc has the runtime of AddressSanitizer\n' "$rustc" >&2
	return 1
}

host_triple() { "$1" -vV | sed -n 's/^host: //p'; }
