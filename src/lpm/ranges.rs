// SPDX-License-Identifier: GPL-2.0

//! Sorted ranges: the algorithm for a handful of prefixes.
//!
//! What lookups read is one extent, made anew by each change: the first addresses of ranges with
//! one answer each, in order, then these answers. A lookup counts the addresses that are not
//! beyond its own, without a branch that depends on them: first those that start a line, then the
//! others of one line.
//!
//! With up to [`SCANNED`] prefixes the extent has these themselves, the longest first, and a lookup
//! goes through them until one holds its address: so few branches are predicted well, and then
//! nothing waits for their outcome.
//!
//! The prefixes are in a list of the writer's.

use super::{
    algorithm::{Engine, Shape},
    arena::{self, REF_MASK},
    family::{Family, Prefix},
    store::{Place, Update},
    Error, Value,
};
use crate::sys::shared::{Blocks, Line};
use core::marker::PhantomData;

/// In the root word: the low half is the extent, and the number of ranges is above.
pub(super) const RANGES: u64 = 1 << 33;

/// In the root word, beside [`RANGES`]: the extent has prefixes to be scanned.
const SCAN: u64 = 1 << 34;

const COUNT_SHIFT: u32 = 40;

/// The most prefixes that are scanned.
const SCANNED: u32 = 8;

/// The most ranges: their extent must not exceed [`arena::MAX_LINES`].
const MAX_RANGES: u32 = 96;

/// Prefixes that always fit: each starts a range and ends one.
pub(super) const MAX_PREFIXES: usize = (MAX_RANGES as usize - 1) / 2;

/// Words of a prefix in the list: the address, then length and value.
const WORDS: u32 = 3;

/// Values in a line.
const VALUES: u32 = 16;

/// Lines before the values.
fn lines_of_keys<F: Family>(scan: bool, n: u32) -> u32 {
    n.div_ceil(if scan {
        F::MASKED_PER_LINE
    } else {
        F::PER_LINE
    })
}

/// Lines for `n` prefixes to be scanned, or ranges.
fn lines_for<F: Family>(scan: bool, n: u32) -> u32 {
    lines_of_keys::<F>(scan, n).wrapping_add(n.div_ceil(VALUES))
}

/// The value for `addr` in what `root` leads to, 0 if none.
#[inline(never)]
pub(super) fn lookup<F: Family>(blocks: &Blocks, root: u64, addr: F::Addr) -> u32 {
    let n = (root >> COUNT_SHIFT) as u32;
    let Some(lines) = arena::lines(blocks, root as u32 & REF_MASK) else {
        return 0;
    };
    if root & SCAN != 0 {
        scan::<F>(lines, lines_of_keys::<F>(true, n) as usize, addr)
    } else {
        search::<F>(lines, n, addr)
    }
}

/// Ends at the latest with a cell that is not in use: these hold every address, and lead nowhere.
#[inline(always)]
fn scan<F: Family>(lines: &[Line], values: usize, addr: F::Addr) -> u32 {
    let mut first = 0u32;
    for line in lines.get(..values).unwrap_or(&[]) {
        for i in 0..F::MASKED_PER_LINE {
            if F::holds(line, i, addr) {
                let n = first.wrapping_add(i);
                return lines.get(values).map_or(0, |line| value(line, n));
            }
        }
        first = first.wrapping_add(F::MASKED_PER_LINE);
    }
    0
}

#[inline(always)]
fn search<F: Family>(lines: &[Line], ranges: u32, addr: F::Addr) -> u32 {
    let starts = lines_of_keys::<F>(false, ranges);
    let mut line = 0u32;
    for other in lines.get(1..starts as usize).unwrap_or(&[]) {
        line = line.wrapping_add(u32::from(F::in_line(other, 0) <= addr));
    }
    let Some(cells) = lines.get(line as usize) else {
        return 0;
    };
    // The first range starts at the first address, so the first of a line need not be looked at.
    let mut n = line.wrapping_mul(F::PER_LINE);
    for i in 1..F::PER_LINE {
        n = n.wrapping_add(u32::from(F::in_line(cells, i) <= addr));
    }
    // The cells behind the last range hold the last address there is.
    let n = n.min(ranges.wrapping_sub(1));
    let at = starts.wrapping_add(n / VALUES) as usize;
    lines.get(at).map_or(0, |line| value(line, n))
}

