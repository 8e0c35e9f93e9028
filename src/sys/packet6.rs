// SPDX-License-Identifier: GPL-2.0

//! An IPv6 packet at PRE_ROUTING, and what the decision needs of it.

use super::bindings;
use super::family::Ipv6;
use super::net::Net;
use super::netfilter::Hook;
use super::netfilter::PreRouting;
use super::netlink::Kernels;
use super::outcome::Outcome;
use super::packet::Chosen;
use super::packet::Dst;
use super::packet::HookPacket;
use super::packet::Plan;
use super::packet::Read;
use super::packet::Room;
use super::rcu::ReadSide;
use super::route6::Route6;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use kernel::prelude::*;
use kernel::sync::rcu;

impl<'a> HookPacket<'a, Ipv6> {
    /// As for IPv4; `stands` says that altfib is sure of its route.
    ///
    /// # Context
    ///
    /// RCU read side, bottom halves off.
    pub(crate) fn ask_kernel(
        &self,
        net: &Net,
        found: Option<Option<&Route6>>,
        stands: bool,
        ours: Option<Dst<'_>>,
        _rcu: ReadSide<'_>,
    ) -> Kernels {
        let route = found
            .flatten()
            .map_or(core::ptr::null_mut(), Route6::as_ptr);
        let ours = ours.map_or(core::ptr::null(), |dst| dst.0);
        let mut kernels = bindings::altfib_kernels::default();
        // SAFETY: All are valid, RCU is held, and bottom halves are off while there is a probe.
        unsafe {
            bindings::ask_input6(
                net.as_ptr(),
                self.skb,
                route,
                found.is_some(),
                stands,
                ours,
                &mut kernels,
            )
        };
        Kernels(kernels)
    }

    /// Reads the packet, or says why altfib must leave it alone.
    #[inline]
    pub(crate) fn read<'r, T: PreRouting<Ipv6>>(
        &self,
        ours: &Hook<T, Ipv6>,
        room: &'r mut Room<Ipv6>,
        _rcu: ReadSide<'_>,
    ) -> Result<Packet6<'r>, Outcome>
    where
        'a: 'r,
    {
        let room = &mut room.0;
        // SAFETY: Packet and state are valid, RCU is held, and `room` is valid for writes.
        let outcome =
            unsafe { bindings::read_packet6(self.skb, self.state, ours.ops(), room.as_mut_ptr()) };
        if outcome != bindings::altfib_outcome_ALTFIB_NO_OBJECTION {
            return Err(Outcome::from_raw(outcome));
        }
        Ok(Packet6 {
            // SAFETY: Without an objection the helper has written all of it.
            raw: unsafe { room.assume_init_ref() },
        })
    }
}

impl Read for Ipv6 {
    type Raw = bindings::altfib_packet6;
}

/// An IPv6 unicast packet for which altfib may decide.
pub(crate) struct Packet6<'a> {
    raw: &'a bindings::altfib_packet6,
}

impl Packet6<'_> {
    #[inline]
    pub(super) fn raw(&self) -> &bindings::altfib_packet6 {
        self.raw
    }

    /// Destination, as a number.
    #[inline]
    pub(crate) fn daddr(&self) -> u128 {
        u128::from(self.raw.daddr[0]) << 64 | u128::from(self.raw.daddr[1])
    }

    /// Whether policy rules choose the tables.
    #[inline]
    pub(crate) fn has_rules(&self) -> bool {
        u32::from(self.raw.in_flags) & bindings::altfib_in_flags_ALTFIB_IN_RULES != 0
    }

    /// The tables for the destination.
    pub(crate) fn plan(&self, _rcu: ReadSide<'_>) -> Plan {
        let mut plan = MaybeUninit::uninit();
        // SAFETY: The packet and its namespace are valid, RCU is held, and the helper writes what
        // `Plan` says it does.
        unsafe { bindings::plan6(self.raw, plan.as_mut_ptr()) };
        Plan(plan)
    }

    /// As [`super::packet::Packet::peek`].
    pub(crate) fn peek<'a>(&self, route: &Route6, _rcu: ReadSide<'a>) -> Result<Dst<'a>, Outcome> {
        let mut dst = core::ptr::null();
        // SAFETY: Packet and record are valid, RCU is held, and bottom halves are off.
        match unsafe { bindings::peek6(self.raw, route.as_ptr(), &mut dst) } {
            bindings::altfib_outcome_ALTFIB_NO_OBJECTION => Ok(Dst(dst, PhantomData)),
            reason => Err(Outcome::from_raw(reason)),
        }
    }

    /// Attaches the kernel's cached route of `route`, or says why not; as
    /// [`super::packet::Packet::attach`].
    #[inline]
    pub(crate) fn attach(
        &mut self,
        route: &Route6,
        probe: bool,
        every: u32,
        _rcu: ReadSide<'_>,
    ) -> Outcome {
        // SAFETY: Packet and record are valid, and RCU is held until netfilter's caller has
        // consumed the packet.
        Outcome::from_raw(unsafe { bindings::attach6(self.raw, route.as_ptr(), probe, every) })
    }

    /// Lets the kernel route the packet, and compares its answer, which stays, with what altfib
    /// would have attached.
    #[cold]
    pub(crate) fn verify(&mut self, route: &Route6, _rcu: ReadSide<'_>) -> Verdict6 {
        let mut difference = bindings::altfib_difference6::default();
        // SAFETY: As in `attach`; `difference` is valid for writes.
        let verdict = unsafe { bindings::verify6(self.raw, route.as_ptr(), &mut difference) };
        Verdict6::from_raw(verdict, Difference6(difference))
    }

    /// Whether a route is attached, and delivers it here.
    pub(crate) fn is_for_this_host(&self) -> bool {
        // SAFETY: The packet is valid, and RCU is held while there is one.
        unsafe { bindings::is_for_this_host6(self.raw.skb) }
    }

    /// Whether a verified packet stays on this host.
    pub(crate) fn is_local(route: &Route6) -> bool {
        const RTF_LOCAL: u32 = 0x8000_0000;
        const RTF_ANYCAST: u32 = 0x0010_0000;
        route.describe().flags() & (RTF_LOCAL | RTF_ANYCAST) != 0
    }
}

