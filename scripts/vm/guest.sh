#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Inside either guest, as root: runs the job and leaves its exit status, the
# kernel's log and its taint in the run folder ($1).
run=$1

# Followed from the start, so that the log of a kernel that dies is there too.
dmesg --follow >"$run/dmesg" 2>/dev/null &
follower=$!

ip link set lo up
sysctl -qw kernel.panic_on_oops=0 2>/dev/null

rc=0
if [[ $(<"$run/interactive") == yes ]]; then
	bash "$run/job" || rc=$?
else
	# A file, not a terminal or a pipe that a dead child keeps open.
	bash "$run/job" >>"$run/output" 2>&1 </dev/null || rc=$?
fi

# The follower is done when it has read this mark.
echo "altfib-vm: end of the run, exit status $rc" >/dev/kmsg
for ((i = 0; i < 50; i++)); do
	tail -n 1 "$run/dmesg" | grep -q 'altfib-vm: end' && break
	sleep 0.1
done
kill "$follower" 2>/dev/null
cat /proc/sys/kernel/tainted >"$run/taint"
echo "$rc" >"$run/rc.new"
mv "$run/rc.new" "$run/rc"
sync -f "$run" 2>/dev/null
exit "$rc"
