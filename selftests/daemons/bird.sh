# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by daemons.sh: BIRD 2, as the router under test and as all its neighbours.

# Unpacked there by scripts/setup.sh bird; else the system's.
BIRD=${ALTFIB_BIRD:-${ALTFIB_CACHE:-}/tools/bird}
BIRD_PATH=$BIRD/usr/sbin:$PATH:/usr/sbin
BIRD_ENV=(env "PATH=$BIRD_PATH" "LD_LIBRARY_PATH=$BIRD/usr/lib/x86_64-linux-gnu:$BIRD/lib/x86_64-linux-gnu")

# What the router under test has. Nothing in it knows of altfib.
bird_config() {
	lines <<-'EOT'
	router id 10.255.0.1;
	graceful restart wait 30;
	protocol device { }
	protocol kernel kernel4 { persist; graceful restart; scan time 3600; ipv4 { export all; }; }
	protocol kernel kernel6 { persist; graceful restart; scan time 3600; ipv6 { export all; }; }
	template bgp session {
		local as 65000;
		graceful restart on;
		connect delay time 1;
		connect retry time 1;
		error wait time 1, 2;
	}
	protocol bgp up1v4 from session {
		neighbor 10.0.2.2 as 65001;
		ipv4 { import all; export none; };
	}
	protocol bgp up2v4 from session {
		neighbor 10.0.3.2 as 65002;
		ipv4 { import all; export none; };
	}
	protocol bgp up1v6 from session {
		neighbor 2001:db8:2::2 as 65001;
		ipv6 { import all; export none; };
	}
	protocol bgp up2v6 from session {
		neighbor 2001:db8:3::2 as 65002;
		ipv6 { import all; export none; };
	}
	protocol bgp inside_v4 from session {
		neighbor 10.255.0.2 as 65000;
		source address 10.255.0.1;
		multihop;
		ipv4 { import all; export none; };
	}
	protocol bgp inside_v6 from session {
		neighbor 2001:db8:ffff::2 as 65000;
		source address 2001:db8:ffff::1;
		multihop;
		ipv6 { import all; export none; };
	}
	protocol ospf v2 ospf4 {
		graceful restart on;
		ipv4 { import all; export none; };
		area 0 {
			interface "in" { type ptp; hello 1; dead 4; };
			stubnet 10.255.0.1/32;
		};
	}
	protocol ospf v3 ospf6 {
		graceful restart on;
		ipv6 { import all; export none; };
		area 0 {
			interface "in" { type ptp; hello 1; dead 4; };
			stubnet 2001:db8:ffff::1/128;
		};
	}
	EOT
}

# upstream_config N: announces the table. The second's path is longer.
upstream_config() {
	local net=$(($1 + 1)) longer=

	[ "$1" = 1 ] || longer="bgp_path.prepend(65002); bgp_path.prepend(65002);"
	lines <<-EOT
	router id 10.0.$net.2;
	protocol device { }
	protocol static table4 {
		ipv4;
		include "$TMP/routes4";
	}
	protocol static table6 {
		ipv6;
		include "$TMP/routes6";
	}
	template bgp session {
		local as 6500$1;
		connect delay time 1;
		connect retry time 1;
		error wait time 1, 2;
	}
	protocol bgp router4 from session {
		neighbor 10.0.$net.1 as 65000;
		ipv4 { import none; export filter { $longer accept; }; };
	}
	protocol bgp router6 from session {
		neighbor 2001:db8:$net::1 as 65000;
		ipv6 { import none; export filter { $longer accept; }; };
	}
	EOT
}

