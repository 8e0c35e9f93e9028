// SPDX-License-Identifier: GPL-2.0

//! Why packets were left to the kernel, by name: `/proc/net/altfib/punts`.

use super::counts::Count;
use super::Shown;
use crate::netns::Namespace;
use crate::sys::net::Net;
use crate::sys::outcome::Outcome;
use crate::sys::seq;
use core::marker::PhantomData;
use kernel::seq_file::seq_print;
use kernel::seq_file::SeqFile;

/// A family of reasons, one column in `/proc/net/stat/altfib`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// The state of altfib.
    State,
    /// What the packet is.
    Packet,
    /// How the namespace or the device is set up.
    Config,
    /// What route the destination has.
    Route,
    /// Whether the source is to be believed.
    Source,
    /// What the next hop is like now.
    NextHop,
    /// Not a punt: the kernel looks nothing up either.
    Socket,
}

impl Group {
    /// Its name, as in the column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Group::State => "state",
            Group::Packet => "packet",
            Group::Config => "config",
            Group::Route => "route",
            Group::Source => "source",
            Group::NextHop => "nexthop",
            Group::Socket => "socket",
        }
    }
}

/// A reason to leave a packet to the kernel.
pub(crate) struct Reason {
    pub(crate) outcome: Outcome,
    pub(crate) name: &'static str,
    pub(crate) group: Group,
    /// What causes it, as a clause.
    pub(crate) cause: &'static str,
    /// Whether such a packet is unicast, to be routed on or delivered here.
    pub(crate) eligible: bool,
}

macro_rules! reasons {
    ($($outcome:ident $name:literal $group:ident $eligible:literal $cause:literal)*) => {
        /// All reasons, in the order in which a packet meets them.
        pub(crate) const REASONS: &[Reason] = &[
            $(
                Reason {
                    outcome: Outcome::$outcome,
                    name: $name,
                    group: Group::$group,
                    cause: $cause,
                    eligible: $eligible,
                },
            )*
        ];
    };
}

reasons! {
    HAS_DST "has_dst" Packet false "it is routed already: loopback, tunnel metadata"
    HAS_SOCKET "has_socket" Packet true "a socket was assigned before routing (TPROXY, BPF)"
    NOT_UNICAST_FRAME "not_unicast_frame" Packet false
        "the link layer sent it to everybody, to a group or to somebody else"
    IP_OPTIONS "ip_options" Packet true "its header carries options"
    IPSEC "ipsec" Packet true "it came out of an IPsec transform"
    BRIDGE "bridge" Packet true "it is bridged, not routed"
    VRF "vrf" Config false "it comes again, as a packet of its VRF"
    RULES "rules" Config true "a policy rule is, or might be, for it"
    TCLASSID "tclassid" Config true "route realms are in use"
    HOOK_ORDER "hook_order" Config true
        "a PRE_ROUTING hook of the last priority runs after altfib's"
    SPECIAL_ADDRESS "special_address" Packet false
        "an address is multicast, broadcast, loopback or zero"
    NO_IN_DEVICE "no_in_device" Config true "a device has no configuration for the family"
    NOT_READY "not_ready" State true "altfib is off or the routes are being read"
    NO_ROUTE "no_route" Route true "no prefix matches"
    LOCAL_PREFIX "local_prefix" Route true "a local route covers more than one address (AnyIP)"
    SOURCE_SPECIFIC "source_specific" Route true
        "there are routes for certain sources (IPv6)"
    DSCP "dscp" Route true "the prefix has a route for one DSCP"
    ROUTE_TYPE "route_type" Route true
        "the route is broadcast, unreachable, blackhole, prohibit or throw"
    NOT_FORWARDING "not_forwarding" Config true "forwarding is off on the input device"
    SOURCE "source" Source true "its source may fail validation (rp_filter, own address)"
    DEAD_NEXTHOP "dead_nexthop" NextHop true "the next hop is dead or has no carrier"
    REACHABILITY "reachability" NextHop true
        "a host, which does not forward, prefers reachable routers (IPv6)"
    MULTIPATH "multipath" Route true
        "of several paths the kernel must choose (resilient group, IPv6 gateway)"
    REDIRECT "redirect" NextHop true "it leaves where it came in and a redirect may be due"
    EXCEPTION "exception" NextHop true "the next hop has PMTU or redirect exceptions"
    NO_DST "no_dst" NextHop true
        "first packet of a next hop after a change: the kernel makes its dst"
    BUSY "busy" State true "the mirror was being changed at that moment"
    EARLY_DEMUX "early_demux" Socket true "a connected socket claims it, without any lookup"
}

/// A reason to send a packet that has its route through the stack, with the fast path on.
pub(crate) struct FastReason {
    pub(crate) count: Count,
    pub(crate) name: &'static str,
    /// What causes it, as a clause.
    pub(crate) cause: &'static str,
}

/// The group of these, as in the file.
pub(crate) const FAST_GROUP: &str = "fast";

macro_rules! fast_reasons {
    ($($count:ident $name:literal $cause:literal)*) => {
        /// All of them, in the order of `enum altfib_fast`.
        pub(crate) const FAST_REASONS: &[FastReason] = &[
            $(
                FastReason {
                    count: Count::$count,
                    name: $name,
                    cause: $cause,
                },
            )*
        ];
    };
}

fast_reasons! {
    FastHooks "fast_hooks" "something listens at FORWARD or POST_ROUTING"
    FastXfrm "fast_xfrm" "there are IPsec policies"
    FastDst "fast_dst" "its route is a tunnel's, or for this host"
    FastConfig "fast_config" "forwarding is for one device only, IPv6 is off there, or neighbours are proxied"
    FastPacket "fast_packet" "it was put together from fragments, is of a VRF, or of a queue; or its headers are unusual"
    FastTtl "fast_ttl" "its time to live ends here"
    FastRedirect "fast_redirect" "it leaves where it came in (IPv6)"
    FastSource "fast_source" "its source may not leave its link (IPv6)"
    FastMtu "fast_mtu" "it is too long for the next link"
    FastNeighbour "fast_neighbour" "first packet to a neighbour: the kernel makes it"
    FastMemory "fast_memory" "there was no memory for a longer header"
}

pub(crate) struct Punts<F>(PhantomData<F>);

impl<F: Shown> seq::Page for Punts<F> {
    fn print(net: &Net, out: &SeqFile) {
        let Some(ns) = net.value::<Namespace>() else {
            return;
        };
        seq_print!(
            out,
            "{:<18} {:>20} {:<8} {}\n",
            "reason",
            "packets",
            "group",
            "cause"
        );
        for reason in REASONS {
            seq_print!(
                out,
                "{:<18} {:>20} {:<8} {}\n",
                reason.name,
                F::counts(ns).packets(reason.outcome, None),
                reason.group.name(),
                reason.cause
            );
        }
        for reason in FAST_REASONS {
            seq_print!(
                out,
                "{:<18} {:>20} {:<8} {}\n",
                reason.name,
                F::counts(ns).read(reason.count, None),
                FAST_GROUP,
                reason.cause
            );
        }
    }
}
