// SPDX-License-Identifier: GPL-2.0

//! The kernel's FIB notifier: what routes there are, and each change of them.
//!
//! C header: [`include/net/fib_notifier.h`](srctree/include/net/fib_notifier.h)

use super::bindings;
use super::family::Ipv4;
use super::net::Net;
use super::nexthop::NextHop;
use super::rcu::ReadSide;
use super::rtnl::Rtnl;
use core::marker::PhantomData;
use core::marker::PhantomPinned;
use core::ptr::NonNull;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::Relaxed;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::rcu;
use kernel::types::Opaque;

/// RTN_UNICAST: a route to somewhere else.
pub(crate) const RTN_UNICAST: u8 = 1;
/// RTN_LOCAL: an address of this host.
pub(crate) const RTN_LOCAL: u8 = 2;
/// RTN_THROW: no route in this table.
pub(crate) const RTN_THROW: u8 = 9;
/// RT_TABLE_DEFAULT.
pub(crate) const TABLE_DEFAULT: u32 = 253;
/// RT_TABLE_MAIN.
pub(crate) const TABLE_MAIN: u32 = 254;
/// RT_TABLE_LOCAL.
pub(crate) const TABLE_LOCAL: u32 = 255;

/// A `fib_info` that is valid for as long as the borrow.
#[repr(transparent)]
pub(crate) struct FibInfo(Opaque<bindings::fib_info>);

impl FibInfo {
    pub(super) fn as_ptr(&self) -> *mut bindings::fib_info {
        self.0.get()
    }

    /// Its identity: the kernel's object, never gateway and device.
    pub(crate) fn address(&self) -> usize {
        self.as_ptr() as usize
    }

    /// A reference that outlives the borrow.
    pub(crate) fn hold(&self) -> HeldFibInfo {
        // SAFETY: `self` is valid, so its count is not zero.
        unsafe { bindings::fib_info_hold(self.as_ptr()) };
        // INVARIANT: The reference was just taken.
        HeldFibInfo(NonNull::from(self))
    }
}

/// A counted reference on a `fib_info`.
///
/// It holds up the removal of the route's device: keep it no longer than needed.
///
/// # Invariants
///
/// The pointer is valid, and one reference is this value's own.
pub(crate) struct HeldFibInfo(NonNull<FibInfo>);

// SAFETY: The count is atomic.
unsafe impl Send for HeldFibInfo {}

impl core::ops::Deref for HeldFibInfo {
    type Target = FibInfo;

    fn deref(&self) -> &FibInfo {
        // SAFETY: Valid by the type invariant.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for HeldFibInfo {
    fn drop(&mut self) {
        // SAFETY: The reference is ours by the type invariant.
        unsafe { bindings::fib_info_put(self.as_ptr()) };
    }
}

/// A change of the IPv4 FIB.
pub(crate) enum FibEvent<'a> {
    /// The first route of this prefix is now this one.
    Replace {
        /// Table id.
        table: u32,
        /// Prefix, host order.
        dst: u32,
        /// Its length.
        len: u8,
        /// RTN_*.
        route_type: u8,
        /// Whether the route is for one DSCP only.
        dscp: bool,
        /// The route.
        fi: &'a FibInfo,
    },
    /// The prefix has no route any more.
    Delete {
        /// Table id.
        table: u32,
        /// Prefix, host order.
        dst: u32,
        /// Its length.
        len: u8,
    },
    /// A path of this route came or went.
    PathChanged {
        /// The route.
        fi: &'a FibInfo,
    },
}

/// `notifier_from_errno(-EBUSY)`.
const REFUSED: c_int =
    (bindings::NOTIFY_STOP_MASK | (bindings::NOTIFY_OK + bindings::EBUSY)) as c_int;

/// What the notifier tells of a family.
pub(crate) trait Events {
    type Event<'a>;

    /// AF_*.
    const FAMILY: u32;

