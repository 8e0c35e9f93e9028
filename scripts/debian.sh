#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Debian as its users have it: a system of its own in the cache folder, with Debian's
# kernels, and altfib installed there, booted, tested and removed.
#
#   debian.sh kernel [VERSION]... [PROGRAM]...   the package, on the newest kernel of each version
#   debian.sh matrix                        the same on all versions of scripts/supported-kernels
#   debian.sh packages                      make install, lintian, what is refused; no boot
#
# PROGRAM: of selftests/.  Prints TAP.  It needs root rights, for a chroot; the system is
# made once (700 MB to fetch), and stays as it is: ALTFIB_CACHE/debian.

# shellcheck disable=SC2317 # called by name, through try

# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ALTFIB_TOP/scripts/toolchain.sh"
for part in check packages source; do
	# shellcheck source=/dev/null # each is checked by itself
	. "$ALTFIB_TOP/scripts/setup/$part.sh"
done

if ((EUID != 0)); then
	as_root env "ALTFIB_CACHE=$ALTFIB_CACHE" "ALTFIB_SETUP_DONE=${ALTFIB_SETUP_DONE:-}" "SSL_CERT_FILE=${SSL_CERT_FILE:-}" \
		"$(readlink -f "$0")" "$@"
	exit
fi
cd "$ALTFIB_TOP"

root=$ALTFIB_CACHE/debian
log=$ALTFIB_LOG/debian.log
suite=trixie
# Of the selftests, unless others are named.
programs=(forward.sh ipv6.sh module.sh)
# What the selftests call, and what makes a system of it.
guest_packages=(iproute2 iputils-ping nftables wireguard-tools procps kmod perl-base udev busybox-static zstd
	bpftrace linux-perf)

# What is the builder's stays so.
as_builder() {
	if [[ $(builder_name) == root ]]; then
		"$@"
	else
		runuser -u "$(builder_name)" -- env "HOME=$(builder_home)" "ALTFIB_CACHE=$ALTFIB_CACHE" "$@"
	fi
}

as_builder mkdir -p "$ALTFIB_LOG" "$ALTFIB_CACHE"/{build/selftests,run}
# shellcheck disable=SC2154 # setup/packages.sh has the list
packages_wanted() { printf '%s\n' "${packages_debian[@]}"; }
packages_done || packages_run

# inside COMMAND...: in the system, with the checkout in it.  The mounts are seen by
# nobody else, and end with the command.  With hidden=FILE:PATH it sees FILE there.  Where a
# proxy of this machine's signs (SSL_CERT_FILE), it trusts whom the machine trusts.
inside() {
	# Another checkout may have made it.
	mkdir -p "$root$ALTFIB_TOP" "$root$ALTFIB_CACHE"
	# shellcheck disable=SC2016 # for the other bash
	unshare -m -- bash -c '
		mount --make-rprivate / &&
		mount -t proc proc "$0/proc" && mount -t sysfs -o ro sysfs "$0/sys" && mount --rbind /dev "$0/dev" &&
		mount --bind "$1" "$0$1" && mount -o remount,bind,ro "$0$1" &&
		{ [[ -z ${hidden:-} ]] || mount --bind "${hidden%%:*}" "$0${hidden#*:}"; } &&
		{ [[ ! -s ${SSL_CERT_FILE:-} || ! -e $0/etc/ssl/certs/ca-certificates.crt ]] ||
			mount --bind "$SSL_CERT_FILE" "$0/etc/ssl/certs/ca-certificates.crt"; } &&
		cd / && exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive chroot "$0" "${@:2}"' "$root" "$ALTFIB_TOP" "$@"
}

# The commands of docs/install.md below NAME, in the system, from the checkout.
documented() { # NAME [ENVIRONMENT...]
	local commands
	commands=$(scripts/debian/commands.sh "$1")
	inside env "${@:2}" bash -exc "cd '$ALTFIB_TOP'
$commands"
}

# Packages that altfib-dkms depends on, without versions.
dependencies() {
	sed -n 's/^Depends: //p' packaging/control.in | sed 's/([^)]*)//g; s/,/ /g'
}

newest() { # VERSION -> release of the newest kernel served
	inside apt-cache pkgnames "linux-image-$1." |
		sed -n 's/^linux-image-\([0-9.]*+deb13-amd64\)$/\1/p' | sort -V | tail -n1
}

