#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Forwarding from PRE_ROUTING (net.altfib.fastpath): the same bytes out, the same
# counters of the protocols and of the devices, and back to the stack for whatever
# somebody wants to see or the stack alone knows how to do.
#
# The other programs' tests are run with it by the arm "on+fast".

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# The arm has it by any means.
[[ $ON+ == *+fast+* ]] || ON+=+fast

ALL_TESTS=(
	"plain: UDP, TCP, ICMP and others, in all sizes and classes"
	"answers: in both directions at once"
	"on_link: to hosts of the next link, and to a default route"
	"hops: the last hop, the last but one, and the first"
	"too_long: longer than the next link takes, and as long as it takes"
	"route_mtu: a route's own MTU"
	"segments: several segments in one, too long for the next link or not"
	"fragments: fragments pass one by one"
	"options: options and extension headers"
	"priority: the class of the packet, as the next device shows it"
	"forward_rule: rules at FORWARD come and go under traffic"
	"postrouting_rule: rules at POST_ROUTING come and go under traffic"
	"tracked: connection tracking, which puts fragments together"
	"other_family: rules of the other family are not heard"
	"hairpin: back out of the incoming link"
	"link_removed: the outgoing link is removed, a spare takes over"
	"unresolved: the neighbour is asked for, and answers"
	"unreachable: the neighbour is asked for, and does not answer"
	"several_paths: routes and groups of several paths"
	"vrf: members of a VRF go through the stack"
	"tunnel: out of a tunnel's device, which needs room in front"
	"addresses: sources that may not leave their link"
	"verified: of ten packets one is verified, and goes the same way"
	"only_setting: the setting, in one's own namespaces and in a container's"
	"only_switched: on and off, and mode=verify, from the next packet on"
)
in_ipv6 plain answers on_link hops too_long segments fragments options forward_rule postrouting_rule \
	other_family hairpin link_removed unresolved several_paths vrf tunnel addresses verified only_switched
ALL_TESTS+=(
	"gateway6: by an IPv6 gateway"
	"anycast6: IPv6: an anycast address that somebody added"
	"no_forwarding6: IPv6: forwarding for one device only, and proxied neighbours"
)

# What not every kernel of the tests has.
if ip xfrm policy list >/dev/null 2>&1; then
	ALL_TESTS+=("ipsec: policies that block come and go under traffic")
	in_ipv6 ipsec
fi
if tc qdisc add dev lo clsact 2>/dev/null; then
	tc qdisc del dev lo clsact
	ALL_TESTS+=("tc_egress: a filter at the outgoing device comes and goes under traffic")
	in_ipv6 tc_egress
fi
if nft -c 'add table netdev t; add chain netdev t c { type filter hook egress device lo priority 0; }' 2>/dev/null; then
	ALL_TESTS+=("egress_rule: a rule at the outgoing device comes and goes under traffic")
	in_ipv6 egress_rule
fi
if nft -c 'add table ip t; add chain ip t p { type filter hook prerouting priority 0; }; add rule ip t p udp dport 1 tproxy to :1' 2>/dev/null; then
	ALL_TESTS+=("put_together: fragments that were put together go through the stack")
fi

command -v nft >/dev/null || skip_all "needs nft (package nftables)"

# nft_in NS RULESET
nft_in() {
	echo "sh echo '$2' | nsenter --net=/run/netns/$1 nft -f -"
}

# The words of a packet in the family of the test.
words() {
	TX="send afc c0 dmac=$RMAC src=$SRC"
	if [ "$FAMILY" = 4 ]; then
		NFT=ip CLASS=tos HOST2=10.2.0.1 COUNTERS=counters
	else
		NFT=ip6 CLASS=tclass HOST2=2001:db8:b::1 COUNTERS=counters6
	fi
}

# Both routes have been used: what follows is the fast path's.
begin_warm() {
	words
	topo_bare
	lines <<-EOT
	arm $NAMESPACES
	$TAPS
	EOT
	[ "$FAMILY" = 4 ] || echo ready
	lines <<-EOT
	$TX dst=$HOST1 n=2
	$TX dst=$HOST2 n=2
	discard
	devices afr begin
	$COUNTERS afr begin
	$ALTFIB afr begin
	EOT
}

