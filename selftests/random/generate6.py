#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prints one random IPv6 scenario for probe: a router, its changes, and packets.

    generate6.py [--packets N] [--test-nets] [--rules PERCENT] ... SEED

See scenario.py for what it is about, and generate.py for IPv4.

What IPv6 does by itself must not happen, since it does so by timers: devices
without ARP have no neighbour discovery and no detection of duplicates, and the
hosts have no link-local addresses. Where the router has them (`linklocal`) it
sends redirects, six at once to one host and then one a second: so there each
burst is from a host of its own, and few are sent back where they came from.
"""

from ipaddress import IPv6Address

from scenario import NAMESPACES, Link, Scenario, main

ALL = (1 << 128) - 1
# Gateways of each link, by their global and by their link-local addresses.
HOSTS6 = (2, 0x64, 0x65, 0x66)
NEAR = (0xa1, 0xa2)
REDIRECTS = 5


def ip6(n):
    return str(IPv6Address(n & ALL))


def num6(text):
    return int(IPv6Address(text))


class Link6(Link):
    HEADERS = 120

    def host(self, h):
        return f"2001:db8:{self.net}::{h:x}"

    def gateways(self):
        return [self.host(h) for h in HOSTS6]

    def near(self):
        return [f"fe80::{h:x}" for h in NEAR]


class Scenario6(Scenario):
    BITS = 128
    SIX = "6"
    LINK = Link6
    SHARES = {"rules": 6, "vrf": 5, "multipath": 25, "nexthops": 35, "anyip": 8, "linklocal": 30,
              "subtree": 4}
    # An MLD report on a device that has just come up.
    RESTLESS = " without=Ip6OutDiscards"
    TEST_NETS = ((num6("2001:db8:bad::"), 48), (num6("2001:db8:600d::"), 48))
    BASES = ["2001:db8:a::", "2001:db8:b::", "2001:db8:a:b::", "2001:db8:c0de:5::", "2600::",
             "2a00:1450:4001:800::", "2a00::", "fd00:1:2:3::", "64:ff9b::", "3fff:f00::1:0:0",
             "2001:db8:ffff:ffff:ffff:ffff:ffff:0", "8000::"]
    LENGTHS = [0, 1, 3, 4, 8, 12, 16, 19, 20, 24, 28, 29, 32, 32, 33, 36, 40, 44, 47, 48, 48, 48,
               49, 52, 56, 56, 60, 63, 64, 64, 64, 64, 65, 72, 80, 88, 95, 96, 97, 104, 112, 113,
               120, 122, 124, 126, 127, 127, 128, 128, 128]
    SPECIAL = ["ff02::1", "ff02::2", "ff02::5", "ff05::2", "ff0e::9", "::1", "::", "fe80::1",
               "fe80::a1", "fe80::ff:fe00:101", "fec0::1", "::ffff:10.0.0.1", "::10.0.0.1",
               "2002:a00:1::1"]

    def __init__(self, seed, **options):
        super().__init__(seed, **options)
        self.redirects = 0
        self.keep = self.chance(60)
        # Routes of this metric are rivals, not paths: the kernel's.
        self.advertised = False
        self.changes = [
            (10, self.add_route), (5, self.replace_route), (3, self.append_route),
            (6, self.delete_route), (2, self.reject_route), (3, self.address),
            (2, self.neighbour), (2, self.flap), (2, self.carrier), (2, self.setting),
            (2, self.forward_off), (1, self.mtu), (1, self.dummy), (1, self.flush_caches),
            (1, self.other_table), (1, self.socket), (1, self.remake), (1, self.switch),
            (1, self.exception), (1, self.disabled), (1, self.expiring),
        ]
        if self.has["nexthops"]:
            self.changes += [(5, self.nexthop_route), (4, self.change_nexthop), (1, self.del_nexthop)]
        if self.has["multipath"]:
            self.changes += [(3, self.multipath_route), (1, self.hash_policy)]
            if self.has["nexthops"]:
                self.changes += [(1, self.del_group)]
        if self.has["anyip"]:
            self.changes += [(1, self.local_route)]
        if self.has["rules"]:
            self.changes += [(4, self.rule), (2, self.table_route), (1, self.local_rule)]
        if self.has["vrf"]:
            self.changes += [(2, self.vrf), (2, self.vrf_route)]
        if self.has["linklocal"]:
            self.changes += [(1, self.advertisement), (2, self.redirect)]
        if self.has["subtree"]:
            self.changes += [(1, self.source_specific)]

    def required(self):
        return (("multipath", self.multipath_route), ("nexthops", self.nexthop_route),
                ("rules", self.table_route), ("subtree", self.source_specific))

    def text(self, addr):
        return ip6(addr)

    def base(self):
        low = self.r.choice([4, 16, 32, 48, 64, 70, 80])
        return num6(self.r.choice(self.BASES)) + (self.r.randrange(1 << 16) << low)

    # Topology

    def topology(self):
        self.say("netns " + " ".join(NAMESPACES))
        for ns in NAMESPACES:
            for conf in ("all", "default"):
                for line in ("accept_dad 0", "dad_transmits 0", "router_solicitations 0",
                             "accept_ra 0", "mldv2_unsolicited_report_interval 1"):
                    self.say(f"sysctl {ns} net/ipv6/conf/{conf}/{line}")
            self.say(f"sysctl {ns} net/ipv6/icmp/ratemask 0")
            self.say(f"sysctl {ns} net/ipv6/auto_flowlabels 0")
            self.say(f"sysctl {ns} net/ipv6/route/gc_thresh 1000000")
            if ns != "afr" or not self.has["linklocal"]:
                self.say(f"sysctl {ns} net/ipv6/conf/default/addr_gen_mode 1")
            if ns != "afr" or self.keep:
                self.say(f"sysctl {ns} net/ipv6/conf/all/keep_addr_on_down 1")
        self.say("sysctl afr net/ipv6/conf/all/forwarding 1")
        self.say("sysctl afr net/ipv4/fib_multipath_hash_seed 4711")
        if self.has["rules"] and self.chance(50):
            self.say("sh nsenter --net=/run/netns/afr nft 'add table ip6 t; add chain ip6 t p "
                     "{ type filter hook prerouting priority -150; }; "
                     "add rule ip6 t p ip6 flowlabel 7 meta mark set 7'")
        self.devices()
        self.begin()

    def bring_up(self, link):
        self.say(f"ip afr link set {link.dev} arp off")
        self.say(f"ip afr link set {link.dev} up")
        self.say(f"ip afr addr add {link.host(1)}/64 dev {link.dev}")
        self.own.append((f"{link.host(1)}/64", link))
        self.neighbours(link, "ip")
        ns, peer = link.peer_ns, link.peer
        self.say(f"ip {ns} link set {peer} arp off")
        self.say(f"ip {ns} link set {peer} up")
        self.say(f"ip {ns} addr add {link.host(2)}/64 dev {peer}")
        self.say(f"ip {ns} neigh add {link.host(1)} lladdr {link.mac} nud permanent dev {peer}")
        if link.net < 4:
            self.say(f"ip {ns} route add ::/0 via {link.host(1)}")

    def neighbours(self, link, how):
        for h, addr in list(zip(HOSTS6, link.gateways())) + list(zip(NEAR, link.near())):
            self.say(f"{how} afr neigh replace {addr} lladdr 02:00:00:00:{link.net:02x}:{h:02x} "
                     f"nud permanent dev {link.dev}")

    def restore(self, link):
        """What a device loses when it goes down; what it kept is refused."""
        text = f"{link.host(1)}/64"
        self.attempt(f"addr add {text} dev {link.dev}")
        if not any(a == text for a, _ in self.own):
            self.own.append((text, link))
        self.neighbours(link, "try6")

    def lose_addresses(self, link, kept=False):
        if not kept:
            self.own = [x for x in self.own if x[1] is not link]

    def make_dummy(self):
        link = next((x for x in self.links if x.dev == "d0"), None)
        if link is None:
            link = Link6("d0", 9)
            self.links.append(link)
        link.exists = link.up = True
        link.master = None
        self.attempt("link add d0 index 51 address 02:00:00:00:09:01 type dummy")
        self.attempt("link set d0 up")
        self.restore(link)

    # Choices

    def hop(self):
        link = self.r.choice(self.usable() or self.links)
        kind = self.r.randrange(20)
        gateway = self.r.choice(link.gateways())
        if kind < 11:
            return f"via {gateway}", link
        if kind < 14:
            return f"via {gateway} dev {link.dev}", link
        if kind < 16:
            return f"dev {link.dev}", link
        if kind < 18:
            return f"via {self.r.choice(link.near())} dev {link.dev}", link
        if kind == 18:
            return f"via 2001:db8:99::{self.r.randrange(1, 4)} dev {link.dev} onlink", link
        return f"via {gateway} src {link.host(1)}", link

    def route_options(self):
        return ["mtu 1300", "mtu lock 1300", "mtu 1400", "advmss 900", "initcwnd 9", "pref high",
                "proto static", "hoplimit 9"]

    def drop_model(self, key):
        self.routes = [x for x in self.routes if x.key != key]

    # Changes of routes

    def append_route(self):
        """Of the same metric: a path more, or, if one has no gateway, a rival."""
        hop, link = self.hop()
        near = [x for x in self.routes if x.nhid is None and x.kind == "unicast"]
        if near and self.chance(80):
            old = self.r.choice(near)
            if self.chance(40):
                self.rival(old.dst, old.key)
                self.attempt(f"route replace {old.key} {hop}")
                old.link, old.plain = link, True
                self.flow(old.dst)
                return
            self.attempt(f"route {self.r.choice(['append', 'append', 'prepend'])} {old.key} {hop}")
            old.plain = old.plain and "via" in hop
            old.link = None
            self.flow(old.dst, n=self.r.randrange(4, 12), label_step=1)
            if self.chance(70) and "via" in hop:
                self.attempt(f"route del {old.key} {hop}")
            if self.chance(70):
                hop, link = self.hop()
                self.attempt(f"route replace {old.key} {hop}")
                old.link, old.plain = link, True
            return
        dst, length = self.prefix()
        self.put("append", dst, length, hop, link=link)

    def rival(self, dst, key):
        """A route of the same metric to a device is taken by what comes in there.

        It is not deleted by its device: of several paths that takes all, and if the first
        goes by another device, the kernel tells nobody (__ip6_del_rt_siblings()).
        """
        links = self.senders()
        if not links:
            return
        link = self.r.choice(links)
        self.flow(dst, n=3)
        self.attempt(f"route append {key} dev {link.dev}")
        for other in {link.dev: link, links[0].dev: links[0]}.values():
            self.flow(dst, n=4, link=other, label_step=1)
        self.attempt(f"route del {key}")
        self.flow(dst, n=3)

    def multipath_route(self):
        dst, length = self.prefix()
        length = min(length, 124)
        dst = self.net(dst, length)
        self.put("replace", dst, length, self.paths(), plain=False)
        self.flow(dst + self.r.randrange(1, 4), step=1, n=self.r.choice([8, 30, 60]))
        if self.chance(60):
            self.flow(dst + 1, label_step=1, n=self.r.choice([8, 30]))
        if self.chance(30):
            self.rival(dst + 1, f"{ip6(dst)}/{length}")
        if self.chance(30):
            # What a sender is told of such a packet chooses the same path.
            link = self.r.choice(self.senders() or [None])
            if link:
                self.say(f"send {link.peer_ns} {link.peer} dmac={link.mac} src={link.host(2)} "
                         f"dst={ip6(dst + 1)} icmp type={self.r.choice([1, 3])} "
                         f"quote={link.host(9)} len=64 dstep=1 n=6")
        if self.chance(60):
            hop, link = self.hop()
            self.put("replace", dst, length, hop, link=link)

    def hash_policy(self):
        self.say(f"sysctl afr net/ipv6/fib_multipath_hash_policy {self.r.randrange(4)}")
        if self.chance(40):
            self.say("sysctl afr net/ipv6/fib_multipath_hash_fields "
                     f"{self.r.choice([1, 3, 8, 16, 32, 55, 63, 448])}")

    def del_group(self):
        if self.groups:
            ident = self.r.choice(sorted(self.groups))
            self.attempt(f"nexthop del id {ident}")
            del self.groups[ident]
            for route in [x for x in self.routes if x.nhid == ident][:2]:
                self.flow(route.dst, n=2)
            self.routes = [x for x in self.routes if x.nhid != ident]

    def local_route(self):
        dst, length = self.prefix()
        length = max(length, 48)
        dst = self.net(dst, length)
        what = self.r.choice([f"local {ip6(dst)}/{length} dev lo",
                              f"local {ip6(dst)}/{length} dev lo table main",
                              f"anycast {ip6(dst)}/{length} dev {self.r.choice(self.links).dev}"])
        self.attempt(f"route add {what}")
        self.flow(dst)
        self.flow(dst + 1)
        if self.chance(70):
            self.attempt(f"route del {what}")

    def source_specific(self):
        """While there are any, altfib decides nothing."""
        dst, length = self.prefix()
        hop, _ = self.hop()
        what = f"{ip6(dst)}/{length} from 2001:db8:1::/{self.r.choice([48, 64, 126])}"
        self.flow(dst, n=3)
        self.attempt(f"route add {what} {hop}")
        for _ in range(2):
            self.flow(dst, n=3, link=self.links[0])
        self.flow(n=2)
        if self.chance(30):
            self.add_route()
        self.flow(n=1)
        self.attempt(f"route del {what}")
        self.flow(dst)

    def expiring(self):
        dst, length = self.prefix()
        hop, link = self.hop()
        self.put("add", dst, length, f"{hop} expires {self.r.choice([3000, 100000])}", link=link)
        self.flow(dst)

    def flush(self):
        """What was learned about single destinations."""
        self.say("sysctl afr net/ipv6/route/flush 1")

    def flush_caches(self):
        if self.chance(60):
            self.flush()
            return
        # The route of a link, without which its gateways are not reached.
        link = self.r.choice(self.links)
        through = [x for x in self.routes if x.link is link]
        self.attempt(f"route del 2001:db8:{link.net}::/64 dev {link.dev}")
        self.flow(num6(link.host(2)), n=3)
        for route in through[:2]:
            self.flow(route.dst)
        self.attempt(f"route add 2001:db8:{link.net}::/64 dev {link.dev} metric 256")

    def other_table(self):
        """The local table by hand."""
        dst, length = self.prefix()
        link = self.r.choice(self.links)
        kind = self.r.randrange(4)
        if kind == 0:
            text = f"local {link.host(1)} dev {link.dev} table local"
            self.flow(num6(link.host(1)))
            self.attempt(f"route del {text}")
            self.flow(num6(link.host(1)), n=3)
            self.attempt(f"route add {text}")
            self.flow(num6(link.host(1)))
        elif kind == 1:
            text = f"anycast 2001:db8:{link.net}:: dev {link.dev} table local"
            self.flow(num6(f"2001:db8:{link.net}::"))
            self.attempt(f"route del {text}")
            self.flow(num6(f"2001:db8:{link.net}::"), n=3)
            self.attempt(f"route add {text}")
            self.flow(num6(f"2001:db8:{link.net}::"), n=3)
        else:
            # What the local table has counts, if the main one has it longer or not.
            kind = self.r.choice(["local", "anycast", "unicast", "unicast", "unreachable"])
            hop = "" if kind == "unreachable" else f"dev {link.dev}"
            if kind == "unicast" and self.chance(60):
                hop = f"via {link.gateways()[0]} dev {link.dev}"
            length = max(length, 16)
            key = f"{ip6(self.net(dst, length))}/{length}"
            self.attempt(f"route add {kind} {key} {hop} table local")
            self.flow(dst, n=4)
            self.attempt(f"route del {kind} {key} table local")
            self.flow(dst)

    # Addresses, sockets

    def address(self):
        link = self.r.choice(self.usable() or self.links)
        if len(self.own) > len(self.links) and self.chance(40):
            text, link = self.own.pop()
            if link.exists:
                self.flow(num6(text.split("/")[0]))
                self.attempt(f"addr del {text} dev {link.dev}")
                self.flow(num6(text.split("/")[0]), n=3)
            return
        if self.chance(30):
            # In the network of the first, which may go then.
            text = f"{link.host(0x77)}/{self.r.choice([64, 64, 128, 127, 112])}"
            self.attempt(f"addr add {text} dev {link.dev}")
            self.flow(num6(link.host(0x77)))
            if self.chance(50):
                through = [x for x in self.routes if x.link is link]
                self.attempt(f"addr del {link.host(1)}/64 dev {link.dev}")
                self.flow(num6(link.host(1)), n=3)
                self.flow(num6(link.host(2)), n=3)
                for route in through[:2]:
                    self.flow(route.dst, n=3)
                self.attempt(f"addr add {link.host(1)}/64 dev {link.dev}")
                for route in through[:2]:
                    self.flow(route.dst)
            if self.chance(70):
                self.attempt(f"addr del {text} dev {link.dev}")
            return
        dst, length = self.prefix()
        length = max(length, 64)
        if dst == self.net(dst, length) and length < 127:
            dst += 1
        text = f"{ip6(dst)}/{length}"
        if self.chance(10):
            link = None
        self.flow(dst, n=self.r.randrange(1, 6))
        more = self.r.choice(["", "", "", " noprefixroute", " metric 300",
                              " valid_lft 90000 preferred_lft 9000"])
        self.attempt(f"addr add {text} dev {link.dev if link else 'lo'}{more}")
        if link:
            self.own.append((text, link))
        self.flow(dst)
        # The anycast address of the subnet's routers.
        self.flow(self.net(dst, length), n=2)

    def neighbour(self):
        link = self.r.choice(self.usable() or self.links)
        gateway = self.r.choice(link.gateways() + link.near())
        if self.chance(10):
            self.attempt(f"neigh {self.r.choice(['add', 'add', 'del'])} proxy "
                         f"{ip6(self.destination())} dev {link.dev}")
        elif self.chance(70):
            self.attempt(f"neigh replace {gateway} lladdr 02:00:00:00:{link.net:02x}:"
                         f"{self.r.randrange(0xb0, 0xff):02x} nud permanent dev {link.dev}")
        else:
            self.attempt(f"neigh del {gateway} dev {link.dev}")

    def socket(self):
        """A connected socket, to which the kernel gives packets before it routes them."""
        link = next((x for x in self.links if x.works() and x.peer), None)
        if link is None or self.sockets > 10:
            return
        self.sockets += 1
        dst = self.r.choice([num6(link.host(1)), self.destination() & ALL])
        if self.is_special(dst):
            return
        port, name = 3000 + self.sockets, f"k{self.sockets}"
        self.say(f"sock {name} afr soft transparent bind=[{ip6(dst)}]:{port} "
                 f"connect=[{link.host(2)}]:1000")
        words = (f"send {link.peer_ns} {link.peer} dmac={link.mac} src={link.host(2)} "
                 f"dst={ip6(dst)} sport=1000 dport={port}")
        self.say(f"{words} n=3")
        self.say(f"{words.replace(f'dport={port}', 'dport=9')} n=3")
        if self.chance(50):
            self.add_route()
            self.say(f"{words} n=2")
        self.say(f"read {name}")
        self.say(f"close {name}")
        self.say(f"{words} n=3")

    # Settings

    def conf(self, key, value, dev):
        self.say(f"sysctl afr net/ipv6/conf/{dev}/{key} {value}")

    def setting(self):
        link = self.r.choice([x for x in self.links if x.exists])
        what = self.r.randrange(10)
        if what < 3:
            self.conf("ignore_routes_with_linkdown", self.r.randrange(2),
                      self.r.choice(["all", link.dev, link.dev]))
        elif what < 5:
            dev = self.r.choice(["all", link.dev])
            self.conf("seg6_enabled", self.r.randrange(2), dev)
        elif what < 8:
            key = self.r.choice(["accept_source_route", "proxy_ndp", "hop_limit", "disable_policy",
                                 "accept_redirects", "rpl_seg_enabled", "ioam6_enabled",
                                 "drop_unicast_in_l2_multicast"])
            self.conf(key, self.r.choice([5, 64]) if key == "hop_limit" else self.r.randrange(2),
                      self.r.choice(["all", link.dev]))
        else:
            key = self.r.choice([
                "ipv4/ip_early_demux", "ipv4/udp_early_demux", "ipv4/tcp_early_demux",
                "ipv6/icmp/echo_ignore_all", "ipv6/icmp/echo_ignore_anycast", "ipv6/fwmark_reflect",
                "ipv6/icmp/error_anycast_as_unicast", "ipv6/flowlabel_reflect"])
            self.say(f"sysctl afr net/{key} {self.r.randrange(2)}")

    def forward_off(self):
        link = self.r.choice([x for x in self.links if x.exists])
        self.flow()
        if self.chance(40):
            # That of a device says only whether it is a host's, where routers advertise.
            self.conf("forwarding", 0, link.dev)
            self.flow()
            self.flow(num6(f"2001:db8:{link.net}::"), n=3)
            self.conf("forwarding", 1, link.dev)
            return
        self.conf("forwarding", 0, "all")
        for x in self.links:
            x.forwarding = False
        forced = self.chance(50)
        if forced:
            self.conf("force_forwarding", 1, link.dev)
        dst = self.destination()
        for _ in range(self.r.randrange(2, 6)):
            self.flow(dst, n=self.r.randrange(1, 4))
        if self.chance(30):
            self.neighbour()
            self.flow(dst, n=2)
        if forced and self.chance(70):
            self.conf("force_forwarding", 0, link.dev)
        self.conf("forwarding", 1, "all")
        for x in self.links:
            x.forwarding = True
        self.advertised = False

    # Rules and VRFs

    def selectors(self, dst, length):
        return [
            f"from 2001:db8:1::{self.r.choice(['/113', '2/128', '8000/113'])}",
            f"to {ip6(dst)}/{length}", f"iif {self.r.choice(self.links).dev}", "fwmark 7",
            "tos 0x10", "not from 2001:db8:1::/64", "ipproto udp", "dport 2000",
            "sport 1000 ipproto udp", "from all", "from all",
        ]

    def actions(self):
        return ["table 77", "table 77", "table 78", "table main", "blackhole", "unreachable",
                "prohibit", "goto 32766", "goto 1050", "table main suppress_prefixlength 0",
                f"table main suppress_prefixlength {self.r.choice([47, 64, 127])}",
                "table 77 suppress_ifgroup 0"]

    def local_rule(self):
        """The local table is asked later for a while, or not at all."""
        if self.chance(70):
            self.attempt("rule add pref 2000 table local")
        self.attempt("rule del pref 0")
        for _ in range(3):
            self.flow(n=self.r.randrange(1, 6))
        self.flow(num6(self.r.choice(self.own)[0].split("/")[0]) if self.own else None, n=3)
        self.attempt("rule add pref 0 table local")
        self.attempt("rule del pref 2000")

    def vrf(self):
        link = self.r.choice([x for x in self.links if x.exists])
        if link.master:
            self.attempt(f"link set {link.dev} nomaster")
            link.master = None
        else:
            self.attempt("link add vrf9 index 61 address 02:00:00:00:0a:01 type vrf table 9")
            self.attempt("link set vrf9 up")
            self.attempt(f"link set {link.dev} master vrf9")
            link.master = "vrf9"
        # Either takes the device down for a moment.
        self.lose_addresses(link, self.keep)
        self.lose_routes(link)
        self.restore(link)

    # Devices

    def away(self, link, down, up, kept):
        """The device goes and comes back, and some of what it took with it."""
        self.flow()
        down()
        link.up = False
        lost = [x for x in self.routes if x.link is link]
        self.lose_routes(link)
        self.lose_addresses(link, kept)
        for _ in range(self.r.randrange(3)):
            self.flow()
        if lost:
            self.flow(self.r.choice(lost).dst, n=3)
        up()
        link.up = True
        self.restore(link)
        for route in lost:
            if self.chance(80) and route.nhid is None:
                self.put("add", route.dst, route.length, f"via {self.r.choice(link.gateways())}",
                         link=link, metric=route.metric or None)

    def flap(self):
        link = self.r.choice([x for x in self.links if x.exists and x.up])
        self.away(link, lambda: self.attempt(f"link set {link.dev} down"),
                  lambda: self.attempt(f"link set {link.dev} up"), self.keep)

    def disabled(self):
        """Without IPv6, by its setting or by too small an MTU."""
        # A VLAN device would have to follow its parent.
        link = self.r.choice([x for x in self.links if x.exists and x.up and x.net < 7
                              and not any(y.parent is x for y in self.links)])
        if self.chance(60):
            self.away(link, lambda: self.conf("disable_ipv6", 1, link.dev),
                      lambda: self.conf("disable_ipv6", 0, link.dev), False)
        else:
            self.away(link, lambda: self.attempt(f"link set {link.dev} mtu 1200"),
                      lambda: self.attempt(f"link set {link.dev} mtu 1500"), False)

    def carrier(self):
        link = self.r.choice([x for x in self.links if x.works() and x.peer and not x.parent]
                             or self.links[:1])
        if not link.works():
            return
        ignore = self.chance(50)
        if ignore:
            self.conf("ignore_routes_with_linkdown", 1, link.dev)
        self.attempt(f"link set {link.peer} down", link.peer_ns)
        link.peer_up = False
        through = [x for x in self.routes if x.link is link]
        for _ in range(self.r.randrange(1, 4)):
            self.flow(n=self.r.randrange(1, 9))
        if through:
            route = self.r.choice(through)
            self.flow(route.dst, n=4)
            # The setting alone.
            ignore = not ignore
            self.conf("ignore_routes_with_linkdown", int(ignore), link.dev)
            self.flow(route.dst, n=4)
        self.attempt(f"link set {link.peer} up", link.peer_ns)
        link.peer_up = True
        # What went down there has to learn again how to answer.
        ns, peer = link.peer_ns, link.peer
        self.attempt(f"neigh replace {link.host(1)} lladdr {link.mac} nud permanent dev {peer}", ns)
        if link.net < 4:
            self.attempt(f"route replace ::/0 via {link.host(1)}", ns)
        if ignore and self.chance(60):
            self.conf("ignore_routes_with_linkdown", 0, link.dev)

    def remake(self):
        """A device goes for good, and another of the same name comes."""
        link = self.r.choice(self.links)
        if link.net < 4 or not link.peer or not link.parent or not link.parent.works():
            return
        through = [x for x in self.routes if x.link is link]
        for route in through[:2]:
            self.flow(route.dst)
        self.attempt(f"link del {link.dev}")
        link.exists = False
        self.lose_routes(link)
        self.lose_addresses(link)
        for route in through[:2]:
            self.flow(route.dst, n=3)
        if self.chance(60):
            link.exists, link.master = True, None
            self.attempt(f"link add link {link.parent.dev} name {link.dev} index 3{link.net} "
                         f"type vlan id {link.net}")
            self.attempt(f"link set {link.dev} arp off")
            self.attempt(f"link set {link.dev} up")
            self.restore(link)
            for route in through[:2]:
                self.put("replace", route.dst, route.length, f"via {link.host(2)}", link=link)
                self.flow(route.dst)

    def mtu(self):
        link = self.r.choice([x for x in self.links if x.exists and not x.parent])
        link.mtu = self.r.choice([1300, 1400, 1280])
        self.attempt(f"link set {link.dev} mtu {link.mtu}")
        self.flow(length=1300)
        self.flow(length=1300)
        self.attempt(f"link set {link.dev} mtu 1500")
        link.mtu = 1500

    # What others tell the router

    def router_of(self, link):
        """The frame of a router on that link, from its first link-local address."""
        return (f"send {link.peer_ns} {link.peer} smac=02:00:00:00:{link.net:02x}:{NEAR[0]:02x} "
                f"src={link.near()[0]} hop=255 icmp")

    def exception(self):
        """The router itself learns that a way is narrow."""
        links = [x for x in self.links if x.peer and x.works() and x.net < 4]
        if not links or not self.routes:
            return
        link = self.r.choice(links)
        route = self.r.choice(self.routes)
        dst = (route.dst + 1) & ALL
        if self.is_special(dst) or route.length > 126:
            return
        self.flow(dst, length=1200)
        self.say(f"send {link.peer_ns} {link.peer} dmac={link.mac} src={link.host(2)} "
                 f"dst={link.host(1)} icmp type=2 rest={self.r.choice([1280, 1300, 1400, 600])} "
                 f"quote={ip6(dst)} len=64")
        self.flow(dst, length=1200, n=4)
        self.flow(dst + 1, length=1400, n=4)
        if self.chance(85):
            self.flush()
            self.flow(dst)
        else:
            for x in self.routes:
                x.plain = x.plain and not x.covers(dst)

    def redirect(self):
        """Of a router on a link where this one is a host."""
        links = [x for x in self.links if x.peer and x.works() and not x.parent]
        if not links:
            return
        link = self.r.choice(links)
        dst, length = self.prefix()
        dst, other = (dst + 5) & ALL, num6(link.near()[1])
        if self.is_special(dst) or length > 124:
            return
        self.put("replace", self.net(dst, length), length, f"via {link.near()[0]} dev {link.dev}",
                 link=link)
        self.conf("forwarding", 0, link.dev)
        sender = self.r.choice([x for x in links if x is not link] or [link])
        self.flow(dst, link=sender)
        self.say(f"{self.router_of(link)} dmac={link.mac} dst={link.host(1)} type=137 "
                 f"hex={other:032x}{dst:032x}")
        self.flow(dst, n=5, link=sender)
        self.flow(dst + 1, n=5, link=sender)
        self.flush()
        self.flow(dst)
        self.conf("forwarding", 1, link.dev)

    def advertisement(self):
        """A router offers itself, or no more."""
        links = [x for x in self.links if x.peer and x.works() and not x.parent and not x.master]
        if not links:
            return
        link = self.r.choice(links)
        lifetime = self.r.choice([0, 1800, 9000])
        self.conf("accept_ra", 2, link.dev)
        self.say(f"{self.router_of(link)} dmac=33:33:00:00:00:01 dst=ff02::1 type=134 "
                 f"rest={64 << 24 | lifetime} hex=0000000000000000")
        self.advertised = lifetime != 0
        self.flow(num6("2700::") + self.r.randrange(1 << 100), n=4)

    # Packets

    def is_special(self, addr):
        return addr >> 120 == 0xff or addr >> 118 == 0x3fa or addr < 2

    def lookup(self, addr):
        """"local", or the links by which it may leave, or None."""
        best = None
        for text, link in self.own:
            own, length = text.split("/")
            length = int(length)
            if addr == num6(own):
                return "local"
            if link.exists and link.up and not (addr ^ num6(own)) >> (128 - length):
                if addr == self.net(addr, length) and length < 127 and link.forwarding:
                    return "local"
                if best is None or best[0] < length:
                    best = (length, -256, [link], True)
        for route in self.routes:
            if not route.covers(addr):
                continue
            rank = (route.length, -(route.metric or 1024))
            if best is None or best[:2] < rank:
                best = (*rank, [route.link] if route.kind == "unicast" else None, route.plain)
            elif best[:2] == rank:
                best = (*rank, None, False)
        if best is None or not best[3] or not best[2] or None in best[2]:
            return None
        if best[0] == 0 and self.advertised:
            return None
        return best[2]

    def clean(self, link, src, dst):
        """Whether altfib should be able to attach such a packet."""
        if self.is_special(dst) or self.is_special(src):
            return False
        # What rules and VRFs make of it is not known here.
        if (link.master or self.rules) and self.chance(70):
            return False
        to = self.lookup(dst)
        if to is None:
            return False
        if to == "local":
            return True
        return link.forwarding and all(x.works() and not x.master for x in to) and \
            not (self.has["linklocal"] and link in to)

    def destination(self):
        kind = self.r.randrange(100)
        if kind < 62 and self.routes:
            route = self.r.choice(self.routes)
            size = 1 << route.host
            return route.dst + self.r.choice([0, size - 1, self.r.randrange(size),
                                              self.r.randrange(size), self.r.randrange(size)])
        if kind < 70 and self.routes:
            route = self.r.choice(self.routes)
            return route.dst + self.r.choice([-1, 1 << route.host])
        if kind < 80:
            return num6(self.r.choice(self.own)[0].split("/")[0]) if self.own else 0
        if kind < 91:
            return num6(self.r.choice(self.r.choice(self.links).gateways()))
        if kind < 93:
            return num6(f"2001:db8:{self.r.choice(self.links).net}::")
        if kind < 96:
            return num6(self.r.choice(self.SPECIAL))
        return 1 << 125 | self.r.randrange(1 << self.r.choice([64, 125]))

    def source(self, link):
        if self.has["linklocal"]:
            return num6(link.host(0x1000)) + self.r.randrange(1 << 60)
        kind = self.r.randrange(100)
        if kind < 80:
            return num6(link.host(self.r.choice([2, 2, 0x64, 9, 0x200, 3])))
        if kind < 92 and self.routes:
            route = self.r.choice(self.routes)
            return route.dst + self.r.randrange(1 << route.host)
        if kind < 96:
            return num6(self.r.choice(self.own)[0].split("/")[0]) + self.r.choice([0, 0, 1]) \
                if self.own else 1
        if kind < 98:
            return num6(self.r.choice(self.SPECIAL))
        return self.r.randrange(1 << 128)

    def senders(self):
        return [x for x in self.links if x.peer and x.works()]

    def flow(self, dst=None, n=None, length=None, step=None, label_step=None, link=None):
        links = self.senders()
        if not links:
            return
        if link not in links:
            link = links[0] if self.chance(45) else self.r.choice(links)
        if dst is None:
            # Some tries to find one that is not the kernel's by the book.
            for _ in range(4 if self.chance(85) else 1):
                dst, src = self.destination() & ALL, self.source(link) & ALL
                if self.clean(link, src, dst):
                    break
        else:
            dst, src = dst & ALL, self.source(link) & ALL
        long = self.clean(link, src, dst)
        words = [f"send {link.peer_ns} {link.peer}", f"dmac={link.mac}", f"src={ip6(src)}",
                 f"dst={ip6(dst)}"]
        odd = self.r.randrange(100)
        if odd < 2:
            words.append(f"hop={self.r.choice([1, 1, 2, 0])}")
            long = False
        elif odd < 5:
            words.append("ext=" + self.r.choice([
                "hbh", "ra", "bad", "dst", "dst", f"rh:{link.host(1)}", f"srh:{link.host(1)}",
                f"srh:{ip6(self.destination() & ALL)}"]))
            long = False
        elif odd < 6:
            words[1] = "dmac=" + self.r.choice(["ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01",
                                                "02:00:00:00:77:77"])
            long = False
        elif odd < 7:
            words.append("badsum")
            long = False
        elif odd < 10:
            words.append(self.r.choice(["mf len=1192", "frag=1200 len=100", "frag=1200 mf len=160"]))
        elif odd < 13 or length:
            words.append(f"len={min(link.room(), length or self.r.choice([8, 600, 1300]))}")
        if self.chance(10):
            words.append(f"tclass={self.r.choice([0x10, 0x08, 0xB8, 0x02, 0xFC, 0xFF]):#x}")
        if self.chance(10):
            words.append(f"label={self.r.choice([7, 0x12345, 0xfffff]):#x}")
        words.append(self.pick([(50, "udp"), (20, "icmp"), (20, "tcp"), (4, "tcp flags=0x10"),
                                (3, "proto=47"), (1, "proto=59"), (2, "icmp type=99")]))
        if self.chance(15):
            words.append(f"dport={self.r.choice([1, 53, 80, 5001])} sport={self.r.randrange(1, 65536)}")
        if label_step or (long and self.chance(20)):
            words.append(f"lstep={label_step or 1}")
        if step is None and long and self.chance(25):
            words.append(self.r.choice(["dstep=1", "dstep=1", "dstep=0x1010101", "sstep=1"]))
        elif step:
            words.append(f"dstep={step}")
        if n is None:
            n = self.r.choice([40, 50, 60, 80, 100]) if long else self.r.choice([1, 1, 2, 3])
        if self.has["linklocal"] and self.may_hairpin(link, dst):
            if self.redirects >= REDIRECTS:
                return
            n = 1
            self.redirects += 1
        words.append(f"n={n}")
        self.sent += n
        self.say(" ".join(words))

    def may_hairpin(self, link, dst):
        """Whether it may go back where it came from, and be answered with a redirect."""
        to = self.lookup(dst)
        return to is None and not self.is_special(dst) or to not in (None, "local") and link in to


if __name__ == "__main__":
    main(Scenario6, __doc__)
