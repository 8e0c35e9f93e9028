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
	# one of the kernel's own selftests, icmp.sh
	tcpdump
	# the kernel's ynl: the netlink family's specification, and its test
	python3-yaml python3-jsonschema
)

# What the kernel's own selftests need, but for those in "make test":
# kernel-selftests.sh installs it itself.
# shellcheck disable=SC2034 # read there
packages_suites=(
	netsniff-ng socat jq traceroute iptables iputils-arping conntrack smcroute ethtool
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

packages_run() {
	local log=$ALTFIB_LOG/packages.log line
	local -a want removed
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
		want+=("${removed[@]}")
	fi
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y --no-install-recommends --no-remove install "${want[@]}" >>"$log" 2>&1 ||
		die "packages could not be installed: $(grep -m1 -E '^E:' "$log" || tail -n1 "$log") (log: $log)"
	packages_done || die "still not installed after apt-get: $(packages_missing | tr '\n' ' ')(log: $log)"
}
