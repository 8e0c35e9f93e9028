// SPDX-License-Identifier: GPL-2.0

//! A packet at PRE_ROUTING, and what the decision needs of it.

use super::bindings;
use super::family::Ipv4;
use super::net::Net;
use super::netfilter::Hook;
use super::netfilter::PreRouting;
use super::netlink::Kernels;
use super::nexthop::NextHop;
use super::outcome::Outcome;
use super::rcu::ReadSide;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use kernel::prelude::*;
use kernel::sync::rcu;

/// A packet as netfilter hands it over.
///
/// # Invariants
///
/// Both pointers are valid for `'a`.
pub(crate) struct HookPacket<'a, P> {
    pub(super) skb: *mut bindings::sk_buff,
    pub(super) state: *const bindings::nf_hook_state,
    _life: PhantomData<&'a P>,
}

impl<'a, P> HookPacket<'a, P> {
    /// # Safety
    ///
    /// Both pointers are valid for `'a`, at PRE_ROUTING of `P`.
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
}

impl<P> HookPacket<'_, P> {
    /// The same packet, for a while.
    #[inline]
    pub(crate) fn lend(&mut self) -> HookPacket<'_, P> {
        // INVARIANT: A part of the same time.
        HookPacket {
            skb: self.skb,
            state: self.state,
            _life: PhantomData,
        }
    }
}

impl<'a> HookPacket<'a, Ipv4> {
    /// Where the kernel sends the packet, which is a probe; compared with `found`, which is what
    /// altfib found, if it was asked, and with what it would attach.
    ///
    /// # Context
    ///
    /// RCU read side, bottom halves off.
    pub(crate) fn ask_kernel(
        &self,
        net: &Net,
        found: Option<Option<&NextHop>>,
        ours: Option<Dst<'_>>,
        _rcu: ReadSide<'_>,
    ) -> Kernels {
        let nh = found
            .flatten()
            .map_or(core::ptr::null_mut(), NextHop::as_ptr);
        let ours = ours.map_or(core::ptr::null(), |dst| dst.0);
        let mut kernels = bindings::altfib_kernels::default();
        // SAFETY: All are valid, RCU is held, and bottom halves are off while there is a probe.
        unsafe {
            bindings::ask_input(
                net.as_ptr(),
                self.skb,
                nh,
                found.is_some(),
                ours,
                &mut kernels,
            )
        };
        Kernels(kernels)
    }

    /// Reads the packet and its input device, or says why altfib must leave it alone.
    #[inline]
    pub(crate) fn read<'r, T: PreRouting<Ipv4>>(
        &self,
        ours: &Hook<T, Ipv4>,
        room: &'r mut Room<Ipv4>,
        _rcu: ReadSide<'_>,
    ) -> Result<Packet<'r>, Outcome>
    where
        'a: 'r,
    {
        let room = &mut room.0;
        // SAFETY: Packet and state are valid, RCU is held, and `room` is valid for writes.
        let outcome =
            unsafe { bindings::read_packet(self.skb, self.state, ours.ops(), room.as_mut_ptr()) };
        if outcome != bindings::altfib_outcome_ALTFIB_NO_OBJECTION {
            return Err(Outcome::from_raw(outcome));
        }
        Ok(Packet {
            // SAFETY: Without an objection the helper has written all of it.
            raw: unsafe { room.assume_init_ref() },
        })
    }
}

/// What is read of a packet of `P`.
pub(crate) trait Read {
    type Raw;
}

impl Read for Ipv4 {
    type Raw = bindings::altfib_packet;
}

/// Room for what is read of a packet, which stays where it is written: to copy what has just been
/// stored in small pieces takes a CPU as long as a lookup.
pub(crate) struct Room<P: Read>(pub(super) MaybeUninit<P::Raw>);

impl<P: Read> Room<P> {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }
}

/// A cached route that would be attached; it is only compared.
#[derive(Clone, Copy)]
pub(crate) struct Dst<'a>(
    pub(super) *const bindings::dst_entry,
    pub(super) PhantomData<ReadSide<'a>>,
);

impl<'a> Dst<'a> {
    pub(super) fn new(dst: *const bindings::dst_entry) -> Option<Self> {
        (!dst.is_null()).then_some(Self(dst, PhantomData))
    }
}

/// An IPv4 unicast packet for which altfib may decide.
pub(crate) struct Packet<'a> {
    raw: &'a bindings::altfib_packet,
}

