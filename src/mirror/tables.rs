// SPDX-License-Identifier: GPL-2.0

//! The tables of one address family: RT_TABLE_LOCAL, RT_TABLE_MAIN, and all others that have
//! routes, within one budget of memory.
//!
//! What the values of their prefixes mean is the family's: see [`super::ipv4`] and
//! [`super::ipv6`].

use super::bulk::Bulk;
use super::filter::Filter;
use super::others;
use super::Sizes;
use super::Why;
use crate::lpm;
use crate::lpm::Algorithm;
use crate::lpm::Family;
use crate::lpm::Prefix;
use crate::sys::fib;
use kernel::alloc::Flags;
use kernel::prelude::*;

/// A table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Local,
    Main,
    /// The one with this id.
    Other(u32),
}

impl Which {
    /// The table with this id.
    pub(crate) fn from_id(table: u32) -> Self {
        match table {
            fib::TABLE_LOCAL => Which::Local,
            fib::TABLE_MAIN => Which::Main,
            id => Which::Other(id),
        }
    }
}

/// The reader's side.
pub(super) struct Tables<F: Family> {
    /// Of the local table.
    filter: Filter,
    local: lpm::Table<F>,
    main: lpm::Table<F>,
    others: others::Tables<F>,
}

impl<F: Family> Tables<F> {
    /// The value of the longest prefix of `addr` in a table, 0 if there is none.
    #[inline]
    pub(super) fn lookup(&self, which: Which, addr: F::Addr) -> lpm::Value {
        match which {
            Which::Local if !self.filter.admits::<F>(addr) => 0,
            Which::Local => self.local.lookup(addr),
            Which::Main => self.main.lookup(addr),
            Which::Other(id) => self.others.get(id).map_or(0, |table| table.lookup(addr)),
        }
    }
}

/// The writer's side.
pub(super) struct Writers<F: Family> {
    local: lpm::Writer<F>,
    main: lpm::Writer<F>,
    others: others::Writers<F>,
    budget: usize,
    /// The most prefixes that there ever were.
    peak: usize,
}

/// Tables of this size may waste what they like.
const WASTE_BYTES: usize = 512 * 1024;

/// A new start is worth its while when of so many prefixes one is left.
const WASTE_FACTOR: usize = 4;

impl<F: Family> Writers<F> {
    /// Empty tables, that nobody reads before [`Writers::share`].
    #[inline(never)]
    pub(super) fn new(
        budget: usize,
        algorithm: Option<Algorithm>,
        flags: Flags,
    ) -> Result<(Tables<F>, Self), Why> {
        let (local_table, mut local) = lpm::Table::new(flags)?;
        let (main_table, mut main) = lpm::Table::new(flags)?;
        // No grace period has to be waited for.
        local.set_exclusive(true);
        main.set_exclusive(true);
        local.set_algorithm(algorithm);
        main.set_algorithm(algorithm);
        let tables = Tables {
            filter: Filter::new(),
            local: local_table,
            main: main_table,
            others: others::Tables::new(),
        };
        let writers = Self {
            local,
            main,
            others: others::Writers::new(algorithm),
            budget,
            peak: 0,
        };
        Ok((tables, writers))
    }

    /// Readers are about to come.
    pub(super) fn share(&mut self) {
        self.local.set_exclusive(false);
        self.main.set_exclusive(false);
        self.others.share();
    }

