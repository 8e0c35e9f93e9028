#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Packets through the router: where they leave, how they look, what comes back.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ALL_TESTS=(
	"udp: UDP to two routed prefixes"
	"other_protocols: TCP, ICMP and GRE to a routed prefix"
	"spread: 1000 destinations over two next hops"
	"connected: hosts on the router's own links"
	"stream: a TCP stream through the router"
	"more_specific: /17, /24, /31 and /32 inside a /16"
	"default_route: destinations that only the default route covers"
	"metrics: one prefix with three metrics"
	"many_gateways: 32 gateways on one link"
	"device_route: a route with a device and no gateway"
	"ttl: TTL 0, 1 and 2"
	"no_route: a destination without a route"
	"reject: blackhole, unreachable, prohibit and throw"
	"forwarding_off_device: forwarding off on the incoming device"
	"forwarding_off: forwarding off altogether"
	"options: IP options, good and bad"
	"fragments: fragments on their way through"
	"broadcast: broadcast and multicast frames and addresses"
	"directed_broadcast: broadcast address of another link"
	"hairpin: back out of the incoming link, with redirect"
	"hairpin_quiet: back out of the incoming link, redirects off"
	"packet_too_big: DF and no DF on a route with a smaller MTU"
	"route_mtu: DF on a route with a locked mtu metric"
	"pmtu_exception: a path MTU that the router itself learned"
	"exceptions_many: path MTUs of more destinations than a slot notes"
	"broken: frames with a bad header checksum"
	"dscp: routes with a TOS"
	"multipath: two next hops of a legacy multipath route"
	"multipath_policies: several paths by all four hash policies, routes and groups"
	"multipath_errors: several paths, and ICMP errors about their packets"
	"multipath_neighbours: several paths, by the state of their neighbours"
	"multipath_resilient: a resilient group is the kernel's"
	"vlan: in from a VLAN device"
)

udp() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 n=100
	$TX dst=10.2.0.1 n=100
	EOT
	finish min=90
}

other_protocols() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 n=60 tcp
	$TX dst=10.1.0.1 n=60 tcp flags=0x10
	$TX dst=10.1.0.1 n=60 icmp
	$TX dst=10.1.0.1 n=60 proto=47
	EOT
	finish min=90
}

spread() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 dstep=61 n=500
	$TX dst=10.2.0.1 dstep=127 n=500
	EOT
	finish min=90
}

connected() {
	topo
	lines <<-EOT
	$TX dst=10.0.2.2 n=50
	$TX dst=10.0.3.2 n=50 icmp
	EOT
	finish min=90
}

stream() {
	topo
	lines <<-EOT
	tcp afc af1 10.0.2.2:5001 2000000
	discard
	altfib afr end min=90
	EOT
}

more_specific() {
	topo
	lines <<-EOT
	ip afr route add 10.1.128.0/17 via 10.0.3.2
	ip afr route add 10.1.200.0/24 via 10.0.2.2
	ip afr route add 10.1.200.6/31 via 10.0.3.2
	ip afr route add 10.1.200.7/32 via 10.0.2.2
	$TX dst=10.1.127.255 dstep=1 n=2
	$TX dst=10.1.199.255 dstep=1 n=2
	$TX dst=10.1.200.5 dstep=1 n=4
	$TX dst=10.1.200.255 dstep=1 n=2
	$TX dst=10.1.255.255 n=1
	$TX dst=10.1.200.6 n=50
	$TX dst=10.1.200.7 n=50
	$TX dst=10.1.200.8 n=50
	EOT
	finish min=90
}

default_route() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	$TX dst=8.8.8.8 n=50
	$TX dst=1.0.0.0 dstep=0x01010101 n=60
	$TX dst=10.1.0.1 n=20
	EOT
	finish min=90
}