    /// # Safety
    ///
    /// `info` is what the core passes with `event` of this family, and valid for `'a`.
    unsafe fn decode<'a>(event: c_ulong, info: *mut c_void) -> Option<Self::Event<'a>>;
}

/// Somebody who follows the FIB of a family, and the next-hop objects.
pub(crate) trait FollowFib<E: Events>: Sync {
    /// One change. Must not sleep.
    ///
    /// # Context
    ///
    /// Inside an RCU read side section; RTNL held (IPv4), or the lock of the route's table (IPv6).
    fn event(&self, event: E::Event<'_>);

    /// A next-hop object (`ip nexthop`) was replaced or deleted. Routes that use it tell nothing.
    ///
    /// # Context
    ///
    /// Atomic, inside an RCU read side section, RTNL held.
    fn nexthop_object_changed(&self);
}

/// The notifiers of one owner in one namespace: of routes, and of next-hop objects.
///
/// # Invariants
///
/// While they are registered, `owner` is null, or valid until a grace period after it was made null.
#[pin_data]
#[repr(C)]
pub(crate) struct FibNotifier<T, E> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    #[pin]
    objects: Opaque<bindings::notifier_block>,
    /// Null: nobody wants events.
    owner: AtomicPtr<T>,
    /// The first dump was void, and no other is wanted.
    void: AtomicBool,
    #[pin]
    _pin: PhantomPinned,
    _t: PhantomData<fn(T, E)>,
}

// SAFETY: Changed by `register` and `unregister` only, whose callers serialise them.
unsafe impl<T, E> Send for FibNotifier<T, E> {}
// SAFETY: As above.
unsafe impl<T, E> Sync for FibNotifier<T, E> {}

