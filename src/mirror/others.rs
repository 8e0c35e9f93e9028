// SPDX-License-Identifier: GPL-2.0

//! Tables beside the local and the main one: those that policy rules and VRFs lead to.
//!
//! A table is made by its first route. When its last one goes it stays, empty, since readers may
//! look at it; when there are many of those, the mirror is loaded anew.

use super::Why;
use crate::lpm;
use crate::lpm::Algorithm;
use crate::lpm::Family;
use crate::sys::keyed::Keyed;
use kernel::alloc::Flags;
use kernel::prelude::*;

/// Empty tables that nobody minds.
const EMPTY: usize = 64;

/// The reader's side.
pub(super) type Tables<F> = Keyed<lpm::Table<F>>;

type Entry<F> = (u32, KBox<lpm::Writer<F>>);

/// The writer's side.
pub(super) struct Writers<F: Family> {
    /// By id.
    list: KVVec<Entry<F>>,
    /// Bytes by the count of each writer.
    content: usize,
    prefixes: usize,
    empty: usize,
    exclusive: bool,
    algorithm: Option<Algorithm>,
}

impl<F: Family> Writers<F> {
    /// Bytes of a table beside what its writer counts.
    const OVERHEAD: usize = Tables::<F>::NODE - size_of::<lpm::Table<F>>() + size_of::<Entry<F>>();

    /// None; those that come are read by nobody before [`Writers::share`].
    pub(super) fn new(algorithm: Option<Algorithm>) -> Self {
        Self {
            list: KVVec::new(),
            content: 0,
            prefixes: 0,
            empty: 0,
            exclusive: true,
            algorithm,
        }
    }

    /// Readers are about to come.
    pub(super) fn share(&mut self) {
        self.exclusive = false;
        for (_, writer) in &mut self.list {
            writer.set_exclusive(false);
        }
    }

    /// Pins the tables to an algorithm, or lets their size choose.
    pub(super) fn set_algorithm(
        &mut self,
        tables: &Tables<F>,
        algorithm: Option<Algorithm>,
        flags: Flags,
    ) {
        self.algorithm = algorithm;
        for (id, writer) in &mut self.list {
            writer.set_algorithm(algorithm);
            if let Some(table) = tables.get(*id) {
                let before = writer.memory();
                writer.settle(table, flags);
                self.content = self
                    .content
                    .wrapping_add(writer.memory())
                    .wrapping_sub(before);
            }
        }
    }

    /// How many tables there are, and how many prefixes in them.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.list.len().saturating_sub(self.empty), self.prefixes)
    }

    /// Bytes of all of them.
    pub(super) fn memory(&self) -> usize {
        self.content
            .saturating_add(self.list.len().saturating_mul(Self::OVERHEAD))
    }

    fn find(&self, id: u32) -> core::result::Result<usize, usize> {
        self.list.binary_search_by_key(&id, |&(id, _)| id)
    }

    /// The writer of table `id`.
    pub(super) fn get(&self, id: u32) -> Option<&lpm::Writer<F>> {
        let (_, writer) = self.list.get(self.find(id).ok()?)?;
        Some(writer)
    }

    /// The first table with at least this id that is not empty.
    pub(super) fn next(&self, id: u32) -> Option<(u32, &lpm::Writer<F>)> {
        let at = self.find(id).unwrap_or_else(|at| at);
        self.list
            .get(at..)?
            .iter()
            .find(|(_, writer)| !writer.is_empty())
            .map(|(id, writer)| (*id, &**writer))
    }

    /// Makes table `id` if it is not there, within `budget` bytes for all.
    pub(super) fn open(
        &mut self,
        tables: &Tables<F>,
        id: u32,
        budget: usize,
        flags: Flags,
    ) -> Result<(), Why> {
        let Err(at) = self.find(id) else {
            return Ok(());
        };
        let (table, mut writer) = lpm::Table::new(flags)?;
        let bytes = writer.memory();
        if self
            .memory()
            .saturating_add(bytes)
            .saturating_add(Self::OVERHEAD)
            > budget
        {
            return Err(Why::Budget);
        }
        writer.set_exclusive(self.exclusive);
        writer.set_algorithm(self.algorithm);
        let writer = KBox::new(writer, flags).map_err(|_| Why::NoMemory)?;
        if self.list.len() == self.list.capacity() {
            let more = self.list.len().max(4);
            self.list.reserve(more, flags).map_err(|_| Why::NoMemory)?;
        }
        tables.add(id, table, flags).map_err(|_| Why::NoMemory)?;
        // There is room.
        self.list
            .push_within_capacity((id, writer))
            .map_err(|_| Why::NoMemory)?;
        // To its place, from the end.
        let mut to = self.list.len();
        while to.saturating_sub(1) > at {
            let from = to.saturating_sub(2);
            if let Some([before, new]) = self.list.get_mut(from..to) {
                core::mem::swap(before, new);
            }
            to = to.saturating_sub(1);
        }
        self.content = self.content.wrapping_add(bytes);
        self.empty = self.empty.wrapping_add(1);
        Ok(())
    }

    /// Runs `f` on table `id`, which may then take `budget` bytes less what the others take.
    /// `None` if there is no such table.
    pub(super) fn change<R>(
        &mut self,
        tables: &Tables<F>,
        id: u32,
        budget: usize,
        f: impl FnOnce(&mut lpm::Writer<F>, &lpm::Table<F>) -> R,
    ) -> Option<R> {
        let at = self.find(id).ok()?;
        let others = self.memory();
        let (_, writer) = self.list.get_mut(at)?;
        let (memory, len) = (writer.memory(), writer.len());
        writer.set_budget(budget.saturating_sub(others.saturating_sub(memory)));
        let result = f(writer, tables.get(id)?);
        self.content = self
            .content
            .wrapping_add(writer.memory())
            .wrapping_sub(memory);
        self.prefixes = self.prefixes.wrapping_add(writer.len()).wrapping_sub(len);
        self.empty = self
            .empty
            .wrapping_add(usize::from(writer.is_empty()))
            .wrapping_sub(usize::from(len == 0));
        Some(result)
    }

    /// Whether so many tables are empty that a new start is better.
    pub(super) fn is_littered(&self) -> bool {
        self.empty > EMPTY && self.empty > self.list.len() / 2
    }
}
