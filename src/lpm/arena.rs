// SPDX-License-Identifier: GPL-2.0

//! The allocator of extents (adjacent lines) in [`Blocks`], and the wait for a grace period.
//!
//! The first line of a block (two in the largest) is a bitmap that marks the first and the last
//! line of each free extent. A free extent holds its size in its first word and in its last, and
//! the links of its bin in the second. So it merges with its neighbours, and a table that changes
//! for years does not crumble.

use super::{Error, Flags};
use crate::sys::shared::{self, Blocks, Grace, Line, Word, BLOCK_LOG, LINE_WORDS};

/// Bits of a reference to lines: the block and the line in it.
pub(super) const REF_MASK: u32 = (1 << 27) - 1;

/// The part of a reference that is the line in its block.
pub(super) const LINE_MASK: u32 = (1 << BLOCK_LOG) - 1;

/// The smallest block: 1 KiB.
const FIRST_LOG: u32 = 4;

/// Free extents of 1 to 31 lines have a bin for each size; beyond, there are four bins for each
/// power of two up to 1023.
const BINS: usize = 52;

/// The lines from `r` to the end of its block.
#[inline(always)]
pub(super) fn lines(blocks: &Blocks, r: u32) -> Option<&[Line]> {
    blocks
        .block((r & REF_MASK) >> BLOCK_LOG)?
        .lines()
        .get((r & LINE_MASK) as usize..)
}

/// `word` with half `half & 1` replaced.
pub(super) fn with_half(word: u64, half: u32, v: u32) -> u64 {
    let shift = (half & 1) << 5;
    (word & !u64::from(u32::MAX).wrapping_shl(shift)) | u64::from(v).wrapping_shl(shift)
}

/// Calls `f` with word `i` of the extent `r`.
fn with<T: Default>(blocks: &Blocks, r: u32, i: usize, f: impl FnOnce(&Word) -> T) -> T {
    lines(blocks, r)
        .and_then(|lines| lines.get(i / LINE_WORDS))
        .map_or_else(T::default, |line| f(line.word(i)))
}

/// Word `i` of the extent `r`.
pub(super) fn get(blocks: &Blocks, r: u32, i: usize) -> u64 {
    with(blocks, r, i, |word| word.load())
}

/// Sets word `i` of the extent `r`.
pub(super) fn put(blocks: &Blocks, r: u32, i: usize, v: u64) {
    with(blocks, r, i, |word| word.store(v));
}

/// Lines at the start of a block of `1 << log` lines that are its bitmap.
fn bitmap_lines(log: u32) -> u32 {
    if log > 9 {
        2
    } else {
        1
    }
}

/// The bin that an extent of `lines` is kept in.
fn bin_of(lines: u32) -> u32 {
    if lines < 32 {
        return lines;
    }
    let log = 31 - lines.leading_zeros();
    (log << 2) + (lines.wrapping_shr(log.wrapping_sub(2)) & 3) + 12
}

/// The first bin all of whose extents have `lines` at least.
fn bin_from(lines: u32) -> u32 {
    if lines < 32 {
        return lines;
    }
    bin_of(lines.wrapping_sub(1)).wrapping_add(1)
}

/// The allocator of one [`Blocks`].
pub(super) struct Heap {
    bins: [u32; BINS],
    /// Bins that are not empty.
    filled: u64,
    /// Lines in extents that are allocated.
    used: usize,
}

impl Heap {
    pub(super) const fn new() -> Self {
        Heap {
            bins: [0; BINS],
            filled: 0,
            used: 0,
        }
    }

    /// Bytes in extents that are allocated.
    pub(super) fn used(&self) -> usize {
        self.used << 6
    }

    /// Allocates `lines` adjacent lines, with unspecified content. `room` is how many bytes
    /// `blocks` may grow by.
    pub(super) fn alloc(
        &mut self,
        blocks: &Blocks,
        lines: u32,
        room: usize,
        flags: Flags,
    ) -> Result<u32, Error> {
        if shared::injected_failure() {
            return Err(Error::NoMemory);
        }
        let lines = lines.max(1);
        let r = match self.take(blocks, lines) {
            Some(r) => r,
            None => {
                self.grow(blocks, lines, room, flags)?;
                self.take(blocks, lines).ok_or(Error::NoMemory)?
            }
        };
        self.used = self.used.wrapping_add(lines as usize);
        Ok(r)
    }