inside_config() {
	lines <<-EOT
	router id 10.255.0.2;
	protocol device { }
	protocol kernel { ipv4 { export where source ~ [ RTS_OSPF, RTS_OSPF_IA, RTS_OSPF_EXT1, RTS_OSPF_EXT2 ]; }; }
	protocol kernel { ipv6 { export where source ~ [ RTS_OSPF, RTS_OSPF_IA, RTS_OSPF_EXT1, RTS_OSPF_EXT2 ]; }; }
	protocol static bgp4 { ipv4; $(inside_routes 4 ^10.77) }
	protocol static ospf4 { ipv4; $(inside_routes 4 ^10.78) }
	protocol static bgp6 { ipv6; $(inside_routes 6 db8:77) }
	protocol static ospf6 { ipv6; $(inside_routes 6 db8:78) }
	template bgp session {
		local as 65000;
		multihop;
		connect delay time 1;
		connect retry time 1;
		error wait time 1, 2;
	}
	protocol bgp router4 from session {
		neighbor 10.255.0.1 as 65000;
		source address 10.255.0.2;
		ipv4 { import none; next hop self; export where proto = "bgp4"; };
	}
	protocol bgp router6 from session {
		neighbor 2001:db8:ffff::1 as 65000;
		source address 2001:db8:ffff::2;
		ipv6 { import none; next hop self; export where proto = "bgp6"; };
	}
	protocol ospf v2 routers4 {
		ipv4 { import all; export where proto = "ospf4"; };
		area 0 {
			interface "r0" { type ptp; hello 1; dead 4; };
			interface "s1" { stub; };
			stubnet 10.255.0.2/32;
		};
	}
	protocol ospf v3 routers6 {
		ipv6 { import all; export where proto = "ospf6"; };
		area 0 {
			interface "r0" { type ptp; hello 1; dead 4; };
			interface "s1" { stub; };
			stubnet 2001:db8:ffff::2/128;
		};
	}
	EOT
}

# inside_routes FAMILY PATTERN: of what make_inside has.
inside_routes() {
	grep "$2" "$TMP/inside$1" | sed 's/.*/route & blackhole;/' | paste -sd' '
}

# run_bird NAMESPACE [OPTION]: in the background, with $TMP/NAMESPACE.conf.
run_bird() {
	{
		echo "log \"$TMP/$1.log\" { info, warning, error, fatal, bug, auth };"
		cat "$TMP/$1.body"
	} >"$TMP/$1.conf"
	in_ns "$1" "${BIRD_ENV[@]}" bird -c "$TMP/$1.conf" -s "$TMP/$1.ctl" -P "$TMP/$1.pid" "${@:2}" >"$TMP/$1.out" 2>&1 ||
		fail "BIRD does not start in $1: $(tail -n 3 "$TMP/$1.out")"
}

birdc() { # NAMESPACE COMMAND...
	"${BIRD_ENV[@]}" birdcl -s "$TMP/$1.ctl" "${@:2}"
}

end_bird() { # NAMESPACE
	local i pid

	[ -e "$TMP/$1.pid" ] || return 0
	pid=$(cat "$TMP/$1.pid")
	kill "$pid" 2>/dev/null
	for ((i = 0; i < 600; i++)); do
		[ -d "/proc/$pid" ] || break
		sleep 0.1
	done
	rm -f "$TMP/$1.pid"
	[ ! -d "/proc/$pid" ] || fail "BIRD does not end in $1"
}

start_neighbours() {
	local i

	for i in 1 2; do
		upstream_config $i >"$TMP/af$i.body"
		run_bird af$i || return 1
	done
	inside_config >"$TMP/afi.body"
	run_bird afi
}

end_neighbours() {
	local ns

	for ns in af1 af2 afi; do end_bird $ns; done
}

# What daemons.sh asks of a daemon.
bird_programs() { echo bird birdcl; }
bird_start() { bird_config >"$TMP/afr.body"; run_bird afr; }
bird_stop() { end_bird afr; }
# Goes, its routes stay, and it comes back.
bird_restart() {
	local i pid

	pid=$(cat "$TMP/afr.pid")
	birdc afr graceful restart >"$TMP/birdc" || return 1
	for ((i = 0; i < 100; i++)); do
		[ -d "/proc/$pid" ] || break
		sleep 0.1
	done
	sleep 1
	run_bird afr -R
}
bird_sessions() { # disable|enable
	birdc afr "$1" up1v4 >"$TMP/birdc" && birdc afr "$1" up1v6 >>"$TMP/birdc"
}
bird_tell() { birdc afr show protocols; tail -n 5 "$TMP/afr.log"; }
