// SPDX-License-Identifier: GPL-2.0

//! The IPv6 routes of a namespace.
//!
//! The kernel keeps its cached dsts with the route itself and not with gateway and device, so each
//! prefix has a record of its own, for the first of its routes: 24 bytes, and one reference, given
//! back in the event that takes the route away. There is no slot: what is attached is the dst that
//! the kernel keeps for this CPU.
//!
//! Local and main table are two for the kernel too: the local one is asked first, and what it finds
//! counts, even if the main one has a longer prefix.

use super::bulk::Bulks;
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
use crate::lpm::V6;
use crate::sys::family::Ipv6;
use crate::sys::fib;
use crate::sys::net::Net;
use crate::sys::packet::Plan;
use crate::sys::route6;
use crate::sys::route6::Fib6Event;
use crate::sys::route6::HeldFib6Info;
use crate::sys::route6::Key;
use crate::sys::route6::Route6;
use crate::sys::time;
use kernel::alloc::Flags;
use kernel::prelude::*;

/// Set in the value of a route for one single address.
const HOST: lpm::Value = 1 << 30;

/// Set in the value of a default route.
const DEFAULT: lpm::Value = 1 << 29;

/// The number of the record in a value.
const ID: lpm::Value = DEFAULT - 1;

fn marks(prefix: Prefix<V6>) -> lpm::Value {
    match prefix.len() {
        0 => DEFAULT,
        128 => HOST,
        _ => 0,
    }
}

/// The shortest and the longest prefix that a value may be of.
fn lengths(value: lpm::Value) -> (u8, u8) {
    match value & (HOST | DEFAULT) {
        HOST => (128, 128),
        DEFAULT => (0, 0),
        _ => (1, 127),
    }
}

/// What readers find: tables and routes.
pub(crate) struct Serving {
    tables: Tables<V6>,
    routes: route6::Routes,
}

/// What a lookup found.
pub(crate) enum Match<'a> {
    /// No prefix.
    None,
    /// Whether a rule lets this count is not known.
    Unclear,
    /// This route.
    Route(&'a Route6),
}

impl Serving {
    /// The route of `addr`, as the kernel finds it without policy rules.
    #[inline]
    pub(crate) fn lookup(&self, addr: u128) -> Match<'_> {
        let addr = corrupt(addr);
        self.found(match self.tables.lookup(Which::Local, addr) {
            0 => self.tables.lookup(Which::Main, addr),
            value => value,
        })
    }

    #[inline]
    fn found(&self, value: lpm::Value) -> Match<'_> {
        match self.routes.get(value & ID) {
            Some(route) if value != 0 => Match::Route(route),
            _ => Match::None,
        }
    }

    /// The longest prefix of `addr` in the main table.
    #[inline]
    pub(crate) fn lookup_main(&self, addr: u128) -> Match<'_> {
        self.found(self.tables.lookup(Which::Main, corrupt_prefix(addr)))
    }

    /// The longest prefix of `addr` in one table.
    pub(crate) fn lookup_in(&self, table: u32, addr: u128) -> Match<'_> {
        self.found(self.tables.lookup(Which::from_id(table), corrupt(addr)))
    }

    /// The route of `addr`, as `fib_rules_lookup()` finds it in these tables.
    ///
    /// A reject route may stand there, to which the kernel goes on, or not: it is the kernel's.
    pub(crate) fn lookup_by(&self, plan: &Plan, addr: u128) -> Match<'_> {
        self.find_by(plan, addr).0
    }

    /// The route of `addr`, by policy rules or without, and its table.
    pub(crate) fn find(&self, plan: Option<&Plan>, addr: u128) -> (Match<'_>, Option<u32>) {
        if let Some(plan) = plan {
            return self.find_by(plan, addr);
        }
        let table = [fib::TABLE_LOCAL, fib::TABLE_MAIN]
            .into_iter()
            .find(|&id| self.tables.lookup(Which::from_id(id), corrupt(addr)) != 0);
        (self.lookup(addr), table)
    }

    /// Inlined, so that packets do without the table.
    #[inline(always)]
    fn find_by(&self, plan: &Plan, addr: u128) -> (Match<'_>, Option<u32>) {
        let addr = corrupt(addr);
        for table in plan.tables() {
            let value = self.tables.lookup(Which::from_id(table.id()), addr);
            let Match::Route(route) = self.found(value) else {
                continue;
            };
            let (shortest, longest) = lengths(value);
            if table.suppresses(longest) {
                continue;
            }
            if table.suppresses(shortest) || table.may_suppress_more() {
                return (Match::Unclear, None);
            }
            return (Match::Route(route), Some(table.id()));
        }
        if plan.is_open() {
            (Match::Unclear, None)
        } else {
            (Match::None, None)
        }
    }

    /// The routes by number.
    pub(crate) fn routes(&self) -> &route6::Routes {
        &self.routes
    }
}

