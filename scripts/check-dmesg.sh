#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Fails if a kernel log (files given) shows a splat, or a taint beyond that of
# an out-of-tree module (4096) that may be unsigned (8192), and of KUnit (262144)
# if a suite was run.
set -euo pipefail

splat='WARNING: |BUG: |BUG at |Oops|general protection|Kernel panic|KASAN'
splat+='|waiting for .* to become free|refcount_t|rcu: INFO: .*stall|self-detected stall'
splat+='|detected stalls|possible (circular|recursive) locking|inconsistent lock state'
splat+='|suspicious RCU usage|sleeping function called|scheduling while atomic'
splat+='|blocked for more than|soft lockup|hard LOCKUP|unable to handle|Call Trace:'
splat+='|unreferenced object|suspected memory leak|ref_tracker: |UBSAN|segfault at|stack-protector|Out of memory:'

bad=0
for file in "$@"; do
	[[ -f $file ]] || continue
	if grep -nE "$splat" "$file" | head -n 20 | sed 's/^/  /' >&2 &&
		grep -qE "$splat" "$file"; then
		printf 'altfib: the kernel log has a splat (above): %s\n' "$file" >&2
		bad=1
	fi
	taint=$(sed -n 's/^altfib-vm: taint \([0-9]*\)$/\1/p' "$file" | tail -n1)
	allowed=$((4096 | 8192))
	grep -q 'KTAP version' "$file" && allowed=$((allowed | 262144))
	if [[ -n $taint ]] && ((taint & ~allowed)); then
		printf 'altfib: the kernel is tainted: %s, and an out-of-tree module sets only 4096: %s\n' \
			"$taint" "$file" >&2
		bad=1
	fi
done
exit "$bad"