metrics() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.3.2 metric 20
	ip afr route add 10.5.0.0/16 via 10.0.2.2 metric 10
	ip afr route add 10.5.0.0/16 via 10.0.2.3 metric 30
	$TX dst=10.5.0.1 n=50
	ip afr route del 10.5.0.0/16 metric 10
	$TX dst=10.5.0.2 n=50
	ip afr route add 10.5.0.0/16 via 10.0.2.2 metric 5
	$TX dst=10.5.0.3 n=50
	EOT
	finish min=90
}

many_gateways() {
	local i

	topo
	gateways r1 100 32 2
	for ((i = 100; i < 132; i++)); do
		echo "ip afr route add 10.50.$i.0/24 via 10.0.2.$i"
	done
	for ((i = 100; i < 132; i++)); do
		echo "$TX dst=10.50.$i.1 n=20"
	done
	finish min=90
}

device_route() {
	topo
	lines <<-EOT
	ip afr route add 10.60.0.0/24 dev r1
	ip afr neigh add 10.60.0.9 lladdr 02:00:00:00:02:09 nud permanent dev r1
	$TX dst=10.60.0.9 n=50
	EOT
	finish min=90
}

ttl() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 ttl=2 n=20
	$TX dst=10.1.0.1 ttl=1 n=20
	$TX dst=10.1.0.1 ttl=0 n=20
	$TX dst=10.1.0.1 ttl=1 n=20 icmp
	$TX dst=10.0.1.1 ttl=1 n=20 icmp
	$TX dst=10.0.3.1 ttl=1 n=20 icmp
	EOT
	finish min=90
}

# The kernel answers five such packets of a source at once, then one a second.
no_route() {
	topo
	lines <<-EOT
	$TX dst=172.20.0.1 n=4
	EOT
	finish punt=no_route:4
}

reject() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.3.2
	ip afr route add blackhole 10.1.1.0/24
	ip afr route add unreachable 10.1.2.0/24
	ip afr route add prohibit 10.1.3.0/24
	ip afr route add throw 10.1.4.0/24
	$TX dst=10.1.0.1 n=50
	$TX dst=10.1.1.1 n=10
	$TX src=10.0.1.3 dst=10.1.2.1 n=4
	$TX src=10.0.1.4 dst=10.1.3.1 n=4
	$TX src=10.0.1.5 dst=10.1.4.1 n=4
	EOT
	finish punt=route_type:18
}

forwarding_off_device() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 n=20
	sysctl afr net/ipv4/conf/rc/forwarding 0
	$TX dst=10.1.0.1 n=20
	$TX dst=10.0.1.1 n=20 icmp
	send af1 s0 dmac=02:00:00:00:02:01 src=10.0.2.2 dst=10.0.3.2 n=20
	sysctl afr net/ipv4/conf/rc/forwarding 1
	$TX dst=10.1.0.1 n=20
	EOT
	finish punt=not_forwarding:20
}

forwarding_off() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 n=20
	sysctl afr net/ipv4/ip_forward 0
	$TX dst=10.1.0.1 n=20
	$TX dst=172.20.0.1 n=4
	$TX dst=10.0.1.1 n=20 icmp
	EOT
	finish
}

options() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 n=4 opt=nop
	$TX dst=10.1.0.1 n=4 opt=rr
	$TX dst=10.1.0.1 n=4 opt=ts
	$TX dst=10.1.0.1 n=4 opt=ra
	$TX dst=10.1.0.1 n=4 opt=bad
	$TX dst=10.0.1.1 n=4 opt=lsrr:10.1.0.1
	$TX dst=10.0.1.1 n=4 opt=rr icmp
	$TX dst=10.0.1.1 n=4 opt=ssrr:10.0.2.2
	sysctl afr net/ipv4/conf/all/accept_source_route 1
	$TX dst=10.0.1.1 n=4 opt=lsrr:10.1.0.1
	$TX dst=10.0.1.1 n=4 opt=ssrr:10.0.2.2
	$TX dst=10.0.1.1 n=4 opt=ssrr:10.1.0.1
	EOT
	finish punt=ip_options:20
}

