# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced in the guest: the demo's three network namespaces.
#
#   client 198.19.0.2 --- router ===4 links=== server
#
# The router's 94 next hops in each family (as many as a measured transit router had) stand on
# four links. The server takes every IPv4 address for its own, so each next hop
# answers ARP and each destination of the table answers packets. Its routes
# stand in table local: only there does "local" make an address one's own. For
# IPv6 likewise, but neighbour discovery asks for the addresses themselves.

# Their number is fixed by the default route and by what the demo says of up3.
LINKS=4
NEXTHOPS=94

# Next hops in the order of their share: the first on up0, the second on up1...
nexthop_list() {
	local i list=
	for ((i = 0; i < NEXTHOPS; i++)); do
		list+=,198.18.$((i % LINKS)).$((10 + i / LINKS))@up$((i % LINKS))
	done
	printf '%s\n' "${list:1}"
}

# The same for IPv6.
nexthop_list6() {
	local i list=
	for ((i = 0; i < NEXTHOPS; i++)); do
		list+=,2001:db8:18:$((i % LINKS))::$((10 + i / LINKS))@up$((i % LINKS))
	done
	printf '%s\n' "${list:1}"
}

build_network() {
	local i
	ip -batch - <<-END
		netns add client
		netns add router
		netns add server
	END
	{
		echo "link set lo up"
		echo "link add client0 type veth peer name eth0 netns client"
		echo "addr add 198.19.0.1/24 dev client0"
		echo "link set client0 up"
		echo "addr add 2001:db8:19::1/64 dev client0 nodad"
		for ((i = 0; i < LINKS; i++)); do
			echo "link add up$i type veth peer name eth$i netns server"
			echo "addr add 198.18.$i.1/24 dev up$i"
			echo "addr add 2001:db8:18:$i::1/64 dev up$i nodad"
			echo "link set up$i up"
		done
	} | ip -n router -batch -
	ip -n client -batch - <<-END
		link set lo up
		addr add 198.19.0.2/24 dev eth0
		addr add 2001:db8:19::2/64 dev eth0 nodad
		link set eth0 up
		route add default via 198.19.0.1
		route add default via 2001:db8:19::1
	END
	{
		echo "link set lo up"
		for ((i = 0; i < LINKS; i++)); do
			echo "addr add 198.18.$i.2/32 dev eth$i"
			echo "link set eth$i up"
			echo "route add 198.18.$i.1/32 dev eth$i table local"
		done
		for ((i = 0; i < NEXTHOPS; i++)); do
			echo "addr add 2001:db8:18:$((i % LINKS))::$((10 + i / LINKS))/64 dev eth$((i % LINKS)) nodad"
		done
		echo "route add 198.19.0.0/24 via 198.18.0.1 dev eth0 table local"
		echo "route add local 0.0.0.0/0 dev lo table local"
		# The local table is asked first: what is not here stands in it, too.
		for ((i = 0; i < LINKS; i++)); do
			echo "route add 2001:db8:18:$i::1/128 dev eth$i table local"
		done
		echo "route add 2001:db8:19::/64 via 2001:db8:18::1 dev eth0 table local"
		echo "route add local ::/0 dev lo table local"
	} | ip -n server -batch -
	# What the table does not cover, or no longer after a link loss.
	ip -n router route add default metric 1000 via 198.18.3.10
	ip -n router route add default metric 2048 via 2001:db8:18:3::10
}
