// SPDX-License-Identifier: GPL-2.0

//! Chunks: what lookups read of a node.
//!
//! Seen as 32-bit halves of 64-bit words, low half first:
//!
//! | halves | content |
//! |---|---|
//! | 0..8 | bitmap: bit i is set if slot i starts a run; bit 0 always is |
//! | 8 | ranks: byte w is the number of runs that start before slot 64 w |
//! | 9 | cover: the value where an entry is 0 |
//! | 10.. | entries, one a run: 0, a value, or `CHILD` and the reference of a chunk |
//!
//! A slot with a child is a run of its own.

use super::super::arena::{self, LINE_MASK, REF_MASK};
use super::shadow::{self, View};
use crate::sys::shared::{self, Block, Blocks, Half, Line, BLOCK_LOG};

/// Marks an entry or a slot that leads to a chunk.
pub(in super::super) const CHILD: u32 = 1 << 31;

/// Where the array for the first 16 bits says how many lines a chunk has beyond the first, or 15 if
/// there are more.
const HINT_SHIFT: u32 = REF_MASK.count_ones();

/// The array's slot for the chunk `r` of `lines` lines.
pub(super) fn hinted(r: u32, lines: u32) -> u32 {
    CHILD | (lines.wrapping_sub(1).min(15) << HINT_SHIFT) | r
}

/// Halves before the first entry.
const HEAD: u32 = 10;

/// The entry for a slot of a chunk, found but not read.
#[derive(Clone, Copy)]
pub(in super::super) struct Found<'a> {
    half: Half<'a>,
    cover: u32,
}

impl Found<'_> {
    /// The entry as it is.
    #[inline(always)]
    pub(in super::super) fn read(&self) -> u32 {
        self.half.follow()
    }

    /// The value that an entry without [`CHILD`] stands for.
    #[inline(always)]
    pub(in super::super) fn value(&self, entry: u32) -> u32 {
        // The cover as it was when the ranks were read will do: as an entry that is 0 remains 0,
        // the cover governed this address all the time. Without a branch: which of the two it is
        // depends on memory that may be far away, and a wrong guess would cost all that was done
        // meanwhile.
        entry | (self.cover & u32::from(entry == 0).wrapping_neg())
    }

    /// Asks for the line of the entry.
    #[cfg(not(CONFIG_RUST))]
    #[inline(always)]
    pub(in super::super) fn prefetch(&self) {
        self.half.prefetch();
    }
}

/// The entry for slot `byte` of the chunk `entry`.
#[inline(always)]
pub(in super::super) fn find(blocks: &Blocks, entry: u32, byte: u32) -> Option<Found<'_>> {
    find_in(block_of(blocks, entry)?, entry, byte)
}

#[inline(always)]
fn block_of(blocks: &Blocks, entry: u32) -> Option<Block<'_>> {
    blocks.block((entry & REF_MASK) >> BLOCK_LOG)
}

#[inline(always)]
fn find_in(block: Block<'_>, entry: u32, byte: u32) -> Option<Found<'_>> {
    let at = entry & LINE_MASK;
    let w = byte >> 6;
    let bitmap = block.word(at, w)?.load();
    let ranks = block.word(at, 4)?.load();
    let upto = bitmap & (u64::MAX >> (!byte & 63));
    let rank = ranks.wrapping_shr(w << 3) as u32 & 0xff;
    // Run number `rank + ones - 1`, as bit 0 of the bitmap is set.
    let half = rank
        .wrapping_add(HEAD - 1)
        .wrapping_add(shared::count_ones(upto));
    Some(Found {
        half: block.half(at, half)?,
        cover: (ranks >> 32) as u32,
    })
}

/// As [`find`], for an entry of the array. Asks for the line where the run is likely to be at once,
/// as if runs were evenly spread, instead of waiting for the first line to say where it is.
#[inline(always)]
pub(in super::super) fn find_hinted(blocks: &Blocks, entry: u32, byte: u32) -> Option<Found<'_>> {
    let block = block_of(blocks, entry)?;
    // On average the last line is half full.
    let hint = (entry >> HINT_SHIFT) & 15;
    let half = HEAD.wrapping_add((hint << 4).wrapping_mul(byte) >> 8);
    block.half(entry & LINE_MASK, half)?.prefetch();
    find_in(block, entry, byte)
}

