// SPDX-License-Identifier: GPL-2.0

//! The memory of one table: taken before an update changes anything, given back when no reader can
//! see it any more.

use super::{
    arena::{Heap, Limbo},
    family::Family,
    table::Table,
    Error, Flags,
};
use crate::sys::shared::{Blocks, Grace};

/// Batches that one update frees, so that freeing keeps up with retiring and yet is bounded.
const RECLAIM: u32 = 2;

/// How an update may get memory.
#[derive(Clone, Copy)]
pub(super) struct Means {
    pub(super) flags: Flags,
    /// Bytes that the table may have in all.
    budget: usize,
}

/// Where an extent is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the blocks that readers follow references into.
    Shared,
    /// In the writer's own.
    Own,
}

/// The most extents that one update takes.
const TAKEN: usize = 34;

/// One update of a table: what it may use, and what it took and must give back if it fails.
pub(super) struct Update<'a, F: Family> {
    pub(super) store: &'a mut Store,
    pub(super) table: &'a Table<F>,
    pub(super) means: Means,
    /// References and lines, and whether they are the writer's own.
    taken: [(u32, u16, bool); TAKEN],
    len: usize,
}

impl<'a, F: Family> Update<'a, F> {
    pub(super) fn new(store: &'a mut Store, table: &'a Table<F>, means: Means) -> Self {
        Update {
            store,
            table,
            means,
            taken: [(0, 0, false); TAKEN],
            len: 0,
        }
    }

    /// The writer's blocks.
    pub(super) fn own(&self) -> &Blocks {
        &self.store.own
    }

    /// The blocks that readers see.
    pub(super) fn shared(&self) -> &'a Blocks {
        &self.table.blocks
    }

    /// Allocates `lines` adjacent lines with unspecified content, and remembers them for
    /// [`Update::give_back`].
    pub(super) fn take(&mut self, place: Place, lines: u32) -> Result<u32, Error> {
        let r = self.alloc(place, lines)?;
        match self.taken.get_mut(self.len) {
            Some(slot) => {
                *slot = (r, lines as u16, place == Place::Own);
                self.len = self.len.wrapping_add(1);
                Ok(r)
            }
            None => {
                self.free(place, r, lines);
                Err(Error::NoMemory)
            }
        }
    }

    /// Allocates without remembering.
    pub(super) fn alloc(&mut self, place: Place, lines: u32) -> Result<u32, Error> {
        self.store
            .alloc(&self.table.blocks, place, lines, self.means)
    }

    /// Frees an extent that no reader sees.
    pub(super) fn free(&mut self, place: Place, r: u32, lines: u32) {
        self.store.free(&self.table.blocks, place, r, lines);
    }

    /// Frees what was taken: the update fails.
    pub(super) fn give_back(&mut self) {
        for i in 0..self.len {
            if let Some(&(r, lines, own)) = self.taken.get(i) {
                let place = if own { Place::Own } else { Place::Shared };
                self.free(place, r, u32::from(lines));
            }
        }
        self.len = 0;
    }

    /// Sees to it that `n` extents can be retired.
    pub(super) fn reserve(&mut self, n: u32) -> Result<(), Error> {
        self.store.reserve(&self.table.blocks, n, self.means)
    }

    /// Gives up a shared extent that readers may see, if `r` is not 0; needs [`Update::reserve`].
    pub(super) fn retire(&mut self, r: u32, lines: u32) {
        self.store.retire(&self.table.blocks, r, lines);
    }

    /// Bytes that the blocks may still grow by.
    pub(super) fn room(&self) -> usize {
        self.store.room(&self.table.blocks, self.means)
    }
}

/// What hands out extents of the shared blocks, which are passed in, and of the writer's own.
pub(super) struct Store {
    /// What only the writer reads: prefixes, and the batches of the limbo.
    pub(super) own: Blocks,
    own_heap: Heap,
    heap: Heap,
    limbo: Limbo,
    /// A run of blocks for the array of a large table that is not in use, and when its readers are
    /// gone.
    pub(super) array: Option<(u32, Grace)>,
    /// Lines of the shared blocks that wait in the limbo.
    retired: usize,
    /// No reader sees the table.
    exclusive: bool,
    budget: usize,
    /// Bytes that count against the budget without being in a block.
    fixed: usize,
}