    /// Takes `lines` out of the smallest free extent that is sure to have them.
    fn take(&mut self, blocks: &Blocks, lines: u32) -> Option<u32> {
        let from = bin_from(lines);
        if from as usize >= BINS {
            return None;
        }
        let bin = (self.filled & u64::MAX.wrapping_shl(from)).trailing_zeros();
        let r = *self.bins.get(bin as usize)?;
        let have = get(blocks, r, 0) as u32;
        self.unlink(blocks, r, have);
        if have > lines {
            self.link(blocks, r.wrapping_add(lines), have.wrapping_sub(lines));
        }
        Some(r)
    }

    /// Adds a block that can hold `lines`: as large as all there is, up to the largest, and smaller
    /// if there is no such.
    fn grow(
        &mut self,
        blocks: &Blocks,
        lines: u32,
        room: usize,
        flags: Flags,
    ) -> Result<(), Error> {
        let have = (blocks.bytes() >> 6) as u64;
        let mut log = (63 - (have | 1).leading_zeros()).clamp(FIRST_LOG, BLOCK_LOG);
        while 1u32.wrapping_shl(log) < lines.wrapping_add(bitmap_lines(log)) {
            if log >= BLOCK_LOG {
                return Err(Error::NoMemory);
            }
            log = log.wrapping_add(1);
        }
        let mut error = Error::Budget;
        loop {
            let total = 1u32.wrapping_shl(log);
            if blocks.cost(1, log) <= room {
                if let Ok(block) = blocks.add(1, log, flags) {
                    let first = bitmap_lines(log);
                    let r = (block << BLOCK_LOG) | first;
                    self.link(blocks, r, total.wrapping_sub(first));
                    return Ok(());
                }
                error = Error::NoMemory;
            }
            log = log.wrapping_sub(1);
            if log < FIRST_LOG || 1u32.wrapping_shl(log) < lines.wrapping_add(bitmap_lines(log)) {
                return Err(error);
            }
        }
    }

    /// Frees an extent.
    pub(super) fn free(&mut self, blocks: &Blocks, r: u32, lines: u32) {
        self.used = self.used.wrapping_sub(lines as usize);
        let (mut r, mut lines) = (r, lines);
        let next = r.wrapping_add(lines);
        // The block's end is the start of another block's numbers, or of nothing.
        if next >> BLOCK_LOG == r >> BLOCK_LOG && self.is_edge(blocks, next) {
            let more = get(blocks, next, 0) as u32;
            self.unlink(blocks, next, more);
            lines = lines.wrapping_add(more);
        }
        // The line before the first of a block is a bitmap, which is never marked.
        let before = r.wrapping_sub(1);
        if self.is_edge(blocks, before) {
            let more = get(blocks, before, LINE_WORDS - 1) as u32;
            r = r.wrapping_sub(more);
            self.unlink(blocks, r, more);
            lines = lines.wrapping_add(more);
        }
        self.link(blocks, r, lines);
    }

    /// Puts a free extent into its bin.
    fn link(&mut self, blocks: &Blocks, r: u32, lines: u32) {
        let bin = bin_of(lines);
        let Some(head) = self.bins.get_mut(bin as usize) else {
            return;
        };
        let next = core::mem::replace(head, r);
        self.filled |= 1u64.wrapping_shl(bin);
        let last = r.wrapping_add(lines).wrapping_sub(1);
        put(blocks, r, 0, u64::from(lines));
        put(blocks, r, 1, u64::from(next));
        put(blocks, last, LINE_WORDS - 1, u64::from(lines));
        if next != 0 {
            let word = get(blocks, next, 1) & u64::from(u32::MAX);
            put(blocks, next, 1, word | (u64::from(r) << 32));
        }
        self.mark(blocks, r, true);
        self.mark(blocks, last, true);
    }

    /// Takes a free extent out of its bin.
    fn unlink(&mut self, blocks: &Blocks, r: u32, lines: u32) {
        let links = get(blocks, r, 1);
        let (next, prev) = (links as u32, (links >> 32) as u32);
        if prev != 0 {
            let word = get(blocks, prev, 1) & !u64::from(u32::MAX);
            put(blocks, prev, 1, word | u64::from(next));
        } else {
            let bin = bin_of(lines);
            if let Some(head) = self.bins.get_mut(bin as usize) {
                *head = next;
            }
            if next == 0 {
                self.filled &= !1u64.wrapping_shl(bin);
            }
        }
        if next != 0 {
            let word = get(blocks, next, 1) & u64::from(u32::MAX);
            put(blocks, next, 1, word | (u64::from(prev) << 32));
        }
        self.mark(blocks, r, false);
        self.mark(blocks, r.wrapping_add(lines).wrapping_sub(1), false);
    }

