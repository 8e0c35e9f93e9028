// SPDX-License-Identifier: GPL-2.0

//! The audit: is the mirror the kernel's table, for every address?
//!
//! Between two borders of prefixes all addresses have one answer. So the two tables are equal if
//! they agree at each address where a prefix of either of them starts, or has just ended. The
//! kernel's prefixes come from a dump by a notifier of the audit's own, which takes RTNL as
//! `insmod` does; everything else holds no lock for longer than a few lookups. What differs is
//! looked at once more with RTNL held, since both tables may be on the move.
//!
//! The kernel's lookup marks routes as accessed, and deleting such a route flushes the kernel's
//! route caches. So an audit has a price for a while afterwards, and never comes by itself.

use crate::lpm::sort;
use crate::lpm::Family;
use crate::lpm::Prefix;
use crate::mirror::ipv4;
use crate::mirror::ipv6;
use crate::mirror::tables::Which;
use crate::mirror::Kind;
use crate::mirror::Mirror;
use crate::sys::family::Ipv4;
use crate::sys::family::Ipv6;
use crate::sys::fib;
use crate::sys::fib::Agreement;
use crate::sys::fib::FibEvent;
use crate::sys::fib::FibNotifier;
use crate::sys::fib::FollowFib;
use crate::sys::lock::BhLock;
use crate::sys::net::Net;
use crate::sys::rcu::ReadSide;
use crate::sys::route6;
use crate::sys::route6::Fib6Event;
use crate::sys::rtnl::Rtnl;
use crate::sys::time;
use crate::sys::work;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;
use kernel::prelude::*;
use kernel::static_lock_class;
use kernel::sync::rcu;

/// Addresses looked up, or prefixes listed, before others may have the CPU or the lock.
const BATCH: usize = 128;

/// Addresses that are looked at once more; with more differences the rest is only counted.
const AGAIN: usize = 1024;

/// Looks at an address whose routes keep changing.
const TRIES: u32 = 8;

/// Attempts at a dump that routes outgrow.
const ATTEMPTS: u32 = 4;

/// What an audit found.
#[derive(Clone, Copy, Default)]
pub(crate) struct Report {
    /// Milliseconds since boot when it ended.
    pub(crate) at: u64,
    /// Routes that the kernel told, and prefixes that the mirror has.
    pub(crate) kernel: usize,
    pub(crate) mirrored: usize,
    /// Addresses that were compared.
    pub(crate) addresses: usize,
    /// Of these, whose packets are the kernel's anyway.
    pub(crate) left: usize,
    /// Differences that were gone at the second look.
    pub(crate) transient: usize,
    /// Differences that were not, and the first.
    pub(crate) differences: usize,
    pub(crate) first: u128,
    /// Microseconds that it took, and of these with RTNL held for the dump.
    pub(crate) took_us: u64,
    pub(crate) held_us: u64,
}

/// How far an audit is.
pub(crate) struct Progress {
    checked: AtomicUsize,
    /// 0 while nothing is compared.
    total: AtomicUsize,
}

impl Progress {
    pub(crate) const fn new() -> Self {
        Self {
            checked: AtomicUsize::new(0),
            total: AtomicUsize::new(0),
        }
    }

    fn begin(&self, total: usize) {
        self.checked.store(0, Relaxed);
        self.total.store(total, Relaxed);
    }

    fn step(&self, n: usize) {
        self.checked.fetch_add(n, Relaxed);
    }

    pub(crate) fn end(&self) {
        self.total.store(0, Relaxed);
    }

    pub(crate) fn get(&self) -> Option<(usize, usize)> {
        let total = self.total.load(Relaxed);
        (total != 0).then(|| (self.checked.load(Relaxed).min(total), total))
    }
}

/// A table, and an address in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Border<A> {
    table: u32,
    addr: A,
}

type BorderOf<K> = Border<<<K as Kind>::Family as Family>::Addr>;

