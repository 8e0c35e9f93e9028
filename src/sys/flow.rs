// SPDX-License-Identifier: GPL-2.0

//! A cache of flows: what the packet path asks before it decides, and tells when it has.
//!
//! What is in it, and when it still holds, is in helpers_cache.c.

use super::bindings;
use super::counters::Counters;
use super::family::Ipv4;
use super::family::Ipv6;
use super::net::Net;
use super::nexthop::NextHop;
use super::nexthop::Slot;
use super::outcome::Outcome;
use super::packet::Difference;
use super::packet::Dst;
use super::packet::Packet;
use super::packet::Verdict;
use super::packet6::Difference6;
use super::packet6::Packet6;
use super::packet6::Verdict6;
use super::rcu::ReadSide;
use super::route6::Route6;
use super::rtnl::Rtnl;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering;
use kernel::prelude::*;

/// A number that moves before and behind each change of a mirror: odd while one is under way.
#[repr(transparent)]
pub(crate) struct Generation(AtomicU32);

impl Generation {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// A change begins or ends. Callers are serialised.
    pub(crate) fn step(&self) {
        // ORDERING: Full, so that it is seen between what is before and what is behind it.
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// The number now.
    pub(crate) fn get(&self) -> u32 {
        // ORDERING: As above.
        self.0.load(Ordering::SeqCst)
    }

    /// Something else has changed, at once.
    pub(crate) fn skip(&self) {
        // ORDERING: As above.
        self.0.fetch_add(2, Ordering::SeqCst);
    }
}

/// How a cache finds a flow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// So many chains, of all CPUs; a power of two.
    Chains(u32),
    /// So many places for each CPU, of one flow each; a power of two.
    Places(u32),
}

/// How many flows there may be, and for how long; in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) gc_thresh: u32,
    pub(crate) gc_interval: u32,
    pub(crate) gc_timeout: u32,
    pub(crate) gc_elasticity: u32,
    pub(crate) max_size: u32,
}

/// As things were before a packet was decided: what is kept of it counts from then.
pub(crate) struct Ticket(MaybeUninit<bindings::altfib_ticket>);

/// A cache of flows of family `K`.
///
/// # Invariants
///
/// The pointer is valid and owned by this value.
pub(crate) struct Flows<K>(NonNull<bindings::altfib_flows>, PhantomData<fn(K)>);

// SAFETY: Flows are found under RCU and changed with locks or atomically.
unsafe impl<K> Send for Flows<K> {}
// SAFETY: As above.
unsafe impl<K> Sync for Flows<K> {}

impl<K> Flows<K> {
    /// A cache without flows, which counts from counter `first` on.
    ///
    /// # Safety
    ///
    /// `net`, `generation` and `counters`, which are allocated, outlive it. It is dropped a grace
    /// period after the last use.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    unsafe fn allocate<const N: usize>(
        net: &Net,
        ipv6: bool,
        shape: Shape,
        generation: &Generation,
        counters: &Counters<N>,
        first: u32,
    ) -> Result<Self> {
        let (percpu, size) = match shape {
            Shape::Chains(size) => (false, size),
            Shape::Places(size) => (true, size),
        };
        // INVARIANT: Just allocated.
        // SAFETY: By the requirement; the number has the layout of the kernel's atomics.
        NonNull::new(unsafe {
            bindings::flows_alloc(
                net.as_ptr(),
                ipv6,
                percpu,
                size,
                generation.0.as_ptr(),
                counters.area(),
                first,
            )
        })
        .map(|p| Self(p, PhantomData))
        .ok_or(ENOMEM)
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::altfib_flows {
        self.0.as_ptr()
    }

    /// How many flows there are.
    pub(crate) fn len(&self) -> u32 {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::flows_entries(self.as_ptr()) }
    }

    /// Sets the limits, from now on.
    pub(crate) fn set_limits(&self, limits: Limits) {
        let limits = bindings::altfib_cache_limits {
            gc_thresh: limits.gc_thresh,
            gc_interval: limits.gc_interval,
            gc_timeout: limits.gc_timeout,
            gc_elasticity: limits.gc_elasticity,
            max_size: limits.max_size,
        };
        // SAFETY: Both are valid.
        unsafe { bindings::flows_set_limits(self.as_ptr(), &limits) };
    }

    /// Looks once more at flows of the host's own packets that differed: how many are wrong.
    ///
    /// # Context
    ///
    /// Process, RTNL held.
    pub(crate) fn wrong(&self, _rtnl: &Rtnl) -> u32 {
        // SAFETY: Valid by the type invariant; the helper takes RCU itself.
        unsafe { bindings::flows_suspects(self.as_ptr()) }
    }

    /// Takes all flows of the next places out, and gives their references back. Says where to go on,
    /// 0 at the end.
    pub(crate) fn flush(&self, at: u64) -> u64 {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::flows_flush(self.as_ptr(), at) }
    }
}

impl<K> Drop for Flows<K> {
    fn drop(&mut self) {
        // SAFETY: Valid and owned by the type invariant; nobody uses it any more.
        unsafe { bindings::flows_free(self.as_ptr()) };
    }
}

/// A family whose packets can have their flows kept.
pub(crate) trait Cached: Sized {
    /// As [`Flows::allocate`].
    ///
    /// # Safety
    ///
    /// As there.
    unsafe fn flows<const N: usize>(
        net: &Net,
        shape: Shape,
        generation: &Generation,
        counters: &Counters<N>,
        first: u32,
    ) -> Result<Flows<Self>>;
}

impl Cached for Ipv4 {
    unsafe fn flows<const N: usize>(
        net: &Net,
        shape: Shape,
        generation: &Generation,
        counters: &Counters<N>,
        first: u32,
    ) -> Result<Flows<Self>> {
        // SAFETY: By the requirement.
        unsafe { Flows::allocate(net, false, shape, generation, counters, first) }
    }
}