impl Store {
    pub(super) fn new(fixed: usize) -> Self {
        Store {
            own: Blocks::new(),
            own_heap: Heap::new(),
            heap: Heap::new(),
            limbo: Limbo::new(),
            array: None,
            retired: 0,
            exclusive: false,
            budget: usize::MAX,
            fixed,
        }
    }

    pub(super) fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
    }

    pub(super) fn set_exclusive(&mut self, exclusive: bool) {
        self.exclusive = exclusive;
    }

    /// The means of an update that must stay within the budget.
    pub(super) fn within_budget(&self, flags: Flags) -> Means {
        Means {
            flags,
            budget: self.budget,
        }
    }

    /// The means of a removal, which the budget does not hold back.
    pub(super) fn beyond_budget(&self, flags: Flags) -> Means {
        Means {
            flags,
            budget: usize::MAX,
        }
    }

    /// Bytes of extents in use or in the limbo.
    pub(super) fn used(&self) -> usize {
        self.heap.used().wrapping_add(self.own_heap.used())
    }

    /// Bytes of shared extents that are in use.
    pub(super) fn live(&self) -> usize {
        self.heap.used().wrapping_sub(self.retired << 6)
    }

    /// Bytes that the blocks may still grow by.
    fn room(&self, shared: &Blocks, means: Means) -> usize {
        let have = self.own.bytes().saturating_add(shared.bytes());
        means.budget.saturating_sub(have.saturating_add(self.fixed))
    }

    /// Allocates `lines` adjacent lines with unspecified content.
    fn alloc(
        &mut self,
        shared: &Blocks,
        place: Place,
        lines: u32,
        means: Means,
    ) -> Result<u32, Error> {
        match self.try_alloc(shared, place, lines, means) {
            // What waited longer than its grace period may do.
            Err(_) if self.reclaim(shared, u32::MAX) => self.try_alloc(shared, place, lines, means),
            result => result,
        }
    }

    fn try_alloc(
        &mut self,
        shared: &Blocks,
        place: Place,
        lines: u32,
        means: Means,
    ) -> Result<u32, Error> {
        let room = self.room(shared, means);
        match place {
            Place::Shared => self.heap.alloc(shared, lines, room, means.flags),
            Place::Own => self.own_heap.alloc(&self.own, lines, room, means.flags),
        }
    }

    /// Frees an extent that no reader sees.
    fn free(&mut self, shared: &Blocks, place: Place, r: u32, lines: u32) {
        match place {
            Place::Shared => self.heap.free(shared, r, lines),
            Place::Own => self.own_heap.free(&self.own, r, lines),
        }
    }

    /// Sees to it that `n` extents can be retired.
    fn reserve(&mut self, shared: &Blocks, n: u32, means: Means) -> Result<(), Error> {
        while !self.exclusive && self.limbo.lacks(n) {
            let line = self.alloc(shared, Place::Own, 1, means)?;
            self.limbo.supply(&self.own, line);
        }
        Ok(())
    }

    /// Gives up an extent that readers may see; there was a [`Store::reserve`] for it. 0 is none.
    fn retire(&mut self, shared: &Blocks, r: u32, lines: u32) {
        if r == 0 {
            return;
        }
        if self.exclusive {
            self.heap.free(shared, r, lines);
        } else {
            self.limbo.push(&self.own, r, lines);
            self.retired = self.retired.wrapping_add(lines as usize);
        }
    }

    /// Frees some of what no reader sees any more.
    pub(super) fn reclaim_some(&mut self, shared: &Blocks) {
        self.reclaim(shared, RECLAIM);
    }

    /// Frees up to `batches` batches of extents that no reader sees any more.
    fn reclaim(&mut self, shared: &Blocks, batches: u32) -> bool {
        let mut any = false;
        for _ in 0..batches {
            let Some(batch) = self.limbo.pop(&self.own) else {
                break;
            };
            any = true;
            for n in 0..batch.len {
                let (r, lines) = batch.get(&self.own, n);
                self.heap.free(shared, r, lines);
                self.retired = self.retired.wrapping_sub(lines as usize);
            }
            self.own_heap.free(&self.own, batch.line, 1);
        }
        any
    }

    /// Whether what was retired at `grace` can be used again.
    pub(super) fn is_over(&self, grace: Grace) -> bool {
        self.exclusive || grace.elapsed()
    }
}
