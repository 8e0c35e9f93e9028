#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make bench-output: set-up, modules, then scripts/bench/output.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
"$ALTFIB_TOP/scripts/setup.sh" uml-stock uml
become_builder "$(readlink -f "$0")" "$@"
build_module uml
exec "$ALTFIB_TOP/scripts/bench/output.sh" "$@"