make_system() {
	local site
	[[ ! -f $root/.altfib-made ]] || return 0
	say "# making a Debian system in $root, once (log: $log)"
	site=$(main_site)
	rm -rf "$root"
	debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$site" >"$log" 2>&1 </dev/null ||
		die "debootstrap could not make $root: $(tail -n1 "$log") (log: $log)"
	rm -f "$root/etc/apt/sources.list"
	{
		printf 'Types: deb\nURIs: %s\nSuites: %s %s\nComponents: main\n' "$site" "$suite" "$BACKPORTS"
		printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n'
	} >"$root/etc/apt/sources.list.d/debian.sources"
	printf 'APT::Install-Recommends "false";\nAPT::Get::Assume-Yes "true";\n' >"$root/etc/apt/apt.conf.d/altfib"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
	{
		inside apt-get -q update
		# shellcheck disable=SC2046 # words are meant
		inside apt-get -q install initramfs-tools "${guest_packages[@]}" $(dependencies) cargo openssl lintian
		inside dkms generate_mok
	} >>"$log" 2>&1 </dev/null || die "the system's packages could not be installed: $(tail -n1 "$log") (log: $log)"
	# A small initrd with what the guest's root needs.
	printf 'MODULES=list\n' >"$root/etc/initramfs-tools/conf.d/altfib"
	printf '9p\n9pnet_virtio\nvirtio_pci\n' >"$root/etc/initramfs-tools/modules"
	install -m 0644 scripts/debian/initramfs "$root/etc/initramfs-tools/scripts/altfib"
	touch "$root/.altfib-made"
}

# The first version's kernel comes as docs/install.md has it.
make_kernel() { # VERSION
	local release
	release=$(newest "$1")
	[[ -n $release ]] || die "$BACKPORTS serves no kernel of Linux $1"
	[[ ! -f $root/boot/initrd.img-$release || ! -d $root/usr/src/linux-headers-$release ||
		! -f $root/usr/src/linux-source-$1.tar.xz ]] || return 0
	say "# installing Linux $release there (log: $log)"
	if [[ $1 == "${ALTFIB_KERNELS[0]}" ]]; then
		documented kernel
	else
		inside apt-get -q install -t "$BACKPORTS" "linux-image-$release" "linux-headers-$release" "linux-source-$1"
	fi >>"$log" 2>&1 </dev/null || die "Linux $release could not be installed: $(tail -n1 "$log") (log: $log)"
	[[ -f $root/boot/vmlinuz-$release && -d $root/usr/src/linux-headers-$release ]] ||
		die "apt installed another kernel than Linux $release (log: $log)"
}

# Every file of the system with its contents, but for what apt, dpkg and dkms keep about
# themselves.
list_files() {
	(
		cd "$root"
		find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp \
			-o -path ./root -o -path ./var/log -o -path ./var/cache -o -path ./var/lib/apt \
			-o -path ./var/lib/dpkg -o -path ./usr/share/rustc -o -path "./usr/src/rustc-*" \
			-o -path ".$ALTFIB_TOP" -o -path ".$ALTFIB_CACHE" \) -prune -o -type d -printf '%m %p/\n' \
			-o -printf '%m %s %p %l\n' | sort
		find ./var/lib/dpkg/info -name 'altfib*'
		find ./etc ./usr/lib/modules ./var/lib/dkms -type f \( -path './etc/*' -o -name 'modules.*' -o -name 'mok.*' \) \
			-print0 | sort -z | xargs -0 sha256sum
	)
}

number=0
failed=0
result() { # STATUS NAME
	number=$((number + 1))
	if (($1 == 0)); then
		say "ok $number $2"
	else
		say "not ok $number $2"
		failed=1
	fi
}
# try NAME COMMAND...: its output goes to the log, and below a failure to the reader.
# The first command of it that fails ends it, unless try itself stands in a condition, where
# bash forgets "set -e": so its result is in $status.
try() {
	local name=$1 out start
	shift
	start=$(date +%s)
	out=$(mktemp)
	set +e
	(set -e; "$@") >"$out" 2>&1 </dev/null
	status=$?
	set -e
	cat "$out" >>"$log"
	result "$status" "$name"
	((status == 0)) || tail -n 30 "$out" | sed 's/^/# /'
	say "# took $(since "$start")"
	rm "$out"
}

same_files() {
	list_files >"$ALTFIB_LOG/debian-files-after"
	diff "$ALTFIB_LOG/debian-files-before" "$ALTFIB_LOG/debian-files-after"
}