#[inline(always)]
fn value(line: &Line, n: u32) -> u32 {
    let word = line.word(n as usize >> 1).load();
    word.wrapping_shr((n & 1) << 5) as u32
}

/// The writer's side.
pub(super) struct Ranges<F: Family> {
    /// The extent of the list.
    list: u32,
    len: u32,
    extent: u32,
    /// Ranges in the extent, or prefixes if these are scanned.
    cells: u32,
    family: PhantomData<F>,
}

/// The list as it will be after a change.
#[derive(Clone, Copy)]
struct List<'a, F: Family> {
    own: &'a Blocks,
    list: u32,
    len: u32,
    change: Change<F>,
}

#[derive(Clone, Copy)]
enum Change<F: Family> {
    None,
    Insert(u32, Prefix<F>, Value),
    Replace(u32, Value),
    Remove(u32),
}

impl<'a, F: Family> List<'a, F> {
    fn len(&self) -> u32 {
        match self.change {
            Change::Insert(..) => self.len.wrapping_add(1),
            Change::Remove(_) => self.len.wrapping_sub(1),
            _ => self.len,
        }
    }

    fn old(&self, i: u32) -> Option<(Prefix<F>, Value)> {
        let at = i.wrapping_mul(WORDS) as usize;
        let get = |n: usize| arena::get(self.own, self.list, at.wrapping_add(n));
        let addr = (u128::from(get(0)) << 64) | u128::from(get(1));
        let rest = get(2);
        let p = Prefix::new(F::from_u128(addr), (rest >> 32) as u8)?;
        Some((p, rest as u32))
    }

    fn get(&self, i: u32) -> Option<(Prefix<F>, Value)> {
        if i >= self.len() {
            return None;
        }
        match self.change {
            Change::Insert(at, p, v) if i == at => Some((p, v)),
            Change::Insert(at, ..) if i > at => self.old(i.wrapping_sub(1)),
            Change::Replace(at, v) if i == at => self.old(i).map(|(p, _)| (p, v)),
            Change::Remove(at) if i >= at => self.old(i.wrapping_add(1)),
            _ => self.old(i),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (Prefix<F>, Value)> + use<'a, F> {
        let list = *self;
        (0..list.len()).map_while(move |i| list.get(i))
    }

    /// Where `p` is, or would be.
    fn find(&self, p: Prefix<F>) -> (Option<Value>, u32) {
        let before = self.iter().take_while(|&(q, _)| q < p).count() as u32;
        let found = self.get(before).filter(|&(q, _)| q == p);
        (found.map(|(_, v)| v), before)
    }

    /// Calls `f(start, value)` for each range with one answer.
    fn ranges(&self, mut f: impl FnMut(F::Addr, Value)) {
        let mut start = F::Addr::default();
        let mut last = None;
        loop {
            // Of the prefixes that hold `start` the last one is the longest, in this order.
            let mut best = 0;
            let mut next: Option<F::Addr> = None;
            let mut sooner = |addr: F::Addr| {
                if addr > start && next.is_none_or(|next| addr < next) {
                    next = Some(addr);
                }
            };
            for (p, v) in self.iter() {
                let end = F::host_ones(p.addr(), p.len());
                if p.addr() <= start && start <= end {
                    best = v;
                }
                sooner(p.addr());
                if let Some(beyond) = F::successor(end) {
                    sooner(beyond);
                }
            }
            if last != Some(best) {
                f(start, best);
                last = Some(best);
            }
            match next {
                Some(addr) => start = addr,
                None => return,
            }
        }
    }

    /// Writes the list to `to`, which may be where it is.
    fn write(&self, own: &Blocks, to: u32) {
        let put = |i: u32| {
            if let Some((p, v)) = self.get(i) {
                let at = i.wrapping_mul(WORDS) as usize;
                let addr = F::to_u128(p.addr());
                arena::put(own, to, at, (addr >> 64) as u64);
                arena::put(own, to, at.wrapping_add(1), addr as u64);
                let rest = (u64::from(p.len()) << 32) | u64::from(v);
                arena::put(own, to, at.wrapping_add(2), rest);
            }
        };
        // In place, entries move by one at most: go against it.
        if self.len() > self.len {
            (0..self.len()).rev().for_each(put);
        } else {
            (0..self.len()).for_each(put);
        }
    }
}

fn list_lines(len: u32) -> u32 {
    len.wrapping_mul(WORDS).div_ceil(8)
}

impl<F: Family> Ranges<F> {
    pub(super) const fn new() -> Self {
        Ranges {
            list: 0,
            len: 0,
            extent: 0,
            cells: 0,
            family: PhantomData,
        }
    }

