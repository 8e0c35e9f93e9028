// SPDX-License-Identifier: GPL-2.0

//! What readers share, and the lookup.

use super::{
    chunks::{self, CHILD, WIDE},
    family::Family,
    ranges::{self, RANGES},
    writer::Writer,
    Error, Flags, Value,
};
use crate::sys::shared::{self, Blocks, Word};
use core::marker::PhantomData;

/// A table for lookups. Shared by readers; what changes it is its [`Writer`].
///
/// Readers must be inside an RCU read-side critical section.
pub struct Table<F: Family> {
    pub(super) root: Word,
    /// The default route's value, and in the upper half the number of its changes.
    pub(super) default: Word,
    pub(super) blocks: Blocks,
    /// Bytes that lookups touch.
    pub(super) touched: Word,
    family: PhantomData<F>,
}

impl<F: Family> Table<F> {
    /// An empty table and its writer. They belong together: a writer used with another table
    /// produces wrong answers there.
    ///
    /// An empty table, or one with a default route only, holds no memory; `flags` are kept in the
    /// signature for what a table may need from the start.
    #[allow(clippy::new_ret_no_self)]
    pub fn new(_flags: Flags) -> Result<(Table<F>, Writer<F>), Error> {
        let table = Table {
            root: Word::new(0),
            default: Word::new(0),
            blocks: Blocks::new(),
            touched: Word::new(0),
            family: PhantomData,
        };
        Ok((table, Writer::new()))
    }

    /// The value of the longest prefix that holds `addr`, 0 if there is none.
    #[inline]
    pub fn lookup(&self, addr: F::Addr) -> Value {
        let before = self.default.load();
        shared::read_barrier();
        match self.walk(addr) {
            0 => self.default(addr, before),
            value => value,
        }
    }

    /// The default route's value for `addr`, for which no other prefix was found after the default
    /// had been `before`.
    ///
    /// It is the answer only if it is still the same: else a lookup could combine that there is no
    /// prefix with a default that was set after one came to be there.
    #[inline]
    pub(super) fn default(&self, addr: F::Addr, before: u64) -> Value {
        let mut before = before;
        loop {
            shared::read_barrier();
            let now = self.default.load();
            if now == before {
                return now as u32;
            }
            before = now;
            shared::read_barrier();
            let value = self.walk_again(addr);
            if value != 0 {
                return value;
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn walk_again(&self, addr: F::Addr) -> u32 {
        self.walk(addr)
    }

    /// The value of the longest prefix but the default that holds `addr`.
    #[inline(always)]
    fn walk(&self, addr: F::Addr) -> u32 {
        let root = self.root.follow();
        let (mut found, mut rest) = if root & WIDE != 0 {
            let Some(slot) = chunks::slot(&self.blocks, root as u32, F::head16(addr)) else {
                return 0;
            };
            let entry = slot.follow();
            if entry & CHILD == 0 {
                return entry;
            }
            let rest = F::tail16(addr);
            (
                chunks::find_hinted(&self.blocks, entry, F::head(rest)),
                F::tail(rest),
            )
        } else if root & RANGES != 0 {
            return ranges::lookup::<F>(&self.blocks, root, addr);
        } else if root != 0 {
            (
                chunks::find(&self.blocks, root as u32, F::head(addr)),
                F::tail(addr),
            )
        } else {
            return 0;
        };
        // Bounded by the levels there are, whatever a reader without a grace period may find.
        for _ in 0..F::BITS / 8 {
            let Some(at) = found else {
                break;
            };
            let entry = at.read();
            if entry & CHILD == 0 {
                return at.value(entry);
            }
            found = chunks::find(&self.blocks, entry, F::head(rest));
            rest = F::tail(rest);
        }
        0
    }

    /// Bytes that lookups touch: what the algorithm shares with them.
    pub fn memory(&self) -> usize {
        self.touched.load() as usize
    }
}
