#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench-lpm: altfib's longest-prefix match beside DPDK's and other people's, on
# the host. Less than ten minutes on an idle machine.
#
#   bench-lpm.sh [--quick] [--docs]
#   bench-lpm.sh micro [divan's options]   only the micro part
#   bench-lpm.sh test                      the tests of the benchmark itself
#
# ALTFIB_DATA   a folder with tables and updates; else they are made up
# MARCH         the CPU target of all that is compiled here (x86-64-v3)
# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ALTFIB_TOP/scripts/toolchain.sh"
. "$ALTFIB_TOP/scripts/setup/check.sh"
. "$ALTFIB_TOP/scripts/setup/packages.sh"

# Nothing else of the project needs these, so the set-up leaves them out.
packages_wanted() {
	printf '%s\n' gcc libc6-dev libdpdk-dev libnuma-dev libbsd-dev pkgconf xz-utils valgrind
	find_cargo >/dev/null || case $(debian_release) in
	12) printf '%s\n' "$cargo_12" "${packages_12[0]}" ;;
	13) printf '%s\n' "$cargo_13" "${packages_13[0]}" ;;
	esac
}

if [[ -z ${ALTFIB_BENCH_SETUP:-} ]]; then
	make_cache
	packages_done || packages_run
	export ALTFIB_BENCH_SETUP=1
fi
become_builder ALTFIB_DATA="${ALTFIB_DATA:-}" MARCH="${MARCH:-}" \
	ALTFIB_BENCH_SETUP=1 "$(readlink -f "$0")" "$@"

cargo=$(find_cargo) || die "no cargo of $RUSTC_MIN or newer: run \"make setup\""
crate=$ALTFIB_TOP/scripts/bench/lpm
march=${MARCH:-x86-64-v3}
RUSTC=${cargo%/*}/rustc
BENCH_LPM_RUSTC=$("$RUSTC" --version)
CARGO_TARGET_DIR=$ALTFIB_CACHE/build/cargo-bench-lpm
RUSTFLAGS=-Ctarget-cpu=$march
BENCH_LPM_MARCH=$march
export RUSTC BENCH_LPM_RUSTC CARGO_TARGET_DIR RUSTFLAGS BENCH_LPM_MARCH

# The heap asks for huge pages: the memory of a kernel has them, and otherwise
# all peers would be measured at missing the TLB.
huge=glibc.malloc.hugetlb=1

case ${1:-} in
micro)
	shift
	"$cargo" bench --quiet --locked --no-run --manifest-path "$crate/Cargo.toml"
	GLIBC_TUNABLES=$huge exec "$cargo" bench --quiet --locked --manifest-path "$crate/Cargo.toml" -- "$@"
	;;
test)
	exec "$cargo" test --release --locked --manifest-path "$crate/Cargo.toml"
	;;
esac

"$cargo" build --quiet --release --locked --manifest-path "$crate/Cargo.toml" ||
	die "the benchmark did not build"
# The table of libloc is one of those measured, where it can be had.
if command -v location >/dev/null; then
	"$ALTFIB_TOP/scripts/demo/prepare.sh" 4 6 || warn "no table of libloc: going on without it"
fi
GLIBC_TUNABLES=$huge exec "$CARGO_TARGET_DIR/release/bench-lpm" "$@"
}
