# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by setup.sh: the name servers and the resolver of selftests/dns.sh.

DNS_PACKAGES=(nsd knot knot-dnsutils)

dns_done() { unpacked_runs dns "nsd -v" "knotd -V" "kdig -V"; }

dns_plan() { printf '1 0.1 fetch and unpack name servers for the tests (%s)\n' "${DNS_PACKAGES[*]}"; }

dns_run() { unpack dns "${DNS_PACKAGES[@]}"; }
