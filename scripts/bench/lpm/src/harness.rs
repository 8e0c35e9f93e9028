// SPDX-License-Identifier: GPL-2.0

//! The loops that measure, the same for all peers, and the statistics.

use crate::{
    clock,
    tables::{Fam, Keys},
};
use std::hint::black_box;

/// Keys of a batch.
pub const BATCH: usize = 32;

/// A structure with routes in it.
pub trait Lookup<F: Fam> {
    /// A key in the form that this structure takes.
    type Key: Copy;

    fn keys(keys: &Keys<F>) -> &[Self::Key];

    /// The value for a key, 0 if there is none.
    fn one(&self, key: &Self::Key) -> u32;

    /// All values of a batch, combined by exclusive or. Who has no batches does one after the
    /// other, and the CPU overlaps them.
    #[inline(always)]
    fn batch(&self, keys: &[Self::Key; BATCH]) -> u32 {
        keys.iter().fold(0, |sum, key| sum ^ self.one(key))
    }

    /// Before a measurement.
    fn select(&self) {}
}

/// What a loop does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mode {
    /// The last answer decides which key is next: one of eight that lie side by side.
    pub dependent: bool,
    pub batch: bool,
}

impl Mode {
    pub const ALL: [Mode; 4] = [
        Mode {
            batch: false,
            dependent: false,
        },
        Mode {
            batch: false,
            dependent: true,
        },
        Mode {
            batch: true,
            dependent: false,
        },
        Mode {
            batch: true,
            dependent: true,
        },
    ];

    pub fn name(self) -> &'static str {
        match (self.batch, self.dependent) {
            (false, false) => "single, independent",
            (false, true) => "single, dependent",
            (true, false) => "batch, independent",
            (true, true) => "batch, dependent",
        }
    }
}

/// [`Lookup`] without its type: one call for a whole loop.
pub trait Run<F: Fam> {
    /// Looks up `count` keys from `from` on.
    fn run(&self, keys: &Keys<F>, mode: Mode, from: usize, count: usize) -> u32;

    /// The value for key `i`.
    fn answer(&self, keys: &Keys<F>, i: usize) -> u32;
}

impl<F: Fam, L: Lookup<F>> Run<F> for L {
    fn run(&self, keys: &Keys<F>, mode: Mode, from: usize, count: usize) -> u32 {
        self.select();
        let all = L::keys(keys);
        let keys = &all[from..];
        let mut last = 0u32;
        match (mode.batch, mode.dependent) {
            (false, false) => {
                for key in &keys[..count] {
                    last ^= self.one(key);
                }
            }
            (false, true) => {
                assert!(keys.len() >= count + 8);
                for i in 0..count {
                    last = self.one(&keys[i + (last & 7) as usize]);
                }
            }
            (true, dependent) => {
                let mask = if dependent { 7 } else { 0 };
                let mut i = 0;
                while i < count {
                    let at = i + (last & mask) as usize;
                    let keys = keys[at..at + BATCH].try_into().expect("a batch");
                    let sum = self.batch(keys);
                    // Without dependence the next batch must not wait for this.
                    last = if dependent { sum } else { last ^ sum };
                    i += BATCH;
                }
            }
        }
        last
    }

    fn answer(&self, keys: &Keys<F>, i: usize) -> u32 {
        self.select();
        self.one(&L::keys(keys)[i])
    }
}

/// All keys once: before, the caches were another peer's.
pub fn warm<F: Fam>(peer: &dyn Run<F>, keys: &Keys<F>) {
    black_box(peer.run(keys, Mode::ALL[0], 0, keys.count));
}

/// Nanoseconds on the CPU for one lookup.
pub fn time<F: Fam>(peer: &dyn Run<F>, keys: &Keys<F>, mode: Mode) -> f64 {
    // What the CPU learns about this loop.
    black_box(peer.run(
        keys,
        mode,
        0,
        (keys.count / 16).min(1 << 14) / BATCH * BATCH,
    ));
    let begin = clock::cpu();
    black_box(peer.run(keys, mode, 0, keys.count));
    (clock::cpu() - begin) as f64 / keys.count as f64
}

/// Costs what the loops cost without a lookup.
pub struct Nothing;

impl<F: Fam> Lookup<F> for Nothing {
    type Key = F::Addr;

    fn keys(keys: &Keys<F>) -> &[F::Addr] {
        &keys.host
    }

    #[inline(always)]
    fn one(&self, key: &F::Addr) -> u32 {
        F::byte(*key, F::BITS as usize / 8 - 1)
    }
}

/// Median and quartiles.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

pub fn summary(values: &[f64]) -> Summary {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let x = share * (sorted.len() - 1) as f64;
        let (low, high) = (sorted[x.floor() as usize], sorted[x.ceil() as usize]);
        low + (high - low) * x.fract()
    };
    Summary {
        low: at(0.25),
        median: at(0.5),
        high: at(0.75),
    }
}
