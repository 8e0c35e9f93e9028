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
use crate::mirror::ipv4::Ipv4;
use crate::mirror::ipv4::Match;
use crate::mirror::tables::Which;
use crate::mirror::Mirror;
use crate::sys::fib;
use crate::sys::fib::Agreement;
use crate::sys::fib::FibEvent;
use crate::sys::fib::FibNotifier;
use crate::sys::fib::FollowFib;
use crate::sys::lock::BhLock;
use crate::sys::net::Net;
use crate::sys::rcu::ReadSide;
use crate::sys::rtnl::Rtnl;
use crate::sys::time;
use crate::sys::work;
use kernel::prelude::*;
use kernel::static_lock_class;
use kernel::sync::rcu;

/// Addresses looked up, or prefixes listed, before others may have the CPU or the lock.
const BATCH: usize = 128;

/// Addresses that are looked at once more; with more differences the rest is only counted.
const AGAIN: usize = 1024;

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
    pub(crate) first: u32,
    /// Microseconds that it took, and of these with RTNL held for the dump.
    pub(crate) took_us: u64,
    pub(crate) held_us: u64,
}

/// A table, and an address of it in the lower half. The local, the main and the default table are
/// one here, 0, as they are for a lookup without policy rules.
type Border = u64;

fn border(which: Which, addr: u32) -> Border {
    let table = match which {
        Which::Local | Which::Main | Which::Other(fib::TABLE_DEFAULT) => 0,
        Which::Other(id) => id,
    };
    u64::from(table) << 32 | u64::from(addr)
}

/// Borders of the kernel's prefixes, as its dump tells them.
#[pin_data]
struct Dump {
    #[pin]
    list: BhLock<List>,
}

struct List {
    borders: KVVec<Border>,
    /// Routes, those included that found no room.
    routes: usize,
    overflowed: bool,
}

/// Where the answer may change: at the first address, and behind the last.
fn borders(addr: u32, len: u8) -> [Option<u32>; 2] {
    let rest = u32::MAX.checked_shr(u32::from(len)).unwrap_or(0);
    [Some(addr), (addr | rest).checked_add(1)]
}

impl FollowFib for Dump {
    fn event(&self, event: FibEvent<'_>) {
        let (FibEvent::Replace {
            table, dst, len, ..
        }
        | FibEvent::Delete { table, dst, len }) = event
        else {
            return;
        };
        let which = Which::from_id(table);
        let mut list = self.list.lock();
        list.routes = list.routes.wrapping_add(1);
        for addr in borders(dst, len).into_iter().flatten() {
            if list
                .borders
                .push_within_capacity(border(which, addr))
                .is_err()
            {
                list.overflowed = true;
            }
        }
    }

    fn restart(&self) {
        let mut list = self.list.lock();
        list.borders.clear();
        list.routes = 0;
        list.overflowed = false;
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
pub(crate) fn audit(net: &Net, mirror: &Mirror<Ipv4>) -> Result<Report> {
    let begin = time::now_us();
    let mut report = Report::default();
    let mut borders = kernel_borders(net, mirror, &mut report)?;
    mirror_borders(mirror, &mut borders, &mut report)?;
    // Where every table starts, whether a prefix does or not.
    borders.push(0, GFP_KERNEL_ACCOUNT)?;
    let mut id = 0;
    while let Some(table) = mirror
        .with_routes(|routes, _| routes.next_table(id).map(|(id, _)| id))
        .ok_or(EBUSY)?
    {
        borders.push(border(Which::from_id(table), 0), GFP_KERNEL_ACCOUNT)?;
        let Some(next) = table.checked_add(1) else {
            break;
        };
        id = next;
    }

    let mut room = KVVec::from_elem(0, sort::spare(borders.len()), GFP_KERNEL_ACCOUNT)?;
    sort::sort(&mut borders, &mut room, |a, b| a < b).ok_or(ENOMEM)?;
    drop(room);

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
        work::reschedule();
    }

    for &addr in &again {
        // Nobody changes a route now, and every change is in both tables.
        let rtnl = Rtnl::lock();
        let guard = rcu::read_lock();
        let result = compare(net, mirror, addr, ReadSide::of(&guard))?;
        drop(guard);
        drop(rtnl);
        if matches!(result, Agreement::Different) {
            if report.differences == 0 {
                report.first = addr as u32;
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
fn kernel_borders(net: &Net, mirror: &Mirror<Ipv4>, report: &mut Report) -> Result<KVVec<Border>> {
    let sizes = mirror.sizes();
    let mut routes = sizes
        .main
        .saturating_add(sizes.local)
        .saturating_add(sizes.others)
        .saturating_add(1024);
    for _ in 0..ATTEMPTS {
        let list = List {
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
        let notifier = KBox::pin_init(FibNotifier::<Dump>::new(), GFP_KERNEL)?;
        let begin = time::now_us();
        // SAFETY: `dump` outlives the registration, which ends below.
        unsafe { notifier.register(net, &*dump)? };
        report.held_us = time::now_us().wrapping_sub(begin);
        // SAFETY: Registered above.
        unsafe { notifier.unregister(net) };

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
fn mirror_borders(
    mirror: &Mirror<Ipv4>,
    borders: &mut KVVec<Border>,
    report: &mut Report,
) -> Result {
    let mut id = 0;
    while let Some(which) = mirror
        .with_routes(|routes, _| routes.next_table(id).map(|(id, _)| id))
        .ok_or(EBUSY)?
        .map(|table| {
            id = table.saturating_add(1);
            Which::from_id(table)
        })
    {
        let mut after = None;
        loop {
            let more = BATCH.wrapping_mul(2);
            if borders.capacity().saturating_sub(borders.len()) < more {
                borders.reserve(borders.len().max(more), GFP_KERNEL_ACCOUNT)?;
            }
            let listed = mirror
                .with_routes(|routes, _| {
                    for n in 0..BATCH {
                        let Some((prefix, _)) = routes.next(which, after) else {
                            return n;
                        };
                        after = Some(prefix);
                        for addr in self::borders(prefix.addr(), prefix.len())
                            .into_iter()
                            .flatten()
                        {
                            // There is room for them.
                            let _ = borders.push_within_capacity(border(which, addr));
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

/// Whether both say the same.
fn compare(net: &Net, mirror: &Mirror<Ipv4>, at: Border, rcu: ReadSide<'_>) -> Result<Agreement> {
    let serving = mirror.serving(rcu).ok_or(EBUSY)?;
    let (table, addr) = ((at >> 32) as u32, at as u32);
    let found = match table {
        0 => serving.lookup(addr),
        table => serving.lookup_in(table, addr),
    };
    let nh = match found {
        Match::NextHop(nh) => Some(nh),
        Match::LocalPrefix | Match::Unclear => return Ok(Agreement::Kernels),
        Match::None => None,
    };
    Ok(fib::agreement(net, table, addr, nh, rcu))
}
