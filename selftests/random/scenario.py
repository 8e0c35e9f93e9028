# SPDX-License-Identifier: GPL-2.0
"""What random scenarios of both families have in common; see generate.py and generate6.py.

The same seed gives the same scenario. What the kernel will make of a command is
not known here, and need not be: `try` tells what was refused, and both runs must
agree on that too. A rough model of the routes only serves to aim: packets that
altfib should be able to attach come in long bursts, all others in short ones.

Nothing may depend on time: devices do without ARP and neighbour discovery, limits
on ICMP are off (see run.sh), and a sender whose link is down sends nothing.
"""

import argparse
import random

HOSTS = {"rc": "afc", "r1": "af1", "r2": "af2", "rd": "afc", "r3": "af1", "r4": "af2"}
NAMESPACES = ["afc", "afr", "af1", "af2"]
# About so many packets, and what else is no share of the scenarios.
DEFAULTS = {"packets": 1000, "test_nets": False, "no_audit": False}


class Link:
    """A device of the router and what is behind it."""

    # What a packet's headers take at most.
    HEADERS = 60

    def __init__(self, dev, net, peer_ns=None, peer=None, parent=None):
        self.dev, self.net, self.peer_ns, self.peer = dev, net, peer_ns, peer
        self.parent = parent
        self.up = self.peer_up = self.exists = True
        self.master = None
        self.forwarding = True
        self.mtu = 1500
        self.mac = f"02:00:00:00:{net:02x}:01"

    def works(self):
        return (self.exists and self.up and self.peer_up and
                (self.parent is None or self.parent.works()))

    def room(self):
        """For the payload: a veth gives back what is too long for its peer."""
        return min(self.mtu, self.parent.mtu if self.parent else 1500) - self.HEADERS


class Route:
    """kind, and for unicast ones the device, if it is a single one."""

    def __init__(self, dst, length, kind, link, key, plain, nhid, bits):
        self.host = bits - length
        self.dst, self.length, self.kind = dst >> self.host << self.host, length, kind
        self.link, self.key, self.plain, self.nhid = link, key, plain, nhid
        self.metric = 0

    def covers(self, addr):
        return (addr ^ self.dst) >> self.host == 0


