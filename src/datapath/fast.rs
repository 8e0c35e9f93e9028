// SPDX-License-Identifier: GPL-2.0

//! A packet's way out, when `net.altfib.fastpath` is on.
//!
//! Routing is one part of forwarding. The stack goes to it and from it through functions that ask
//! who wants to see the packet; if nobody does, all that is left of them is a header to be changed, a few
//! counters, and the neighbour. That is done at once, for a packet that has just got its route. A packet
//! that was verified has the kernel's, and goes the same way, so that it is not overtaken by those behind it;
//! with `mode=verify` all go through the stack.

use crate::control::counts::Count;
use crate::control::counts::Counts;
use crate::netns::Namespace;
use crate::sys::fast::Forwards;
use crate::sys::netfilter::Fate;
use crate::sys::outcome::Outcome;
use crate::sys::packet::HookPacket;
use crate::sys::rcu::ReadSide;

/// What becomes of a packet that was decided.
#[inline]
pub(super) fn leave<P: Forwards>(
    ns: &Namespace,
    counts: &Counts,
    packet: HookPacket<'_, P>,
    outcome: Outcome,
    rcu: ReadSide<'_>,
) -> Fate {
    if ns.settings().fastpath() {
        forward(ns, counts, packet, outcome, rcu)
    } else {
        Fate::GOES_ON
    }
}

#[inline]
fn forward<P: Forwards>(
    ns: &Namespace,
    counts: &Counts,
    packet: HookPacket<'_, P>,
    outcome: Outcome,
    rcu: ReadSide<'_>,
) -> Fate {
    if !ns.settings().mode_is_on() || !matches!(outcome, Outcome::FORWARD | Outcome::VERIFIED) {
        return Fate::GOES_ON;
    }
    packet.forward::<_, { Count::FAST }>(counts.raw(), rcu)
}
