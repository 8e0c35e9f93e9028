// SPDX-License-Identifier: GPL-2.0

//! One name for what Linux 7.3 has and Linux 7.2 has by another, or not at all.
//!
//! Kbuild sets `altfib_before_7_3` for Linux 7.2, and there adds bindgen_parameters_7_2 for what
//! the `kernel` crate's bindings do not have.

use super::bindings;
use kernel::prelude::*;
use kernel::sync::barrier;

/// "Operation not supported".
pub(crate) fn eopnotsupp() -> Error {
    Error::from_errno(-(bindings::EOPNOTSUPP as c_int))
}

/// Waits for a grace period.
///
/// # Context
///
/// Process, may sleep.
pub(crate) fn synchronize_rcu() {
    // SAFETY: Callers may sleep.
    unsafe { bindings::synchronize_rcu() };
}

/// Orders reads against those of other CPUs.
#[inline(always)]
pub(super) fn smp_rmb() {
    #[cfg(not(altfib_before_7_3))]
    barrier::smp_mb(barrier::Read);
    #[cfg(altfib_before_7_3)]
    barrier::smp_rmb();
}

/// Orders writes against those of other CPUs.
#[inline(always)]
pub(super) fn smp_wmb() {
    #[cfg(not(altfib_before_7_3))]
    barrier::smp_mb(barrier::Write);
    #[cfg(altfib_before_7_3)]
    barrier::smp_wmb();
}

/// Initializes what `slot` points to.
///
/// # Safety
///
/// `slot` is valid for writes, holds nothing yet, and never moves.
pub(super) unsafe fn raw_init<T>(slot: *mut T, init: impl PinInit<T>) {
    // SAFETY: By the requirement.
    #[cfg(not(altfib_before_7_3))]
    unsafe {
        pin_init::raw_init(slot, init)
    };
    // SAFETY: By the requirement; it cannot fail.
    #[cfg(altfib_before_7_3)]
    unsafe {
        init.__pinned_init(slot).unwrap_or_else(|e| match e {})
    };
}