# end [CHECK]... The devices' own counters of IPv6 have MLD in them.
end() {
	local only=""

	[ "$FAMILY" = 4 ] || only="only=rc.Ip6 only=r1.Ip6 only=r2.Ip6"
	lines <<-EOT
	report
	devices afr end $only
	$COUNTERS afr end
	$ALTFIB afr end $*
	EOT
}

plain() {
	local len class

	begin_warm
	echo bytes
	for len in 0 1 7 100 1000 1452; do
		echo "$TX dst=$HOST1 len=$len id=$len n=3"
	done
	for class in 0x10 0x04 0x02 0x01 0x03 0xb8 0xff; do
		echo "$TX dst=$HOST2 $CLASS=$class n=2"
	done
	lines <<-EOT
	$TX dst=$HOST1 tcp n=20
	$TX dst=$HOST1 icmp n=20
	$TX dst=$HOST1 proto=47 n=20
	$TX dst=$HOST2 proto=253 len=0 n=20
	EOT
	end fast=112
}

answers() {
	begin_warm
	lines <<-EOT
	$TX dst=$HOST1 n=50
	send af1 s0 dmac=02:00:00:00:02:01 src=$HOST1 dst=$SRC n=1
	send af1 s0 dmac=02:00:00:00:02:01 src=$HOST1 dst=$SRC n=50
	$TX dst=$HOST1 n=50
	EOT
	end least=fast:150
}

on_link() {
	begin_warm
	lines <<-EOT
	ip afr route add default via $GW2
	$TX dst=$GW1 n=20
	$TX dst=$GW2 icmp n=20
	EOT
	if [ "$FAMILY" = 4 ]; then
		echo "$TX dst=8.8.8.8 n=20"
	else
		echo "$TX dst=2600::1 n=20"
	fi
	end least=fast:54
}

hops() {
	local hop=ttl

	begin_warm
	[ "$FAMILY" = 4 ] || hop=hop
	lines <<-EOT
	$TX dst=$HOST1 $hop=2 n=10
	$TX dst=$HOST1 $hop=1 n=10
	$TX dst=$HOST1 $hop=0 n=10
	$TX dst=$HOST1 $hop=255 n=10
	$TX dst=$HOST1 $hop=3 n=10
	EOT
	end fast=30 left=fast_ttl:10
}

too_long() {
	begin_warm
	lines <<-EOT
	ip afr link set r1 mtu 1300
	$TX dst=$HOST1 n=2
	EOT
	if [ "$FAMILY" = 4 ]; then
		lines <<-EOT
		$TX dst=$HOST1 len=1272 df n=20
		$TX dst=$HOST1 len=1273 df n=20
		$TX dst=$HOST1 len=1400 n=20
		$TX dst=$HOST1 len=1372 df mf n=20
		$TX dst=$HOST1 len=1272 n=20
		EOT
	else
		lines <<-EOT
		$TX dst=$HOST1 len=1252 n=40
		$TX dst=$HOST1 len=1253 n=20
		$TX dst=$HOST1 len=1400 n=20
		EOT
	fi
	end least=fast:40 left=fast_mtu:40
}

route_mtu() {
	begin_warm
	lines <<-EOT
	ip afr route add 10.80.0.0/16 via 10.0.2.2 mtu lock 1000
	ip afr route add 10.81.0.0/16 via 10.0.2.2 mtu 1000
	$TX dst=10.80.0.1 len=972 df n=20
	$TX dst=10.80.0.1 len=973 df n=20
	$TX dst=10.80.0.1 len=1400 n=20
	$TX dst=10.81.0.1 len=972 df n=20
	$TX dst=10.81.0.1 len=973 df n=20
	$TX dst=10.81.0.1 len=1400 n=20
	EOT
	end least=fast:36 left=fast_mtu:70
}