    pub(super) fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
    }

    /// Pins the tables to an algorithm, or lets their size choose.
    pub(super) fn set_algorithm(
        &mut self,
        tables: &Tables<F>,
        algorithm: Option<Algorithm>,
        flags: Flags,
    ) {
        self.local.set_algorithm(algorithm);
        self.local.settle(&tables.local, flags);
        self.main.set_algorithm(algorithm);
        self.main.settle(&tables.main, flags);
        self.others.set_algorithm(&tables.others, algorithm, flags);
    }

    /// Sizes, as far as the tables know them.
    pub(super) fn sizes(&self, tables: &Tables<F>) -> Sizes {
        let (count, others) = self.others.len();
        Sizes {
            main: self.main.len(),
            local: self.local.len(),
            tables: count,
            others,
            algorithm: self.main.algorithm().name(),
            local_algorithm: self.local.algorithm().name(),
            touched: tables.main.memory().saturating_add(tables.local.memory()),
            memory: self.bytes(),
            ..Sizes::default()
        }
    }

    /// The algorithm of the main table.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.main.algorithm()
    }

    /// Prefixes of the main table.
    pub(super) fn main_len(&self) -> usize {
        self.main.len()
    }

    /// Whether so many tables are empty that a new start is better.
    pub(super) fn is_littered(&self) -> bool {
        self.others.is_littered()
    }

    /// Prefixes of all tables.
    pub(super) fn len(&self) -> usize {
        let (_, others) = self.others.len();
        self.main
            .len()
            .saturating_add(self.local.len())
            .saturating_add(others)
    }

    /// Whether so few prefixes are left of so many that a new start is better: tables give no memory
    /// back. After a new start this is false.
    pub(super) fn is_wasteful(&self) -> bool {
        self.len().saturating_mul(WASTE_FACTOR) < self.peak && self.bytes() > WASTE_BYTES
    }

    /// The first table with at least this id that has a prefix.
    pub(super) fn next_table(&self, id: u32) -> Option<(u32, &lpm::Writer<F>)> {
        [
            Some((fib::TABLE_MAIN, &self.main)),
            Some((fib::TABLE_LOCAL, &self.local)),
            self.others.next(id),
        ]
        .into_iter()
        .flatten()
        .filter(|&(at, writer)| at >= id && !writer.is_empty())
        .min_by_key(|&(id, _)| id)
    }

    /// Bytes of all tables.
    pub(super) fn bytes(&self) -> usize {
        self.main
            .memory()
            .saturating_add(self.local.memory())
            .saturating_add(self.others.memory())
    }

    /// The value of a prefix, 0 if it is not there.
    pub(super) fn get(&self, which: Which, prefix: Prefix<F>) -> lpm::Value {
        match which {
            Which::Local => self.local.get(prefix),
            Which::Main => self.main.get(prefix),
            Which::Other(id) => self.others.get(id).map_or(0, |writer| writer.get(prefix)),
        }
    }

    /// The first prefix of a table behind `after`, and its value.
    pub(super) fn next(
        &self,
        which: Which,
        after: Option<Prefix<F>>,
    ) -> Option<(Prefix<F>, lpm::Value)> {
        match which {
            Which::Local => self.local.next(after),
            Which::Main => self.main.next(after),
            Which::Other(id) => self.others.get(id)?.next(after),
        }
    }

    /// Sets the value of a prefix, and makes its table if need be. Returns the value before.
    pub(super) fn insert(
        &mut self,
        tables: &Tables<F>,
        which: Which,
        prefix: Prefix<F>,
        value: lpm::Value,
        flags: Flags,
    ) -> Result<lpm::Value, Why> {
        self.open(tables, which, flags)?;
        if which == Which::Local {
            tables.filter.add(prefix);
        }
        let old = self.change(tables, which, |writer, table| {
            writer.insert(table, prefix, value, flags)
        })?;
        self.peak = self.peak.max(self.len());
        Ok(old)
    }

    /// Takes a prefix out. Returns its value, 0 if it was not there.
    pub(super) fn remove(
        &mut self,
        tables: &Tables<F>,
        which: Which,
        prefix: Prefix<F>,
        flags: Flags,
    ) -> Result<lpm::Value, Why> {
        let old = self.change(tables, which, |writer, table| {
            writer.remove(table, prefix, flags)
        })?;
        if which == Which::Local {
            tables.filter.removed(&self.local);
        }
        Ok(old)
    }

    /// Builds a table, which is empty, at once. `unused` is called with each value that a later
    /// change of its prefix replaced.
    ///
    /// # Context
    ///
    /// Process, may sleep.
    pub(super) fn build(
        &mut self,
        tables: &Tables<F>,
        which: Which,
        bulk: Bulk<F>,
        unused: impl FnMut(lpm::Value),
    ) -> Result<(), Why> {
        self.open(tables, which, GFP_KERNEL_ACCOUNT)?;
        if which == Which::Local {
            tables.filter.admit_all();
        }
        self.change(tables, which, |writer, table| {
            bulk.build(writer, table, unused)
        })?;
        if which == Which::Local {
            tables.filter.recount(&self.local);
        }
        self.peak = self.peak.max(self.len());
        Ok(())
    }

    /// Makes a table if it is not there.
    fn open(&mut self, tables: &Tables<F>, which: Which, flags: Flags) -> Result<(), Why> {
        let Which::Other(id) = which else {
            return Ok(());
        };
        let fixed = self.main.memory().saturating_add(self.local.memory());
        let budget = self.budget.saturating_sub(fixed);
        self.others.open(&tables.others, id, budget, flags)
    }

    /// Runs `f` on a table, within the budget. One that is not there is as one that is empty.
    fn change<R: Default>(
        &mut self,
        tables: &Tables<F>,
        which: Which,
        f: impl FnOnce(&mut lpm::Writer<F>, &lpm::Table<F>) -> Result<R, lpm::Error>,
    ) -> Result<R, lpm::Error> {
        let (main, local) = (self.main.memory(), self.local.memory());
        let others = self.others.memory();
        let (writer, table, beside) = match which {
            Which::Local => (&mut self.local, &tables.local, main.saturating_add(others)),
            Which::Main => (&mut self.main, &tables.main, local.saturating_add(others)),
            Which::Other(id) => {
                let budget = self.budget.saturating_sub(main).saturating_sub(local);
                return self
                    .others
                    .change(&tables.others, id, budget, f)
                    .unwrap_or(Ok(R::default()));
            }
        };
        writer.set_budget(self.budget.saturating_sub(beside));
        f(writer, table)
    }
}
