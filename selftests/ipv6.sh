#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# IPv6 packets through the router and for it: where they leave, how they look, what
# comes back.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"udp: UDP to two routed prefixes"
	"other_protocols: TCP, ICMPv6, GRE and nothing to a routed prefix"
	"spread: 1000 destinations over two next hops"
	"connected: hosts on the router's own links"
	"stream: a TCP stream through the router"
	"more_specific: /49, /64, /127 and /128 inside a /48, which come and go"
	"default_route: destinations that only the default route covers"
	"metrics: one prefix with three metrics"
	"same_metric: routes of one metric that are no siblings"
	"same_metric_siblings: siblings, and a device route of their metric"
	"many_gateways: 32 gateways on one link"
	"device_route: a route with a device and no gateway"
	"link_local_gateway: gateways with link-local addresses"
	"hop_limit: hop limits 0, 1 and 2"
	"no_route: a destination without a route"
	"reject: blackhole, unreachable, prohibit and throw"
	"forwarding_off_device: the device's own setting, which is no switch in IPv6"
	"forwarding_off: forwarding off altogether"
	"force_forwarding: forwarding off, but forced on the incoming device"
	"extension_headers: hop-by-hop, destination options, routing headers"
	"segment_routing: a segment routing header, off and on"
	"fragments: fragments on their way through"
	"traffic_class: traffic classes and flow labels stay what they are"
	"special_destinations: multicast, link-local, loopback and no address"
	"special_sources: multicast, link-local, loopback and no address as source"
	"frames: frames that are not for this host"
	"broken: wrong lengths of life: bad checksums, v4-mapped addresses"
	"hairpin: back out of the incoming link, with redirect"
	"packet_too_big: larger than the MTU of the outgoing link"
	"route_mtu: routes with an MTU of their own"
	"pmtu_exception: a path MTU that the router itself learned"
	"exceptions_many: path MTUs of more and more destinations of one next hop"
	"exceptions_object: the same of a next-hop object"
	"exceptions_group: and of one that is in a group, which is the kernel's"
	"expires: a route that expires, with a shorter one behind it"
	"multipath: two next hops of a legacy multipath route"
	"multipath_policies: several paths by all four hash policies, routes and groups"
	"multipath_errors: several paths, and ICMPv6 errors about their packets"
	"multipath_dead: several paths, and one is lost and comes back"
	"multipath_change: paths that come and go one by one"
	"multipath_resilient: a resilient group is the kernel's"
	"nexthop_objects: single next-hop objects, replaced, and a blackhole"
	"source_specific: routes for certain sources"
	"router_advertisement: default routes of routers that advertise themselves"
	"host_routers: a host between two routers"
	"vlan: in from a VLAN device"
	"udp_unconnected: UDP to an unconnected socket"
	"udp_connected: UDP to a connected socket is left to early demux"
	"udp_connected_no_demux: UDP to a connected socket, early demux off"
	"udp_connected_no_probe: UDP to a connected socket, altfib's probe off"
	"ping: ICMPv6 echo to each address of the router, and what no socket wants"
	"tcp_local: TCP to a closed port and to a listener"
	"tcp_stream: a TCP stream to the router"
	"tcp_stream_no_demux: a TCP stream to the router, early demux off"
	"addresses: further addresses, address on lo"
	"any_ip: a local route to a prefix, and a longer one in the main table"
	"anycast: subnet-router anycast"
	"reassembly: fragments for the router"
	"address_removed: an address goes away under traffic"
	"transparent: a transparent socket claims forwarded packets"
)

udp() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=100
	$TX6 dst=2001:db8:b::1 n=100
	EOT
	finish6 min=90
}

other_protocols() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=60 tcp
	$TX6 dst=2001:db8:a::1 n=60 tcp flags=0x10
	$TX6 dst=2001:db8:a::1 n=60 icmp
	$TX6 dst=2001:db8:a::1 n=60 proto=47
	$TX6 dst=2001:db8:a::1 n=60 proto=59
	EOT
	finish6 min=90
}

spread() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 dstep=61 n=500
	$TX6 dst=2001:db8:b::1 dstep=127 n=500
	EOT
	finish6 min=90
}

connected() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:2::2 n=50
	$TX6 dst=2001:db8:3::2 n=50 icmp
	EOT
	finish6 min=90
}

stream() {
	topo6
	lines <<-EOT
	tcp afc af1 [2001:db8:2::2]:5001 2000000
	discard
	altfib6 afr end min=90
	EOT
}

more_specific() {
	topo6
	lines <<-EOT
	ip afr route add 2001:db8:a:8000::/49 via 2001:db8:3::2
	ip afr route add 2001:db8:a:c::/64 via 2001:db8:3::2
	ip afr route add 2001:db8:a:c::6/127 via 2001:db8:2::2
	ip afr route add 2001:db8:a:c::7/128 via 2001:db8:3::2
	$TX6 dst=2001:db8:a:7fff:ffff:ffff:ffff:ffff n=20
	$TX6 dst=2001:db8:a:8000:: n=20
	$TX6 dst=2001:db8:a:c::5 dstep=1 n=4
	$TX6 dst=2001:db8:a:c::6 n=20
	$TX6 dst=2001:db8:a:c::7 n=20
	$TX6 dst=2001:db8:a:d::7 n=20
	report all
	ip afr route del 2001:db8:a:c::7/128
	$TX6 dst=2001:db8:a:c::7 n=20
	ip afr route del 2001:db8:a:c::/64
	$TX6 dst=2001:db8:a:c::8 n=20
	$TX6 dst=2001:db8:a:c::6 n=20
	ip afr route add 2001:db8:a:c::7/128 via 2001:db8:3::2
	$TX6 dst=2001:db8:a:c::7 n=20
	audit afr
	EOT
	finish6 min=85
}