segments() {
	local df=df

	begin_warm
	[ "$FAMILY" = 4 ] || df=""
	lines <<-EOT
	bytes
	$TX dst=$HOST1 tcp flags=0x10 gso=1400 len=8400 $df n=10
	$TX dst=$HOST1 udp gso=1400 len=8400 $df n=10
	$TX dst=$HOST1 tcp flags=0x10 gso=1400 len=1500 $df n=10
	report long enough
	ip afr link set r1 mtu 1400
	$TX dst=$HOST1 n=2
	$TX dst=$HOST1 tcp flags=0x10 gso=1340 len=8000 $df n=10
	EOT
	[ "$FAMILY" = 4 ] || lines <<-EOT
	report too long
	$TX dst=$HOST1 tcp flags=0x10 gso=1341 len=8000 n=1
	EOT
	[ "$FAMILY" = 6 ] || lines <<-EOT
	$TX dst=$HOST1 tcp flags=0x10 gso=1361 len=8000 n=10
	$TX dst=$HOST1 udp gso=1400 len=8400 n=10
	EOT
	end least=fast:40 left=fast_mtu:1
}

fragments() {
	begin_warm
	echo bytes
	if [ "$FAMILY" = 4 ]; then
		lines <<-EOT
		$TX dst=$HOST1 mf len=1472 id=7
		$TX dst=$HOST1 frag=1480 len=100 id=7
		$TX dst=$HOST1 df mf len=1472 id=8
		$TX dst=$HOST1 df frag=1480 len=100 id=8
		EOT
	else
		lines <<-EOT
		$TX dst=$HOST1 mf len=1400 id=7
		$TX dst=$HOST1 frag=1408 len=100 id=7
		$TX dst=$HOST1 mf len=800 id=8
		$TX dst=$HOST1 frag=808 len=100 id=8
		EOT
	fi
	end fast=4
}

options() {
	begin_warm
	if [ "$FAMILY" = 4 ]; then
		lines <<-EOT
		$TX dst=$HOST1 opt=rr n=5
		$TX dst=$HOST1 opt=ra n=5
		$TX dst=$HOST1 opt=nop n=5
		$TX dst=$HOST1 opt=bad n=2
		$TX dst=$HOST1 n=5
		EOT
		end fast=5
	else
		lines <<-EOT
		$TX dst=$HOST1 ext=hbh n=5
		$TX dst=$HOST1 ext=ra n=5
		$TX dst=$HOST1 ext=dst n=5
		$TX dst=$HOST1 n=5
		EOT
		end fast=10 left=fast_packet:10
	fi
}

# The class becomes the packet's priority, and that the priority of the VLAN's frame.
priority() {
	local class

	FAMILY=4
	begin_warm
	lines <<-EOT
	bytes
	ip afr link add link r2 name r2.5 type vlan id 5 egress-qos-map 1:1 2:2 4:4 6:6
	ip afr addr add 10.0.5.1/24 dev r2.5
	ip afr link set r2.5 up
	ip afr neigh add 10.0.5.2 lladdr 02:00:00:00:05:02 nud permanent dev r2.5
	ip afr route add 10.85.0.0/16 via 10.0.5.2
	$TX dst=10.85.0.1 n=2
	EOT
	for class in 0 0x08 0x10 0x18; do
		echo "$TX dst=10.85.0.1 tos=$class n=5"
	done
	echo "sysctl afr net/ipv4/ip_forward_update_priority 0"
	for class in 0 0x08 0x10 0x18; do
		echo "$TX dst=10.85.0.2 tos=$class n=5"
	done
	end least=fast:40
}

# rules_come_and_go HOOK: for whoever listens, the next packet counts.
rules_come_and_go() {
	local i

	begin_warm
	for i in 1 2 3; do
		echo "$TX dst=$HOST1 n=10"
		nft_in afr "table $NFT t { chain c { type filter hook $1 priority 0; $NFT daddr $HOST1 counter drop; }; }"
		lines <<-EOT
		$TX dst=$HOST1 n=10
		$TX dst=$HOST2 n=10
		EOT
		nft_in afr "delete table $NFT t"
		echo "$TX dst=$HOST1 n=10"
	done
	end fast=60 left=fast_hooks:60
}

forward_rule() { rules_come_and_go forward; }
postrouting_rule() { rules_come_and_go postrouting; }

other_family() {
	local other=ip

	[ "$FAMILY" = 6 ] || other=ip6
	begin_warm
	nft_in afr "table $other t { chain f { type filter hook forward priority 0; drop; }; chain p { type filter hook postrouting priority 0; drop; }; }"
	echo "$TX dst=$HOST1 n=20"
	end fast=20
}

