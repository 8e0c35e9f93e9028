#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checks that need no running kernel.  Prints one line "ok NAME" or
# "not ok NAME" for each, and what was found below a "not ok".
#
#   lint.sh            all
#   lint.sh NAME...    rustfmt clippy checkpatch shellcheck spdx netlink docs tool panics
#   lint.sh fmt        changes the files instead: formats the Rust sources

# shellcheck disable=SC2317 # lint_* are called by name

# Read to its end first: bash would trip over an edit during a long run.
{
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ALTFIB_TOP/scripts/toolchain.sh"
become_builder "$(readlink -f "$0")" "$@"
cd "$ALTFIB_TOP"
set_toolchain
src=$(find_source) || die "the kernel source is missing: run \"make setup\""
mkdir -p "$ALTFIB_LOG"

# Files of the project: tracked ones and new ones, whatever git ignores not.
# Without git (a tarball), all of them.
files() {
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard -- "$@"
	else
		find . -type f | sed 's|^\./||' | while read -r f; do
			# shellcheck disable=SC2254 # the patterns are meant as such
			for p in "$@"; do case $f in $p) printf '%s\n' "$f" ;; esac; done
		done
	fi | sort -u | while read -r f; do [[ -f $f ]] && printf '%s\n' "$f"; done
}

# The module as the kernel formats it, each cargo crate by its own edition.
# rustfmt follows "mod", so it gets the roots.
run_rustfmt() { # rustfmt's arguments
	local rustfmt crate edition rc=0
	rustfmt=$(rustc_sibling "$ALTFIB_RUSTC" rustfmt) ||
		die "rustfmt is missing beside $ALTFIB_RUSTC: run \"make setup\""
	"$rustfmt" "$@" --edition 2021 --config-path "$src/.rustfmt.toml" src/altfib.rs || rc=1
	for crate in selftests/unit scripts/routeload scripts/bench/lpm tool; do
		edition=$(sed -n 's/^edition = "\(.*\)"/\1/p' "$crate/Cargo.toml")
		find "$crate" -name '*.rs' -not -path '*/target/*' -print0 |
			xargs -0 "$rustfmt" "$@" --edition "$edition" || rc=1
	done
	return "$rc"
}

lint_rustfmt() { run_rustfmt --check --color never; }

lint_clippy() { scripts/build-module.sh uml clippy; }

# FILE_PATH_CHANGES is about patches to the kernel tree, and is left out.  The
# code that runs in the kernel is held to --strict, as networking code is; the
# tests' programs are user space, for whose types --strict is wrong.
lint_checkpatch() {
	local rc=0
	local -a c
	mapfile -t c < <(files 'src/*.c' 'src/*.h' 'scripts/bench/module/*.c' | grep -v '_trace\.h$')
	checkpatch --strict "${c[@]}" || rc=1
	# Tracepoints are laid out in a way of their own, here as in the kernel.
	mapfile -t c < <(files 'src/*_trace.h')
	checkpatch --strict --ignore OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT,COMPLEX_MACRO,MACRO_ARG_UNUSED,TRAILING_SEMICOLON "${c[@]}" || rc=1
	mapfile -t c < <(files 'selftests/*.c' 'selftests/*.h')
	checkpatch --no-verbose "${c[@]}" || rc=1
	return "$rc"
}

# It leaves a file in the current folder.
checkpatch() { # OPTION [--ignore TYPES] FILE...
	local option=$1 ignore=FILE_PATH_CHANGES
	shift
	[[ $1 != --ignore ]] || { ignore+=,$2 && shift 2; }
	(cd "$ALTFIB_CACHE/run" && "$src/scripts/checkpatch.pl" "$option" --no-tree --terse --show-types --no-summary \
		--ignore "$ignore" -f "${@/#/$ALTFIB_TOP/}")
}

lint_shellcheck() {
	local -a s
	mapfile -t s < <(
		files '*.sh' '.ci/run'
		# Scripts without an ending are found by their first line.
		files 'selftests/*' 'scripts/*' | grep -v '\.[a-z]*$' |
			while read -r f; do head -n1 "$f" | grep -qE '^#!.*\b(ba)?sh\b' && printf '%s\n' "$f"; done
	)
	shellcheck "${s[@]}"
}

# The licence is the first line of each source, or the second after "#!".
lint_spdx() {
	local f bad=0
	while read -r f; do
		# What is generated from the specification has the licence of that.
		head -n2 "$f" | grep -qE 'SPDX-License-Identifier: (\(\()?GPL-2.0' && continue
		printf '%s: no SPDX line at its head\n' "$f"
		bad=1
	done < <(files '*.rs' '*.c' '*.h' '*.sh' '*.py' '*.yaml' 'Makefile' 'Kbuild' '*/Makefile' '.ci/run')
	return "$bad"
}

# The specification of the netlink family fits the kernel's schema, and what is generated of it is there.
lint_netlink() { scripts/netlink.sh check; }

# The pages about counters and settings have what the module has, and each command of a
# page is run by somebody.
lint_docs() { python3 scripts/check-docs.py && python3 -B selftests/docs.py check; }

# The tool, with clippy of the cargo that builds it.
lint_tool() {
	local cargo
	cargo=$(find_cargo) || die "no cargo of $RUSTC_MIN or newer: run \"make setup\""
	CARGO_TARGET_DIR=$ALTFIB_CACHE/build/cargo RUSTC=${cargo%/*}/rustc "$cargo" clippy --quiet --locked --all-targets \
		--manifest-path tool/Cargo.toml -- -D warnings
}

lint_panics() {
	local ko
	scripts/build-module.sh x86 checked || return 1
	ko=$ALTFIB_CACHE/build/module-x86-checked/altfib.ko
	python3 scripts/check-panics.py "$ko" scripts/hot-functions.txt
}

# "all" is every lint_* function of this file.
mapfile -t all < <(declare -F | sed -n 's/^declare -f lint_//p')
names=("$@")
((${#names[@]})) || names=("${all[@]}")

if [[ ${names[0]} == fmt ]]; then
	run_rustfmt
	exit
fi

failed=0
for name in "${names[@]}"; do
	declare -F "lint_$name" >/dev/null || die "no check is called \"$name\": choose from ${all[*]}"
	log=$ALTFIB_LOG/lint-$name.log
	start=$(date +%s)
	# No "set -e" in a condition: each function minds its own errors.
	if ("lint_$name") >"$log" 2>&1 </dev/null; then
		say "ok $name ($(since "$start"))"
	else
		say "not ok $name ($(since "$start"); all of it: $log)"
		grep -vE '^make(\[[0-9]+\])?: (Entering|Leaving)' "$log" | tail -n 60 | sed 's/^/  /'
		failed=1
	fi
done
exit $failed
}
