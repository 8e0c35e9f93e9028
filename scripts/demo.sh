#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make demo: set-up, module, table of real routes, then the demo itself in the
# x86 test kernel (scripts/demo/guest.sh).
# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"
"$ALTFIB_TOP/scripts/setup.sh" x86
become_builder ALTFIB_RIB="${ALTFIB_RIB:-}" ALTFIB_ROUTES="${ALTFIB_ROUTES:-}" "$(readlink -f "$0")" "$@"
build_module x86
"$ALTFIB_TOP/scripts/demo/prepare.sh"

say "Booting the x86 test kernel (about 10 seconds without KVM)"
rc=0
"$ALTFIB_TOP/scripts/vm.sh" --kernel x86 --cpus 2 --memory 3G --timeout 1500 -- \
	"$ALTFIB_TOP/scripts/demo/guest.sh" || rc=$?

if [[ -t 0 && -t 1 ]]; then
	printf '\nA shell in the test kernel? [y/N] '
	read -r answer || answer=
	if [[ $answer == [yY]* ]]; then
		exec "$ALTFIB_TOP/scripts/shell.sh"
	fi
else
	say "(make shell opens a shell in the test kernel)"
fi
exit "$rc"
}