default_route() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:3::2
	$TX6 dst=2600::8 n=50
	$TX6 dst=2a00::1 dstep=0x01010101 n=60
	$TX6 dst=fd00::1 n=20
	$TX6 dst=1::1 n=20
	$TX6 dst=2001:db8:a::1 n=20
	audit afr
	ip afr route del ::/0
	$TX6 dst=2600::8 n=4
	audit afr
	EOT
	finish6 min=90
}

metrics() {
	topo6
	lines <<-EOT
	ip afr route add 2001:db8:5::/48 via 2001:db8:3::2 metric 20
	ip afr route add 2001:db8:5::/48 via 2001:db8:2::2 metric 10
	ip afr route add 2001:db8:5::/48 via 2001:db8:2::3 metric 30
	$TX6 dst=2001:db8:5::1 n=50
	ip afr route del 2001:db8:5::/48 metric 10
	$TX6 dst=2001:db8:5::2 n=50
	ip afr route add 2001:db8:5::/48 via 2001:db8:2::2 metric 5
	$TX6 dst=2001:db8:5::3 n=50
	audit afr
	EOT
	finish6 min=90
}

# Of the two the kernel prefers the one that leads back where the packet came from.
same_metric() {
	topo6
	lines <<-EOT
	ip afr neigh add 2001:db8:5::1 lladdr 02:00:00:00:02:05 nud permanent dev r1
	ip afr neigh add 2001:db8:5::1 lladdr 02:00:00:00:03:05 nud permanent dev r2
	ip afr neigh add 2001:db8:5::1 lladdr 02:00:00:00:01:05 nud permanent dev rc
	ip afr route add 2001:db8:5::/64 dev r1 metric 10
	$TX6 dst=2001:db8:5::1 n=20
	report one
	ip6 afr route append 2001:db8:5::/64 dev r2 metric 10
	$TX6 dst=2001:db8:5::1 n=20
	send af2 s0 dmac=02:00:00:00:03:01 src=2001:db8:3::2 dst=2001:db8:5::1 n=1
	report two
	ip6 afr route append 2001:db8:5::/64 dev rc metric 10
	$TX6 dst=2001:db8:5::1 n=1
	report three
	ip6 afr route del 2001:db8:5::/64 dev r1 metric 10
	ip6 afr route del 2001:db8:5::/64 dev rc metric 10
	$TX6 dst=2001:db8:5::1 n=20
	EOT
	finish6 punt=multipath:22
}

same_metric_siblings() {
	topo6
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	ip afr neigh add 2001:db8:5::1 lladdr 02:00:00:00:01:05 nud permanent dev rc
	ip6 afr route add 2001:db8:5::/64 metric 10 nexthop via 2001:db8:2::2 nexthop via 2001:db8:3::2
	$TX6 dst=2001:db8:5::1 lstep=1 n=40
	report siblings
	ip6 afr route append 2001:db8:5::/64 dev rc metric 10
	$TX6 dst=2001:db8:5::1 lstep=1 n=1
	send af1 s0 dmac=02:00:00:00:02:01 src=2001:db8:2::2 dst=2001:db8:5::1 lstep=1 n=40
	report and a device route
	ip6 afr route del 2001:db8:5::/64 dev rc metric 10
	$TX6 dst=2001:db8:5::1 lstep=1 n=40
	audit afr
	EOT
	finish6 punt=multipath:41
}

many_gateways() {
	local i

	topo6
	for ((i = 100; i < 132; i++)); do
		echo "ip afr neigh add 2001:db8:2::$i lladdr 02:00:00:00:02:$((i - 50)) nud permanent dev r1"
		echo "ip afr route add 2001:db8:50:$i::/64 via 2001:db8:2::$i"
	done
	for ((i = 100; i < 132; i++)); do
		echo "$TX6 dst=2001:db8:50:$i::1 n=20"
	done
	finish6 min=90
}

device_route() {
	topo6
	lines <<-EOT
	ip afr route add 2001:db8:60::/64 dev r1
	ip afr neigh add 2001:db8:60::9 lladdr 02:00:00:00:02:09 nud permanent dev r1
	$TX6 dst=2001:db8:60::9 n=50
	EOT
	finish6 min=90
}

# The link-local address that the kernel makes of the MAC address of the host.
LL1=fe80::ff:fe00:202
LL2=fe80::ff:fe00:302

link_local_neighbours() {
	lines <<-EOT
	ip afr neigh add $LL1 lladdr 02:00:00:00:02:02 nud permanent dev r1
	ip afr neigh add $LL2 lladdr 02:00:00:00:03:02 nud permanent dev r2
	EOT
}

link_local_gateway() {
	topo6
	link_local_neighbours
	lines <<-EOT
	ip afr neigh add $LL1 lladdr 02:00:00:00:03:77 nud permanent dev r2
	ip afr route add 2001:db8:61::/48 via $LL1 dev r1
	ip afr route add 2001:db8:62::/48 via $LL2 dev r2
	ip afr route add 2001:db8:63::/48 via $LL1 dev r2
	$TX6 dst=2001:db8:61::9 n=50
	$TX6 dst=2001:db8:62::9 n=50
	$TX6 dst=2001:db8:63::9 n=50
	EOT
	finish6 min=90
}

hop_limit() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 hop=2 n=20
	$TX6 dst=2001:db8:a::1 hop=1 n=20
	$TX6 dst=2001:db8:a::1 hop=0 n=20
	$TX6 dst=2001:db8:a::1 hop=1 n=20 icmp
	$TX6 dst=2001:db8:1::1 hop=1 n=20 icmp
	$TX6 dst=2001:db8:3::1 hop=0 n=20 icmp
	EOT
	finish6 min=90
}

