// SPDX-License-Identifier: GPL-2.0

//! A spinlock that also keeps bottom halves off.
//!
//! The `kernel` crate has no `_bh` lock, and the FIB notifier (process context, or softirq for
//! IPv6 router advertisements) and the packet path (softirq) share one.

use super::bindings;
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use core::ops::Deref;
use core::ops::DerefMut;
use kernel::prelude::*;
use kernel::sync::LockClassKey;
use kernel::types::NotThreadSafe;
use kernel::types::Opaque;

/// A value behind a `spinlock_t` taken with bottom halves off.
///
/// # Invariants
///
/// `raw` is initialised, and `data` is accessed by the holder of `raw` only.
#[pin_data]
pub(crate) struct BhLock<T> {
    #[pin]
    raw: Opaque<bindings::spinlock_t>,
    data: UnsafeCell<T>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: The lock gives access to one thread at a time.
unsafe impl<T: Send> Send for BhLock<T> {}
// SAFETY: As above.
unsafe impl<T: Send> Sync for BhLock<T> {}

impl<T> BhLock<T> {
    /// A new lock around `data`; `name` and `key` are for lockdep.
    pub(crate) fn new(
        data: T,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        // INVARIANT: `raw` is initialised here and nobody has the lock yet.
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes and stays where it is, since `Self` is pinned;
            // `name` and `key` are static.
            raw <- unsafe {
                pin_init::pin_init_from_closure(move |slot: *mut Opaque<bindings::spinlock_t>| {
                    bindings::spin_lock_init(
                        Opaque::cast_into(slot),
                        name.as_char_ptr(),
                        key.as_ptr(),
                    );
                    Ok::<(), core::convert::Infallible>(())
                })
            },
            data: UnsafeCell::new(data),
            _pin: PhantomPinned,
        })
    }

    /// Waits for the lock.
    ///
    /// # Context
    ///
    /// Any but hard interrupt.
    pub(crate) fn lock(&self) -> BhGuard<'_, T> {
        // SAFETY: `raw` is initialised by the type invariant.
        unsafe { bindings::spin_lock_bh(self.raw.get()) };
        BhGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }
}

/// Evidence that the lock is held, and the way to what it guards.
///
/// # Invariants
///
/// The lock is held by this thread while the guard exists.
pub(crate) struct BhGuard<'a, T> {
    lock: &'a BhLock<T>,
    _not_send: NotThreadSafe,
}

impl<T> Deref for BhGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: The lock is held, so nobody changes the value meanwhile.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for BhGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: The lock is held and `self` is borrowed mutably, so the access is exclusive.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T> Drop for BhGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The lock is held by the type invariant.
        unsafe { bindings::spin_unlock_bh(self.lock.raw.get()) };
    }
}