/// The address itself. A module that was built to be wrong takes 2001:db8:bad::/48 for
/// 2001:db8:600d::/48 (RFC 3849), so that the tests can see who notices.
#[inline]
fn corrupt(addr: u128) -> u128 {
    const SHIFT: u32 = 80;
    if cfg!(altfib_corrupt) && addr >> SHIFT == 0x2001_0db8_0bad {
        return 0x2001_0db8_600d << SHIFT | addr & (1u128 << SHIFT).wrapping_sub(1);
    }
    addr
}

/// The same for lookups of which only a shorter prefix could pass unnoticed: 2001:db8:bad::/48 is not
/// found in 2001:db8::/32.
#[inline]
fn corrupt_prefix(addr: u128) -> u128 {
    const SHIFT: u32 = 80;
    if cfg!(altfib_corrupt) && addr >> SHIFT == 0x2001_0db8_0bad {
        return 0x2001_0db8 << 96;
    }
    addr
}

/// What [`Routes::unlinked`] found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unlinked {
    /// Record `id` holds this route.
    Found { id: u32, route: usize },
    /// Nothing before record `id`.
    More { id: u32 },
    /// Nothing.
    None,
}

/// The writer's side.
pub(crate) struct Routes {
    writers: Writers<V6>,
    records: route6::RoutesWriter,
    bound: u32,
    loaded_at: u64,
    built_us: u64,
}

impl Routes {
    /// The first table with at least this id that has a prefix.
    pub(crate) fn next_table(&self, id: u32) -> Option<(u32, &lpm::Writer<V6>)> {
        self.writers.next_table(id)
    }

    /// The first prefix of a table behind `after`, and the number of its record.
    pub(crate) fn next(
        &self,
        which: Which,
        after: Option<Prefix<V6>>,
    ) -> Option<(Prefix<V6>, u32)> {
        let (prefix, value) = self.writers.next(which, after)?;
        Some((prefix, value & ID))
    }

    /// The longest prefix of `addr` in a table, and the number of its record.
    pub(crate) fn longest(&self, table: u32, addr: u128) -> Option<(Prefix<V6>, u32)> {
        (0..=128).rev().find_map(|len| {
            let prefix = Prefix::new(corrupt(addr), len)?;
            let value = self.writers.get(Which::from_id(table), prefix);
            (value != 0).then_some((prefix, value & ID))
        })
    }

    /// The first record from `id` on, of `many`, that holds a route which is not in the kernel's
    /// tables: not yet, or not any more. Else where it ended, if that is not the end.
    pub(super) fn unlinked(&mut self, serving: &Serving, id: u32, many: u32) -> Unlinked {
        let len = self.records.len();
        let end = id.saturating_add(many).min(len);
        let w = self.records.writing();
        let found = (id..end).find_map(|id| {
            let route = serving.routes.get(id)?.unlinked(w)?;
            Some(Unlinked::Found { id, route })
        });
        found.unwrap_or(if end < len {
            Unlinked::More { id: end }
        } else {
            Unlinked::None
        })
    }

