#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The netlink family: what the kernel's generator makes of its specification.
#
#   netlink.sh generate   write include/uapi/linux/altfib.h and src/sys/netlink-gen.[ch]
#   netlink.sh check      the specification fits its schema, and these files fit it

# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ALTFIB_TOP/scripts/toolchain.sh"
cd "$ALTFIB_TOP"

spec=Documentation/netlink/specs/altfib.yaml
src=$(find_source) || die "the kernel source is missing: run \"make setup\""
ynl=$src/tools/net/ynl/pyynl

# The generator wants a kernel tree around the specification: its schema, and MAINTAINERS.
tree=$(mktemp -d "${TMPDIR:-/tmp}/altfib-netlink.XXXXXX")
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/Documentation/netlink/specs"
: >"$tree/MAINTAINERS"
cp "$src/Documentation/netlink/genetlink.yaml" "$tree/Documentation/netlink/"
cp "$spec" "$tree/$spec"

generate() { # FOLDER
	mkdir -p "$1/include/uapi/linux" "$1/src/sys"
	python3 -B "$ynl/ynl_gen_c.py" --cmp-out --spec "$tree/$spec" --mode uapi --header \
		-o "$1/include/uapi/linux/altfib.h"
	python3 -B "$ynl/ynl_gen_c.py" --cmp-out --spec "$tree/$spec" --mode kernel --header \
		-o "$1/src/sys/netlink-gen.h"
	python3 -B "$ynl/ynl_gen_c.py" --cmp-out --spec "$tree/$spec" --mode kernel --source \
		-o "$1/src/sys/netlink-gen.c"
}

case ${1:-} in
generate)
	generate "$ALTFIB_TOP"
	;;
check)
	python3 -B "$ynl/cli.py" --spec "$tree/$spec" --validate
	generate "$tree/out"
	for file in include/uapi/linux/altfib.h src/sys/netlink-gen.h src/sys/netlink-gen.c; do
		diff -u "$file" "$tree/out/$file" || die "$file is not what $spec says: run \"scripts/netlink.sh generate\""
	done
	;;
*)
	die "netlink.sh: generate, or check"
	;;
esac
exit
}
