// SPDX-License-Identifier: GPL-2.0

//! The writer's trie: which prefixes there are.
//!
//! A node of level n holds the prefixes of 8 n + 1 to 8 n + 8 bits below its key, and its children.
//! In words:
//!
//! | word | content |
//! |---|---|
//! | 0 | cover (32), children (16), prefixes (16) |
//! | 1.. | prefixes in order: first slot (8) and length in the level (4), value (32) |
//! | then | children in order: slot (8), inherits (1), node (27), chunk (27) |
//!
//! The order of prefixes is the order of a walk through the tree, so it serves iteration too. A
//! child inherits if no prefix of its parent covers its slot.

use super::super::arena::{self, REF_MASK};
use crate::sys::shared::{Blocks, Line};

/// The part of a prefix word that orders it.
pub(super) type Key = u32;

/// The key of a prefix that starts at slot `start` and has `len` (1 to 8) bits in its level.
pub(super) fn key(start: u32, len: u32) -> Key {
    (start << 4) | len
}

pub(super) fn key_start(key: Key) -> u32 {
    key >> 4
}

pub(super) fn key_len(key: Key) -> u32 {
    key & 15
}

/// Slots of a prefix.
pub(super) fn key_span(key: Key) -> u32 {
    256u32.wrapping_shr(key_len(key))
}

pub(super) fn pfx(key: Key, value: u32) -> u64 {
    (u64::from(key) << 32) | u64::from(value)
}

pub(super) fn pfx_key(word: u64) -> Key {
    (word >> 32) as u32
}

pub(super) fn pfx_value(word: u64) -> u32 {
    word as u32
}

const KID_INHERITS: u64 = 1 << 55;

pub(super) fn kid(slot: u32, inherits: bool, node: u32, chunk: u32) -> u64 {
    let flag = if inherits { KID_INHERITS } else { 0 };
    (u64::from(slot) << 56) | flag | (u64::from(node) << 27) | u64::from(chunk)
}

pub(super) fn kid_slot(word: u64) -> u32 {
    (word >> 56) as u32
}

pub(super) fn kid_inherits(word: u64) -> bool {
    word & KID_INHERITS != 0
}

pub(super) fn kid_node(word: u64) -> u32 {
    (word >> 27) as u32 & REF_MASK
}

pub(super) fn kid_chunk(word: u64) -> u32 {
    word as u32 & REF_MASK
}

/// One change to a list of words.
#[derive(Clone, Copy)]
pub(super) enum Edit {
    None,
    Insert(u32, u64),
    Replace(u32, u64),
    Remove(u32),
}

impl Edit {
    /// The length of a list of `n` after the change.
    fn len(self, n: u32) -> u32 {
        match self {
            Edit::Insert(..) => n.wrapping_add(1),
            Edit::Remove(_) => n.wrapping_sub(1),
            _ => n,
        }
    }

    /// The first word that is not as before.
    fn at(self) -> u32 {
        match self {
            Edit::None => u32::MAX,
            Edit::Insert(at, _) | Edit::Replace(at, _) | Edit::Remove(at) => at,
        }
    }

    /// Word `i` after the change; `old` gives the words before it.
    fn get(self, i: u32, old: impl FnOnce(u32) -> u64) -> u64 {
        match self {
            Edit::Insert(at, word) | Edit::Replace(at, word) if at == i => word,
            Edit::Insert(at, _) if i > at => old(i.wrapping_sub(1)),
            Edit::Remove(at) if i >= at => old(i.wrapping_add(1)),
            _ => old(i),
        }
    }
}

/// A node as it will be after at most one change to its prefixes and one to its children.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    lines: &'a [Line],
    pfxs: u32,
    kids: u32,
    /// The word of the first child.
    kid_at: u32,
    pfx_edit: Edit,
    kid_edit: Edit,
}

/// A child met by [`View::walk`].
#[derive(Clone, Copy)]
pub(super) struct Kid {
    pub(super) index: u32,
    pub(super) word: u64,
}

fn word(lines: &[Line], i: u32) -> u64 {
    lines
        .get(i as usize >> 3)
        .map_or(0, |line| line.word(i as usize).load())
}

