#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The commands that the pages show: each is run on a router that serves, as it stands there.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# docs.py, which make lint runs, wants each page with a command here.
ALL_TESTS=(
	"only_README: README.md, with the module removed and loaded again"
	"only_bench: docs/bench.md"
	"only_caches: docs/caches.md"
	"only_concepts: docs/concepts.md"
	"only_counters: docs/counters.md"
	"only_fastpath: docs/fastpath.md"
	"only_netlink: docs/netlink.md, with what its commands print"
	"only_output: docs/output.md"
	"only_tool: docs/tool.md, with what its commands print"
)

# build.sh puts it there.
TOOL=${ALTFIB_TOOL:-${ALTFIB_CACHE:-/nowhere}/build/cargo/release/altfib}
export TOOL
unset NO_COLOR CLICOLOR CLICOLOR_FORCE

# page PAGE: a router that has served some packets and left others to the kernel; then the page's commands.
page() {
	local page=$1

	run_scenario on <<-EOT || return 1
	$(topo_bare)
	arm afr
	sysctl afr net/ipv4/conf/all/send_redirects 0
	EOT
	# Loaded at once, so that next hops have the numbers that they have in the kernel's order.
	in_ns afr sh -c 'cd /proc/sys/net/altfib && echo off >mode && echo on >mode' || return 1
	# shellcheck disable=SC2016 # it is that shell's
	in_ns afr timeout 20 sh -c \
		'until [ "$(grep -c "serving: *yes" /proc/net/altfib/status)" = 2 ]; do sleep 0.1; done' || return 1
	run_scenario on <<-EOT || return 1
	$TX dst=10.1.0.1 n=20
	$TX dst=10.2.0.1 n=3
	$TX dst=10.9.0.1 n=3
	settle
	EOT
	# Where there is such a thing.
	# shellcheck disable=SC2016 # it is that shell's
	in_ns afr bash -c 'for file in /proc/sys/net/bridge/bridge-nf-call-ip*; do
		[ ! -e "$file" ] || echo 0 >"$file"
	done' || return 1
	# ALTFIB_FILL=1: the page as it should be, for whoever changes something.
	if [ -n "${ALTFIB_FILL:-}" ]; then
		in_ns afr python3 -B "$HERE/docs.py" fill "$page" >"$ALTFIB_OUT/${page##*/}"
	else
		in_ns afr python3 -B "$HERE/docs.py" page "$page" 2>&1
	fi
}

# Its modprobe finds the module that is under test.
only_README() {
	local rc=0 folder
	folder=$TMP/root/lib/modules/$(uname -r)

	mkdir -p "$folder/updates" && cp "$ALTFIB_KO" "$folder/updates/altfib.ko" &&
		touch "$folder"/modules.{order,builtin,builtin.modinfo} && depmod -b "$TMP/root" || return 1
	MODPROBE_OPTIONS="-d $TMP/root" page README.md || rc=1
	if altfib_loaded; then
		fail "altfib is still loaded" || rc=1
	else
		insert_altfib || rc=1
	fi
	return "$rc"
}

only_bench() { page docs/bench.md; }
only_caches() { page docs/caches.md; }
only_concepts() { page docs/concepts.md; }
only_counters() { page docs/counters.md; }
only_fastpath() { page docs/fastpath.md; }
only_output() { page docs/output.md; }
only_tool() { page docs/tool.md; }

only_netlink() {
	local source

	# YNL is pyynl in the source of the kernel.
	for source in "${YNL%/tools/net/ynl/pyynl}" "${KSRC:-/nowhere}" "${ALTFIB_CACHE:-/nowhere}"/src/linux-source-*; do
		[ ! -e "$source/tools/net/ynl/pyynl/cli.py" ] || break
	done
	KSRC=$source page docs/netlink.md
}

[ "${1:-}" = --count ] || [ -x "$TOOL" ] ||
	skip_all "the tool is not built: run tool/build.sh, or set ALTFIB_TOOL=path/to/altfib"
tests_run "$@"
