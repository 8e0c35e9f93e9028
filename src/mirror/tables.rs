// SPDX-License-Identifier: GPL-2.0

//! The routes themselves: RT_TABLE_LOCAL, RT_TABLE_MAIN, and all other tables that have routes.
//!
//! While a namespace has no policy rules of its own, the kernel keeps both in one trie, in which
//! the longest prefix wins and, between equal ones, the local route. The first rule splits them
//! without any event. So they are kept apart here, and joined by the lookup: practically all local
//! routes are for one address, and nothing is longer than that; they carry [`HOST`] in their
//! value. A shorter local route that matches (127.0.0.0/8, an AnyIP prefix) may have a longer main
//! route beside it, and is left to the kernel.
//!
//! Once there are rules, these say for each packet which tables are asked, and in which order
//! ([`Serving::lookup_by`]).

use super::bulk::Bulks;
use super::others;
use super::Sizes;
use super::Why;
use crate::control::counts::Count;
use crate::lpm;
use crate::lpm::Algorithm;
use crate::lpm::Prefix;
use crate::lpm::V4;
use crate::nexthop::Given;
use crate::nexthop::NextHops;
use crate::sys::fib;
use crate::sys::fib::FibEvent;
use crate::sys::fib::FibInfo;
use crate::sys::nexthop::NextHop;
use crate::sys::nexthop::Records;
use crate::sys::packet::Plan;
use crate::sys::time;
use kernel::alloc::Flags;
use kernel::prelude::*;

/// A table with fewer prefixes loses them at once.
const LEAVE_AT: usize = 4096;

/// Set in the value of a route for one single address.
const HOST: lpm::Value = 1 << 30;

/// Set in the value of a default route.
const DEFAULT: lpm::Value = 1 << 29;

/// The number of the next hop in a value.
const ID: lpm::Value = DEFAULT - 1;

/// The bits that a prefix of this length has in its value.
fn marks(prefix: Prefix<V4>) -> lpm::Value {
    match prefix.len() {
        0 => DEFAULT,
        32 => HOST,
        _ => 0,
    }
}

/// The shortest and the longest prefix that a value may be of.
fn lengths(value: lpm::Value) -> (u8, u8) {
    match value & (HOST | DEFAULT) {
        HOST => (32, 32),
        DEFAULT => (0, 0),
        _ => (1, 31),
    }
}

/// What readers find: tables and next hops.
pub(crate) struct Serving {
    local: lpm::Table<V4>,
    main: lpm::Table<V4>,
    others: others::Tables,
    nexthops: Records,
}

/// What a lookup found.
pub(crate) enum Match<'a> {
    /// No prefix.
    None,
    /// A local prefix that is not for one address.
    LocalPrefix,
    /// Whether a rule lets this count is not known.
    Unclear,
    /// This next hop.
    NextHop(&'a NextHop),
}

impl Serving {
    /// The longest prefix of `addr` (host order), as one trie of both tables would have it.
    #[inline]
    pub(crate) fn lookup(&self, addr: u32) -> Match<'_> {
        let addr = corrupt(addr);
        let value = match self.local.lookup(addr) {
            0 => match self.main.lookup(addr) {
                // Where the kernel looks last.
                0 => match self.others.get(fib::TABLE_DEFAULT) {
                    Some(table) => table.lookup(addr),
                    None => 0,
                },
                value => value,
            },
            value if value & HOST == 0 => return Match::LocalPrefix,
            value => value,
        };
        self.found(value)
    }

    #[inline]
    fn found(&self, value: lpm::Value) -> Match<'_> {
        match self.nexthops.get(value & ID) {
            Some(nh) if value != 0 => Match::NextHop(nh),
            _ => Match::None,
        }
    }

    /// The longest prefix of `addr` (host order) in one table.
    pub(crate) fn lookup_in(&self, table: u32, addr: u32) -> Match<'_> {
        self.found(self.value_in(table, corrupt(addr)))
    }

    fn value_in(&self, table: u32, addr: u32) -> lpm::Value {
        match Which::from_id(table) {
            Which::Local => self.local.lookup(addr),
            Which::Main => self.main.lookup(addr),
            Which::Other(id) => self.others.get(id).map_or(0, |table| table.lookup(addr)),
        }
    }

    /// The route of `addr` (host order), as `fib_rules_lookup()` finds it in these tables.
    pub(crate) fn lookup_by(&self, plan: &Plan, addr: u32) -> Match<'_> {
        let addr = corrupt(addr);
        for table in plan.tables() {
            let value = self.value_in(table.id(), addr);
            let Match::NextHop(nh) = self.found(value) else {
                continue;
            };
            if nh.is_for_dscp() {
                return Match::NextHop(nh);
            }
            match nh.route_type() {
                fib::RTN_THROW => continue,
                fib::RTN_UNICAST | fib::RTN_LOCAL => {}
                // Nothing suppresses a reject route, and all others are the kernel's anyway.
                _ => return Match::NextHop(nh),
            }
            let (shortest, longest) = lengths(value);
            if table.suppresses(longest) {
                continue;
            }
            if table.suppresses(shortest) || table.may_suppress_more() {
                return Match::Unclear;
            }
            return Match::NextHop(nh);
        }
        if plan.is_open() {
            Match::Unclear
        } else {
            Match::None
        }
    }

    /// The next hops by number.
    pub(crate) fn nexthops(&self) -> &Records {
        &self.nexthops
    }
}

