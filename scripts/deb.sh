#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make deb: the Debian package altfib-dkms, which holds the sources, and has dkms
# build the module for each kernel of the machine that it is installed on.
#
#   deb.sh [FOLDER]      where to; default: build/ in the cache folder
#
# dpkg-deb is all that it needs.  The last line printed is the package's path.
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
name=altfib-dkms_${version}_all.deb
mkdir -p "$folder"
work=$(mktemp -d "$folder/deb-XXXXXX")
trap 'rm -rf "$work"' EXIT
tree=$work/tree
sources=$tree/usr/src/altfib-$version
doc=$tree/usr/share/doc/altfib-dkms

# "7.2 and 7.3", and the pattern that dkms compares a release with.
series=$(printf '%s\n' "${ALTFIB_KERNELS[@]}" | paste -sd, | sed 's/,/, /g; s/\(.*\), /\1 and /')
pattern="^($(printf '%s\n' "${ALTFIB_KERNELS[@]}" | sed 's/\./\\./g' | paste -sd'|'))\\."

fill() { # TEMPLATE FILE
	sed -e "s|@VERSION@|$version|g" -e "s|@MAINTAINER@|$maintainer|g" -e "s|@SERIES@|$series|g" \
		-e "s#@KERNELS@#${pattern//\\/\\\\}#g" -e "s|@SIZE@|${size:-0}|g" "packaging/$1" >"$2"
}

mkdir -p "$sources/scripts" "$doc/docs" "$tree"/etc/{sysctl.d,modules-load.d} "$tree/DEBIAN"
cp -r src Kbuild "$sources"
cp scripts/{build-module,dkms-build,lib,prepare-rust,toolchain}.sh scripts/{Makefile.bindgen,supported-kernels} "$sources/scripts"
fill dkms.conf "$sources/dkms.conf"
cp packaging/sysctl.conf "$tree/etc/sysctl.d/altfib.conf"
cp packaging/modules-load.conf "$tree/etc/modules-load.d/altfib.conf"
cp README.md "$doc"
cp docs/* "$doc/docs"
cp packaging/copyright "$doc"
printf 'altfib-dkms (%s) unstable; urgency=medium\n\n  * For Linux %s.\n\n -- %s  %s\n' "$version" "$series" \
	"$maintainer" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"

# What git ignores, or an umask forbids, belongs to nobody else's machine.
find "$tree" \( -name '*.o' -o -name '.*.cmd' \) -delete
find "$tree" -type d -exec chmod 0755 {} +
find "$tree" -type f -exec chmod 0644 {} +
chmod 0755 "$sources"/scripts/{build-module,dkms-build,prepare-rust}.sh

size=$(du -sk --apparent-size --exclude=DEBIAN "$tree" | cut -f1)
fill control.in "$tree/DEBIAN/control"
fill postinst.in "$tree/DEBIAN/postinst"
fill prerm.in "$tree/DEBIAN/prerm"
chmod 0755 "$tree"/DEBIAN/{postinst,prerm}
printf '/etc/modules-load.d/altfib.conf\n/etc/sysctl.d/altfib.conf\n' >"$tree/DEBIAN/conffiles"
(cd "$tree" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)

dpkg-deb --root-owner-group -b "$tree" "$work/$name" >"$work/log" 2>&1 || die "the package could not be made: $(tail -n1 "$work/log")"
mv "$work/$name" "$folder/$name"
printf '%s\n' "$folder/$name"