    /// A record for `rt`.
    fn take(&mut self, serving: &Serving, rt: HeldFib6Info, flags: Flags) -> Result<u32, Why> {
        let id = self
            .records
            .take(&serving.routes, flags)
            .map_err(|_| Why::NoMemory)?;
        let route = serving.routes.get(id).ok_or(Why::NoMemory)?;
        route.bind(rt, self.records.writing());
        self.bound = self.bound.wrapping_add(1);
        Ok(id)
    }

    /// Gives a record back, to which no prefix leads any more.
    fn give(&mut self, serving: &Serving, id: u32) {
        let Some(route) = serving.routes.get(id).filter(|_| id != 0) else {
            return;
        };
        let w = self.records.writing();
        if route.is_bound(w) {
            route.unbind(w);
            self.bound = self.bound.saturating_sub(1);
        }
        self.records.give(&serving.routes, id);
    }

    /// Lets the prefix of `rt` lead to it.
    fn replace(
        &mut self,
        serving: &Serving,
        key: &Key,
        rt: HeldFib6Info,
        flags: Flags,
    ) -> Result<Change, Why> {
        let Some(prefix) = Prefix::<V6>::new(key.dst, key.len) else {
            return Ok(Change::default());
        };
        let id = self.take(serving, rt, flags)?;
        let which = Which::from_id(key.table);
        match self
            .writers
            .insert(&serving.tables, which, prefix, id | marks(prefix), flags)
        {
            Ok(0) => Ok(changed(Count::RouteAdd)),
            Ok(old) => {
                self.give(serving, old & ID);
                Ok(changed(Count::RouteReplace))
            }
            Err(why) => {
                self.give(serving, id);
                Err(why)
            }
        }
    }

    /// `rt` is gone; if it was the first of its prefix, `next` is.
    fn delete(
        &mut self,
        serving: &Serving,
        key: &Key,
        rt: &route6::Fib6Info,
        next: Option<HeldFib6Info>,
        flags: Flags,
    ) -> Result<Change, Why> {
        let Some(prefix) = Prefix::<V6>::new(key.dst, key.len) else {
            return Ok(Change::default());
        };
        let which = Which::from_id(key.table);
        let value = self.writers.get(which, prefix);
        let w = self.records.writing();
        let first = serving
            .routes
            .get(value & ID)
            .is_some_and(|route| value != 0 && route.is(rt, w));
        if !first {
            return Ok(Change::default());
        }
        if let Some(next) = next {
            return self.replace(serving, key, next, flags);
        }
        let removed = self.writers.remove(&serving.tables, which, prefix, flags)?;
        self.give(serving, removed & ID);
        if self.writers.is_littered() {
            return Err(Why::Littered);
        }
        Ok(changed(Count::RouteDelete))
    }
}

fn changed(kind: Count) -> Change {
    Change {
        kind: Some(kind),
        ..Change::default()
    }
}

/// An event of [`Fib6Event`], with references of its own on what it names.
pub(crate) enum Kept {
    Replace {
        rt: HeldFib6Info,
    },
    Delete {
        rt: HeldFib6Info,
        next: Option<HeldFib6Info>,
    },
}

impl Keep<Ipv6> for Kept {
    fn keep(event: Fib6Event<'_>) -> Option<Self> {
        match event {
            Fib6Event::Replace { rt } if !rt.has_source() => Some(Kept::Replace { rt: rt.hold()? }),
            Fib6Event::Delete { rt, next } if !rt.has_source() => Some(Kept::Delete {
                rt: rt.hold()?,
                next: next.and_then(|next| next.hold()),
            }),
            // While there are any, the kernel decides all.
            _ => None,
        }
    }
}

impl Kind for Ipv6 {
    type Family = V6;
    type Kept = Kept;
    type Serving = Serving;
    type Routes = Routes;