impl Cached for Ipv6 {
    unsafe fn flows<const N: usize>(
        net: &Net,
        shape: Shape,
        generation: &Generation,
        counters: &Counters<N>,
        first: u32,
    ) -> Result<Flows<Self>> {
        // SAFETY: By the requirement.
        unsafe { Flows::allocate(net, true, shape, generation, counters, first) }
    }
}

impl Flows<Ipv4> {
    /// Attaches the route of the packet's flow, as [`Packet::attach`]; [`Outcome::NOT_CACHED`] if
    /// it is to be decided. What is decided may then be kept by the ticket.
    #[inline]
    pub(crate) fn attach(
        &self,
        packet: &mut Packet<'_>,
        probe: bool,
        every: u32,
        _rcu: ReadSide<'_>,
    ) -> (Outcome, Ticket) {
        let mut ticket = MaybeUninit::uninit();
        // SAFETY: All are valid, and RCU is held until netfilter's caller has consumed the packet.
        let outcome = unsafe {
            bindings::flow_attach(
                self.as_ptr(),
                packet.raw(),
                probe,
                every,
                ticket.as_mut_ptr(),
            )
        };
        (Outcome::from_raw(outcome), Ticket(ticket))
    }

    /// Keeps what was decided of a packet: its next hop, and that of the source's route if somebody
    /// asked for it.
    pub(crate) fn keep(
        &self,
        packet: &Packet<'_>,
        nh: &NextHop,
        source: Option<&NextHop>,
        ticket: &Ticket,
        _rcu: ReadSide<'_>,
    ) {
        let source = source.map_or(core::ptr::null_mut(), NextHop::as_ptr);
        // SAFETY: All are valid, the ticket was written by `attach`, and RCU is held.
        unsafe {
            bindings::flow_keep(
                self.as_ptr(),
                packet.raw(),
                nh.as_ptr(),
                source,
                ticket.0.as_ptr(),
            )
        };
    }

    /// Compares what is kept of the packet's flow with the kernel's decision, which stays; on all
    /// CPUs if this is a second look. `None` if nothing is kept.
    pub(crate) fn verify(
        &self,
        packet: &mut Packet<'_>,
        second: bool,
        _rcu: ReadSide<'_>,
    ) -> Option<Verdict> {
        let mut difference = bindings::altfib_difference::default();
        // SAFETY: As in `attach`; `difference` is valid for writes.
        let verdict =
            unsafe { bindings::flow_verify(self.as_ptr(), packet.raw(), second, &mut difference) };
        if verdict == bindings::altfib_verdict_ALTFIB_UNDECIDED {
            return None;
        }
        Some(Verdict::from_raw(verdict, Difference::from_raw(difference)))
    }

    /// What is kept of the packet's flow, on any CPU, and its route if that holds; nothing is done.
    pub(crate) fn peek<'a>(
        &self,
        packet: &Packet<'_>,
        _rcu: ReadSide<'a>,
    ) -> (Slot, Option<Dst<'a>>) {
        let mut dst = core::ptr::null();
        // SAFETY: All are valid, and RCU is held.
        let state = unsafe { bindings::flow_peek(self.as_ptr(), packet.raw(), &mut dst) };
        (Slot::from_raw(state), Dst::new(dst))
    }
}

impl Flows<Ipv6> {
    /// As for IPv4.
    #[inline]
    pub(crate) fn attach(
        &self,
        packet: &mut Packet6<'_>,
        probe: bool,
        every: u32,
        _rcu: ReadSide<'_>,
    ) -> (Outcome, Ticket) {
        let mut ticket = MaybeUninit::uninit();
        // SAFETY: All are valid, and RCU is held until netfilter's caller has consumed the packet.
        let outcome = unsafe {
            bindings::flow_attach6(
                self.as_ptr(),
                packet.raw(),
                probe,
                every,
                ticket.as_mut_ptr(),
            )
        };
        (Outcome::from_raw(outcome), Ticket(ticket))
    }

    /// As for IPv4.
    pub(crate) fn keep(
        &self,
        packet: &Packet6<'_>,
        route: &Route6,
        ticket: &Ticket,
        _rcu: ReadSide<'_>,
    ) {
        // SAFETY: All are valid, the ticket was written by `attach`, and RCU is held.
        unsafe {
            bindings::flow_keep6(
                self.as_ptr(),
                packet.raw(),
                route.as_ptr(),
                ticket.0.as_ptr(),
            )
        };
    }

    /// As for IPv4.
    pub(crate) fn verify(
        &self,
        packet: &mut Packet6<'_>,
        second: bool,
        _rcu: ReadSide<'_>,
    ) -> Option<Verdict6> {
        let mut difference = bindings::altfib_difference6::default();
        // SAFETY: As in `attach`; `difference` is valid for writes.
        let verdict =
            unsafe { bindings::flow_verify6(self.as_ptr(), packet.raw(), second, &mut difference) };
        if verdict == bindings::altfib_verdict_ALTFIB_UNDECIDED {
            return None;
        }
        Some(Verdict6::from_raw(
            verdict,
            Difference6::from_raw(difference),
        ))
    }

    /// As for IPv4.
    pub(crate) fn peek<'a>(
        &self,
        packet: &Packet6<'_>,
        _rcu: ReadSide<'a>,
    ) -> (Slot, Option<Dst<'a>>) {
        let mut dst = core::ptr::null();
        // SAFETY: All are valid, and RCU is held.
        let state = unsafe { bindings::flow_peek6(self.as_ptr(), packet.raw(), &mut dst) };
        (Slot::from_raw(state), Dst::new(dst))
    }
}
