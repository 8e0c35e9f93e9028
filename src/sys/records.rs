// SPDX-License-Identifier: GPL-2.0

//! Records by number, in pages that come as they are needed and go together.
//!
//! A number is used again when no reader can have it any more: its record stands in a list, the
//! oldest first, until a grace period has passed.

use super::shared::Grace;
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

/// What a record has for its number to be used again: two fields that nobody else looks at while
/// it is free.
pub(crate) trait Record: Zeroable {
    /// Number of the record behind it in the list of free ones; 0 ends the list.
    fn next(&self, w: Writing<'_>) -> u32;

    /// Sets it.
    fn set_next(&self, id: u32, w: Writing<'_>);

    /// Grace period after which the number may be used again.
    fn grace(&self, w: Writing<'_>) -> Grace;

    /// Sets that grace period.
    fn set_grace(&self, grace: Grace, w: Writing<'_>);
}

/// Records of the first page; each of the next seven pages has twice as many as the one before,
/// the rest [`PAGE_MAX`] each. So a namespace with a few routes pays for a few records, and no
/// allocation is larger than 64 KiB, since most are made where nobody may sleep.
const PAGE_MIN: usize = 16;
const PAGE_MAX: usize = 1024;
/// Records in the pages that grow, and these pages.
const GROWING: usize = 2 * PAGE_MAX - PAGE_MIN;
const FEW: usize = 7;

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
        ((n / PAGE_MAX).wrapping_add(FEW), n % PAGE_MAX)
    }
}

/// Records in page `page`.
fn page_len(page: usize) -> usize {
    if page < FEW {
        PAGE_MIN << page
    } else {
        PAGE_MAX
    }
}

/// A page, or null.
type Page<T> = AtomicPtr<T>;

/// Records by number from 1 on, for readers under RCU: in [`FEW`] pages that grow, and up to `MORE` others,
/// whose list comes with the first of them.
///
/// Pages are added and never go before the whole does.
///
/// # Invariants
///
/// `more` is null or owns an array of `MORE` pages. Of `few` and then `more`, the first non-null
/// entries each own an array of `page_len` records; the others are null.
pub(crate) struct Records<T, const MORE: usize> {
    few: [Page<T>; FEW],
    more: AtomicPtr<Page<T>>,
}

// SAFETY: It owns its records.
unsafe impl<T: Send, const MORE: usize> Send for Records<T, MORE> {}
// SAFETY: As above.
unsafe impl<T: Sync, const MORE: usize> Sync for Records<T, MORE> {}

impl<T, const MORE: usize> Records<T, MORE> {
    /// Page number `page`; `None` if there is no such, or no list for it yet.
    #[inline]
    fn page(&self, page: usize) -> Option<&Page<T>> {
        if let Some(page) = self.few.get(page) {
            return Some(page);
        }
        // ORDERING: Acquire, so that the list is seen as it was made.
        let more = self.more.load(Ordering::Acquire);
        let page = page.wrapping_sub(FEW);
        if more.is_null() || page >= MORE {
            return None;
        }
        // SAFETY: By the type invariant there are `MORE`, which live as long as `self`.
        Some(unsafe { &*more.add(page) })
    }
}

impl<T: Zeroable, const MORE: usize> Records<T, MORE> {
    /// None yet, and the one who may change them.
    pub(crate) fn new() -> (Self, RecordsWriter<T, MORE>) {
        (
            // INVARIANT: All null.
            Self {
                few: [const { AtomicPtr::new(ptr::null_mut()) }; FEW],
                more: AtomicPtr::new(ptr::null_mut()),
            },
            RecordsWriter {
                len: 1,
                pages: 0,
                bytes: 0,
                free_first: 0,
                free_last: 0,
                _t: PhantomData,
            },
        )
    }

    /// Record `id`, if there is one. Number 0 is nobody's: tables and lists say "none" by it, and
    /// whoever has such a number does not ask.
    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        let (page, i) = place(id);
        // ORDERING: Acquire, so that the page's records are seen zeroed.
        let base = self.page(page)?.load(Ordering::Acquire);
        if base.is_null() {
            return None;
        }
        // SAFETY: `place` gives an index within the page's length, and by the type invariant the
        // page lives as long as `self`.
        Some(unsafe { &*base.add(i) })
    }
}

/// An array of `len` of what `make` makes, leaked.
fn array<T>(len: usize, make: impl Fn() -> T, flags: Flags) -> Result<*mut T> {
    let mut fresh = KVec::with_capacity(len, flags)?;
    while fresh.len() < len {
        fresh.push_within_capacity(make()).map_err(|_| ENOMEM)?;
    }
    Ok(ManuallyDrop::new(fresh).as_mut_ptr())
}

impl<T, const MORE: usize> Drop for Records<T, MORE> {
    fn drop(&mut self) {
        for page in 0..FEW.wrapping_add(MORE) {
            let Some(base) = self.page(page) else {
                break;
            };
            let base = base.load(Ordering::Relaxed);
            if !base.is_null() {
                let len = page_len(page);
                // SAFETY: By the type invariant, and `array` made it so.
                drop(unsafe { KVec::from_raw_parts(base, len, len) });
            }
        }
        let more = *self.more.get_mut();
        if !more.is_null() {
            // SAFETY: As above.
            drop(unsafe { KVec::from_raw_parts(more, MORE, MORE) });
        }
    }
}

/// The one who may change the records of one [`Records`].
///
/// # Invariants
///
/// There is one for each [`Records`].
pub(crate) struct RecordsWriter<T, const MORE: usize> {
    /// The number that nobody has had yet.
    len: u32,
    pages: usize,
    bytes: usize,
    /// Free numbers, oldest first; 0 if there is none.
    free_first: u32,
    free_last: u32,
    _t: PhantomData<fn(T)>,
}

impl<T: Zeroable, const MORE: usize> RecordsWriter<T, MORE> {
    /// Evidence for whoever changes a record.
    pub(crate) fn writing(&mut self) -> Writing<'_> {
        Writing(PhantomData, NotThreadSafe)
    }

