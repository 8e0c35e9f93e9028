#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make bench-quick: set-up, module, then scripts/bench/quick.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
"$ALTFIB_TOP/scripts/setup.sh" uml-stock
become_builder ALTFIB_RIB="${ALTFIB_RIB:-}" "$(readlink -f "$0")" "$@"
build_module uml-stock
exec "$ALTFIB_TOP/scripts/bench/quick.sh" "$@"
