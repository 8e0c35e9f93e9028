// SPDX-License-Identifier: GPL-2.0

//! A next hop: the kernel's `fib_info`, held, and the slot of its cached dst.
//!
//! The record is one cache line and is shared with the C helpers. Readers find it under RCU by
//! its number; only the one who holds the mirror's lock changes it, which [`NextHop`]'s methods
//! ask for by taking a [`Writing`]. The exception is the slot: packets fill it, beside a writer
//! who may hold that lock for long, so it has a lock bit of its own that packets only try to take.

use super::bindings;
use super::fib::FibInfo;
use super::net::Net;
use super::rcu::ReadSide;
use super::records::Record;
use super::records::Writing;
use super::shared::Grace;
use core::cell::UnsafeCell;
use kernel::prelude::*;

/// What became of an attempt to fill a slot.
pub(crate) enum Fill {
    /// It holds a route that was valid just now.
    Done,
    /// The kernel has no valid route for this next hop either.
    Nothing,
    /// Somebody else is at the slot.
    Busy,
}

/// State of a slot, for people.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Nothing cached.
    Empty,
    /// Cached, but the namespace's route generation has moved on.
    Stale,
    /// Cached and valid.
    Cached,
}

impl Slot {
    pub(super) fn from_raw(state: bindings::altfib_slot_state) -> Self {
        match state {
            bindings::altfib_slot_state_ALTFIB_SLOT_CACHED => Slot::Cached,
            bindings::altfib_slot_state_ALTFIB_SLOT_STALE => Slot::Stale,
            _ => Slot::Empty,
        }
    }
}

/// Why a cached route is given back: `enum altfib_drop`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum DropReason {
    /// Its device has changed, or goes.
    Device = bindings::altfib_drop_ALTFIB_DROP_DEVICE,
    /// The last prefix of the next hop went.
    Route = bindings::altfib_drop_ALTFIB_DROP_ROUTE,
    /// A path came or went, or a next-hop object changed.
    Path = bindings::altfib_drop_ALTFIB_DROP_NEXTHOP,
    /// All are.
    Flush = bindings::altfib_drop_ALTFIB_DROP_FLUSH,
    /// Service ends.
    End = bindings::altfib_drop_ALTFIB_DROP_END,
}

/// A device's name, or `*` if it has none.
pub(super) fn name(name: &[c_char]) -> &str {
    let len = name.iter().position(|&c| c == 0).unwrap_or(0);
    match name.get(..len) {
        // CAST: The name is bytes whatever the sign of C's char.
        Some(name) if !name.is_empty() => {
            // SAFETY: `u8` and `c_char` have the same size.
            let bytes =
                unsafe { core::slice::from_raw_parts(name.as_ptr().cast::<u8>(), name.len()) };
            core::str::from_utf8(bytes).unwrap_or("?")
        }
        _ => "*",
    }
}

/// What a next hop looks like, for people.
pub(crate) struct Description(bindings::altfib_nexthop_info);

impl Description {
    /// IPv4 gateway in network order of bytes, if there is one.
    pub(crate) fn gateway(&self) -> [u8; 4] {
        self.0.gateway.to_ne_bytes()
    }

    /// Whether the gateway is an IPv6 one (RFC 5549).
    pub(crate) fn has_ipv6_gateway(&self) -> bool {
        self.0.gateway_v6 != 0
    }

    /// Metric of the route, as in `ip route`.
    pub(crate) fn metric(&self) -> u32 {
        self.0.metric
    }

    /// Number of paths: more than one is multipath.
    pub(crate) fn paths(&self) -> u8 {
        self.0.paths
    }

    /// Name of the device, or `*` if there is none.
    pub(crate) fn device(&self) -> &str {
        name(&self.0.device)
    }

    /// Its index, or 0.
    pub(crate) fn ifindex(&self) -> c_int {
        self.0.ifindex
    }

    /// Gateway of either family in network order of bytes, if there is one.
    pub(crate) fn any_gateway(&self, bytes: &mut [u8; 16]) -> usize {
        if self.has_ipv6_gateway() {
            *bytes = self.0.gateway6;
            return 16;
        }
        let [a, b, c, d] = self.gateway();
        bytes[0] = a;
        bytes[1] = b;
        bytes[2] = c;
        bytes[3] = d;
        if self.0.gateway == 0 {
            0
        } else {
            4
        }
    }
}