no_route() {
	topo6
	lines <<-EOT
	$TX6 dst=2600::8 n=20
	$TX6 dst=2600::8 n=20 icmp
	EOT
	finish6 punt=no_route:40
}

reject() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:3::2
	ip6 afr route add blackhole 2001:db8:a:1::/64
	ip6 afr route add unreachable 2001:db8:a:2::/64
	ip6 afr route add prohibit 2001:db8:a:3::/64
	ip6 afr route add throw 2001:db8:a:4::/64
	$TX6 dst=2001:db8:a:: n=50
	$TX6 dst=2001:db8:a:1::1 n=10
	$TX6 dst=2001:db8:a:2::1 n=10
	$TX6 dst=2001:db8:a:3::1 n=10
	$TX6 dst=2001:db8:a:4::1 n=10
	report rejected
	ip6 afr route del unreachable 2001:db8:a:2::/64
	$TX6 dst=2001:db8:a:2::1 n=10
	ip6 afr route replace unreachable 2001:db8:a::/48
	$TX6 dst=2001:db8:a:2::1 n=10
	audit afr
	EOT
	finish6 punt=route_type:50
}

forwarding_off_device() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=20
	sysctl afr net/ipv6/conf/rc/forwarding 0
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:1::1 n=20 icmp
	send af1 s0 dmac=02:00:00:00:02:01 src=2001:db8:2::2 dst=2001:db8:3::2 n=20
	sysctl afr net/ipv6/conf/rc/forwarding 1
	$TX6 dst=2001:db8:a::1 n=20
	EOT
	finish6 min=90
}

forwarding_off() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=20
	sysctl afr net/ipv6/conf/all/forwarding 0
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:2::2 n=20
	$TX6 dst=2600::8 n=4
	$TX6 dst=2001:db8:1::1 n=20 icmp
	report off
	sysctl afr net/ipv6/conf/all/forwarding 1
	$TX6 dst=2001:db8:a::1 n=20
	EOT
	finish6 punt=reachability:20
}

force_forwarding() {
	topo6
	lines <<-EOT
	ip6 afr route add 2001:db8:5::/64 dev r1
	ip afr neigh add 2001:db8:5::1 lladdr 02:00:00:00:02:05 nud permanent dev r1
	sysctl afr net/ipv6/conf/all/forwarding 0
	$TX6 dst=2001:db8:a::1 n=20
	sysctl afr net/ipv6/conf/rc/force_forwarding 1
	$TX6 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:5::1 n=20
	send af1 s0 dmac=02:00:00:00:02:01 src=2001:db8:2::2 dst=2001:db8:3::2 n=20
	report forced
	ip6 afr route add 2001:db8:a::/48 via 2001:db8:3::2 metric 2000
	ip afr neigh replace 2001:db8:2::2 lladdr 02:00:00:00:02:02 nud permanent dev r1
	$TX6 dst=2001:db8:a::1 n=20
	ip6 afr neigh del 2001:db8:2::2 dev r1
	$TX6 dst=2001:db8:a::1 n=4
	EOT
	finish6 punt=reachability:40
}

extension_headers() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 ext=hbh n=20
	$TX6 dst=2001:db8:a::1 ext=ra n=20
	$TX6 dst=2001:db8:a::1 ext=bad n=10
	$TX6 dst=2001:db8:a::1 ext=dst n=20
	$TX6 dst=2001:db8:a::1 ext=dst tcp n=20
	$TX6 dst=2001:db8:a::1 ext=rh:2001:db8:b::1 n=20
	$TX6 dst=2001:db8:1::1 ext=hbh icmp n=20
	$TX6 dst=2001:db8:1::1 ext=ra icmp n=20
	$TX6 dst=2001:db8:1::1 ext=bad icmp n=10
	$TX6 dst=2001:db8:1::1 ext=dst icmp n=20
	$TX6 dst=2001:db8:1::1 ext=rh:2001:db8:b::1 n=10
	$TX6 dst=2001:db8:a::1 ext=dst mf len=1400 n=20
	EOT
	finish6 min=90
}

segment_routing() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 ext=srh:2001:db8:b::1 n=20
	$TX6 dst=2001:db8:1::1 ext=srh:2001:db8:b::1 n=10
	report off
	sysctl afr net/ipv6/conf/all/seg6_enabled 1
	sysctl afr net/ipv6/conf/rc/seg6_enabled 1
	$TX6 dst=2001:db8:a::1 ext=srh:2001:db8:b::1 n=20
	$TX6 dst=2001:db8:1::1 ext=srh:2001:db8:b::1 n=20
	$TX6 dst=2001:db8:1::1 ext=srh:2001:db8:1::1 n=10
	$TX6 dst=2001:db8:3::1 ext=srh:2001:db8:a::1 hop=1 n=10
	EOT
	finish6 min=90
}

fragments() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 mf len=1400 n=50
	$TX6 dst=2001:db8:a::1 frag=1408 len=100 n=50
	$TX6 dst=2001:db8:a::1 frag=1408 mf len=160 n=50
	$TX6 dst=2001:db8:a::1 mf tcp len=1400 n=20
	EOT
	finish6 min=90
}

traffic_class() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 tclass=0xb8 n=20
	$TX6 dst=2001:db8:a::1 tclass=0x03 label=0x12345 n=20
	$TX6 dst=2001:db8:b::1 tclass=0xff lstep=1 n=20
	$TX6 dst=2001:db8:1::1 tclass=0x10 label=7 icmp n=20
	EOT
	finish6 min=90
}

