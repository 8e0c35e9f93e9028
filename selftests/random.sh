#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Random scenarios (random/): the same seeds with altfib off, on and verifying.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_steady: off twice is the same, so that a difference is altfib's"
	"only_equal: off, on and verify are the same, and 90 % of the packets attached"
	"only_corrupt: a wrong next hop is noticed, and shrunk to a few lines"
)

# Scenarios are begun for so many seconds; as many as the machine can.
SECONDS_STEADY=${ALTFIB_RANDOM_STEADY:-15}
SECONDS_EQUAL=${ALTFIB_RANDOM_SECONDS:-75}
SECONDS_SHRINK=${ALTFIB_RANDOM_SHRINK:-60}

drive() {
	"$HERE/random/run.sh" "$@" | tee "$TMP/random"
	[ "${PIPESTATUS[0]}" = 0 ]
}

only_steady() {
	drive --arms "off off" --first 1 --count 10000 --seconds "$SECONDS_STEADY" --shrink 0
}

only_equal() {
	drive --first 1000 --count 10000 --seconds "$SECONDS_EQUAL" --shrink 30 || return 1
	awk '/ scenarios, .* eligible/ {
		found = 1
		sub(/.* attached /, "")
		if ($1 < 0.9 * $3) { print "attached only " $1 " of " $3; few = 1 }
	}
	END { exit few || !found }' "$TMP/random" || fail "too few were attached"
}

# The module that takes TEST-NET-3 for TEST-NET-2 (build-module.sh uml corrupt).
only_corrupt() {
	local rc=0

	[ -n "${ALTFIB_KO_CORRUPT:-}" ] || fail "set ALTFIB_KO_CORRUPT=path/to/the/corrupt/altfib.ko" || return 1
	rmmod altfib && insmod "$ALTFIB_KO_CORRUPT" || return 1
	drive --test-nets --no-audit --first 1 --count 10 --failures 1 --shrink "$SECONDS_SHRINK" --output "$TMP" &&
		fail "nobody noticed" && rc=1
	grep -q '^# shrunk to' "$TMP/random" || fail "it was not shrunk" || rc=1
	# The whole has more than a hundred.
	[ "$(grep -c . "$TMP"/random-*.scenario)" -le 40 ] || fail "that is not short" || rc=1
	grep -q '^send .*dst=198\.51\.100\.' "$TMP"/random-*.scenario ||
		fail "the shrunk scenario has no packet to TEST-NET-2" || rc=1
	rmmod altfib
	insert_altfib || return 1
	return "$rc"
}

tests_run "$@"
