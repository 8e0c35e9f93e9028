# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by every host script: where things are, and how to speak.

ALTFIB_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# The Linux versions that the sources are tested with, from the one list of them.
# The first is that of the test kernels.
# shellcheck disable=SC2034 # read by toolchain.sh and setup/
mapfile -t ALTFIB_KERNELS < <(awk '/^[0-9]/ { print $1 }' "$ALTFIB_TOP/scripts/supported-kernels")

say() { printf '%s\n' "$*"; }
warn() { printf 'altfib: %s\n' "$*" >&2; }
die() {
	# shellcheck disable=SC2034 # for an EXIT trap
	ALTFIB_DIED=yes
	printf 'altfib: %s\n' "$*" >&2
	exit 1
}

# The account that builds: the one that called sudo, not root.
builder_name() {
	if ((EUID == 0)) && [[ -n ${SUDO_USER:-} && $SUDO_USER != root ]]; then
		printf '%s\n' "$SUDO_USER"
	else
		id -un
	fi
}

builder_home() {
	local home
	home=$(getent passwd "$(builder_name)" | cut -d: -f6)
	if [[ $(builder_name) == "$(id -un)" && -d ${HOME:-} && -w $HOME ]]; then
		home=$HOME
	fi
	printf '%s\n' "${home:-/}"
}

if [[ -z ${ALTFIB_CACHE:-} ]]; then
	if [[ -n ${XDG_CACHE_HOME:-} && $(builder_name) == "$(id -un)" ]]; then
		ALTFIB_CACHE=$XDG_CACHE_HOME/altfib
	else
		ALTFIB_CACHE=$(builder_home)/.cache/altfib
	fi
fi
# The path goes into makefiles and kernel command lines, which split at blanks.
case $ALTFIB_CACHE$ALTFIB_TOP in
*[[:space:]:,\"\']*)
	die "neither ALTFIB_CACHE ($ALTFIB_CACHE) nor the checkout ($ALTFIB_TOP) may have blanks, colons, commas or quotes in its path: choose another folder" ;;
esac
[[ $ALTFIB_CACHE == /* ]] || ALTFIB_CACHE=$PWD/$ALTFIB_CACHE
export ALTFIB_CACHE ALTFIB_TOP

# rustup's cargo serves too, and sudo forgets the way to it.
if ! command -v cargo >/dev/null && [[ -x $(builder_home)/.cargo/bin/cargo ]]; then
	PATH=$PATH:$(builder_home)/.cargo/bin
fi

ALTFIB_LOG=$ALTFIB_CACHE/log
export ALTFIB_LOG

# Run the rest of the calling script as the account that builds.
# sudo resets the environment of the user, so ours is named.
become_builder() {
	local name
	name=$(builder_name)
	[[ $name == "$(id -un)" ]] && return 0
	exec runuser -u "$name" -- env \
		HOME="$(builder_home)" ALTFIB_CACHE="$ALTFIB_CACHE" \
		"$@"
}

# Run a command as root, or say what is missing.
as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -- "$@"
	else
		die "this needs root rights for \"$1\", and there is no sudo: run it as root"
	fi
}

# Seconds since a moment given as $1 (from date +%s), as "m:ss".
since() {
	local s=$(($(date +%s) - $1))
	printf '%d:%02d' $((s / 60)) $((s % 60))
}

arch_of() { # KERNEL -> kbuild's ARCH
	case $1 in
	uml | uml-stock | uml-suites | uml-debug) echo um ;;
	x86 | x86-debug | debian-*) echo x86_64 ;;
	*) die "unknown kernel \"$1\": choose uml or x86, uml-stock, uml-suites, uml-debug or x86-debug" ;;
	esac
}

# Build a variant of the module, quietly: only errors are shown.
build_module() { # KERNEL [VARIANT]
	local log=$ALTFIB_LOG/module-$1${2:+-$2}.log start
	start=$(date +%s)
	if ! "$ALTFIB_TOP/scripts/build-module.sh" "$@" >"$log" 2>&1 </dev/null; then
		grep -E -A12 '^(error|altfib:)|(fatal )?error:|\*\*\*' "$log" | head -n 60 >&2 || true
		die "the module did not build for the $1 kernel (log: $log)"
	fi
	say "Module for the $1 kernel${2:+ ($2)}: built in $(since "$start")"
}
