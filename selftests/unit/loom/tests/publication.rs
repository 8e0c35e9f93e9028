// SPDX-License-Identifier: GPL-2.0

//! Readers beside the writer, in all orders and with all stale values that loom knows of: each
//! answer is one that the table had at some moment of the lookup, and what a reader may still see
//! is not used again.
//!
//! A model is one table, a few updates by its writer and a few lookups by readers. The number of
//! times that a thread is interrupted is bounded; in these bounds loom tries everything.

use altfib_loom::{
    host::{self, Clock},
    lpm::{Algorithm, Flags, Prefix, Table, Value, Writer, V4},
    sys::shared::{Blocks, Word},
};
use loom::{
    sync::atomic::{AtomicUsize, Ordering::*},
    thread,
};
use std::{
    collections::BTreeSet,
    sync::{
        atomic::{AtomicU64, AtomicUsize as Plain},
        Arc, Mutex,
    },
};

/// RCU as it is at its earliest: a grace period is over as soon as all read-side critical sections
/// that were open when it was asked for have ended.
///
/// `order` alone is loom's; it orders the calls, and what the caller did before one is seen after
/// each later one. loom switches threads in its own operations only, so the rest is atomic with it.
#[derive(Default)]
struct Rcu {
    order: AtomicUsize,
    sections: Mutex<Sections>,
}

#[derive(Default)]
struct Sections {
    begun: u64,
    open: BTreeSet<u64>,
    /// For each grace period the sections it waits for.
    graces: Vec<BTreeSet<u64>>,
    /// How often a grace period was asked about and was not over.
    waits: u64,
}

impl Rcu {
    fn with<T>(&self, f: impl FnOnce(&mut Sections) -> T) -> T {
        self.order.fetch_add(1, AcqRel);
        f(&mut self.sections.lock().expect("no panic"))
    }

    fn enter(&self) -> u64 {
        self.with(|all| {
            all.begun += 1;
            all.open.insert(all.begun);
            all.begun
        })
    }

    fn leave(&self, section: u64) {
        self.with(|all| all.open.remove(&section));
    }
}

impl Clock for Rcu {
    fn start(&self) -> u64 {
        self.with(|all| {
            let open = all.open.clone();
            all.graces.push(open);
            all.graces.len() as u64
        })
    }

    fn elapsed(&self, cookie: u64) -> bool {
        self.with(|all| {
            let over = all.graces[cookie as usize - 1].is_disjoint(&all.open);
            all.waits += u64::from(!over);
            over
        })
    }
}

type Update = (u32, u8, Value);

fn prefix(addr: u32, len: u8) -> Prefix<V4> {
    Prefix::new(addr, len).expect("a length of the family")
}

fn ip(a: u8, b: u8, c: u8, d: u8) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

fn apply(table: &Table<V4>, writer: &mut Writer<V4>, &(addr, len, v): &Update) {
    writer
        .insert(table, prefix(addr, len), v, Flags)
        .expect("memory");
}

/// The answer for `addr` after some updates, a value of 0 being a removal.
fn expect(updates: &[&[Update]], addr: u32) -> Value {
    let mut best = (0, 0);
    for len in 0..=32 {
        let last = updates
            .iter()
            .flat_map(|part| part.iter())
            .rfind(|&&(a, l, _)| l == len && prefix(addr, len) == prefix(a, l));
        if let Some(&(_, _, v)) = last.filter(|(_, _, v)| *v != 0) {
            best = (len, v);
        }
    }
    best.1
}

/// What is there when readers come, what the writer then does, and what each reader looks up.
struct Model {
    algorithm: Algorithm,
    /// Changes the algorithm to this one after the updates.
    then: Option<Algorithm>,
    before: Vec<Update>,
    updates: Vec<Update>,
    readers: Vec<Vec<u32>>,
    preemptions: usize,
}

