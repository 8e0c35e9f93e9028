// SPDX-License-Identifier: GPL-2.0

//! An IPv6 packet's way through altfib.
//!
//! As for IPv4, with less to do: the kernel validates no source here, looks at the forwarding
//! settings behind routing, and keeps a dst for each route and CPU, which is what is attached.

use crate::control::counts::Count;
use crate::mirror::ipv6::Match;
use crate::netns::Namespace;
use crate::sys::family::Ipv6;
use crate::sys::netfilter::PreRouting;
use crate::sys::outcome::Outcome;
use crate::sys::packet::Chosen;
use crate::sys::packet::HookPacket;
use crate::sys::packet6::Packet6;
use crate::sys::packet6::Verdict6;
use crate::sys::rcu::ReadSide;
use crate::sys::route6::Route6;

impl PreRouting<Ipv6> for Namespace {
    #[inline]
    fn packet(&self, packet: HookPacket<'_, Ipv6>, rcu: ReadSide<'_>) {
        let side = self.ipv6();
        let outcome = match packet.read(side.hook(), rcu) {
            Ok(packet) => route(self, packet, rcu),
            Err(reason) => reason,
        };
        side.counts().packet(outcome);
    }
}

#[inline]
fn route(ns: &Namespace, mut packet: Packet6<'_>, rcu: ReadSide<'_>) -> Outcome {
    let route = match decide(ns, &packet, rcu) {
        Ok(route) => route,
        Err(reason) => return reason,
    };
    let settings = ns.settings();
    match packet.attach(
        route,
        settings.early_demux_probe(),
        settings.verify_every(),
        rcu,
    ) {
        Outcome::VERIFY_DUE => verify(ns, route, &mut packet, rcu),
        outcome => outcome,
    }
}

/// The route of the packet.
#[inline]
fn decide<'a>(
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
    let mut packet = packet.read(ns.ipv6().hook(), rcu).ok()?;
    let route = decide(ns, &packet, rcu).ok()?;
    Some(packet.verify(route, rcu))
}

/// Lets the kernel decide, and compares.
#[cold]
fn verify(ns: &Namespace, route: &Route6, packet: &mut Packet6<'_>, rcu: ReadSide<'_>) -> Outcome {
    let counts = ns.ipv6().counts();
    match packet.verify(route, rcu) {
        Verdict6::Undecided => return Outcome::NO_DST,
        Verdict6::Agrees(Chosen::OneOfSeveral) => counts.count(Count::VerifyMember),
        Verdict6::Agrees(Chosen::Only) if Packet6::is_local(route) => {
            counts.count(Count::VerifyLocal)
        }
        Verdict6::Agrees(Chosen::Only) => counts.count(Count::VerifyForward),
        Verdict6::Differs(difference) => ns.differs6(difference),
    }
    Outcome::VERIFIED
}
