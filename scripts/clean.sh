#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#   clean.sh checkout    what was built of this checkout: module, tests, tools
#   clean.sh cache       the whole cache folder, kernels and sources included
set -euo pipefail
. "$(dirname "$0")/lib.sh"
become_builder "$(readlink -f "$0")" "$@"

case ${1:-} in
checkout)
	rm -rf "$ALTFIB_CACHE"/build/{module-*,cargo,tool,selftests} "$ALTFIB_CACHE/run"
	say "Removed the module, the tests' programs and the tools; the kernels stay (make distclean)"
	;;
cache)
	[[ -d $ALTFIB_CACHE ]] || exit 0
	# Not a folder that somebody named by mistake.
	[[ -d $ALTFIB_CACHE/build && -d $ALTFIB_CACHE/stamp ]] ||
		die "$ALTFIB_CACHE does not look like a cache of altfib (no build/ and stamp/): not removed"
	size=$(du -sh "$ALTFIB_CACHE" | cut -f1)
	rm -rf "$ALTFIB_CACHE"/{apt,build,log,run,src,stamp,tables,tools}
	rmdir "$ALTFIB_CACHE" 2>/dev/null || say "Left what altfib did not make: $(ls -A "$ALTFIB_CACHE")"
	say "Removed $size from $ALTFIB_CACHE; installed packages stay"
	;;
*) die "usage: clean.sh checkout|cache" ;;
esac
