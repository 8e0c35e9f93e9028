# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by setup.sh: Debian's packages of servers, without their servers.
#
# Installed, they would start on the machine.  These are unpacked into the cache
# folder instead, with the libraries that the system lacks; only what the system
# has already is used from there.

unpacked_libraries() { # NAME
	local dir=$ALTFIB_CACHE/tools/$1
	printf '%s\n' "$dir/usr/lib/x86_64-linux-gnu:$dir/lib/x86_64-linux-gnu:$dir/usr/lib/x86_64-linux-gnu/$1"
}

# unpacked_runs NAME CALL...: whether each program can say its version and end.
unpacked_runs() {
	local dir=$ALTFIB_CACHE/tools/$1 libraries call
	libraries=$(unpacked_libraries "$1")
	shift
	for call in "$@"; do
		# shellcheck disable=SC2086 # a program and its option
		env "PATH=$dir/usr/sbin:$dir/usr/bin:$PATH:/usr/sbin" "LD_LIBRARY_PATH=$libraries" \
			$call >/dev/null 2>&1 || return 1
	done
}

# unpack NAME PACKAGE...: into tools/NAME.
unpack() {
	local name=$1 log=$ALTFIB_LOG/$1.log new=$ALTFIB_CACHE/tools/$1.new deb
	local -a own names packages=("${@:2}")
	rm -rf "$new"
	mkdir -p "$new"/apt/{lists,archives}/partial "$new"/debs
	# The system's sources, in lists of our own: its lists may be old, and only root
	# can renew them.
	own=(-q -o "Dir::State::Lists=$new/apt/lists" -o "Dir::Cache=$new/apt"
		-o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none)
	say "Fetching ${packages[*]} (log: $log)"
	apt-get "${own[@]}" update >"$log" 2>&1 </dev/null ||
		die "the package lists could not be fetched: $(unpack_error "$log")"
	# What apt would install, and installs not.
	apt-get "${own[@]}" -s --no-install-recommends install "${packages[@]}" >"$new/plan" 2>>"$log" </dev/null ||
		die "apt finds no way to have ${packages[*]}: $(unpack_error "$log")"
	mapfile -t names < <(sed -n 's/^Inst \([^ ]*\).*/\1/p' "$new/plan")
	((${#names[@]})) ||
		die "${packages[*]} are installed, yet one of their programs does not run: reinstall them"
	# apt checks the signed hash of what it fetched.
	(cd "$new/debs" && apt-get "${own[@]}" download "${names[@]}") >>"$log" 2>&1 </dev/null ||
		die "${names[*]} could not be fetched: $(unpack_error "$log")"
	for deb in "$new"/debs/*.deb; do
		dpkg-deb -x "$deb" "$new" 2>>"$log" ||
			die "$deb could not be unpacked: is the disk full ($ALTFIB_CACHE)?"
	done
	rm -rf "$new"/{apt,debs,plan} "$ALTFIB_CACHE/tools/$name"
	mv "$new" "$ALTFIB_CACHE/tools/$name"
	"${name}_done" || die "a program of ${packages[*]} does not run from $ALTFIB_CACHE/tools/$name (log: $log)"
}

unpack_error() { printf '%s (log: %s)' "$(grep -m1 -E '^E:' "$1" || tail -n1 "$1")" "$1"; }