fragments() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 mf len=1472 n=50
	$TX dst=10.1.0.1 frag=1480 len=100 n=50
	$TX dst=10.1.0.1 frag=1480 mf len=160 n=50
	EOT
	finish min=90
}

broadcast() {
	topo
	lines <<-EOT
	ip afr route add default via 10.0.2.2
	$TX dst=10.1.0.1 n=4
	$TX dmac=ff:ff:ff:ff:ff:ff dst=10.1.0.1 n=4
	$TX dmac=01:00:5e:00:00:01 dst=10.1.0.1 n=4
	$TX dmac=02:00:00:00:01:77 dst=10.1.0.1 n=4
	$TX dmac=ff:ff:ff:ff:ff:ff dst=255.255.255.255 n=4
	$TX dst=255.255.255.255 n=4
	$TX dmac=ff:ff:ff:ff:ff:ff dst=10.0.1.255 n=4
	$TX dst=10.0.1.255 n=4
	$TX dst=10.0.1.0 n=4
	$TX dmac=01:00:5e:00:00:01 dst=224.0.0.1 n=4
	$TX dmac=01:00:5e:01:02:03 dst=239.1.2.3 n=4
	$TX dst=239.1.2.3 n=4
	$TX dmac=ff:ff:ff:ff:ff:ff dst=10.0.1.255 icmp n=4
	sysctl afr net/ipv4/icmp_echo_ignore_broadcasts 0
	$TX dmac=ff:ff:ff:ff:ff:ff dst=10.0.1.255 icmp n=4
	EOT
	finish
}

directed_broadcast() {
	topo
	lines <<-EOT
	$TX dst=10.0.2.255 n=4
	sysctl afr net/ipv4/conf/all/bc_forwarding 1
	sysctl afr net/ipv4/conf/rc/bc_forwarding 1
	$TX dst=10.0.2.255 n=4
	$TX dst=10.0.2.255 icmp n=4
	EOT
	finish
}

# One packet each: the kernel limits redirects by time.
hairpin() {
	topo
	lines <<-EOT
	ip afr neigh add 10.0.1.3 lladdr 02:00:00:00:01:03 nud permanent dev rc
	ip afr route add 10.70.0.0/16 via 10.0.1.3
	$TX dst=10.70.0.1 n=1
	$TX src=10.0.1.9 dst=10.0.1.3 n=1
	EOT
	finish punt=redirect:2
}

hairpin_quiet() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/conf/all/send_redirects 0
	sysctl afr net/ipv4/conf/rc/send_redirects 0
	ip afr neigh add 10.0.1.3 lladdr 02:00:00:00:01:03 nud permanent dev rc
	ip afr route add 10.70.0.0/16 via 10.0.1.3
	$TX dst=10.70.0.1 n=50
	EOT
	finish min=90
}

packet_too_big() {
	topo
	lines <<-EOT
	ip afr link set r1 mtu 1300
	$TX dst=10.1.0.1 len=1272 df n=20
	$TX dst=10.1.0.1 len=1273 df n=20
	$TX dst=10.1.0.1 len=1400 df n=20
	$TX dst=10.1.0.1 len=1400 n=20
	$TX dst=10.1.0.1 len=1372 df mf n=20
	EOT
	finish min=90
}

route_mtu() {
	topo
	lines <<-EOT
	ip afr route add 10.80.0.0/16 via 10.0.2.2 mtu lock 1000
	ip afr route add 10.81.0.0/16 via 10.0.2.2 mtu 1000
	$TX dst=10.80.0.1 len=972 df n=20
	$TX dst=10.80.0.1 len=973 df n=20
	$TX dst=10.80.0.1 len=1200 n=20
	$TX dst=10.81.0.1 len=973 df n=20
	$TX dst=10.81.0.1 len=1200 n=20
	EOT
	finish min=90
}

