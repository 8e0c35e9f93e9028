// SPDX-License-Identifier: GPL-2.0

//! The routes themselves: one table for RT_TABLE_LOCAL and one for RT_TABLE_MAIN.
//!
//! While a namespace has no policy rules of its own, the kernel keeps both in one trie, in which
//! the longest prefix wins and, between equal ones, the local route. The first rule splits them
//! without any event. So they are kept apart here, and joined by the lookup: practically all local
//! routes are for one address, and nothing is longer than that; they carry [`HOST`] in their
//! value. A shorter local route that matches (127.0.0.0/8, an AnyIP prefix) may have a longer main
//! route beside it, and is left to the kernel.

use super::bulk::Bulk;
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
use crate::sys::time;
use kernel::alloc::Flags;
use kernel::prelude::*;

/// A table with fewer prefixes loses them at once.
const LEAVE_AT: usize = 4096;

/// Set in the value of a route for one single address.
const HOST: lpm::Value = 1 << 30;

/// What readers find: tables and next hops.
pub(crate) struct Serving {
    local: lpm::Table<V4>,
    main: lpm::Table<V4>,
    nexthops: Records,
}

/// What a lookup found.
pub(crate) enum Match<'a> {
    /// No prefix.
    None,
    /// A local prefix that is not for one address.
    LocalPrefix,
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
                0 => return Match::None,
                value => value,
            },
            value if value & HOST == 0 => return Match::LocalPrefix,
            value => value,
        };
        match self.nexthops.get(value & !HOST) {
            Some(nh) => Match::NextHop(nh),
            None => Match::None,
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

/// A table that altfib mirrors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Local,
    Main,
}

impl Which {
    /// The table with this id, if altfib mirrors it.
    pub(crate) fn from_id(table: u32) -> Option<Self> {
        match table {
            fib::TABLE_LOCAL => Some(Which::Local),
            fib::TABLE_MAIN => Some(Which::Main),
            _ => None,
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
                nexthops: records,
            },
            flags,
        )
        .map_err(|_| Why::NoMemory)?;
        let mut routes = KBox::new(
            Self {
                local,
                main,
                nexthops,
                budget,
                left: 0,
                loaded_at: 0,
                built_us: 0,
            },
            flags,
        )
        .map_err(|_| Why::NoMemory)?;
        routes.set_budget(budget);
        Ok((serving, routes))
    }

    pub(crate) fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
        self.local.set_budget(bytes);
        self.main
            .set_budget(bytes.saturating_sub(self.local.memory()));
    }

    /// The tables are complete as of now, and readers are about to come.
    pub(super) fn set_loaded(&mut self) {
        self.local.set_exclusive(false);
        self.main.set_exclusive(false);
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
        for which in [Which::Local, Which::Main] {
            let (writer, table) = self.table(serving, which);
            writer.set_algorithm(algorithm);
            writer.settle(table, flags);
        }
    }

    /// Builds both tables, which are empty, at once.
    #[inline(never)]
    pub(super) fn build(&mut self, serving: &Serving, local: Bulk, main: Bulk) -> Result<(), Why> {
        let begin = time::now_us();
        let nexthops = &mut self.nexthops;
        local.build(&mut self.local, &serving.local, |value| {
            nexthops.give(&serving.nexthops, value & !HOST);
        })?;
        self.main
            .set_budget(self.budget.saturating_sub(self.local.memory()));
        main.build(&mut self.main, &serving.main, |value| {
            nexthops.give(&serving.nexthops, value & !HOST);
        })?;
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
        let host = if prefix.len() == 32 { HOST } else { 0 };
        Ok(id | host)
    }

    pub(crate) fn nexthops(&mut self) -> &mut NextHops {
        &mut self.nexthops
    }

    pub(super) fn release_all(&mut self, serving: &Serving) {
        self.nexthops.release_all(&serving.nexthops);
    }

    pub(crate) fn sizes(&self, serving: &Serving) -> Sizes {
        Sizes {
            main: self.main.len().saturating_sub(self.left),
            local: self.local.len(),
            nexthops: self.nexthops.len(),
            algorithm: self.main.algorithm().name(),
            local_algorithm: self.local.algorithm().name(),
            touched: serving.main.memory().saturating_add(serving.local.memory()),
            built_us: self.built_us,
            memory: self
                .main
                .memory()
                .saturating_add(self.local.memory())
                .saturating_add(self.nexthops.memory()),
        }
    }

    /// The first prefix of the main table behind `after`, and its next hop.
    pub(crate) fn next_main(&self, after: Option<Prefix<V4>>) -> Option<(Prefix<V4>, u32)> {
        let (prefix, value) = self.next(Which::Main, after)?;
        Some((prefix, value & !HOST))
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
        }
    }

    fn table<'a>(
        &'a mut self,
        serving: &'a Serving,
        which: Which,
    ) -> (&'a mut lpm::Writer<V4>, &'a lpm::Table<V4>) {
        match which {
            Which::Local => (&mut self.local, &serving.local),
            Which::Main => (&mut self.main, &serving.main),
        }
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
            } => match (Which::from_id(table), Prefix::new(dst, len)) {
                (Some(which), Some(prefix)) => {
                    self.replace(serving, which, prefix, fi, route_type, dscp, flags)
                }
                _ => Ok(Change::default()),
            },
            FibEvent::Delete { table, dst, len } => {
                match (Which::from_id(table), Prefix::new(dst, len)) {
                    (Some(which), Some(prefix)) => self.delete(serving, which, prefix, flags),
                    _ => Ok(Change::default()),
                }
            }
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
        let value = self.value(serving, prefix, fi, route_type, dscp, flags)?;
        let (writer, table) = self.table(serving, which);
        match writer.insert(table, prefix, value, flags) {
            Ok(old) => {
                let gone = old != 0 && self.nexthops.is_gone(&serving.nexthops, old & !HOST);
                if gone {
                    self.left = self.left.saturating_sub(1);
                }
                let given = self.nexthops.give(&serving.nexthops, old & !HOST);
                Ok(Self::change(
                    if old == 0 || gone {
                        Count::RouteAdd
                    } else {
                        Count::RouteReplace
                    },
                    given,
                ))
            }
            Err(e) => {
                self.nexthops.give(&serving.nexthops, value & !HOST);
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
        let (writer, table) = self.table(serving, which);
        match writer.remove(table, prefix, flags)? {
            0 => Ok(Change::default()),
            old => {
                let given = self.nexthops.give(&serving.nexthops, old & !HOST);
                Ok(Self::change(Count::RouteDelete, given))
            }
        }
    }

    fn change(kind: Count, given: Given) -> Change {
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
        let id = self.main.get(prefix) & !HOST;
        let given = self.nexthops.leave(&serving.nexthops, id)?;
        self.left = self.left.wrapping_add(1);
        Some(Change {
            leaves: true,
            ..Self::change(Count::RouteDelete, given)
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
            let id = value & !HOST;
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