special_destinations() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:2::2
	$TX6 dmac=33:33:00:00:00:01 dst=ff02::1 n=4
	$TX6 dmac=33:33:00:00:00:01 dst=ff02::1 icmp n=4
	$TX6 dmac=33:33:00:00:00:09 dst=ff0e::9 n=4
	$TX6 dst=ff0e::9 n=4
	$TX6 dst=ff02::1 icmp n=4
	$TX6 dst=fe80::ff:fe00:101 icmp n=4
	$TX6 dst=fe80::ff:fe00:201 icmp n=4
	$TX6 dst=fe80::9 n=4
	$TX6 dst=::1 n=4
	$TX6 dst=:: n=4
	$TX6 dst=fec0::1 n=20
	EOT
	finish6 punt=special_address:20
}

special_sources() {
	local src

	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:2::2
	ip afr neigh add fe80::ff:fe00:102 lladdr 02:00:00:00:01:02 nud permanent dev rc
	EOT
	for src in ff02::5 fe80::ff:fe00:102 ::1 :: 2001:db8:1::1 2001:db8:2::1 2001:db8:a::9; do
		lines <<-EOT
		send afc c0 dmac=$RMAC src=$src dst=2001:db8:b::1 n=6
		send afc c0 dmac=$RMAC src=$src dst=2001:db8:1::1 icmp n=6
		EOT
	done
	finish6
}

frames() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:a::1 n=4
	$TX6 dmac=ff:ff:ff:ff:ff:ff dst=2001:db8:a::1 n=4
	$TX6 dmac=33:33:00:00:00:01 dst=2001:db8:a::1 n=4
	$TX6 dmac=02:00:00:00:01:77 dst=2001:db8:a::1 n=4
	$TX6 dmac=33:33:00:00:00:01 dst=2001:db8:1::1 icmp n=4
	EOT
	finish6 punt=not_unicast_frame:12
}

broken() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:2::2
	$TX6 dst=2001:db8:a::1 icmp badsum n=10
	$TX6 dst=2001:db8:1::1 icmp badsum n=10
	$TX6 dst=::ffff:10.0.0.1 n=10
	send afc c0 dmac=$RMAC src=::ffff:10.0.0.1 dst=2001:db8:a::1 n=10
	EOT
	finish6
}

# One packet each: the kernel limits redirects by time.
hairpin() {
	topo6
	lines <<-EOT
	ip afr neigh add fe80::3 lladdr 02:00:00:00:01:03 nud permanent dev rc
	ip afr neigh add 2001:db8:1::3 lladdr 02:00:00:00:01:03 nud permanent dev rc
	ip afr neigh add 2001:db8:1::9 lladdr 02:00:00:00:01:09 nud permanent dev rc
	ip afr route add 2001:db8:70::/48 via fe80::3 dev rc
	$TX6 dst=2001:db8:70::1 n=1
	send afc c0 dmac=$RMAC src=2001:db8:1::9 dst=2001:db8:1::3 n=1
	$TX6 dst=2001:db8:70::2 n=1
	EOT
	finish6
}

packet_too_big() {
	topo6
	lines <<-EOT
	ip afr link set r1 mtu 1300
	$TX6 dst=2001:db8:a::1 len=1252 n=20
	$TX6 dst=2001:db8:a::1 len=1253 n=20
	$TX6 dst=2001:db8:a::1 len=1400 n=20
	$TX6 dst=2001:db8:a::1 mf len=1400 n=20
	$TX6 dst=2001:db8:2::2 len=1400 n=20
	report 1300
	ip afr link set r1 mtu 1400
	$TX6 dst=2001:db8:a::1 len=1300 n=20
	$TX6 dst=2001:db8:a::1 len=1400 n=20
	EOT
	finish6 min=85
}

route_mtu() {
	topo6
	lines <<-EOT
	ip afr route add 2001:db8:80::/48 via 2001:db8:2::2 mtu lock 1300
	ip afr route add 2001:db8:81::/48 via 2001:db8:2::2 mtu 1300
	$TX6 dst=2001:db8:80::1 len=1252 n=20
	$TX6 dst=2001:db8:80::1 len=1253 n=20
	$TX6 dst=2001:db8:81::1 len=1253 n=20
	$TX6 dst=2001:db8:81::1 len=1400 n=20
	EOT
	finish6 min=90
}

pmtu_exception() {
	topo6
	lines <<-EOT
	sysctl af1 net/ipv6/conf/all/forwarding 1
	ip af1 link add d0 mtu 1280 type dummy
	ip af1 link set d0 up
	ip af1 route add 2001:db8:a::/64 dev d0
	ready
	$TX6 dst=2001:db8:a::9 len=1300 n=20
	discard
	sock own afr bind=[2001:db8:2::1]:999 connect=[2001:db8:a::9]:2000
	say own len=1400
	settle
	say own len=900
	read own
	settle
	$TX6 dst=2001:db8:a::10 len=900 n=20
	$TX6 dst=2001:db8:a::9 len=1300 n=20
	$TX6 dst=2001:db8:a::9 len=900 n=20
	$TX6 dst=2001:db8:a::10 len=1300 n=20
	$TX6 dst=2001:db8:b::1 len=900 n=60
	report with an exception
	ip6 afr route flush cache
	$TX6 dst=2001:db8:a::10 len=900 n=20
	EOT
	finish6 min=70 punt=exception:40
}

