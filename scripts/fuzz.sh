#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make fuzz: libFuzzer on the longest-prefix-match tables (selftests/unit/fuzz).
#
#   fuzz.sh [SECONDS [LIBFUZZER OPTION...]]     default: until stopped
#
# Starts from the corpus in the tree; what it finds beside that stays in
# ALTFIB_CACHE/fuzz. With AddressSanitizer where there is one.
# Exit status 3: it cannot run here, and a line says why.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ALTFIB_TOP/scripts/toolchain.sh"
. "$ALTFIB_TOP/scripts/sanitize.sh"
become_builder "$(readlink -f "$0")" "$@"

seconds=${1:-0}
(($# == 0)) || shift
crate=$ALTFIB_TOP/selftests/unit/fuzz
work=$ALTFIB_CACHE/fuzz/operations
cargo=$(find_cargo) || die "no cargo of $RUSTC_MIN or newer: run \"make setup\""
rustc=${cargo%/*}/rustc
if ! command -v c++ >/dev/null; then
	say "libFuzzer needs a C++ compiler, and there is no c++ here"
	exit 3
fi
if ! asan=$(asan_flags "$rustc"); then
	asan=
fi
# What cargo-fuzz passes. None of it reaches build scripts, because of --target.
flags=(--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1
	-Cllvm-args=-sanitizer-coverage-level=4
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters
	-Cllvm-args=-sanitizer-coverage-pc-table
	-Cllvm-args=-sanitizer-coverage-trace-compares)

export CARGO_TARGET_DIR=$ALTFIB_CACHE/build/cargo-fuzz
triple=$(host_triple "$rustc")
RUSTC_BOOTSTRAP=1 RUSTC=$rustc RUSTFLAGS="${flags[*]} $asan" \
	"$cargo" build --release --locked --target "$triple" --features libfuzzer \
	--bin operations --manifest-path "$crate/Cargo.toml"

mkdir -p "$work/corpus"
cd "$work"
say "libFuzzer, AddressSanitizer $([[ -n $asan ]] && echo on || echo off), $seconds s; new inputs go to $work/corpus, failing ones to $work"
exec "$CARGO_TARGET_DIR/$triple/release/operations" -max_total_time="$seconds" \
	-max_len=1024 -timeout=10 -print_final_stats=1 "$@" corpus "$crate/corpus/operations"
}
