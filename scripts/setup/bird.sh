# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by setup.sh: the routing daemon that "make bench" loads a table with.

bird_done() { unpacked_runs bird "bird --version"; }

bird_plan() { printf '1 0.1 fetch and unpack a routing daemon for the benchmark (bird2)\n'; }

bird_run() { unpack bird bird2; }