# Each of them has to be noticed: a packet that is too long for it then ends here.
exceptions() { # COUNT CHECK...
	local i

	lines <<-EOT
	sysctl af1 net/ipv6/conf/all/forwarding 1
	ip af1 link add d0 mtu 1280 type dummy
	ip af1 link set d0 up
	ip af1 route add 2001:db8:a::/64 dev d0
	ready
	$TX6 dst=2001:db8:a::200 n=20
	sock own afr bind=[2001:db8:2::1]:999
	EOT
	for ((i = 1; i <= $1; i++)); do
		lines <<-EOT
		$TX6 dst=2001:db8:a::$i len=1300 n=2
		say own to=[2001:db8:a::$i]:2000 len=1400
		settle
		$TX6 dst=2001:db8:a::$i len=1300 n=2
		$TX6 dst=2001:db8:a::200 n=5
		$TX6 dst=2001:db8:a::201 len=1300 n=2
		EOT
	done
	lines <<-EOT
	report of $1
	ip6 afr route flush cache
	$TX6 dst=2001:db8:a::1 len=1300 n=20
	$TX6 dst=2001:db8:a::200 n=20
	EOT
	finish6 "${@:2}"
}

exceptions_many() {
	topo6
	exceptions 20 min=60 punt=exception:40
}

exceptions_object() {
	topo6
	lines <<-EOT
	ip6 afr nexthop add id 1 via 2001:db8:2::2 dev r1
	ip6 afr route replace 2001:db8:a::/48 nhid 1
	EOT
	exceptions 5 min=60 punt=exception:10
}

exceptions_group() {
	topo6
	lines <<-EOT
	ip6 afr nexthop add id 1 via 2001:db8:2::2 dev r1
	ip afr nexthop add id 10 group 1
	ip6 afr route replace 2001:db8:a::/48 nhid 10
	ip6 afr route add 2001:db8:a:1::/64 nhid 1
	EOT
	exceptions 2 punt=exception:18
}

expires() {
	topo6
	lines <<-EOT
	ip afr route add 2001:db8:a:5::/64 via 2001:db8:3::2 expires 3
	ip afr route add 2001:db8:b:5::/64 via 2001:db8:2::2 expires 300
	$TX6 dst=2001:db8:a:5::1 n=20
	$TX6 dst=2001:db8:b:5::1 n=20
	report before
	sleep 3500
	$TX6 dst=2001:db8:a:5::1 n=20
	$TX6 dst=2001:db8:b:5::1 n=20
	report after
	ip6 afr route flush cache
	$TX6 dst=2001:db8:a:5::1 n=20
	audit afr
	EOT
	finish6 min=50
}

multipath() {
	topo6
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	ip6 afr route add 2001:db8:5::/48 nexthop via 2001:db8:2::2 weight 1 nexthop via 2001:db8:3::2 weight 3
	$TX6 dst=2001:db8:5::1 dstep=1 n=100
	$TX6 dst=2001:db8:5::1 lstep=1 n=100
	report policy 0
	sysctl afr net/ipv6/fib_multipath_hash_policy 1
	$TX6 dst=2001:db8:5::1 dstep=1 n=100
	$TX6 dst=2001:db8:5::1 lstep=1 n=100
	$TX6 dst=2001:db8:a::1 n=50
	EOT
	finish6 min=97
}

# Two routes with two paths each: a legacy one, and a group with weights.
several_paths() {
	topo6
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	ip6 afr route add 2001:db8:5::/48 nexthop via 2001:db8:2::2 weight 1 nexthop via 2001:db8:3::2 weight 3
	ip6 afr nexthop add id 1 via 2001:db8:2::2 dev r1
	ip6 afr nexthop add id 2 via 2001:db8:3::2 dev r2
	ip afr nexthop add id 10 group 1,5/2,2
	ip6 afr route add 2001:db8:6::/48 nhid 10
	EOT
}

multipath_policies() {
	local policy fields dst

	several_paths
	for policy in 0 1 2 3; do
		echo "sysctl afr net/ipv6/fib_multipath_hash_policy $policy"
		for fields in 55 1 8 16 32 448; do
			[ "$policy" = 3 ] || [ "$fields" = 55 ] || continue
			echo "sysctl afr net/ipv6/fib_multipath_hash_fields $fields"
			for dst in 2001:db8:5::1 2001:db8:6::1; do
				lines <<-EOT
				$TX6 dst=$dst dstep=1 n=60
				$TX6 dst=$dst lstep=1 n=60
				$TX6 dst=$dst tcp dport=80 sport=1 n=4
				$TX6 dst=$dst tcp dport=80 sport=2 n=4
				$TX6 dst=$dst tcp dport=81 sport=3 label=9 n=4
				$TX6 dst=$dst udp dport=53 sport=4 n=4
				$TX6 dst=$dst udp dport=54 sport=5 n=4
				$TX6 dst=$dst udp dport=54 sport=5 ext=dst n=4
				$TX6 dst=$dst udp dport=55 sport=6 ext=hbh lstep=1 n=8
				$TX6 dst=$dst udp dport=55 sport=7 ext=srh:2001:db8:a::1 n=4
				$TX6 dst=$dst udp dport=55 sport=8 mf len=1400 n=4
				$TX6 dst=$dst udp dport=55 sport=8 frag=1408 n=4
				$TX6 dst=$dst icmp n=4
				$TX6 dst=$dst proto=47 n=4
				$TX6 dst=$dst proto=41 lstep=1 n=8
				EOT
			done
			echo "report policy $policy fields $fields"
		done
	done
	finish6 min=95
}

