# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by vm.sh: the x86 guest with the debug kernel, under QEMU alone.
# virtme-ng's init has udev look at each device, which takes ten minutes there.

# x86_debug_run RUN OUTPUT CPUS MEMORY LIMIT INTERACTIVE
x86_debug_run() {
	[[ -z $6 ]] || die "the x86-debug kernel has no shell: choose uml-debug"
	# With kmemleak 1,000 changes of routes took three times as long; the uml-debug
	# kernel has it.
	qemu_run "${@:1:5}" / "$(x86_image)" '' kmemleak=off
}
