#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Random scenarios (random/), IPv4 and IPv6 in turn: the same seeds with altfib off, on
# and verifying.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"only_equal: off, on and verify are the same, and 90 % of each family's packets attached"
)
# What is the same in each arm.
[ "$ON" != on ] || ALL_TESTS+=(
	"only_steady: off twice is the same, so that a difference is altfib's"
	"only_corrupt: a wrong next hop is noticed in each family, and shrunk to a few lines"
)

# Scenarios are begun for so many seconds; as many as the machine can.
SECONDS_STEADY=${ALTFIB_RANDOM_STEADY:-15}
SECONDS_EQUAL=${ALTFIB_RANDOM_SECONDS:-75}
SECONDS_SHRINK=${ALTFIB_RANDOM_SHRINK:-180}

drive() {
	"$HERE/random/run.sh" "$@" | tee "$TMP/random"
	[ "${PIPESTATUS[0]}" = 0 ]
}

only_steady() {
	drive --arms "off off" --first 1 --count 10000 --seconds "$SECONDS_STEADY" --shrink 0
}

only_equal() {
	drive --arms "off $ON" --first 1000 --count 10000 --seconds "$SECONDS_EQUAL" --shrink 30 || return 1
	awk '/^IPv[46]: .* scenarios, .* eligible/ {
		family = $1
		found++
		sub(/.* attached /, "")
		if ($1 < 0.9 * $3) { print family " attached only " $1 " of " $3; few = 1 }
	}
	END { exit few || found != 2 }' "$TMP/random" || fail "too few were attached"
}

# corrupt FAMILY DST: it is noticed, and what is left has a packet to DST.
corrupt() {
	local rc=0

	drive --family "$1" --test-nets --no-audit --first 1 --count 10 --failures 1 \
		--shrink $((SECONDS_SHRINK / 2)) --output "$TMP" && fail "nobody noticed" && rc=1
	grep -q '^# shrunk to' "$TMP/random" || fail "it was not shrunk" || rc=1
	# The whole has more than a hundred.
	[ "$(grep -c . "$TMP/random-IPv$1"-*.scenario)" -le 40 ] || fail "that is not short" || rc=1
	grep -q "^send .*dst=$2" "$TMP/random-IPv$1"-*.scenario ||
		fail "the shrunk scenario has no packet to $2" || rc=1
	return "$rc"
}

# The module that takes TEST-NET-3 for TEST-NET-2, and 2001:db8:bad::/48 for
# 2001:db8:600d::/48 (build-module.sh uml corrupt).
only_corrupt() {
	local rc=0

	[ -n "${ALTFIB_KO_CORRUPT:-}" ] || fail "set ALTFIB_KO_CORRUPT=path/to/the/corrupt/altfib.ko" || return 1
	rmmod altfib && insmod "$ALTFIB_KO_CORRUPT" || return 1
	corrupt 4 '198\.51\.100\.' || rc=1
	corrupt 6 2001:db8:bad: || rc=1
	rmmod altfib
	insert_altfib || return 1
	return "$rc"
}

tests_run "$@"
