#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds altfib-routeload into the cache folder; cargo skips what is up to date.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../lib.sh"
become_builder "$(readlink -f "$0")" "$@"

command -v cargo >/dev/null || die "cargo is missing: run \"make setup\""
export CARGO_TARGET_DIR=$ALTFIB_CACHE/build/cargo
exec cargo build --quiet --release --locked --manifest-path "$here/Cargo.toml"