    /// Builds it from up to `most` sorted prefixes that are collected in the extent `stage`.
    fn build_from(
        up: &mut Update<'_, F>,
        stage: u32,
        most: usize,
        mut sorted: impl FnMut(&Blocks) -> Option<(Prefix<F>, Value)>,
    ) -> Result<Self, Error> {
        let mut new = Ranges {
            list: stage,
            ..Self::new()
        };
        let mut last = None;
        while let Some((p, v)) = sorted(up.own()) {
            if last.is_some_and(|last| last >= p) {
                return Err(Error::Unsorted);
            }
            if new.len as usize >= most {
                return Err(Error::NoMemory);
            }
            last = Some(p);
            let list = new.list(up.own(), Change::Insert(new.len, p, v));
            list.write(up.own(), stage);
            new.len = new.len.wrapping_add(1);
        }
        if new.len == 0 {
            return Ok(Self::new());
        }
        new.cells = new.list(up.own(), Change::None).cells();
        let to = up.take(Place::Own, list_lines(new.len))?;
        new.extent = up.take(Place::Shared, new.lines())?;
        let list = new.list(up.own(), Change::None);
        list.publish(up.shared(), new.extent, new.cells);
        list.write(up.own(), to);
        new.list = to;
        Ok(new)
    }

    fn list<'a>(&self, own: &'a Blocks, change: Change<F>) -> List<'a, F> {
        List {
            own,
            list: self.list,
            len: self.len,
            change,
        }
    }

    fn apply(&mut self, up: &mut Update<'_, F>, change: Change<F>) -> Result<(), Error> {
        up.reserve(1)?;
        let list = self.list(up.own(), change);
        let (len, cells) = (list.len(), list.cells());
        if cells > MAX_RANGES {
            return Err(Error::NoMemory);
        }
        let mut to = self.list;
        if list_lines(len) != list_lines(self.len) && len > 0 {
            to = up.take(Place::Own, list_lines(len))?;
        }
        let extent = match len {
            0 => 0,
            _ => up.take(Place::Shared, lines_for::<F>(is_scanned(len), cells))?,
        };

        let list = self.list(up.own(), change);
        if len > 0 {
            list.publish(up.shared(), extent, cells);
            list.write(up.own(), to);
        }
        let (old, old_lines) = (self.extent, self.lines());
        if (to != self.list || len == 0) && self.list != 0 {
            up.free(Place::Own, self.list, list_lines(self.len));
        }
        *self = Ranges {
            list: if len == 0 { 0 } else { to },
            len,
            extent,
            cells,
            family: PhantomData,
        };
        up.table.root.publish(self.root());
        up.retire(old, old_lines);
        Ok(())
    }

    /// Lines of the extent.
    fn lines(&self) -> u32 {
        lines_for::<F>(is_scanned(self.len), self.cells)
    }
}

fn is_scanned(prefixes: u32) -> bool {
    prefixes <= SCANNED
}

