#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Process 1 of the User-Mode Linux guest and of that with the x86 debug kernel.
# Its root is the host's, read-only; tmpfs hides what programs like to write to,
# and only the run folder and the output folder can be written.  Paths come from
# the kernel's command line.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

mount -t proc proc /proc
for word in $(</proc/cmdline); do
	case $word in
	altfib.run=*) run=${word#*=} ;;
	altfib.out=*) out=${word#*=} ;;
	altfib.top=*) top=${word#*=} ;;
	altfib.cache=*) cache=${word#*=} ;;
	esac
done

# share NAME FOLDER [OPTION]: the host's folder; NAME is vm/x86-debug.sh's.
share() {
	mkdir -p "$2" 2>/dev/null
	if grep -qw hostfs /proc/filesystems; then
		mount -t hostfs -o "$2${3:+,$3}" none "$2"
	else
		mount -t 9p -o "trans=virtio,version=9p2000.L,msize=262144${3:+,$3}" "$1" "$2"
	fi
}

mount -t sysfs sysfs /sys
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mountpoint -q /dev || mount -t devtmpfs dev /dev
[[ -e /dev/fd ]] || ln -s /proc/self/fd /dev/fd
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620 devpts /dev/pts 2>/dev/null
for dir in /dev/shm /run /tmp /var/tmp /var/cache /var/log; do
	[[ -d $dir ]] && mount -t tmpfs -o mode=1777 tmpfs "$dir"
done
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
# With tunnels built in, each new namespace would get a device of each kind, and
# even those that are down send MLD reports, which are counted as discarded.
echo 1 >/proc/sys/net/core/fb_tunnels_only_for_init_net

# Folders that a tmpfs above now hides come back; two get writable.
[[ -d $top ]] || share top "$top" ro
[[ -d $cache ]] || share cache "$cache" ro
share run "$run"
share out "$out"

if [[ $(<"$run/interactive") == yes ]]; then
	setsid -c bash "$top/scripts/vm/guest.sh" "$run" </dev/tty0 >/dev/tty0 2>&1
else
	bash "$top/scripts/vm/guest.sh" "$run" </dev/null >/dev/null 2>&1
fi
# A minimal system has no poweroff(8); perl is there on each Debian.  This is
# reboot(LINUX_REBOOT_CMD_POWER_OFF).
sync
perl -e 'syscall(169, 0xfee1dead, 672274793, 0x4321fedc)'