/// Of the chunks, which most models are about.
impl Default for Model {
    fn default() -> Self {
        Model {
            algorithm: Algorithm::Chunks,
            then: None,
            before: Vec::new(),
            updates: Vec::new(),
            readers: Vec::new(),
            preemptions: 2,
        }
    }
}

struct Shared {
    table: Table<V4>,
    rcu: Arc<Rcu>,
    /// Updates that are done, for readers that see it.
    done: AtomicUsize,
    /// Updates that have begun, in the order in which loom runs things.
    begun: Plain,
}

fn builder(preemptions: usize) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    // Most of it is what is done before there are readers.
    builder.max_branches = 200_000;
    builder
}

impl Model {
    /// What the writer does beside the readers.
    fn update(&self, shared: &Shared, mut writer: Writer<V4>) {
        for (n, update) in self.updates.iter().enumerate() {
            shared.begun.store(n + 1, Relaxed);
            apply(&shared.table, &mut writer, update);
            shared.done.store(n + 1, Release);
        }
        if self.then.is_some() {
            writer.set_algorithm(self.then);
            writer.settle(&shared.table, Flags);
            assert_eq!(Some(writer.algorithm()), self.then);
        }
    }

    /// Runs it in all ways that the bounds allow. Returns how often the writer could not have
    /// memory back because of a reader.
    fn run(self) -> u64 {
        let answers: Vec<Vec<Vec<Value>>> = self
            .readers
            .iter()
            .map(|probes| {
                (0..=self.updates.len())
                    .map(|n| {
                        let parts = [&self.before[..], &self.updates[..n]];
                        probes.iter().map(|&addr| expect(&parts, addr)).collect()
                    })
                    .collect()
            })
            .collect();
        let counters: [Arc<AtomicU64>; 3] = Default::default();
        let [runs, beside, waits] = counters.clone();
        let (model, answers) = (Arc::new(self), Arc::new(answers));
        let builder = builder(model.preemptions);
        builder.check(move || {
            runs.fetch_add(1, Relaxed);
            let rcu = Arc::new(Rcu::default());
            host::set_clock(Some(rcu.clone()));
            let (table, mut writer) = Table::<V4>::new(Flags).expect("an empty table");
            writer.set_algorithm(Some(model.algorithm));
            for update in &model.before {
                apply(&table, &mut writer, update);
            }
            assert_eq!(writer.algorithm(), model.algorithm);
            let shared = Arc::new(Shared {
                table,
                rcu,
                done: AtomicUsize::new(0),
                begun: Plain::new(0),
            });
            let readers: Vec<_> = (0..model.readers.len())
                .map(|reader| {
                    let (model, answers, shared, beside) = (
                        model.clone(),
                        answers.clone(),
                        shared.clone(),
                        beside.clone(),
                    );
                    thread::spawn(move || {
                        for (n, &addr) in model.readers[reader].iter().enumerate() {
                            let section = shared.rcu.enter();
                            let low = shared.done.load(Acquire);
                            let answer = shared.table.lookup(addr);
                            let high = shared.begun.load(Relaxed);
                            shared.rcu.leave(section);
                            let right = &answers[reader][low..=high];
                            assert!(
                                right.iter().any(|all| all[n] == answer),
                                "{addr:#x} gave {answer} between updates {low} and {high}: {right:?}"
                            );
                            beside.fetch_add(u64::from(low != high), Relaxed);
                        }
                    })
                })
                .collect();
            model.update(&shared, writer);
            for reader in readers {
                reader.join().expect("right answers");
            }
            for (reader, probes) in model.readers.iter().enumerate() {
                let last = answers[reader].last().expect("one at least");
                for (&addr, &value) in probes.iter().zip(last) {
                    assert_eq!(shared.table.lookup(addr), value, "{addr:#x} at the end");
                }
            }
            host::set_clock(None);
            waits.fetch_add(shared.rcu.with(|all| all.waits), Relaxed);
        });
        let [runs, beside, waits] = counters.map(|counter| counter.load(Relaxed));
        println!("{runs} runs, {beside} lookups beside an update, {waits} waits");
        assert!(runs > 10 && beside > 10, "{runs} runs, {beside} lookups");
        waits
    }
}

