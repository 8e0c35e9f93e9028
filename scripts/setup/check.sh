# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by setup.sh: what must be true before the first step starts.

# The cache folder and its parents belong to the account that builds.
make_cache() {
	local run=()
	[[ $(builder_name) == "$(id -un)" ]] || run=(runuser -u "$(builder_name)" --)
	"${run[@]}" mkdir -p "$ALTFIB_CACHE"/{apt,build,log,run,src,stamp,tools} 2>/dev/null ||
		die "cannot create $ALTFIB_CACHE: name a writable folder with ALTFIB_CACHE=/path"
}

show_plan() {
	local step minutes gigabytes what total_m=0 total_g=0
	say "altfib needs some things that are not here yet:"
	say ""
	for step in "$@"; do
		read -r minutes gigabytes what < <("${step}_plan")
		printf '  %3s min %5s GB  %s\n' "$minutes" "$gigabytes" "$what"
		total_m=$((total_m + minutes))
		total_g=$(awk -v a="$total_g" -v b="$gigabytes" 'BEGIN{print a+b}')
	done
	say ""
	printf '  %3s min %5s GB  in all, on %s CPUs; packages go to the system, all else to %s\n\n' \
		"$total_m" "$total_g" "$(nproc)" "$ALTFIB_CACHE"
	PLAN_GB=$total_g
}

debian_release() { # prints 12 or 13
	local ID='' VERSION_ID=''
	[[ -r /etc/os-release ]] && . /etc/os-release
	if [[ $ID == debian && ($VERSION_ID == 12 || $VERSION_ID == 13) ]]; then
		printf '%s\n' "$VERSION_ID"
		return 0
	fi
	return 1
}

check_machine() { # STEP...
	local need have step wants_root='' wants_net=''
	for step in "$@"; do
		case $step in
		packages) wants_root=yes && wants_net=yes ;;
		source) [[ -n ${KSRC:-} ]] || wants_net=yes ;;
		dns | bird) wants_net=yes ;;
		esac
	done

	[[ $(uname -m) == x86_64 ]] ||
		die "this machine is $(uname -m), and altfib's test kernels are for x86_64: use a 64-bit PC"
	debian_release >/dev/null ||
		die "this is no Debian 12 or 13 (/etc/os-release), and the set-up knows only these: use one, a container of one is enough"

	need=$(awk -v g="$PLAN_GB" 'BEGIN{printf "%d", g * 1024 + 512}')
	have=$(($(stat -f -c '%a * %S / 1048576' "$ALTFIB_CACHE")))
	((have >= need)) ||
		die "$ALTFIB_CACHE has $have MB free and $need MB are needed: make room, or name another folder with ALTFIB_CACHE=/path"

	have=$(awk '/^MemTotal/{print int($2 / 1024)}' /proc/meminfo)
	((have >= 3500)) ||
		die "this machine has $have MB of memory; the build and the 3 GB guest need 4 GB"

	if [[ -n $wants_root ]] && ((EUID != 0)); then
		command -v sudo >/dev/null ||
			die "packages are to be installed, and you are neither root nor is there sudo: run this as root"
		if [[ ! -t 0 ]] && ! sudo -n true 2>/dev/null; then
			die "packages are to be installed, and sudo cannot ask for the password without a terminal: run \"sudo make setup\" first"
		fi
	fi

	[[ -z $wants_net ]] || check_mirrors
}

# Asks each mirror for one small file through apt itself, which knows of
# proxies and other transports.
check_mirrors() {
	local site suite tmp url
	tmp=$(mktemp -d)
	while IFS='|' read -r suite site; do
		url=$site/dists/$suite/Release
		if ! /usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=2 \
			download-file "$url" "$tmp/release" >"$tmp/log" 2>&1; then
			rm -rf "$tmp"
			die "the package mirror does not answer: $url (check the network, /etc/apt/sources.list and sources.list.d)"
		fi
	done < <(main_mirrors)
	rm -rf "$tmp"
}
