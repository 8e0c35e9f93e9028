// SPDX-License-Identifier: GPL-2.0

//! A value that readers find under RCU.

use super::compat;
use super::shared::Grace;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering;
use kernel::prelude::*;
use kernel::sync::rcu;
use kernel::types::NotThreadSafe;

/// Evidence of an RCU read side section that somebody else holds open.
///
/// Netfilter hooks run inside one; a second `rcu_read_lock()` would cost a call a packet.
///
/// # Invariants
///
/// The thread is inside an RCU read side section for all of `'a`.
#[derive(Clone, Copy)]
pub(crate) struct ReadSide<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl<'a> ReadSide<'a> {
    /// Asserts that a section is open.
    ///
    /// # Safety
    ///
    /// The thread is, and stays, inside an RCU read side section for `'a`.
    pub(super) unsafe fn assume() -> Self {
        // INVARIANT: By the safety requirement.
        Self(PhantomData, NotThreadSafe)
    }

    /// The section that `guard` holds open.
    pub(crate) fn of(_guard: &'a rcu::Guard) -> Self {
        // INVARIANT: The guard outlives `'a`.
        Self(PhantomData, NotThreadSafe)
    }
}

/// A box that readers find under RCU, or nothing.
///
/// # Invariants
///
/// The pointer is null or comes from `KBox::into_raw` and is owned by the slot.
pub(crate) struct RcuBox<T>(AtomicPtr<T>, PhantomData<KBox<T>>);

// SAFETY: Readers share `&T`; the box moves between threads when it is taken out.
unsafe impl<T: Send + Sync> Send for RcuBox<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for RcuBox<T> {}

impl<T> RcuBox<T> {
    /// An empty slot.
    pub(crate) const fn empty() -> Self {
        // INVARIANT: Null.
        Self(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }

    /// What readers find now.
    #[inline]
    pub(crate) fn get<'a>(&'a self, _rcu: ReadSide<'a>) -> Option<&'a T> {
        // ORDERING: Acquire, so that the value's fields are seen as they were before `publish`.
        let p = self.0.load(Ordering::Acquire);
        // SAFETY: By the type invariant `p` is null or valid; a box that was taken out is freed
        // only after a grace period (`Retired`), and `_rcu` shows that this thread is inside a
        // read side section.
        unsafe { p.as_ref() }
    }

    /// Lets readers find `value`, and takes out what they found before.
    pub(crate) fn replace(&self, value: Option<KBox<T>>) -> Option<Retired<T>> {
        let new = value.map_or(ptr::null_mut(), KBox::into_raw);
        // INVARIANT: `new` is null or was just given up by its box.
        // ORDERING: Release publishes the value's fields; acquire for the one that comes back.
        let old = self.0.swap(new, Ordering::AcqRel);
        if old.is_null() {
            return None;
        }
        // SAFETY: By the type invariant `old` was given up by a box, and the slot owned it.
        let old = unsafe { KBox::from_raw(old) };
        Some(Retired(Some(old), Grace::start()))
    }
}

impl<T> Drop for RcuBox<T> {
    fn drop(&mut self) {
        drop(self.replace(None));
    }
}

/// A box that readers may still look at: it waits for the end of a grace period before it goes,
/// if none has passed since it was taken out.
///
/// # Context
///
/// Must be dropped in process context, where it may sleep. In atomic context, keep it.
pub(crate) struct Retired<T>(Option<KBox<T>>, Grace);

impl<T> Retired<T> {
    /// What it was.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }
}

impl<T> Drop for Retired<T> {
    fn drop(&mut self) {
        if !self.1.elapsed() {
            compat::synchronize_rcu();
        }
        self.0 = None;
    }
}
