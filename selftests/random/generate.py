#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prints one random IPv4 scenario for probe: a router, its changes, and packets.

    generate.py [--packets N] [--test-nets] [--rules PERCENT] ... SEED

See scenario.py for what it is about, and generate6.py for IPv6.
"""

from scenario import NAMESPACES, Link, Scenario, main


def ip(n):
    n &= 0xFFFFFFFF
    return f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


def num(text):
    a, b, c, d = (int(x) for x in text.split("."))
    return a << 24 | b << 16 | c << 8 | d


def mask(length):
    return 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF


class Link4(Link):
    rp_filter = 0

    def gateways(self):
        return [f"10.0.{self.net}.{h}" for h in (2, 100, 101, 102)]


class Scenario4(Scenario):
    BITS = 32
    LINK = Link4
    SHARES = {"rules": 6, "vrf": 5, "multipath": 20, "tos": 15, "nexthops": 35, "filter": 40,
              "anyip": 8}
    TEST_NETS = ((num("198.51.100.0"), 24), (num("203.0.113.0"), 24))
    BASES = ["10.1.0.0", "10.2.0.0", "10.5.0.0", "10.200.0.0", "172.16.0.0", "192.168.7.0",
             "8.8.0.0", "1.2.3.0", "100.64.0.0", "198.18.0.0", "223.255.255.0", "64.0.0.0"]
    LENGTHS = [1, 2, 4, 7, 8, 9, 12, 15, 16, 16, 16, 17, 19, 20, 22, 23, 24, 24, 24, 25, 26, 27,
               28, 29, 30, 31, 31, 32, 32, 32]

    def __init__(self, seed, **options):
        super().__init__(seed, **options)
        self.redirects = True
        self.changes = [
            (10, self.add_route), (5, self.replace_route), (3, self.append_route),
            (6, self.delete_route), (2, self.reject_route), (2, self.address),
            (2, self.neighbour), (2, self.flap), (2, self.carrier), (2, self.setting),
            (1, self.forward_off), (1, self.mtu), (1, self.dummy), (1, self.flush_caches),
            (1, self.other_table), (1, self.second_address), (1, self.socket), (1, self.remake),
            (1, self.switch), (1, self.exception),
        ]
        if self.has["nexthops"]:
            self.changes += [(5, self.nexthop_route), (4, self.change_nexthop), (1, self.del_nexthop)]
        if self.has["multipath"]:
            self.changes += [(2, self.multipath_route)]
        if self.has["tos"]:
            self.changes += [(3, self.tos_route)]
        if self.has["anyip"]:
            self.changes += [(1, self.local_route)]
        if self.has["rules"]:
            self.changes += [(3, self.rule), (2, self.table_route)]
        if self.has["vrf"]:
            self.changes += [(2, self.vrf), (2, self.vrf_route)]

    def text(self, addr):
        return ip(addr)

    def base(self):
        return num(self.r.choice(self.BASES)) + self.r.randrange(1 << self.r.choice([8, 12, 16]))

    # Topology

    def topology(self):
        self.say("netns " + " ".join(NAMESPACES))
        for ns in NAMESPACES:
            for line in ("ipv6/conf/all/disable_ipv6 1", "ipv6/conf/default/disable_ipv6 1",
                         "ipv4/icmp_ratemask 0", "ipv4/conf/all/rp_filter 0",
                         "ipv4/conf/default/rp_filter 0"):
                self.say(f"sysctl {ns} net/{line}")
        self.say("sysctl afr net/ipv4/ip_forward 1")
        self.say("sysctl afr net/ipv4/fib_multipath_hash_seed 4711")
        self.devices()
        self.begin()

    def bring_up(self, link):
        net = link.net
        self.say(f"ip afr link set {link.dev} arp off")
        self.say(f"ip afr addr add 10.0.{net}.1/24 brd + dev {link.dev}")
        self.say(f"ip afr link set {link.dev} up")
        self.own.append((f"10.0.{net}.1/24", link))
        self.neighbours(link, "ip")
        ns, peer = link.peer_ns, link.peer
        self.say(f"ip {ns} link set {peer} arp off")
        self.say(f"ip {ns} addr add 10.0.{net}.2/24 brd + dev {peer}")
        self.say(f"ip {ns} link set {peer} up")
        self.say(f"ip {ns} neigh add 10.0.{net}.1 lladdr {link.mac} nud permanent dev {peer}")
        if net < 4:
            self.say(f"ip {ns} route add default via 10.0.{net}.1")

    def neighbours(self, link, how):
        for gateway in link.gateways():
            self.say(f"{how} afr neigh replace {gateway} lladdr 02:00:00:00:{link.net:02x}:"
                     f"{int(gateway.rsplit('.', 1)[1]):02x} nud permanent dev {link.dev}")

    def make_dummy(self):
        link = next((x for x in self.links if x.dev == "d0"), None)
        if link is None:
            link = Link4("d0", 9)
            self.links.append(link)
        link.exists = link.up = True
        self.attempt("link add d0 index 51 address 02:00:00:00:09:01 type dummy")
        self.attempt("link set d0 arp off")
        self.attempt("addr add 10.0.9.1/24 brd + dev d0")
        self.attempt("link set d0 up")
        self.neighbours(link, "try")
        if not any(a == "10.0.9.1/24" for a, _ in self.own):
            self.own.append(("10.0.9.1/24", link))

    # Choices

    def link_near(self, gateway):
        return next((x for x in self.links if gateway.startswith(f"10.0.{x.net}.")), None)

    def hop(self):
        """A next hop as ip-route(8) takes it, and its link if we know it."""
        link = self.r.choice(self.usable() or self.links)
        kind = self.r.randrange(20)
        gateway = self.r.choice(link.gateways())
        if kind < 13:
            return f"via {gateway}", link
        if kind < 16:
            return f"via {gateway} dev {link.dev}", link
        if kind < 18:
            return f"dev {link.dev}", link
        if kind == 18 and self.chance(20):
            return f"via inet6 fe80::{self.r.randrange(1, 4)} dev {link.dev}", link
        if kind == 18:
            return f"via 192.0.2.{self.r.randrange(1, 4)} dev {link.dev} onlink", link
        return f"via {gateway} src 10.0.{link.net}.1", link

    def route_options(self):
        return ["mtu 1000", "mtu lock 1000", "mtu 1400", "advmss 900", "initcwnd 9"]

    # Changes of routes

    def append_route(self):
        hop, link = self.hop()
        if self.routes and self.chance(70):
            old = self.r.choice(self.routes)
            if " " not in old.key:
                self.put(self.r.choice(["append", "prepend"]), old.dst, old.length, hop, link=link,
                         plain=False)
                return
        dst, length = self.prefix()
        self.put("append", dst, length, hop, link=link)

    def tos_route(self):
        dst, length = self.prefix()
        hop, link = self.hop()
        tos = self.r.choice([0x10, 0x08, 0x04, 0x02 << 2, 0xB8, 0x1C])
        self.put("add", dst, length, hop, link=link, tos=tos)
        if self.chance(50):
            # With and without, until it goes again.
            self.flow(dst, tos=tos, n=4)
            self.flow(dst, n=3)
            self.flow(dst, tos=self.r.choice([0x10, 0x20, 0x01]), n=2)
            self.attempt(f"route del {ip(dst)}/{length} tos {tos:#x}")
            self.drop_model(f"{ip(dst)}/{length} tos {tos:#x}")

    def local_route(self):
        dst, length = self.prefix()
        length = max(length, 20)
        self.attempt(f"route add local {ip(dst)}/{length} dev lo")
        self.flow(dst)
        self.flow(dst + 1)
        if self.chance(70):
            self.attempt(f"route del local {ip(dst)}/{length} dev lo")

    def multipath_route(self):
        dst, length = self.prefix()
        length = min(length, 28)
        hops = self.paths()
        if self.chance(30):
            self.say(f"sysctl afr net/ipv4/fib_multipath_hash_policy {self.r.randrange(4)}")
        self.put("replace", dst, length, hops, plain=False)
        self.flow(dst + self.r.randrange(2), step=1, n=self.r.randrange(4, 16))
        if self.chance(60):
            hop, link = self.hop()
            self.put("replace", dst, length, hop, link=link)

    def flush_caches(self):
        if self.chance(80):
            self.say("sysctl afr net/ipv4/route/flush 1")
            return
        link = self.r.choice(self.links[1:])
        self.attempt(f"route flush dev {link.dev}")
        self.lose_routes(link)
        self.own = [x for x in self.own if x[1] is not link]
        self.attempt(f"route add 10.0.{link.net}.0/24 dev {link.dev} src 10.0.{link.net}.1")
        self.own.append((f"10.0.{link.net}.1/24", link))

    def other_table(self):
        """The default table, and the local one by hand."""
        dst, length = self.prefix()
        hop, _ = self.hop()
        kind = self.r.randrange(4)
        if kind < 2:
            self.attempt(f"route add {ip(dst)}/{length} {hop} table default")
            self.flow(dst)
        elif kind == 2:
            link = self.r.choice(self.links)
            text = f"local 10.0.{link.net}.1 table local dev {link.dev}"
            self.flow(num(f"10.0.{link.net}.1"))
            self.attempt(f"route del {text}")
            self.flow(num(f"10.0.{link.net}.1"), n=3)
            self.attempt(f"route add {text} proto kernel scope host src 10.0.{link.net}.1")
            self.flow(num(f"10.0.{link.net}.1"))
        else:
            self.attempt(f"route add {self.r.choice(['broadcast', 'local', 'unicast'])} {ip(dst)}/32 "
                         f"dev {self.r.choice(self.links).dev} table local")
            self.flow(dst, n=4)
            self.attempt(f"route del {ip(dst)}/32 table local")

    def second_address(self):
        """In the same network, and the first one goes: the kernel takes or promotes the others."""
        link = self.r.choice(self.usable() or self.links)
        if self.chance(50):
            self.conf("promote_secondaries", self.r.randrange(2), link.dev)
        text = self.r.choice([f"10.0.{link.net}.77/24", f"10.0.{link.net}.77/32",
                              f"10.77.{link.net}.1 peer 10.77.{link.net}.2/32",
                              f"10.0.{link.net}.129/25 noprefixroute", f"10.77.{link.net}.4/31"])
        self.attempt(f"addr add {text} dev {link.dev}")
        self.flow(num(text.split("/")[0].split(" ")[0]))
        if self.chance(50):
            through = [x for x in self.routes if x.link is link]
            self.attempt(f"addr del 10.0.{link.net}.1/24 dev {link.dev}")
            self.flow(num(f"10.0.{link.net}.2"), n=3)
            self.flow(num(f"10.0.{link.net}.77"), n=3)
            for route in through[:2]:
                self.flow(route.dst, n=3)
            self.attempt(f"addr add 10.0.{link.net}.1/24 brd + dev {link.dev}")
            for route in through[:2]:
                self.flow(route.dst)
        if self.chance(70):
            self.attempt(f"addr del {text.replace(' noprefixroute', '')} dev {link.dev}")

    def socket(self):
        """A connected socket, to which the kernel gives packets before it routes them."""
        link = next((x for x in self.links if x.works() and x.peer), None)
        if link is None or self.sockets > 10:
            return
        self.sockets += 1
        dst = self.r.choice([num(f"10.0.{link.net}.1"), self.destination() & 0xFFFFFFFF])
        if dst >> 24 in (0, 127) or dst >> 28 >= 14:
            return
        src, port = num(f"10.0.{link.net}.2"), 3000 + self.sockets
        name = f"k{self.sockets}"
        self.say(f"sock {name} afr soft transparent bind={ip(dst)}:{port} connect={ip(src)}:1000")
        words = (f"send {link.peer_ns} {link.peer} dmac={link.mac} src={ip(src)} dst={ip(dst)} "
                 f"sport=1000 dport={port}")
        self.say(f"{words} n=3")
        self.say(f"{words.replace(f'dport={port}', 'dport=9')} n=3")
        if self.chance(50):
            self.add_route()
            self.say(f"{words} n=2")
        self.say(f"read {name}")
        self.say(f"close {name}")
        self.say(f"{words} n=3")

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
        self.own = [x for x in self.own if x[1] is not link]
        for route in through[:2]:
            self.flow(route.dst, n=3)
        if self.chance(60):
            link.exists, link.master, link.rp_filter = True, None, 0
            self.attempt(f"link add link {link.parent.dev} name {link.dev} index 3{link.net} "
                         f"type vlan id {link.net}")
            self.attempt(f"addr add 10.0.{link.net}.1/24 brd + dev {link.dev}")
            self.attempt(f"link set {link.dev} up")
            self.own.append((f"10.0.{link.net}.1/24", link))
            self.neighbours(link, "try")
            for route in through[:2]:
                self.put("replace", route.dst, route.length, f"via 10.0.{link.net}.2", link=link)
                self.flow(route.dst)

    def exception(self):
        """The router itself learns that a way is narrow, and may use that for others."""
        links = [x for x in self.links if x.peer and x.works() and x.net < 4]
        if len(links) < 2 or not self.routes:
            return
        link = self.r.choice(links)
        route = self.r.choice(self.routes)
        dst = (route.dst + 1) & 0xFFFFFFFF
        if dst >> 24 in (0, 127) or dst >> 28 >= 14 or route.length > 30:
            return
        if self.chance(50):
            self.say(f"sysctl afr net/ipv4/ip_forward_use_pmtu {self.r.randrange(2)}")
        self.flow(dst, length=1200)
        if self.chance(70):
            told = f"type=3 code=4 rest={self.r.choice([1000, 1100, 600, 1400])}"
        else:
            told = f"type=5 code=1 rest={self.r.choice(self.r.choice(self.links).gateways())}"
        self.say(f"send {link.peer_ns} {link.peer} dmac={link.mac} src=10.0.{link.net}.2 "
                 f"dst=10.0.{link.net}.1 icmp quote={ip(dst)} " + told)
        self.flow(dst, length=1200)
        self.flow(dst + 1, length=1200)

    # Rules and VRFs

    def selectors(self, dst, length):
        return [
            f"from 10.0.1.{self.r.choice(['0/25', '2/32', '128/25'])}", f"to {ip(dst)}/{length}",
            f"iif {self.r.choice(self.links).dev}", "fwmark 7", "tos 0x10", "not from 10.0.1.0/24",
            "ipproto udp", "dport 2000", "from all",
        ]

    def actions(self):
        return ["table 77", "table 77", "table 78", "table main", "blackhole", "unreachable",
                "prohibit", "goto 32766", "table main suppress_prefixlength 0"]

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
        self.neighbours(link, "try")

    # Devices, addresses, neighbours, settings

    def flap(self):
        link = self.r.choice([x for x in self.links if x.exists and x.up])
        self.flow()
        self.attempt(f"link set {link.dev} down")
        link.up = False
        lost = [x for x in self.routes if x.link is link]
        self.lose_routes(link)
        for _ in range(self.r.randrange(3)):
            self.flow()
        if lost:
            self.flow(self.r.choice(lost).dst, n=3)
        self.attempt(f"link set {link.dev} up")
        link.up = True
        if self.chance(80):
            self.neighbours(link, "try")
        for route in lost:
            if self.chance(80) and " tos " not in route.key and route.nhid is None:
                dst, length = route.dst, route.length
                self.put("add", dst, length, f"via {self.r.choice(link.gateways())}", link=link,
                         metric=route.metric or None)

    def carrier(self):
        link = self.r.choice([x for x in self.links if x.works() and x.peer and not x.parent]
                             or self.links[:1])
        if not link.works():
            return
        ignore = self.chance(50)
        if ignore:
            self.say(f"sysctl afr net/ipv4/conf/{link.dev}/ignore_routes_with_linkdown 1")
        self.attempt(f"link set {link.peer} down", link.peer_ns)
        link.peer_up = False
        through = [x for x in self.routes if x.link is link]
        for _ in range(self.r.randrange(1, 4)):
            self.flow(n=self.r.randrange(1, 9))
        if through:
            route = self.r.choice(through)
            self.flow(route.dst, n=4)
            # The setting alone, with the next hop's route made while it was otherwise.
            ignore = not ignore
            self.conf("ignore_routes_with_linkdown", int(ignore), link.dev)
            self.flow(route.dst, n=4)
        self.attempt(f"link set {link.peer} up", link.peer_ns)
        link.peer_up = True
        # What went down there has to learn again how to answer.
        ns, peer = link.peer_ns, link.peer
        self.attempt(f"neigh replace 10.0.{link.net}.1 lladdr {link.mac} nud permanent dev {peer}", ns)
        if link.net < 4:
            self.attempt(f"route replace default via 10.0.{link.net}.1", ns)
        if ignore and self.chance(60):
            self.say(f"sysctl afr net/ipv4/conf/{link.dev}/ignore_routes_with_linkdown 0")

    def address(self):
        link = self.r.choice(self.usable() or self.links)
        if len(self.own) > len(self.links) and self.chance(40):
            text, link = self.own.pop()
            if link.exists:
                self.flow(num(text.split("/")[0]))
                self.attempt(f"addr del {text} dev {link.dev}")
                self.flow(num(text.split("/")[0]), n=3)
            return
        dst, length = self.prefix()
        length = max(length, 24)
        if not dst & ~mask(length) & 0xFFFFFFFF and length < 31:
            dst += 1
        text = f"{ip(dst)}/{length}"
        self.flow(dst, n=self.r.randrange(1, 6))
        self.attempt(f"addr add {text} {'brd + ' if self.chance(70) else ''}dev {link.dev}")
        self.own.append((text, link))
        self.flow(dst)
        self.flow(dst | ~mask(length) & 0xFFFFFFFF, n=2)

    def neighbour(self):
        link = self.r.choice(self.usable() or self.links)
        gateway = self.r.choice(link.gateways())
        if self.chance(70):
            self.attempt(f"neigh replace {gateway} lladdr 02:00:00:00:{link.net:02x}:"
                         f"{self.r.randrange(0x80, 0xFF):02x} nud permanent dev {link.dev}")
        else:
            self.attempt(f"neigh del {gateway} dev {link.dev}")

    def conf(self, key, value, dev):
        self.say(f"sysctl afr net/ipv4/conf/{dev}/{key} {value}")

    def setting(self):
        link = self.r.choice([x for x in self.links if x.exists])
        what = self.r.randrange(10)
        if what < 4 and self.has["filter"]:
            value = self.r.choice([0, 0, 1, 1, 2])
            where = "all" if self.chance(15) else link.dev
            self.conf("rp_filter", value, where)
            for x in self.links:
                if where in ("all", x.dev):
                    x.rp_filter = value
        elif what < 5:
            self.conf("accept_local", self.r.randrange(2), link.dev)
        elif what < 7:
            on = self.chance(30)
            self.redirects = on
            for dev in ["all"] + [x.dev for x in self.links if x.exists]:
                self.conf("send_redirects", int(on), dev)
        elif what < 8:
            self.conf("ignore_routes_with_linkdown", self.r.randrange(2), link.dev)
        elif what < 9:
            self.conf(self.r.choice(["route_localnet", "bc_forwarding", "shared_media",
                                     "accept_source_route", "src_valid_mark"]),
                      self.r.randrange(2), self.r.choice(["all", link.dev]))
        else:
            self.say(f"sysctl afr net/ipv4/{self.r.choice(['ip_forward_use_pmtu', 'ip_early_demux', 'icmp_echo_ignore_all', 'ip_forward_update_priority'])} {self.r.randrange(2)}")

    def forward_off(self):
        link = self.r.choice([x for x in self.links if x.exists])
        dev = self.r.choice([link.dev, link.dev, None])
        key = f"conf/{dev}/forwarding" if dev else "ip_forward"
        self.flow()
        self.say(f"sysctl afr net/ipv4/{key} 0")
        for x in self.links:
            x.forwarding = x.forwarding and bool(dev) and x is not link
        # The kernel forgets its routes: one device must make them, and another use them.
        dst = self.destination()
        for _ in range(self.r.randrange(2, 6)):
            self.flow(dst, n=self.r.randrange(2, 5))
        self.say(f"sysctl afr net/ipv4/{key} 1")
        # That sets it for all devices.
        for x in self.links:
            x.forwarding = True

    def mtu(self):
        link = self.r.choice([x for x in self.links if x.exists and not x.parent])
        link.mtu = self.r.choice([1300, 1400, 1280])
        self.attempt(f"link set {link.dev} mtu {link.mtu}")
        self.flow(length=1300)
        self.flow(length=1300)
        self.attempt(f"link set {link.dev} mtu 1500")
        link.mtu = 1500

    # Packets

    def lookup(self, addr):
        best = None
        for text, link in self.own:
            own, length = text.split("/")
            length = int(length)
            if addr == num(own):
                return "local"
            if link.exists and link.up and not (addr ^ num(own)) & mask(length):
                if best is None or best[0] < length:
                    best = (length, link, True)
        for route in self.routes:
            if route.covers(addr) and (best is None or best[0] < route.length or
                                       best[0] == route.length and not route.plain):
                best = (route.length, route.link if route.kind == "unicast" else None, route.plain)
        if best is None or best[1] is None or not best[2]:
            return None
        return best[1]

    def clean(self, link, src, dst):
        """Whether altfib should be able to attach such a packet."""
        if dst >> 24 in (0, 127) or dst >> 28 >= 14:
            return False
        # What rules and VRFs make of it is not known here.
        if (link.master or self.rules) and self.chance(70):
            return False
        if src >> 24 in (0, 127) or src >> 28 >= 14:
            return False
        to = self.lookup(dst)
        back = self.lookup(src)
        if to is None or back == "local":
            return False
        if link.rp_filter == 1 and back is not link:
            return False
        if link.rp_filter == 2 and back is None:
            return False
        if to == "local":
            return True
        return to.works() and not to.master and link.forwarding and \
            not (to is link and self.redirects)

    def destination(self):
        kind = self.r.randrange(100)
        if kind < 62 and self.routes:
            route = self.r.choice(self.routes)
            size = 1 << (32 - route.length)
            return route.dst + self.r.choice([0, size - 1, self.r.randrange(size),
                                              self.r.randrange(size), self.r.randrange(size)])
        if kind < 70 and self.routes:
            route = self.r.choice(self.routes)
            return route.dst + self.r.choice([-1, 1 << (32 - route.length)])
        if kind < 82:
            return num(self.r.choice(self.own)[0].split("/")[0]) if self.own else 0
        if kind < 92:
            return num(self.r.choice(self.r.choice(self.links).gateways()))
        if kind < 94:
            return num(f"10.0.{self.r.choice(self.links).net}.{self.r.choice([0, 255])}")
        if kind < 96:
            return num(self.r.choice(["127.0.0.1", "0.0.0.0", "224.0.0.5", "240.0.0.1",
                                      "255.255.255.255", "169.254.1.1", "0.1.2.3"]))
        return self.r.randrange(1 << 32)

    def source(self, link):
        kind = self.r.randrange(100)
        if kind < 80:
            return num(f"10.0.{link.net}.{self.r.choice([2, 2, 100, 9, 200, 3])}")
        if kind < 92 and self.routes:
            route = self.r.choice(self.routes)
            return route.dst + self.r.randrange(1 << (32 - route.length))
        if kind < 96:
            return num(self.r.choice(self.own)[0].split("/")[0]) + self.r.choice([0, 0, 1]) \
                if self.own else 1
        if kind < 98:
            return num(self.r.choice(["127.0.0.1", "0.0.0.0", "224.0.0.5", "240.0.0.1",
                                      "255.255.255.255", "10.0.1.255", "10.0.2.0"]))
        return self.r.randrange(1 << 32)

    def flow(self, dst=None, n=None, tos=None, length=None, step=None):
        links = [x for x in self.links if x.peer and x.works()]
        if not links:
            return
        link = links[0] if self.chance(45) else self.r.choice(links)
        if dst is None:
            # Some tries to find one that is not the kernel's by the book.
            for _ in range(4 if self.chance(85) else 1):
                dst, src = self.destination() & 0xFFFFFFFF, self.source(link) & 0xFFFFFFFF
                if self.clean(link, src, dst):
                    break
        else:
            dst, src = dst & 0xFFFFFFFF, self.source(link) & 0xFFFFFFFF
        words = [f"send {link.peer_ns} {link.peer}", f"dmac={link.mac}", f"src={ip(src)}",
                 f"dst={ip(dst)}"]
        long = self.clean(link, src, dst)
        odd = self.r.randrange(100)
        if odd < 2:
            words.append(f"ttl={self.r.choice([1, 1, 2, 0])}")
            long = False
        elif odd < 4:
            words.append("opt=" + self.r.choice(["nop", "rr", "ts", "ra", "bad", "lsrr:10.0.2.2"]))
            long = False
        elif odd < 5:
            words[1] = "dmac=" + self.r.choice(["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:05",
                                                "02:00:00:00:77:77"])
            long = False
        elif odd < 6:
            words.append("badsum")
            long = False
        elif odd < 9:
            words.append(self.r.choice(["mf len=1192", "frag=1200 len=100", "frag=1200 mf len=160"]))
        elif odd < 12 or length:
            words.append(f"len={min(link.room(), length or self.r.choice([8, 600, 1400, 1440]))}")
            if self.chance(40):
                words.append("df")
        if tos is None and self.chance(10):
            tos = self.r.choice([0x10, 0x08, 0xB8, 0x02, 0xFC, 0x04, 0x1C, self.r.randrange(256)])
        if tos:
            words.append(f"tos={tos:#x}")
        words.append(self.pick([(50, "udp"), (20, "icmp"), (20, "tcp"), (4, "tcp flags=0x10"),
                                (3, "proto=47"), (3, "icmp type=13")]))
        if self.chance(15):
            words.append(f"dport={self.r.choice([1, 53, 80, 5001])} sport={self.r.randrange(1, 65536)}")
        if long and step is None and self.chance(25):
            words.append("sstep=1" if self.chance(25) and link.rp_filter == 0 else "dstep=1")
        elif step:
            words.append(f"dstep={step}")
        if n is None:
            n = self.r.choice([30, 50, 60, 80, 100]) if long else self.r.choice([1, 1, 2, 3])
        words.append(f"n={n}")
        self.sent += n
        self.say(" ".join(words))

    def ready(self):
        if self.chance(50):
            for dev in ["all"] + [x.dev for x in self.links]:
                self.conf("send_redirects", 0, dev)
            self.redirects = False
        if self.has["filter"]:
            self.setting()

    def required(self):
        return (("tos", self.tos_route), ("multipath", self.multipath_route),
                ("nexthops", self.nexthop_route), ("rules", self.table_route))


if __name__ == "__main__":
    main(Scenario4, __doc__)
