#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the altfib tool into the cache folder, with its man pages and completions; cargo
# skips what is up to date.
#
#   build.sh [FOLDER]    and copies all of it below a FOLDER, as into / or /usr/local
#
# The last line printed is the path of the program.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../scripts/lib.sh"
. "$here/../scripts/toolchain.sh"
become_builder "$(readlink -f "$0")" "$@"

cargo=$(find_cargo) || die "no cargo of $RUSTC_MIN or newer: run \"make setup\""
export CARGO_TARGET_DIR=$ALTFIB_CACHE/build/cargo
RUSTC=${cargo%/*}/rustc "$cargo" build --quiet --release --locked --manifest-path "$here/Cargo.toml"
tool=$CARGO_TARGET_DIR/release/altfib
share=$ALTFIB_CACHE/build/tool

rm -rf "$share"
mkdir -p "$share"/{man/man1,bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
"$tool" man "$share/man/man1"
"$tool" completions bash >"$share/bash-completion/completions/altfib"
"$tool" completions zsh >"$share/zsh/site-functions/_altfib"
"$tool" completions fish >"$share/fish/vendor_completions.d/altfib.fish"
if [[ -n ${1:-} ]]; then
	mkdir -p "$1/bin" "$1/share"
	cp "$tool" "$1/bin/"
	cp -r "$share"/. "$1/share/"
	tool=$1/bin/altfib
fi
printf '%s\n' "$tool"
