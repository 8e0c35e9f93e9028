// SPDX-License-Identifier: GPL-2.0

//! An IPv6 packet's way through altfib.
//!
//! As for IPv4, with less to do: the kernel validates no source here, looks at the forwarding
//! settings behind routing, and keeps a dst for each route and CPU, which is what is attached.

use crate::control::counts::Count;
use crate::mirror::ipv6::Match;
use crate::netns::Namespace;
use crate::sys::family::Ipv6;
use crate::sys::flow::Flows;
use crate::sys::netfilter::Fate;
use crate::sys::netfilter::PreRouting;
use crate::sys::outcome::Outcome;
use crate::sys::packet::Chosen;
use crate::sys::packet::HookPacket;
use crate::sys::packet::Room;
use crate::sys::packet6::Packet6;
use crate::sys::packet6::Verdict6;
use crate::sys::rcu::ReadSide;
use crate::sys::route6::Route6;
use crate::sys::trace::Found;

impl PreRouting<Ipv6> for Namespace {
    #[inline]
    fn packet(&self, mut packet: HookPacket<'_, Ipv6>, rcu: ReadSide<'_>) -> Fate {
        let side = self.ipv6();
        let mut room = Room::new();
        let outcome = match packet.lend().read(side.hook(), &mut room, rcu) {
            Ok(packet) => route(self, packet, rcu),
            Err(reason) => reason,
        };
        side.counts().packet(outcome);
        packet.trace_punt(outcome);
        super::fast::leave(self, side.counts(), packet, outcome, rcu)
    }
}

#[inline]
fn route(ns: &Namespace, mut packet: Packet6<'_>, rcu: ReadSide<'_>) -> Outcome {
    if ns.settings().has_other_cache() {
        if let Some(flows) = ns.ipv6().cache().flows(rcu) {
            return by_flow(ns, flows, packet, rcu);
        }
    }
    match decide(ns, &packet, rcu) {
        Ok(route) => attach(ns, route, &mut packet, rcu),
        Err(reason) => reason,
    }
}

#[inline]
fn attach(ns: &Namespace, route: &Route6, packet: &mut Packet6<'_>, rcu: ReadSide<'_>) -> Outcome {
    let settings = ns.settings();
    match packet.attach(
        route,
        settings.early_demux_probe(),
        settings.verify_every(),
        rcu,
    ) {
        Outcome::VERIFY_DUE => verify(ns, route, packet, rcu),
        outcome => outcome,
    }
}

/// As [`super::cached`].
#[inline(never)]
fn by_flow(
    ns: &Namespace,
    flows: &Flows<Ipv6>,
    mut packet: Packet6<'_>,
    rcu: ReadSide<'_>,
) -> Outcome {
    let settings = ns.settings();
    if !settings.is_on() {
        return Outcome::NOT_READY;
    }
    let (outcome, ticket) = flows.attach(
        &mut packet,
        settings.early_demux_probe(),
        settings.verify_every(),
        rcu,
    );
    match outcome {
        Outcome::NOT_CACHED => {}
        Outcome::VERIFY_DUE => return verify_flow(ns, flows, &mut packet, rcu),
        outcome => return outcome,
    }
    let route = match decide(ns, &packet, rcu) {
        Ok(route) => route,
        Err(reason) => return reason,
    };
    let outcome = attach(ns, route, &mut packet, rcu);
    if matches!(
        outcome,
        Outcome::FORWARD | Outcome::LOCAL | Outcome::VERIFIED
    ) {
        flows.keep(&packet, route, &ticket, rcu);
    }
    outcome
}

/// The route of the packet.
#[inline]
pub(super) fn decide<'a>(
    ns: &'a Namespace,
    packet: &Packet6<'_>,
    rcu: ReadSide<'a>,
) -> Result<&'a Route6, Outcome> {
    if !ns.settings().is_on() {
        return Err(Outcome::NOT_READY);
    }
    let serving = ns.ipv6().mirror().serving(rcu).ok_or(Outcome::NOT_READY)?;
    let found = if packet.has_rules() {
        serving.lookup_by(&packet.plan(rcu), packet.daddr())
    } else {
        serving.lookup(packet.daddr())
    };
    packet.trace_lookup(|| match found {
        Match::Route(route) => Found::Route(route),
        Match::Unclear => Found::Unclear,
        Match::None => Found::None,
    });
    match found {
        Match::Route(route) => Ok(route),
        Match::Unclear => Err(Outcome::RULES),
        Match::None => Err(Outcome::NO_ROUTE),
    }
}

/// As [`super::compare`].
pub(crate) fn compare(
    ns: &Namespace,
    packet: HookPacket<'_, Ipv6>,
    rcu: ReadSide<'_>,
) -> Option<Verdict6> {
    let mut room = Room::new();
    let mut packet = packet.read(ns.ipv6().hook(), &mut room, rcu).ok()?;
    if let Some(flows) = ns.ipv6().cache().flows(rcu) {
        if let Some(verdict) = flows.verify(&mut packet, true, rcu) {
            return Some(verdict);
        }
    }
    let route = decide(ns, &packet, rcu).ok()?;
    Some(packet.verify(route, rcu))
}

/// Lets the kernel decide, and compares.
#[cold]
fn verify(ns: &Namespace, route: &Route6, packet: &mut Packet6<'_>, rcu: ReadSide<'_>) -> Outcome {
    let verdict = packet.verify(route, rcu);
    verified(ns, verdict, Packet6::is_local(route))
}

/// Lets the kernel decide, and compares with what was kept.
#[cold]
fn verify_flow(
    ns: &Namespace,
    flows: &Flows<Ipv6>,
    packet: &mut Packet6<'_>,
    rcu: ReadSide<'_>,
) -> Outcome {
    let verdict = flows.verify(packet, false, rcu);
    if verdict.is_some() {
        ns.ipv6().counts().count(Count::VerifyCached);
    }
    let local = packet.is_for_this_host();
    verified(ns, verdict.unwrap_or(Verdict6::Undecided), local)
}

/// What a comparison gave.
fn verified(ns: &Namespace, verdict: Verdict6, local: bool) -> Outcome {
    let counts = ns.ipv6().counts();
    match verdict {
        Verdict6::Undecided => return Outcome::NO_DST,
        Verdict6::Agrees(Chosen::OneOfSeveral) => counts.count(Count::VerifyMember),
        Verdict6::Agrees(Chosen::Only) if local => counts.count(Count::VerifyLocal),
        Verdict6::Agrees(Chosen::Only) => counts.count(Count::VerifyForward),
        Verdict6::Differs(difference) => ns.differs6(difference),
    }
    Outcome::VERIFIED
}
