// SPDX-License-Identifier: GPL-2.0

//! The kernel's own lookups, answered from altfib's tables: arming, and whose table is whose.
//!
//! What happens in such a lookup is in helpers_redirect.c, which asks the owner of a table for a
//! record through the two functions that [`redirect_owner!`] makes.

use super::bindings;
use super::compat;
use super::counters::Counters;
use super::family::Ipv4;
use super::family::Ipv6;
use super::flow::Flows;
use super::leaf::Leaf;
use super::net::Net;
use super::rcu::ReadSide;
use super::route6::Route6;
use super::rtnl::Rtnl;
use core::marker::PhantomData;
use core::marker::PhantomPinned;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::types::Opaque;

/// Somebody who answers lookups in the main tables of a namespace.
pub(crate) trait Answer: Sync {
    /// The record of the longest prefix of `addr` (host order), or the kernel answers.
    fn leaf<'a>(&'a self, addr: u32, rcu: ReadSide<'a>) -> Option<&'a Leaf>;

    /// The same for IPv6.
    fn route6<'a>(&'a self, addr: u128, rcu: ReadSide<'a>) -> Option<&'a Route6>;

    /// What it has of flows, if there is a cache of them.
    fn flows<'a>(&'a self, rcu: ReadSide<'a>) -> Option<&'a Flows<Ipv4>>;

    /// The same for IPv6.
    fn flows6<'a>(&'a self, rcu: ReadSide<'a>) -> Option<&'a Flows<Ipv6>>;

    /// An answer has just differed from the kernel's: look at [`Redirect::again`].
    ///
    /// # Context
    ///
    /// Any; RCU read side.
    fn differs(&self);
}

/// What helpers_redirect.c calls, for owners of this one type.
macro_rules! redirect_owner {
    ($owner:ty) => {
        /// # Safety
        ///
        /// `owner` is what [`Redirect::add`] was given and still valid, and RCU is held.
        #[no_mangle]
        unsafe extern "C" fn altfib_rust_leaf(
            owner: *const c_void,
            daddr: u32,
        ) -> *mut $crate::sys::bindings::altfib_leaf {
            // SAFETY: By the requirement.
            unsafe { $crate::sys::redirect::leaf_of::<$owner>(owner, daddr) }
        }

        /// # Safety
        ///
        /// As above.
        #[no_mangle]
        unsafe extern "C" fn altfib_rust_route6(
            owner: *const c_void,
            high: u64,
            low: u64,
        ) -> *mut $crate::sys::bindings::altfib_route6 {
            // SAFETY: By the requirement.
            unsafe { $crate::sys::redirect::route6_of::<$owner>(owner, high, low) }
        }

        /// # Safety
        ///
        /// As above.
        #[no_mangle]
        unsafe extern "C" fn altfib_rust_differs(owner: *const c_void) {
            // SAFETY: By the requirement.
            unsafe { $crate::sys::redirect::differs_of::<$owner>(owner) }
        }

        /// # Safety
        ///
        /// As above.
        #[no_mangle]
        unsafe extern "C" fn altfib_rust_flows(
            owner: *const c_void,
            ipv6: bool,
        ) -> *mut $crate::sys::bindings::altfib_flows {
            // SAFETY: By the requirement.
            unsafe { $crate::sys::redirect::flows_of::<$owner>(owner, ipv6) }
        }
    };
}
pub(crate) use redirect_owner;

/// # Safety
///
/// `owner` is a valid `T`, and RCU is held.
#[inline(always)]
pub(crate) unsafe fn leaf_of<T: Answer>(
    owner: *const c_void,
    daddr: u32,
) -> *mut bindings::altfib_leaf {
    // SAFETY: By the requirement.
    let (owner, rcu) = unsafe { (&*owner.cast::<T>(), ReadSide::assume()) };
    owner
        .leaf(daddr, rcu)
        .map_or(core::ptr::null_mut(), Leaf::as_ptr)
}

/// # Safety
///
/// As above.
#[inline(always)]
pub(crate) unsafe fn route6_of<T: Answer>(
    owner: *const c_void,
    high: u64,
    low: u64,
) -> *mut bindings::altfib_route6 {
    // SAFETY: By the requirement.
    let (owner, rcu) = unsafe { (&*owner.cast::<T>(), ReadSide::assume()) };
    owner
        .route6(u128::from(high) << 64 | u128::from(low), rcu)
        .map_or(core::ptr::null_mut(), Route6::as_ptr)
}

/// # Safety
///
/// As above.
#[inline(always)]
pub(crate) unsafe fn differs_of<T: Answer>(owner: *const c_void) {
    // SAFETY: By the requirement.
    unsafe { &*owner.cast::<T>() }.differs();
}

/// # Safety
///
/// As above.
#[inline(always)]
pub(crate) unsafe fn flows_of<T: Answer>(
    owner: *const c_void,
    ipv6: bool,
) -> *mut bindings::altfib_flows {
    // SAFETY: By the requirement.
    let (owner, rcu) = unsafe { (&*owner.cast::<T>(), ReadSide::assume()) };
    if ipv6 {
        owner.flows6(rcu).map(Flows::as_ptr)
    } else {
        owner.flows(rcu).map(Flows::as_ptr)
    }
    .unwrap_or(core::ptr::null_mut())
}

/// Functions of the kernel that can lead here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// The longest-prefix match.
    Lookup,
    /// The lookup of the host's own packets' routes, in front of that.
    Flow,
}

/// They do lead here while one of these exists.
pub(crate) struct Armed(Site);

