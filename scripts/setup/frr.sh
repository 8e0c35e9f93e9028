# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by setup.sh: the second routing daemon of selftests/daemons.sh; bird.sh has the first.

# Its daemons are in no PATH, and know where vtysh and each other are only from the options.
frr_done() {
	local dir=$ALTFIB_CACHE/tools/frr
	unpacked_runs frr "$dir/usr/lib/frr/zebra --version" "$dir/usr/lib/frr/bgpd --version" "vtysh --help"
}

frr_plan() { printf '1 0.1 fetch and unpack a routing daemon for the tests (frr)\n'; }

frr_run() { unpack frr frr; }