impl<T: FollowFib<E>, E: Events> FibNotifier<T, E> {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            block: Opaque::new(bindings::notifier_block {
                notifier_call: Some(Self::call),
                ..Default::default()
            }),
            objects: Opaque::new(bindings::notifier_block {
                notifier_call: Some(Self::object_call),
                ..Default::default()
            }),
            owner: AtomicPtr::new(core::ptr::null_mut()),
            void: AtomicBool::new(false),
            _pin: PhantomPinned,
            _t: PhantomData,
        })
    }

    /// Tells `owner` every route of `net`, and from then on every change.
    ///
    /// # Errors
    ///
    /// `EBUSY` if routes changed all the time; try again later.
    ///
    /// # Safety
    ///
    /// `owner` stays valid until [`FibNotifier::unregister`] returns, or a grace period after
    /// [`FibNotifier::abandon`]; calls are serialised, and a successful one alternates with one of the
    /// other two.
    ///
    /// # Context
    ///
    /// Process, may sleep, takes RTNL.
    pub(crate) unsafe fn register(&self, net: &Net, owner: *const T) -> Result {
        // INVARIANT: Valid by the requirement.
        // ORDERING: The registration publishes it.
        self.owner.store(owner.cast_mut(), Relaxed);
        // SAFETY: The block is pinned and initialised, `net` is valid; RTNL is not held.
        to_result(unsafe {
            bindings::register_nexthop_notifier(
                net.as_ptr(),
                self.objects.get(),
                core::ptr::null_mut(),
            )
        })?;
        // SAFETY: By the requirement.
        let result = unsafe { self.register_routes(net) };
        if result.is_err() {
            // SAFETY: Registered above.
            unsafe { bindings::unregister_nexthop_notifier(net.as_ptr(), self.objects.get()) };
        }
        result
    }

    /// Tells `owner` every route of `net` once. Changes of IPv6 routes meanwhile may be told or not:
    /// somebody else follows them.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// `owner` is valid, and calls are serialised. The notifier is not registered.
    ///
    /// # Context
    ///
    /// Process, may sleep, takes RTNL.
    pub(crate) unsafe fn dump(&self, net: &Net, owner: *const T) -> Result {
        // INVARIANT: Valid by the requirement.
        // ORDERING: The registration publishes it.
        self.owner.store(owner.cast_mut(), Relaxed);
        // SAFETY: By the requirement.
        match unsafe { self.register_routes(net) } {
            Ok(()) => {
                // SAFETY: Just registered.
                unsafe { bindings::unregister_fib_notifier(net.as_ptr(), self.block.get()) };
                Ok(())
            }
            // Told whole, although something changed in the end.
            Err(_) if self.void.load(Relaxed) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Registers for the routes, with one dump and no more: the core would make five, if a route of
    /// any family changed meanwhile, and IPv6 routes do without RTNL.
    ///
    /// # Safety
    ///
    /// As for [`FibNotifier::register`].
    unsafe fn register_routes(&self, net: &Net) -> Result {
        self.void.store(false, Relaxed);
        // RTNL closes the gap in which an IPv4 deletion could be lost.
        let _rtnl = Rtnl::lock();
        // SAFETY: The block is pinned and initialised, `net` is valid.
        to_result(unsafe {
            bindings::register_fib_notifier(
                net.as_ptr(),
                self.block.get(),
                Some(Self::inconsistent),
                core::ptr::null_mut(),
            )
        })
    }

    /// Ends it; no event is under way when this returns.
    ///
    /// # Safety
    ///
    /// The notifiers are registered in `net`.
    ///
    /// # Context
    ///
    /// Process, may sleep, takes RTNL.
    pub(crate) unsafe fn unregister(&self, net: &Net) {
        // SAFETY: By the requirement.
        unsafe {
            bindings::unregister_fib_notifier(net.as_ptr(), self.block.get());
            bindings::unregister_nexthop_notifier(net.as_ptr(), self.objects.get());
        }
    }

    /// Ends it in a namespace that goes: events still come, and are ignored. To unregister would take a
    /// grace period for each namespace, one after the other, and RTNL.
    ///
    /// # Safety
    ///
    /// The notifiers are registered in a namespace that goes. Their owner stays valid for a grace period
    /// from now; their memory, be they dropped, until the core has taken down all of the namespace.
    pub(crate) unsafe fn abandon(&self) {
        // INVARIANT: By the requirement.
        // ORDERING: Whoever starts behind the grace period sees it.
        self.owner.store(core::ptr::null_mut(), Relaxed);
    }

    /// Who wants the events of a notifier.
    ///
    /// # Safety
    ///
    /// The notifier is registered or being registered, and this is called inside an RCU read side section
    /// that lasts for `'a`.
    unsafe fn owner<'a>(this: *const Self) -> Option<&'a T> {
        // SAFETY: By the requirement and the type invariant. What was abandoned may have been dropped,
        // which leaves an atomic as it is, and is memory still.
        unsafe { (*this).owner.load(Relaxed).cast_const().as_ref() }
    }

    /// The dump was void: something changed before it ended.
    ///
    /// # Safety
    ///
    /// `block` is the field of a notifier that is being registered.
    unsafe extern "C" fn inconsistent(block: *mut bindings::notifier_block) {
        // CAST: The block is the first field.
        // SAFETY: The core calls this for the block that it is registering.
        let this = unsafe { &*block.cast::<Self>() };
        this.void.store(true, Relaxed);
    }

    /// One event.
    ///
    /// # Safety
    ///
    /// `block` is the field of a registered notifier, and `info` what belongs to `event`.
    unsafe extern "C" fn call(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        // CAST: The block is the first field.
        // SAFETY: The core calls this for a registered block, or one that it is registering.
        let this = unsafe { &*block.cast::<Self>() };
        if this.void.load(Relaxed) {
            // The core is about to dump once more; it is not registered now, so this is no veto.
            return REFUSED;
        }
        // SAFETY: As above. The core calls the chain, and dumps, with RCU held.
        let Some(owner) = (unsafe { Self::owner(this) }) else {
            return bindings::NOTIFY_DONE as c_int;
        };
        // SAFETY: Every event comes with its family.
        let family = unsafe { (*info.cast::<bindings::fib_notifier_info>()).family };
        if family == E::FAMILY as c_int {
            // SAFETY: An event of this family, whose information fits its number.
            if let Some(event) = unsafe { E::decode(event, info) } {
                owner.event(event);
            }
        }
        // An error would veto somebody's route.
        bindings::NOTIFY_DONE as c_int
    }

    /// One event of next-hop objects.
    ///
    /// # Safety
    ///
    /// `objects` is the field of a registered notifier.
    unsafe extern "C" fn object_call(
        objects: *mut bindings::notifier_block,
        event: c_ulong,
        _info: *mut c_void,
    ) -> c_int {
        if matches!(
            event as c_uint,
            bindings::nexthop_event_type_NEXTHOP_EVENT_DEL
                | bindings::nexthop_event_type_NEXTHOP_EVENT_REPLACE
        ) {
            let _guard = rcu::read_lock();
            // SAFETY: The block is the field of `Self`, which is registered; RCU is held.
            let owner = unsafe {
                let this = objects.byte_sub(core::mem::offset_of!(Self, objects));
                Self::owner(this.cast::<Self>())
            };
            if let Some(owner) = owner {
                owner.nexthop_object_changed();
            }
        }
        bindings::NOTIFY_DONE as c_int
    }
}

impl Events for Ipv4 {
    type Event<'a> = FibEvent<'a>;

    const FAMILY: u32 = bindings::AF_INET;

    unsafe fn decode<'a>(event: c_ulong, info: *mut c_void) -> Option<FibEvent<'a>> {
        match event as c_uint {
            bindings::fib_event_type_FIB_EVENT_ENTRY_REPLACE => {
                // SAFETY: Entry events carry this structure, with a valid route.
                unsafe {
                    let info = &*info.cast::<bindings::fib_entry_notifier_info>();
                    Some(FibEvent::Replace {
                        table: info.tb_id,
                        dst: info.dst,
                        len: info.dst_len as u8,
                        route_type: info.type_,
                        dscp: bindings::dscp(info) != 0,
                        fi: &*info.fi.cast(),
                    })
                }
            }
            bindings::fib_event_type_FIB_EVENT_ENTRY_DEL => {
                // SAFETY: As above.
                let info = unsafe { &*info.cast::<bindings::fib_entry_notifier_info>() };
                Some(FibEvent::Delete {
                    table: info.tb_id,
                    dst: info.dst,
                    len: info.dst_len as u8,
                })
            }
            bindings::fib_event_type_FIB_EVENT_NH_ADD
            | bindings::fib_event_type_FIB_EVENT_NH_DEL => {
                // SAFETY: Path events carry this structure, whose path belongs to a route.
                unsafe {
                    let info = &*info.cast::<bindings::fib_nh_notifier_info>();
                    let fi = bindings::nh_parent(info.fib_nh);
                    NonNull::new(fi).map(|fi| FibEvent::PathChanged {
                        fi: &*fi.as_ptr().cast(),
                    })
                }
            }
            // Rules are read live from the namespace; the rest is not IPv4 unicast.
            _ => None,
        }
    }
}

/// Whether a next hop is what the kernel's lookup finds.
pub(crate) enum Agreement {
    Same,
    Different,
    /// altfib leaves packets for such a route to the kernel, whatever that finds.
    Kernels,
}

/// Compares `nh`, or that there is none, with what the kernel's lookup in a table finds for `addr`
/// (host order); in those that are asked without policy rules if `table` is 0.
pub(crate) fn agreement(
    net: &Net,
    table: u32,
    addr: u32,
    nh: Option<&NextHop>,
    _rcu: ReadSide<'_>,
) -> Agreement {
    let nh = nh.map_or(core::ptr::null_mut(), NextHop::as_ptr);
    // SAFETY: RCU is held, the namespace is valid, and so is the record, if there is one.
    match unsafe { bindings::audit(net.as_ptr(), table, addr, nh) } {
        0 => Agreement::Different,
        1 => Agreement::Same,
        _ => Agreement::Kernels,
    }
}