tracked() {
	begin_warm
	nft_in afr "table ip t { chain p { type filter hook prerouting priority 0; ct state invalid drop; }; }"
	lines <<-EOT
	$TX dst=$HOST1 n=20
	$TX dst=$HOST1 mf len=1472 id=7
	$TX dst=$HOST1 frag=1480 len=100 id=7
	EOT
	end fast=0 left=fast_hooks:21
}

put_together() {
	begin_warm
	nft_in afr "table ip t { chain p { type filter hook prerouting priority 0; ip daddr 10.99.0.1 udp dport 1 tproxy to :1; }; }"
	lines <<-EOT
	$TX dst=$HOST1 n=20
	$TX dst=$HOST1 mf len=1000 id=7
	$TX dst=$HOST1 frag=1008 len=100 id=7
	$TX dst=$HOST1 df mf len=1000 id=8
	$TX dst=$HOST1 df frag=1008 len=100 id=8
	EOT
	end fast=20 left=fast_packet:2
}

hairpin() {
	begin_warm
	if [ "$FAMILY" = 4 ]; then
		lines <<-EOT
		sysctl afr net/ipv4/conf/all/send_redirects 0
		sysctl afr net/ipv4/conf/rc/send_redirects 0
		ip afr neigh add 10.0.1.3 lladdr 02:00:00:00:01:03 nud permanent dev rc
		ip afr route add 10.70.0.0/16 via 10.0.1.3
		$TX dst=10.70.0.1 n=1
		$TX dst=10.70.0.1 n=20
		sysctl afr net/ipv4/conf/all/send_redirects 1
		sysctl afr net/ipv4/conf/rc/send_redirects 1
		$TX dst=10.70.0.1 n=1
		EOT
		end fast=20 punt=redirect:1
	else
		lines <<-EOT
		ip afr neigh add 2001:db8:1::3 lladdr 02:00:00:00:01:03 nud permanent dev rc
		ip afr route add 2001:db8:70::/48 via 2001:db8:1::3
		$TX dst=2001:db8:70::1 n=1
		$TX dst=2001:db8:70::2 n=1
		EOT
		end fast=0 left=fast_redirect:1
	fi
}

link_removed() {
	begin_warm
	lines <<-EOT
	ip afr route add $NET1 via $GW2 metric 2000
	$TX dst=$HOST1 n=20
	report there
	ip afr link del r1
	$TX dst=$HOST1 n=20
	EOT
	end least=fast:36
}

# The host answers by itself.
unresolved() {
	begin_warm
	lines <<-EOT
	ip afr neigh del $GW1 dev r1
	$TX dst=$HOST1 n=3
	settle 300
	$TX dst=$HOST1 n=20
	EOT
	end least=fast:20
}

unreachable() {
	begin_warm
	lines <<-EOT
	sysctl afr net/ipv4/neigh/r1/retrans_time_ms 50
	ip afr route add 10.5.0.0/16 via 10.0.2.99
	$TX dst=10.1.0.1 n=20
	$TX dst=10.5.0.1 n=4
	settle 800
	$TX dst=10.5.0.1 n=4
	settle 800
	ip afr neigh replace 10.0.2.99 lladdr 02:00:00:00:02:63 nud permanent dev r1
	$TX dst=10.5.0.1 n=20
	EOT
	end least=fast:40
}

several_paths() {
	begin_warm
	lines <<-EOT
	ip afr nexthop add id 1 via $GW1 dev r1
	ip afr nexthop add id 2 via $GW2 dev r2
	ip afr nexthop add id 10 group 1/2
	ip afr route add $NET5 nhid 10
	EOT
	if [ "$FAMILY" = 4 ]; then
		lines <<-EOT
		ip afr route add 10.6.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2
		$TX dst=10.5.0.1 dstep=1 n=50
		$TX dst=10.6.0.1 dstep=1 n=50
		$TX dst=10.5.0.1 dstep=1 n=50
		$TX dst=10.6.0.1 dstep=1 n=50
		EOT
	else
		lines <<-EOT
		ip afr route add 2001:db8:6::/48 nexthop via 2001:db8:2::2 nexthop via 2001:db8:3::2
		$TX dst=2001:db8:5::1 lstep=1 n=50
		$TX dst=2001:db8:6::1 lstep=1 n=50
		$TX dst=2001:db8:5::1 lstep=1 n=50
		$TX dst=2001:db8:6::1 lstep=1 n=50
		EOT
	fi
	end least=fast:150
}