const TEN: u32 = 10 << 24;

/// One prefix, several entries: they are stored one after the other, each a right answer.
#[test]
fn replace_in_place() {
    Model {
        before: vec![(ip(8, 0, 0, 0), 5, 1), (TEN, 8, 2)],
        updates: vec![(ip(8, 0, 0, 0), 5, 3), (TEN, 8, 4)],
        readers: vec![vec![ip(8, 1, 1, 1), ip(11, 1, 1, 1)], vec![TEN]],
        ..Model::default()
    }
    .run();
}

/// A longer prefix comes to be under a chunk that a reader is in, and goes again.
#[test]
fn new_chunk_below() {
    Model {
        before: vec![(TEN, 8, 1), (ip(10, 1, 0, 0), 16, 2)],
        updates: vec![(ip(10, 1, 2, 0), 24, 3), (ip(10, 1, 2, 3), 32, 4)],
        readers: vec![vec![ip(10, 1, 2, 3)], vec![ip(10, 1, 3, 3)]],
        ..Model::default()
    }
    .run();
}

/// A lookup that is in the chunk that goes falls through to its cover.
#[test]
fn removal() {
    Model {
        before: vec![
            (TEN, 8, 1),
            (ip(10, 1, 2, 0), 24, 2),
            (ip(10, 1, 2, 3), 32, 3),
        ],
        updates: vec![(ip(10, 1, 2, 3), 32, 0), (ip(10, 1, 2, 0), 24, 0)],
        readers: vec![vec![ip(10, 1, 2, 3)], vec![ip(10, 1, 2, 4)]],
        ..Model::default()
    }
    .run();
}

/// Short prefixes change the covers of chunks on two levels.
#[test]
fn covers() {
    for addr in [ip(10, 1, 1, 1), ip(10, 1, 3, 1)] {
        Model {
            before: vec![
                (TEN, 7, 1),
                (TEN, 8, 2),
                (ip(10, 1, 2, 0), 24, 9),
                (ip(10, 1, 3, 4), 32, 9),
            ],
            updates: vec![(TEN, 8, 3), (TEN, 8, 0), (ip(10, 1, 0, 0), 16, 4)],
            readers: vec![vec![addr]],
            ..Model::default()
        }
        .run();
    }
}

/// An entry leaves for the cover just after the cover changed: a lookup may have the old cover at
/// hand when it finds that the entry is 0, so the entry must not become 0 where it is. All runs
/// are the same before and after.
#[test]
fn entry_to_cover_after_its_change() {
    Model {
        before: vec![
            (TEN, 8, 1),
            (ip(10, 0, 0, 0), 16, 5),
            (ip(10, 1, 0, 0), 16, 6),
            (ip(10, 2, 0, 0), 16, 7),
        ],
        updates: vec![(TEN, 8, 2), (ip(10, 1, 0, 0), 16, 0)],
        readers: vec![vec![ip(10, 1, 1, 1)]],
        preemptions: 3,
        ..Model::default()
    }
    .run();
}

/// The other way: an entry is no longer 0 when the cover changes.
#[test]
fn cover_to_entry_before_its_change() {
    Model {
        before: vec![
            (TEN, 8, 1),
            (ip(10, 0, 0, 0), 16, 5),
            (ip(10, 2, 0, 0), 16, 7),
        ],
        updates: vec![(ip(10, 1, 0, 0), 16, 6), (TEN, 8, 2)],
        readers: vec![vec![ip(10, 1, 1, 1)]],
        preemptions: 3,
        ..Model::default()
    }
    .run();
}

