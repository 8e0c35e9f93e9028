// SPDX-License-Identifier: GPL-2.0

//! A packet at PRE_ROUTING, and what the decision needs of it.

use super::bindings;
use super::netfilter::Hook;
use super::netfilter::Ipv4PreRouting;
use super::nexthop::NextHop;
use super::outcome::Outcome;
use super::rcu::ReadSide;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// A packet as netfilter hands it over.
///
/// # Invariants
///
/// Both pointers are valid for `'a`.
pub(crate) struct HookPacket<'a> {
    skb: *mut bindings::sk_buff,
    state: *const bindings::nf_hook_state,
    _life: PhantomData<&'a ()>,
}

impl<'a> HookPacket<'a> {
    /// # Safety
    ///
    /// Both pointers are valid for `'a`, at NFPROTO_IPV4 PRE_ROUTING.
    pub(super) unsafe fn new(
        skb: *mut bindings::sk_buff,
        state: *const bindings::nf_hook_state,
    ) -> Self {
        // INVARIANT: By the requirement.
        Self {
            skb,
            state,
            _life: PhantomData,
        }
    }

    /// Reads the packet and its input device, or says why altfib must leave it alone.
    #[inline]
    pub(crate) fn read<T: Ipv4PreRouting>(
        self,
        ours: &Hook<T>,
        _rcu: ReadSide<'_>,
    ) -> Result<Packet<'a>, Outcome> {
        let mut packet = MaybeUninit::uninit();
        // SAFETY: Packet and state are valid, RCU is held, and `packet` is valid for writes.
        let outcome =
            unsafe { bindings::read_packet(self.skb, self.state, ours.ops(), packet.as_mut_ptr()) };
        if outcome != bindings::altfib_outcome_ALTFIB_NO_OBJECTION {
            return Err(Outcome::from_raw(outcome));
        }
        Ok(Packet {
            // SAFETY: Without an objection the helper has written all of it.
            raw: unsafe { packet.assume_init() },
            _life: PhantomData,
        })
    }
}

/// An IPv4 unicast packet for which altfib may decide.
pub(crate) struct Packet<'a> {
    raw: bindings::altfib_packet,
    _life: PhantomData<&'a ()>,
}

impl Packet<'_> {
    /// Destination, host order.
    #[inline]
    pub(crate) fn daddr(&self) -> u32 {
        self.raw.daddr
    }

    /// Source, host order.
    #[inline]
    pub(crate) fn saddr(&self) -> u32 {
        self.raw.saddr
    }

    /// `rp_filter` in force on the input device: 0 off, 1 strict, 2 loose (RFC 3704).
    #[inline]
    pub(crate) fn rp_filter(&self) -> u8 {
        self.raw.rp_filter
    }

    #[inline]
    fn has(&self, flag: u32) -> bool {
        u32::from(self.raw.in_flags) & flag != 0
    }

    /// Whether the input device forwards.
    #[inline]
    pub(crate) fn may_forward(&self) -> bool {
        self.has(bindings::altfib_in_flags_ALTFIB_IN_FORWARDING)
    }

    /// Whether the input device accepts sources that are this host's own (`accept_local`).
    #[inline]
    pub(crate) fn accepts_local_source(&self) -> bool {
        self.has(bindings::altfib_in_flags_ALTFIB_IN_ACCEPT_LOCAL)
    }

    /// Whether somebody put a route of his own into the local table.
    #[inline]
    pub(crate) fn custom_local_routes(&self) -> bool {
        self.has(bindings::altfib_in_flags_ALTFIB_IN_CUSTOM_LOCAL)
    }

    /// Whether the input device has an address.
    #[inline]
    pub(crate) fn input_has_address(&self) -> bool {
        self.has(bindings::altfib_in_flags_ALTFIB_IN_HAS_ADDRESS)
    }

    /// Whether the source is one of the namespace's own addresses.
    #[inline]
    pub(crate) fn source_is_own(&self, _rcu: ReadSide<'_>) -> bool {
        // SAFETY: The packet and its namespace are valid, and RCU is held.
        unsafe { bindings::is_own_address(&self.raw) }
    }

    /// Whether the route `nh` of the source leads back through the input device. `None` if the
    /// kernel may have taken another route.
    #[inline]
    pub(crate) fn came_from(&self, nh: &NextHop, _rcu: ReadSide<'_>) -> Option<bool> {
        // SAFETY: Packet and next hop are valid, and RCU is held.
        match unsafe { bindings::source_uses_dev(&self.raw, nh.as_ptr()) } {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Attaches the cached route of `nh`, or says why not. `probe` asks whether a socket would
    /// claim the packet in early demux.
    #[inline]
    pub(crate) fn attach(&mut self, nh: &NextHop, probe: bool, _rcu: ReadSide<'_>) -> Outcome {
        // SAFETY: Packet and next hop are valid, and RCU is held until netfilter's caller has
        // consumed the packet.
        Outcome::from_raw(unsafe { bindings::attach(&self.raw, nh.as_ptr(), probe) })
    }
}
