// SPDX-License-Identifier: GPL-2.0

//! The IPv4 routes of a namespace.
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
use super::leaves;
use super::leaves::Leaves;
use super::queue::Keep;
use super::tables::Tables;
use super::tables::Which;
use super::tables::Writers;
use super::Change;
use super::Kind;
use super::Pair;
use super::Place;
use super::Plan as LoadPlan;
use super::Sizes;
use super::Why;
use crate::control::counts::Count;
use crate::lpm;
use crate::lpm::Algorithm;
use crate::lpm::Prefix;
use crate::lpm::V4;
use crate::nexthop::Given;
use crate::nexthop::NextHops;
use crate::sys::family::Ipv4;
use crate::sys::fib;
use crate::sys::fib::FibEvent;
use crate::sys::fib::FibInfo;
use crate::sys::fib::HeldFibInfo;
use crate::sys::leaf::Leaf;
use crate::sys::net::Net;
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
    tables: Tables<V4>,
    nexthops: Records,
    leaves: Option<KBox<Leaves>>,
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
        let value = match self.tables.lookup(Which::Local, addr) {
            0 => match self.tables.lookup(Which::Main, addr) {
                // Where the kernel looks last.
                0 => self.tables.lookup(Which::Other(fib::TABLE_DEFAULT), addr),
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
        self.found(self.tables.lookup(Which::from_id(table), corrupt(addr)))
    }

    /// The route of `addr` (host order), as `fib_rules_lookup()` finds it in these tables.
    pub(crate) fn lookup_by(&self, plan: &Plan, addr: u32) -> Match<'_> {
        self.find_by(plan, addr).0
    }

    /// The route of `addr` (host order), by policy rules or without, and its table.
    pub(crate) fn find(&self, plan: Option<&Plan>, addr: u32) -> (Match<'_>, Option<u32>) {
        if let Some(plan) = plan {
            return self.find_by(plan, addr);
        }
        let table = [fib::TABLE_LOCAL, fib::TABLE_MAIN, fib::TABLE_DEFAULT]
            .into_iter()
            .find(|&id| self.tables.lookup(Which::from_id(id), corrupt(addr)) != 0);
        (self.lookup(addr), table)
    }

    /// Inlined, so that packets do without the table.
    #[inline(always)]
    fn find_by(&self, plan: &Plan, addr: u32) -> (Match<'_>, Option<u32>) {
        let addr = corrupt(addr);
        for table in plan.tables() {
            let value = self.tables.lookup(Which::from_id(table.id()), addr);
            let Match::NextHop(nh) = self.found(value) else {
                continue;
            };
            let found = (Match::NextHop(nh), Some(table.id()));
            if nh.is_for_dscp() {
                return found;
            }
            match nh.route_type() {
                fib::RTN_THROW => continue,
                fib::RTN_UNICAST | fib::RTN_LOCAL => {}
                // Nothing suppresses a reject route, and all others are the kernel's anyway.
                _ => return found,
            }
            let (shortest, longest) = lengths(value);
            if table.suppresses(longest) {
                continue;
            }
            if table.suppresses(shortest) || table.may_suppress_more() {
                return (Match::Unclear, None);
            }
            return found;
        }
        if plan.is_open() {
            (Match::Unclear, None)
        } else {
            (Match::None, None)
        }
    }

    /// Where the kernel keeps the routes of the longest prefix of `addr` (host order) in the main
    /// table, if none of the local table matches: while there are no rules, these are one trie.
    #[inline]
    pub(crate) fn leaf(&self, addr: u32) -> Option<&Leaf> {
        let leaves = self.leaves.as_ref()?;
        if self.tables.lookup(Which::Local, addr) != 0 {
            return None;
        }
        leaves.get(corrupt_prefix(addr))
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

/// The same for lookups of which only a shorter prefix could pass unnoticed: TEST-NET-2 is not found
/// in 198.51.0.0/16.
#[inline]
fn corrupt_prefix(addr: u32) -> u32 {
    if cfg!(altfib_corrupt) && addr >> 8 == 0x00c6_3364 {
        return addr & 0xffff_0000;
    }
    addr
}

/// The writer's side.
pub(crate) struct Routes {
    writers: Writers<V4>,
    nexthops: NextHops,
    leaves: Option<leaves::Writer>,
    budget: usize,
    left: usize,
    loaded_at: u64,
    built_us: u64,
}

impl Routes {
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

    /// The first table with at least this id that has a prefix.
    pub(crate) fn next_table(&self, id: u32) -> Option<(u32, &lpm::Writer<V4>)> {
        self.writers.next_table(id)
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
        self.writers.next(which, after)
    }

    /// The longest prefix of `addr` (host order) in a table, and its next hop.
    pub(crate) fn longest(&self, table: u32, addr: u32) -> Option<(Prefix<V4>, u32)> {
        (0..=32).rev().find_map(|len| {
            let prefix = Prefix::new(corrupt(addr), len)?;
            let value = self.writers.get(Which::from_id(table), prefix);
            (value != 0).then_some((prefix, value & ID))
        })
    }

    /// The number of the next hop in a value.
    pub(crate) fn nexthop(value: lpm::Value) -> u32 {
        value & ID
    }

    /// Divides the budget between the tables and the leaves: each may have what the other leaves.
    fn share_budget(&mut self) {
        if let Some(leaves) = &self.leaves {
            self.writers
                .set_budget(self.budget.saturating_sub(leaves.memory()));
        }
    }

    /// The first route of a prefix of the main table is now that of next hop `id`.
    fn add_leaf(
        &mut self,
        serving: &Serving,
        prefix: Prefix<V4>,
        id: u32,
        flags: Flags,
    ) -> Result<(), Why> {
        let (Some(writer), Some(leaves)) = (&mut self.leaves, &serving.leaves) else {
            return Ok(());
        };
        let budget = self.budget.saturating_sub(self.writers.bytes());
        if let Some(nh) = serving.nexthops.get(id) {
            writer.add(leaves, prefix, nh, budget, flags)?;
        }
        self.share_budget();
        Ok(())
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
        match self
            .writers
            .insert(&serving.tables, which, prefix, value, flags)
        {
            Ok(old) => {
                let gone = old != 0 && self.nexthops.is_gone(&serving.nexthops, old & ID);
                if gone {
                    self.left = self.left.saturating_sub(1);
                }
                // The leaf first: what it says is of the route that is given back then.
                let leaf = match which {
                    Which::Main => self.add_leaf(serving, prefix, value & ID, flags),
                    _ => Ok(()),
                };
                let given = self.nexthops.give(&serving.nexthops, old & ID);
                leaf?;
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
                Err(e)
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
        if which == Which::Main {
            if let (Some(writer), Some(leaves)) = (&mut self.leaves, &serving.leaves) {
                writer.kill(leaves, prefix);
            }
        }
        if let Some(change) = self.leave(serving, which, prefix) {
            return Ok(change);
        }
        if which == Which::Main {
            self.remove_leaf(serving, prefix, flags)?;
        }
        let removed = self.writers.remove(&serving.tables, which, prefix, flags)?;
        if self.writers.is_littered() {
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

    fn remove_leaf(
        &mut self,
        serving: &Serving,
        prefix: Prefix<V4>,
        flags: Flags,
    ) -> Result<(), Why> {
        match (&mut self.leaves, &serving.leaves) {
            (Some(writer), Some(leaves)) => writer.remove(leaves, prefix, flags),
            _ => Ok(()),
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
        if which != Which::Main || self.writers.main_len() < LEAVE_AT {
            return None;
        }
        let id = self.writers.get(Which::Main, prefix) & ID;
        let given = self.nexthops.leave(&serving.nexthops, id)?;
        self.left = self.left.wrapping_add(1);
        Some(Change {
            leaves: self.left == 1,
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
            let Some((prefix, value)) = self.writers.next(Which::Main, after) else {
                return Ok(None);
            };
            after = Some(prefix);
            let id = value & ID;
            if self.nexthops.is_gone(&serving.nexthops, id) {
                self.remove_leaf(serving, prefix, flags)?;
                self.writers
                    .remove(&serving.tables, Which::Main, prefix, flags)?;
                self.nexthops.give(&serving.nexthops, id);
                self.left = self.left.saturating_sub(1);
            }
        }
        Ok(after)
    }

    /// Prefixes that are left in the main table although the kernel has deleted them.
    pub(crate) fn left(&self) -> usize {
        self.left
    }
}

/// An event of [`FibEvent`], with references of its own on what it names.
pub(crate) enum Kept {
    Replace {
        which: Which,
        prefix: Prefix<V4>,
        route_type: u8,
        dscp: bool,
        fi: HeldFibInfo,
    },
    Delete {
        which: Which,
        prefix: Prefix<V4>,
    },
}

impl Keep<Ipv4> for Kept {
    fn keep(event: FibEvent<'_>) -> Option<Self> {
        match event {
            FibEvent::Replace {
                table,
                dst,
                len,
                route_type,
                dscp,
                fi,
            } => Some(Kept::Replace {
                which: Which::from_id(table),
                prefix: Prefix::new(dst, len)?,
                route_type,
                dscp,
                fi: fi.hold(),
            }),
            FibEvent::Delete { table, dst, len } => Some(Kept::Delete {
                which: Which::from_id(table),
                prefix: Prefix::new(dst, len)?,
            }),
            // There are no slots to empty yet.
            FibEvent::PathChanged { .. } => None,
        }
    }
}

impl Kind for Ipv4 {
    type Family = V4;
    type Kept = Kept;
    type Serving = Serving;
    type Routes = Routes;

    // Not inlined, here and below: what is large on the stack while it is made must not be there
    // while it is filled.
    #[inline(never)]
    fn empty(plan: LoadPlan, flags: Flags) -> Result<Pair<Self>, Why> {
        let (tables, writers) = Writers::new(plan.budget, plan.algorithm, flags)?;
        let (records, nexthops) = NextHops::new(plan.net, flags).map_err(|_| Why::NoMemory)?;
        let (leaves, leaves_writer) = match plan.leaves {
            true => {
                let (leaves, writer) = leaves::Writer::new(plan.algorithm, flags)?;
                (Some(leaves), Some(writer))
            }
            false => (None, None),
        };
        let serving = KBox::new(
            Serving {
                tables,
                nexthops: records,
                leaves,
            },
            flags,
        )
        .map_err(|_| Why::NoMemory)?;
        let routes = KBox::new(
            Routes {
                writers,
                nexthops,
                leaves: leaves_writer,
                budget: plan.budget,
                left: 0,
                loaded_at: 0,
                built_us: 0,
            },
            flags,
        )
        .map_err(|_| Why::NoMemory)?;
        Ok((serving, routes))
    }

    fn collect(
        routes: &mut Routes,
        serving: &Serving,
        kept: &Kept,
        flags: Flags,
    ) -> Result<Option<Place<V4>>, Why> {
        Ok(Some(match kept {
            Kept::Replace {
                which,
                prefix,
                route_type,
                dscp,
                fi,
            } => (
                *which,
                *prefix,
                routes.value(serving, *prefix, fi, *route_type, *dscp, flags)?,
            ),
            Kept::Delete { which, prefix } => (*which, *prefix, 0),
        }))
    }

    #[inline(never)]
    fn build(routes: &mut Routes, serving: &Serving, bulks: Bulks<V4>) -> Result<(), Why> {
        let begin = time::now_us();
        let (nexthops, records) = (&mut routes.nexthops, &serving.nexthops);
        for (which, bulk) in bulks.into_iter() {
            routes
                .writers
                .build(&serving.tables, which, bulk, |value| {
                    nexthops.give(records, value & ID);
                })?;
        }
        routes.built_us = time::now_us().wrapping_sub(begin);
        if let (Some(writer), Some(leaves)) = (&mut routes.leaves, &serving.leaves) {
            let writers = &routes.writers;
            let mut after = None;
            let prefixes = core::iter::from_fn(|| {
                let (prefix, value) = writers.next(Which::Main, after)?;
                after = Some(prefix);
                Some((prefix, serving.nexthops.get(value & ID)?))
            });
            let budget = routes.budget.saturating_sub(writers.bytes());
            writer.build(leaves, prefixes, budget)?;
        }
        routes.share_budget();
        Ok(())
    }

    fn fold(routes: &mut Routes, serving: &Serving, kept: &Kept, flags: Flags) -> Result<(), Why> {
        match kept {
            Kept::Replace {
                which,
                prefix,
                route_type,
                dscp,
                fi,
            } => routes.replace(serving, *which, *prefix, fi, *route_type, *dscp, flags)?,
            Kept::Delete { which, prefix } => routes.delete(serving, *which, *prefix, flags)?,
        };
        Ok(())
    }

    fn apply(
        routes: &mut Routes,
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
                        routes.replace(serving, which, prefix, fi, route_type, dscp, flags)
                    }
                    None => Ok(Change::default()),
                }
            }
            FibEvent::Delete { table, dst, len } => match Prefix::new(dst, len) {
                Some(prefix) => routes.delete(serving, Which::from_id(table), prefix, flags),
                None => Ok(Change::default()),
            },
            FibEvent::PathChanged { fi } => Ok(Change {
                dropped_by_path: routes.nexthops.drop_route(&serving.nexthops, fi),
                ..Change::default()
            }),
        }
    }

    fn set_loaded(routes: &mut Routes) {
        routes.writers.share();
        if let Some(leaves) = &mut routes.leaves {
            leaves.share();
        }
        routes.loaded_at = time::now_ms();
    }

    fn loaded_at(routes: &Routes) -> u64 {
        routes.loaded_at
    }

    fn sizes(routes: &Routes, serving: &Serving) -> Sizes {
        let sizes = routes.writers.sizes(&serving.tables);
        let leaves = routes.leaves.as_ref().map_or(0, leaves::Writer::memory);
        let memory = sizes.memory.saturating_add(routes.nexthops.memory());
        Sizes {
            main: sizes.main.saturating_sub(routes.left),
            nexthops: routes.nexthops.len(),
            built_us: routes.built_us,
            memory: memory.saturating_add(leaves),
            leaves,
            ..sizes
        }
    }

    fn prefixes(routes: &Routes) -> usize {
        routes.writers.len()
    }

    fn main_algorithm(routes: &Routes) -> Algorithm {
        routes.writers.algorithm()
    }

    fn is_wasteful(routes: &Routes) -> bool {
        routes.writers.is_wasteful()
    }

    fn set_budget(routes: &mut Routes, bytes: usize) {
        routes.budget = bytes;
        routes.writers.set_budget(bytes);
        routes.share_budget();
    }

    fn set_algorithm(
        routes: &mut Routes,
        serving: &Serving,
        algorithm: Option<Algorithm>,
        flags: Flags,
    ) {
        routes
            .writers
            .set_algorithm(&serving.tables, algorithm, flags);
        if let (Some(writer), Some(leaves)) = (&mut routes.leaves, &serving.leaves) {
            writer.set_algorithm(leaves, algorithm, flags);
        }
    }

    /// The kernel does this only for routes that its own lookup has marked as accessed
    /// (`FA_S_ACCESSED`), and ours has not.
    fn outdate(net: &Net) {
        net.bump_route_generation();
    }

    fn release_all(routes: &mut Routes, serving: &Serving) {
        routes.nexthops.release_all(&serving.nexthops);
    }
}