/// One next hop, or a free record.
///
/// # Invariants
///
/// `fi` is null or a reference held by the record; `dst` likewise.
#[repr(transparent)]
pub(crate) struct NextHop(UnsafeCell<bindings::altfib_nexthop>);

// SAFETY: What readers read is either atomic in C (`fi`, `dst`, `nhc`) or fixed before the record
// is published; changes need a `Writing`.
unsafe impl Send for NextHop {}
// SAFETY: As above.
unsafe impl Sync for NextHop {}

// SAFETY: All zero is a free record: null pointers and numbers.
unsafe impl Zeroable for NextHop {}

impl NextHop {
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::altfib_nexthop {
        self.0.get()
    }

    /// Type of its routes: RTN_UNICAST, RTN_LOCAL, ...
    #[inline]
    pub(crate) fn route_type(&self) -> u8 {
        // SAFETY: Valid, and written before the record is published only.
        unsafe { (*self.as_ptr()).type_ }
    }

    /// Whether its prefixes have a route for one DSCP, which is the kernel's to choose.
    #[inline]
    pub(crate) fn is_for_dscp(&self) -> bool {
        // SAFETY: As above.
        u32::from(unsafe { (*self.as_ptr()).flags }) & bindings::altfib_nexthop_flags_ALTFIB_NH_DSCP
            != 0
    }

    /// Whether there is anything in the slot, valid or not.
    pub(crate) fn has_dst(&self) -> bool {
        // SAFETY: Valid; only whether it is null matters.
        !unsafe { (&raw const (*self.as_ptr()).dst).read_volatile() }.is_null()
    }

    /// Whether the record stands for `fi` and these flags.
    pub(crate) fn is(&self, fi: &FibInfo, dscp: bool, _w: Writing<'_>) -> bool {
        // SAFETY: Valid; the writer reads what only it writes.
        unsafe { (*self.as_ptr()).fi == fi.as_ptr() && self.is_for_dscp() == dscp }
    }

    /// Makes a free record stand for `fi`. Readers find it once its number is published.
    pub(crate) fn bind(&self, fi: &FibInfo, route_type: u8, dscp: bool, _w: Writing<'_>) {
        let p = self.as_ptr();
        // INVARIANT: The helper takes a reference for the record.
        // SAFETY: Valid; the record is free, so no reader has its number.
        unsafe {
            (*p).type_ = route_type;
            (*p).flags = if dscp {
                bindings::altfib_nexthop_flags_ALTFIB_NH_DSCP as u8
            } else {
                0
            };
            (*p).served = 0;
            (*p).prefixes = 0;
            (*p).left = 0;
            (*p).ifindex = 0;
            (*p).nhc = core::ptr::null();
            bindings::nexthop_bind(p, fi.as_ptr());
        }
    }

    /// Gives back the reference on the route. Readers that still have it are covered by the
    /// kernel's own grace period.
    pub(crate) fn unbind(&self, _w: Writing<'_>) {
        // INVARIANT: The helper clears `fi`.
        // SAFETY: Valid, and the caller is the only writer.
        unsafe { bindings::nexthop_unbind(self.as_ptr()) };
    }

    /// The route that it stands for.
    pub(crate) fn route<'a>(&'a self, _w: Writing<'a>) -> Option<&'a FibInfo> {
        // SAFETY: Valid; the record's reference keeps the route for as long as nobody unbinds it,
        // which takes a `Writing`.
        unsafe { (*self.as_ptr()).fi.cast::<FibInfo>().as_ref() }
    }

    /// Whether its route uses a next-hop object.
    pub(crate) fn uses_object(&self, _w: Writing<'_>) -> bool {
        // SAFETY: Valid, and the record's reference keeps the route.
        unsafe { bindings::uses_object(self.as_ptr()) }
    }

    /// Whether the kernel is taking its route down, because its device or its object goes.
    pub(crate) fn is_dying(&self, _w: Writing<'_>) -> bool {
        // SAFETY: Valid, and the record's reference keeps the route.
        unsafe { bindings::is_dying(self.as_ptr()) }
    }

    /// Whether it stands for a route.
    pub(crate) fn is_bound(&self, _w: Writing<'_>) -> bool {
        // SAFETY: Valid; the writer reads what only it writes.
        unsafe { !(*self.as_ptr()).fi.is_null() }
    }

