// SPDX-License-Identifier: GPL-2.0

//! What would become of a packet, and what the kernel says of it; nothing is done.
//!
//! As the packet path decides, with its own functions. The kernel is asked with the same packet.

use super::decide;
use super::ipv6;
use crate::cache::Strategy;
use crate::mirror::ipv4::Match;
use crate::mirror::ipv6::Match as Match6;
use crate::netns::Namespace;
use crate::sys::family::Ipv4;
use crate::sys::family::Ipv6;
use crate::sys::netlink::Kernels;
use crate::sys::netlink::Request;
use crate::sys::nexthop::NextHop;
use crate::sys::nexthop::Slot;
use crate::sys::outcome::Outcome;
use crate::sys::packet::HookPacket;
use crate::sys::packet::Room;
use crate::sys::rcu::ReadSide;
use crate::sys::route6::Route6;

/// What altfib found for an address.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    /// The table, and which record of the mirror it is.
    pub(crate) table: u32,
    pub(crate) record: usize,
    pub(crate) slot: Slot,
}

/// What became of a question.
#[derive(Default)]
pub(crate) struct Explained {
    pub(crate) found: Option<Found>,
    /// What is kept of a received packet's flow, with a cache of flows.
    pub(crate) flow: Option<Slot>,
    /// Why a received packet would be left to the kernel.
    pub(crate) punt: Option<Outcome>,
    pub(crate) kernels: Kernels,
}

/// What identifies a record of the mirror while that does not change.
pub(crate) fn identity<T>(record: &T) -> usize {
    core::ptr::from_ref(record) as usize
}

fn found(ns: &Namespace, nh: Option<&NextHop>, table: Option<u32>) -> Option<Found> {
    let (nh, table) = nh.zip(table)?;
    Some(Found {
        table,
        record: identity(nh),
        slot: nh.slot(ns.net()),
    })
}

/// What a lookup has said: a next hop, none, or nothing that is certain.
fn certain(found: Match<'_>) -> Option<Option<&NextHop>> {
    match found {
        Match::NextHop(nh) => Some(Some(nh)),
        Match::None => Some(None),
        Match::LocalPrefix | Match::Unclear => None,
    }
}

fn certain6(found: Match6<'_>) -> Option<Option<&Route6>> {
    match found {
        Match6::Route(route) => Some(Some(route)),
        Match6::None => Some(None),
        Match6::Unclear => None,
    }
}

/// About a received packet, which is a probe.
///
/// # Context
///
/// RCU read side, bottom halves off.
pub(crate) fn received(
    ns: &Namespace,
    packet: &HookPacket<'_, Ipv4>,
    rcu: ReadSide<'_>,
) -> Explained {
    let left = |punt| Explained {
        punt: Some(punt),
        kernels: packet.ask_kernel(ns.net(), None, None, rcu),
        ..Explained::default()
    };
    let serving = match ns.mirror().serving(rcu) {
        Some(serving) if ns.settings().is_on() && ns.why_not().is_none() => serving,
        _ => return left(Outcome::NOT_READY),
    };
    let mut room = Room::new();
    let read = match packet.read(ns.hook(), &mut room, rcu) {
        Ok(read) => read,
        Err(reason) => return left(reason),
    };
    let plan = read.has_rules().then(|| read.plan(rcu));
    let (route, table) = serving.find(plan.as_ref(), read.daddr());
    let route = certain(route);
    let flow = ns.ipv4().cache().flows(rcu);
    let flow = flow.map(|flows| flows.peek(&read, rcu));
    let dst = match flow {
        // Without a decision.
        Some((_, Some(dst))) => Ok(dst),
        _ => {
            let kept = ns.settings().cache() != Strategy::None;
            decide(ns, &read, rcu).and_then(|way| read.peek(way.nh, kept, rcu))
        }
    };
    Explained {
        found: found(ns, route.flatten(), table),
        flow: flow.map(|(slot, _)| slot),
        punt: dst.err(),
        kernels: packet.ask_kernel(ns.net(), route, dst.ok(), rcu),
    }
}

/// About a received IPv6 packet, which is a probe.
///
/// # Context
///
/// RCU read side, bottom halves off.
pub(crate) fn received6(
    ns: &Namespace,
    packet: &HookPacket<'_, Ipv6>,
    rcu: ReadSide<'_>,
) -> Explained {
    let side = ns.ipv6();
    let left = |punt| Explained {
        punt: Some(punt),
        kernels: packet.ask_kernel(ns.net(), None, false, None, rcu),
        ..Explained::default()
    };
    let serving = match side.mirror().serving(rcu) {
        Some(serving) if ns.settings().is_on() && side.why_not().is_none() => serving,
        _ => return left(Outcome::NOT_READY),
    };
    let mut room = Room::new();
    let read = match packet.read(side.hook(), &mut room, rcu) {
        Ok(read) => read,
        Err(reason) => return left(reason),
    };
    let plan = read.has_rules().then(|| read.plan(rcu));
    let (route, table) = serving.find(plan.as_ref(), read.daddr());
    let route = certain6(route);
    let flow = side.cache().flows(rcu);
    let flow = flow.map(|flows| flows.peek(&read, rcu));
    let dst = match flow {
        Some((_, Some(dst))) => Ok(dst),
        _ => ipv6::decide(ns, &read, rcu).and_then(|route| read.peek(route, rcu)),
    };
    let stands = matches!(dst, Ok(_) | Err(Outcome::NO_DST));
    Explained {
        found: route.flatten().zip(table).map(|(route, table)| Found {
            table,
            record: identity(route),
            // The kernel's own, of this CPU.
            slot: if dst.is_ok() {
                Slot::Cached
            } else {
                Slot::Empty
            },
        }),
        flow: flow.map(|(slot, _)| slot),
        punt: dst.err(),
        kernels: packet.ask_kernel(ns.net(), route, stands, dst.ok(), rcu),
    }
}

/// About a packet of the host's own.
///
/// # Context
///
/// RCU read side.
pub(crate) fn sent(ns: &Namespace, request: &Request, rcu: ReadSide<'_>) -> Explained {
    let Some(serving) = ns.mirror().serving(rcu) else {
        return Explained {
            punt: Some(Outcome::NOT_READY),
            kernels: request.ask_kernel(ns.net(), None, rcu),
            ..Explained::default()
        };
    };
    let plan = request.output_plan(ns.net(), rcu);
    let (route, table) = serving.find(plan.as_ref(), request.dst4());
    let route = certain(route);
    Explained {
        found: found(ns, route.flatten(), table),
        kernels: request.ask_kernel(ns.net(), route, rcu),
        ..Explained::default()
    }
}

/// About an IPv6 packet of the host's own.
///
/// # Context
///
/// RCU read side.
pub(crate) fn sent6(ns: &Namespace, request: &Request, rcu: ReadSide<'_>) -> Explained {
    let Some(serving) = ns.ipv6().mirror().serving(rcu) else {
        return Explained {
            punt: Some(Outcome::NOT_READY),
            kernels: request.ask_kernel6(ns.net(), None, rcu),
            ..Explained::default()
        };
    };
    let plan = request.output_plan(ns.net(), rcu);
    let (route, table) = serving.find(plan.as_ref(), request.dst6());
    let route = certain6(route);
    Explained {
        found: route.flatten().zip(table).map(|(route, table)| Found {
            table,
            record: identity(route),
            slot: Slot::Empty,
        }),
        kernels: request.ask_kernel6(ns.net(), route, rcu),
        ..Explained::default()
    }
}
