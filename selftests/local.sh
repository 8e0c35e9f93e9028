#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Packets for the router itself, and packets that a socket claims before routing.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"udp_unconnected: UDP to an unconnected socket"
	"udp_connected: UDP to a connected socket is left to early demux"
	"udp_connected_no_demux: UDP to a connected socket, early demux off"
	"udp_connected_no_probe: UDP to a connected socket, altfib's probe off"
	"udp_closed: UDP to a port without a socket"
	"ping: ICMP echo to each address of the router"
	"tcp_closed: TCP to a port without a socket"
	"tcp_listener: SYN to a listener"
	"tcp_stream: a TCP stream to the router"
	"tcp_stream_no_demux: a TCP stream to the router, early demux off"
	"addresses: secondary address, address on lo, local route to a prefix"
	"reassembly: fragments for the router"
	"broadcasts: broadcasts to a socket of the router"
	"own_traffic: the router's own packets, out and to itself"
	"address_removed: an address goes away under traffic"
	"socket_of_lost_address: a connected socket whose address is now routed away"
	"transparent: a transparent socket claims forwarded packets"
	"local_route_removed: the local route of an address is deleted by hand"
)

udp_unconnected() {
	topo
	lines <<-EOT
	sock any afr bind=0.0.0.0:2000
	sock one afr bind=10.0.1.1:2001
	$TX dst=10.0.1.1 n=100
	$TX dst=10.0.1.1 dport=2001 n=100
	read any
	read one
	EOT
	finish min=90
}

connected_udp() {
	lines <<-EOT
	sock con afr bind=10.0.1.1:2000 connect=10.0.1.2:1000
	sock far afr bind=10.0.3.1:2000 connect=10.0.1.2:1000
	$TX dst=10.0.1.1 n=100
	$TX dst=10.0.3.1 n=100
	$TX dst=10.0.1.1 sport=1001 n=10
	read con
	read far
	EOT
}

udp_connected() {
	topo
	connected_udp
	finish punt=early_demux:198
}

udp_connected_no_demux() {
	topo
	echo "sysctl afr net/ipv4/ip_early_demux 0"
	connected_udp
	finish min=90
}

udp_connected_no_probe() {
	topo
	echo "altfib-set afr net/altfib/early_demux_probe 0"
	connected_udp
	finish min=90
}

udp_closed() {
	topo
	lines <<-EOT
	$TX dst=10.0.1.1 n=50
	$TX dst=10.0.3.1 n=50
	EOT
	finish min=90
}

ping() {
	topo
	lines <<-EOT
	$TX dst=10.0.1.1 icmp n=50
	$TX dst=10.0.2.1 icmp n=50
	$TX dst=10.0.3.1 icmp len=1400 n=50
	$TX dst=10.0.1.1 icmp type=13 n=5
	$TX dst=10.0.1.1 icmp type=99 n=5
	EOT
	finish min=90
}

tcp_closed() {
	topo
	lines <<-EOT
	$TX dst=10.0.1.1 tcp n=50
	$TX dst=10.0.1.1 tcp flags=0x10 n=50
	EOT
	finish min=90
}

tcp_listener() {
	topo
	lines <<-EOT
	sock web afr tcp bind=10.0.3.1:80 listen
	$TX dst=10.0.3.1 tcp dport=80 n=1
	settle
	$TX dst=10.0.3.1 tcp dport=80 flags=0x04 n=1
	settle
	$TX dst=10.0.3.1 tcp dport=80 flags=0x11 n=5
	EOT
	finish
}

tcp_stream() {
	topo
	lines <<-EOT
	tcp afc afr 10.0.1.1:5001 1000000
	tcp afc afr 10.0.3.1:5001 1000000
	discard
	altfib afr end punt=early_demux
	EOT
}

tcp_stream_no_demux() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/ip_early_demux 0
	tcp afc afr 10.0.1.1:5001 1000000
	tcp afc afr 10.0.3.1:5001 1000000
	discard
	altfib afr end min=90
	EOT
}

