// SPDX-License-Identifier: GPL-2.0

//! What readers share, and the lookup.

use super::{chunk, family::Family, writer::Writer, Error, Flags, Value};
use crate::sys::shared::{self, Blocks, Word};
use core::marker::PhantomData;

/// In the root word: the low half is the first of the four blocks of the slot array, instead of a
/// chunk of level 0.
pub(super) const WIDE: u64 = 1 << 32;

/// Blocks of the slot array.
pub(super) const WIDE_BLOCKS: u32 = 4;

/// Bytes of the slot array.
pub(super) const WIDE_BYTES: usize = 256 << 10;

/// A table for lookups. Shared by readers; what changes it is its [`Writer`].
///
/// Readers must be inside an RCU read-side critical section.
pub struct Table<F: Family> {
    pub(super) root: Word,
    /// The default route's value, and in the upper half the number of its changes.
    pub(super) default: Word,
    pub(super) blocks: Blocks,
    /// Bytes of live chunks and of the slot array.
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
        loop {
            let before = self.default.load();
            shared::read_barrier();
            let value = self.walk(addr);
            if value != 0 {
                return value;
            }
            // 0 is the answer only as long as the default is the one that was read: without this
            // a lookup could combine an old 0 with a default set after a prefix came to be there.
            shared::read_barrier();
            if self.default.load() == before {
                return before as u32;
            }
        }
    }

    /// The value of the longest prefix but the default that holds `addr`.
    #[inline(always)]
    fn walk(&self, addr: F::Addr) -> u32 {
        let root = self.root.follow();
        let (mut entry, mut rest) = if root & WIDE != 0 {
            let slot = F::head16(addr);
            (self.slot(root as u32, slot), F::tail16(addr))
        } else {
            (root as u32, addr)
        };
        // Bounded by the levels there are, whatever a reader without a grace period may find.
        for _ in 0..F::BITS / 8 {
            if entry & chunk::CHILD == 0 {
                return entry;
            }
            entry = chunk::step(&self.blocks, entry, F::head(rest));
            rest = F::tail(rest);
        }
        if entry & chunk::CHILD == 0 {
            entry
        } else {
            0
        }
    }

    /// Slot `slot` of the array that starts at block `base`.
    #[inline(always)]
    pub(super) fn slot(&self, base: u32, slot: u32) -> u32 {
        let word = self
            .blocks
            .block(base.wrapping_add(slot >> 14))
            .and_then(|lines| lines.get((slot as usize >> 4) & 1023))
            .map_or(0, |line| line.word(slot as usize >> 1).follow());
        word.wrapping_shr((slot & 1) << 5) as u32
    }

    /// Bytes that lookups touch: the chunks in use, and the slot array if there is one.
    pub fn memory(&self) -> usize {
        self.touched.load() as usize
    }
}
