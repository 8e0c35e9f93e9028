# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by vm.sh: the guest is a Debian of its own (scripts/debian.sh), with the
# distribution's image and its own initrd, both untouched.  KERNEL is "debian-RELEASE".
# shellcheck disable=SC2154 # kernel is vm.sh's

# kvm only where a test kernel was seen to boot with it (x86_accel), or on request.
debian_accel() {
	case ${ALTFIB_KVM:-auto} in
	yes) echo kvm ;;
	no) echo tcg ;;
	*) tail -n1 "$ALTFIB_CACHE/stamp/kvm" 2>/dev/null | grep -x kvm || echo tcg ;;
	esac
}

# debian_run RUN OUTPUT CPUS MEMORY LIMIT INTERACTIVE
debian_run() {
	local root=$ALTFIB_CACHE/debian release=${kernel#debian-}
	[[ -z $6 ]] || die "Debian's kernel has no shell here: choose x86"
	[[ -f $root/boot/vmlinuz-$release && -f $root/boot/initrd.img-$release ]] ||
		die "Linux $release is not installed in $root: run \"scripts/debian.sh install\""
	# The script of that name in its initrd mounts the root (scripts/debian/initramfs).
	qemu_run "${@:1:5}" "$root" "$root/boot/vmlinuz-$release" "$root/boot/initrd.img-$release" \
		boot=altfib
}
