// SPDX-License-Identifier: GPL-2.0

//! The prefixes of the main table one by one, for lookups that must say which prefix it was.
//!
//! The table of [`super::tables`] maps addresses to next hops, and thousands of prefixes share one,
//! which is what keeps it small. `struct fib_result` names the prefix, and the list of routes from
//! which the kernel's own rules choose. So there is a second table beside it while it is wanted,
//! whose values are numbers of [`Leaf`] records, one for each prefix.

use super::bulk::Bulk;
use super::Why;
use crate::lpm;
use crate::lpm::Algorithm;
use crate::lpm::Prefix;
use crate::lpm::V4;
use crate::sys::leaf::Leaf;
use crate::sys::leaf::LeavesWriter;
use crate::sys::nexthop::NextHop;
use kernel::alloc::Flags;
use kernel::prelude::*;

/// The reader's side.
pub(super) struct Leaves {
    table: lpm::Table<V4>,
    records: crate::sys::leaf::Leaves,
}

impl Leaves {
    /// The record of the longest prefix of `addr` (host order).
    #[inline]
    pub(super) fn get(&self, addr: u32) -> Option<&Leaf> {
        match self.table.lookup(addr) {
            0 => None,
            id => self.records.get(id),
        }
    }
}

/// The writer's side.
pub(super) struct Writer {
    writer: lpm::Writer<V4>,
    records: LeavesWriter,
}

impl Writer {
    /// No prefixes, and nobody reads before [`Writer::share`].
    #[inline(never)]
    pub(super) fn new(
        algorithm: Option<Algorithm>,
        flags: Flags,
    ) -> Result<(KBox<Leaves>, Self), Why> {
        let (table, mut writer) = lpm::Table::new(flags)?;
        writer.set_exclusive(true);
        writer.set_algorithm(algorithm);
        let (records, free) = crate::sys::leaf::Leaves::new();
        let leaves = KBox::new(Leaves { table, records }, flags).map_err(|_| Why::NoMemory)?;
        Ok((
            leaves,
            Self {
                writer,
                records: free,
            },
        ))
    }

    /// Readers are about to come.
    pub(super) fn share(&mut self) {
        self.writer.set_exclusive(false);
    }

    /// Bytes of the table and of the records.
    pub(super) fn memory(&self) -> usize {
        self.writer.memory().saturating_add(self.records.memory())
    }

    /// Pins the table to an algorithm, or lets its size choose.
    pub(super) fn set_algorithm(
        &mut self,
        leaves: &Leaves,
        algorithm: Option<Algorithm>,
        flags: Flags,
    ) {
        self.writer.set_algorithm(algorithm);
        self.writer.settle(&leaves.table, flags);
    }

    /// A record for a prefix.
    fn take(
        &mut self,
        leaves: &Leaves,
        prefix: Prefix<V4>,
        nh: &NextHop,
        flags: Flags,
    ) -> Result<u32, Why> {
        let id = self
            .records
            .take(&leaves.records, flags)
            .map_err(|_| Why::NoMemory)?;
        let leaf = leaves.records.get(id).ok_or(Why::NoMemory)?;
        leaf.start(prefix.addr(), prefix.len(), nh, self.records.writing());
        Ok(id)
    }

    /// Gives a record back, to which no prefix leads any more.
    fn give(&mut self, leaves: &Leaves, id: u32) {
        let Some(leaf) = leaves.records.get(id).filter(|_| id != 0) else {
            return;
        };
        leaf.kill(self.records.writing());
        self.records.give(&leaves.records, id);
    }

    /// Bytes that the table may take of `budget`, which the records count against as well.
    fn limit(&mut self, budget: usize) {
        self.writer
            .set_budget(budget.saturating_sub(self.records.memory()));
    }

    /// A prefix whose first route is that of `nh` now. It gets a fresh record in any case: who still
    /// learns from the one before may not publish what is over.
    ///
    /// # Errors
    ///
    /// `Why::NoMemory` and the like; the prefix has no record that counts then: its next hop may go.
    pub(super) fn add(
        &mut self,
        leaves: &Leaves,
        prefix: Prefix<V4>,
        nh: &NextHop,
        budget: usize,
        flags: Flags,
    ) -> Result<(), Why> {
        let added = self.try_add(leaves, prefix, nh, budget, flags);
        if added.is_err() {
            self.kill(leaves, prefix);
        }
        added
    }

    fn try_add(
        &mut self,
        leaves: &Leaves,
        prefix: Prefix<V4>,
        nh: &NextHop,
        budget: usize,
        flags: Flags,
    ) -> Result<(), Why> {
        let id = self.take(leaves, prefix, nh, flags)?;
        self.limit(budget);
        match self.writer.insert(&leaves.table, prefix, id, flags) {
            Ok(old) => {
                self.give(leaves, old);
                Ok(())
            }
            Err(e) => {
                self.give(leaves, id);
                Err(e.into())
            }
        }
    }

    /// A prefix is about to lose its route, and the next hop a reference: its leaf may not be used.
    pub(super) fn kill(&mut self, leaves: &Leaves, prefix: Prefix<V4>) {
        let id = self.writer.get(prefix);
        if let Some(leaf) = leaves.records.get(id).filter(|_| id != 0) {
            leaf.kill(self.records.writing());
        }
    }

    /// Takes a prefix out.
    pub(super) fn remove(
        &mut self,
        leaves: &Leaves,
        prefix: Prefix<V4>,
        flags: Flags,
    ) -> Result<(), Why> {
        // First, so that it holds whatever else fails.
        self.kill(leaves, prefix);
        let old = self.writer.remove(&leaves.table, prefix, flags)?;
        self.give(leaves, old);
        Ok(())
    }

    /// Builds the table, which is empty, at once.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    #[inline(never)]
    pub(super) fn build<'a>(
        &mut self,
        leaves: &Leaves,
        prefixes: impl Iterator<Item = (Prefix<V4>, &'a NextHop)>,
        budget: usize,
    ) -> Result<(), Why> {
        let mut bulk = Bulk::new();
        for (prefix, nh) in prefixes {
            let id = self.take(leaves, prefix, nh, GFP_KERNEL_ACCOUNT)?;
            bulk.push(prefix, id).map_err(|_| Why::NoMemory)?;
        }
        self.limit(budget);
        Ok(bulk.build(&mut self.writer, &leaves.table, |_| {})?)
    }
}