    /// All numbers are below this one.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Bytes of all pages.
    pub(crate) fn memory(&self) -> usize {
        self.bytes
    }

    /// Adds a free record.
    fn add(&mut self, records: &Records<T, MORE>, flags: Flags) -> Result<u32> {
        let id = self.len;
        let (page, _) = place(id);
        if page >= self.pages {
            // ORDERING: Nobody else changes it.
            if page >= FEW && records.more.load(Ordering::Relaxed).is_null() {
                let more = array(MORE, || AtomicPtr::new(ptr::null_mut()), flags)?;
                // INVARIANT: It has that many, all null.
                // ORDERING: Release, pairs with `page`.
                records.more.store(more, Ordering::Release);
                self.bytes = self
                    .bytes
                    .wrapping_add(MORE.wrapping_mul(size_of::<Page<T>>()));
            }
            let slot = records.page(page).ok_or(ENOSPC)?;
            let len = page_len(page);
            let fresh = array(len, pin_init::zeroed::<T>, flags)?;
            // INVARIANT: The page is given to `records`, in its order.
            // ORDERING: Release, pairs with `get`.
            slot.store(fresh, Ordering::Release);
            self.pages = page.wrapping_add(1);
            self.bytes = self.bytes.wrapping_add(len.wrapping_mul(size_of::<T>()));
        }
        self.len = id.wrapping_add(1);
        Ok(id)
    }
}

impl<T: Record, const MORE: usize> RecordsWriter<T, MORE> {
    /// A record of `records`, which must be the one this was made with: the oldest free one if no
    /// reader can have its number any more, else another.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENOSPC` when all pages are full.
    pub(crate) fn take(&mut self, records: &Records<T, MORE>, flags: Flags) -> Result<u32> {
        match self.reuse(records) {
            Some(id) => Ok(id),
            None => self.add(records, flags),
        }
    }

    fn reuse(&mut self, records: &Records<T, MORE>) -> Option<u32> {
        let id = self.free_first;
        let record = records.get(id).filter(|_| id != 0)?;
        let w = self.writing();
        if !record.grace(w).elapsed() {
            return None;
        }
        let next = record.next(w);
        self.free_first = next;
        if next == 0 {
            self.free_last = 0;
        }
        Some(id)
    }

    /// Gives back record `id`, which new readers do not find any more.
    pub(crate) fn give(&mut self, records: &Records<T, MORE>, id: u32) {
        let Some(record) = records.get(id).filter(|_| id != 0) else {
            return;
        };
        let last = self.free_last;
        let w = self.writing();
        record.set_grace(Grace::start(), w);
        record.set_next(0, w);
        match records.get(last).filter(|_| last != 0) {
            Some(last) => last.set_next(id, w),
            None => self.free_first = id,
        }
        self.free_last = id;
    }
}
