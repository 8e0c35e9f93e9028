// SPDX-License-Identifier: GPL-2.0

//! Lookups beside updates, and updates beside lookups, on two CPUs.

use crate::{
    clock,
    dpdk::Fib,
    harness::{Lookup, Mode, Run},
    ours::Ours,
    tables::{Fam, Keys, Routes},
    updates::{self, Day, Update},
};
use altfib_unit::{
    host::{self, Clock},
    lpm::{Flags, Table, V4, V6},
};
use std::{
    hint::black_box,
    sync::{
        atomic::{
            fence, AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
        Arc,
    },
    thread,
    time::{Duration, Instant},
};

/// Updates a second.
pub const RATE: u64 = 100_000;

/// Lookups between two moments at which a reader holds nothing.
const SECTION: usize = 1 << 12;

/// Grace periods for one reader, which is always reading but for moments.
struct Epochs {
    now: AtomicU64,
    reader: AtomicU64,
}

impl Clock for Epochs {
    fn start(&self) -> u64 {
        self.now.fetch_add(1, SeqCst) + 1
    }

    fn elapsed(&self, cookie: u64) -> bool {
        fence(SeqCst);
        self.reader.load(SeqCst) >= cookie
    }
}

impl Epochs {
    fn new() -> Arc<Self> {
        Arc::new(Epochs {
            now: AtomicU64::new(0),
            reader: AtomicU64::new(0),
        })
    }

    /// The reader holds nothing at this moment.
    fn quiescent(&self) {
        self.reader.store(self.now.load(SeqCst), SeqCst);
        fence(SeqCst);
    }
}

/// What readers may share: our table without its writer.
struct Shared<'a, F: Fam>(&'a Table<F>);

impl<F: Fam> Lookup<F> for Shared<'_, F> {
    type Key = F::Addr;

    fn keys(keys: &Keys<F>) -> &[F::Addr] {
        &keys.host
    }

    #[inline(always)]
    fn one(&self, key: &F::Addr) -> u32 {
        self.0.lookup(*key)
    }
}

#[derive(Clone, Debug)]
pub struct Beside {
    pub family: &'static str,
    pub peer: &'static str,
    pub mode: Mode,
    /// Nanoseconds for a lookup, round by round.
    pub alone: Vec<f64>,
    pub beside: Vec<f64>,
    /// Updates a second that there were.
    pub rate: f64,
}

fn time<F: Fam>(peer: &dyn Run<F>, keys: &Keys<F>, mode: Mode, quiescent: &dyn Fn()) -> f64 {
    let sections = keys.count / SECTION;
    let pass = || {
        for section in 0..sections {
            black_box(peer.run(keys, mode, section * SECTION, SECTION));
            quiescent();
        }
    };
    pass();
    let begin = clock::cpu();
    pass();
    (clock::cpu() - begin) as f64 / (sections * SECTION) as f64
}

/// Calls `apply` for the updates again and again, `RATE` a second, until told to stop. Returns the
/// rate that came of it. There must be a moment between two updates.
fn drive<F: Fam>(
    updates: &[Update<F>],
    stop: &AtomicBool,
    count: &AtomicU64,
    ticks_per_ns: f64,
    mut apply: impl FnMut(&Update<F>),
) {
    let step = (1e9 / RATE as f64 * ticks_per_ns) as u64;
    let mut due = clock::tsc();
    for update in updates.iter().cycle() {
        if stop.load(Relaxed) {
            return;
        }
        while clock::tsc() < due {
            std::hint::spin_loop();
        }
        // What an interruption made late is not made up for.
        due = (due + step).max(clock::tsc().saturating_sub(step * 1000));
        apply(update);
        count.fetch_add(1, Relaxed);
    }
}

/// Measures lookups with and without the updater, which `spawn` starts on another CPU.
fn rounds<F: Fam>(
    peer: &'static str,
    run: &dyn Run<F>,
    keys: &Keys<F>,
    rounds: usize,
    quiescent: &dyn Fn(),
    updater: &(dyn Fn(&AtomicBool, &AtomicU64) + Sync),
) -> Vec<Beside> {
    let modes = Mode::ALL.into_iter().filter(|mode| !mode.batch);
    let mut all: Vec<Beside> = modes
        .map(|mode| Beside {
            family: F::NAME,
            peer,
            mode,
            alone: Vec::new(),
            beside: Vec::new(),
            rate: 0.0,
        })
        .collect();
    let (mut updates, mut seconds) = (0, 0.0);
    for _ in 0..rounds {
        for row in &mut all {
            row.alone.push(time(run, keys, row.mode, quiescent));
        }
        let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                clock::pin(0);
                updater(&stop, &count);
            });
            while count.load(Relaxed) == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            let (begin, before) = (Instant::now(), count.load(Relaxed));
            for row in &mut all {
                row.beside.push(time(run, keys, row.mode, quiescent));
            }
            seconds += begin.elapsed().as_secs_f64();
            updates += count.load(Relaxed) - before;
            stop.store(true, Relaxed);
        });
    }
    for row in &mut all {
        row.rate = updates as f64 / seconds;
    }
    all
}

