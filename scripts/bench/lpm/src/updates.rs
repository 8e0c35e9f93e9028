// SPDX-License-Identifier: GPL-2.0

//! A day of updates, one by one.

use crate::{
    clock,
    common::Numbers,
    crates::{v4, v6, Map},
    dpdk::Fib,
    ours::Ours,
    tables::{skewed, Fam, Routes},
};
use altfib_unit::{
    host,
    lpm::{Flags, Prefix, V4, V6},
};

/// Grace periods end after so many updates: 20 ms, if 100,000 come in a second.
const GRACE: usize = 2000;

/// An announcement gives a value, a withdrawal none. The trace has no next hops: each announcement
/// has one at random, which is more work than on a real day, when many change nothing.
pub type Update<F> = (Prefix<F>, Option<u32>);

pub fn with_hops<F: Fam>(updates: &[(Prefix<F>, bool)]) -> Vec<Update<F>> {
    let mut numbers = Numbers(4);
    updates
        .iter()
        .map(|&(p, announced)| (p, announced.then(|| skewed(numbers.next()))))
        .collect()
}

/// What a day cost.
#[derive(Clone, Debug)]
pub struct Day {
    pub family: &'static str,
    pub peer: &'static str,
    /// Whether a reader looked up on another CPU.
    pub reader: bool,
    pub updates: usize,
    /// Seconds on the CPU.
    pub seconds: f64,
    /// Microseconds by the time stamp counter, which counts interruptions too.
    pub median: f64,
    pub p99: f64,
    pub p999: f64,
    pub most: f64,
}

impl Day {
    /// Microseconds on the CPU.
    pub fn mean(&self) -> f64 {
        self.seconds * 1e6 / self.updates as f64
    }
}

pub fn replay<F: Fam>(
    peer: &'static str,
    updates: &[Update<F>],
    ticks_per_ns: f64,
    mut apply: impl FnMut(Prefix<F>, Option<u32>),
) -> Day {
    let mut ticks: Vec<u32> = Vec::with_capacity(updates.len());
    let begin = clock::cpu();
    let mut last = clock::tsc();
    for (n, &(p, value)) in updates.iter().enumerate() {
        apply(p, value);
        let now = clock::tsc();
        ticks.push((now - last).min(u64::from(u32::MAX)) as u32);
        last = now;
        if n % GRACE == 0 {
            host::advance();
        }
    }
    let seconds = (clock::cpu() - begin) as f64 * 1e-9;
    ticks.sort_unstable();
    let at = |share: f64| {
        let ticks = ticks[((ticks.len() - 1) as f64 * share) as usize];
        f64::from(ticks) / ticks_per_ns / 1000.0
    };
    Day {
        family: F::NAME,
        peer,
        reader: false,
        updates: updates.len(),
        seconds,
        median: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        most: at(1.0),
    }
}

pub fn ours<F: Fam>(ours: &mut Ours<F>, updates: &[Update<F>], ticks_per_ns: f64) -> Day {
    let Ours { table, writer } = ours;
    replay("altfib", updates, ticks_per_ns, |p, value| {
        match value {
            Some(v) => writer.insert(table, p, v, Flags),
            None => writer.remove(table, p, Flags),
        }
        .expect("memory");
    })
}

fn dpdk<F: Fam>(
    peer: &'static str,
    fib: &Fib<F>,
    updates: &[Update<F>],
    ticks: f64,
) -> (Day, usize) {
    let mut refused = 0;
    let day = replay(peer, updates, ticks, |p, value| {
        let done = match value {
            Some(v) => fib.insert(p, v),
            None => fib.remove(p),
        };
        refused += usize::from(!done);
    });
    (day, refused)
}

/// A family's peers that can be changed.
pub trait Days: Fam {
    fn days(
        routes: &Routes<Self>,
        updates: &[Update<Self>],
        ticks: f64,
        notes: &mut Vec<String>,
    ) -> Vec<Day>;
}

macro_rules! days {
    ($family:ident, $module:ident, $fib:literal) => {
        impl Days for $family {
            fn days(
                routes: &Routes<$family>,
                updates: &[Update<$family>],
                ticks: f64,
                notes: &mut Vec<String>,
            ) -> Vec<Day> {
                let mut all = Vec::new();
                if let Some(fib) = Fib::<$family>::create(routes, false, 8) {
                    if routes.iter().all(|&(p, v)| fib.insert(p, v)) {
                        let (day, refused) = dpdk($fib, &fib, updates, ticks);
                        if refused != 0 {
                            notes.push(format!("{}: refused {refused} updates", $fib));
                        }
                        all.push(day);
                    }
                }
                fn map<M: Map<$family>>(
                    peer: &'static str,
                    mut map: M,
                    updates: &[Update<$family>],
                    ticks: f64,
                ) -> Day {
                    replay(peer, updates, ticks, |p, value| match value {
                        Some(v) => map.insert(p, v),
                        None => map.remove(p),
                    })
                }
                all.push(map(
                    "treebitmap",
                    $module::TreeBitmap::build(routes),
                    updates,
                    ticks,
                ));
                all.push(map(
                    "prefix-trie",
                    $module::PrefixTrie::build(routes),
                    updates,
                    ticks,
                ));
                all.push(map(
                    "iptrie (Patricia)",
                    $module::Patricia::build(routes),
                    updates,
                    ticks,
                ));
                all
            }
        }
    };
}

days!(V4, v4, "rte_fib 4B");
days!(V6, v6, "rte_fib6 4B");
