#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The KUnit suite of the module (src/lpm_kunit.rs), which runs when it is loaded
# into a kernel with CONFIG_KUNIT=y and kunit.enable=1 on its command line.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_v4_small: IPv4, a few routes: answers as a plain list has them"
	"only_v4_large: IPv4, thousands of routes"
	"only_v6_small: IPv6, a few routes"
	"only_v6_large: IPv6, thousands of routes"
	"only_suite: the suite as a whole passed, and each of its tests is listed here"
)

# Loads the module once and keeps what the kernel's log then has of the suite.
suite() {
	[ ! -e "$TMP/ktap" ] || return 0
	! altfib_loaded || rmmod altfib || return 1
	kmsg_mark "kunit $$"
	insert_altfib || return 1
	dmesg | sed "1,/altfib selftest: kunit $$/d; s/^\[[^]]*\] //" >"$TMP/ktap"
}

# passed NAME: and what the suite says of it, if not.
passed() {
	suite || return 1
	grep -qE "^    ok [0-9]+ $1\$" "$TMP/ktap" && return 0
	grep -v '^ *ok ' "$TMP/ktap" | head -n 40
	return 1
}

only_v4_small() { passed v4_small; }
only_v4_large() { passed v4_large; }
only_v6_small() { passed v6_small; }
only_v6_large() { passed v6_large; }

only_suite() {
	suite || return 1
	grep '^# altfib_lpm:' "$TMP/ktap"
	[ "$(grep -cE '^    (not )?ok ' "$TMP/ktap")" = $((${#ALL_TESTS[@]} - 1)) ] ||
		fail "not the tests that are listed" || return 1
	grep -qE '^ok [0-9]+ altfib_lpm$' "$TMP/ktap" || fail "altfib_lpm did not pass"
}

if [ "${1:-}" != --count ]; then
	grep -qw 'kunit.enable=1' /proc/cmdline ||
		skip_all "needs a kernel with CONFIG_KUNIT=y that was booted with kunit.enable=1"
fi
tests_run "$@"
