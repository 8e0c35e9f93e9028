# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by setup.sh: the name servers and the resolver of selftests/dns.sh.
#
# Debian's packages of servers start them on the machine.  These are unpacked
# into the cache folder instead, with the libraries that the system lacks; only
# what the system has already is used from there.

DNS_PACKAGES=(nsd knot knot-dnsutils)
# What the test runs, each with the option that lets it say its version and end.
DNS_PROGRAMS=("nsd -v" "knotd -V" "kdig -V")

dns_done() {
	local dir=$ALTFIB_CACHE/tools/dns call
	for call in "${DNS_PROGRAMS[@]}"; do
		# shellcheck disable=SC2086 # a program and its option
		env "PATH=$dir/usr/sbin:$dir/usr/bin:$PATH:/usr/sbin" "LD_LIBRARY_PATH=$(dns_libraries)" \
			$call >/dev/null 2>&1 || return 1
	done
}

dns_libraries() { printf '%s\n' "$ALTFIB_CACHE/tools/dns/usr/lib/x86_64-linux-gnu:$ALTFIB_CACHE/tools/dns/lib/x86_64-linux-gnu"; }

dns_plan() { printf '1 0.1 fetch and unpack name servers for the tests (%s)\n' "${DNS_PACKAGES[*]}"; }

dns_run() {
	local log=$ALTFIB_LOG/dns.log new=$ALTFIB_CACHE/tools/dns.new deb
	local -a own names
	rm -rf "$new"
	mkdir -p "$new"/apt/{lists,archives}/partial "$new"/debs
	# The system's sources, in lists of our own: its lists may be old, and only root
	# can renew them.
	own=(-q -o "Dir::State::Lists=$new/apt/lists" -o "Dir::Cache=$new/apt"
		-o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none)
	say "Fetching ${DNS_PACKAGES[*]} (log: $log)"
	apt-get "${own[@]}" update >"$log" 2>&1 </dev/null ||
		die "the package lists could not be fetched: $(dns_error "$log")"
	# What apt would install, and installs not.
	apt-get "${own[@]}" -s --no-install-recommends install "${DNS_PACKAGES[@]}" >"$new/plan" 2>>"$log" </dev/null ||
		die "apt finds no way to have ${DNS_PACKAGES[*]}: $(dns_error "$log")"
	mapfile -t names < <(sed -n 's/^Inst \([^ ]*\).*/\1/p' "$new/plan")
	((${#names[@]})) ||
		die "${DNS_PACKAGES[*]} are installed, yet one of ${DNS_PROGRAMS[*]%% *} does not run: reinstall it"
	# apt checks the signed hash of what it fetched.
	(cd "$new/debs" && apt-get "${own[@]}" download "${names[@]}") >>"$log" 2>&1 </dev/null ||
		die "${names[*]} could not be fetched: $(dns_error "$log")"
	for deb in "$new"/debs/*.deb; do
		dpkg-deb -x "$deb" "$new" 2>>"$log" ||
			die "$deb could not be unpacked: is the disk full ($ALTFIB_CACHE)?"
	done
	rm -rf "$new"/{apt,debs,plan} "$ALTFIB_CACHE/tools/dns"
	mv "$new" "$ALTFIB_CACHE/tools/dns"
	dns_done || die "one of ${DNS_PROGRAMS[*]%% *} does not run from $ALTFIB_CACHE/tools/dns (log: $log)"
}

dns_error() { printf '%s (log: %s)' "$(grep -m1 -E '^E:' "$1" || tail -n1 "$1")" "$1"; }