/// Whether the list has `key`, and where it is or would be.
fn search(n: u32, key: u32, at: impl Fn(u32) -> u32) -> (bool, u32) {
    let (mut low, mut high) = (0, n);
    while low < high {
        let mid = low.wrapping_add(high) >> 1;
        let found = at(mid);
        if found == key {
            return (true, mid);
        }
        if found < key {
            low = mid.wrapping_add(1);
        } else {
            high = mid;
        }
    }
    (false, low)
}

impl<'a> View<'a> {
    /// The node at `node`; 0 is a node without anything.
    pub(super) fn new(own: &'a Blocks, node: u32) -> Self {
        let lines = if node == 0 {
            &[]
        } else {
            arena::lines(own, node).unwrap_or(&[])
        };
        let head = word(lines, 0);
        let pfxs = head as u32 & 0xffff;
        View {
            lines,
            pfxs,
            kids: (head >> 16) as u32 & 0xffff,
            kid_at: pfxs.wrapping_add(1),
            pfx_edit: Edit::None,
            kid_edit: Edit::None,
        }
    }

    /// A node that is being built at `node`: its children start at word `kid_at`, and nothing but
    /// the cover is in its first word yet.
    pub(super) fn staged(own: &'a Blocks, node: u32, pfxs: u32, kids: u32, kid_at: u32) -> Self {
        View {
            pfxs,
            kids,
            kid_at,
            ..View::new(own, node)
        }
    }

    pub(super) fn edit_pfx(self, edit: Edit) -> Self {
        View {
            pfx_edit: edit,
            ..self
        }
    }

    pub(super) fn edit_kid(self, edit: Edit) -> Self {
        View {
            kid_edit: edit,
            ..self
        }
    }

    /// Number of prefixes.
    pub(super) fn pfxs(&self) -> u32 {
        self.pfx_edit.len(self.pfxs)
    }

    /// Number of children.
    pub(super) fn kids(&self) -> u32 {
        self.kid_edit.len(self.kids)
    }

    pub(super) fn pfx(&self, i: u32) -> u64 {
        self.pfx_edit
            .get(i, |i| word(self.lines, i.wrapping_add(1)))
    }

    pub(super) fn kid(&self, i: u32) -> u64 {
        self.kid_edit
            .get(i, |i| word(self.lines, self.kid_at.wrapping_add(i)))
    }

    /// The value for addresses of this node that none of its prefixes covers.
    pub(super) fn cover(&self) -> u32 {
        (word(self.lines, 0) >> 32) as u32
    }

    /// Whether there is a prefix with this key, and its index or where it would be.
    pub(super) fn find_pfx(&self, key: Key) -> (bool, u32) {
        search(self.pfxs(), key, |i| pfx_key(self.pfx(i)))
    }

    /// Whether there is a child in this slot, and its index or where it would be.
    pub(super) fn find_kid(&self, slot: u32) -> (bool, u32) {
        search(self.kids(), slot, |i| kid_slot(self.kid(i)))
    }

    /// Lines the node takes.
    pub(super) fn lines(&self) -> u32 {
        self.pfxs().wrapping_add(self.kids()).wrapping_add(8) >> 3
    }

    /// Lines the node takes without the changes.
    pub(super) fn old_lines(&self) -> u32 {
        self.pfxs.wrapping_add(self.kids).wrapping_add(8) >> 3
    }

    /// The value of the longest prefix of this node for `slot`, 0 if there is none.
    pub(super) fn best(&self, slot: u32) -> u32 {
        let (_, after) = self.find_pfx(key(slot, 15));
        self.best_before(after, slot)
    }

    /// The same among the prefixes before index `i`, all of which start at or before `slot`.
    fn best_before(&self, i: u32, slot: u32) -> u32 {
        // Prefixes are nested or apart: the last one that holds the slot is the longest.
        for i in (0..i).rev() {
            let word = self.pfx(i);
            if slot.wrapping_sub(key_start(pfx_key(word))) < key_span(pfx_key(word)) {
                return pfx_value(word);
            }
        }
        0
    }

