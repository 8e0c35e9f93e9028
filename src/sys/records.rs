// SPDX-License-Identifier: GPL-2.0

//! Records by number, in pages that come as they are needed and go together.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering;
use kernel::alloc::Flags;
use kernel::prelude::*;
use kernel::types::NotThreadSafe;

/// Evidence that the caller is the only one who changes the records: a borrow of their one
/// [`RecordsWriter`].
#[derive(Clone, Copy)]
pub(crate) struct Writing<'a>(PhantomData<&'a ()>, NotThreadSafe);

/// Records of the first page; each of the next seven pages has twice as many as the one before,
/// the rest [`PAGE_MAX`] each. So a namespace with a few routes pays for a few records, and no
/// allocation is larger than 64 KiB, since most are made where nobody may sleep.
const PAGE_MIN: usize = 16;
const PAGE_MAX: usize = 1024;
/// Records in the pages that grow.
const GROWING: usize = 2 * PAGE_MAX - PAGE_MIN;

/// Page of record `id`, and its place there.
#[inline]
fn place(id: u32) -> (usize, usize) {
    let n = id as usize;
    if n < GROWING {
        // At least PAGE_MIN, so the logarithm exists and nothing wraps around.
        let n = n.wrapping_add(PAGE_MIN);
        let order = n.checked_ilog2().unwrap_or(0);
        (
            order.wrapping_sub(PAGE_MIN.ilog2()) as usize,
            n ^ 1usize.wrapping_shl(order),
        )
    } else {
        let n = n.wrapping_sub(GROWING);
        ((n / PAGE_MAX).wrapping_add(7), n % PAGE_MAX)
    }
}

/// Records in page `page`.
fn page_len(page: usize) -> usize {
    if page < 7 {
        PAGE_MIN << page
    } else {
        PAGE_MAX
    }
}

/// Records by number, for readers under RCU.
///
/// Pages are added and never go before the whole does.
///
/// # Invariants
///
/// The first non-null entries of `pages` each own an array of `page_len` records; the others are
/// null.
pub(crate) struct Records<T, const PAGES: usize> {
    pages: [AtomicPtr<T>; PAGES],
}

// SAFETY: It owns its records.
unsafe impl<T: Send, const PAGES: usize> Send for Records<T, PAGES> {}
// SAFETY: As above.
unsafe impl<T: Sync, const PAGES: usize> Sync for Records<T, PAGES> {}

impl<T: Zeroable, const PAGES: usize> Records<T, PAGES> {
    /// None yet, and the one who may change them.
    pub(crate) fn new() -> (Self, RecordsWriter<T, PAGES>) {
        (
            // INVARIANT: All null.
            Self {
                pages: [const { AtomicPtr::new(ptr::null_mut()) }; PAGES],
            },
            RecordsWriter {
                len: 0,
                pages: 0,
                bytes: 0,
                _t: PhantomData,
            },
        )
    }

    /// Record `id`, if there is one.
    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        let (page, i) = place(id);
        // ORDERING: Acquire, so that the page's records are seen zeroed.
        let base = self.pages.get(page)?.load(Ordering::Acquire);
        if base.is_null() {
            return None;
        }
        // SAFETY: `place` gives an index within the page's length, and by the type invariant the
        // page lives as long as `self`.
        Some(unsafe { &*base.add(i) })
    }
}

impl<T, const PAGES: usize> Drop for Records<T, PAGES> {
    fn drop(&mut self) {
        for (page, base) in self.pages.iter_mut().enumerate() {
            let base = *base.get_mut();
            if !base.is_null() {
                let len = page_len(page);
                // SAFETY: By the type invariant, and `RecordsWriter::add` made it so.
                drop(unsafe { KVec::from_raw_parts(base, len, len) });
            }
        }
    }
}

/// The one who may change the records of one [`Records`].
///
/// # Invariants
///
/// There is one for each [`Records`].
pub(crate) struct RecordsWriter<T, const PAGES: usize> {
    len: u32,
    pages: usize,
    bytes: usize,
    _t: PhantomData<fn(T)>,
}

impl<T: Zeroable, const PAGES: usize> RecordsWriter<T, PAGES> {
    /// Evidence for whoever changes a record.
    pub(crate) fn writing(&mut self) -> Writing<'_> {
        Writing(PhantomData, NotThreadSafe)
    }

    /// Number of records, bound or free.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Bytes of all pages.
    pub(crate) fn memory(&self) -> usize {
        self.bytes
    }

    /// Adds a free record to `records`, which must be the one it was made with, and returns its
    /// number.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENOSPC` when all pages are full.
    pub(crate) fn add(&mut self, records: &Records<T, PAGES>, flags: Flags) -> Result<u32> {
        let id = self.len;
        let (page, i) = place(id);
        if i == 0 && page >= self.pages {
            let slot = records.pages.get(page).ok_or(ENOSPC)?;
            let len = page_len(page);
            let mut fresh = KVec::with_capacity(len, flags)?;
            while fresh.len() < len {
                fresh
                    .push_within_capacity(pin_init::zeroed::<T>())
                    .map_err(|_| ENOMEM)?;
            }
            let mut fresh = ManuallyDrop::new(fresh);
            // INVARIANT: The page is given to `records`, in its order.
            // ORDERING: Release, pairs with `get`.
            slot.store(fresh.as_mut_ptr(), Ordering::Release);
            self.pages = page.wrapping_add(1);
            self.bytes = self.bytes.wrapping_add(len.wrapping_mul(size_of::<T>()));
        }
        self.len = id.wrapping_add(1);
        Ok(id)
    }
}