vrf() {
	begin_warm
	lines <<-EOT
	ip afr link add red type vrf table 9
	ip afr link set red up
	ip afr link set rc master red
	ip afr link set r1 master red
	EOT
	if [ "$FAMILY" = 4 ]; then
		lines <<-EOT
		ip afr neigh replace 10.0.1.2 lladdr 02:00:00:00:01:02 nud permanent dev rc
		ip afr neigh replace 10.0.2.2 lladdr 02:00:00:00:02:02 nud permanent dev r1
		EOT
	else
		lines <<-EOT
		ready
		ip afr addr replace 2001:db8:1::1/64 dev rc nodad
		ip afr addr replace 2001:db8:2::1/64 dev r1 nodad
		ip afr neigh replace 2001:db8:1::2 lladdr 02:00:00:00:01:02 nud permanent dev rc
		ip afr neigh replace 2001:db8:2::2 lladdr 02:00:00:00:02:02 nud permanent dev r1
		ready
		EOT
	fi
	lines <<-EOT
	ip afr route add $NET1 via $GW1 vrf red
	$TX dst=$HOST1 n=1
	$TX dst=$HOST1 n=20
	EOT
	end fast=0 left=fast_packet:20
}

tunnel() {
	begin_warm
	if [ "$FAMILY" = 4 ]; then
		lines <<-EOT
		ip afr link add gre7 type gre local 10.0.2.1 remote 10.0.2.2 ttl 64
		ip afr link set gre7 up
		ip af1 link add gre7 type gre local 10.0.2.2 remote 10.0.2.1
		ip af1 link set gre7 up
		ip afr route add 10.87.0.0/16 dev gre7
		$TX dst=10.87.0.1 n=1
		$TX dst=10.87.0.1 n=20
		$TX dst=10.87.0.1 len=1472 n=2
		EOT
		# The device tells the route its MTU with each packet, and the kernel makes a new one.
		end
	else
		lines <<-EOT
		ip afr link add gre7 type ip6gre local 2001:db8:2::1 remote 2001:db8:2::2
		ip afr link set gre7 up
		ip af1 link add gre7 type ip6gre local 2001:db8:2::2 remote 2001:db8:2::1
		ip af1 link set gre7 up
		ip afr route add 2001:db8:87::/48 dev gre7
		$TX dst=2001:db8:87::1 n=1
		$TX dst=2001:db8:87::1 n=20
		EOT
		end least=fast:20
	fi
}

addresses() {
	begin_warm
	if [ "$FAMILY" = 4 ]; then
		lines <<-EOT
		$TX src=127.0.0.1 dst=$HOST1 n=2
		$TX src=0.0.0.0 dst=$HOST1 n=2
		$TX src=10.0.1.1 dst=$HOST1 n=2
		$TX src=169.254.1.1 dst=$HOST1 n=2
		EOT
		end fast=2
	else
		lines <<-EOT
		$TX src=fe80::1 dst=$HOST1 n=2
		$TX src=:: dst=$HOST1 n=2
		$TX src=::1 dst=$HOST1 n=2
		$TX src=fd00::1 dst=$HOST1 n=2
		$TX src=64:ff9b::1 dst=$HOST1 n=2
		$TX src=::ffff:10.0.0.1 dst=$HOST1 n=2
		EOT
		end least=fast:4 left=fast_source:4
	fi
}

verified() {
	begin_warm
	lines <<-EOT
	bytes
	altfib-set afr net/altfib/verify_sample 10
	$TX dst=$HOST1 n=100
	EOT
	end fast=100
}

gateway6() {
	begin_warm
	lines <<-EOT
	sysctl afr net/ipv6/conf/r1/disable_ipv6 0
	ip afr addr add 2001:db8:2::1/64 dev r1 nodad
	ip afr neigh add 2001:db8:2::2 lladdr 02:00:00:00:02:06 nud permanent dev r1
	ip afr route add 10.88.0.0/16 via inet6 2001:db8:2::2 dev r1
	$TX dst=10.88.0.1 n=1
	$TX dst=10.88.0.1 n=20
	report
	altfib afr end
	EOT
}