/// What a comparison with the kernel's own decision gave.
pub(crate) enum Verdict6 {
    /// The same.
    Agrees(Chosen),
    /// Not the same, at this moment.
    Differs(Difference6),
    /// Ours has just gone.
    Undecided,
}

impl Verdict6 {
    pub(super) fn from_raw(verdict: bindings::altfib_verdict, difference: Difference6) -> Self {
        match verdict {
            bindings::altfib_verdict_ALTFIB_AGREES => Verdict6::Agrees(Chosen::Only),
            bindings::altfib_verdict_ALTFIB_AGREES_ON_PATH => {
                Verdict6::Agrees(Chosen::OneOfSeveral)
            }
            bindings::altfib_verdict_ALTFIB_DIFFERS => Verdict6::Differs(difference),
            _ => Verdict6::Undecided,
        }
    }
}

/// A packet, and two answers that are not the same.
#[derive(Clone, Copy)]
pub(crate) struct Difference6(bindings::altfib_difference6);

/// Where a packet goes, for people.
#[derive(Clone, Copy)]
pub(crate) struct Answer6<'a>(&'a bindings::altfib_answer6);

impl Answer6<'_> {
    /// Why it is rejected, as a positive error number, or 0.
    pub(crate) fn error(self) -> c_int {
        self.0.error.wrapping_neg()
    }

    /// Device it leaves through, or that it is delivered on.
    pub(crate) fn ifindex(self) -> c_int {
        self.0.ifindex
    }

    /// Gateway, or the destination itself.
    pub(crate) fn gateway(self) -> u128 {
        u128::from_be_bytes(self.0.gateway)
    }
}

impl Difference6 {
    /// As [`super::packet::Difference::probe`].
    pub(crate) fn probe(daddr: u128, saddr: u128, iif: u32, mark: u32, dscp: u8) -> Self {
        Self(bindings::altfib_difference6 {
            daddr: daddr.to_be_bytes(),
            saddr: saddr.to_be_bytes(),
            flowinfo: (u32::from(dscp) << 22).to_be(),
            iif: iif as c_int,
            mark,
            nexthdr: bindings::IPPROTO_UDP as u8,
            ..Default::default()
        })
    }

    /// Its mark.
    pub(crate) fn mark(&self) -> u32 {
        self.0.mark
    }

    pub(super) fn from_raw(raw: bindings::altfib_difference6) -> Self {
        Self(raw)
    }

    /// Destination and source.
    pub(crate) fn addresses(&self) -> (u128, u128) {
        (
            u128::from_be_bytes(self.0.daddr),
            u128::from_be_bytes(self.0.saddr),
        )
    }

    /// Input device.
    pub(crate) fn iif(&self) -> c_int {
        self.0.iif
    }

    /// What altfib would have attached.
    pub(crate) fn ours(&self) -> Answer6<'_> {
        Answer6(&self.0.ours)
    }

    /// What the kernel decided.
    pub(crate) fn kernels(&self) -> Answer6<'_> {
        Answer6(&self.0.kernels)
    }

    /// As [`super::packet::Difference::again`].
    pub(crate) fn again<R>(
        &self,
        net: &Net,
        f: impl FnOnce(HookPacket<'_, Ipv6>, ReadSide<'_>) -> R,
    ) -> Option<R> {
        let guard = rcu::read_lock();
        let mut state = MaybeUninit::uninit();
        // SAFETY: RCU is held, and the namespace and the difference are valid.
        let skb = unsafe { bindings::probe6(net.as_ptr(), &self.0, state.as_mut_ptr()) };
        if skb.is_null() {
            return None;
        }
        // SAFETY: A probe comes with its state, and both stay until the end of this function.
        let packet = unsafe { HookPacket::new(skb, state.as_ptr()) };
        let result = f(packet, ReadSide::of(&guard));
        // SAFETY: Made above, and not used any more.
        unsafe { bindings::free_probe(skb) };
        Some(result)
    }
}
