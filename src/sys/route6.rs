// SPDX-License-Identifier: GPL-2.0

//! IPv6 routes of the kernel (`fib6_info`), what the notifier tells of them, and the record that
//! stands for one in the mirror.
//!
//! C header: [`include/net/ip6_fib.h`](srctree/include/net/ip6_fib.h)

use super::bindings;
use super::family::Ipv6;
use super::fib::Agreement;
use super::fib::Events;
use super::net::Net;
use super::rcu::ReadSide;
use super::records;
use super::records::Record;
use super::records::Writing;
use super::shared::Grace;
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::types::Opaque;

/// A `fib6_info` that is valid for as long as the borrow.
#[repr(transparent)]
pub(crate) struct Fib6Info(Opaque<bindings::fib6_info>);

/// Where a route stands.
pub(crate) struct Key {
    /// Table id.
    pub(crate) table: u32,
    /// Prefix, as a number.
    pub(crate) dst: u128,
    /// Its length.
    pub(crate) len: u8,
}

impl Fib6Info {
    fn as_ptr(&self) -> *mut bindings::fib6_info {
        self.0.get()
    }

    /// Its table and prefix, which never change.
    pub(crate) fn key(&self) -> Key {
        let mut addr = [0; 2];
        let (mut len, mut table) = (0, 0);
        // SAFETY: The route is valid, and all else is valid for writes.
        unsafe { bindings::fib6_key(self.as_ptr(), addr.as_mut_ptr(), &mut len, &mut table) };
        Key {
            table,
            dst: u128::from(addr[0]) << 64 | u128::from(addr[1]),
            len,
        }
    }

    /// Whether it is for certain sources only (RFC 8043).
    pub(crate) fn has_source(&self) -> bool {
        // SAFETY: The route is valid.
        unsafe { bindings::fib6_has_source(self.as_ptr()) }
    }

    /// A reference that outlives the borrow, unless the route is just going.
    pub(crate) fn hold(&self) -> Option<HeldFib6Info> {
        // SAFETY: The route is valid.
        if unsafe { bindings::fib6_info_hold(self.as_ptr()) } {
            // INVARIANT: The reference was just taken.
            Some(HeldFib6Info(NonNull::from(self)))
        } else {
            None
        }
    }
}

/// A counted reference on a `fib6_info`.
///
/// It holds up the removal of the route's device: keep it no longer than needed.
///
/// # Invariants
///
/// The pointer is valid, and one reference is this value's own.
pub(crate) struct HeldFib6Info(NonNull<Fib6Info>);

// SAFETY: The count is atomic.
unsafe impl Send for HeldFib6Info {}

impl core::ops::Deref for HeldFib6Info {
    type Target = Fib6Info;

    fn deref(&self) -> &Fib6Info {
        // SAFETY: Valid by the type invariant.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for HeldFib6Info {
    fn drop(&mut self) {
        // SAFETY: The reference is ours by the type invariant.
        unsafe { bindings::fib6_info_put(self.as_ptr()) };
    }
}

/// A change of the IPv6 FIB.
///
/// The notifier tells it with the lock of the route's table held, or just after it was let go; a
/// route that comes is told before it is linked, one that goes after it was unlinked.
pub(crate) enum Fib6Event<'a> {
    /// The first route of its prefix is now this one.
    Replace {
        /// The route.
        rt: &'a Fib6Info,
    },
    /// This route is gone. If it was the first of its prefix, `next` is now; the others stay.
    Delete {
        /// The route.
        rt: &'a Fib6Info,
        /// What stands in its place.
        next: Option<&'a Fib6Info>,
    },
}

impl Events for Ipv6 {
    type Event<'a> = Fib6Event<'a>;

    const FAMILY: u32 = bindings::AF_INET6;

    unsafe fn decode<'a>(event: c_ulong, info: *mut c_void) -> Option<Fib6Event<'a>> {
        // Only looked into for entry events, which carry this structure.
        let info = info.cast::<bindings::fib6_entry_notifier_info>();
        match event as c_uint {
            bindings::fib_event_type_FIB_EVENT_ENTRY_REPLACE => Some(Fib6Event::Replace {
                // SAFETY: As above; the route is valid.
                rt: unsafe { &*(*info).rt.cast() },
            }),
            bindings::fib_event_type_FIB_EVENT_ENTRY_DEL => {
                // SAFETY: As above.
                let (rt, siblings) = unsafe { ((*info).rt, (*info).nsiblings) };
                // With siblings all of a multipath route go, and none of them is unlinked yet.
                let next = match siblings {
                    // SAFETY: The route is valid, and the table's lock is held.
                    0 => unsafe { bindings::fib6_next(rt).cast::<Fib6Info>().as_ref() },
                    _ => None,
                };
                Some(Fib6Event::Delete {
                    // SAFETY: As above.
                    rt: unsafe { &*rt.cast() },
                    next,
                })
            }
            // A sibling more leaves the first one where it is; the rest is not unicast.
            _ => None,
        }
    }
}

/// An IPv6 route in the mirror, or a free record.
///
/// # Invariants
///
/// `rt` is null or a reference held by the record.
#[repr(transparent)]
pub(crate) struct Route6(UnsafeCell<bindings::altfib_route6>);