    /// Takes the kernel's cached route into the slot, if there is a valid one.
    ///
    /// # Context
    ///
    /// Softirq, beside whoever changes next hops.
    pub(crate) fn fill(&self, net: &Net, _rcu: ReadSide<'_>) -> Fill {
        // INVARIANT: The helper takes a reference for the slot and releases the old one.
        // SAFETY: Valid, and RCU is held; the helper locks the slot.
        match unsafe { bindings::slot_fill(net.as_ptr(), self.as_ptr()) } {
            bindings::altfib_fill_ALTFIB_FILL_DONE => Fill::Done,
            bindings::altfib_fill_ALTFIB_FILL_BUSY => Fill::Busy,
            _ => Fill::Nothing,
        }
    }

    /// Empties the slot; says whether there was a route in it.
    pub(crate) fn drop_dst(&self, net: &Net, why: DropReason, _w: Writing<'_>) -> bool {
        // INVARIANT: The helper clears `dst` and releases it.
        // SAFETY: Valid, and the caller is the only writer.
        unsafe { bindings::slot_drop(net.as_ptr(), self.as_ptr(), why as u32) }
    }

    /// Interface index of the device to which the cached route belongs; 0 if never filled.
    pub(crate) fn ifindex(&self, _w: Writing<'_>) -> c_int {
        // SAFETY: Valid; the writer reads what only it writes.
        unsafe { (*self.as_ptr()).ifindex }
    }

    /// Whether its cached route has ever been handed out.
    pub(crate) fn was_served(&self, _w: Writing<'_>) -> bool {
        // SAFETY: As above.
        unsafe { (*self.as_ptr()).served != 0 }
    }

    /// Number of prefixes that use it.
    pub(crate) fn prefixes(&self, _w: Writing<'_>) -> u32 {
        // SAFETY: As above.
        unsafe { (*self.as_ptr()).prefixes }
    }

    /// Number of prefixes that are left in the tables although the kernel has deleted them.
    pub(crate) fn left(&self, _w: Writing<'_>) -> u32 {
        // SAFETY: As above.
        unsafe { (*self.as_ptr()).left }
    }

    /// Sets that number.
    pub(crate) fn set_left(&self, n: u32, _w: Writing<'_>) {
        // SAFETY: Valid; no reader looks at it.
        unsafe { (*self.as_ptr()).left = n };
    }

    /// Sets the number of prefixes that use it.
    pub(crate) fn set_prefixes(&self, n: u32, _w: Writing<'_>) {
        // SAFETY: Valid; no reader looks at it.
        unsafe { (*self.as_ptr()).prefixes = n };
    }

    /// Next record in the hash chain, or in the list of free ones.
    pub(crate) fn chain(&self, _w: Writing<'_>) -> u32 {
        // SAFETY: As for `ifindex`.
        unsafe { (*self.as_ptr()).chain }
    }

    /// Sets the next record in the chain.
    pub(crate) fn set_chain(&self, id: u32, _w: Writing<'_>) {
        // SAFETY: As for `set_prefixes`.
        unsafe { (*self.as_ptr()).chain = id };
    }

    /// State of the slot.
    pub(crate) fn slot(&self, net: &Net) -> Slot {
        // SAFETY: Both are valid; the helper takes RCU itself.
        Slot::from_raw(unsafe { bindings::slot_state(net.as_ptr(), self.as_ptr()) })
    }

    /// What it looks like now.
    pub(crate) fn describe(&self, _w: Writing<'_>) -> Description {
        let mut info = bindings::altfib_nexthop_info::default();
        // SAFETY: Both are valid; the helper takes RCU itself.
        unsafe { bindings::nexthop_describe(self.as_ptr(), &mut info) };
        Description(info)
    }
}

impl Record for NextHop {
    fn next(&self, w: Writing<'_>) -> u32 {
        self.chain(w)
    }

    fn set_next(&self, id: u32, w: Writing<'_>) {
        self.set_chain(id, w);
    }

    fn grace(&self, _w: Writing<'_>) -> Grace {
        // SAFETY: As for `ifindex`.
        Grace::from_word(unsafe { (*self.as_ptr()).cookie })
    }

    fn set_grace(&self, grace: Grace, _w: Writing<'_>) {
        // SAFETY: As for `set_prefixes`.
        unsafe { (*self.as_ptr()).cookie = grace.to_word() };
    }
}

/// All next hops of a mirror by number.
pub(crate) type Records = super::records::Records<NextHop, 256>;

/// The one who may change them.
pub(crate) type RecordsWriter = super::records::RecordsWriter<NextHop, 256>;