    /// Calls `f(start, end, value, child)` for consecutive ranges of slots from `low` to `high`, the
    /// slots of a prefix or all: the value of the longest prefix of this node that covers them, 0
    /// if none does. A slot with a child is a range of its own.
    pub(super) fn walk(&self, low: u32, high: u32, mut f: impl FnMut(u32, u32, u32, Option<Kid>)) {
        let kids = self.kids();
        let mut kid = if low == 0 { 0 } else { self.find_kid(low).1 };
        let mut kid_word = if kid < kids { self.kid(kid) } else { 0 };
        let mut from = low;
        let mut emit = |to: u32, value: u32| {
            while kid < kids && kid_slot(kid_word) < to {
                let slot = kid_slot(kid_word);
                if from < slot {
                    f(from, slot, value, None);
                }
                let found = Kid {
                    index: kid,
                    word: kid_word,
                };
                f(slot, slot.wrapping_add(1), value, Some(found));
                from = slot.wrapping_add(1);
                kid = kid.wrapping_add(1);
                if kid < kids {
                    kid_word = self.kid(kid);
                }
            }
            if from < to {
                f(from, to, value, None);
                from = to;
            }
        };

        // The prefixes that hold the current slot, the longest last: ends and values.
        let (_, first) = self.find_pfx(key(low, 0));
        let mut open = [(high, 0u32); 16];
        open[0].1 = self.best_before(first, low);
        let mut depth = 0usize;
        for i in first..self.pfxs() {
            let word = self.pfx(i);
            let start = key_start(pfx_key(word));
            if start >= high {
                break;
            }
            let end = start.wrapping_add(key_span(pfx_key(word))).min(high);
            while depth > 0 && open[depth & 15].0 <= start {
                let (to, value) = open[depth & 15];
                emit(to, value);
                depth = depth.wrapping_sub(1);
            }
            emit(start, open[depth & 15].1);
            depth = depth.wrapping_add(1);
            open[depth & 15] = (end, pfx_value(word));
        }
        loop {
            let (to, value) = open[depth & 15];
            emit(to, value);
            if depth == 0 {
                break;
            }
            depth = depth.wrapping_sub(1);
        }
    }

    /// Writes the node as it will be to `to`.
    pub(super) fn write(&self, own: &Blocks, to: u32, cover: u32) {
        self.write_from(own, to, cover, 0);
    }

    /// Makes the node where it is what it will be.
    pub(super) fn write_in_place(&self, own: &Blocks, node: u32) {
        let pfx = self.pfx_edit.at();
        let kid = self.kid_edit.at().saturating_add(self.pfxs());
        self.write_from(own, node, self.cover(), pfx.min(kid));
    }

    /// Writes the head, and the words from index `from` on.
    fn write_from(&self, own: &Blocks, to: u32, cover: u32, from: u32) {
        let Some(lines) = arena::lines(own, to) else {
            return;
        };
        let (pfxs, kids) = (self.pfxs(), self.kids());
        let put = |i: u32, v: u64| {
            if let Some(line) = lines.get(i as usize >> 3) {
                line.word(i as usize).store(v);
            }
        };
        let total = pfxs.wrapping_add(kids);
        let at = |i: u32| {
            if i < pfxs {
                self.pfx(i)
            } else {
                self.kid(i.wrapping_sub(pfxs))
            }
        };
        // In place, words move by one at most, and all in the same direction: go against it.
        if total > self.pfxs.wrapping_add(self.kids) {
            for i in (from..total).rev() {
                put(i.wrapping_add(1), at(i));
            }
        } else {
            for i in from..total {
                put(i.wrapping_add(1), at(i));
            }
        }
        let counts = u64::from(pfxs) | (u64::from(kids) << 16);
        put(0, counts | (u64::from(cover) << 32));
    }
}

/// Replaces the word of a prefix.
pub(super) fn set_pfx(own: &Blocks, node: u32, index: u32, word: u64) {
    put(own, node, index.wrapping_add(1), |_| word);
}

/// Changes the word of a child.
pub(super) fn set_kid(own: &Blocks, node: u32, index: u32, f: impl FnOnce(u64) -> u64) {
    let pfxs = View::new(own, node).pfxs;
    put(own, node, pfxs.wrapping_add(index).wrapping_add(1), f);
}

/// Sets the cover of a node.
pub(super) fn set_cover(own: &Blocks, node: u32, cover: u32) {
    put(own, node, 0, |word| {
        (word & u64::from(u32::MAX)) | (u64::from(cover) << 32)
    });
}

fn put(own: &Blocks, node: u32, i: u32, f: impl FnOnce(u64) -> u64) {
    if let Some(line) = arena::lines(own, node).and_then(|lines| lines.get(i as usize >> 3)) {
        let cell = line.word(i as usize);
        cell.store(f(cell.load()));
    }
}