    #[inline(never)]
    fn empty(plan: LoadPlan, flags: Flags) -> Result<Pair<Self>, Why> {
        let (tables, writers) = Writers::new(plan.budget, plan.algorithm, flags)?;
        let (routes, records) = route6::Routes::new();
        let serving = KBox::new(Serving { tables, routes }, flags).map_err(|_| Why::NoMemory)?;
        let routes = KBox::new(
            Routes {
                writers,
                records,
                bound: 0,
                loaded_at: 0,
                built_us: 0,
            },
            flags,
        )
        .map_err(|_| Why::NoMemory)?;
        Ok((serving, routes))
    }

    /// Which of a prefix's routes a deletion is about can't be said before the table is there.
    fn collect(
        routes: &mut Routes,
        serving: &Serving,
        kept: &Kept,
        flags: Flags,
    ) -> Result<Option<Place<V6>>, Why> {
        let Kept::Replace { rt } = kept else {
            return Ok(None);
        };
        let key = rt.key();
        let (Some(prefix), Some(held)) = (Prefix::new(key.dst, key.len), rt.hold()) else {
            return Ok(None);
        };
        let id = routes.take(serving, held, flags)?;
        Ok(Some((
            Which::from_id(key.table),
            prefix,
            id | marks(prefix),
        )))
    }

    #[inline(never)]
    fn build(routes: &mut Routes, serving: &Serving, bulks: Bulks<V6>) -> Result<(), Why> {
        let begin = time::now_us();
        for (which, bulk) in bulks.into_iter() {
            let mut unused = KVVec::new();
            let mut lost = false;
            routes
                .writers
                .build(&serving.tables, which, bulk, |value| {
                    lost |= unused.push(value & ID, GFP_KERNEL_ACCOUNT).is_err();
                })?;
            for id in unused {
                routes.give(serving, id);
            }
            if lost {
                return Err(Why::NoMemory);
            }
        }
        routes.built_us = time::now_us().wrapping_sub(begin);
        Ok(())
    }

    fn fold(routes: &mut Routes, serving: &Serving, kept: &Kept, flags: Flags) -> Result<(), Why> {
        match kept {
            Kept::Replace { rt } => {
                let held = rt.hold().ok_or(Why::NoMemory)?;
                routes.replace(serving, &rt.key(), held, flags)?
            }
            Kept::Delete { rt, next } => {
                let next = next.as_ref().and_then(|next| next.hold());
                routes.delete(serving, &rt.key(), rt, next, flags)?
            }
        };
        Ok(())
    }

    fn apply(
        routes: &mut Routes,
        serving: &Serving,
        event: Fib6Event<'_>,
        flags: Flags,
    ) -> Result<Change, Why> {
        match event {
            Fib6Event::Replace { rt } if !rt.has_source() => {
                let held = rt.hold().ok_or(Why::NoMemory)?;
                routes.replace(serving, &rt.key(), held, flags)
            }
            Fib6Event::Delete { rt, next } if !rt.has_source() => {
                let next = next.and_then(|next| next.hold());
                routes.delete(serving, &rt.key(), rt, next, flags)
            }
            _ => Ok(Change::default()),
        }
    }

    fn set_loaded(routes: &mut Routes) {
        routes.writers.share();
        routes.loaded_at = time::now_ms();
    }

    fn loaded_at(routes: &Routes) -> u64 {
        routes.loaded_at
    }

    fn sizes(routes: &Routes, serving: &Serving) -> Sizes {
        let sizes = routes.writers.sizes(&serving.tables);
        Sizes {
            nexthops: routes.bound,
            built_us: routes.built_us,
            memory: sizes.memory.saturating_add(routes.records.memory()),
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
        routes.writers.set_budget(bytes);
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
    }

    /// Each change moves the serial number of the tables, which every dst is checked against.
    fn outdate(_net: &Net) {}

    fn release_all(routes: &mut Routes, serving: &Serving) {
        for id in 1..routes.records.len() {
            let w = routes.records.writing();
            if let Some(route) = serving.routes.get(id).filter(|route| route.is_bound(w)) {
                route.unbind(w);
            }
        }
        routes.bound = 0;
    }
}
