#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make deb: two Debian packages.  altfib-dkms holds the module's sources, and has dkms
# build them for each kernel of the machine that it is installed on; altfib is the
# command-line tool, built here.
#
#   deb.sh [FOLDER]      where to; default: build/ in the cache folder
#
# It needs cargo and a compiler, for the tool, and dpkg-deb.  The last lines printed are
# the packages' paths.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
become_builder "$(readlink -f "$0")" "$@"
cd "$ALTFIB_TOP"

folder=${1:-$ALTFIB_CACHE/build}
version=$(sed -n 's/^#define ALTFIB_VERSION "\(.*\)"/\1/p' src/sys/helpers.h)
maintainer='The altfib authors <altfib@users.noreply.github.com>'
# The same sources give the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y src/altfib.rs)}
export SOURCE_DATE_EPOCH
mkdir -p "$folder"
work=$(mktemp -d "$folder/deb-XXXXXX")
trap 'rm -rf "$work"' EXIT

# "7.2 and 7.3", and the pattern that dkms compares a release with.
series=$(printf '%s\n' "${ALTFIB_KERNELS[@]}" | paste -sd, | sed 's/,/, /g; s/\(.*\), /\1 and /')
pattern="^($(printf '%s\n' "${ALTFIB_KERNELS[@]}" | sed 's/\./\\./g' | paste -sd'|'))\\."

fill() { # TEMPLATE FILE
	sed -e "s|@VERSION@|$version|g" -e "s|@MAINTAINER@|$maintainer|g" -e "s|@SERIES@|$series|g" \
		-e "s#@KERNELS@#${pattern//\\/\\\\}#g" -e "s|@SIZE@|${size:-0}|g" -e "s|@LIBC@|${libc:-}|g" \
		"packaging/$1" >"$2"
}

# What each package says of itself.
describe() { # NAME TREE
	local doc=$2/usr/share/doc/$1
	mkdir -p "$doc"
	cp packaging/copyright "$doc"
	printf '%s (%s) unstable; urgency=medium\n\n  * For Linux %s.\n\n -- %s  %s\n' "$1" "$version" "$series" \
		"$maintainer" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"
}

# pack NAME ARCHITECTURE TREE TEMPLATE PROGRAM...: these programs may be executed.
pack() {
	local name=$1_${version}_$2.deb tree=$3 program
	# What git ignores, or an umask forbids, belongs to nobody else's machine.
	find "$tree" \( -name '*.o' -o -name '.*.cmd' \) -delete
	find "$tree" -type d -exec chmod 0755 {} +
	find "$tree" -type f -exec chmod 0644 {} +
	for program in "${@:5}"; do chmod 0755 "$tree/$program"; done

	size=$(du -sk --apparent-size --exclude=DEBIAN "$tree" | cut -f1)
	fill "$4" "$tree/DEBIAN/control"
	(cd "$tree" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
	dpkg-deb --root-owner-group -b "$tree" "$work/$name" >"$work/log" 2>&1 ||
		die "the package $name could not be made: $(tail -n1 "$work/log")"
	mv "$work/$name" "$folder/$name"
	printf '%s\n' "$folder/$name"
}

pack_dkms() {
	local tree=$work/altfib-dkms sources=usr/src/altfib-$version
	local doc=$tree/usr/share/doc/altfib-dkms
	mkdir -p "$tree/$sources/scripts" "$doc/docs" "$tree"/etc/{sysctl.d,modules-load.d} "$tree/DEBIAN"
	cp -r src include Kbuild "$tree/$sources"
	cp scripts/{build-module,dkms-build,lib,prepare-rust,toolchain}.sh scripts/{Makefile.bindgen,supported-kernels} \
		"$tree/$sources/scripts"
	fill dkms.conf "$tree/$sources/dkms.conf"
	cp packaging/sysctl.conf "$tree/etc/sysctl.d/altfib.conf"
	cp packaging/modules-load.conf "$tree/etc/modules-load.d/altfib.conf"
	cp README.md "$doc"
	cp docs/* "$doc/docs"
	describe altfib-dkms "$tree"
	fill postinst.in "$tree/DEBIAN/postinst"
	fill prerm.in "$tree/DEBIAN/prerm"
	printf '/etc/modules-load.d/altfib.conf\n/etc/sysctl.d/altfib.conf\n' >"$tree/DEBIAN/conffiles"
	pack altfib-dkms all "$tree" control.in DEBIAN/{postinst,prerm} \
		"$sources"/scripts/{build-module,dkms-build,prepare-rust}.sh
}

pack_tool() {
	local tree=$work/altfib program libc
	"$ALTFIB_TOP/tool/build.sh" "$tree/usr" >"$work/log" 2>&1 ||
		die "the tool could not be built: $(grep -m1 -E '^(error|altfib:)' "$work/log" || tail -n1 "$work/log")"
	mkdir -p "$tree/DEBIAN"
	program=$tree/usr/bin/altfib
	strip --remove-section=.comment --remove-section=.note "$program"
	gzip -9n "$tree"/usr/share/man/man1/*
	# Debian has the completions of zsh and bash where others have them too, but for one.
	mv "$tree/usr/share/zsh/site-functions" "$tree/usr/share/zsh/vendor-completions"
	# The oldest C library with what the program asks for; it asks for nothing else.
	libc=$(objdump -T "$program" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n1)
	libc=${libc#GLIBC_}
	mkdir -p "$tree/usr/share/lintian/overrides"
	cp packaging/tool-lintian-overrides "$tree/usr/share/lintian/overrides/altfib"
	describe altfib "$tree"
	pack altfib "$(dpkg --print-architecture)" "$tree" tool-control.in usr/bin/altfib
}

pack_dkms
pack_tool