install_package() {
	documented deb
	documented package
}

# What the installation of another kernel calls.
build_for() { # RELEASE
	inside /etc/kernel/postinst.d/dkms "$1"
	inside dkms status altfib -k "$1" | grep -q ': installed'
}

signed_by_dkms() { # RELEASE
	inside modinfo -k "$1" altfib
	[[ $(inside modinfo -k "$1" -F signer altfib) == 'DKMS module signing key' ]]
	[[ $(inside modinfo -k "$1" -F vermagic altfib) == "$1 "* ]]
}

purge_package() {
	documented purge
	same_files
}

# A system that a broken-off run left altfib in.
clear_system() {
	inside apt-get -q purge altfib-dkms altfib >>"$log" 2>&1 </dev/null || true
}

# The module that dkms made, on the distribution's kernel.
test_boot() { # RELEASE PROGRAM...
	say "# Linux $1"
	scripts/vm.sh --kernel "debian-$1" --cpus 1 --memory 3G --timeout 3600 -- \
		env "PROBE=$ALTFIB_CACHE/build/selftests/probe" scripts/debian/guest.sh "${@:2}"
}

test_kernels() { # VERSION... [PROGRAM...]
	local release rc=0
	local -a releases=() chosen=()
	make_system
	while [[ ${1:-} == [0-9]* ]]; do
		make_kernel "$1"
		releases+=("$(newest "$1")")
		shift
	done
	chosen=("$@")
	((${#chosen[@]})) || chosen=("${programs[@]}")
	clear_system
	say "TAP version 13"
	say "1..$((2 + 2 * ${#releases[@]}))"
	number=0
	list_files >"$ALTFIB_LOG/debian-files-before"
	# dkms builds for each kernel whose headers are there.
	try "altfib and altfib-dkms are installed" install_package
	for release in "${releases[@]}"; do
		try "dkms has built it for $release" build_for "$release"
		try "the module of $release is signed by dkms" signed_by_dkms "$release"
	done
	as_builder make -s -C selftests "OUTPUT=$ALTFIB_CACHE/build/selftests"
	for release in "${releases[@]}"; do
		[[ -z $(find "$root/lib/modules/$release/updates" -name 'altfib.ko*' 2>/dev/null) ]] ||
			test_boot "$release" "${chosen[@]}" || rc=1
	done
	try "purged, altfib leaves nothing behind" purge_package
	((rc == 0 && failed == 0))
}

# expect_words WORDS COMMAND...: it fails, and says so in these words.
expect_words() {
	local out rc=0
	out=$("${@:2}" 2>&1) || rc=$?
	printf '%s\n' "$out"
	((rc != 0)) && grep -qF -- "$1" <<<"$out"
}

build_inside() { # HEADERS
	inside env ALTFIB_CACHE=/var/cache/altfib "$ALTFIB_TOP/scripts/build-module.sh" --kdir "$1"
}

refuses_kernel() {
	local tree=$root/tmp/other
	mkdir -p "$tree"/include/{config,generated}
	printf 'CONFIG_RUST=y\n' >"$tree/include/config/auto.conf"
	printf '#define UTS_RELEASE "6.99.1"\n' >"$tree/include/generated/utsrelease.h"
	expect_words "altfib is tested with Linux ${ALTFIB_KERNELS[*]} only" build_inside /tmp/other
	expect_words 'ALTFIB_ANY_KERNEL=1' build_inside /tmp/other
	# With that it gets further: to the rustc that this tree does not name.
	expect_words 'was built by' inside env ALTFIB_ANY_KERNEL=1 ALTFIB_CACHE=/var/cache/altfib \
		"$ALTFIB_TOP/scripts/build-module.sh" --kdir /tmp/other
	rm -r "$tree"
}

refuses_without_source() { # RELEASE
	hidden=/dev/null:/usr/src/linux-source-${ALTFIB_KERNELS[0]}.tar.xz \
		expect_words "install linux-source-${ALTFIB_KERNELS[0]}" build_inside "/lib/modules/$1/build"
}

refuses_other_rustc() { # RELEASE
	local fake=$root/tmp/rustc
	printf '#!/bin/sh\necho "rustc 1.99.0 (another)"\n' >"$fake"
	chmod +x "$fake"
	hidden=$fake:/usr/bin/rustc expect_words 'and no such rustc is here' build_inside "/lib/modules/$1/build"
	rm "$fake"
}

# A name that no test runs, or a command below none, would go untried.
runs_documentation() {
	local name lines=0
	[[ $(scripts/debian/commands.sh | paste -sd' ') == 'kernel deb package guest purge install uninstall' ]]
	for name in $(scripts/debian/commands.sh); do
		lines=$((lines + $(scripts/debian/commands.sh "$name" | wc -l)))
	done
	((lines == $(grep -c '^    ' docs/install.md)))
}

lintian_clean() {
	documented deb
	inside sh -c 'lintian --allow-root --fail-on error,warning,info --display-info /tmp/altfib-dkms_*_all.deb /tmp/altfib_*_amd64.deb'
}

# Its commands are those of docs/install.md, where make has the running kernel.
make_install() { # RELEASE
	documented install "KDIR=/lib/modules/$1/build" ALTFIB_CACHE=/var/cache/altfib
	inside modinfo -k "$1" -n altfib | grep -q '/updates/altfib.ko'
	signed_by_dkms "$1"
	inside modprobe -S "$1" -n altfib
	[[ -s $root/etc/sysctl.d/altfib.conf && -s $root/etc/modules-load.d/altfib.conf ]]
	[[ -s $root/usr/local/share/doc/altfib/docs/settings.md ]]
	inside /usr/local/bin/altfib --version
	[[ -s $root/usr/local/share/man/man1/altfib.1 ]]
}

# What dkms will do, with the crates that are there already: a file that the package
# lacks shows in a minute.
build_packed() { # RELEASE
	# shellcheck disable=SC2016 # for the other bash
	inside bash -exc 'rm -rf /tmp/sources
		dpkg-deb -x /tmp/altfib-dkms_*_all.deb /tmp/sources
		cd /tmp/sources/usr/src/altfib-*
		ALTFIB_CACHE=/var/cache/altfib scripts/build-module.sh --kdir "/lib/modules/$0/build"
		rm -r /tmp/sources' "$1"
}

make_uninstall() {
	documented uninstall ALTFIB_CACHE=/var/cache/altfib
	same_files
}

# With DESTDIR and PREFIX nothing goes elsewhere.
make_install_packed() { # RELEASE
	documented install "KDIR=/lib/modules/$1/build" ALTFIB_CACHE=/var/cache/altfib DESTDIR=/tmp/packed PREFIX=/usr
	same_files
	[[ -s $root/tmp/packed/lib/modules/$1/updates/altfib.ko ]]
	[[ -x $root/tmp/packed/usr/bin/altfib ]]
	[[ -s $root/tmp/packed/usr/share/doc/altfib/README.md && -s $root/tmp/packed/etc/sysctl.d/altfib.conf ]]
	printf '# changed\n' >>"$root/tmp/packed/etc/sysctl.d/altfib.conf"
	documented uninstall ALTFIB_CACHE=/var/cache/altfib DESTDIR=/tmp/packed PREFIX=/usr
	[[ $(cd "$root/tmp/packed" && find . -type f) == ./etc/sysctl.d/altfib.conf ]]
	rm -r "$root/tmp/packed"
}

test_packages() {
	local release
	make_system
	make_kernel "${ALTFIB_KERNELS[0]}"
	release=$(newest "${ALTFIB_KERNELS[0]}")
	clear_system
	say "TAP version 13"
	say "1..9"
	number=0
	list_files >"$ALTFIB_LOG/debian-files-before"
	try "each command of docs/install.md is run by a test" runs_documentation
	try "lintian finds nothing in both packages" lintian_clean
	try "a kernel that altfib is not tested with is refused, unless asked for" refuses_kernel
	try "headers without Rust crates need the kernel's source, and it is named" refuses_without_source "$release"
	try "another rustc than the kernel's is refused" refuses_other_rustc "$release"
	try "make install for Linux $release" make_install "$release"
	try "the packed sources build the same" build_packed "$release"
	try "make uninstall leaves nothing behind" make_uninstall
	try "make install with DESTDIR and PREFIX, and a changed file that stays" make_install_packed "$release"
	((failed == 0))
}

case ${1:-} in
kernel)
	shift
	[[ ${1:-} == [0-9]* ]] || set -- "${ALTFIB_KERNELS[0]}" "$@"
	test_kernels "$@"
	;;
matrix) test_kernels "${ALTFIB_KERNELS[@]}" ;;
packages) test_packages ;;
*) die "usage: debian.sh kernel [VERSION]... [PROGRAM]... | matrix | packages" ;;
esac
exit
}
