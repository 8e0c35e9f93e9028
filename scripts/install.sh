#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make install, make uninstall: altfib without a package.
#
#   install.sh install       the module of KDIR, or of the running kernel, and the tool
#   install.sh uninstall     the tool, and the module of each kernel, unloaded first
#
# DESTDIR and PREFIX (/usr/local) are honoured.  SIGN_KEY and SIGN_CERT name the key
# that signs the module; else it is that of dkms or of shim, or the kernel's own.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ALTFIB_TOP/scripts/toolchain.sh"

kdir=${KDIR:-/lib/modules/$(uname -r)/build}
prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}
root=${root%/}
doc=$root$prefix/share/doc/altfib

# FILE of packaging/, and where it goes.
declare -A configuration=(
	[sysctl.conf]=$root/etc/sysctl.d/altfib.conf
	[modules-load.conf]=$root/etc/modules-load.d/altfib.conf
)

# May the files be written?  Asked before the build, which takes minutes.
check_writable() {
	local dir=$root/lib/modules
	while [[ ! -e $dir ]]; do dir=$(dirname "$dir"); done
	[[ -w $dir ]] || die "$dir cannot be written: run \"sudo make $1\", or name another folder with DESTDIR=/path"
}

run_depmod() { # RELEASE
	if [[ -n $root ]]; then
		# A folder to be packed has no list of the kernel's own modules.
		[[ -f $root/lib/modules/$1/modules.order ]] || return 0
		depmod -b "$root" "$1"
	else
		depmod "$1"
	fi
}

# Prints the key and the certificate to sign with, or nothing.
find_key() {
	local pair
	for pair in "${SIGN_KEY:-} ${SIGN_CERT:-}" "/var/lib/dkms/mok.key /var/lib/dkms/mok.pub" \
		"/var/lib/shim-signed/mok/MOK.priv /var/lib/shim-signed/mok/MOK.der" \
		"$kdir/certs/signing_key.pem $kdir/certs/signing_key.x509"; do
		[[ -r ${pair% *} && -r ${pair#* } ]] || continue
		printf '%s\n' "$pair"
		return
	done
}

sign() { # MODULE
	local conf=$kdir/include/config/auto.conf hash key certificate
	grep -q '^CONFIG_MODULE_SIG=y' "$conf" || return 0
	read -r key certificate < <(find_key) || true
	if [[ -z $key ]]; then
		say "Not signed, since there is no key here: a kernel under Secure Boot will not load it (name one with SIGN_KEY= and SIGN_CERT=)"
		return
	fi
	hash=$(sed -n 's/^CONFIG_MODULE_SIG_HASH="\{0,1\}\([a-z0-9-]*\)"\{0,1\}$/\1/p' "$conf")
	"$kdir/scripts/sign-file" "$hash" "$key" "$certificate" "$1" ||
		die "the module could not be signed with $key"
	say "Signed with $key"
}

# The tool, where there is a cargo to build it with.
build_tool() {
	if ! find_cargo >/dev/null; then
		say "Without the altfib command, since there is no cargo of $RUSTC_MIN or newer here (package cargo): \"make install\" brings it later"
		return 0
	fi
	tool=$("$ALTFIB_TOP/tool/build.sh" | tail -n1)
	[[ -x $tool ]] || die "the altfib command did not build"
}

# Its files below the prefix.
list_tool() {
	[[ ! -e $ALTFIB_CACHE/build/tool ]] || (cd "$ALTFIB_CACHE/build/tool" && find . -type f -printf 'share/%P\n')
}

# Folders that are there only for our files; uninstall looks for them in this list.
folders=$doc/folders

make_folder() { # FOLDER
	[[ ! -d $1 ]] || return 0
	make_folder "${1%/*}"
	mkdir "$1"
	printf '%s\n' "${1#"$root"}" >>"$folders.new"
}

do_install() {
	local release ko target name tool=''
	check_tree "$kdir"
	release=$(tree_release "$kdir")
	check_writable install
	ko=$("$ALTFIB_TOP/scripts/build-module.sh" --kdir "$kdir" | tail -n1)
	[[ -f $ko ]] || die "the module did not build for Linux $release"

	build_tool

	target=$root/lib/modules/$release/updates/altfib.ko
	install -D -m 0644 "$ko" "$target"
	sign "$target"
	run_depmod "$release"
	for name in "${!configuration[@]}"; do
		# What an operator changed stays.
		[[ -e ${configuration[$name]} ]] ||
			install -D -m 0644 "$ALTFIB_TOP/packaging/$name" "${configuration[$name]}"
	done
	mkdir -p "$doc/docs"
	install -m 0644 "$ALTFIB_TOP"/{README.md,COPYING} "$doc"
	install -m 0644 "$ALTFIB_TOP"/docs/* "$doc/docs"
	if [[ -n $tool ]]; then
		# What an earlier version made is there already.
		[[ ! -f $folders ]] || cp "$folders" "$folders.new"
		make_folder "$root$prefix/bin"
		install -m 0755 "$tool" "$root$prefix/bin/altfib"
		while read -r name; do
			make_folder "$root$prefix/${name%/*}"
			install -m 0644 "$ALTFIB_CACHE/build/tool/${name#share/}" "$root$prefix/$name"
		done < <(list_tool)
		[[ ! -f $folders.new ]] || mv "$folders.new" "$folders"
	fi
	say "Installed $target; \"modprobe altfib\" loads it, and each boot will (${configuration[modules-load.conf]})"
}

do_uninstall() {
	local file name
	check_writable uninstall
	if [[ -z $root && -d /sys/module/altfib ]]; then
		rmmod altfib || die "altfib is loaded and could not be removed: nothing was uninstalled"
	fi
	for file in "$root"/lib/modules/*/updates/altfib.ko; do
		[[ -f $file ]] || continue
		rm "$file"
		file=${file%/updates/*}
		rmdir --ignore-fail-on-non-empty "$file/updates"
		run_depmod "${file##*/}"
	done
	for name in "${!configuration[@]}"; do
		file=${configuration[$name]}
		[[ -e $file ]] || continue
		if cmp -s "$ALTFIB_TOP/packaging/$name" "$file"; then
			rm "$file"
		else
			say "Left, since it was changed: $file"
		fi
	done
	rm -f "$root$prefix"/bin/altfib
	# By their names, whatever an earlier version had.
	find "$root$prefix/share" \( -path '*/man/man1/altfib*.1' -o -path '*/bash-completion/completions/altfib' \
		-o -path '*/zsh/site-functions/_altfib' -o -path '*/fish/vendor_completions.d/altfib.fish' \) \
		-delete 2>/dev/null || true
	if [[ -f $folders ]]; then
		# The innermost first.
		while read -r name; do
			[[ ! -d $root$name ]] || rmdir --ignore-fail-on-non-empty "$root$name"
		done < <(tac "$folders")
	fi
	rm -rf "$doc"
	# Below /usr/local nobody else may have made it.
	[[ ! -d ${doc%/*} ]] || rmdir --ignore-fail-on-non-empty "${doc%/*}"
	say "Uninstalled"
}

case ${1:-} in
install | uninstall) "do_$1" ;;
*) die "usage: install.sh install|uninstall" ;;
esac