multipath_errors() {
	local policy

	several_paths
	for policy in 0 1 2; do
		lines <<-EOT
		sysctl afr net/ipv6/fib_multipath_hash_policy $policy
		$TX6 dst=2001:db8:5::1 dstep=1 icmp type=1 n=40
		$TX6 dst=2001:db8:6::1 dstep=1 icmp type=3 n=40
		$TX6 dst=2001:db8:5::1 dstep=1 icmp type=2 rest=1280 quote=2001:db8:1::2 len=64 n=20
		$TX6 dst=2001:db8:5::1 dstep=1 hop=1 n=10
		send af1 s0 dmac=02:00:00:00:02:01 src=2001:db8:2::2 dst=2001:db8:5::1 dstep=1 n=20
		report policy $policy
		EOT
	done
	finish6 min=90
}

multipath_dead() {
	several_paths
	lines <<-EOT
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	$TX6 dst=2001:db8:6::1 dstep=1 n=40
	report both
	ip afr neigh replace 2001:db8:3::2 nud failed dev r2
	$TX6 dst=2001:db8:5::1 dstep=1 n=4
	ip afr neigh replace 2001:db8:3::2 lladdr 02:00:00:00:03:02 nud permanent dev r2
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	discard
	sysctl afr net/ipv6/conf/r2/ignore_routes_with_linkdown 1
	ip af2 link set s0 down
	links
	sleep 1300
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	$TX6 dst=2001:db8:6::1 dstep=1 n=40
	report the second without carrier
	ip af2 link set s0 up
	links
	sleep 1300
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	$TX6 dst=2001:db8:6::1 dstep=1 n=40
	report back
	ip afr link set r2 down
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	$TX6 dst=2001:db8:6::1 dstep=1 n=40
	report down
	audit afr
	EOT
	finish6 min=80
}

multipath_change() {
	topo6
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	ip afr neigh add 2001:db8:2::3 lladdr 02:00:00:00:02:03 nud permanent dev r1
	ip6 afr route add 2001:db8:5::/48 via 2001:db8:2::2
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	report one
	ip6 afr route append 2001:db8:5::/48 via 2001:db8:3::2
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	report two
	ip6 afr route append 2001:db8:5::/48 via 2001:db8:2::3
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	report three
	ip6 afr route del 2001:db8:5::/48 via 2001:db8:2::2
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	report without the first
	audit afr
	ip6 afr route add 2001:db8:5::/48 via 2001:db8:2::2 metric 10
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	report a better one
	ip6 afr route del 2001:db8:5::/48 metric 10
	ip6 afr route replace 2001:db8:5::/48 nexthop via 2001:db8:2::3 nexthop via 2001:db8:2::2
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	report replaced
	ip6 afr route del 2001:db8:5::/48
	ip6 afr route add 2001:db8:5::/48 via 2001:db8:3::2
	$TX6 dst=2001:db8:5::1 dstep=1 n=40
	audit afr
	EOT
	finish6 min=90
}

multipath_resilient() {
	several_paths
	lines <<-EOT
	ip afr nexthop add id 20 group 1/2 type resilient buckets 8 idle_timer 1000
	ip6 afr route add 2001:db8:7::/48 nhid 20
	$TX6 dst=2001:db8:7::1 dstep=1 n=40
	$TX6 dst=2001:db8:6::1 dstep=1 n=40
	EOT
	finish6 punt=multipath:40
}

nexthop_objects() {
	topo6
	lines <<-EOT
	ip6 afr nexthop add id 1 via 2001:db8:2::2 dev r1
	ip6 afr nexthop add id 2 via 2001:db8:3::2 dev r2
	ip6 afr nexthop add id 3 blackhole
	ip6 afr route add 2001:db8:5::/48 nhid 1
	ip6 afr route add 2001:db8:6::/48 nhid 2
	ip6 afr route add 2001:db8:7::/48 nhid 3
	$TX6 dst=2001:db8:5::1 n=40
	$TX6 dst=2001:db8:6::1 n=40
	$TX6 dst=2001:db8:7::1 n=10
	report made
	ip6 afr nexthop replace id 1 via 2001:db8:3::2 dev r2
	$TX6 dst=2001:db8:5::1 n=40
	report replaced
	ip6 afr nexthop replace id 3 via 2001:db8:2::2 dev r1
	$TX6 dst=2001:db8:7::1 n=40
	ip6 afr nexthop replace id 2 blackhole
	$TX6 dst=2001:db8:6::1 n=10
	report replaced by and with a blackhole
	ip6 afr nexthop del id 1
	$TX6 dst=2001:db8:5::1 n=10
	audit afr
	EOT
	finish6 min=75
}

source_specific() {
	topo6
	lines <<-EOT
	ip afr neigh add 2001:db8:1::3 lladdr 02:00:00:00:01:03 nud permanent dev rc
	$TX6 dst=2001:db8:a::1 n=40
	report none
	ip6 afr route add 2001:db8:a::/48 from 2001:db8:1::/64 via 2001:db8:3::2
	$TX6 dst=2001:db8:a::1 n=20
	send afc c0 dmac=$RMAC src=2001:db8:9::2 dst=2001:db8:a::1 n=20
	$TX6 dst=2001:db8:b::1 n=20
	report one
	ip6 afr route add 2001:db8:77::/48 from 2001:db8:1::2 via 2001:db8:2::2
	$TX6 dst=2001:db8:77::1 n=20
	send afc c0 dmac=$RMAC src=2001:db8:1::3 dst=2001:db8:77::1 n=20
	report two
	ip6 afr route del 2001:db8:a::/48 from 2001:db8:1::/64
	$TX6 dst=2001:db8:a::1 n=20
	ip6 afr route del 2001:db8:77::/48 from 2001:db8:1::2
	$TX6 dst=2001:db8:a::1 n=40
	$TX6 dst=2001:db8:77::1 n=10
	audit afr
	EOT
	finish6 punt=source_specific:120 min=30
}