/// A family that can be audited.
pub(crate) trait Audited: Kind {
    /// The table and the prefix that an event is about.
    fn place(event: Self::Event<'_>) -> Option<(u32, Prefix<Self::Family>)>;

    /// The number of the tables that are asked as one, if there are such.
    const JOINT: Option<u32>;

    /// What stands for a table in a border; tables that are asked as one are one.
    fn joined(table: u32) -> u32;

    /// The first table of a mirror with at least this id that has a prefix.
    fn next_table(routes: &Self::Routes, id: u32) -> Option<u32>;

    /// The first prefix of a table behind `after`.
    fn next(
        routes: &Self::Routes,
        which: Which,
        after: Option<Prefix<Self::Family>>,
    ) -> Option<Prefix<Self::Family>>;

    /// How many prefixes the mirror has.
    fn len(mirror: &Mirror<Self>) -> usize;

    /// Whether both say the same of an address.
    fn compare(
        net: &Net,
        serving: &Self::Serving,
        at: BorderOf<Self>,
        rcu: ReadSide<'_>,
    ) -> Agreement;

    /// Whether both say the same while neither changes.
    fn compare_again(net: &Net, mirror: &Mirror<Self>, at: BorderOf<Self>) -> Result<Agreement>;
}

fn compare<K: Audited>(
    net: &Net,
    mirror: &Mirror<K>,
    at: BorderOf<K>,
    rcu: ReadSide<'_>,
) -> Result<Agreement> {
    let serving = mirror.serving(rcu).ok_or(EBUSY)?;
    Ok(K::compare(net, serving, at, rcu))
}

impl Audited for Ipv4 {
    const JOINT: Option<u32> = Some(0);

    fn place(event: FibEvent<'_>) -> Option<(u32, Prefix<Self::Family>)> {
        match event {
            FibEvent::Replace {
                table, dst, len, ..
            }
            | FibEvent::Delete { table, dst, len } => Some((table, Prefix::new(dst, len)?)),
            FibEvent::PathChanged { .. } => None,
        }
    }

    /// The local, the main and the default table are one, 0, as for a lookup without policy rules.
    fn joined(table: u32) -> u32 {
        match table {
            fib::TABLE_LOCAL | fib::TABLE_MAIN | fib::TABLE_DEFAULT => 0,
            table => table,
        }
    }

    fn next_table(routes: &ipv4::Routes, id: u32) -> Option<u32> {
        routes.next_table(id).map(|(id, _)| id)
    }

    fn next(
        routes: &ipv4::Routes,
        which: Which,
        after: Option<Prefix<Self::Family>>,
    ) -> Option<Prefix<Self::Family>> {
        routes.next(which, after).map(|(prefix, _)| prefix)
    }

    fn len(mirror: &Mirror<Self>) -> usize {
        mirror.sizes().prefixes()
    }

    fn compare(
        net: &Net,
        serving: &ipv4::Serving,
        at: Border<u32>,
        rcu: ReadSide<'_>,
    ) -> Agreement {
        let found = match at.table {
            0 => serving.lookup(at.addr),
            table => serving.lookup_in(table, at.addr),
        };
        let nh = match found {
            ipv4::Match::NextHop(nh) => Some(nh),
            ipv4::Match::LocalPrefix | ipv4::Match::Unclear => return Agreement::Kernels,
            ipv4::Match::None => None,
        };
        let agreement = fib::agreement(net, at.table, at.addr, nh, rcu);
        let is_main = at.table == 0 || at.table == fib::TABLE_MAIN;
        match serving.leaf(at.addr).filter(|_| is_main) {
            Some(leaf) if !leaf.agrees(net, at.addr, rcu) => Agreement::Different,
            _ => agreement,
        }
    }

    fn compare_again(net: &Net, mirror: &Mirror<Self>, at: Border<u32>) -> Result<Agreement> {
        // Nobody changes a route now, and every change is in both tables.
        let _rtnl = Rtnl::lock();
        let guard = rcu::read_lock();
        compare(net, mirror, at, ReadSide::of(&guard))
    }
}

impl Audited for Ipv6 {
    const JOINT: Option<u32> = None;

    fn place(event: Fib6Event<'_>) -> Option<(u32, Prefix<Self::Family>)> {
        let (Fib6Event::Replace { rt } | Fib6Event::Delete { rt, .. }) = event;
        if rt.has_source() {
            return None;
        }
        let key = rt.key();
        Some((key.table, Prefix::new(key.dst, key.len)?))
    }

    fn joined(table: u32) -> u32 {
        table
    }