impl<F: Family> List<'_, F> {
    /// Ranges, or prefixes if these are scanned.
    fn cells(&self) -> u32 {
        if is_scanned(self.len()) {
            return self.len();
        }
        let mut ranges = 0u32;
        self.ranges(|_, _| ranges = ranges.wrapping_add(1));
        ranges
    }

    /// Writes what lookups read to the extent `r`, before it is published.
    fn publish(&self, shared: &Blocks, r: u32, cells: u32) {
        let Some(lines) = arena::lines(shared, r) else {
            return;
        };
        let scan = is_scanned(self.len());
        let keys = lines_of_keys::<F>(scan, cells);
        let put_value = |n: u32, v: Value| {
            if let Some(line) = lines.get(keys.wrapping_add(n / VALUES) as usize) {
                let word = line.word((n % VALUES) as usize >> 1);
                word.store(arena::with_half(word.load(), n, v));
            }
        };
        let mut n = 0u32;
        if scan {
            let put_prefix = |n: u32, addr: F::Addr, len: u8| {
                if let Some(line) = lines.get((n / F::MASKED_PER_LINE) as usize) {
                    let last = F::host_ones(addr, len);
                    F::set_masked(line, n % F::MASKED_PER_LINE, addr, last);
                }
            };
            for len in (1..F::BITS.wrapping_add(1)).rev() {
                for (p, v) in self.iter().filter(|(p, _)| p.len() == len) {
                    put_prefix(n, p.addr(), len);
                    put_value(n, v);
                    n = n.wrapping_add(1);
                }
            }
            while n < keys.wrapping_mul(F::MASKED_PER_LINE) {
                put_prefix(n, F::Addr::default(), 0);
                put_value(n, 0);
                n = n.wrapping_add(1);
            }
            return;
        }
        let put_start = |n: u32, addr: F::Addr| {
            if let Some(line) = lines.get((n / F::PER_LINE) as usize) {
                F::set_in_line(line, n % F::PER_LINE, addr);
            }
        };
        self.ranges(|start, v| {
            put_start(n, start);
            put_value(n, v);
            n = n.wrapping_add(1);
        });
        while n < keys.wrapping_mul(F::PER_LINE) {
            put_start(n, F::from_u128(u128::MAX));
            n = n.wrapping_add(1);
        }
    }
}

impl<F: Family> Engine<F> for Ranges<F> {
    fn len(&self) -> usize {
        self.len as usize
    }

    fn get(&self, own: &Blocks, p: Prefix<F>) -> Value {
        self.list(own, Change::None).find(p).0.unwrap_or(0)
    }

    fn next(&self, own: &Blocks, after: Option<Prefix<F>>) -> Option<(Prefix<F>, Value)> {
        let list = self.list(own, Change::None);
        list.iter()
            .find(|&(p, _)| after.is_none_or(|after| p > after))
    }

    fn insert(&mut self, up: &mut Update<'_, F>, p: Prefix<F>, v: Value) -> Result<Value, Error> {
        let (old, at) = self.list(up.own(), Change::None).find(p);
        let change = match old {
            Some(old) if old == v => return Ok(old),
            Some(_) => Change::Replace(at, v),
            None => Change::Insert(at, p, v),
        };
        self.apply(up, change)?;
        Ok(old.unwrap_or(0))
    }

    fn remove(&mut self, up: &mut Update<'_, F>, p: Prefix<F>) -> Result<Value, Error> {
        let (old, at) = self.list(up.own(), Change::None).find(p);
        let Some(old) = old else {
            return Ok(0);
        };
        self.apply(up, Change::Remove(at))?;
        Ok(old)
    }

    fn build(
        up: &mut Update<'_, F>,
        len: usize,
        sorted: impl FnMut(&Blocks) -> Option<(Prefix<F>, Value)>,
        _shape: Shape,
    ) -> Result<Self, Error> {
        let most = len.min(MAX_PREFIXES);
        let lines = list_lines(most.max(1) as u32);
        let stage = up.alloc(Place::Own, lines)?;
        let result = Self::build_from(up, stage, most, sorted);
        up.free(Place::Own, stage, lines);
        result
    }

    fn root(&self) -> u64 {
        if self.cells == 0 {
            return 0;
        }
        let scan = if is_scanned(self.len) { SCAN } else { 0 };
        RANGES | scan | u64::from(self.extent) | (u64::from(self.cells) << COUNT_SHIFT)
    }

    fn prepare_retire(&self, up: &mut Update<'_, F>) -> Result<(), Error> {
        up.reserve(1)
    }

    fn retire(self, up: &mut Update<'_, F>) {
        up.retire(self.extent, self.lines());
        if self.list != 0 {
            up.free(Place::Own, self.list, list_lines(self.len));
        }
    }

    fn extra(&self) -> usize {
        0
    }
}
