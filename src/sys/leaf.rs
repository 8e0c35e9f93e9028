// SPDX-License-Identifier: GPL-2.0

//! Where the kernel keeps the routes of an IPv4 prefix: a leaf of its trie, learned from the
//! kernel's own lookups.
//!
//! A leaf lives as long as any prefix at its address has a route, and the notifier tells of the
//! last one's end before the kernel takes it out. So a record must be killed in that very event,
//! and is used again after a grace period only.

use super::bindings;
use super::net::Net;
use super::nexthop::NextHop;
use super::rcu::ReadSide;
use super::records;
use super::records::Record;
use super::records::Writing;
use super::shared::Grace;
use core::cell::UnsafeCell;
use kernel::prelude::*;

/// The record of a prefix.
///
/// # Invariants
///
/// `head` is null, 1, or the list of a leaf of the kernel's trie that readers may follow under RCU.
#[repr(transparent)]
pub(crate) struct Leaf(UnsafeCell<bindings::altfib_leaf>);

// SAFETY: `head` is read and learned under RCU with marked accesses; the rest is the writer's, who
// shows a `Writing`.
unsafe impl Send for Leaf {}
// SAFETY: As above.
unsafe impl Sync for Leaf {}

// SAFETY: All zero is a record whose leaf is not known.
unsafe impl Zeroable for Leaf {}

/// All leaves of a mirror by number: 4,196,336 at most.
pub(crate) type Leaves = records::Records<Leaf, 4096>;

/// The one who may change them.
pub(crate) type LeavesWriter = records::RecordsWriter<Leaf, 4096>;

impl Leaf {
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::altfib_leaf {
        self.0.get()
    }

    /// Makes a record that nobody can find yet stand for the prefix of `len` bits at `addr` (host
    /// order), whose first route is that of `nh`. It must be killed before `nh` gives its route back.
    pub(crate) fn start(&self, addr: u32, len: u8, nh: &NextHop, _w: Writing<'_>) {
        // INVARIANT: The helper sets null.
        // SAFETY: Both are valid, and the caller is the only writer of either.
        unsafe { bindings::leaf_init(self.as_ptr(), addr, len, nh.as_ptr()) };
    }

    /// The prefix goes, or has another first route: whoever looks for it here from now on is the
    /// kernel's.
    pub(crate) fn kill(&self, _w: Writing<'_>) {
        // INVARIANT: The helper sets 1.
        // SAFETY: As above.
        unsafe { bindings::leaf_kill(self.as_ptr()) };
    }

    /// Whether a lookup of `addr` (host order) in the main table, read from this leaf, is the kernel's.
    pub(crate) fn agrees(&self, net: &Net, addr: u32, _rcu: ReadSide<'_>) -> bool {
        // SAFETY: RCU is held, and both are valid.
        unsafe { bindings::leaf_agrees(net.as_ptr(), self.as_ptr(), addr) }
    }
}

// The two fields share their places with those of a prefix, whose last reader looks at `head` once
// more behind them.
impl Record for Leaf {
    fn next(&self, _w: Writing<'_>) -> u32 {
        // SAFETY: Valid; the writer reads what only it writes.
        unsafe { *(&raw const (*self.as_ptr()).__bindgen_anon_2).cast() }
    }

    fn set_next(&self, id: u32, _w: Writing<'_>) {
        // SAFETY: Valid; a reader that still looks there throws away what it reads.
        unsafe { *(&raw mut (*self.as_ptr()).__bindgen_anon_2).cast() = id };
    }

    fn grace(&self, _w: Writing<'_>) -> Grace {
        // SAFETY: As for `next`.
        Grace::from_word(unsafe { *(&raw const (*self.as_ptr()).__bindgen_anon_1).cast() })
    }

    fn set_grace(&self, grace: Grace, _w: Writing<'_>) {
        // SAFETY: As for `set_next`.
        unsafe { *(&raw mut (*self.as_ptr()).__bindgen_anon_1).cast() = grace.to_word() };
    }
}
