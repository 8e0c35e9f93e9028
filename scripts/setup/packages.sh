# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by setup.sh: the Debian packages.  The one list of them all.

packages_common=(
	# building a kernel, and C programs of the tests
	make gcc libc6-dev flex bison bc libelf-dev patch perl xz-utils python3
	# fetching what is no package
	ca-certificates python3-venv
	# running it: virtme-ng's emulator, and udev, without which it gives no output
	qemu-system-x86 udev kmod procps util-linux iproute2
	# the demo: its traffic and its table of real routes
	iputils-ping curl python3-minimal libloc-database location
	# the tests: other hooks beside ours, a tunnel, lint
	nftables wireguard-tools shellcheck
	# those of the kernel's own selftests that are part of "make test"
	tcpdump socat iptables jq
	# the kernel's ynl: the netlink family's specification, and its test
	python3-yaml python3-jsonschema
)

# What the kernel's own selftests need, but for those in "make test":
# kernel-selftests.sh installs it itself.
# shellcheck disable=SC2034 # read there
packages_suites=(
	netsniff-ng traceroute iputils-arping conntrack smcroute ethtool
	ipv6toolkit ipvsadm iperf3 libmnl-dev
)

# A Debian of its own to install altfib in; debian.sh installs them itself.
# shellcheck disable=SC2034 # read there
packages_debian=(debootstrap qemu-system-x86 make gcc libc6-dev)

# The charts of "make bench", and what its steps.sh decodes; bench.sh installs them itself.
# shellcheck disable=SC2034 # read there
packages_bench=(python3-matplotlib python3-capstone)

# One LLVM for rustc and clang: only then can the kernel's C helpers be inlined
# into Rust (CONFIG_RUST_INLINE_HELPERS).
packages_12=(rustc-web rust-web-src rust-web-clippy rustfmt-web clang-22 lld-22 llvm-22)
packages_13=(rustc rust-src rust-clippy rustfmt bindgen clang-19 lld-19 llvm-19)
# Unless there is a cargo already: rustup's will do.
cargo_12="cargo-web"
cargo_13=cargo

packages_wanted() {
	local release
	release=$(debian_release) || return 0
	printf '%s\n' "${packages_common[@]}"
	if ((release == 12)); then
		printf '%s\n' "${packages_12[@]}"
		find_cargo >/dev/null || printf '%s\n' "$cargo_12"
	else
		printf '%s\n' "${packages_13[@]}"
		find_cargo >/dev/null || printf '%s\n' "$cargo_13"
	fi
}

packages_missing() {
	local name
	local -A have=()
	while read -r name; do have[$name]=1; done < <(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' | sed -n 's/^ii *//p')
	while read -r name; do
		[[ -n ${have[$name]:-} ]] || printf '%s\n' "$name"
	done < <(packages_wanted)
}

packages_done() { [[ -z $(packages_missing) ]]; }

packages_plan() {
	local missing
	missing=$(packages_missing | tr '\n' ' ')
	# With all of them missing on a minimal system: 1.9 GB.
	case $missing in
	*clang-* | *qemu-*) printf '3 2 install packages: %s\n' "$missing" ;;
	*) printf '1 0.3 install packages: %s\n' "$missing" ;;
	esac
}

# Of these, which are newer here than anything that the lists have.
packages_newer() { # PACKAGE...
	local name
	for name in "$@"; do
		apt-cache madison "$name" | awk -F' *[|] *' '{ print $2 }' | {
			while read -r listed; do
				dpkg --compare-versions "$(dpkg-query -W -f '${Version}' "$name")" gt "$listed" || exit 1
			done
			printf '%s\n' "$name"
		} || true
	done
}

# packages_backports NEWER WANTED...: installs what comes from the same source as NEWER
# from backports, too.  A machine may have NEWER from there, by an image or by hand, and
# yet no backports in its lists.  With lists of our own: the system's stay as they are.
# Writes to packages_run's log.
packages_backports() {
	local newer=$1 name source dir suite
	local -a wanted=() own
	shift
	suite=$(main_suite)-backports
	source=$(dpkg-query -W -f '${source:Package}' "$newer")
	for name in "$@"; do
		[[ $(apt-cache show "$name" | awk '$1 == "Source:" && !found++ { print $2 }') != "$source" ]] || wanted+=("$name")
	done
	((${#wanted[@]})) || return 0
	dir=$(mktemp -d)
	mkdir -p "$dir"/{parts,lists/partial,cache/archives/partial}
	cp /etc/apt/sources.list.d/* "$dir/parts" 2>/dev/null || true
	{
		printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$(main_site)" "$suite"
		main_keyring
	} >"$dir/parts/altfib.sources"
	own=(-q -o "Dir::Etc::SourceParts=$dir/parts" -o "Dir::State::Lists=$dir/lists"
		-o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root)
	say "${wanted[*]} from $suite, since $newer is newer than that of $(main_suite)"
	as_root apt-get "${own[@]}" update >>"$log" 2>&1 ||
		die "the package lists of $suite could not be fetched (log: $log)"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get "${own[@]}" -y --no-install-recommends --no-remove \
		-t "$suite" install "${wanted[@]}" >>"$log" 2>&1 ||
		die "${wanted[*]} could not be installed: $(grep -m1 -E '^E:' "$log" || tail -n1 "$log") (log: $log)"
	rm -rf "$dir"
}

packages_run() {
	local log=$ALTFIB_LOG/packages.log line
	local -a want removed newer
	mapfile -t want < <(packages_missing)
	say "Installing ${#want[@]} packages"
	: 2>/dev/null >"$log" || log=$(mktemp /tmp/altfib-packages-XXXXXX)
	# A new machine has no package lists, an old one stale ones.
	as_root apt-get -q update >>"$log" 2>&1 ||
		die "apt-get update failed: $(grep -m1 -E '^E:' "$log" || tail -n1 "$log") (log: $log)"
	for line in "${want[@]}"; do
		apt-cache show "$line" >/dev/null 2>&1 ||
			die "the package $line is not in this system's package lists: enable the main archive and the security updates of Debian $(debian_release) in /etc/apt"
	done
	# apt may prefer to remove an installed package to upgrading it; naming
	# it makes it choose the upgrade.
	mapfile -t removed < <(apt-get -s install --no-install-recommends "${want[@]}" 2>/dev/null | sed -n 's/^Remv \([^ ]*\).*/\1/p')
	if ((${#removed[@]})); then
		mapfile -t newer < <(packages_newer "${removed[@]}")
		if ((${#newer[@]})); then
			packages_backports "${newer[0]}" "${want[@]}"
			mapfile -t want < <(packages_missing)
		else
			want+=("${removed[@]}")
		fi
	fi
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y --no-install-recommends --no-remove install "${want[@]}" >>"$log" 2>&1 ||
		die "packages could not be installed: $(grep -m1 -E '^E:' "$log" || tail -n1 "$log") (log: $log)"
	packages_done || die "still not installed after apt-get: $(packages_missing | tr '\n' ' ')(log: $log)"
}
