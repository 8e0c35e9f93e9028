// SPDX-License-Identifier: GPL-2.0

//! DXR for IPv4, written from the paper (Zec, Rizzo, Mikuc: DXR: Towards a Billion Routing Lookups
//! per Second in Software, 2012): a table for the first `D` bits, and sorted ranges for the rest.
//! It is built at once and not changed.

use crate::{
    harness::Lookup,
    tables::{Keys, Routes},
};
use altfib_unit::lpm::V4;

/// In the table: the value itself is in the other bits.
const HIT: u32 = 1 << 31;
/// The ranges are short: 16 bits each, with starts that are multiples of 256.
const SHORT: u32 = 1 << 30;
/// The number of ranges, less one; the largest says that the number is in the first word.
const COUNT_SHIFT: u32 = 22;
const COUNT_MAX: u32 = 255;
/// The first word of the ranges.
const BASE_MASK: u32 = (1 << COUNT_SHIFT) - 1;

pub struct Dxr<const D: u32> {
    direct: Vec<u32>,
    ranges: Vec<u32>,
}

/// The same as ranges: where each starts, and its value.
fn ranges(routes: &Routes<V4>) -> Vec<(u32, u32)> {
    let mut sorted = routes.clone();
    sorted.sort_unstable();
    let mut out: Vec<(u32, u32)> = Vec::with_capacity(sorted.len() * 2);
    let mut put = |start: u32, value: u32| {
        if out.last().is_some_and(|&(at, _)| at == start) {
            out.pop();
        }
        if out.last().map(|&(_, v)| v) != Some(value) {
            out.push((start, value));
        }
    };
    put(0, 0);
    // Prefixes that hold the place where the sweep is: last address and value.
    let mut open: Vec<(u32, u32)> = Vec::new();
    let close = |open: &mut Vec<(u32, u32)>, upto: Option<u32>, put: &mut dyn FnMut(u32, u32)| {
        while let Some(&(last, _)) = open.last() {
            if upto.is_some_and(|next| last >= next) {
                break;
            }
            open.pop();
            if last != u32::MAX {
                put(last + 1, open.last().map_or(0, |&(_, v)| v));
            }
        }
    };
    for (p, v) in sorted {
        close(&mut open, Some(p.addr()), &mut put);
        put(p.addr(), v);
        open.push((
            p.addr() | u32::MAX.checked_shr(p.len().into()).unwrap_or(0),
            v,
        ));
    }
    close(&mut open, None, &mut put);
    out
}

impl<const D: u32> Dxr<D> {
    /// Bits of the ranges.
    const REST: u32 = 32 - D;

    /// `None` if a value or the table is too large for the format.
    pub fn build(routes: &Routes<V4>) -> Option<Self> {
        let all = ranges(routes);
        let mut dxr = Dxr {
            direct: Vec::with_capacity(1 << D),
            ranges: Vec::new(),
        };
        let mut at = 0;
        for slot in 0..1u32 << D {
            let first = slot << Self::REST;
            let last = first | ((1 << Self::REST) - 1);
            while all.get(at + 1).is_some_and(|&(start, _)| start <= first) {
                at += 1;
            }
            let end = at + all[at..].partition_point(|&(start, _)| start <= last);
            let chunk = &all[at..end];
            if chunk.len() == 1 {
                dxr.direct.push(HIT | chunk[0].1);
                continue;
            }
            let inner: Vec<(u32, u32)> = chunk
                .iter()
                .map(|&(start, v)| (start.max(first) & ((1 << Self::REST) - 1), v))
                .collect();
            if inner.iter().any(|&(_, v)| v >> D != 0)
                || dxr.ranges.len() as u32 > BASE_MASK - (1 << 16)
            {
                return None;
            }
            let short = inner
                .iter()
                .all(|&(start, v)| start & 255 == 0 && v >> (D - 8) == 0);
            let base = dxr.ranges.len() as u32;
            let count = (inner.len() as u32 - 1).min(COUNT_MAX);
            if count == COUNT_MAX {
                dxr.ranges.push(inner.len() as u32 - 1);
            }
            if short {
                dxr.ranges.extend(inner.chunks(2).map(|pair| {
                    let half = |&(start, v): &(u32, u32)| (start >> 8) << (D - 8) | v;
                    // What fills the last word starts after all.
                    half(&pair[0]) | pair.get(1).map_or(0xffff, half) << 16
                }));
            } else {
                dxr.ranges
                    .extend(inner.iter().map(|&(start, v)| start << D | v));
            }
            let format = if short { SHORT } else { 0 };
            dxr.direct.push(format | count << COUNT_SHIFT | base);
        }
        dxr.ranges.shrink_to_fit();
        Some(dxr)
    }

    pub fn bytes(&self) -> usize {
        (self.direct.len() + self.ranges.len()) * 4
    }
}

/// The last of `count + 1` ranges from `base` on that starts at `key` or before.
#[inline(always)]
fn search(count: usize, key: u32, start: impl Fn(usize) -> u32) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if start(middle) <= key {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

impl<const D: u32> Lookup<V4> for Dxr<D> {
    type Key = u32;

    fn keys(keys: &Keys<V4>) -> &[u32] {
        &keys.host
    }

    #[inline(always)]
    fn one(&self, key: &u32) -> u32 {
        let entry = self.direct[(key >> Self::REST) as usize];
        if entry & HIT != 0 {
            return entry & !HIT;
        }
        let mut base = (entry & BASE_MASK) as usize;
        let mut count = (entry >> COUNT_SHIFT) & COUNT_MAX;
        if count == COUNT_MAX {
            count = self.ranges[base];
            base += 1;
        }
        let ranges = &self.ranges[base..];
        let key = key & ((1 << Self::REST) - 1);
        if entry & SHORT != 0 {
            let half = |i: usize| (ranges[i >> 1] >> ((i & 1) << 4)) & 0xffff;
            let i = search(count as usize, key >> 8, |i| half(i) >> (D - 8));
            half(i) & ((1 << (D - 8)) - 1)
        } else {
            let i = search(count as usize, key, |i| ranges[i] >> D);
            ranges[i] & ((1 << D) - 1)
        }
    }
}