/// A default comes to be after a prefix: no lookup may miss the prefix and find the default.
#[test]
fn default_after_a_prefix() {
    Model {
        before: vec![(ip(20, 0, 0, 0), 8, 9)],
        updates: vec![(TEN, 8, 1), (0, 0, 2)],
        readers: vec![vec![TEN]],
        preemptions: 3,
        ..Model::default()
    }
    .run();
}

/// A default goes before a prefix does: the same from the other side.
#[test]
fn default_goes_before_a_prefix() {
    Model {
        before: vec![(ip(20, 0, 0, 0), 8, 9), (TEN, 8, 1), (0, 0, 2)],
        updates: vec![(0, 0, 0), (TEN, 8, 0)],
        readers: vec![vec![TEN]],
        preemptions: 3,
        ..Model::default()
    }
    .run();
}

/// The same where the prefix is the cover of a chunk.
#[test]
fn default_goes_before_a_cover() {
    Model {
        before: vec![(TEN, 8, 1), (ip(10, 1, 2, 0), 24, 9), (0, 0, 2)],
        updates: vec![(0, 0, 0), (TEN, 8, 0)],
        readers: vec![vec![ip(10, 1, 1, 1)]],
        preemptions: 3,
        ..Model::default()
    }
    .run();
}

/// A cover comes to be, then the default.
#[test]
fn default_after_a_cover() {
    Model {
        before: vec![(ip(10, 1, 2, 0), 24, 9)],
        updates: vec![(TEN, 8, 1), (0, 0, 2)],
        readers: vec![vec![ip(10, 1, 1, 1)]],
        preemptions: 3,
        ..Model::default()
    }
    .run();
}

/// The default is what it was again, and was something else while the prefix was away.
#[test]
fn default_there_and_back() {
    Model {
        before: vec![(ip(20, 0, 0, 0), 8, 9), (TEN, 8, 1), (0, 0, 2)],
        updates: vec![(0, 0, 3), (TEN, 8, 0), (TEN, 8, 4), (0, 0, 2)],
        readers: vec![vec![TEN]],
        preemptions: 3,
        ..Model::default()
    }
    .run();
}

/// How many updates come before the readers. When the batch is full in which what they retire waits
/// is the writer's business: one of these numbers must make a reader hold it up.
const WARMUPS: std::ops::Range<u32> = 4..10;

/// Chunks are used again as soon as their grace period is over. What becomes of a free extent first
/// is that its last word holds its size; here that word is an entry.
#[test]
fn chunks_are_used_again() {
    let mut waits = 0;
    for warmup in WARMUPS {
        // Six runs, as many as one line holds; the fifth is of 10.0.0.0/8.
        let mut before = vec![
            (ip(0, 0, 0, 0), 8, 7),
            (ip(1, 0, 0, 0), 8, 8),
            (ip(2, 0, 0, 0), 8, 9),
            (TEN, 8, 1),
        ];
        // A border between two runs moves to and fro.
        let update = |n: u32| (ip(3, 0, 0, 0), 8, 9 * ((n + 1) % 2));
        before.extend((0..warmup).map(update));
        waits += Model {
            before,
            updates: (warmup..warmup + 3).map(update).collect(),
            readers: vec![vec![TEN]],
            ..Model::default()
        }
        .run();
    }
    assert!(waits > 0);
}

/// The same further down, by removal: the chunks of levels 1 and 2 go at once.
#[test]
fn removed_chunks_are_used_again() {
    let mut waits = 0;
    for warmup in WARMUPS {
        let mut before = vec![(TEN, 8, 1), (ip(10, 1, 2, 0), 24, 2)];
        for n in 0..warmup {
            before.push((ip(201, 0, 0, 0), 8, 7 * ((n + 1) % 2)));
        }
        waits += Model {
            before,
            updates: vec![
                (ip(10, 1, 2, 0), 24, 0),
                (ip(11, 1, 2, 0), 24, 3),
                (ip(12, 1, 2, 0), 24, 4),
            ],
            readers: vec![vec![ip(10, 1, 2, 3)]],
            ..Model::default()
        }
        .run();
    }
    assert!(waits > 0);
}

