#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In the guest with Debian's own kernel: the commands of docs/install.md for a machine
# that altfib is installed on, the tracers, then the selftests with the module that is installed.
set -u
cd "$(dirname "$0")/../.." || exit 1

rc=0
# A machine that altfib is for has a device.
ip link add up0 type dummy && ip addr add 192.0.2.1/24 dev up0 && ip link set up0 up
echo "TAP version 13"
echo "1..2"
if commands=$(scripts/debian/commands.sh guest) && bash -exc "$commands"; then
	echo "ok 1 the commands of docs/install.md work on Linux $(uname -r)"
else
	echo "not ok 1 the commands of docs/install.md work on Linux $(uname -r)"
	rc=1
fi
ip link del up0
if scripts/debian/tracing.sh; then
	echo "ok 2 what docs/tracing.md has for perf and bpftrace works on Linux $(uname -r)"
else
	echo "not ok 2 what docs/tracing.md has for perf and bpftrace works on Linux $(uname -r)"
	rc=1
fi

ALTFIB_KO=$(modinfo -n altfib) || exit 1
export ALTFIB_KO
selftests/run-kselftest.sh "$@" || rc=1
exit $rc
