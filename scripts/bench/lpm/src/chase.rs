// SPDX-License-Identifier: GPL-2.0

//! A chase of pointers: what it costs to read lines that are known one after the other only.

use crate::{clock, common::Numbers};
use std::hint::black_box;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line {
    next: *const Line,
    rest: [u64; 7],
}

/// Lines in a ring, in random order.
pub struct Chase {
    lines: Vec<Line>,
}

impl Chase {
    pub fn new(bytes: usize) -> Self {
        let count = (bytes / 64).max(2);
        let mut lines = vec![
            Line {
                next: std::ptr::null(),
                rest: [0; 7],
            };
            count
        ];
        let mut order: Vec<usize> = (0..count).collect();
        let mut numbers = Numbers(5);
        for i in (1..count).rev() {
            order.swap(i, numbers.below(i as u64 + 1) as usize);
        }
        for (i, &from) in order.iter().enumerate() {
            let to: *const Line = &lines[order[(i + 1) % count]];
            lines[from].next = to;
        }
        Chase { lines }
    }

    fn walk(&self, steps: usize) -> *const Line {
        let mut at: *const Line = &self.lines[0];
        for _ in 0..steps {
            // SAFETY: Each line's pointer leads to a line of the ring, which `self` owns.
            at = unsafe { (*at).next };
        }
        at
    }

    /// Nanoseconds on the CPU for a line.
    pub fn time(&self, steps: usize) -> f64 {
        // The caches are somebody else's: once around before the clock runs.
        black_box(self.walk(self.lines.len()));
        let steps = steps.max(2 * self.lines.len());
        let begin = clock::cpu();
        black_box(self.walk(steps));
        (clock::cpu() - begin) as f64 / steps as f64
    }
}