/// Asks for the first line of the chunk `entry`.
#[cfg(not(CONFIG_RUST))]
#[inline(always)]
pub(in super::super) fn prefetch(blocks: &Blocks, entry: u32) {
    let block = block_of(blocks, entry);
    if let Some(word) = block.and_then(|block| block.word(entry & LINE_MASK, 0)) {
        shared::prefetch(word);
    }
}

/// The content of a chunk but for its cover, as the writer computes it: slots that change, between
/// entries taken over from the chunk as it is.
pub(super) struct Image {
    bitmap: [u64; 4],
    /// The chunk that entries are taken over from.
    base: u32,
    /// How many of its first entries are.
    head: u32,
    fresh: [u32; 256],
    len: u32,
    /// The entries taken over after those of `fresh`: from this one on, up to `end`.
    tail: u32,
    end: u32,
    /// The entry before the next one, if there is one.
    last: Option<u32>,
}

/// Lines of a chunk with this many runs.
fn lines_for(runs: u32) -> u32 {
    HEAD.wrapping_add(runs).wrapping_add(15) >> 4
}

/// Calls `f(w, bits)` for each word of a bitmap with those of its bits that are in `low..high`.
fn for_bits(low: u32, high: u32, mut f: impl FnMut(usize, u64)) {
    let upto = |n: u32| {
        if n > 63 {
            u64::MAX
        } else {
            1u64.wrapping_shl(n).wrapping_sub(1)
        }
    };
    for w in 0..4u32 {
        let (from, to) = (low.saturating_sub(w << 6), high.saturating_sub(w << 6));
        f(w as usize, upto(to) & !upto(from));
    }
}

/// Runs that start before slot `slot`.
fn rank(lines: &[Line], slot: u32) -> u32 {
    let mut n = 0u32;
    for_bits(0, slot, |w, bits| {
        n = n.wrapping_add(shared::count_ones(get(lines, w) & bits));
    });
    n
}

/// Entry number `i`.
fn entry(lines: &[Line], i: u32) -> u32 {
    let half = HEAD.wrapping_add(i);
    get(lines, half as usize >> 1).wrapping_shr((half & 1) << 5) as u32
}

impl Image {
    pub(super) fn new() -> Self {
        Image {
            bitmap: [0; 4],
            base: 0,
            head: 0,
            fresh: [0; 256],
            len: 0,
            tail: 0,
            end: 0,
            last: None,
        }
    }

    /// Makes this the image of `view`.
    pub(super) fn set(&mut self, view: &View<'_>) {
        self.bitmap = [0; 4];
        self.base = 0;
        (self.head, self.len, self.tail, self.end) = (0, 0, 0, 0);
        self.last = None;
        self.walk(view, 0, 256);
    }

    /// Makes this the image of `view`, which differs from the chunk `base` in slots `low..high`
    /// only: those of one prefix.
    #[inline(never)]
    pub(super) fn splice(
        &mut self,
        blocks: &Blocks,
        base: u32,
        view: &View<'_>,
        low: u32,
        high: u32,
    ) {
        let Some(lines) = arena::lines(blocks, base) else {
            return self.set(view);
        };
        // Slot `high` keeps its value, but may start a run now, or no more.
        for_bits(low, high.wrapping_add(1), |w, bits| {
            if let Some(word) = self.bitmap.get_mut(w) {
                *word = get(lines, w) & !bits;
            }
        });
        self.base = base;
        self.head = rank(lines, low);
        self.len = 0;
        self.end = rank(lines, 256);
        self.last = match self.head {
            0 => None,
            n => Some(entry(lines, n.wrapping_sub(1))),
        };
        self.walk(view, low, high);
        if high < 256 {
            self.tail = rank(lines, high.wrapping_add(1));
            self.push(high, entry(lines, self.tail.wrapping_sub(1)));
        } else {
            self.tail = self.end;
        }
    }

    fn walk(&mut self, view: &View<'_>, low: u32, high: u32) {
        view.walk(low, high, |start, _end, value, kid| {
            let entry = match kid {
                Some(kid) => CHILD | shadow::kid_chunk(kid.word),
                None => value,
            };
            self.push(start, entry);
        });
    }

    fn push(&mut self, start: u32, entry: u32) {
        if self.last == Some(entry) {
            return;
        }
        if let Some(cell) = self.fresh.get_mut(self.len as usize) {
            *cell = entry;
            self.last = Some(entry);
            self.len = self.len.wrapping_add(1);
            if let Some(word) = self.bitmap.get_mut((start >> 6) as usize) {
                *word |= 1u64.wrapping_shl(start & 63);
            }
        }
    }

