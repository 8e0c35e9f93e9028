// SPDX-License-Identifier: GPL-2.0

//! Readers beside the writer: every answer is one that the table had at some moment of the lookup.

mod common;

use altfib_unit::{
    host::{self, Clock},
    lpm::{Flags, Prefix, Table, V4},
};
use common::{v4, Numbers, Pair};
use std::sync::{
    atomic::{fence, AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    Arc,
};

const READERS: usize = 2;

/// Grace periods by epochs: a reader notes the epoch when it enters, and 0 when it leaves.
struct Epochs {
    now: AtomicU64,
    reader: [AtomicU64; READERS],
}

impl Clock for Epochs {
    fn start(&self) -> u64 {
        self.now.fetch_add(1, SeqCst) + 1
    }

    fn elapsed(&self, cookie: u64) -> bool {
        fence(SeqCst);
        self.reader.iter().all(|reader| {
            let epoch = reader.load(SeqCst);
            epoch == 0 || epoch >= cookie
        })
    }
}

impl Epochs {
    fn enter(&self, reader: usize) {
        self.reader[reader].store(self.now.load(SeqCst), SeqCst);
        fence(SeqCst);
    }

    fn leave(&self, reader: usize) {
        self.reader[reader].store(0, SeqCst);
    }
}

struct Update {
    prefix: Prefix<V4>,
    value: u32,
    /// Whether readers get a chance to run in the middle of what follows.
    pause: bool,
}

/// Prefixes of all lengths around a few addresses, so that all kinds of change meet.
fn updates(count: usize) -> Vec<Update> {
    let mut numbers = Numbers(11);
    let addrs = [
        0x0a00_0000u32,
        0x0a00_0001,
        0x0a00_01ff,
        0x0aff_0000,
        0xc0a8_0101,
    ];
    (0..count)
        .map(|n| {
            let len = match numbers.below(8) {
                0 => 0,
                1 => 8,
                2 => 16,
                3 => 24,
                4 => 32,
                _ => numbers.below(33) as u8,
            };
            let noise = if numbers.below(3) == 0 {
                numbers.next() as u32 & 0x7
            } else {
                0
            };
            let addr = addrs[numbers.below(5) as usize] ^ noise;
            Update {
                prefix: v4(addr, len),
                // No value is used twice, so that each answer tells its time.
                value: if numbers.below(5) < 2 {
                    0
                } else {
                    n as u32 + 1
                },
                pause: numbers.below(500) == 0,
            }
        })
        .collect()
}

#[test]
fn answers_of_before_or_after() {
    const UPDATES: usize = 400_000;
    let updates = updates(UPDATES);
    let probes = [
        0x0a00_0000u32,
        0x0a00_0001,
        0x0a00_0002,
        0x0a00_0100,
        0x0a00_01ff,
        0x0a00_01fe,
        0x0a00_8000,
        0x0aff_0000,
        0x0aff_0001,
        0x0b00_0000,
        0xc0a8_0101,
        0xc0a8_0100,
        0xc0a8_ffff,
        0xffff_ffff,
    ];

    // The right answers after each number of updates.
    let mut oracle = Pair::<V4>::new();
    let mut answers = vec![[0u32; 14]];
    let mut present = Vec::new();
    for update in &updates {
        let mut now = *answers.last().expect("one at least");
        if update.value == 0 {
            oracle.oracle.remove(&update.prefix);
        } else {
            oracle.oracle.insert(update.prefix, update.value);
        }
        for (answer, &probe) in now.iter_mut().zip(&probes) {
            if v4(probe, update.prefix.len()) == update.prefix {
                *answer = oracle.expect(probe);
            }
        }
        answers.push(now);
        present.push(oracle.oracle.len());
    }

    let epochs = Arc::new(Epochs {
        now: AtomicU64::new(1),
        reader: [const { AtomicU64::new(0) }; READERS],
    });
    let (table, mut writer) = Table::<V4>::new(Flags).expect("an empty table");
    // Over and over through both shapes.
    let middle = present[UPDATES / 2];
    writer.set_wide(middle + 5, middle - 5);
    let (begun, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let over = AtomicBool::new(false);
    let (mut shapes, mut wide) = (0, false);

    let lookups = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let (epochs, table, answers, begun, done, over) =
                    (&epochs, &table, &answers, &begun, &done, &over);
                scope.spawn(move || {
                    let mut numbers = Numbers(reader as u64);
                    let mut lookups = 0u64;
                    let mut beside = 0u64;
                    while !over.load(SeqCst) {
                        let probe = numbers.below(14) as usize;
                        epochs.enter(reader);
                        let low = done.load(SeqCst);
                        let answer = table.lookup(probes[probe]);
                        fence(SeqCst);
                        let high = begun.load(SeqCst);
                        epochs.leave(reader);
                        let right = answers[low..=high].iter().any(|all| all[probe] == answer);
                        assert!(
                            right,
                            "{:#x} gave {answer} between updates {low} and {high}",
                            probes[probe]
                        );
                        lookups += 1;
                        beside += u64::from(low != high);
                    }
                    (lookups, beside)
                })
            })
            .collect();

        host::set_clock(Some(epochs.clone()));
        for (n, update) in updates.iter().enumerate() {
            begun.store(n + 1, SeqCst);
            writer
                .insert(&table, update.prefix, update.value, Flags)
                .expect("memory");
            done.store(n + 1, SeqCst);
            let is_wide = table.memory() >= 256 << 10;
            shapes += usize::from(is_wide != wide);
            wide = is_wide;
            if update.pause {
                std::thread::yield_now();
            }
        }
        over.store(true, SeqCst);
        host::set_clock(None);
        readers
            .into_iter()
            .map(|reader| reader.join().expect("right answers"))
            .fold((0, 0), |sum, (a, b)| (sum.0 + a, sum.1 + b))
    });
    println!("{lookups:?} lookups (all, beside an update), {shapes} changes of shape");
    for &probe in &probes {
        assert_eq!(table.lookup(probe), oracle.expect(probe));
    }
    assert!(shapes > 10, "{shapes}");
    assert!(lookups.1 > 1000, "{lookups:?}");
    // Retired chunks were used again.
    assert!(writer.memory() < 4 << 20, "{}", writer.memory());
}