    fn next_table(routes: &ipv6::Routes, id: u32) -> Option<u32> {
        routes.next_table(id).map(|(id, _)| id)
    }

    fn next(
        routes: &ipv6::Routes,
        which: Which,
        after: Option<Prefix<Self::Family>>,
    ) -> Option<Prefix<Self::Family>> {
        routes.next(which, after).map(|(prefix, _)| prefix)
    }

    fn len(mirror: &Mirror<Self>) -> usize {
        mirror.sizes().prefixes()
    }

    fn compare(
        net: &Net,
        serving: &ipv6::Serving,
        at: Border<u128>,
        rcu: ReadSide<'_>,
    ) -> Agreement {
        let route = match serving.lookup_in(at.table, at.addr) {
            ipv6::Match::Route(route) => Some(route),
            ipv6::Match::Unclear => return Agreement::Kernels,
            ipv6::Match::None => None,
        };
        route6::agreement(net, at.table, at.addr, route, rcu)
    }

    /// Nothing keeps IPv6 routes from changing, but each change moves their generation.
    fn compare_again(net: &Net, mirror: &Mirror<Self>, at: Border<u128>) -> Result<Agreement> {
        for _ in 0..TRIES {
            let before = route6::generation(net);
            time::sleep_ms(1);
            let guard = rcu::read_lock();
            let result = compare(net, mirror, at, ReadSide::of(&guard))?;
            drop(guard);
            if !matches!(result, Agreement::Different) || before == route6::generation(net) {
                return Ok(result);
            }
        }
        Ok(Agreement::Kernels)
    }
}

/// Borders of the kernel's prefixes, as its dump tells them.
#[pin_data]
struct Dump<K: Audited> {
    #[pin]
    list: BhLock<List<K>>,
}

struct List<K: Audited> {
    borders: KVVec<BorderOf<K>>,
    /// Routes, those included that found no room.
    routes: usize,
    overflowed: bool,
}

/// Where the answer may change: at the first address, and behind the last.
fn borders<K: Audited>(table: u32, prefix: Prefix<K::Family>) -> [Option<BorderOf<K>>; 2] {
    let border = |addr| Border {
        table: K::joined(table),
        addr,
    };
    [
        Some(border(prefix.addr())),
        <K::Family as Family>::successor(<K::Family as Family>::host_ones(
            prefix.addr(),
            prefix.len(),
        ))
        .map(border),
    ]
}

impl<K: Audited> FollowFib<K> for Dump<K> {
    fn event(&self, event: K::Event<'_>) {
        let Some((table, prefix)) = K::place(event) else {
            return;
        };
        let mut list = self.list.lock();
        list.routes = list.routes.wrapping_add(1);
        for border in borders::<K>(table, prefix).into_iter().flatten() {
            if list.borders.push_within_capacity(border).is_err() {
                list.overflowed = true;
            }
        }
    }