    pub(super) fn lines(&self) -> u32 {
        let tail = self.end.wrapping_sub(self.tail);
        lines_for(self.head.wrapping_add(self.len).wrapping_add(tail))
    }

    fn fresh(&self) -> &[u32] {
        self.fresh.get(..self.len as usize).unwrap_or(&[])
    }

    /// Writes the whole chunk at `r`, before it is published.
    pub(super) fn write(&self, blocks: &Blocks, r: u32, cover: u32) {
        let Some(lines) = arena::lines(blocks, r) else {
            return;
        };
        let base = match self.base {
            0 => &[],
            base => arena::lines(blocks, base).unwrap_or(&[]),
        };
        let mut rank = 0u32;
        let mut ranks = 0u32;
        for (w, &bits) in self.bitmap.iter().enumerate() {
            put(lines, w, bits);
            ranks |= rank.wrapping_shl((w as u32) << 3);
            rank = rank.wrapping_add(shared::count_ones(bits));
        }
        put(lines, 4, u64::from(ranks) | (u64::from(cover) << 32));

        // Two entries make a word.
        let (mut at, mut half) = (HEAD as usize >> 1, None);
        let mut add = |entry: u32| match half.take() {
            None => half = Some(entry),
            Some(low) => {
                put(lines, at, u64::from(low) | (u64::from(entry) << 32));
                at = at.wrapping_add(1);
            }
        };
        for i in 0..self.head {
            add(entry(base, i));
        }
        for &entry in self.fresh() {
            add(entry);
        }
        for i in self.tail..self.end {
            add(entry(base, i));
        }
        if let Some(low) = half {
            put(lines, at, u64::from(low));
        }
    }

    /// Whether the published chunk that this is a splice of may be turned into it by storing
    /// entries one by one: the runs are the same, and so is which entries are 0.
    pub(super) fn fits(&self, blocks: &Blocks) -> bool {
        let Some(lines) = arena::lines(blocks, self.base).filter(|_| self.base != 0) else {
            return false;
        };
        let same = self
            .bitmap
            .iter()
            .enumerate()
            .all(|(w, &bits)| get(lines, w) == bits);
        same && self
            .fresh()
            .iter()
            .zip(self.head..u32::MAX)
            .all(|(&new, i)| (entry(lines, i) == 0) == (new == 0))
    }

    /// Stores the entries that differ.
    pub(super) fn store(&self, blocks: &Blocks) {
        let Some(lines) = arena::lines(blocks, self.base) else {
            return;
        };
        for (&new, i) in self.fresh().iter().zip(self.head..u32::MAX) {
            if entry(lines, i) != new {
                publish(blocks, self.base, i, new);
            }
        }
    }
}

fn get(lines: &[Line], i: usize) -> u64 {
    lines.get(i >> 3).map_or(0, |line| line.word(i).load())
}

fn put(lines: &[Line], i: usize, v: u64) {
    if let Some(line) = lines.get(i >> 3) {
        line.word(i).store(v);
    }
}

/// Stores entry `i` of the published chunk at `r`.
fn publish(blocks: &Blocks, r: u32, i: u32, v: u32) {
    let block = block_of(blocks, r);
    let half = block.and_then(|block| block.half(r & LINE_MASK, HEAD.wrapping_add(i)));
    if let Some(half) = half {
        half.publish(v);
    }
}

/// The number of lines of the chunk at `r`.
pub(super) fn size(blocks: &Blocks, r: u32) -> u32 {
    let runs = arena::lines(blocks, r).map_or(0, |lines| {
        (0..4).fold(0u32, |n, w| n.wrapping_add(get(lines, w).count_ones()))
    });
    lines_for(runs)
}

/// Sets the cover of the chunk at `r`.
pub(super) fn set_cover(blocks: &Blocks, r: u32, cover: u32) {
    if let Some(lines) = arena::lines(blocks, r) {
        let word = get(lines, 4) & u64::from(u32::MAX);
        // In order with what was published before: a lookup must not combine this cover with an
        // older default route.
        if let Some(line) = lines.first() {
            line.word(4).publish(word | (u64::from(cover) << 32));
        }
    }
}

/// Replaces the child in slot `byte` of the published chunk at `r`.
pub(super) fn set_child(blocks: &Blocks, r: u32, byte: u32, child: u32) {
    let Some(lines) = arena::lines(blocks, r) else {
        return;
    };
    let i = rank(lines, byte.wrapping_add(1)).wrapping_sub(1);
    publish(blocks, r, i, CHILD | child);
}