no_forwarding6() {
	use_family 6
	begin_warm
	lines <<-EOT
	$TX dst=$HOST1 n=10
	sysctl afr net/ipv6/conf/all/proxy_ndp 1
	$TX dst=$HOST1 n=10
	ip afr neigh add proxy $HOST1 dev rc
	$TX dst=$HOST1 n=10
	sysctl afr net/ipv6/conf/all/proxy_ndp 0
	$TX dst=$HOST1 n=10
	sysctl afr net/ipv6/conf/all/forwarding 0
	$TX dst=$HOST2 n=10
	sysctl afr net/ipv6/conf/rc/force_forwarding 1
	$TX dst=$HOST2 n=10
	EOT
	end fast=20 left=fast_config:20
}

anycast6() {
	use_family 6
	begin_warm
	lines <<-EOT
	ip afr neigh add 2001:db8:2::77 lladdr 02:00:00:00:02:77 nud permanent dev r1
	ip afr route add anycast 2001:db8:2::77 dev r1 table local
	$TX dst=2001:db8:2::77 icmp lstep=1 n=20
	EOT
	end fast=0
}

ipsec() {
	local any=0.0.0.0/0 dir

	begin_warm
	[ "$FAMILY" = 4 ] || any=::/0
	for dir in fwd out; do
		lines <<-EOT
		$TX dst=$HOST1 n=10
		sh ip -n afr xfrm policy add src $any dst $HOST1 dir $dir action block
		$TX dst=$HOST1 n=10
		$TX dst=$HOST2 n=10
		sh ip -n afr xfrm policy del src $any dst $HOST1 dir $dir
		$TX dst=$HOST1 n=10
		sh ip -n afr xfrm policy setdefault $dir block
		$TX dst=$HOST1 n=10
		sh ip -n afr xfrm policy setdefault $dir accept
		EOT
	done
	end least=fast:36 left=fast_xfrm:50
}

tc_egress() {
	local protocol=ip

	begin_warm
	[ "$FAMILY" = 4 ] || protocol=ipv6
	lines <<-EOT
	$TX dst=$HOST1 n=10
	sh tc -n afr qdisc add dev r1 clsact
	sh tc -n afr filter add dev r1 egress protocol $protocol matchall action drop
	$TX dst=$HOST1 n=10
	$TX dst=$HOST2 n=10
	sh tc -n afr qdisc del dev r1 clsact
	$TX dst=$HOST1 n=10
	EOT
	end fast=40
}

egress_rule() {
	begin_warm
	echo "$TX dst=$HOST1 n=10"
	nft_in afr "table netdev t { chain c { type filter hook egress device r1 priority 0; $NFT daddr $HOST1 drop; }; }"
	lines <<-EOT
	$TX dst=$HOST1 n=10
	$TX dst=$HOST2 n=10
	EOT
	nft_in afr "delete table netdev t"
	echo "$TX dst=$HOST1 n=10"
	end fast=40
}

only_setting() {
	local file=/proc/sys/net/altfib/fastpath before value

	before=$(cat "$file")
	for value in 2 -1 on ""; do
		! echo "$value" 2>/dev/null >"$file" || fail "took \"$value\"" || return 1
	done
	echo 0 >"$file"
	unshare -Urn sh -c "
		[ \$(cat $file) = 0 ] && ! echo 1 2>/dev/null >$file && [ \$(cat $file) = 0 ]" ||
		fail "a container's namespace has what the host's has not" || return 1
	echo 1 >"$file"
	unshare -Urn sh -c "[ \$(cat $file) = 0 ] && echo 1 >$file && [ \$(cat $file) = 1 ]" ||
		fail "a container's namespace may not" || return 1
	echo "$before" >"$file"
}

only_switched() {
	{
		begin_warm
		lines <<-EOT
		$TX dst=$HOST1 n=10
		altfib-set afr net/altfib/fastpath 0
		$TX dst=$HOST1 n=10
		altfib-set afr net/altfib/fastpath 1
		$TX dst=$HOST1 n=10
		altfib-set afr net/altfib/mode verify
		$TX dst=$HOST1 n=10
		settle
		altfib-set afr net/altfib/mode on
		$TX dst=$HOST1 n=10
		settle
		altfib-set afr net/altfib/mode off
		$TX dst=$HOST1 n=10
		frames s1 udp 50+
		$ALTFIB afr end fast=30 least=verified:10
		EOT
	} | run_scenario on+fast
}

tests_run "$@"