/// The address itself. A module that was built to be wrong takes TEST-NET-3 for TEST-NET-2 (RFC 5737),
/// so that the tests can see who notices.
#[inline]
fn corrupt(addr: u32) -> u32 {
    if cfg!(altfib_corrupt) && addr >> 8 == 0x00c6_3364 {
        return 0x00cb_0071 << 8 | addr & 0xff;
    }
    addr
}

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

/// What an event changed, to be counted and acted upon.
#[derive(Default)]
pub(crate) struct Change {
    /// Added, replaced or deleted.
    pub(crate) kind: Option<Count>,
    /// Cached dsts dropped because their last prefix went.
    pub(crate) dropped_by_route: u64,
    /// Cached dsts dropped because a path came or went.
    pub(crate) dropped_by_path: u64,
    /// A route is gone whose dst had been handed out.
    pub(crate) outdates_served: bool,
    /// Prefixes of a next hop that is gone are left in the tables.
    pub(crate) leaves: bool,
}

/// The writer's side.
pub(crate) struct Routes {
    local: lpm::Writer<V4>,
    main: lpm::Writer<V4>,
    others: others::Writers,
    nexthops: NextHops,
    budget: usize,
    left: usize,
    loaded_at: u64,
    built_us: u64,
}

impl Routes {
    /// Empty tables, and their reader's side.
    // Not inlined, here and below: what is large on the stack while it is made must not be there
    // while it is filled.
    #[inline(never)]
    pub(crate) fn new(
        budget: usize,
        algorithm: Option<Algorithm>,
        flags: Flags,
    ) -> Result<(KBox<Serving>, KBox<Self>), Why> {
        let (local_table, mut local) = lpm::Table::new(flags)?;
        let (main_table, mut main) = lpm::Table::new(flags)?;
        // Nobody reads them before `set_loaded`: no grace period has to be waited for.
        local.set_exclusive(true);
        main.set_exclusive(true);
        local.set_algorithm(algorithm);
        main.set_algorithm(algorithm);
        let (records, nexthops) = NextHops::new(flags).map_err(|_| Why::NoMemory)?;
        let serving = KBox::new(
            Serving {
                local: local_table,
                main: main_table,
                others: others::Tables::new(),
                nexthops: records,
            },
            flags,
        )
        .map_err(|_| Why::NoMemory)?;
        let routes = KBox::new(
            Self {
                local,
                main,
                others: others::Writers::new(algorithm),
                nexthops,
                budget,
                left: 0,
                loaded_at: 0,
                built_us: 0,
            },
            flags,
        )
        .map_err(|_| Why::NoMemory)?;
        Ok((serving, routes))
    }