impl Packet<'_> {
    #[inline]
    pub(super) fn raw(&self) -> &bindings::altfib_packet {
        self.raw
    }

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

    /// Whether a route is attached, and delivers it here.
    pub(crate) fn is_for_this_host(&self) -> bool {
        // SAFETY: The packet is valid, and RCU is held while there is one.
        unsafe { bindings::is_for_this_host(self.raw.skb) }
    }

    /// Whether somebody put a route of his own into the local table.
    #[inline]
    pub(crate) fn custom_local_routes(&self) -> bool {
        self.has(bindings::altfib_in_flags_ALTFIB_IN_CUSTOM_LOCAL)
    }

    /// Whether policy rules choose the tables.
    #[inline]
    pub(crate) fn has_rules(&self) -> bool {
        self.has(bindings::altfib_in_flags_ALTFIB_IN_RULES)
    }

    /// The tables for the destination.
    pub(crate) fn plan(&self, _rcu: ReadSide<'_>) -> Plan {
        let mut plan = MaybeUninit::uninit();
        // SAFETY: The packet and its namespace are valid, RCU is held, and the helper writes what
        // `Plan` says it does.
        unsafe { bindings::plan(self.raw, plan.as_mut_ptr()) };
        Plan(plan)
    }

    /// The tables for the source of a packet whose destination led to `nh`.
    pub(crate) fn source_plan(&self, nh: &NextHop, _rcu: ReadSide<'_>) -> Plan {
        let mut plan = MaybeUninit::uninit();
        // SAFETY: As above, and the next hop is valid.
        unsafe { bindings::source_plan(self.raw, nh.as_ptr(), plan.as_mut_ptr()) };
        Plan(plan)
    }

    /// Whether the input device has an address.
    #[inline]
    pub(crate) fn input_has_address(&self) -> bool {
        self.has(bindings::altfib_in_flags_ALTFIB_IN_HAS_ADDRESS)
    }

    /// Whether the source is one of the namespace's own addresses. Asked only while nothing else of the
    /// source is: `rp_filter` is 0, and the local table has the kernel's own routes only.
    #[inline]
    pub(crate) fn source_is_own(&self) -> bool {
        self.has(bindings::altfib_in_flags_ALTFIB_IN_OWN_SOURCE)
    }

    /// Whether the route `nh` of the source leads back through the input device. `None` if the
    /// kernel may have taken another route.
    #[inline]
    pub(crate) fn came_from(&self, nh: &NextHop, _rcu: ReadSide<'_>) -> Option<bool> {
        // SAFETY: Packet and next hop are valid, and RCU is held.
        match unsafe { bindings::source_uses_dev(self.raw, nh.as_ptr()) } {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Attaches the cached route of `nh`, or says why not. `probe` asks whether a socket would
    /// claim the packet in early demux. Of `every` packets one is to be verified instead.
    #[inline]
    pub(crate) fn attach(
        &mut self,
        nh: &NextHop,
        probe: bool,
        every: u32,
        _rcu: ReadSide<'_>,
    ) -> Outcome {
        // SAFETY: Packet and next hop are valid, and RCU is held until netfilter's caller has
        // consumed the packet.
        Outcome::from_raw(unsafe { bindings::attach(self.raw, nh.as_ptr(), probe, every) })
    }

    /// Lets the kernel route the packet, and compares its answer, which stays, with the cached
    /// route of `nh`.
    #[cold]
    pub(crate) fn verify(&mut self, nh: &NextHop, _rcu: ReadSide<'_>) -> Verdict {
        let mut difference = bindings::altfib_difference::default();
        // SAFETY: As in `attach`; `difference` is valid for writes.
        let verdict = unsafe { bindings::verify(self.raw, nh.as_ptr(), &mut difference) };
        Verdict::from_raw(verdict, Difference(difference))
    }

    /// What [`Packet::attach`] would attach, if need be after a fill, or why not; nothing is done.
    /// `kept` says whether records keep routes.
    pub(crate) fn peek<'a>(
        &self,
        nh: &NextHop,
        kept: bool,
        _rcu: ReadSide<'a>,
    ) -> Result<Dst<'a>, Outcome> {
        let mut dst = core::ptr::null();
        // SAFETY: Packet and next hop are valid, and RCU is held.
        match unsafe { bindings::peek(self.raw, nh.as_ptr(), kept, &mut dst) } {
            bindings::altfib_outcome_ALTFIB_NO_OBJECTION => Ok(Dst(dst, PhantomData)),
            reason => Err(Outcome::from_raw(reason)),
        }
    }

    /// As [`Packet::attach`], but what the kernel keeps for `nh` now, and not what the record has.
    #[inline]
    pub(crate) fn attach_uncached(
        &mut self,
        nh: &NextHop,
        probe: bool,
        every: u32,
        _rcu: ReadSide<'_>,
    ) -> Outcome {
        // SAFETY: As in `attach`.
        Outcome::from_raw(unsafe { bindings::attach_uncached(self.raw, nh.as_ptr(), probe, every) })
    }

    /// As [`Packet::verify`], for [`Packet::attach_uncached`].
    #[cold]
    pub(crate) fn verify_uncached(&mut self, nh: &NextHop, _rcu: ReadSide<'_>) -> Verdict {
        let mut difference = bindings::altfib_difference::default();
        // SAFETY: As in `verify`.
        let verdict = unsafe { bindings::verify_uncached(self.raw, nh.as_ptr(), &mut difference) };
        Verdict::from_raw(verdict, Difference(difference))
    }
}

/// The tables that policy rules name for a flow, in their order.
///
/// # Invariants
///
/// `n` and `open` are written, `n` is at most the length of `tables`, and so many of these are
/// written.
pub(crate) struct Plan(pub(super) MaybeUninit<bindings::altfib_plan>);

