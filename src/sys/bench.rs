// SPDX-License-Identifier: GPL-2.0

//! Entries for the measuring module (scripts/bench/module), which times the table alone.
//!
//! Only a module that was built for it has them (`build-module.sh KERNEL bench`);
//! helpers_bench.c exports them.

use super::bindings;
use super::net::Net;
use super::net::PerNet;
use super::nexthop::NextHop;
use super::rcu::ReadSide;
use super::route6::Route6;
use kernel::prelude::*;

/// Somebody who looks up addresses.
pub(crate) trait Lookup: PerNet {
    fn nexthop<'a>(&'a self, addr: u32, rcu: ReadSide<'a>) -> Option<&'a NextHop>;

    fn route6<'a>(&'a self, addr: u128, rcu: ReadSide<'a>) -> Option<&'a Route6>;
}

/// What helpers_bench.c exports, for this one type.
macro_rules! bench_entries {
    ($owner:ty) => {
        /// # Safety
        ///
        /// `net` is a valid namespace.
        #[no_mangle]
        unsafe extern "C" fn altfib_rust_bench_begin(
            net: *mut $crate::sys::bindings::net,
        ) -> *const c_void {
            // SAFETY: By the requirement.
            unsafe { $crate::sys::bench::begin::<$owner>(net) }
        }

        /// # Safety
        ///
        /// `owner` is what `altfib_rust_bench_begin()` returned and still valid, and RCU is held.
        #[no_mangle]
        unsafe extern "C" fn altfib_rust_bench_lookup4(owner: *const c_void, daddr: u32) -> usize {
            // SAFETY: By the requirement.
            unsafe { $crate::sys::bench::lookup4::<$owner>(owner, daddr) }
        }

        /// # Safety
        ///
        /// As above.
        #[no_mangle]
        unsafe extern "C" fn altfib_rust_bench_lookup6(
            owner: *const c_void,
            high: u64,
            low: u64,
        ) -> usize {
            // SAFETY: By the requirement.
            unsafe { $crate::sys::bench::lookup6::<$owner>(owner, high, low) }
        }
    };
}
pub(crate) use bench_entries;

/// # Safety
///
/// `net` is a valid namespace.
pub(crate) unsafe fn begin<T: Lookup>(net: *mut bindings::net) -> *const c_void {
    // SAFETY: By the requirement.
    let net = unsafe { Net::from_raw(net) };
    net.value::<T>()
        .map_or(core::ptr::null(), |owner| core::ptr::from_ref(owner).cast())
}

/// # Safety
///
/// `owner` is a valid `T`, and RCU is held.
#[inline(always)]
pub(crate) unsafe fn lookup4<T: Lookup>(owner: *const c_void, daddr: u32) -> usize {
    // SAFETY: By the requirement.
    let (owner, rcu) = unsafe { (&*owner.cast::<T>(), ReadSide::assume()) };
    owner
        .nexthop(daddr, rcu)
        .map_or(0, |nh| core::ptr::from_ref(nh) as usize)
}

/// # Safety
///
/// As above.
#[inline(always)]
pub(crate) unsafe fn lookup6<T: Lookup>(owner: *const c_void, high: u64, low: u64) -> usize {
    // SAFETY: By the requirement.
    let (owner, rcu) = unsafe { (&*owner.cast::<T>(), ReadSide::assume()) };
    owner
        .route6(u128::from(high) << 64 | u128::from(low), rcu)
        .map_or(0, |route| core::ptr::from_ref(route) as usize)
}
