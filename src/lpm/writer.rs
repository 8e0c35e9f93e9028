// SPDX-License-Identifier: GPL-2.0

//! The writer: changes a table beside its readers, and knows its prefixes.

use super::{
    arena::{Heap, Limbo},
    chunk::{self, Image, CHILD},
    family::{Family, Prefix},
    shadow::{self, Edit, Key, View},
    table::{Table, WIDE, WIDE_BLOCKS, WIDE_BYTES},
    Error, Flags, Value, VALUE_MASK,
};
use crate::sys::shared::{Blocks, Grace, BLOCK_LOG};
use core::marker::PhantomData;

/// With this many prefixes the slot array is worth its memory...
const WIDEN_AT: usize = 4096;

/// ... and below this many it is dropped.
const NARROW_AT: usize = 1024;

/// Updates until the next attempt to change the shape, if memory was short.
const SHAPE_PAUSE: u32 = 256;

/// The level of the chunks below the slot array.
const WIDE_LEVEL: usize = 2;

/// The most levels a family has.
const LEVELS: usize = 16;

/// The most extents that one update takes: a node and a chunk on each level, and the new forms of
/// the parent.
const TAKEN: usize = 2 * LEVELS + 2;

/// Batches that one update frees, so that freeing keeps up with retiring and yet is bounded.
const RECLAIM: u32 = 4;

/// The only one who changes its [`Table`]. Kept by the caller under a lock.
pub struct Writer<F: Family> {
    /// The nodes (`shadow`) and the batches of the limbo.
    own: Blocks,
    own_heap: Heap,
    heap: Heap,
    limbo: Limbo,
    /// Lines of the chunks in the limbo.
    retired: usize,
    root: Step,
    /// Whether the slot array stands for levels 0 and 1; then nodes there have no chunk.
    wide: bool,
    wide_base: u32,
    /// A slot array that is not in use, and when its readers are gone.
    spare: Option<(u32, Grace)>,
    pause: u32,
    widen_at: usize,
    narrow_at: usize,
    default: Value,
    len: usize,
    exclusive: bool,
    budget: usize,
    table_bytes: usize,
    family: PhantomData<F>,
}

/// A node on the way to a prefix.
#[derive(Clone, Copy, Default)]
struct Step {
    node: u32,
    chunk: u32,
    /// The node's index among the children of the node before it.
    index: u32,
}

/// The nodes on the way to a prefix: `depth` of them, from level 0.
struct Path {
    step: [Step; LEVELS],
    depth: usize,
}

impl Path {
    fn at(&self, level: usize) -> Step {
        self.step.get(level).copied().unwrap_or_default()
    }

    fn last(&self) -> Step {
        self.at(self.depth.wrapping_sub(1))
    }
}

/// Extents taken for an update that may yet fail.
struct Taken<const N: usize> {
    extent: [(u32, u32, bool); N],
    len: usize,
}

impl<const N: usize> Taken<N> {
    fn new() -> Self {
        Taken {
            extent: [(0, 0, false); N],
            len: 0,
        }
    }
}

/// Level of the node that holds prefixes of `len` (not 0) bits.
fn level_of(len: u8) -> usize {
    (len.wrapping_sub(1) >> 3) as usize
}

fn key_of<F: Family>(p: Prefix<F>) -> Key {
    let level = level_of(p.len());
    let len = u32::from(p.len()).wrapping_sub((level as u32) << 3);
    shadow::key(F::byte(p.addr(), level), len)
}

impl<F: Family> Writer<F> {
    pub(super) fn new() -> Self {
        Writer {
            own: Blocks::new(),
            own_heap: Heap::new(),
            heap: Heap::new(),
            limbo: Limbo::new(),
            retired: 0,
            root: Step::default(),
            wide: false,
            wide_base: 0,
            spare: None,
            pause: 0,
            widen_at: WIDEN_AT,
            narrow_at: NARROW_AT,
            default: 0,
            len: 0,
            exclusive: false,
            budget: usize::MAX,
            table_bytes: 0,
            family: PhantomData,
        }
    }

    /// Number of prefixes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no prefix.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory for the table and the writer, in use or not.
    pub fn memory(&self) -> usize {
        self.own
            .bytes()
            .wrapping_add(self.table_bytes)
            .wrapping_add(core::mem::size_of::<Self>())
            .wrapping_add(core::mem::size_of::<Table<F>>())
    }

    /// Bytes of that memory that hold something: nodes, chunks, the slot array, and what waits for
    /// a grace period.
    pub fn used(&self) -> usize {
        let wide = if self.wide { WIDE_BYTES } else { 0 };
        self.heap
            .used()
            .wrapping_add(self.own_heap.used())
            .wrapping_add(wide)
    }