/// Our lookups beside our updates.
pub fn lookups_ours<F: Fam>(
    routes: &Routes<F>,
    updates: &[Update<F>],
    keys: &Keys<F>,
    count: usize,
    ticks_per_ns: f64,
) -> Vec<Beside> {
    let Ours { table, writer } = Ours::build(routes);
    let writer = std::sync::Mutex::new(writer);
    let epochs = Epochs::new();
    rounds(
        "altfib",
        &Shared(&table),
        keys,
        count,
        &|| epochs.quiescent(),
        &|stop, count| {
            host::set_clock(Some(Arc::clone(&epochs) as Arc<dyn Clock>));
            let mut writer = writer.lock().expect("the only writer");
            drive(updates, stop, count, ticks_per_ns, |&(p, value)| {
                match value {
                    Some(v) => writer.insert(&table, p, v, Flags),
                    None => writer.remove(&table, p, Flags),
                }
                .expect("memory");
            });
        },
    )
}

/// Our updates beside our lookups.
pub fn updates_ours<F: Fam>(
    routes: &Routes<F>,
    all: &[Update<F>],
    keys: &Keys<F>,
    ticks_per_ns: f64,
) -> Day {
    let Ours { table, mut writer } = Ours::build(routes);
    let epochs = Epochs::new();
    let stop = AtomicBool::new(false);
    let started = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            clock::pin(0);
            let run = Shared(&table);
            let mode = Mode {
                batch: false,
                dependent: true,
            };
            while !stop.load(Relaxed) {
                for section in 0..keys.count / SECTION {
                    black_box(run.run(keys, mode, section * SECTION, SECTION));
                    epochs.quiescent();
                    started.store(true, Relaxed);
                }
            }
        });
        while !started.load(Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        host::set_clock(Some(Arc::clone(&epochs) as Arc<dyn Clock>));
        let day = updates::replay("altfib", all, ticks_per_ns, |p, value| {
            match value {
                Some(v) => writer.insert(&table, p, v, Flags),
                None => writer.remove(&table, p, Flags),
            }
            .expect("memory");
        });
        host::set_clock(None);
        stop.store(true, Relaxed);
        Day {
            reader: true,
            ..day
        }
    })
}

/// DPDK's lookups beside its updates.
pub trait LookupsDpdk: Fam {
    fn lookups_dpdk(
        routes: &Routes<Self>,
        updates: &[Update<Self>],
        keys: &Keys<Self>,
        count: usize,
        ticks_per_ns: f64,
    ) -> Vec<Beside>;
}

macro_rules! lookups_dpdk {
    ($family:ident, $name:literal) => {
        impl LookupsDpdk for $family {
            fn lookups_dpdk(
                routes: &Routes<$family>,
                updates: &[Update<$family>],
                keys: &Keys<$family>,
                count: usize,
                ticks_per_ns: f64,
            ) -> Vec<Beside> {
                let Some(fib) = Fib::<$family>::create(routes, false, 8) else {
                    return Vec::new();
                };
                if !routes.iter().all(|&(p, v)| fib.insert(p, v)) {
                    return Vec::new();
                }
                let fib = Arc::new(fib);
                let Some(view) = Fib::<$family>::view(&fib, false) else {
                    return Vec::new();
                };
                rounds($name, &view, keys, count, &|| (), &|stop, count| {
                    drive(updates, stop, count, ticks_per_ns, |&(p, value)| {
                        // The second time round a prefix may be gone already.
                        let _ = match value {
                            Some(v) => fib.insert(p, v),
                            None => fib.remove(p),
                        };
                    });
                })
            }
        }
    };
}

lookups_dpdk!(V4, "rte_fib 4B");
lookups_dpdk!(V6, "rte_fib6 4B");