# ra NS NET FLAGS LIFETIME: what a router on the link says of itself.
ra() {
	local ns=$1 net=$2 flags=$3 lifetime=$4

	echo "send $ns s0 dmac=33:33:00:00:00:01 smac=02:00:00:00:0$net:02 src=fe80::ff:fe00:${net}02 dst=ff02::1 hop=255 icmp type=134 rest=$((64 << 24 | flags << 16 | lifetime)) hex=0000000000000000"
}

# The preferences count only where the kernel has CONFIG_IPV6_ROUTER_PREF.
router_advertisement() {
	topo6
	link_local_neighbours
	echo "sysctl afr net/ipv6/conf/r1/accept_ra 2"
	echo "sysctl afr net/ipv6/conf/r2/accept_ra 2"
	ra af1 2 0 1800
	echo "settle"
	echo "$TX6 dst=2600::1 dstep=1 n=40"
	echo "report one router"
	ra af2 3 0x08 1800
	echo "settle"
	echo "$TX6 dst=2600::1 dstep=1 n=40"
	echo "report a second one that is preferred"
	ra af2 3 0x18 1800
	echo "settle"
	echo "$TX6 dst=2600::1 dstep=1 n=40"
	echo "report no more"
	echo "ip6 afr route append default via 2001:db8:3::2 metric 1024"
	echo "$TX6 dst=2600::1 dstep=1 n=40"
	echo "ip6 afr route del default via 2001:db8:3::2"
	echo "report a static one beside them"
	ra af1 2 0 0
	echo "settle"
	echo "$TX6 dst=2600::1 dstep=1 n=40"
	echo "report the second alone"
	ra af2 3 0 3
	echo "settle"
	echo "sleep 3500"
	echo "$TX6 dst=2600::1 dstep=1 n=40"
	echo "report expired"
	ra af2 3 0 0
	echo "settle"
	echo "$TX6 dst=2600::1 dstep=1 n=10"
	echo "audit afr"
	finish6 punt=multipath:100
}

host_routers() {
	topo6
	link_local_neighbours
	lines <<-EOT
	sysctl afr net/ipv6/conf/all/forwarding 0
	sysctl afr net/ipv6/conf/rc/force_forwarding 1
	sysctl afr net/ipv6/conf/r1/accept_ra 1
	sysctl afr net/ipv6/conf/r2/accept_ra 1
	EOT
	ra af1 2 0 1800
	ra af2 3 0 1800
	lines <<-EOT
	settle
	$TX6 dst=2600::1 dstep=1 n=40
	report both
	ip6 afr neigh del $LL1 dev r1
	$TX6 dst=2600::1 dstep=1 n=20
	report the first is not known
	ip6 afr neigh del $LL2 dev r2
	$TX6 dst=2600::1 dstep=1 n=4
	discard
	$TX6 dst=2001:db8:1::1 icmp n=40
	EOT
	finish6 punt=multipath:60
}

vlan() {
	topo6
	lines <<-EOT
	ip afr link add link r1 name r1.7 type vlan id 7
	ip afr addr add 2001:db8:7::1/64 dev r1.7 nodad
	ip afr link set r1.7 up
	ip af1 link add link s0 name s0.7 address 02:00:00:00:07:02 type vlan id 7
	ip af1 addr add 2001:db8:7::2/64 dev s0.7 nodad
	ip af1 link set s0.7 up
	ready
	ip afr neigh add 2001:db8:7::2 lladdr 02:00:00:00:07:02 nud permanent dev r1.7
	ip afr route add 2001:db8:77::/48 via 2001:db8:7::2
	tap s1.7 af1 s0.7
	$TX6 dst=2001:db8:77::1 n=50
	send af1 s0.7 dmac=02:00:00:00:02:01 src=2001:db8:7::2 dst=2001:db8:b::1 n=50
	EOT
	finish6 min=90
}

udp_unconnected() {
	topo6
	lines <<-EOT
	sock any afr bind=[::]:2000
	sock one afr bind=[2001:db8:1::1]:2001
	$TX6 dst=2001:db8:1::1 n=100
	$TX6 dst=2001:db8:1::1 dport=2001 n=100
	$TX6 dst=2001:db8:1::1 dport=2002 n=50
	read any
	read one
	EOT
	finish6 min=90
}

connected_udp() {
	lines <<-EOT
	sock con afr bind=[2001:db8:1::1]:2000 connect=[2001:db8:1::2]:1000
	sock far afr bind=[2001:db8:3::1]:2000 connect=[2001:db8:1::2]:1000
	$TX6 dst=2001:db8:1::1 n=100
	$TX6 dst=2001:db8:3::1 n=100
	$TX6 dst=2001:db8:1::1 sport=1001 n=10
	read con
	read far
	EOT
}

udp_connected() {
	topo6
	connected_udp
	finish6 punt=early_demux:198
}

udp_connected_no_demux() {
	topo6
	echo "sysctl afr net/ipv4/ip_early_demux 0"
	connected_udp
	finish6 min=90
}

udp_connected_no_probe() {
	topo6
	echo "altfib-set afr net/altfib/early_demux_probe 0"
	connected_udp
	# A CPU that has no dst of the route gets none here: what comes by it is the
	# kernel's, whose early demux makes none.
	if [ "$(cpus)" = 1 ]; then
		finish6 min=90
	else
		finish6
	fi
}