    pub(crate) fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
    }

    /// The tables are complete as of now, and readers are about to come.
    pub(super) fn set_loaded(&mut self) {
        self.local.set_exclusive(false);
        self.main.set_exclusive(false);
        self.others.share();
        self.loaded_at = time::now_ms();
    }

    pub(super) fn loaded_at(&self) -> u64 {
        self.loaded_at
    }

    /// Pins the tables to an algorithm, or lets their size choose.
    pub(crate) fn set_algorithm(
        &mut self,
        serving: &Serving,
        algorithm: Option<Algorithm>,
        flags: Flags,
    ) {
        self.local.set_algorithm(algorithm);
        self.local.settle(&serving.local, flags);
        self.main.set_algorithm(algorithm);
        self.main.settle(&serving.main, flags);
        self.others.set_algorithm(&serving.others, algorithm, flags);
    }

    /// Builds the tables, which are empty, at once.
    #[inline(never)]
    pub(super) fn build(&mut self, serving: &Serving, bulks: Bulks) -> Result<(), Why> {
        let begin = time::now_us();
        let records = &serving.nexthops;
        for (which, bulk) in bulks.into_iter() {
            self.open(serving, which, GFP_KERNEL_ACCOUNT)?;
            self.change(serving, which, |writer, table, nexthops| {
                bulk.build(writer, table, |value| {
                    nexthops.give(records, value & ID);
                })
            })?;
        }
        self.built_us = time::now_us().wrapping_sub(begin);
        Ok(())
    }

    /// The value for a prefix that leads to `fi`; counts as a use of the next hop.
    pub(super) fn value(
        &mut self,
        serving: &Serving,
        prefix: Prefix<V4>,
        fi: &FibInfo,
        route_type: u8,
        dscp: bool,
        flags: Flags,
    ) -> Result<lpm::Value, Why> {
        let id = self
            .nexthops
            .take(&serving.nexthops, fi, route_type, dscp, flags)
            .map_err(|_| Why::NoMemory)?;
        Ok(id | marks(prefix))
    }

    pub(crate) fn nexthops(&mut self) -> &mut NextHops {
        &mut self.nexthops
    }

    pub(super) fn release_all(&mut self, serving: &Serving) {
        self.nexthops.release_all(&serving.nexthops);
    }

    pub(crate) fn sizes(&self, serving: &Serving) -> Sizes {
        let (tables, others) = self.others.len();
        Sizes {
            main: self.main.len().saturating_sub(self.left),
            local: self.local.len(),
            tables,
            others,
            nexthops: self.nexthops.len(),
            algorithm: self.main.algorithm().name(),
            local_algorithm: self.local.algorithm().name(),
            touched: serving.main.memory().saturating_add(serving.local.memory()),
            built_us: self.built_us,
            memory: self.bytes().saturating_add(self.nexthops.memory()),
        }
    }

    /// The first table with at least this id that has a prefix.
    pub(crate) fn next_table(&self, id: u32) -> Option<(u32, &lpm::Writer<V4>)> {
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
    fn bytes(&self) -> usize {
        self.main
            .memory()
            .saturating_add(self.local.memory())
            .saturating_add(self.others.memory())
    }

    /// The first prefix of the main table behind `after`, and its next hop.
    pub(crate) fn next_main(&self, after: Option<Prefix<V4>>) -> Option<(Prefix<V4>, u32)> {
        let (prefix, value) = self.next(Which::Main, after)?;
        Some((prefix, value & ID))
    }

    /// The first prefix of a table behind `after`, and its value.
    pub(crate) fn next(
        &self,
        which: Which,
        after: Option<Prefix<V4>>,
    ) -> Option<(Prefix<V4>, u32)> {
        match which {
            Which::Local => self.local.next(after),
            Which::Main => self.main.next(after),
            Which::Other(id) => self.others.get(id)?.next(after),
        }
    }

    /// Makes a table if it is not there.
    fn open(&mut self, serving: &Serving, which: Which, flags: Flags) -> Result<(), Why> {
        let Which::Other(id) = which else {
            return Ok(());
        };
        let budget = self.budget_beside(self.others.memory());
        self.others.open(&serving.others, id, budget, flags)
    }

    /// What is left of the budget for somebody who takes `bytes` now.
    fn budget_beside(&self, bytes: usize) -> usize {
        self.budget
            .saturating_sub(self.bytes().saturating_sub(bytes))
    }

    /// Runs `f` on a table, within the budget. One that is not there is as one that is empty.
    fn change<R: Default>(
        &mut self,
        serving: &Serving,
        which: Which,
        f: impl FnOnce(&mut lpm::Writer<V4>, &lpm::Table<V4>, &mut NextHops) -> Result<R, lpm::Error>,
    ) -> Result<R, lpm::Error> {
        let (main, local) = (self.main.memory(), self.local.memory());
        let others = self.others.memory();
        let nexthops = &mut self.nexthops;
        let (writer, table, beside) = match which {
            Which::Local => (&mut self.local, &serving.local, main.saturating_add(others)),
            Which::Main => (&mut self.main, &serving.main, local.saturating_add(others)),
            Which::Other(id) => {
                let budget = self.budget.saturating_sub(main).saturating_sub(local);
                return self
                    .others
                    .change(&serving.others, id, budget, |writer, table| {
                        f(writer, table, nexthops)
                    })
                    .unwrap_or(Ok(R::default()));
            }
        };
        writer.set_budget(self.budget.saturating_sub(beside));
        f(writer, table, nexthops)
    }

    /// Applies one event. An error leaves the tables as they were, and so not true any more.
    pub(super) fn apply(
        &mut self,
        serving: &Serving,
        event: FibEvent<'_>,
        flags: Flags,
    ) -> Result<Change, Why> {
        match event {
            FibEvent::Replace {
                table,
                dst,
                len,
                route_type,
                dscp,
                fi,
            } => {
                let which = Which::from_id(table);
                match Prefix::new(dst, len) {
                    Some(prefix) => {
                        self.replace(serving, which, prefix, fi, route_type, dscp, flags)
                    }
                    None => Ok(Change::default()),
                }
            }
            FibEvent::Delete { table, dst, len } => match Prefix::new(dst, len) {
                Some(prefix) => self.delete(serving, Which::from_id(table), prefix, flags),
                None => Ok(Change::default()),
            },
            FibEvent::PathChanged { fi } => Ok(Change {
                dropped_by_path: self.nexthops.drop_route(&serving.nexthops, fi),
                ..Change::default()
            }),
        }
    }

    /// Lets `prefix` lead to `fi`.
    #[expect(clippy::too_many_arguments)]
    pub(super) fn replace(
        &mut self,
        serving: &Serving,
        which: Which,
        prefix: Prefix<V4>,
        fi: &FibInfo,
        route_type: u8,
        dscp: bool,
        flags: Flags,
    ) -> Result<Change, Why> {
        self.open(serving, which, flags)?;
        let value = self.value(serving, prefix, fi, route_type, dscp, flags)?;
        let inserted = self.change(serving, which, |writer, table, _| {
            writer.insert(table, prefix, value, flags)
        });
        match inserted {
            Ok(old) => {
                let gone = old != 0 && self.nexthops.is_gone(&serving.nexthops, old & ID);
                if gone {
                    self.left = self.left.saturating_sub(1);
                }
                let given = self.nexthops.give(&serving.nexthops, old & ID);
                Ok(Self::changed(
                    if old == 0 || gone {
                        Count::RouteAdd
                    } else {
                        Count::RouteReplace
                    },
                    given,
                ))
            }
            Err(e) => {
                self.nexthops.give(&serving.nexthops, value & ID);
                Err(e.into())
            }
        }
    }

    /// Takes `prefix` out. One that is not there is no error: events may come twice.
    pub(super) fn delete(
        &mut self,
        serving: &Serving,
        which: Which,
        prefix: Prefix<V4>,
        flags: Flags,
    ) -> Result<Change, Why> {
        if let Some(change) = self.leave(serving, which, prefix) {
            return Ok(change);
        }
        let removed = self.change(serving, which, |writer, table, _| {
            writer.remove(table, prefix, flags)
        })?;
        if self.others.is_littered() {
            return Err(Why::Littered);
        }
        match removed {
            0 => Ok(Change::default()),
            old => {
                let given = self.nexthops.give(&serving.nexthops, old & ID);
                Ok(Self::changed(Count::RouteDelete, given))
            }
        }
    }

    fn changed(kind: Count, given: Given) -> Change {
        Change {
            kind: Some(kind),
            dropped_by_route: u64::from(given.dropped),
            dropped_by_path: 0,
            outdates_served: given.served,
            leaves: false,
        }
    }

    /// Notes that `prefix` is gone, but leaves it in its table, if its device takes so many along that
    /// whoever removes that would have to wait for us. Packets for it are the kernel's from now on.
    fn leave(&mut self, serving: &Serving, which: Which, prefix: Prefix<V4>) -> Option<Change> {
        if which != Which::Main || self.main.len() < LEAVE_AT {
            return None;
        }
        let id = self.main.get(prefix) & ID;
        let given = self.nexthops.leave(&serving.nexthops, id)?;
        self.left = self.left.wrapping_add(1);
        Some(Change {
            leaves: true,
            ..Self::changed(Count::RouteDelete, given)
        })
    }

    /// Takes prefixes out that [`Routes::leave`] left, of the next `many` behind `after`. Says where
    /// it ended, `None` at the end of the table.
    pub(super) fn sweep(
        &mut self,
        serving: &Serving,
        after: Option<Prefix<V4>>,
        many: usize,
        flags: Flags,
    ) -> Result<Option<Prefix<V4>>, Why> {
        let mut after = after;
        for _ in 0..many {
            let Some((prefix, value)) = self.main.next(after) else {
                return Ok(None);
            };
            after = Some(prefix);
            let id = value & ID;
            if self.nexthops.is_gone(&serving.nexthops, id) {
                self.main.remove(&serving.main, prefix, flags)?;
                self.nexthops.give(&serving.nexthops, id);
                self.left = self.left.saturating_sub(1);
            }
        }
        Ok(after)
    }

    /// Prefixes that are left in the main table although the kernel has deleted them.
    pub(super) fn left(&self) -> usize {
        self.left
    }
}
