// SPDX-License-Identifier: GPL-2.0

//! What to make of each reason to leave a packet to the kernel: the one table of it. The module
//! tells the reason's name, group and cause; docs/counters.md shows both.

/// Whether there is anything to be done about a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Fine,
    /// It passes by itself.
    Passes,
    /// Somebody's choice, which may be another one.
    Choice,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Passes => "passes",
            Self::Choice => "choice",
        }
    }
}

pub struct Reason {
    pub name: &'static str,
    pub verdict: Verdict,
    pub advice: &'static str,
}

macro_rules! reasons {
    ($($name:ident $verdict:ident $advice:literal)*) => {
        /// In the module's order.
        pub const REASONS: &[Reason] = &[
            $(
                Reason {
                    name: stringify!($name),
                    verdict: Verdict::$verdict,
                    advice: $advice,
                },
            )*
        ];
    };
}

reasons! {
    has_dst Fine
        "Such packets bring their route along, so there is no lookup to be saved."
    has_socket Fine
        "The socket that TPROXY or a BPF program has chosen decides about them, not a route."
    not_unicast_frame Fine
        "Frames for everybody, for groups and for others are the kernel's; a device in promiscuous mode sees more of the last."
    ip_options Fine
        "Options are rare, and the kernel has to look at each of them while it routes."
    ipsec Fine
        "The kernel checks its IPsec policies while it routes what was decrypted."
    bridge Choice
        "If no rule needs to see bridged packets, switch net.bridge.bridge-nf-call-iptables and -ip6tables off: they do not come here then."
    vrf Fine
        "Each of these packets comes a second time, as its VRF's, and is decided and counted then."
    rules Choice
        "Simplify the policy rules (\"ip rule\"): no suppress_ifgroup, no suppress_prefixlength other than 0, no rejecting rule, and few tables for one packet."
    tclassid Choice
        "Take the realms out of the routes and rules (\"ip route\", \"ip rule\"), if nothing needs them."
    hook_order Choice
        "Load altfib before whatever hooks PRE_ROUTING with the last priority (\"nft list hooks\"), or give that one an earlier priority."
    special_address Fine
        "Multicast, broadcast, loopback and zero addresses have rules of their own in the kernel."
    no_in_device Choice
        "Switch the family on at the input device: for IPv6 net.ipv6.conf.DEV.disable_ipv6=0, and an MTU of at least 1280; for IPv4 at least 68."
    not_ready Passes
        "Reading the routes passes; if the mode is off (\"altfib stats\"), net.altfib.mode=on switches altfib on."
    no_route Fine
        "The kernel refuses these packets; if they should go somewhere, a route is missing (\"altfib get\" asks for an address)."
    local_prefix Choice
        "Make the local route of a prefix (\"ip route show table local\") one of single addresses, if you can name them."
    source_specific Choice
        "Put the routes for certain sources (\"ip -6 route\", those with \"from\") into a table of their own with a policy rule for it, which altfib follows."
    dscp Choice
        "Put the routes for one DSCP (\"ip route\", those with \"tos\") into a table of their own with a policy rule for it, which altfib follows."
    route_type Fine
        "There is nothing to attach: the kernel answers such packets with an error, or not at all."
    not_forwarding Choice
        "A host is right to drop these; on a router switch net.ipv4.ip_forward on, or forwarding below net.ipv6.conf.all or net.ipv4.conf.DEV."
    source Choice
        "The kernel decides whether to drop these; if their sources are genuine and answers go another way, rp_filter=2 on the input device accepts them."
    dead_nexthop Choice
        "Bring the link of the next hop up again, or take its routes out (\"ip route\" marks them dead or linkdown)."
    reachability Choice
        "A host is right to prefer reachable routers; on a router switch net.ipv6.conf.all.forwarding on."
    multipath Choice
        "Use multipath routes or next-hop groups of one family: no resilient groups, no IPv6 gateways in IPv4, no single IPv6 routes of one metric."
    redirect Choice
        "If hosts need not be told a shorter way, switch send_redirects off below net.ipv4.conf, for \"all\" and for the device."
    exception Fine
        "A path MTU or a redirect was learned for these destinations; it is forgotten after a while (\"ip route show cache\")."
    no_dst Passes
        "The next packet finds the route; if these go on in IPv4, something keeps changing routes, rules or addresses (\"ip monitor\")."
    busy Passes
        "It lasts for a moment; many of these mean many changes (\"altfib top\" shows the updates a second)."
    early_demux Fine
        "A connected socket has its route already, so there is no lookup to be saved."
    fast_hooks Choice
        "Let nothing listen at FORWARD and POST_ROUTING (\"nft list hooks\"): connection tracking, NAT and filters do."
    fast_xfrm Choice
        "The fast path is for routers without IPsec policies (\"ip xfrm policy\")."
    fast_dst Fine
        "Tunnels and this host's own packets need the rest of the stack."
    fast_config Choice
        "Switch net.ipv6.conf.all.forwarding on, not only a device's, and proxy_ndp off; and IPv6 on at the outgoing device."
    fast_packet Fine
        "Packets from fragments, VRFs, queues, or with unusual headers need the rest of the stack."
    fast_ttl Fine
        "The kernel tells the sender that the packet's time to live has ended."
    fast_redirect Fine
        "The kernel may tell the sender a shorter way."
    fast_source Fine
        "A source that may not leave its link is the kernel's to refuse."
    fast_mtu Fine
        "The kernel fragments it, or tells the sender; if there are many, look at the MTUs of the devices (\"ip link\")."
    fast_neighbour Passes
        "The first packet to a neighbour makes its entry, and the next one finds it."
    fast_memory Passes
        "There was no memory for a moment; if it goes on, the machine has too little."
}

pub fn of(name: &str) -> Option<&'static Reason> {
    REASONS.iter().find(|reason| reason.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The module's own names, from its source, and what stands behind them.
    fn module() -> Vec<(&'static str, Vec<&'static str>)> {
        let source = include_str!("../../src/control/punts.rs");
        source
            .lines()
            .filter_map(|line| {
                let mut words = line.strip_prefix("    ")?.split(' ');
                let (first, second) = (words.next()?, words.next()?);
                let is_entry = first.starts_with(|c: char| c.is_ascii_uppercase());
                (is_entry && second.starts_with('"'))
                    .then(|| (second.trim_matches('"'), words.collect()))
            })
            .collect()
    }

    #[test]
    fn each_reason_of_the_module_is_here() {
        let ours: Vec<_> = REASONS.iter().map(|reason| reason.name).collect();
        let theirs: Vec<_> = module().iter().map(|(name, _)| *name).collect();
        assert_eq!(ours, theirs);
        assert!(ours.len() >= 39);
    }

    #[test]
    fn the_module_counts_the_same_packets() {
        let others: Vec<_> = module()
            .into_iter()
            .filter(|(_, more)| more.get(1) == Some(&"false"))
            .map(|(name, _)| name)
            .collect();
        let mut ours = crate::messages::OTHERS.to_vec();
        ours.sort_by_key(|name| others.iter().position(|other| other == name));
        assert_eq!(ours, others);
    }

    #[test]
    fn one_sentence_each() {
        for reason in REASONS {
            assert!(reason.advice.ends_with('.'), "{}", reason.name);
            assert!(!reason.advice.contains(". "), "{}", reason.name);
            assert!(reason.advice.len() <= 160, "{}", reason.name);
        }
    }
}
