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

use super::shadow::{self, View};
use crate::sys::shared::{Blocks, Line, BLOCK_LOG};

/// Marks an entry or a slot that leads to a chunk.
pub(super) const CHILD: u32 = 1 << 31;

/// Bits of a reference to lines of an arena: the block and the line in it.
pub(super) const REF_MASK: u32 = (1 << 27) - 1;

const LINE_MASK: u32 = (1 << BLOCK_LOG) - 1;

/// Halves before the first entry.
const HEAD: u32 = 10;

/// The lines from `r` to the end of its block.
#[inline(always)]
pub(super) fn lines(blocks: &Blocks, r: u32) -> Option<&[Line]> {
    blocks
        .block((r & REF_MASK) >> BLOCK_LOG)?
        .get((r & LINE_MASK) as usize..)
}

/// One step of a lookup: what slot `byte` of the chunk `entry` holds, with its cover applied.
#[inline(always)]
pub(super) fn step(blocks: &Blocks, entry: u32, byte: u32) -> u32 {
    let Some(block) = blocks.block((entry & REF_MASK) >> BLOCK_LOG) else {
        return 0;
    };
    let at = (entry & LINE_MASK) as usize;
    let Some(head) = block.get(at) else {
        return 0;
    };
    let w = byte >> 6;
    let bitmap = head.word(w as usize).load();
    let ranks = head.word(4).load();
    let upto = bitmap & (u64::MAX >> (!byte & 63));
    let runs = (ranks.wrapping_shr(w << 3) as u32 & 0xff).wrapping_add(upto.count_ones());
    // Run number `runs - 1`, as bit 0 of the bitmap is set.
    let half = runs.wrapping_add(HEAD - 1);
    let Some(line) = block.get(at.wrapping_add(half as usize >> 4)) else {
        return 0;
    };
    let found = line
        .word(half as usize >> 1)
        .follow()
        .wrapping_shr((half & 1) << 5) as u32;
    if found != 0 {
        return found;
    }
    // The cover as it was when the ranks were read will do: as an entry that is 0 remains 0, the
    // cover governed this address all the time.
    (ranks >> 32) as u32
}

/// The content of a chunk but for its cover, as the writer computes it.
pub(super) struct Image {
    bitmap: [u64; 4],
    runs: u32,
    last: u32,
    entry: [u32; 256],
}

/// Lines of a chunk with this many runs.
fn lines_for(runs: u32) -> u32 {
    HEAD.wrapping_add(runs).wrapping_add(15) >> 4
}

impl Image {
    pub(super) fn new() -> Self {
        Image {
            bitmap: [0; 4],
            runs: 0,
            last: 0,
            entry: [0; 256],
        }
    }

    /// Makes this the image of `view`.
    #[inline(never)]
    pub(super) fn set(&mut self, view: &View<'_>) {
        self.bitmap = [0; 4];
        self.runs = 0;
        view.walk(|start, _end, value, kid| {
            let entry = match kid {
                Some(kid) => CHILD | shadow::kid_chunk(kid.word),
                None => value,
            };
            self.push(start, entry);
        });
    }

    fn push(&mut self, start: u32, entry: u32) {
        if self.runs != 0 && self.last == entry {
            return;
        }
        if let Some(cell) = self.entry.get_mut(self.runs as usize) {
            *cell = entry;
            self.last = entry;
            self.runs = self.runs.wrapping_add(1);
            if let Some(word) = self.bitmap.get_mut((start >> 6) as usize) {
                *word |= 1u64.wrapping_shl(start & 63);
            }
        }
    }

    pub(super) fn lines(&self) -> u32 {
        lines_for(self.runs)
    }

    /// The entries `2 i` and `2 i + 1` in a word.
    fn pair(&self, i: usize) -> u64 {
        let half = |n: usize| match self.entry.get(n) {
            Some(&entry) if n < self.runs as usize => u64::from(entry),
            _ => 0,
        };
        half(i << 1) | (half((i << 1) | 1) << 32)
    }

    fn words(&self) -> usize {
        (self.runs as usize).wrapping_add(1) >> 1
    }

    /// Writes the whole chunk at `r`, before it is published.
    pub(super) fn write(&self, blocks: &Blocks, r: u32, cover: u32) {
        let Some(lines) = lines(blocks, r) else {
            return;
        };
        let mut rank = 0u32;
        let mut ranks = 0u32;
        for (w, &bits) in self.bitmap.iter().enumerate() {
            put(lines, w, bits);
            ranks |= rank.wrapping_shl((w as u32) << 3);
            rank = rank.wrapping_add(bits.count_ones());
        }
        put(lines, 4, u64::from(ranks) | (u64::from(cover) << 32));
        for i in 0..self.words() {
            put(lines, i.wrapping_add(5), self.pair(i));
        }
    }

    /// Whether the published chunk at `r` may be turned into this by storing entries one by one:
    /// the runs are the same, and so is which entries are 0.
    pub(super) fn fits(&self, blocks: &Blocks, r: u32) -> bool {
        let Some(lines) = lines(blocks, r) else {
            return false;
        };
        let same = self
            .bitmap
            .iter()
            .enumerate()
            .all(|(w, &bits)| get(lines, w) == bits);
        same && (0..self.words()).all(|i| {
            let (old, new) = (get(lines, i.wrapping_add(5)), self.pair(i));
            (old as u32 == 0) == (new as u32 == 0) && (old >> 32 == 0) == (new >> 32 == 0)
        })
    }

    /// Stores the entries that differ.
    pub(super) fn store(&self, blocks: &Blocks, r: u32) {
        let Some(lines) = lines(blocks, r) else {
            return;
        };
        for i in 0..self.words() {
            let (at, new) = (i.wrapping_add(5), self.pair(i));
            if get(lines, at) != new {
                put_published(lines, at, new);
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

fn put_published(lines: &[Line], i: usize, v: u64) {
    if let Some(line) = lines.get(i >> 3) {
        line.word(i).publish(v);
    }
}

/// The number of lines of the chunk at `r`.
pub(super) fn size(blocks: &Blocks, r: u32) -> u32 {
    let runs = lines(blocks, r).map_or(0, |lines| {
        (0..4).fold(0u32, |n, w| n.wrapping_add(get(lines, w).count_ones()))
    });
    lines_for(runs)
}

/// Sets the cover of the chunk at `r`.
pub(super) fn set_cover(blocks: &Blocks, r: u32, cover: u32) {
    if let Some(lines) = lines(blocks, r) {
        let word = get(lines, 4) & u64::from(u32::MAX);
        put(lines, 4, word | (u64::from(cover) << 32));
    }
}

/// Replaces the child in slot `byte` of the published chunk at `r`.
pub(super) fn set_child(blocks: &Blocks, r: u32, byte: u32, child: u32) {
    let Some(lines) = lines(blocks, r) else {
        return;
    };
    let w = (byte >> 6) as usize & 3;
    let upto = get(lines, w) & (u64::MAX >> (!byte & 63));
    let rank = get(lines, 4).wrapping_shr((w as u32) << 3) as u32 & 0xff;
    let half = rank.wrapping_add(upto.count_ones()).wrapping_add(HEAD - 1);
    let at = half as usize >> 1;
    put_published(lines, at, with_half(get(lines, at), half, CHILD | child));
}

/// `word` with half `half & 1` replaced.
pub(super) fn with_half(word: u64, half: u32, v: u32) -> u64 {
    let shift = (half & 1) << 5;
    (word & !u64::from(u32::MAX).wrapping_shl(shift)) | u64::from(v).wrapping_shl(shift)
}