addresses() {
	topo
	lines <<-EOT
	ip afr addr add 10.0.1.77/24 dev rc
	ip afr addr add 10.255.0.1/32 dev lo
	ip afr addr add 10.1.3.3/32 dev r2
	ip afr route add local 10.77.0.0/16 dev lo
	sock any afr bind=0.0.0.0:2000
	$TX dst=10.0.1.77 n=50
	$TX dst=10.255.0.1 n=50
	$TX dst=10.1.3.3 n=50
	$TX dst=10.1.3.4 n=50
	$TX dst=10.77.1.2 n=50
	$TX dst=10.77.1.3 icmp n=50
	read any
	EOT
	finish
}

reassembly() {
	topo
	lines <<-EOT
	sock any afr bind=0.0.0.0:2000
	$TX dst=10.0.1.1 mf len=1472 id=7
	$TX dst=10.0.1.1 frag=1480 len=100 id=7
	$TX dst=10.0.1.1 frag=1480 len=100 id=8
	$TX dst=10.0.1.1 mf len=1472 id=8
	$TX dst=10.0.3.1 mf len=1472 id=9
	$TX dst=10.0.3.1 frag=1480 len=100 id=9
	read any
	EOT
	finish
}

broadcasts() {
	topo
	lines <<-EOT
	sock any afr bind=0.0.0.0:2000
	$TX dst=10.0.1.255 dmac=ff:ff:ff:ff:ff:ff n=5
	$TX dst=255.255.255.255 dmac=ff:ff:ff:ff:ff:ff n=5
	$TX src=0.0.0.0 dst=255.255.255.255 dmac=ff:ff:ff:ff:ff:ff n=5
	$TX dst=10.0.1.1 dmac=ff:ff:ff:ff:ff:ff n=5
	$TX dst=10.0.1.255 n=5
	read any
	EOT
	finish
}

own_traffic() {
	topo
	lines <<-EOT
	sock srv afr bind=10.0.3.1:2000
	sock own afr bind=10.0.1.1:999 connect=10.0.3.1:2000
	sock out afr bind=10.0.2.1:999 connect=10.1.0.9:2000
	sock peer af1 bind=10.0.2.2:2000
	sock toit afr bind=10.0.2.1:998 connect=10.0.2.2:2000
	say own n=20
	say out n=20
	say toit n=20
	say peer to=10.0.2.1:998 n=20
	read srv
	read peer
	read toit
	EOT
	finish
}

address_removed() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	ip afr addr add 10.9.9.9/32 dev rc
	$TX dst=10.9.9.9 icmp n=50
	report present
	ip afr addr del 10.9.9.9/32 dev rc
	$TX dst=10.9.9.9 icmp n=50
	report removed
	ip afr addr add 10.9.9.9/32 dev r1
	$TX dst=10.9.9.9 icmp n=50
	EOT
	finish min=90
}

# Early demux finds the socket, and ip_forward drops what has one.
socket_of_lost_address() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	ip afr addr add 10.9.9.9/32 dev rc
	sock con afr bind=10.9.9.9:2000 connect=10.0.1.2:1000
	$TX dst=10.9.9.9 n=20
	read con
	ip afr addr del 10.9.9.9/32 dev rc
	$TX dst=10.9.9.9 n=20
	$TX dst=10.9.9.9 sport=1001 n=20
	read con
	EOT
	finish punt=early_demux:38
}

transparent() {
	topo
	lines <<-EOT
	sock con afr transparent bind=10.1.0.9:2000 connect=10.0.1.2:1000
	$TX dst=10.1.0.9 n=20
	$TX dst=10.1.0.9 sport=1001 n=20
	$TX dst=10.1.0.10 n=20
	read con
	EOT
	finish punt=early_demux:19
}

local_route_removed() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	ip afr addr add 10.9.9.9/32 dev rc
	$TX dst=10.9.9.9 icmp n=20
	ip afr route del local 10.9.9.9 dev rc table local
	$TX dst=10.9.9.9 icmp n=20
	$TX src=10.9.9.9 dst=10.1.0.1 n=20
	EOT
	finish
}

tests_run "$@"