    /// Sets how many bytes [`Writer::memory`] may reach. An insert that needs more fails; removals
    /// are not held back. Memory that is there remains there.
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
    }

    /// Sets from how many prefixes on the table has an array for the first 16 bits, and below how
    /// many it gives it up. For experiments; the preset values are right.
    pub fn set_wide(&mut self, from: usize, below: usize) {
        self.widen_at = from;
        self.narrow_at = below;
        self.pause = 0;
    }

    /// Says that no reader sees the table (`true`), so that what an update retires can be used again
    /// without a grace period, or that readers may come (`false`, as at first). For filling a table
    /// before it is published.
    pub fn set_exclusive(&mut self, exclusive: bool) {
        self.exclusive = exclusive;
    }

    /// The value of exactly this prefix, 0 if it is not there.
    pub fn get(&self, p: Prefix<F>) -> Value {
        if p.len() == 0 {
            return self.default;
        }
        let level = level_of(p.len());
        let path = self.descend(p.addr(), level);
        if path.depth <= level {
            return 0;
        }
        let view = View::new(&self.own, path.last().node);
        match view.find_pfx(key_of(p)) {
            (true, at) => shadow::pfx_value(view.pfx(at)),
            _ => 0,
        }
    }

    /// The prefix after `after` in the order of (address, length), or the first. `after` need not
    /// be there any more.
    pub fn next(&self, after: Option<Prefix<F>>) -> Option<(Prefix<F>, Value)> {
        let Some(after) = after else {
            if self.default != 0 {
                return Some((Prefix::new(F::Addr::default(), 0)?, self.default));
            }
            return self.first(self.root.node, F::Addr::default(), 0);
        };
        if after.len() == 0 {
            return self.first(self.root.node, F::Addr::default(), 0);
        }
        let level = level_of(after.len());
        let path = self.descend(after.addr(), level);
        let mut at = path.depth;
        while at > 0 {
            at = at.wrapping_sub(1);
            let view = View::new(&self.own, path.at(at).node);
            let byte = F::byte(after.addr(), at);
            // What is after `after` in this node: longer prefixes in the same slot come after a
            // prefix of the node, but what is below the slot was seen if `after` is from there.
            let (pfx_from, kid_from) = if at == level {
                (key_of(after).wrapping_add(1), byte)
            } else {
                (shadow::key(byte, 15), byte.wrapping_add(1))
            };
            let (_, pfx) = view.find_pfx(pfx_from);
            let (_, kid) = view.find_kid(kid_from);
            if let Some(found) = self.pick(&view, pfx, kid, after.addr(), at) {
                return Some(found);
            }
        }
        None
    }

    /// The first prefix of the node and of all below it.
    fn first(&self, node: u32, addr: F::Addr, level: usize) -> Option<(Prefix<F>, Value)> {
        self.pick(&View::new(&self.own, node), 0, 0, addr, level)
    }

    /// The first prefix among those of a node from index `pfx` on and those below its children
    /// from index `kid` on.
    fn pick(
        &self,
        view: &View<'_>,
        pfx: u32,
        kid: u32,
        addr: F::Addr,
        level: usize,
    ) -> Option<(Prefix<F>, Value)> {
        let (mut view, mut pfx, mut kid, mut addr) = (*view, pfx, kid, addr);
        for level in level..LEVELS {
            let word = (kid < view.kids()).then(|| view.kid(kid));
            if pfx < view.pfxs() {
                let found = view.pfx(pfx);
                let key = shadow::pfx_key(found);
                let start = shadow::key_start(key);
                if word.is_none_or(|word| start <= shadow::kid_slot(word)) {
                    let len = (level << 3).wrapping_add(shadow::key_len(key) as usize);
                    let p = Prefix::new(F::with_byte(addr, level, start), len as u8)?;
                    return Some((p, shadow::pfx_value(found)));
                }
            }
            let word = word?;
            addr = F::with_byte(addr, level, shadow::kid_slot(word));
            view = View::new(&self.own, shadow::kid_node(word));
            (pfx, kid) = (0, 0);
        }
        None
    }

    /// Inserts `p` or replaces its value, and returns the value it had. A `v` of 0 removes.
    ///
    /// After an error nothing has changed.
    pub fn insert(
        &mut self,
        t: &Table<F>,
        p: Prefix<F>,
        v: Value,
        flags: Flags,
    ) -> Result<Value, Error> {
        let v = v & VALUE_MASK;
        if v == 0 {
            return self.remove(t, p, flags);
        }
        self.reclaim(t, RECLAIM);
        if p.len() == 0 {
            return Ok(self.set_default(t, v));
        }
        let level = level_of(p.len());
        let path = self.descend(p.addr(), level);
        let old = if path.depth > level {
            let key = key_of(p);
            let view = View::new(&self.own, path.last().node);
            let (found, at) = view.find_pfx(key);
            let old = if found {
                shadow::pfx_value(view.pfx(at))
            } else {
                0
            };
            if old == v {
                return Ok(old);
            }
            let word = shadow::pfx(key, v);
            let edit = if found {
                Edit::Replace(at, word)
            } else {
                Edit::Insert(at, word)
            };
            self.change(t, p, &path, edit, self.budget, flags)?;
            old
        } else {
            self.extend(t, p, v, &path, flags)?;
            0
        };
        if old == 0 {
            self.len = self.len.wrapping_add(1);
        }
        self.settle(t, flags);
        Ok(old)
    }

    /// Removes `p` and returns the value it had, 0 if it was not there.
    ///
    /// This may need memory: if `p` hid the border between two values, there are more runs without
    /// it. After an error nothing has changed.
    pub fn remove(&mut self, t: &Table<F>, p: Prefix<F>, flags: Flags) -> Result<Value, Error> {
        self.reclaim(t, RECLAIM);
        if p.len() == 0 {
            return Ok(self.set_default(t, 0));
        }
        let level = level_of(p.len());
        let path = self.descend(p.addr(), level);
        if path.depth <= level {
            return Ok(0);
        }
        let view = View::new(&self.own, path.last().node);
        let (found, at) = view.find_pfx(key_of(p));
        if !found {
            return Ok(0);
        }
        let old = shadow::pfx_value(view.pfx(at));
        if view.pfxs() > 1 || view.kids() > 0 {
            self.change(t, p, &path, Edit::Remove(at), usize::MAX, flags)?;
        } else {
            self.prune(t, p, &path, flags)?;
        }
        self.len = self.len.wrapping_sub(1);
        self.settle(t, flags);
        Ok(old)
    }

    fn set_default(&mut self, t: &Table<F>, v: Value) -> Value {
        let old = core::mem::replace(&mut self.default, v);
        if old == 0 && v != 0 {
            self.len = self.len.wrapping_add(1);
        }
        if old != 0 && v == 0 {
            self.len = self.len.wrapping_sub(1);
        }
        if old != v {
            let changes = (t.default.load() >> 32).wrapping_add(1);
            t.default.publish((changes << 32) | u64::from(v));
        }
        old
    }

    /// The nodes there are on the way to the node of `addr` on `level`, and that node.
    fn descend(&self, addr: F::Addr, level: usize) -> Path {
        let mut path = Path {
            step: [Step::default(); LEVELS],
            depth: 0,
        };
        let mut next = self.root;
        for m in 0..level.wrapping_add(1) {
            let Some(step) = path.step.get_mut(m) else {
                break;
            };
            if next.node == 0 {
                break;
            }
            *step = next;
            path.depth = m.wrapping_add(1);
            let view = View::new(&self.own, next.node);
            let (found, index) = view.find_kid(F::byte(addr, m));
            if !found {
                break;
            }
            let word = view.kid(index);
            next = Step {
                node: shadow::kid_node(word),
                chunk: shadow::kid_chunk(word),
                index,
            };
        }
        path
    }

    /// The first level that has chunks.
    fn top(&self) -> usize {
        if self.wide {
            WIDE_LEVEL
        } else {
            0
        }
    }

    // Taking memory, before anything changes.

    fn room(&self, t: &Table<F>, budget: usize) -> usize {
        let have = self.own.bytes().saturating_add(t.blocks.bytes());
        budget.saturating_sub(have.saturating_add(
            core::mem::size_of::<Self>().saturating_add(core::mem::size_of::<Table<F>>()),
        ))
    }

    /// An extent in the table (`shared`) or in the writer's own blocks.
    fn alloc(
        &mut self,
        t: &Table<F>,
        shared: bool,
        lines: u32,
        budget: usize,
        flags: Flags,
    ) -> Result<u32, Error> {
        let room = self.room(t, budget);
        let (heap, blocks) = if shared {
            (&mut self.heap, &t.blocks)
        } else {
            (&mut self.own_heap, &self.own)
        };
        match heap.alloc(blocks, lines, room, flags) {
            // What waited longer than its grace period may do.
            Err(_) if self.reclaim(t, u32::MAX) => {
                let (heap, blocks) = if shared {
                    (&mut self.heap, &t.blocks)
                } else {
                    (&mut self.own_heap, &self.own)
                };
                heap.alloc(blocks, lines, room, flags)
            }
            result => result,
        }
    }

    /// As [`Writer::alloc`], and notes the extent in `taken`.
    fn take<const N: usize>(
        &mut self,
        t: &Table<F>,
        taken: &mut Taken<N>,
        shared: bool,
        lines: u32,
        budget: usize,
        flags: Flags,
    ) -> Result<u32, Error> {
        let r = self.alloc(t, shared, lines, budget, flags)?;
        match taken.extent.get_mut(taken.len) {
            Some(slot) => {
                *slot = (r, lines, shared);
                taken.len = taken.len.wrapping_add(1);
                Ok(r)
            }
            None => {
                self.free(t, r, lines, shared);
                Err(Error::NoMemory)
            }
        }
    }

    fn free(&mut self, t: &Table<F>, r: u32, lines: u32, shared: bool) {
        if shared {
            self.heap.free(&t.blocks, r, lines);
        } else {
            self.own_heap.free(&self.own, r, lines);
        }
    }

    fn give_back<const N: usize>(&mut self, t: &Table<F>, taken: &Taken<N>) {
        for &(r, lines, shared) in taken.extent.iter().take(taken.len) {
            self.free(t, r, lines, shared);
        }
    }

    /// Sees to it that `n` chunks can be retired.
    fn reserve(&mut self, t: &Table<F>, n: u32, budget: usize, flags: Flags) -> Result<(), Error> {
        while !self.exclusive && self.limbo.lacks(n) {
            let line = self.alloc(t, false, 1, budget, flags)?;
            self.limbo.supply(&self.own, line);
        }
        Ok(())
    }

    // Giving memory back.

    /// Gives up a chunk that readers may see.
    fn retire(&mut self, t: &Table<F>, r: u32) {
        if r == 0 {
            return;
        }
        let lines = chunk::size(&t.blocks, r);
        if self.exclusive {
            self.heap.free(&t.blocks, r, lines);
        } else {
            self.limbo.push(&self.own, r);
            self.retired = self.retired.wrapping_add(lines as usize);
        }
    }

    /// Frees up to `batches` batches of chunks that no reader can see any more.
    fn reclaim(&mut self, t: &Table<F>, batches: u32) -> bool {
        let mut any = false;
        for _ in 0..batches {
            let Some(batch) = self.limbo.pop(&self.own) else {
                break;
            };
            any = true;
            for n in 0..batch.len {
                let r = batch.get(&self.own, n);
                let lines = chunk::size(&t.blocks, r);
                self.heap.free(&t.blocks, r, lines);
                self.retired = self.retired.wrapping_sub(lines as usize);
            }
            self.own_heap.free(&self.own, batch.line, 1);
        }
        any
    }

    /// After an update.
    fn settle(&mut self, t: &Table<F>, flags: Flags) {
        self.reshape(t, flags);
        let wide = if self.wide { WIDE_BYTES } else { 0 };
        let live = self.heap.used().wrapping_sub(self.retired << 6);
        t.touched.store(live.wrapping_add(wide) as u64);
        self.table_bytes = t.blocks.bytes();
    }

    // Publishing.

    /// Stores `v` into slots `from..to` of the slot array.
    fn fill(&self, t: &Table<F>, from: u32, to: u32, v: u32) {
        fill(&t.blocks, self.wide_base, from, to, v);
    }

    /// Makes the node on `level` lead to the chunk `r`, for readers and in the shadow.
    fn set_chunk(&mut self, t: &Table<F>, addr: F::Addr, path: &Path, level: usize, r: u32) {
        let parent = path.at(level.wrapping_sub(1));
        if level == self.top() {
            if self.wide {
                let slot = F::head16(addr);
                self.fill(t, slot, slot.wrapping_add(1), CHILD | r);
            } else {
                t.root.publish(u64::from(CHILD | r));
            }
        } else {
            let byte = F::byte(addr, level.wrapping_sub(1));
            chunk::set_child(&t.blocks, parent.chunk, byte, r);
        }
        self.link(path, level, |step| Step { chunk: r, ..step });
    }

    /// Changes the shadow's link to the node on `level`.
    fn link(&mut self, path: &Path, level: usize, f: impl FnOnce(Step) -> Step) {
        if level == 0 {
            self.root = f(self.root);
            return;
        }
        let parent = path.at(level.wrapping_sub(1)).node;
        let index = path.at(level).index;
        shadow::set_kid(&self.own, parent, index, |word| {
            let new = f(Step {
                node: shadow::kid_node(word),
                chunk: shadow::kid_chunk(word),
                index,
            });
            shadow::kid(
                shadow::kid_slot(word),
                shadow::kid_inherits(word),
                new.node,
                new.chunk,
            )
        });
    }

    /// Sets the cover of a node, and of all nodes below that inherit it. `slot` is the node's slot
    /// in its parent and matters for a node of level 1 only.
    fn set_cover(&self, t: &Table<F>, node: u32, chunk: u32, slot: u32, v: u32) {
        let apply = |node: u32, chunk: u32| {
            shadow::set_cover(&self.own, node, v);
            if chunk != 0 {
                chunk::set_cover(&t.blocks, chunk, v);
            } else {
                self.fill_node(t, node, slot, 0, 256);
            }
        };
        let mut frames = [(0u32, 0u32); LEVELS];
        let mut depth = 0usize;
        apply(node, chunk);
        frames[0].0 = node;
        loop {
            let (node, index) = frames[depth & (LEVELS - 1)];
            let view = View::new(&self.own, node);
            if index >= view.kids() {
                if depth == 0 {
                    return;
                }
                depth = depth.wrapping_sub(1);
                continue;
            }
            frames[depth & (LEVELS - 1)].1 = index.wrapping_add(1);
            let kid = view.kid(index);
            if shadow::kid_inherits(kid) {
                apply(shadow::kid_node(kid), shadow::kid_chunk(kid));
                if depth.wrapping_add(1) < LEVELS {
                    depth = depth.wrapping_add(1);
                    frames[depth & (LEVELS - 1)] = (shadow::kid_node(kid), 0);
                }
            }
        }
    }

    /// Writes the part of the slot array that belongs to slots `low..high` of a node of level 1
    /// and to none of its children.
    fn fill_node(&self, t: &Table<F>, node: u32, slot: u32, low: u32, high: u32) {
        let view = View::new(&self.own, node);
        let cover = view.cover();
        view.walk(|from, to, value, kid| {
            let (from, to) = (from.max(low), to.min(high));
            if kid.is_none() && from < to {
                let value = if value == 0 { cover } else { value };
                let base = slot << 8;
                self.fill(t, base.wrapping_add(from), base.wrapping_add(to), value);
            }
        });
    }

    /// Brings the covers of the children in slots `low..high` of a node up to date, and which of
    /// them inherit.
    fn update_kids(&self, t: &Table<F>, node: u32, low: u32, high: u32) {
        let view = View::new(&self.own, node);
        if view.kids() == 0 {
            return;
        }
        let cover = view.cover();
        view.walk(|slot, _, value, kid| {
            let Some(kid) = kid else {
                return;
            };
            if slot < low || slot >= high {
                return;
            }
            let (below, chunk) = (shadow::kid_node(kid.word), shadow::kid_chunk(kid.word));
            if shadow::kid_inherits(kid.word) != (value == 0) {
                let word = shadow::kid(slot, value == 0, below, chunk);
                shadow::set_kid(&self.own, node, kid.index, |_| word);
            }
            let value = if value == 0 { cover } else { value };
            if View::new(&self.own, below).cover() != value {
                self.set_cover(t, below, chunk, slot, value);
            }
        });
    }

    /// Writes the part of the slot array that belongs to slots `low..high` of a node of level 0 or
    /// 1 and to none of its children.
    fn fill_level(&self, t: &Table<F>, p: Prefix<F>, node: u32, low: u32, high: u32) {
        if p.len() > 8 {
            self.fill_node(t, node, F::head(p.addr()), low, high);
            return;
        }
        View::new(&self.own, node).walk(|from, to, value, kid| {
            let (from, to) = (from.max(low), to.min(high));
            if kid.is_none() && from < to {
                self.fill(t, from << 8, to << 8, value);
            }
        });
    }

    // Updates.

    /// Replaces a node by what `view` makes of it and publishes `image` as its chunk, if it has
    /// one. Needs two extents at most; `path` ends with the node.
    #[allow(clippy::too_many_arguments)]
    fn prepare<const N: usize>(
        &mut self,
        t: &Table<F>,
        lines: u32,
        old_lines: u32,
        image: Option<&Image>,
        old_chunk: u32,
        taken: &mut Taken<N>,
        budget: usize,
        flags: Flags,
    ) -> Result<(u32, u32), Error> {
        let mut chunk = 0;
        if let Some(image) = image {
            if !image.fits(&t.blocks, old_chunk) {
                chunk = self.take(t, taken, true, image.lines(), budget, flags)?;
            }
        }
        let mut node = 0;
        if lines != old_lines {
            node = self.take(t, taken, false, lines, budget, flags)?;
        }
        Ok((node, chunk))
    }

    /// Changes the prefixes of the last node of `path`, which remains.
    #[inline(never)]
    fn change(
        &mut self,
        t: &Table<F>,
        p: Prefix<F>,
        path: &Path,
        edit: Edit,
        budget: usize,
        flags: Flags,
    ) -> Result<(), Error> {
        let level = path.depth.wrapping_sub(1);
        let step = path.last();
        self.reserve(t, 1, budget, flags)?;
        let mut taken = Taken::<2>::new();
        let mut image = Image::new();
        let view = View::new(&self.own, step.node).edit_pfx(edit);
        let has_chunk = level >= self.top();
        if has_chunk {
            image.set(&view);
        }
        let (lines, old_lines) = (view.lines(), view.old_lines());
        let prepared = self.prepare(
            t,
            lines,
            old_lines,
            has_chunk.then_some(&image),
            step.chunk,
            &mut taken,
            budget,
            flags,
        );
        let (node, chunk) = match prepared {
            Ok(extents) => extents,
            Err(error) => {
                self.give_back(t, &taken);
                return Err(error);
            }
        };

        let cover = View::new(&self.own, step.node).cover();
        if has_chunk {
            self.publish(t, p.addr(), path, level, &image, chunk, cover);
        }
        let node = match edit {
            Edit::Replace(at, word) => {
                shadow::set_pfx(&self.own, step.node, at, word);
                step.node
            }
            _ => self.rewrite(t, path, level, node, |view| view.edit_pfx(edit)),
        };
        let low = F::byte(p.addr(), level);
        let high = low.wrapping_add(shadow::key_span(key_of(p)));
        if !has_chunk {
            self.fill_level(t, p, node, low, high);
        }
        self.update_kids(t, node, low, high);
        Ok(())
    }

    /// Publishes `image` for the node on `level`: in the extent `fresh`, or where its chunk is if
    /// that is 0.
    #[allow(clippy::too_many_arguments)]
    fn publish(
        &mut self,
        t: &Table<F>,
        addr: F::Addr,
        path: &Path,
        level: usize,
        image: &Image,
        fresh: u32,
        cover: u32,
    ) {
        let old = path.at(level).chunk;
        if fresh == 0 {
            image.store(&t.blocks, old);
            return;
        }
        image.write(&t.blocks, fresh, cover);
        self.set_chunk(t, addr, path, level, fresh);
        self.retire(t, old);
    }

    /// Rewrites the node on `level` with a change, in the extent `fresh` or where it is if that is
    /// 0, and returns where it is then.
    fn rewrite(
        &mut self,
        t: &Table<F>,
        path: &Path,
        level: usize,
        fresh: u32,
        change: impl FnOnce(View<'_>) -> View<'_>,
    ) -> u32 {
        let old = path.at(level).node;
        let view = change(View::new(&self.own, old));
        let old_lines = view.old_lines();
        if fresh == 0 {
            view.write(&self.own, old, view.cover());
            return old;
        }
        view.write(&self.own, fresh, view.cover());
        self.link(path, level, |step| Step {
            node: fresh,
            ..step
        });
        self.free(t, old, old_lines, false);
        fresh
    }

    /// Inserts `p` where nodes are missing: from level `path.depth` to the one of `p`.
    #[inline(never)]
    fn extend(
        &mut self,
        t: &Table<F>,
        p: Prefix<F>,
        v: Value,
        path: &Path,
        flags: Flags,
    ) -> Result<(), Error> {
        let mut taken = Taken::<TAKEN>::new();
        match self.try_extend(t, p, v, path, &mut taken, flags) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.give_back(t, &taken);
                Err(error)
            }
        }
    }

    #[inline(never)]
    fn try_extend(
        &mut self,
        t: &Table<F>,
        p: Prefix<F>,
        v: Value,
        path: &Path,
        taken: &mut Taken<TAKEN>,
        flags: Flags,
    ) -> Result<(), Error> {
        let (budget, top) = (self.budget, self.top());
        let level = level_of(p.len());
        let first = path.depth;
        let addr = p.addr();
        self.reserve(t, 1, budget, flags)?;

        // One line holds a node with one word, and a chunk with up to three runs.
        let mut fresh = [Step::default(); LEVELS];
        for m in first..level.wrapping_add(1) {
            let Some(step) = fresh.get_mut(m) else {
                break;
            };
            step.node = self.take(t, taken, false, 1, budget, flags)?;
            if m >= top {
                step.chunk = self.take(t, taken, true, 1, budget, flags)?;
            }
        }
        let at = |m: usize| fresh.get(m).copied().unwrap_or_default();

        let parent = path.last();
        let above = first.wrapping_sub(1);
        let slot = F::byte(addr, above);
        let view = View::new(&self.own, parent.node);
        let best = if first > 0 { view.best(slot) } else { 0 };
        let cover = if best == 0 { view.cover() } else { best };
        let mut image = Image::new();

        // The new nodes from the bottom up, so that nothing leads to what is not there.
        let nothing = View::new(&self.own, 0);
        for m in (first..level.wrapping_add(1)).rev() {
            let view = if m == level {
                nothing.edit_pfx(Edit::Insert(0, shadow::pfx(key_of(p), v)))
            } else {
                let next = at(m.wrapping_add(1));
                let word = shadow::kid(F::byte(addr, m), true, next.node, next.chunk);
                nothing.edit_kid(Edit::Insert(0, word))
            };
            view.write(&self.own, at(m).node, cover);
            if m >= top {
                image.set(&view);
                image.write(&t.blocks, at(m).chunk, cover);
            }
        }

        let word = shadow::kid(slot, best == 0, at(first).node, at(first).chunk);
        let edit = Edit::Insert(view.find_kid(slot).1, word);
        let mut parent_new = (0, 0);
        if first > 0 {
            let view = view.edit_kid(edit);
            let has_chunk = above >= top;
            if has_chunk {
                image.set(&view);
            }
            let (lines, old_lines) = (view.lines(), view.old_lines());
            parent_new = self.prepare(
                t,
                lines,
                old_lines,
                has_chunk.then_some(&image),
                parent.chunk,
                taken,
                budget,
                flags,
            )?;
        }

        if first > 0 {
            if above >= top {
                let cover = cover_of(&self.own, parent.node);
                self.publish(t, addr, path, above, &image, parent_new.1, cover);
            }
            self.rewrite(t, path, above, parent_new.0, |view| view.edit_kid(edit));
        } else {
            self.root = Step {
                node: at(0).node,
                chunk: at(0).chunk,
                index: 0,
            };
            if !self.wide {
                t.root.publish(u64::from(CHILD | at(0).chunk));
            }
        }
        if self.wide && first <= WIDE_LEVEL {
            if level >= WIDE_LEVEL {
                let slot = F::head16(addr);
                self.fill(t, slot, slot.wrapping_add(1), CHILD | at(WIDE_LEVEL).chunk);
            } else {
                let low = F::byte(addr, level);
                let high = low.wrapping_add(shadow::key_span(key_of(p)));
                self.fill_level(t, p, at(level).node, low, high);
            }
        }
        Ok(())
    }

    /// Removes `p`, the only thing in its node, with all nodes that become empty.
    #[inline(never)]
    fn prune(
        &mut self,
        t: &Table<F>,
        p: Prefix<F>,
        path: &Path,
        flags: Flags,
    ) -> Result<(), Error> {
        let top = self.top();
        let level = path.depth.wrapping_sub(1);
        let addr = p.addr();
        // The first level that goes.
        let mut first = level;
        while first > 0 {
            let view = View::new(&self.own, path.at(first.wrapping_sub(1)).node);
            if view.pfxs() > 0 || view.kids() > 1 {
                break;
            }
            first = first.wrapping_sub(1);
        }
        let cover = View::new(&self.own, path.at(level).node).cover();
        self.reserve(t, LEVELS as u32 + 1, usize::MAX, flags)?;

        if first > 0 {
            let above = first.wrapping_sub(1);
            let parent = path.at(above);
            let edit = Edit::Remove(path.at(first).index);
            let mut image = Image::new();
            let mut taken = Taken::<2>::new();
            let view = View::new(&self.own, parent.node).edit_kid(edit);
            let has_chunk = above >= top;
            if has_chunk {
                image.set(&view);
            }
            let (lines, old_lines) = (view.lines(), view.old_lines());
            let prepared = self.prepare(
                t,
                lines,
                old_lines,
                has_chunk.then_some(&image),
                parent.chunk,
                &mut taken,
                usize::MAX,
                flags,
            );
            let (node, chunk) = match prepared {
                Ok(extents) => extents,
                Err(error) => {
                    self.give_back(t, &taken);
                    return Err(error);
                }
            };
            if has_chunk {
                let cover = cover_of(&self.own, parent.node);
                self.publish(t, addr, path, above, &image, chunk, cover);
            }
            self.rewrite(t, path, above, node, |view| view.edit_kid(edit));
        } else {
            self.root = Step::default();
            if !self.wide {
                t.root.publish(0);
            }
        }
        if self.wide && first <= WIDE_LEVEL {
            if level >= WIDE_LEVEL {
                let slot = F::head16(addr);
                self.fill(t, slot, slot.wrapping_add(1), cover);
            } else {
                let slot = F::head16(addr);
                let span = 1u32.wrapping_shl(16u32.wrapping_sub(u32::from(p.len())));
                self.fill(t, slot, slot.wrapping_add(span), cover);
            }
        }
        for m in first..level.wrapping_add(1) {
            self.retire(t, path.at(m).chunk);
            self.free(t, path.at(m).node, 1, false);
        }
        Ok(())
    }

    // The slot array.

    /// Changes the shape if the size of the table asks for it. Not getting the memory is no error.
    #[inline(never)]
    fn reshape(&mut self, t: &Table<F>, flags: Flags) {
        let wanted = if self.wide {
            self.len >= self.narrow_at
        } else {
            self.len >= self.widen_at
        };
        if wanted == self.wide {
            return;
        }
        if self.pause > 0 {
            self.pause = self.pause.wrapping_sub(1);
            return;
        }
        let done = if wanted {
            self.widen(t, flags)
        } else {
            self.narrow(t, flags)
        };
        if done.is_err() {
            self.pause = SHAPE_PAUSE;
        }
    }

    #[inline(never)]
    fn widen(&mut self, t: &Table<F>, flags: Flags) -> Result<(), Error> {
        let kids = View::new(&self.own, self.root.node).kids();
        self.reserve(t, kids.wrapping_add(1), self.budget, flags)?;
        let base = match self.spare {
            Some((base, grace)) => {
                if !self.exclusive && !grace.elapsed() {
                    return Err(Error::NoMemory);
                }
                base
            }
            None => {
                if self.room(t, self.budget) < WIDE_BYTES {
                    return Err(Error::Budget);
                }
                t.blocks
                    .add(WIDE_BLOCKS, BLOCK_LOG, flags)
                    .map_err(|_| Error::NoMemory)?
            }
        };
        self.spare = None;
        View::new(&self.own, self.root.node).walk(|from, to, value, kid| {
            let Some(kid) = kid else {
                fill(&t.blocks, base, from << 8, to << 8, value);
                return;
            };
            let view = View::new(&self.own, shadow::kid_node(kid.word));
            let cover = view.cover();
            view.walk(|low, high, value, kid| {
                let value = match kid {
                    Some(kid) => CHILD | shadow::kid_chunk(kid.word),
                    None if value == 0 => cover,
                    None => value,
                };
                let slot = from << 8;
                fill(
                    &t.blocks,
                    base,
                    slot.wrapping_add(low),
                    slot.wrapping_add(high),
                    value,
                );
            });
        });
        t.root.publish(WIDE | u64::from(base));
        self.wide = true;
        self.wide_base = base;

        self.retire(t, self.root.chunk);
        self.root.chunk = 0;
        for i in 0..kids {
            let kid = View::new(&self.own, self.root.node).kid(i);
            self.retire(t, shadow::kid_chunk(kid));
            self.set_kid_chunk(i, 0);
        }
        Ok(())
    }

    fn set_kid_chunk(&mut self, index: u32, chunk: u32) {
        shadow::set_kid(&self.own, self.root.node, index, |word| {
            shadow::kid(
                shadow::kid_slot(word),
                shadow::kid_inherits(word),
                shadow::kid_node(word),
                chunk,
            )
        });
    }

    #[inline(never)]
    fn narrow(&mut self, t: &Table<F>, flags: Flags) -> Result<(), Error> {
        match self.build_top(t, flags) {
            Ok(chunk) => {
                self.root.chunk = chunk;
                let root = if chunk == 0 { 0 } else { CHILD | chunk };
                t.root.publish(u64::from(root));
                self.wide = false;
                self.spare = Some((self.wide_base, Grace::start()));
                Ok(())
            }
            Err(error) => {
                let kids = View::new(&self.own, self.root.node).kids();
                for i in 0..kids {
                    let kid = View::new(&self.own, self.root.node).kid(i);
                    let chunk = shadow::kid_chunk(kid);
                    if chunk != 0 {
                        self.heap
                            .free(&t.blocks, chunk, chunk::size(&t.blocks, chunk));
                        self.set_kid_chunk(i, 0);
                    }
                }
                Err(error)
            }
        }
    }

    /// Builds the chunks of levels 0 and 1, and returns the one of level 0.
    #[inline(never)]
    fn build_top(&mut self, t: &Table<F>, flags: Flags) -> Result<u32, Error> {
        if self.root.node == 0 {
            return Ok(0);
        }
        let mut image = Image::new();
        for i in 0..View::new(&self.own, self.root.node).kids() {
            let kid = View::new(&self.own, self.root.node).kid(i);
            image.set(&View::new(&self.own, shadow::kid_node(kid)));
            let chunk = self.alloc(t, true, image.lines(), self.budget, flags)?;
            image.write(&t.blocks, chunk, cover_of(&self.own, shadow::kid_node(kid)));
            self.set_kid_chunk(i, chunk);
        }
        image.set(&View::new(&self.own, self.root.node));
        let chunk = self.alloc(t, true, image.lines(), self.budget, flags)?;
        image.write(&t.blocks, chunk, 0);
        Ok(chunk)
    }
}

fn cover_of(own: &Blocks, node: u32) -> u32 {
    View::new(own, node).cover()
}

/// Stores `v` into slots `from..to` of the slot array at block `base`.
fn fill(blocks: &Blocks, base: u32, from: u32, to: u32, v: u32) {
    let both = u64::from(v) | (u64::from(v) << 32);
    let mut slot = from;
    while slot < to {
        let word = blocks
            .block(base.wrapping_add(slot >> 14))
            .and_then(|lines| lines.get((slot as usize >> 4) & 1023))
            .map(|line| line.word(slot as usize >> 1));
        let Some(word) = word else {
            return;
        };
        if slot & 1 == 0 && to.wrapping_sub(slot) > 1 {
            word.publish(both);
            slot = slot.wrapping_add(2);
        } else {
            word.publish(chunk::with_half(word.load(), slot & 1, v));
            slot = slot.wrapping_add(1);
        }
    }
}