impl Armed {
    /// # Errors
    ///
    /// `EBUSY` if somebody else has one of the functions for himself; `EOPNOTSUPP` if this kernel
    /// offers no way.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn new(site: Site) -> Result<Self> {
        // SAFETY: No requirement.
        to_result(unsafe { bindings::redirect_arm(site == Site::Flow) })?;
        Ok(Self(site))
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        // SAFETY: Each is the end of one that was armed.
        unsafe { bindings::redirect_disarm(self.0 == Site::Flow) };
    }
}

/// The last routes of a namespace's sockets. Those that were not used for a minute go by
/// themselves.
///
/// # Invariants
///
/// The pointer is valid and owned by this value.
pub(crate) struct Sockets(NonNull<bindings::altfib_sockets>);

// SAFETY: The places are read under RCU and changed atomically.
unsafe impl Send for Sockets {}
// SAFETY: As above.
unsafe impl Sync for Sockets {}

impl Sockets {
    /// Places for `1 << bits` sockets.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(crate) fn new(bits: u32) -> Result<Self> {
        // INVARIANT: Just allocated.
        // SAFETY: No requirement.
        NonNull::new(unsafe { bindings::sockets_alloc(bits) })
            .map(Self)
            .ok_or(ENOMEM)
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // Who has just found it may still be there.
        compat::synchronize_rcu();
        // SAFETY: Valid and owned by the type invariant.
        unsafe { bindings::sockets_free(self.0.as_ptr()) };
    }
}

/// The main table of a family in a namespace.
///
/// # Invariants
///
/// While it is added, `owner` is valid.
#[pin_data]
pub(crate) struct Redirect<T> {
    #[pin]
    raw: Opaque<bindings::altfib_redirect>,
    ipv6: bool,
    #[pin]
    _pin: PhantomPinned,
    _t: PhantomData<fn(T)>,
}

// SAFETY: Changed by `add` and `remove` only, whose callers serialise them, or with marked accesses.
unsafe impl<T> Send for Redirect<T> {}
// SAFETY: As above.
unsafe impl<T> Sync for Redirect<T> {}

impl<T: Answer> Redirect<T> {
    pub(crate) fn new(ipv6: bool) -> impl PinInit<Self> {
        pin_init!(Self {
            raw: Opaque::new(pin_init::zeroed()),
            ipv6,
            _pin: PhantomPinned,
            _t: PhantomData,
        })
    }

    /// Has `owner` answer lookups in the main table of `net`, and counts them from counter `first`
    /// on. One in `every` is compared.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, for IPv4 only: then it is not added.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    ///
    /// # Safety
    ///
    /// `owner` and `counters`, which are allocated, stay valid until a grace period after
    /// [`Redirect::remove`]; calls of the two are serialised and alternate, and a grace period has
    /// passed since the last of those.
    pub(crate) unsafe fn add<const N: usize>(
        &self,
        net: &Net,
        owner: *const T,
        counters: &Counters<N>,
        first: u32,
        every: u32,
    ) -> Result {
        let raw = self.raw.get();
        // SAFETY: Not added, and since a grace period, so nobody looks at it.
        unsafe {
            raw.write(bindings::altfib_redirect {
                owner: owner.cast(),
                counters: counters.area(),
                first,
                every,
                ..Default::default()
            });
            // INVARIANT: Valid by the requirement.
            to_result(bindings::redirect_add(net.as_ptr(), raw, self.ipv6))
        }
    }

    /// Ends it. Lookups that are under way may stay for a grace period.
    ///
    /// # Safety
    ///
    /// It is added.
    pub(crate) unsafe fn remove(&self) {
        // SAFETY: By the requirement.
        unsafe { bindings::redirect_del(self.raw.get()) };
    }

    /// Has the routes of the namespace's sockets remembered in `sockets`, or not any more.
    ///
    /// # Safety
    ///
    /// `sockets` stays valid until a grace period after they are taken back.
    pub(crate) unsafe fn set_sockets(&self, sockets: Option<&Sockets>) {
        let sockets = sockets.map_or(core::ptr::null_mut(), |sockets| sockets.0.as_ptr());
        // SAFETY: By the requirement.
        unsafe { bindings::redirect_set_sockets(self.raw.get(), sockets) };
    }

    /// Forgets the routes of the namespace's sockets, of both families.
    pub(crate) fn forget_sockets(&self) {
        // SAFETY: Valid; the helper takes RCU itself.
        unsafe { bindings::redirect_forget(self.raw.get()) };
    }

    /// From now on one lookup in `every` is compared.
    pub(crate) fn set_every(&self, every: u32) {
        // SAFETY: A marked store into a valid structure.
        unsafe { bindings::redirect_set_every(self.raw.get(), every) };
    }

    /// Looks once more at remembered routes that differed: how many are wrong.
    ///
    /// # Context
    ///
    /// Process, RTNL held.
    pub(crate) fn wrong_sockets(&self, _rtnl: &Rtnl) -> u32 {
        // SAFETY: Valid; the helper takes RCU itself.
        unsafe { bindings::redirect_suspects(self.raw.get()) }
    }

    /// Looks at the lookup that differed once more: `None` if there is none, else whether it still
    /// does.
    ///
    /// # Context
    ///
    /// Process.
    pub(crate) fn again(&self) -> Option<bool> {
        // SAFETY: Valid; the helper takes RCU itself.
        match unsafe { bindings::redirect_again(self.raw.get(), self.ipv6) } {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Its destination: of IPv4, the first four bytes.
    pub(crate) fn destination(&self) -> [u8; 16] {
        // SAFETY: Valid; while a difference waits, nobody writes it.
        unsafe { (*self.raw.get()).daddr }
    }

    /// The next one may be noted.
    pub(crate) fn seen(&self) {
        // SAFETY: Valid.
        unsafe { bindings::redirect_seen(self.raw.get()) };
    }
}
