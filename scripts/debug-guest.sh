#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Inside a guest with a debug kernel: runs a command, removes the module, and
# asks kmemleak, unless the boot turned it off, what was lost meanwhile, and
# whether the checkers, which switch themselves off in trouble, saw it all.  TAP,
# after that of the command.
#
#   debug-guest.sh COMMAND...
set -u
leaks=/sys/kernel/debug/kmemleak
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug

# An object counts as lost when two scans, five seconds after it was made, find
# no pointer to it.
scan() {
	sleep 6
	echo scan >"$leaks"
	sleep 1
	echo scan >"$leaks"
}

# Whoever boots with kmemleak=off has said so there.
if grep -qw kmemleak=off /proc/cmdline; then
	leaks=
fi
if [ -e "$leaks" ]; then
	# What the kernel's own start seems to have lost is not of this run.
	echo clear >"$leaks"
fi
rc=0
"$@" || rc=$?

if [ -e /proc/sys/net/altfib ]; then
	rmmod altfib || rc=1
fi
plan=2
[ -n "$leaks" ] || plan=1
echo "1..$plan"
if [ -z "$leaks" ]; then
	echo "# kmemleak: off, as the command line asks"
elif [ ! -e "$leaks" ]; then
	echo "not ok 1 kmemleak: this kernel has none"
	rc=1
else
	scan
	cat "$leaks" >/tmp/leaks
	if [ -s /tmp/leaks ]; then
		head -n 200 /tmp/leaks | sed 's/^/# /'
		# So that the check of the kernel's log sees it, too.
		echo "altfib-debug: $(grep -c '^unreferenced object' /tmp/leaks) unreferenced objects" >/dev/kmsg
		echo "not ok 1 kmemleak: nothing was lost"
		rc=1
	else
		echo "ok 1 kmemleak: nothing was lost"
	fi
fi

# kmemleak takes commands as long as it is on.
off=
[ -z "$leaks" ] || echo scan 2>/dev/null >"$leaks" || off+=" kmemleak"
grep -qE '^ *debug_locks: +1$' /proc/lockdep_stats || off+=" lockdep"
! dmesg | grep -q 'ODEBUG disabled' || off+=" debug-objects"
if [ -n "$off" ]; then
	echo "# switched off:$off"
	echo "not ok $plan the checkers were on to the end"
	rc=1
else
	echo "ok $plan the checkers were on to the end"
fi
exit $rc