# The other address comes first: it makes the kernel keep a route for the next
# hop again, which must not be taken for the address that has an exception.
pmtu_exception() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/ip_forward_use_pmtu 1
	sysctl af1 net/ipv4/ip_forward 1
	ip af1 link add d0 mtu 1000 type dummy
	ip af1 link set d0 up
	ip af1 route add 10.1.0.0/24 dev d0
	$TX dst=10.1.0.9 len=1100 df n=20
	discard
	sock own afr bind=10.0.2.1:999 connect=10.1.0.9:2000
	say own len=1200
	settle
	say own len=900
	read own
	settle
	$TX dst=10.1.0.10 len=900 n=20
	$TX dst=10.1.0.9 len=1100 df n=20
	$TX dst=10.1.0.9 len=1100 n=20
	$TX dst=10.1.0.9 len=900 n=20
	$TX dst=10.1.0.10 len=1100 df n=20
	EOT
	finish min=50 punt=exception:40
}

# Some destinations have an exception, then more than a slot notes.
exceptions_many() {
	local i

	topo
	lines <<-EOT
	sysctl af1 net/ipv4/ip_forward 1
	ip af1 link add d0 mtu 1000 type dummy
	ip af1 link set d0 up
	ip af1 route add 10.1.0.0/24 dev d0
	$TX dst=10.1.0.200 n=20
	sock own afr bind=10.0.2.1:999
	EOT
	for ((i = 1; i <= 20; i++)); do
		lines <<-EOT
		say own to=10.1.0.$i:2000 len=1200
		settle
		$TX dst=10.1.0.200 n=5
		$TX dst=10.1.0.$i n=5
		$TX dst=10.1.0.$((i + 1)) n=5
		EOT
	done
	finish min=45 punt=exception:120
}

broken() {
	topo
	lines <<-EOT
	$TX dst=10.1.0.1 badsum n=10
	$TX dst=10.0.1.1 badsum n=10
	$TX dst=10.1.0.1 n=10
	EOT
	finish
}

dscp() {
	topo
	lines <<-EOT
	ip afr route add 10.5.0.0/16 via 10.0.2.2
	ip afr route add 10.5.0.0/16 tos 0x10 via 10.0.3.2
	ip afr route add 10.6.0.0/16 tos 0x08 via 10.0.3.2
	$TX dst=10.5.0.1 n=10
	$TX dst=10.5.0.1 tos=0x10 n=10
	$TX dst=10.5.0.1 tos=0x11 n=10
	$TX dst=10.5.0.1 tos=0x30 n=10
	$TX dst=10.5.0.1 tos=0x08 n=10
	$TX dst=10.6.0.1 tos=0x08 n=10
	$TX dst=10.6.0.1 tos=0x10 n=2
	$TX dst=10.1.0.1 tos=0xb8 n=10
	EOT
	finish punt=dscp:20
}

multipath() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	ip afr route add 10.5.0.0/16 nexthop via 10.0.2.2 weight 1 nexthop via 10.0.3.2 weight 3
	$TX dst=10.5.0.1 dstep=1 n=100
	sysctl afr net/ipv4/fib_multipath_hash_policy 1
	$TX dst=10.5.0.1 dstep=1 n=100
	$TX dst=10.1.0.1 n=50
	EOT
	finish min=97
}

# Two routes with two paths each: a legacy one, and a group with weights.
several_paths() {
	topo
	lines <<-EOT
	sysctl afr net/ipv4/fib_multipath_hash_seed 4711
	ip afr route add 10.5.0.0/16 nexthop via 10.0.2.2 weight 1 nexthop via 10.0.3.2 weight 3
	ip afr nexthop add id 1 via 10.0.2.2 dev r1
	ip afr nexthop add id 2 via 10.0.3.2 dev r2
	ip afr nexthop add id 10 group 1,5/2,2
	ip afr route add 10.6.0.0/16 nhid 10
	EOT
}