ping() {
	topo6
	lines <<-EOT
	$TX6 dst=2001:db8:1::1 icmp n=50
	$TX6 dst=2001:db8:2::1 icmp n=50
	$TX6 dst=2001:db8:3::1 icmp len=1400 n=50
	$TX6 dst=2001:db8:1::1 icmp type=139 n=5
	$TX6 dst=2001:db8:1::1 icmp type=99 n=5
	$TX6 dst=2001:db8:1::1 proto=99 n=5
	$TX6 dst=2001:db8:1::1 proto=59 n=5
	EOT
	finish6 min=90
}

tcp_local() {
	topo6
	lines <<-EOT
	sock web afr tcp bind=[2001:db8:3::1]:80 listen
	$TX6 dst=2001:db8:1::1 tcp n=50
	$TX6 dst=2001:db8:1::1 tcp flags=0x10 n=50
	$TX6 dst=2001:db8:3::1 tcp dport=80 n=1
	settle
	$TX6 dst=2001:db8:3::1 tcp dport=80 flags=0x04 n=1
	settle
	$TX6 dst=2001:db8:3::1 tcp dport=80 flags=0x11 n=5
	EOT
	finish6 min=90
}

tcp_stream() {
	topo6
	lines <<-EOT
	tcp afc afr [2001:db8:1::1]:5001 1000000
	tcp afc afr [2001:db8:3::1]:5001 1000000
	discard
	altfib6 afr end punt=early_demux
	EOT
}

tcp_stream_no_demux() {
	topo6
	lines <<-EOT
	sysctl afr net/ipv4/ip_early_demux 0
	tcp afc afr [2001:db8:1::1]:5001 1000000
	tcp afc afr [2001:db8:3::1]:5001 1000000
	discard
	altfib6 afr end min=90
	EOT
}

addresses() {
	topo6
	lines <<-EOT
	ip afr addr add 2001:db8:1::77/64 dev rc nodad
	ip afr addr add 2001:db8:ffff::1/128 dev lo nodad
	ip afr addr add 2001:db8:a::3/128 dev r2 nodad
	ready
	sock any afr bind=[::]:2000
	$TX6 dst=2001:db8:1::77 n=50
	$TX6 dst=2001:db8:ffff::1 n=50
	$TX6 dst=2001:db8:a::3 n=50
	$TX6 dst=2001:db8:a::4 n=50
	$TX6 dst=2001:db8:ffff::1 icmp n=50
	read any
	EOT
	finish6 min=90
}

any_ip() {
	topo6
	lines <<-EOT
	ip6 afr route add local 2001:db8:77::/48 dev lo
	ip6 afr route add 2001:db8:77:1::/64 via 2001:db8:2::2
	ip6 afr route add local 2001:db8:78::/48 dev lo table main
	ip6 afr route add 2001:db8:78:1::/64 via 2001:db8:2::2
	sock any afr bind=[::]:2000
	$TX6 dst=2001:db8:77::2 dstep=1 n=50
	$TX6 dst=2001:db8:77:1::2 dstep=1 n=50
	$TX6 dst=2001:db8:78::2 dstep=1 n=50
	$TX6 dst=2001:db8:78:1::2 dstep=1 n=50
	$TX6 dst=2001:db8:77::3 icmp n=50
	read any
	ip6 afr route del local 2001:db8:77::/48 dev lo
	$TX6 dst=2001:db8:77:1::2 dstep=1 n=50
	audit afr
	EOT
	finish6 min=90
}

anycast() {
	topo6
	lines <<-EOT
	sock any afr bind=[::]:2000
	$TX6 dst=2001:db8:1:: n=50
	$TX6 dst=2001:db8:2:: icmp n=50
	$TX6 dst=2001:db8:3:: dport=2001 n=10
	read any
	report router
	sysctl afr net/ipv6/conf/all/forwarding 0
	ready
	$TX6 dst=2001:db8:1:: n=20
	$TX6 dst=2001:db8:2:: icmp n=20
	EOT
	finish6 min=70
}

reassembly() {
	topo6
	lines <<-EOT
	sock any afr bind=[::]:2000
	$TX6 dst=2001:db8:1::1 mf len=1400 id=7
	$TX6 dst=2001:db8:1::1 frag=1408 len=100 id=7
	$TX6 dst=2001:db8:1::1 frag=1408 len=100 id=8
	$TX6 dst=2001:db8:1::1 mf len=1400 id=8
	$TX6 dst=2001:db8:3::1 mf len=1400 id=9
	$TX6 dst=2001:db8:3::1 frag=1408 len=100 id=9
	$TX6 dst=2001:db8:3::1 frag=1408 len=100 id=9 hop=0
	read any
	EOT
	finish6
}

address_removed() {
	topo6
	lines <<-EOT
	ip afr route add ::/0 via 2001:db8:3::2
	ip afr addr add 2001:db8:9::9/128 dev rc nodad
	ready
	$TX6 dst=2001:db8:9::9 icmp n=50
	report present
	ip afr addr del 2001:db8:9::9/128 dev rc
	$TX6 dst=2001:db8:9::9 icmp n=50
	report removed
	ip afr addr add 2001:db8:9::9/128 dev r1 nodad
	ready
	$TX6 dst=2001:db8:9::9 icmp n=50
	report on another device
	ip6 afr route del local 2001:db8:9::9 dev r1 table local
	$TX6 dst=2001:db8:9::9 icmp n=50
	audit afr
	EOT
	finish6 min=90
}

transparent() {
	topo6
	lines <<-EOT
	sock con afr transparent bind=[2001:db8:a::9]:2000 connect=[2001:db8:1::2]:1000
	$TX6 dst=2001:db8:a::9 n=20
	$TX6 dst=2001:db8:a::9 sport=1001 n=20
	$TX6 dst=2001:db8:a::10 n=20
	read con
	EOT
	finish6 punt=early_demux:15
}

tests_run "$@"