// SAFETY: `rt` is read under RCU; the rest is the writer's, who shows a `Writing`.
unsafe impl Send for Route6 {}
// SAFETY: As above.
unsafe impl Sync for Route6 {}

// SAFETY: All zero is a free record.
unsafe impl Zeroable for Route6 {}

/// All routes of a mirror by number: 526,320 at most.
pub(crate) type Routes = records::Records<Route6, 512>;

/// The one who may change them.
pub(crate) type RoutesWriter = records::RecordsWriter<Route6, 512>;

impl Route6 {
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::altfib_route6 {
        self.0.get()
    }

    /// Whether the record stands for `rt`.
    pub(crate) fn is(&self, rt: &Fib6Info, _w: Writing<'_>) -> bool {
        // SAFETY: Valid; the writer reads what only it writes.
        unsafe { (*self.as_ptr()).rt == rt.as_ptr() }
    }

    /// Whether it stands for a route.
    pub(crate) fn is_bound(&self, _w: Writing<'_>) -> bool {
        // SAFETY: As above.
        unsafe { !(*self.as_ptr()).rt.is_null() }
    }

    /// The address of the route that it holds, if that is not in the kernel's tables.
    pub(crate) fn unlinked(&self, _w: Writing<'_>) -> Option<usize> {
        // SAFETY: Valid, and a route that the record holds is, too.
        let rt = unsafe { bindings::route6_unlinked(self.as_ptr()) };
        (!rt.is_null()).then_some(rt as usize)
    }

    /// Makes a free record stand for a route.
    pub(crate) fn bind(&self, rt: HeldFib6Info, _w: Writing<'_>) {
        // INVARIANT: The reference becomes the record's.
        let rt = core::mem::ManuallyDrop::new(rt);
        // SAFETY: Both are valid, and the record is free.
        unsafe { bindings::route6_bind(self.as_ptr(), rt.as_ptr()) };
    }

    /// Gives back the reference on the route. Readers that still have it are covered by the
    /// kernel's own grace period.
    pub(crate) fn unbind(&self, _w: Writing<'_>) {
        // INVARIANT: The helper clears `rt`.
        // SAFETY: Valid, and the caller is the only writer.
        unsafe { bindings::route6_unbind(self.as_ptr()) };
    }

    /// What it looks like now.
    pub(crate) fn describe(&self) -> Description {
        let mut info = bindings::altfib_route6_info::default();
        // SAFETY: Both are valid; the helper takes RCU itself.
        unsafe { bindings::fib6_describe(self.as_ptr(), &mut info) };
        Description(info)
    }
}

impl Record for Route6 {
    fn next(&self, _w: Writing<'_>) -> u32 {
        // SAFETY: As for `is`.
        unsafe { (*self.as_ptr()).next }
    }

    fn set_next(&self, id: u32, _w: Writing<'_>) {
        // SAFETY: Valid; no reader looks at it.
        unsafe { (*self.as_ptr()).next = id };
    }

    fn grace(&self, _w: Writing<'_>) -> Grace {
        // SAFETY: As for `is`.
        Grace::from_word(unsafe { (*self.as_ptr()).cookie })
    }

    fn set_grace(&self, grace: Grace, _w: Writing<'_>) {
        // SAFETY: As for `set_next`.
        unsafe { (*self.as_ptr()).cookie = grace.to_word() };
    }
}

/// What a route looks like, for people.
pub(crate) struct Description(bindings::altfib_route6_info);

impl Description {
    /// Gateway, all zero if there is none.
    pub(crate) fn gateway(&self) -> u128 {
        u128::from_be_bytes(self.0.gateway)
    }

    /// Metric, as in `ip -6 route`.
    pub(crate) fn metric(&self) -> u32 {
        self.0.metric
    }

    /// RTF_*.
    pub(crate) fn flags(&self) -> u32 {
        self.0.flags
    }

    /// `RTN_*`.
    pub(crate) fn route_type(&self) -> u8 {
        self.0.type_
    }

    /// Index of the device, or 0.
    pub(crate) fn ifindex(&self) -> c_int {
        self.0.ifindex
    }

    /// Number of paths: more than one is multipath.
    pub(crate) fn paths(&self) -> u32 {
        self.0.paths
    }

    /// Name of the device, or `*` if there is none.
    pub(crate) fn device(&self) -> &str {
        super::nexthop::name(&self.0.device)
    }
}

/// Compares `route`, or that there is none, with the first route of the longest prefix of `addr` in
/// the kernel's table.
pub(crate) fn agreement(
    net: &Net,
    table: u32,
    addr: u128,
    route: Option<&Route6>,
    _rcu: ReadSide<'_>,
) -> Agreement {
    let addr = [(addr >> 64) as u64, addr as u64];
    let route = route.map_or(core::ptr::null_mut(), Route6::as_ptr);
    // SAFETY: RCU is held, the namespace is valid, and so is the record, if there is one.
    match unsafe { bindings::audit6(net.as_ptr(), table, addr.as_ptr(), route) } {
        0 => Agreement::Different,
        1 => Agreement::Same,
        _ => Agreement::Kernels,
    }
}

/// A number that each change of the namespace's IPv6 tables moves.
pub(crate) fn generation(net: &Net) -> c_int {
    // SAFETY: The namespace is valid.
    unsafe { bindings::sernum6(net.as_ptr()) }
}