multipath_policies() {
	local policy fields dst

	several_paths
	for policy in 0 1 2 3; do
		echo "sysctl afr net/ipv4/fib_multipath_hash_policy $policy"
		for fields in 55 1 16 32 448; do
			[ "$policy" = 3 ] || [ "$fields" = 55 ] || continue
			echo "sysctl afr net/ipv4/fib_multipath_hash_fields $fields"
			for dst in 10.5.0.1 10.6.0.1; do
				lines <<-EOT
				$TX dst=$dst dstep=1 n=60
				$TX dst=$dst tcp dport=80 sport=1 n=4
				$TX dst=$dst tcp dport=80 sport=2 n=4
				$TX dst=$dst tcp dport=81 sport=3 n=4
				$TX dst=$dst udp dport=53 sport=4 n=4
				$TX dst=$dst udp dport=54 sport=5 n=4
				$TX dst=$dst icmp n=4
				$TX dst=$dst proto=47 n=4
				EOT
			done
			echo "report policy $policy fields $fields"
		done
	done
	finish min=95
}

multipath_errors() {
	several_paths
	lines <<-EOT
	$TX dst=10.5.0.1 dstep=1 icmp type=3 n=40
	$TX dst=10.6.0.1 dstep=1 icmp type=11 n=40
	$TX dst=10.5.0.1 dstep=1 ttl=1 n=10
	send af1 s0 dmac=02:00:00:00:02:01 src=10.0.2.2 dst=10.5.0.1 dstep=1 n=20
	EOT
	finish
}

multipath_neighbours() {
	several_paths
	lines <<-EOT
	$TX dst=10.5.0.1 dstep=1 n=40
	$TX dst=10.6.0.1 dstep=1 n=40
	sysctl afr net/ipv4/fib_multipath_use_neigh 1
	$TX dst=10.5.0.1 dstep=1 n=40
	ip afr neigh replace 10.0.3.2 nud failed dev r2
	$TX dst=10.5.0.1 dstep=1 n=40
	$TX dst=10.6.0.1 dstep=1 n=40
	report the second is not reachable
	ip afr neigh replace 10.0.3.2 lladdr 02:00:00:00:03:02 nud permanent dev r2
	$TX dst=10.5.0.1 dstep=1 n=40
	$TX dst=10.6.0.1 dstep=1 n=40
	report and again it is
	ip afr link set r2 down
	$TX dst=10.5.0.1 dstep=1 n=40
	$TX dst=10.6.0.1 dstep=1 n=40
	EOT
	finish min=80
}

multipath_resilient() {
	several_paths
	lines <<-EOT
	ip afr nexthop add id 20 group 1/2 type resilient buckets 8 idle_timer 1000
	ip afr route add 10.7.0.0/16 nhid 20
	$TX dst=10.7.0.1 dstep=1 n=40
	$TX dst=10.6.0.1 dstep=1 n=40
	EOT
	finish punt=multipath:40
}

vlan() {
	topo
	lines <<-EOT
	ip afr link add link r1 name r1.7 type vlan id 7
	ip afr addr add 10.0.7.1/24 dev r1.7
	ip afr link set r1.7 up
	ip afr neigh add 10.0.7.2 lladdr 02:00:00:00:07:02 nud permanent dev r1.7
	ip af1 link add link s0 name s0.7 address 02:00:00:00:07:02 type vlan id 7
	ip af1 addr add 10.0.7.2/24 dev s0.7
	ip af1 link set s0.7 up
	ip afr route add 10.7.0.0/16 via 10.0.7.2
	tap s1.7 af1 s0.7
	$TX dst=10.7.0.1 n=50
	send af1 s0.7 dmac=02:00:00:00:02:01 src=10.0.7.2 dst=10.2.0.1 n=50
	EOT
	finish min=90
}

tests_run "$@"
