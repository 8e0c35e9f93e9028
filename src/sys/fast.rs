// SPDX-License-Identifier: GPL-2.0

//! Forwarding a packet from PRE_ROUTING; see helpers_fastpath.c.

use super::bindings;
use super::counters::Counters;
use super::family::Ipv4;
use super::family::Ipv6;
use super::netfilter::Fate;
use super::netfilter::Protocol;
use super::packet::HookPacket;
use super::rcu::ReadSide;

/// How many ways there are for a packet to go, numbered from 0: the first is the fast one.
pub(crate) const WAYS: u32 = bindings::altfib_fast_ALTFIB_NR_FAST;

/// A family whose packets can be forwarded from PRE_ROUTING.
pub(crate) trait Forwards: Protocol {
    /// Forwards a packet, or leaves it as it is; counts which, in counter `first` of `counters` or one
    /// of those behind it.
    ///
    /// # Safety
    ///
    /// The packet is with the last hook at PRE_ROUTING of this family, and nobody uses it any more if
    /// the answer is `true`. `counters` are allocated, and have [`WAYS`] from `first` on.
    unsafe fn forward(packet: &HookPacket<'_, Self>, counters: *mut u64, first: u32) -> bool
    where
        Self: Sized;
}

impl Forwards for Ipv4 {
    #[inline]
    unsafe fn forward(packet: &HookPacket<'_, Self>, counters: *mut u64, first: u32) -> bool {
        // SAFETY: By the requirement, and packet and state are valid.
        unsafe { bindings::fast(packet.skb, packet.state, counters, first) }
    }
}

impl Forwards for Ipv6 {
    #[inline]
    unsafe fn forward(packet: &HookPacket<'_, Self>, counters: *mut u64, first: u32) -> bool {
        // SAFETY: As above.
        unsafe { bindings::fast6(packet.skb, packet.state, counters, first) }
    }
}

impl<P: Forwards> HookPacket<'_, P> {
    /// Forwards the packet if it has a route and nothing else has to be asked; otherwise it goes on as
    /// it is. Counts which and why, from counter `FIRST` on.
    #[inline]
    pub(crate) fn forward<const N: usize, const FIRST: u32>(
        self,
        counters: &Counters<N>,
        _rcu: ReadSide<'_>,
    ) -> Fate {
        const { assert!((FIRST + WAYS) as usize <= N) };
        let area = counters.area();
        // SAFETY: We have the packet, which netfilter lent to the hook, and give it away with our answer.
        // That the hook is the last one was asked before the packet got its route. The counters are
        // allocated, and enough.
        if !area.is_null() && unsafe { P::forward(&self, area, FIRST) } {
            Fate::GONE
        } else {
            Fate::GOES_ON
        }
    }
}
