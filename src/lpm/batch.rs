// SPDX-License-Identifier: GPL-2.0

//! Lookups of many addresses, interleaved: what one of them waits for in memory is asked for while
//! the others go on.
//!
//! For the host only: a netfilter hook sees one packet at a time.

use super::{
    chunks::{self, CHILD, WIDE},
    family::Family,
    ranges::RANGES,
    table::Table,
    Value,
};
use crate::sys::shared;

/// Addresses at a time.
const LANES: usize = 32;

/// An address on its way: what it has found so far, and the bits that are left.
#[derive(Clone, Copy)]
struct Lane<F: Family> {
    entry: u32,
    rest: F::Addr,
    /// Its place among the addresses.
    index: u8,
}

impl<F: Family> Table<F> {
    /// [`Table::lookup`] for each of `addrs`, into the same places of `out`; stops where the
    /// shorter of the two ends.
    pub fn lookup_batch(&self, addrs: &[F::Addr], out: &mut [Value]) {
        for (addrs, out) in addrs.chunks(LANES).zip(out.chunks_mut(LANES)) {
            self.some(addrs, out);
        }
    }

    /// Up to [`LANES`] addresses.
    fn some(&self, addrs: &[F::Addr], out: &mut [Value]) {
        let before = self.default.load();
        shared::read_barrier();
        let root = self.root.follow();
        if root & RANGES != 0 {
            for (&addr, out) in addrs.iter().zip(out) {
                *out = self.lookup(addr);
            }
            return;
        }

        let blank = Lane::<F> {
            entry: root as u32,
            rest: F::Addr::default(),
            index: 0,
        };
        let mut lanes = [blank; LANES];
        let mut open = 0usize;
        let wide = root & WIDE != 0;
        if wide {
            for &addr in addrs {
                if let Some(slot) = chunks::slot(&self.blocks, root as u32, F::head16(addr)) {
                    slot.prefetch();
                }
            }
        }
        // Whoever has an answer leaves; the others move up.
        for (index, (&addr, out)) in addrs.iter().zip(out.iter_mut()).enumerate() {
            let (entry, rest) = if wide {
                let slot = chunks::slot(&self.blocks, root as u32, F::head16(addr));
                (slot.map_or(0, |slot| slot.follow()), F::tail16(addr))
            } else {
                (root as u32, addr)
            };
            *out = entry;
            if let Some(lane) = lanes.get_mut(open) {
                *lane = Lane {
                    entry,
                    rest,
                    index: index as u8,
                };
            }
            if entry & CHILD != 0 {
                chunks::prefetch(&self.blocks, entry);
                open = open.wrapping_add(1);
            }
        }
        for _ in 0..F::BITS / 8 {
            if open == 0 {
                break;
            }
            open = self.step(&mut lanes, open, out);
        }

        for (&addr, out) in addrs.iter().zip(out) {
            if *out == 0 {
                *out = self.default(addr, before);
            }
        }
    }

    /// Takes the first `open` lanes one chunk down, and returns how many go on.
    #[inline(always)]
    fn step(&self, lanes: &mut [Lane<F>; LANES], open: usize, out: &mut [Value]) -> usize {
        let mut found = [const { None }; LANES];
        for (lane, found) in lanes.iter().zip(&mut found).take(open) {
            *found = chunks::find(&self.blocks, lane.entry, F::head(lane.rest));
            if let Some(found) = found {
                found.prefetch();
            }
        }
        let mut left = 0usize;
        for n in 0..open {
            let (Some(&lane), Some(found)) = (lanes.get(n), found.get(n)) else {
                break;
            };
            let entry = found.map_or(0, |found| {
                let entry = found.read();
                if entry & CHILD == 0 {
                    found.value(entry)
                } else {
                    entry
                }
            });
            if let Some(out) = out.get_mut(usize::from(lane.index)) {
                *out = entry;
            }
            if let Some(next) = lanes.get_mut(left) {
                *next = Lane {
                    entry,
                    rest: F::tail(lane.rest),
                    ..lane
                };
            }
            if entry & CHILD != 0 {
                chunks::prefetch(&self.blocks, entry);
                left = left.wrapping_add(1);
            }
        }
        left
    }
}
