# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by setup.sh: the kernel source, from Debian's backports.
#
# With a private apt configuration in the cache folder: mirror and keyring are
# the system's own, only the suite differs, and the system's apt never knows.

BACKPORTS=trixie-backports

# "SUITE|SITE" of the system's main archive and of where the source comes from.
main_mirrors() {
	local site
	site=$(main_site)
	[[ -n $site ]] || die "no main archive of Debian in /etc/apt/sources.list or sources.list.d: add one"
	printf '%s|%s\n' "$(main_suite)" "$site"
	[[ -n ${KSRC:-} ]] || printf '%s|%s\n' "$BACKPORTS" "$site"
}

# apt itself reads its sources, in either format; no lists are needed for it.
apt_targets() {
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(RELEASE)|$(SITE)' \
		'Identifier: Packages' 'Component: main' 2>/dev/null
}

main_target() {
	local codename
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	apt_targets | awk -F'|' -v wanted="^($codename|stable|oldstable|oldoldstable)\$" \
		'$1 ~ wanted && !found++'
}
main_suite() { main_target | cut -d'|' -f1; }
main_site() { main_target | cut -d'|' -f2; }

# The keyring is named only in the sources' text.  Its first line is enough for
# a file name; a key written into the sources spans several.
main_keyring() {
	local site
	site=$(main_site)
	{
		{ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true; } |
			awk -v site="$site" '$1 == "deb" && index($0, site) && match($0, /signed-by=[^] ]*/) {
				print "Signed-By: " substr($0, RSTART + 10, RLENGTH - 10) }'
		{ cat /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
			awk -v site="$site" 'BEGIN { RS = ""; FS = "\n" } index($0, site) {
				on = 0
				for (i = 1; i <= NF; i++) {
					if ($i ~ /^[Ss]igned-[Bb]y:/) { on = 1; print $i }
					else if (on && $i ~ /^[ \t]/) print $i
					else if (on) exit
				}
				if (on) exit }'
	} | awk 'NR == 1 || /^[ \t]/'
}

private_apt() {
	local dir=$ALTFIB_CACHE/apt
	mkdir -p "$dir"/{lists/partial,archives/partial,state,sources.list.d}
	: >"$dir/state/status"
	{
		printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$(main_site)" "$BACKPORTS"
		main_keyring
	} >"$dir/sources.list.d/altfib.sources"
	PRIVATE_APT=(
		-o "Dir::Etc::SourceList=/dev/null"
		-o "Dir::Etc::SourceParts=$dir/sources.list.d"
		-o "Dir::Etc::Preferences=/dev/null" -o "Dir::Etc::PreferencesParts=/dev/null"
		-o "Dir::State=$dir/state" -o "Dir::State::Lists=$dir/lists"
		-o "Dir::State::Status=$dir/state/status"
		-o "Dir::Cache=$dir" -o "Dir::Cache::Archives=$dir/archives"
		# _apt cannot look into a home folder.
		-o "APT::Sandbox::User=$(id -un)"
	)
}

# The revision of an unpacked source; a tree put there by hand has only its own.
source_id() {
	local src
	src=$(find_source) || return 1
	if [[ -z ${KSRC:-} && -f $src/.altfib-revision ]]; then
		cat "$src/.altfib-revision"
	else
		source_version "$src"
	fi
}

source_done() { find_source >/dev/null; }

source_plan() {
	printf '2 2 fetch and unpack the source of Linux %s from %s (160 MB)\n' "${ALTFIB_KERNELS[0]}" "$BACKPORTS"
}

source_run() {
	local log=$ALTFIB_LOG/source.log version deb new
	local -a debs
	if [[ -n ${KSRC:-} ]]; then
		find_source >/dev/null
		return 0
	fi
	private_apt
	say "Fetching the kernel source from $BACKPORTS (log: $log)"
	apt-get -q "${PRIVATE_APT[@]}" update >"$log" 2>&1 </dev/null ||
		{
			grep -q NO_PUBKEY "$log" &&
				die "the system's keyring does not know $BACKPORTS: upgrade the package debian-archive-keyring"
			die "the package lists of $BACKPORTS could not be fetched: $(grep -m1 -E '^E:' "$log" || tail -n1 "$log") (log: $log)"
		}
	for version in "${ALTFIB_KERNELS[@]}"; do
		apt-cache "${PRIVATE_APT[@]}" show "linux-source-$version" >/dev/null 2>&1 && break
		say "linux-source-$version is no longer served in $BACKPORTS"
		version=
	done
	[[ -n $version ]] ||
		die "$BACKPORTS serves none of the Linux versions that altfib supports (${ALTFIB_KERNELS[*]}): give a source of one with KSRC=/path"
	[[ $version == "${ALTFIB_KERNELS[0]}" ]] || say "Taking Linux $version instead"

	# apt checks the signed hash of what it fetched.
	mkdir -p "$ALTFIB_CACHE/src/.new"
	new=$ALTFIB_CACHE/src/.new
	find "$new" -mindepth 1 -delete
	(cd "$new" && apt-get -q "${PRIVATE_APT[@]}" download "linux-source-$version") >>"$log" 2>&1 </dev/null ||
		die "linux-source-$version could not be fetched: $(grep -m1 -E '^E:' "$log" || tail -n1 "$log") (log: $log)"
	debs=("$new"/*.deb)
	deb=${debs[0]}
	say "Unpacking linux-source-$version $(dpkg-deb -f "$deb" Version)"
	if ! { dpkg-deb --fsys-tarfile "$deb" |
		tar -x -C "$new" --strip-components=3 "./usr/src/linux-source-$version.tar.xz" &&
		tar -xf "$new/linux-source-$version.tar.xz" -C "$new"; }; then
		die "the source package could not be unpacked: is the disk full ($ALTFIB_CACHE)?"
	fi
	dpkg-deb -f "$deb" Version >"$new/linux-source-$version/.altfib-revision"
	rm -rf "$ALTFIB_CACHE/src/linux-source-$version"
	mv "$new/linux-source-$version" "$ALTFIB_CACHE/src/linux-source-$version"
	rm -rf "$new"
}