    fn nexthop_object_changed(&self) {}
}

/// Compares the mirror with the kernel's tables.
///
/// # Errors
///
/// `EBUSY` if the mirror is not in sync, or the routes change too fast to be listed; `ENOMEM`.
///
/// # Context
///
/// Process, may sleep, takes RTNL.
pub(crate) fn audit<K: Audited>(
    net: &Net,
    mirror: &Mirror<K>,
    progress: &Progress,
) -> Result<Report> {
    let begin = time::now_us();
    let mut report = Report::default();
    let mut borders = kernel_borders(net, mirror, &mut report)?;
    mirror_borders(mirror, &mut borders, &mut report)?;
    // Where every table starts, whether a prefix does or not.
    let mut id = 0;
    let mut next = K::JOINT;
    loop {
        if let Some(table) = next {
            let border = Border {
                table: K::joined(table),
                addr: Default::default(),
            };
            borders.push(border, GFP_KERNEL_ACCOUNT)?;
            id = table;
        }
        let found = mirror
            .with_routes(|routes, _| K::next_table(routes, id.saturating_add(1)))
            .ok_or(EBUSY)?;
        match found {
            Some(table) if table > id => next = Some(table),
            _ => break,
        }
    }
    // No prefix at all, here and there.
    let Some(&any) = borders.first() else {
        return Ok(report);
    };

    let mut room = KVVec::from_elem(any, sort::spare(borders.len()), GFP_KERNEL_ACCOUNT)?;
    sort::sort(&mut borders, &mut room, |a, b| a < b).ok_or(ENOMEM)?;
    drop(room);
    progress.begin(borders.len());

    let mut again = KVVec::with_capacity(AGAIN, GFP_KERNEL)?;
    let mut last = None;
    for batch in borders.chunks(BATCH) {
        let guard = rcu::read_lock();
        for &addr in batch {
            if last == Some(addr) {
                continue;
            }
            last = Some(addr);
            report.addresses = report.addresses.wrapping_add(1);
            match compare(net, mirror, addr, ReadSide::of(&guard))? {
                Agreement::Same => {}
                Agreement::Kernels => report.left = report.left.wrapping_add(1),
                Agreement::Different => {
                    if again.push_within_capacity(addr).is_err() {
                        report.transient = report.transient.wrapping_add(1);
                    }
                }
            }
        }
        drop(guard);
        progress.step(batch.len());
        work::reschedule();
    }

    for &at in &again {
        let result = K::compare_again(net, mirror, at)?;
        if matches!(result, Agreement::Different) {
            if report.differences == 0 {
                report.first = <K::Family as Family>::to_u128(at.addr);
            }
            report.differences = report.differences.wrapping_add(1);
        } else {
            report.transient = report.transient.wrapping_add(1);
        }
    }
    report.at = time::now_ms();
    report.took_us = time::now_us().wrapping_sub(begin);
    Ok(report)
}

/// The borders of the kernel's prefixes.
fn kernel_borders<K: Audited>(
    net: &Net,
    mirror: &Mirror<K>,
    report: &mut Report,
) -> Result<KVVec<BorderOf<K>>> {
    let mut routes = K::len(mirror).saturating_add(1024);
    for _ in 0..ATTEMPTS {
        let list = List::<K> {
            borders: KVVec::with_capacity(routes.saturating_mul(2), GFP_KERNEL_ACCOUNT)?,
            routes: 0,
            overflowed: false,
        };
        let dump = KBox::pin_init(
            pin_init!(Dump {
                list <- BhLock::new(list, c"altfib_audit", static_lock_class!()),
            }),
            GFP_KERNEL,
        )?;
        let notifier = KBox::pin_init(FibNotifier::<Dump<K>, K>::new(), GFP_KERNEL)?;
        let begin = time::now_us();
        // SAFETY: `dump` is valid, and nobody else has the notifier.
        unsafe { notifier.dump(net, &*dump)? };
        report.held_us = time::now_us().wrapping_sub(begin);

        let mut list = dump.list.lock();
        if !list.overflowed {
            report.kernel = list.routes;
            return Ok(core::mem::replace(&mut list.borders, KVVec::new()));
        }
        routes = list.routes.saturating_add(list.routes / 4);
    }
    Err(EBUSY)
}

/// Adds the borders of the mirror's prefixes.
fn mirror_borders<K: Audited>(
    mirror: &Mirror<K>,
    borders: &mut KVVec<BorderOf<K>>,
    report: &mut Report,
) -> Result {
    let mut id = 0;
    while let Some(table) = mirror
        .with_routes(|routes, _| K::next_table(routes, id))
        .ok_or(EBUSY)?
    {
        id = table.saturating_add(1);
        let which = Which::from_id(table);
        let mut after = None;
        loop {
            let more = BATCH.wrapping_mul(2);
            if borders.capacity().saturating_sub(borders.len()) < more {
                borders.reserve(borders.len().max(more), GFP_KERNEL_ACCOUNT)?;
            }
            let listed = mirror
                .with_routes(|routes, _| {
                    for n in 0..BATCH {
                        let Some(prefix) = K::next(routes, which, after) else {
                            return n;
                        };
                        after = Some(prefix);
                        for border in self::borders::<K>(table, prefix).into_iter().flatten() {
                            // There is room for them.
                            let _ = borders.push_within_capacity(border);
                        }
                    }
                    BATCH
                })
                .ok_or(EBUSY)?;
            report.mirrored = report.mirrored.wrapping_add(listed);
            if listed < BATCH {
                break;
            }
            work::reschedule();
        }
    }
    Ok(())
}