/// Ranges: every change is a new extent and a new root word.
#[test]
fn ranges_change() {
    Model {
        algorithm: Algorithm::Ranges,
        before: vec![(TEN, 8, 1), (ip(10, 1, 0, 0), 16, 2)],
        updates: vec![
            (ip(10, 1, 2, 0), 24, 3),
            (TEN, 8, 0),
            (ip(10, 1, 2, 0), 24, 4),
        ],
        readers: vec![vec![ip(10, 1, 2, 3)], vec![ip(10, 2, 0, 0)]],
        ..Model::default()
    }
    .run();
}

/// Ranges with a default beside a prefix that goes.
#[test]
fn ranges_and_the_default() {
    Model {
        algorithm: Algorithm::Ranges,
        before: vec![(ip(20, 0, 0, 0), 8, 9), (TEN, 8, 1), (0, 0, 2)],
        updates: vec![(0, 0, 0), (TEN, 8, 0), (TEN, 8, 4), (0, 0, 2)],
        readers: vec![vec![TEN]],
        preemptions: 3,
        ..Model::default()
    }
    .run();
}

/// Extents of ranges are used again; the last word of one has the last of 15 ranges' values.
#[test]
fn ranges_are_used_again() {
    let mut waits = 0;
    for warmup in WARMUPS {
        let mut before: Vec<_> = (1..=7).map(|n| (ip(2 * n, 0, 0, 0), 8, n.into())).collect();
        for n in 0..warmup {
            before.push((TEN, 8, 10 + n));
        }
        waits += Model {
            algorithm: Algorithm::Ranges,
            before,
            updates: vec![(TEN, 8, 2), (TEN, 8, 3), (TEN, 8, 4)],
            readers: vec![vec![ip(200, 0, 0, 0)]],
            ..Model::default()
        }
        .run();
    }
    assert!(waits > 0);
}

/// From one algorithm to the other and on: a lookup uses the one or the other.
#[test]
fn algorithm_changes() {
    for (from, to) in [
        (Algorithm::Ranges, Algorithm::Chunks),
        (Algorithm::Chunks, Algorithm::Ranges),
    ] {
        Model {
            algorithm: from,
            then: Some(to),
            before: vec![(TEN, 8, 1), (ip(10, 1, 2, 0), 24, 2), (0, 0, 3)],
            updates: vec![(ip(10, 1, 0, 0), 16, 4)],
            readers: vec![
                vec![ip(10, 1, 2, 3), ip(10, 1, 1, 1)],
                vec![ip(11, 0, 0, 0)],
            ],
            ..Model::default()
        }
        .run();
    }
}

/// The directory of blocks grows while a reader follows a reference to a block.
#[test]
fn directory_grows() {
    let runs = Arc::new(AtomicU64::new(0));
    let counter = runs.clone();
    builder(3).check(move || {
        runs.fetch_add(1, Relaxed);
        let blocks = Blocks::new();
        for _ in 0..7 {
            blocks.add(1, 0, Flags).expect("a block");
        }
        let shared = Arc::new((blocks, Word::new(0)));
        let reader = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (blocks, reference) = &*shared;
                for _ in 0..2 {
                    let r = reference.follow();
                    if r != 0 {
                        let line = &blocks.block(r as u32).expect("it was published").lines()[0];
                        assert_eq!(line.word(1).load(), r + 100);
                    }
                    assert!(blocks.block(6).is_some());
                }
            })
        };
        let (blocks, reference) = &*shared;
        for n in 7..10 {
            assert_eq!(blocks.add(1, 0, Flags), Ok(n));
            let line = &blocks.block(n).expect("just added").lines()[0];
            line.word(1).store(u64::from(n) + 100);
            reference.publish(u64::from(n));
        }
        reader.join().expect("right answers");
    });
    assert!(counter.load(Relaxed) > 10);
}
