# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by setup.sh: programs that Debian lacks or has too old.

BINDGEN_VERSION=0.73.2
VIRTME_VERSION=1.42

virtme_there() {
	[[ -x $ALTFIB_CACHE/tools/virtme/bin/vng &&
		-d $(compgen -G "$ALTFIB_CACHE/tools/virtme/lib/python3*/site-packages/virtme_ng-$VIRTME_VERSION.dist-info" | head -n1) ]]
}

# A later LLVM needs a later bindgen; before the packages there is no rustc.
bindgen_there() {
	local rustc
	rustc=$(find_rustc) && find_bindgen "$(rustc_llvm "$rustc")" >/dev/null
}

tools_done() { virtme_there && bindgen_there; }

tools_plan() {
	local what=() minutes=1
	if ! bindgen_there && [[ $(debian_release) != 13 ]]; then
		what+=("build bindgen $BINDGEN_VERSION with cargo") && minutes=4
	fi
	virtme_there || what+=("fetch virtme-ng $VIRTME_VERSION with pip")
	printf '%s 0.3 %s\n' "$minutes" "$(printf '%s\n' "${what[@]:-bindgen}" | paste -sd, | sed 's/,/, /g')"
}

tools_run() {
	bindgen_there || install_bindgen
	virtme_there || install_virtme
}

install_bindgen() {
	local log=$ALTFIB_LOG/bindgen.log cargo rustc
	cargo=$(find_cargo) ||
		die "no cargo of $RUSTC_MIN or newer: install the package cargo-web (Debian 12) or cargo (13)"
	# Debian's cargo finds Debian's rustc; rustup's its own.
	rustc=$(dirname "$cargo")/rustc
	say "Building bindgen $BINDGEN_VERSION with $cargo (log: $log)"
	RUSTC=$rustc "$cargo" install --quiet --locked --root "$ALTFIB_CACHE/tools" \
		--version "$BINDGEN_VERSION" bindgen-cli >"$log" 2>&1 </dev/null ||
		die "bindgen $BINDGEN_VERSION could not be fetched or built: $(grep -m1 -E '^error' "$log" || tail -n1 "$log") (log: $log)"
	bindgen_there || die "bindgen was built, and still none fits: $ALTFIB_CACHE/tools/bin/bindgen (log: $log)"
}

install_virtme() {
	local log=$ALTFIB_LOG/virtme.log venv=$ALTFIB_CACHE/tools/virtme
	say "Fetching virtme-ng $VIRTME_VERSION (log: $log)"
	rm -rf "$venv"
	{ /usr/bin/python3 -m venv "$venv" &&
		"$venv/bin/pip" install --quiet --disable-pip-version-check --no-input \
			"virtme-ng==$VIRTME_VERSION"; } >"$log" 2>&1 </dev/null ||
		die "virtme-ng $VIRTME_VERSION could not be fetched: $(grep -m1 -E '^ERROR' "$log" || tail -n1 "$log") (log: $log)"
	virtme_there || die "pip ended well, yet $venv/bin/vng is not version $VIRTME_VERSION (log: $log)"
}
