// SPDX-License-Identifier: GPL-2.0

//! A packet's way when its route is found again in another way than with its next hop: see
//! [`crate::cache`].
//!
//! A hit takes two calls into C and no lookup; a miss is decided as any other packet, and then kept.

use super::Way;
use crate::cache::Strategy;
use crate::control::counts::Count;
use crate::netns::Namespace;
use crate::sys::family::Ipv4;
use crate::sys::fib::RTN_LOCAL;
use crate::sys::flow::Flows;
use crate::sys::nexthop::NextHop;
use crate::sys::outcome::Outcome;
use crate::sys::packet::Packet;
use crate::sys::packet::Verdict;
use crate::sys::rcu::ReadSide;

#[inline(never)]
pub(super) fn route(ns: &Namespace, mut packet: Packet<'_>, rcu: ReadSide<'_>) -> Outcome {
    let settings = ns.settings();
    if !settings.is_on() {
        return Outcome::NOT_READY;
    }
    match ns.ipv4().cache().flows(rcu) {
        Some(flows) => by_flow(ns, flows, packet, rcu),
        None if settings.cache() == Strategy::None => uncached(ns, &mut packet, rcu),
        // It is just being switched.
        None => decided(ns, &mut packet, rcu).map_or_else(|reason| reason, |(outcome, _)| outcome),
    }
}

fn by_flow(
    ns: &Namespace,
    flows: &Flows<Ipv4>,
    mut packet: Packet<'_>,
    rcu: ReadSide<'_>,
) -> Outcome {
    let settings = ns.settings();
    let (outcome, ticket) = flows.attach(
        &mut packet,
        settings.early_demux_probe(),
        settings.verify_every(),
        rcu,
    );
    match outcome {
        Outcome::NOT_CACHED => {}
        Outcome::VERIFY_DUE => return verify(ns, flows, &mut packet, rcu),
        outcome => return outcome,
    }
    match decided(ns, &mut packet, rcu) {
        Ok((outcome, way)) => {
            if matches!(
                outcome,
                Outcome::FORWARD | Outcome::LOCAL | Outcome::VERIFIED
            ) {
                flows.keep(&packet, way.nh, way.source, &ticket, rcu);
            }
            outcome
        }
        Err(reason) => reason,
    }
}

/// As without another cache.
fn decided<'a>(
    ns: &'a Namespace,
    packet: &mut Packet<'_>,
    rcu: ReadSide<'a>,
) -> Result<(Outcome, Way<'a>), Outcome> {
    let way = super::decide(ns, packet, rcu)?;
    let outcome = super::attach(ns, way.nh, packet, rcu);
    Ok((outcome, way))
}

fn uncached(ns: &Namespace, packet: &mut Packet<'_>, rcu: ReadSide<'_>) -> Outcome {
    let settings = ns.settings();
    let nh = match super::decide(ns, packet, rcu) {
        Ok(way) => way.nh,
        Err(reason) => return reason,
    };
    match packet.attach_uncached(
        nh,
        settings.early_demux_probe(),
        settings.verify_every(),
        rcu,
    ) {
        Outcome::VERIFY_DUE => verify_uncached(ns, nh, packet, rcu),
        outcome => outcome,
    }
}

#[cold]
fn verify_uncached(
    ns: &Namespace,
    nh: &NextHop,
    packet: &mut Packet<'_>,
    rcu: ReadSide<'_>,
) -> Outcome {
    let verdict = packet.verify_uncached(nh, rcu);
    super::verified(ns, verdict, nh.route_type() == RTN_LOCAL)
}

/// Lets the kernel decide, and compares with what was kept.
#[cold]
fn verify(
    ns: &Namespace,
    flows: &Flows<Ipv4>,
    packet: &mut Packet<'_>,
    rcu: ReadSide<'_>,
) -> Outcome {
    let verdict = flows.verify(packet, false, rcu);
    if verdict.is_some() {
        ns.counts().count(Count::VerifyCached);
    }
    let local = packet.is_for_this_host();
    super::verified(ns, verdict.unwrap_or(Verdict::Undecided), local)
}

/// As [`super::compare`]: what any CPU has kept, or what would be decided now.
pub(super) fn compare(
    ns: &Namespace,
    mut packet: Packet<'_>,
    rcu: ReadSide<'_>,
) -> Option<Verdict> {
    if let Some(flows) = ns.ipv4().cache().flows(rcu) {
        if let Some(verdict) = flows.verify(&mut packet, true, rcu) {
            return Some(verdict);
        }
    }
    let way = super::decide(ns, &packet, rcu).ok()?;
    Some(match ns.settings().cache() {
        Strategy::None => packet.verify_uncached(way.nh, rcu),
        _ => packet.verify(way.nh, rcu),
    })
}
