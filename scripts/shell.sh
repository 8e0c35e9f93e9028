#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A root shell in a test kernel, with the module at hand.
#
#   shell.sh           in virtme-ng (x86)
#   KERNEL=uml shell.sh
set -euo pipefail
. "$(dirname "$0")/lib.sh"
kernel=${KERNEL:-x86}
[[ -t 0 && -t 1 ]] || die "a shell needs a terminal"
"$ALTFIB_TOP/scripts/setup.sh" "$kernel"
become_builder KERNEL="$kernel" "$(readlink -f "$0")" "$@"
build_module "$kernel"
say "A root shell in Linux $kernel. Files of this machine are read-only there, except \$ALTFIB_OUT."
say "  insmod \$ALTFIB_KO     load the module          exit     leave"
exec "$ALTFIB_TOP/scripts/vm.sh" --kernel "$kernel" --no-dmesg-check --interactive
