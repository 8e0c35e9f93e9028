// SPDX-License-Identifier: GPL-2.0

//! A packet's way through altfib.
//!
//! The hook sees each received IPv4 packet after everybody else's PRE_ROUTING hooks and before
//! the kernel routes it. It decides as `ip_route_input_slow()` would, step by step, and attaches
//! the route; the kernel then finds `skb_valid_dst()` and skips its own lookup, its validation of
//! the source and early demux, which is why all three are done here. Whatever is not certain is
//! left to the kernel, untouched, and counted. altfib never drops a packet.
//!
//! Per packet: two table lookups (the local table is tiny), three calls into C, one counter of
//! this CPU, and no write to anything shared.

pub(crate) mod cached;
pub(crate) mod explain;
mod fast;
pub(crate) mod ipv6;

use crate::control::counts::Count;
use crate::mirror::ipv4::Match;
use crate::mirror::ipv4::Serving;
use crate::netns::Namespace;
use crate::sys::family::Ipv4;
use crate::sys::fib::RTN_LOCAL;
use crate::sys::fib::RTN_UNICAST;
use crate::sys::netfilter::Fate;
use crate::sys::netfilter::PreRouting;
use crate::sys::nexthop::Fill;
use crate::sys::nexthop::NextHop;
use crate::sys::outcome::Outcome;
use crate::sys::packet::Chosen;
use crate::sys::packet::HookPacket;
use crate::sys::packet::Packet;
use crate::sys::packet::Room;
use crate::sys::packet::Verdict;
use crate::sys::rcu::ReadSide;
use crate::sys::trace::Found;

impl PreRouting<Ipv4> for Namespace {
    #[inline]
    fn packet(&self, mut packet: HookPacket<'_, Ipv4>, rcu: ReadSide<'_>) -> Fate {
        let mut room = Room::new();
        let outcome = match packet.lend().read(self.hook(), &mut room, rcu) {
            Ok(packet) => route(self, packet, rcu),
            Err(reason) => reason,
        };
        self.counts().packet(outcome);
        packet.trace_punt(outcome);
        fast::leave(self, self.counts(), packet, outcome, rcu)
    }
}

#[inline]
fn route(ns: &Namespace, mut packet: Packet<'_>, rcu: ReadSide<'_>) -> Outcome {
    if ns.settings().has_other_cache() {
        return cached::route(ns, packet, rcu);
    }
    match decide(ns, &packet, rcu) {
        Ok(way) => attach(ns, way.nh, &mut packet, rcu),
        Err(reason) => reason,
    }
}

/// What was decided about a packet.
struct Way<'a> {
    nh: &'a NextHop,
    /// The next hop of its source's route, if that was asked for.
    source: Option<&'a NextHop>,
}

/// The next hop of the packet.
#[inline]
fn decide<'a>(
    ns: &'a Namespace,
    packet: &Packet<'_>,
    rcu: ReadSide<'a>,
) -> Result<Way<'a>, Outcome> {
    if !ns.settings().is_on() {
        return Err(Outcome::NOT_READY);
    }
    let serving = ns.mirror().serving(rcu).ok_or(Outcome::NOT_READY)?;
    let nh = destination(serving, packet, rcu)?;
    let source = accept_source(serving, packet, nh, rcu)?;
    Ok(Way { nh, source })
}

/// Decides about a packet once more and compares with the kernel. `None` if altfib would have left
/// it alone.
///
/// # Context
///
/// RCU read side, bottom halves off.
pub(crate) fn compare(
    ns: &Namespace,
    packet: HookPacket<'_, Ipv4>,
    rcu: ReadSide<'_>,
) -> Option<Verdict> {
    let mut room = Room::new();
    let mut packet = packet.read(ns.hook(), &mut room, rcu).ok()?;
    if ns.settings().has_other_cache() {
        return cached::compare(ns, packet, rcu);
    }
    let way = decide(ns, &packet, rcu).ok()?;
    Some(packet.verify(way.nh, rcu))
}

/// The next hop of the destination, if such a packet may go there.
#[inline]
fn destination<'a>(
    serving: &'a Serving,
    packet: &Packet<'_>,
    rcu: ReadSide<'_>,
) -> Result<&'a NextHop, Outcome> {
    let found = if packet.has_rules() {
        serving.lookup_by(&packet.plan(rcu), packet.daddr())
    } else {
        serving.lookup(packet.daddr())
    };
    packet.trace_lookup(
        || match found {
            Match::NextHop(nh) => Found::Route(nh),
            Match::LocalPrefix => Found::LocalPrefix,
            Match::Unclear => Found::Unclear,
            Match::None => Found::None,
        },
        rcu,
    );
    let nh = match found {
        Match::NextHop(nh) => nh,
        Match::LocalPrefix => return Err(Outcome::LOCAL_PREFIX),
        Match::Unclear => return Err(Outcome::RULES),
        Match::None => return Err(Outcome::NO_ROUTE),
    };
    if nh.is_for_dscp() {
        return Err(Outcome::DSCP);
    }
    match nh.route_type() {
        RTN_UNICAST if packet.may_forward() => Ok(nh),
        RTN_UNICAST => Err(Outcome::NOT_FORWARDING),
        RTN_LOCAL => Ok(nh),
        _ => Err(Outcome::ROUTE_TYPE),
    }
}

