# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by daemons.sh: FRR as the router under test, zebra, bgpd, ospfd and ospf6d.

# Unpacked there by scripts/setup.sh frr; else the system's.
FRR=${ALTFIB_FRR:-${ALTFIB_CACHE:-}/tools/frr}
[ -d "$FRR" ] || FRR=
FRR_LIB=$FRR/usr/lib/x86_64-linux-gnu
FRR_PATH=$FRR/usr/lib/frr:$FRR/usr/bin:$PATH:/usr/lib/frr:/usr/sbin
FRR_ENV=(env "PATH=$FRR_PATH" "LD_LIBRARY_PATH=$FRR_LIB:$FRR_LIB/frr")
FRR_RUN=$TMP/frr
FRR_DAEMONS="zebra bgpd ospfd ospf6d"
# Seconds that zebra, come back, keeps the routes that nobody has told it of again.
KEEP=20

# What the router under test has. Nothing in it knows of altfib.
zebra_config() {
	echo "hostname afr"
}

bgpd_config() {
	lines <<-'EOT'
	router bgp 65000
	 bgp router-id 10.255.0.1
	 no bgp ebgp-requires-policy
	 no bgp default ipv4-unicast
	 bgp graceful-restart
	 bgp graceful-restart preserve-fw-state
	 neighbor upstream peer-group
	 neighbor upstream timers connect 1
	 neighbor upstream advertisement-interval 0
	 neighbor 10.0.2.2 remote-as 65001
	 neighbor 10.0.2.2 peer-group upstream
	 neighbor 10.0.3.2 remote-as 65002
	 neighbor 10.0.3.2 peer-group upstream
	 neighbor 2001:db8:2::2 remote-as 65001
	 neighbor 2001:db8:2::2 peer-group upstream
	 neighbor 2001:db8:3::2 remote-as 65002
	 neighbor 2001:db8:3::2 peer-group upstream
	 neighbor 10.255.0.2 remote-as 65000
	 neighbor 10.255.0.2 update-source 10.255.0.1
	 neighbor 10.255.0.2 timers connect 1
	 neighbor 2001:db8:ffff::2 remote-as 65000
	 neighbor 2001:db8:ffff::2 update-source 2001:db8:ffff::1
	 neighbor 2001:db8:ffff::2 timers connect 1
	 address-family ipv4 unicast
	  neighbor 10.0.2.2 activate
	  neighbor 10.0.3.2 activate
	  neighbor 10.255.0.2 activate
	 exit-address-family
	 address-family ipv6 unicast
	  neighbor 2001:db8:2::2 activate
	  neighbor 2001:db8:3::2 activate
	  neighbor 2001:db8:ffff::2 activate
	 exit-address-family
	EOT
}

ospfd_config() {
	lines <<-'EOT'
	interface in
	 ip ospf network point-to-point
	 ip ospf hello-interval 1
	 ip ospf dead-interval 4
	 ip ospf area 0
	interface lo
	 ip ospf area 0
	router ospf
	 ospf router-id 10.255.0.1
	EOT
}

ospf6d_config() {
	lines <<-'EOT'
	interface in
	 ipv6 ospf6 network point-to-point
	 ipv6 ospf6 hello-interval 1
	 ipv6 ospf6 dead-interval 4
	 ipv6 ospf6 area 0
	interface lo
	 ipv6 ospf6 area 0
	router ospf6
	 ospf6 router-id 10.255.0.1
	EOT
}

frr_programs() { echo "$FRR_DAEMONS" vtysh; }

# The group that may speak to FRR is looked up by name, even by root: a private copy of
# the system's groups has it.
run_frr() { # DAEMON [OPTION...]
	in_ns afr unshare --mount sh -c "mount --bind '$FRR_RUN/group' /etc/group && exec \"\$@\"" sh \
		"${FRR_ENV[@]}" "$1" -d -u root -g root -f "$FRR_RUN/$1.conf" -i "$FRR_RUN/$1.pid" \
		-z "$FRR_RUN/zserv.api" --vty_socket "$FRR_RUN" -P 0 --log "file:$FRR_RUN/$1.log" "${@:2}" \
		>"$FRR_RUN/$1.out" 2>&1 ||
		fail "$1 does not start: $(tail -n 3 "$FRR_RUN/$1.out")"
}

run_all_frr() {
	local daemon

	# Routes stay when zebra goes, and those of its earlier self are known again.
	run_frr zebra --retain --graceful_restart $KEEP --nl-bufsize 90000000 || return 1
	for daemon in bgpd ospfd ospf6d; do
		run_frr $daemon || return 1
	done
}

frr_start() {
	local daemon

	mkdir -p "$FRR_RUN"
	{ grep -v '^frrvty:' /etc/group; echo 'frrvty:x:64999:root'; } >"$FRR_RUN/group"
	echo 'username root nopassword' >"$FRR_RUN/vtysh.conf"
	for daemon in $FRR_DAEMONS; do
		"${daemon}_config" >"$FRR_RUN/$daemon.conf"
	done
	run_all_frr
}

# end_frr SIGNAL
end_frr() {
	local daemon pid i

	for daemon in ospf6d ospfd bgpd zebra; do
		[ -e "$FRR_RUN/$daemon.pid" ] || continue
		pid=$(cat "$FRR_RUN/$daemon.pid")
		kill "-$1" "$pid" 2>/dev/null
		for ((i = 0; i < 600; i++)); do
			[ -d "/proc/$pid" ] || break
			sleep 0.1
		done
		rm -f "$FRR_RUN/$daemon.pid"
		[ ! -d "/proc/$pid" ] || fail "$daemon does not end" || return 1
	done
}

frr_stop() {
	local f proto

	end_frr TERM || return 1
	# They were to stay.
	for f in 4 6; do
		for proto in bgp ospf; do ip -n afr -$f route flush proto $proto; done
	done 2>/dev/null
	ip -n afr nexthop flush proto zebra 2>/dev/null
	return 0
}

# As after a crash of all of it.
frr_restart() {
	end_frr KILL && sleep 1 && run_all_frr
}

vtysh() { # COMMAND...
	local command args=()

	for command in "$@"; do args+=(-c "$command"); done
	"${FRR_ENV[@]}" vtysh --vty_socket "$FRR_RUN" --config_dir "$FRR_RUN" "${args[@]}"
}

frr_sessions() { # disable|enable
	local no=

	[ "$1" = disable ] || no="no "
	vtysh "configure terminal" "router bgp 65000" "${no}neighbor 10.0.2.2 shutdown" \
		"${no}neighbor 2001:db8:2::2 shutdown" >"$TMP/vtysh"
}

frr_tell() { vtysh "show bgp summary" "show ip ospf neighbor" "show ipv6 ospf6 neighbor"; tail -n 3 "$FRR_RUN"/*.log; }