impl Plan {
    /// Table by table.
    pub(crate) fn tables(&self) -> impl Iterator<Item = PlannedTable> + '_ {
        let p = self.0.as_ptr();
        // SAFETY: By the type invariant.
        let n = unsafe { (*p).n } as usize;
        (0..n).map(move |i| {
            // SAFETY: By the type invariant, since `i` is less than `n`.
            PlannedTable(unsafe {
                (&raw const (*p).tables)
                    .cast::<bindings::altfib_plan_table>()
                    .add(i)
                    .read()
            })
        })
    }

    /// Whether more could follow.
    pub(crate) fn is_open(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { (*self.0.as_ptr()).open }
    }
}

/// One table of a [`Plan`].
pub(crate) struct PlannedTable(bindings::altfib_plan_table);

impl PlannedTable {
    pub(crate) fn id(&self) -> u32 {
        self.0.id
    }

    /// Whether a route with a prefix of this length does not count.
    pub(crate) fn suppresses(&self, len: u8) -> bool {
        i32::from(len) <= self.0.suppress
    }

    /// Whether other routes may not count either.
    pub(crate) fn may_suppress_more(&self) -> bool {
        self.0.open
    }
}

/// Of how many paths one was chosen.
pub(crate) enum Chosen {
    Only,
    OneOfSeveral,
}

/// What a comparison with the kernel's own decision gave.
pub(crate) enum Verdict {
    /// The same.
    Agrees(Chosen),
    /// Not the same, at this moment.
    Differs(Difference),
    /// Ours has just gone.
    Undecided,
}

impl Verdict {
    pub(super) fn from_raw(verdict: bindings::altfib_verdict, difference: Difference) -> Self {
        match verdict {
            bindings::altfib_verdict_ALTFIB_AGREES => Verdict::Agrees(Chosen::Only),
            bindings::altfib_verdict_ALTFIB_AGREES_ON_PATH => Verdict::Agrees(Chosen::OneOfSeveral),
            bindings::altfib_verdict_ALTFIB_DIFFERS => Verdict::Differs(difference),
            _ => Verdict::Undecided,
        }
    }
}

/// A packet, and two answers that are not the same.
#[derive(Clone, Copy)]
pub(crate) struct Difference(bindings::altfib_difference);

/// Where a packet goes, for people.
#[derive(Clone, Copy)]
pub(crate) struct Answer<'a>(&'a bindings::altfib_answer);

impl Answer<'_> {
    /// Why it is dropped (`enum skb_drop_reason`), or 0.
    pub(crate) fn drop_reason(self) -> u32 {
        self.0.reason
    }

    /// `RTN_*`.
    pub(crate) fn route_type(self) -> u8 {
        self.0.type_
    }

    /// Device it leaves through, or that it is delivered on.
    pub(crate) fn ifindex(self) -> c_int {
        self.0.ifindex
    }

    /// IPv4 gateway in network order of bytes, if there is one.
    pub(crate) fn gateway(self) -> [u8; 4] {
        self.0.gateway.to_ne_bytes()
    }
}

impl Difference {
    /// No difference, but a packet to look at with [`Difference::again`]; addresses are in host order.
    pub(crate) fn probe(daddr: u32, saddr: u32, iif: u32, mark: u32, dscp: u8) -> Self {
        Self(bindings::altfib_difference {
            daddr,
            saddr,
            iif: iif as c_int,
            mark,
            tos: dscp << 2,
            protocol: bindings::IPPROTO_UDP as u8,
            ..Default::default()
        })
    }

    /// Its mark.
    pub(crate) fn mark(&self) -> u32 {
        self.0.mark
    }

    pub(super) fn from_raw(raw: bindings::altfib_difference) -> Self {
        Self(raw)
    }

    /// Destination and source, network order of bytes.
    pub(crate) fn addresses(&self) -> ([u8; 4], [u8; 4]) {
        (self.0.daddr.to_be_bytes(), self.0.saddr.to_be_bytes())
    }

    /// Input device.
    pub(crate) fn iif(&self) -> c_int {
        self.0.iif
    }

    /// What altfib would have attached.
    pub(crate) fn ours(&self) -> Answer<'_> {
        Answer(&self.0.ours)
    }

    /// What the kernel decided.
    pub(crate) fn kernels(&self) -> Answer<'_> {
        Answer(&self.0.kernels)
    }

    /// Runs `f` on a packet like this one, as the hook would see it. `None` if there can be none:
    /// its device is gone, or memory is short.
    pub(crate) fn again<R>(
        &self,
        net: &Net,
        f: impl FnOnce(HookPacket<'_, Ipv4>, ReadSide<'_>) -> R,
    ) -> Option<R> {
        let guard = rcu::read_lock();
        let mut state = MaybeUninit::uninit();
        // SAFETY: RCU is held, and the namespace and the difference are valid.
        let skb = unsafe { bindings::probe(net.as_ptr(), &self.0, state.as_mut_ptr()) };
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