/// `fib_validate_source()`, as far as its answer is "yes" beyond doubt; and the next hop of the source's
/// route, if that was asked for.
///
/// One of its cases is left to [`Packet::attach`]: a packet that leaves where it came in.
#[inline]
fn accept_source<'a>(
    serving: &'a Serving,
    packet: &Packet<'_>,
    nh: &NextHop,
    rcu: ReadSide<'_>,
) -> Result<Option<&'a NextHop>, Outcome> {
    let accepted = match packet.rp_filter() {
        0 if packet.accepts_local_source() => true,
        0 if !packet.custom_local_routes() => !packet.source_is_own(),
        filter => return validated(serving, packet, nh, filter, rcu).ok_or(Outcome::SOURCE),
    };
    if accepted {
        Ok(None)
    } else {
        Err(Outcome::SOURCE)
    }
}

/// `__fib_validate_source()`: what route does the source have, if it is accepted?
fn validated<'a>(
    serving: &'a Serving,
    packet: &Packet<'_>,
    nh: &NextHop,
    filter: u8,
    rcu: ReadSide<'_>,
) -> Option<Option<&'a NextHop>> {
    let found = if packet.has_rules() {
        serving.lookup_by(&packet.source_plan(nh, rcu), packet.saddr())
    } else {
        serving.lookup(packet.saddr())
    };
    let nh = match found {
        Match::NextHop(nh) => nh,
        Match::LocalPrefix | Match::Unclear => return None,
        Match::None => return (filter == 0).then_some(None),
    };
    if nh.is_for_dscp() || nh.route_type() != RTN_UNICAST {
        return None;
    }
    let accepted = match packet.came_from(nh, rcu) {
        None => false,
        Some(true) => true,
        // Strict: it must come from there. Loose, or no filter: any route will do, on a device
        // with an address.
        Some(false) if packet.input_has_address() => filter != 1,
        Some(false) => filter == 0,
    };
    accepted.then_some(Some(nh))
}

/// Attaches the cached route of `nh`, filling its slot first if need be.
#[inline]
fn attach(ns: &Namespace, nh: &NextHop, packet: &mut Packet<'_>, rcu: ReadSide<'_>) -> Outcome {
    match try_attach(ns, nh, packet, rcu) {
        Outcome::NO_DST => attach_after_fill(ns, nh, packet, rcu),
        Outcome::VERIFY_DUE => verify(ns, nh, packet, rcu),
        outcome => outcome,
    }
}

#[inline]
fn try_attach(ns: &Namespace, nh: &NextHop, packet: &mut Packet<'_>, rcu: ReadSide<'_>) -> Outcome {
    let settings = ns.settings();
    packet.attach(
        nh,
        settings.early_demux_probe(),
        settings.verify_every(),
        rcu,
    )
}

/// Lets the kernel decide, and compares.
#[cold]
fn verify(ns: &Namespace, nh: &NextHop, packet: &mut Packet<'_>, rcu: ReadSide<'_>) -> Outcome {
    let verdict = packet.verify(nh, rcu);
    verified(ns, verdict, nh.route_type() == RTN_LOCAL)
}

/// What a comparison gave.
fn verified(ns: &Namespace, verdict: Verdict, local: bool) -> Outcome {
    match verdict {
        Verdict::Undecided => return Outcome::NO_DST,
        Verdict::Agrees(Chosen::OneOfSeveral) => ns.counts().count(Count::VerifyMember),
        Verdict::Agrees(Chosen::Only) if local => ns.counts().count(Count::VerifyLocal),
        Verdict::Agrees(Chosen::Only) => ns.counts().count(Count::VerifyForward),
        Verdict::Differs(difference) => ns.differs(difference),
    }
    Outcome::VERIFIED
}

#[cold]
fn attach_after_fill(
    ns: &Namespace,
    nh: &NextHop,
    packet: &mut Packet<'_>,
    rcu: ReadSide<'_>,
) -> Outcome {
    if nh.has_dst() {
        ns.counts().count(Count::DstStale);
    }
    match nh.fill(ns.net(), rcu) {
        Fill::Busy => Outcome::BUSY,
        Fill::Nothing => Outcome::NO_DST,
        Fill::Done => {
            ns.counts().count(Count::DstFill);
            match try_attach(ns, nh, packet, rcu) {
                Outcome::VERIFY_DUE => verify(ns, nh, packet, rcu),
                outcome => outcome,
            }
        }
    }
}