    /// Calls `f` with the word and the bit that say whether line `r` is the edge of a free extent.
    fn edge<T: Default>(blocks: &Blocks, r: u32, f: impl FnOnce(&Word, u64) -> T) -> T {
        let line = r & LINE_MASK;
        with(blocks, r.wrapping_sub(line), (line >> 6) as usize, |word| {
            f(word, 1u64.wrapping_shl(line & 63))
        })
    }

    fn is_edge(&self, blocks: &Blocks, r: u32) -> bool {
        // A block that is not full size ends before its numbers do.
        lines(blocks, r).is_some_and(|lines| !lines.is_empty())
            && Self::edge(blocks, r, |word, bit| word.load() & bit != 0)
    }

    fn mark(&self, blocks: &Blocks, r: u32, on: bool) {
        Self::edge(blocks, r, |word, bit| {
            let old = word.load();
            word.store(if on { old | bit } else { old & !bit });
        });
    }
}

/// Extents in a batch: what is left of a line.
const BATCH: u32 = 12;

const LINES_SHIFT: u32 = REF_MASK.count_ones();

/// Lines of the largest extent that readers see: what five bits hold.
pub(super) const MAX_LINES: u32 = 31;

/// Extents that readers may still see, oldest first.
///
/// A batch is a line in the writer's own arena: the cookie of its grace period, the next batch and
/// the number of extents, and for each of them a half with its reference (27) and lines (5).
pub(super) struct Limbo {
    oldest: u32,
    newest: u32,
    /// References that the newest batch has room for; it waits for its grace period when it is
    /// full.
    room: u32,
    /// Lines for further batches, linked, and their number.
    spare: u32,
    spares: u32,
}

impl Limbo {
    pub(super) const fn new() -> Self {
        Limbo {
            oldest: 0,
            newest: 0,
            room: 0,
            spare: 0,
            spares: 0,
        }
    }

    /// Whether `n` more references find room, and if not a line that shall be given to
    /// [`Limbo::supply`].
    pub(super) fn lacks(&self, n: u32) -> bool {
        n > self.room.wrapping_add(self.spares.wrapping_mul(BATCH))
    }

    pub(super) fn supply(&mut self, own: &Blocks, line: u32) {
        put(own, line, 1, u64::from(self.spare));
        self.spare = line;
        self.spares = self.spares.wrapping_add(1);
    }

    /// Adds an extent of up to [`MAX_LINES`] for which there is room.
    pub(super) fn push(&mut self, own: &Blocks, r: u32, lines: u32) {
        if self.room == 0 {
            let line = self.spare;
            if line == 0 {
                return;
            }
            self.spare = get(own, line, 1) as u32;
            self.spares = self.spares.wrapping_sub(1);
            put(own, line, 1, 0);
            if self.oldest == 0 {
                self.oldest = line;
            } else {
                let word = get(own, self.newest, 1);
                put(own, self.newest, 1, word | u64::from(line));
            }
            self.newest = line;
            self.room = BATCH;
        }
        let n = BATCH.wrapping_sub(self.room);
        let at = 2 + (n as usize >> 1);
        let word = get(own, self.newest, at);
        let extent = r | lines.min(MAX_LINES) << LINES_SHIFT;
        put(own, self.newest, at, with_half(word, n, extent));
        self.room = self.room.wrapping_sub(1);
        let word = get(own, self.newest, 1) & u64::from(u32::MAX);
        put(
            own,
            self.newest,
            1,
            word | (u64::from(n.wrapping_add(1)) << 32),
        );
        if self.room == 0 {
            put(own, self.newest, 0, Grace::start().to_word());
        }
    }

    /// Takes the oldest batch if its grace period is over.
    pub(super) fn pop(&mut self, own: &Blocks) -> Option<Batch> {
        let line = self.oldest;
        if line == 0 || (line == self.newest && self.room != 0) {
            return None;
        }
        if !Grace::from_word(get(own, line, 0)).elapsed() {
            return None;
        }
        let word = get(own, line, 1);
        self.oldest = word as u32;
        if self.oldest == 0 {
            self.newest = 0;
        }
        Some(Batch {
            line,
            len: (word >> 32) as u32,
        })
    }
}

/// References whose grace period is over.
pub(super) struct Batch {
    /// The line that holds them.
    pub(super) line: u32,
    /// How many there are.
    pub(super) len: u32,
}

impl Batch {
    /// The reference and the lines of extent `n`.
    pub(super) fn get(&self, own: &Blocks, n: u32) -> (u32, u32) {
        let word = get(own, self.line, 2 + (n as usize >> 1));
        let extent = word.wrapping_shr((n & 1) << 5) as u32;
        (extent & REF_MASK, extent >> LINES_SHIFT)
    }
}