class Scenario:
    """The families fill in how an address looks, the topology, changes and packets."""

    BITS = 0
    # The commands that know the family by their name.
    SIX = ""
    BASES = LENGTHS = []
    # In per cent of the scenarios.
    SHARES = {}
    LINK = Link
    # Counters that move by themselves.
    RESTLESS = ""
    # Where tests with a corrupt module look: it takes the first for the second.
    TEST_NETS = ()

    def __init__(self, seed, **options):
        self.opt = dict(DEFAULTS, **self.SHARES)
        self.opt.update((k, v) for k, v in options.items() if k in self.opt and v is not None)
        self.r = random.Random(seed)
        self.out = []
        self.links = []
        self.routes = []
        self.nexthops = {}
        self.groups = {}
        self.own = []
        self.rules = []
        self.sockets = 0
        self.sent = 0
        self.phase = 0
        self.changes = []
        self.has = {k: self.r.randrange(100) < self.opt[k] for k in self.SHARES}

    # Each family's own

    def text(self, addr):
        raise NotImplementedError

    def bring_up(self, link):
        raise NotImplementedError

    def make_dummy(self):
        raise NotImplementedError

    def ready(self):
        """Before the first packet, with the first routes there."""

    def hop(self):
        """A next hop as ip-route(8) takes it, and its link if we know it."""
        raise NotImplementedError

    def route_options(self):
        """What a route may carry besides."""
        raise NotImplementedError

    def flow(self, dst=None, n=None, **more):
        raise NotImplementedError

    # Output

    def say(self, line):
        self.out.append(line)

    def attempt(self, args, ns="afr"):
        self.say(f"try{self.SIX} {ns} {args}")

    def chance(self, percent):
        return self.r.randrange(100) < percent

    def pick(self, weighted):
        total = sum(w for w, _ in weighted)
        n = self.r.randrange(total)
        for weight, what in weighted:
            n -= weight
            if n < 0:
                return what
        raise AssertionError

    def net(self, addr, length):
        return addr >> (self.BITS - length) << (self.BITS - length)

    # Topology

    def devices(self):
        nets = [("rc", 1, "c0"), ("r1", 2, "s0"), ("r2", 3, "s0")]
        for dev, net, peer in (("rd", 4, "c1"), ("r3", 5, "s1"), ("r4", 6, "s1")):
            if self.chance(30):
                nets.append((dev, net, peer))
        for dev, net, peer in nets:
            link = self.LINK(dev, net, HOSTS[dev], peer)
            self.links.append(link)
            self.say(f"ip - link add {dev} index 1{net} netns afr address {link.mac} type veth "
                     f"peer name {peer} index 2{net} netns {link.peer_ns} "
                     f"address 02:00:00:00:{net:02x}:02")
        for ns in NAMESPACES:
            self.say(f"ip {ns} link set lo up")
        for link in self.links:
            self.bring_up(link)
        for dev, net in (("rc", 7), ("r1", 8)):
            if self.chance(20):
                self.vlan(dev, net)
        if self.chance(30):
            self.make_dummy()

    def begin(self):
        self.say("arm " + " ".join(NAMESPACES))
        for link in self.links:
            if link.peer:
                self.say(f"tap {link.dev} {link.peer_ns} {link.peer}")
            else:
                self.say(f"tap {link.dev} afr {link.dev} out")
        self.say(f"counters{self.SIX} afr begin")
        self.say(f"altfib{self.SIX} afr begin")

    def vlan(self, dev, net):
        parent = next(x for x in self.links if x.dev == dev)
        link = self.LINK(f"{dev}.{net}", net, parent.peer_ns, f"{parent.peer}.{net}", parent)
        # A VLAN device has its parent's address.
        link.mac = parent.mac
        self.links.append(link)
        self.attempt(f"link add link {dev} name {link.dev} index 3{net} type vlan id {net}")
        self.attempt(f"link add link {parent.peer} name {link.peer} index 4{net} "
                     f"address 02:00:00:00:{net:02x}:02 type vlan id {net}", link.peer_ns)
        self.bring_up(link)

    # Choices

    def usable(self):
        return [x for x in self.links if x.exists and x.up]

    def prefix(self):
        length = self.r.choice(self.LENGTHS)
        if self.routes and self.chance(60):
            # Inside, around, or next to one that is there.
            near = self.r.choice(self.routes)
            size = 1 << near.host
            addr = self.r.choice([near.dst, near.dst + size - 1, near.dst - 1, near.dst + size,
                                  near.dst + self.r.randrange(size)])
            if self.chance(30):
                length = max(1, min(self.BITS, near.length + self.r.choice([-2, -1, 1, 2, 8])))
        else:
            addr = self.base()
        return self.net(addr & (1 << self.BITS) - 1, length), length

    def base(self):
        """An address not far from one of BASES."""
        raise NotImplementedError

    def drop_model(self, key):
        for i, route in enumerate(self.routes):
            if route.key == key:
                del self.routes[i]
                return

    # Changes of routes

    def put(self, verb, dst, length, rest, kind="unicast", link=None, plain=True, nhid=None,
            metric=None, tos=0):
        key = f"{self.text(dst)}/{length}"
        if tos:
            key += f" tos {tos:#x}"
        if metric is not None:
            key += f" metric {metric}"
        word = "" if kind == "unicast" else kind + " "
        self.attempt(f"route {verb} {word}{key} {rest}".rstrip())
        if verb == "replace":
            self.drop_model(key)
        route = Route(dst, length, kind, link, key, plain and not tos, nhid, self.BITS)
        route.metric = metric or 0
        if verb == "append":
            self.routes.append(route)
        elif not any(x.key == key for x in self.routes):
            self.routes.insert(0, route)

    def add_route(self):
        dst, length = self.prefix()
        hop, link = self.hop()
        metric = self.r.choice([10, 20, 30]) if self.chance(15) else None
        if self.chance(6):
            hop += " " + self.r.choice(self.route_options())
        self.put("add", dst, length, hop, link=link, metric=metric)

    def default_route(self):
        hop, link = self.hop()
        self.put("replace", 0, 0, hop, link=link)

    def replace_route(self):
        if not self.routes or self.chance(15):
            self.default_route()
            return
        old = self.r.choice(self.routes)
        hop, link = self.hop()
        self.attempt(f"route {self.r.choice(['replace', 'replace', 'change'])} {old.key} {hop}")
        old.kind, old.link, old.nhid = "unicast", link, None
        old.plain = " tos " not in old.key

    def delete_route(self):
        if len(self.routes) < 3:
            self.add_route()
            return
        old = self.r.choice(self.routes)
        if old.length == 0 and self.chance(80):
            return
        word = "" if old.kind == "unicast" else old.kind + " "
        self.attempt(f"route del {word}{old.key}")
        self.drop_model(old.key)

    def reject_route(self):
        dst, length = self.prefix()
        kind = self.r.choice(["blackhole", "unreachable", "prohibit", "throw"])
        self.put(self.r.choice(["add", "replace"]), dst, max(length, 8), "", kind=kind)
        if self.chance(50):
            self.flow(dst + self.r.randrange(2))
            self.flow()
            key = f"{self.text(self.net(dst, max(length, 8)))}/{max(length, 8)}"
            self.attempt(f"route del {kind} {key}")
            self.drop_model(key)

    def paths(self):
        """The next hops of a multipath route."""
        hops = []
        for _ in range(self.r.choice([2, 2, 3])):
            link = self.r.choice(self.usable() or self.links)
            hops.append(f"nexthop via {self.r.choice(link.gateways())} dev {link.dev} "
                        f"weight {self.r.choice([1, 1, 2, 5])}")
        return " ".join(hops)

    def switch(self):
        """altfib goes off and comes back, or takes another algorithm."""
        if self.chance(50):
            self.say("altfib-set afr net/altfib/mode off")
            self.flow()
            self.add_route()
            self.say("arm afr")
        else:
            self.say(f"altfib-set afr net/altfib/ipv{self.SIX or 4}/algorithm "
                     + self.r.choice(["ranges", "chunks", "auto"]))
        self.flow()

    # Nexthop objects

    def nexthop_spec(self):
        link = self.r.choice(self.usable() or self.links)
        kind = self.r.randrange(10)
        if kind < 8:
            return f"via {self.r.choice(link.gateways())} dev {link.dev}", link
        if kind == 8:
            return f"dev {link.dev}", link
        return "blackhole", None

    def nexthop_route(self):
        if not self.nexthops or self.chance(40):
            ident = self.r.randrange(1, 7)
            spec, link = self.nexthop_spec()
            self.attempt(f"nexthop {'replace' if ident in self.nexthops else 'add'} id {ident} {spec}")
            self.nexthops[ident] = link
            for route in self.routes:
                if route.nhid == ident:
                    route.link = link
        ident = self.r.choice(sorted(self.nexthops))
        if self.has["multipath"] and self.chance(25):
            ident = self.r.randrange(20, 23)
            members = [self.r.choice(sorted(self.nexthops)) for _ in range(self.r.choice([1, 2, 3]))]
            spec = "/".join(f"{m},{self.r.choice([1, 3])}" for m in sorted(set(members)))
            self.attempt(f"nexthop {'replace' if ident in self.groups else 'add'} id {ident} group {spec}")
            self.groups[ident] = members
        dst, length = self.prefix()
        self.put(self.r.choice(["add", "replace"]), dst, length, f"nhid {ident}",
                 link=self.nexthops.get(ident), plain=ident < 20, nhid=ident)
        self.flow(dst)

    def change_nexthop(self):
        if not self.nexthops:
            return
        ident = self.r.choice(sorted(self.nexthops))
        spec, link = self.nexthop_spec()
        users = [x for x in self.routes if x.nhid == ident]
        for route in users[:2]:
            self.flow(route.dst, n=self.r.randrange(2, 12))
        self.attempt(f"nexthop replace id {ident} {spec}")
        self.nexthops[ident] = link
        for route in users:
            route.link = link
            if link is None:
                route.kind = "blackhole"
            elif route.kind == "blackhole":
                route.kind = "unicast"
        for route in users[:2]:
            self.flow(route.dst)

    def del_nexthop(self):
        if self.nexthops:
            ident = self.r.choice(sorted(self.nexthops))
            self.attempt(f"nexthop del id {ident}")
            del self.nexthops[ident]
            for route in [x for x in self.routes if x.nhid == ident]:
                self.flow(route.dst, n=2)
            self.routes = [x for x in self.routes if x.nhid != ident]

    # Rules and VRFs

    def selectors(self, dst, length):
        """What a rule may look at."""
        raise NotImplementedError

    def actions(self):
        raise NotImplementedError

    def rule(self):
        if self.rules and self.chance(40):
            old = self.rules.pop(self.r.randrange(len(self.rules)))
            self.attempt(f"rule del {old}")
            return
        dst, length = self.prefix()
        what = self.r.choice(self.selectors(dst, length))
        action = self.r.choice(self.actions())
        spec = f"pref {self.r.randrange(100, 110) * 10} {what} {action}"
        self.rules.append(spec)
        self.attempt(f"rule add {spec}")

    def table_route(self):
        dst, length = self.prefix()
        hop, _ = self.hop()
        self.attempt(f"route add {self.text(dst)}/{length} {hop} table {self.r.choice([77, 78])}")

    def vrf_route(self):
        dst, length = self.prefix()
        hop, _ = self.hop()
        self.attempt(f"route replace {self.text(dst)}/{length} {hop} table 9")

    # Devices

    def lose_routes(self, link):
        self.routes = [x for x in self.routes if x.link is not link]
        for ident in [k for k, v in self.nexthops.items() if v is link]:
            del self.nexthops[ident]

    def dummy(self):
        link = next((x for x in self.links if x.dev == "d0"), None)
        if link is None:
            return
        if link.exists:
            through = [x for x in self.routes if x.link is link]
            if through:
                self.flow(self.r.choice(through).dst)
            self.attempt("link del d0")
            link.exists = link.up = False
            self.lose_routes(link)
            self.own = [x for x in self.own if x[1] is not link]
            if through:
                self.flow(self.r.choice(through).dst, n=3)
        else:
            self.make_dummy()

    def report(self):
        self.phase += 1
        self.say(f"report phase {self.phase}")

    def required(self):
        """Each once at least, where a scenario is to have them."""
        return ()

    def add_test_nets(self):
        for net, (base, length) in enumerate(self.TEST_NETS, start=2):
            gateway = self.links[net - 1].gateways()[0]
            self.put("replace", base, length, f"via {gateway}", link=self.links[net - 1])
        self.BASES = self.BASES + [self.text(base) for base, _ in self.TEST_NETS] * 3
        for base, _ in self.TEST_NETS:
            self.flow(base + 1)

    def make(self):
        self.topology()
        if self.chance(80):
            self.default_route()
        for _ in range(self.r.choice([2, 4, 8, 12, 24, 40])):
            self.add_route()
        self.ready()
        for name, change in self.required():
            if self.has[name]:
                change()
        if self.opt["test_nets"]:
            self.add_test_nets()
        # Where every packet is a single one, that would go on and on.
        while self.sent < self.opt["packets"] and self.phase < 25:
            for _ in range(self.r.choice([0, 1, 1, 2, 3, 5])):
                self.pick(self.changes)()
            for _ in range(self.r.randrange(3, 9)):
                self.flow()
            self.report()
        self.say(f"counters{self.SIX} afr end{self.RESTLESS}")
        self.say(f"altfib{self.SIX} afr end")
        if not self.opt["no_audit"]:
            self.say("audit afr")
        return self.out

    def topology(self):
        raise NotImplementedError


def options_to(parser, *families):
    """Adds the options that change what is made of a seed."""
    parser.add_argument("--packets", type=int, default=DEFAULTS["packets"])
    parser.add_argument("--test-nets", action="store_true",
                        help="routes and packets to the two prefixes that a corrupt module confuses")
    parser.add_argument("--no-audit", action="store_true", help="compare the packets only")
    for name in dict.fromkeys(name for family in families for name in family.SHARES):
        parser.add_argument("--" + name, type=int, metavar="PERCENT")


def options_of(args, *families):
    names = list(DEFAULTS) + [name for family in families for name in family.SHARES]
    return {name: getattr(args, name) for name in names}


def main(family, description):
    parser = argparse.ArgumentParser(description=description.split("\n", maxsplit=1)[0])
    options_to(parser, family)
    parser.add_argument("seed", type=int)
    args = parser.parse_args()
    print("\n".join(family(args.seed, **options_of(args, family)).make()))
