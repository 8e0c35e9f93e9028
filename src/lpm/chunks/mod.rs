// SPDX-License-Identifier: GPL-2.0

//! Compact chunks: the algorithm for all but the smallest tables.
//!
//! A trie with a stride of 8 bits. What lookups read of a node is its chunk ([`chunk`]), or the
//! array for the first 16 bits that a large table has ([`wide`]); the prefixes themselves are in
//! nodes of the same shape ([`shadow`]). This file changes both, a prefix at a time; [`build`]
//! makes them from a sorted list.

mod build;
mod chunk;
mod shadow;
mod wide;

use super::{
    algorithm::{Engine, Shape},
    family::{Family, Prefix},
    store::{Place, Update},
    Error, Value,
};
use crate::sys::shared::{Blocks, Grace};
use chunk::Image;
use core::marker::PhantomData;
use shadow::{Edit, Key, View};
use wide::WIDE_BYTES;

#[cfg(not(CONFIG_RUST))]
pub(super) use chunk::prefetch;
pub(super) use chunk::{find, find_hinted, CHILD};
pub(super) use wide::{slot, WIDE};

/// With this many prefixes the array for the first 16 bits is worth its memory, 256 KiB (the kernel's
/// own tries have 500 and 736 KiB for 1,000 IPv4 and IPv6 prefixes)...
pub(super) const WIDEN_AT: usize = 512;

/// ... and below this many it is dropped.
pub(super) const NARROW_AT: usize = 128;

/// The level of the chunks below the array.
const WIDE_LEVEL: usize = 2;

/// The most levels a family has.
const LEVELS: usize = 16;

/// The writer's side.
pub(super) struct Chunks<F: Family> {
    root: Step,
    len: usize,
    /// Whether the array stands for levels 0 and 1; then nodes there have no chunk.
    wide: bool,
    wide_base: u32,
    /// Updates until the next attempt to change the shape.
    pause: u32,
    shape: Shape,
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

/// Level of the node that holds prefixes of `len` (not 0) bits.
fn level_of(len: u8) -> usize {
    (len.wrapping_sub(1) >> 3) as usize
}

fn key_of<F: Family>(p: Prefix<F>) -> Key {
    let level = level_of(p.len());
    let len = u32::from(p.len()).wrapping_sub((level as u32) << 3);
    shadow::key(F::byte(p.addr(), level), len)
}

impl<F: Family> Chunks<F> {
    pub(super) fn new(shape: Shape) -> Self {
        Chunks {
            root: Step::default(),
            len: 0,
            wide: false,
            wide_base: 0,
            pause: 0,
            shape,
            family: PhantomData,
        }
    }

    /// Sets when the table has the array for the first 16 bits.
    pub(super) fn set_shape(&mut self, shape: Shape) {
        self.shape = shape;
        self.pause = 0;
    }

    /// The first prefix of the node and of all below it.
    fn first(own: &Blocks, node: u32, addr: F::Addr, level: usize) -> Option<(Prefix<F>, Value)> {
        Self::pick(own, &View::new(own, node), 0, 0, addr, level)
    }

    /// The first prefix among those of a node from index `pfx` on and those below its children
    /// from index `kid` on.
    fn pick(
        own: &Blocks,
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
            view = View::new(own, shadow::kid_node(word));
            (pfx, kid) = (0, 0);
        }
        None
    }

    /// The nodes there are on the way to the node of `addr` on `level`, and that node.
    fn descend(&self, own: &Blocks, addr: F::Addr, level: usize) -> Path {
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
            let view = View::new(own, next.node);
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

    /// Makes the node on `level` lead to the chunk `r`, for readers and in the shadow.
    fn set_chunk(&mut self, up: &Update<'_, F>, addr: F::Addr, path: &Path, level: usize, r: u32) {
        if level == self.top() {
            if self.wide {
                let slot = F::head16(addr);
                let entry = chunk::hinted(r, chunk::size(up.shared(), r));
                self.fill(up, slot, slot.wrapping_add(1), entry);
            } else {
                up.table.root.publish(u64::from(CHILD | r));
            }
        } else {
            let above = level.wrapping_sub(1);
            let byte = F::byte(addr, above);
            chunk::set_child(up.shared(), path.at(above).chunk, byte, r);
        }
        self.link(up, path, level, |step| Step { chunk: r, ..step });
    }

    /// Changes the shadow's link to the node on `level`.
    fn link(
        &mut self,
        up: &Update<'_, F>,
        path: &Path,
        level: usize,
        f: impl FnOnce(Step) -> Step,
    ) {
        if level == 0 {
            self.root = f(self.root);
            return;
        }
        let parent = path.at(level.wrapping_sub(1)).node;
        let index = path.at(level).index;
        shadow::set_kid(up.own(), parent, index, |word| {
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
    fn set_cover(&self, up: &Update<'_, F>, node: u32, chunk: u32, slot: u32, v: u32) {
        let apply = |node: u32, chunk: u32| {
            shadow::set_cover(up.own(), node, v);
            if chunk != 0 {
                chunk::set_cover(up.shared(), chunk, v);
            } else {
                self.fill_node(up, node, slot, 0, 256);
            }
        };
        let mut frames = [(0u32, 0u32); LEVELS];
        let mut depth = 0usize;
        apply(node, chunk);
        frames[0].0 = node;
        loop {
            let (node, index) = frames[depth & (LEVELS - 1)];
            let view = View::new(up.own(), node);
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

    /// Brings the covers of the children in slots `low..high` of a node up to date, and which of
    /// them inherit.
    fn update_kids(&self, up: &Update<'_, F>, node: u32, low: u32, high: u32) {
        let view = View::new(up.own(), node);
        let (_, first) = view.find_kid(low);
        if first >= view.kids() || shadow::kid_slot(view.kid(first)) >= high {
            return;
        }
        let cover = view.cover();
        view.walk(low, high, |slot, _, value, kid| {
            let Some(kid) = kid else {
                return;
            };
            let (below, chunk) = (shadow::kid_node(kid.word), shadow::kid_chunk(kid.word));
            if shadow::kid_inherits(kid.word) != (value == 0) {
                let word = shadow::kid(slot, value == 0, below, chunk);
                shadow::set_kid(up.own(), node, kid.index, |_| word);
            }
            let value = if value == 0 { cover } else { value };
            if View::new(up.own(), below).cover() != value {
                self.set_cover(up, below, chunk, slot, value);
            }
        });
    }

    /// Takes what the new form of a node needs: an extent for its chunk and one for itself, each 0
    /// if it is changed where it is.
    fn prepare(
        &self,
        up: &mut Update<'_, F>,
        lines: u32,
        old_lines: u32,
        image: Option<&Image>,
    ) -> Result<(u32, u32), Error> {
        let chunk = match image {
            Some(image) if !image.fits(up.shared()) => up.take(Place::Shared, image.lines())?,
            _ => 0,
        };
        let node = if lines == old_lines {
            0
        } else {
            up.take(Place::Own, lines)?
        };
        Ok((node, chunk))
    }

    /// Publishes `image` for the node on `level`: in the extent `fresh`, or where its chunk is if
    /// that is 0.
    fn publish(
        &mut self,
        up: &mut Update<'_, F>,
        addr: F::Addr,
        path: &Path,
        level: usize,
        image: &Image,
        fresh: u32,
    ) {
        if fresh == 0 {
            image.store(up.shared());
            return;
        }
        let old = path.at(level);
        let cover = cover_of(up.own(), old.node);
        let lines = chunk::size(up.shared(), old.chunk);
        image.write(up.shared(), fresh, cover);
        self.set_chunk(up, addr, path, level, fresh);
        up.retire(old.chunk, lines);
    }

    /// Rewrites the node on `level` with a change, in the extent `fresh` or where it is if that is
    /// 0, and returns where it is then.
    fn rewrite(
        &mut self,
        up: &mut Update<'_, F>,
        path: &Path,
        level: usize,
        fresh: u32,
        change: impl FnOnce(View<'_>) -> View<'_>,
    ) -> u32 {
        let old = path.at(level).node;
        let view = change(View::new(up.own(), old));
        if fresh == 0 {
            view.write_in_place(up.own(), old);
            return old;
        }
        let old_lines = view.old_lines();
        view.write(up.own(), fresh, view.cover());
        self.link(up, path, level, |step| Step {
            node: fresh,
            ..step
        });
        up.free(Place::Own, old, old_lines);
        fresh
    }

    /// Changes the prefixes of the last node of `path`, which remains.
    #[inline(never)]
    fn change(
        &mut self,
        up: &mut Update<'_, F>,
        p: Prefix<F>,
        path: &Path,
        edit: Edit,
    ) -> Result<(), Error> {
        let level = path.depth.wrapping_sub(1);
        let step = path.last();
        let low = F::byte(p.addr(), level);
        let high = low.wrapping_add(shadow::key_span(key_of(p)));
        let has_chunk = level >= self.top();
        let mut image = Image::new();
        up.reserve(1)?;
        let view = View::new(up.own(), step.node).edit_pfx(edit);
        if has_chunk {
            image.splice(up.shared(), step.chunk, &view, low, high);
        }
        let (lines, old_lines) = (view.lines(), view.old_lines());
        let (node, chunk) = self.prepare(up, lines, old_lines, has_chunk.then_some(&image))?;

        if has_chunk {
            self.publish(up, p.addr(), path, level, &image, chunk);
        }
        let node = match edit {
            Edit::Replace(at, word) => {
                shadow::set_pfx(up.own(), step.node, at, word);
                step.node
            }
            _ => self.rewrite(up, path, level, node, |view| view.edit_pfx(edit)),
        };
        if !has_chunk {
            self.fill_level(up, p, node, low, high);
        }
        self.update_kids(up, node, low, high);
        Ok(())
    }

    /// Inserts `p` where nodes are missing: from level `path.depth` to the one of `p`.
    #[inline(never)]
    fn extend(
        &mut self,
        up: &mut Update<'_, F>,
        p: Prefix<F>,
        v: Value,
        path: &Path,
    ) -> Result<(), Error> {
        let top = self.top();
        let level = level_of(p.len());
        let first = path.depth;
        let addr = p.addr();
        up.reserve(1)?;

        // One line holds a node with one word, and a chunk with up to three runs.
        let mut fresh = [Step::default(); LEVELS];
        for m in first..level.wrapping_add(1) {
            let Some(step) = fresh.get_mut(m) else {
                break;
            };
            step.node = up.take(Place::Own, 1)?;
            if m >= top {
                step.chunk = up.take(Place::Shared, 1)?;
            }
        }
        let at = |m: usize| fresh.get(m).copied().unwrap_or_default();

        let parent = path.last();
        let above = first.wrapping_sub(1);
        let slot = F::byte(addr, above);
        let view = View::new(up.own(), parent.node);
        let best = if first > 0 { view.best(slot) } else { 0 };
        let cover = if best == 0 { view.cover() } else { best };
        let mut image = Image::new();

        // The new nodes from the bottom up, so that nothing leads to what is not there.
        let nothing = View::new(up.own(), 0);
        for m in (first..level.wrapping_add(1)).rev() {
            let view = if m == level {
                nothing.edit_pfx(Edit::Insert(0, shadow::pfx(key_of(p), v)))
            } else {
                let next = at(m.wrapping_add(1));
                let word = shadow::kid(F::byte(addr, m), true, next.node, next.chunk);
                nothing.edit_kid(Edit::Insert(0, word))
            };
            view.write(up.own(), at(m).node, cover);
            if m >= top {
                image.set(&view);
                image.write(up.shared(), at(m).chunk, cover);
            }
        }

        if first > 0 {
            let word = shadow::kid(slot, best == 0, at(first).node, at(first).chunk);
            let edit = Edit::Insert(view.find_kid(slot).1, word);
            let view = view.edit_kid(edit);
            let has_chunk = above >= top;
            if has_chunk {
                let end = slot.wrapping_add(1);
                image.splice(up.shared(), parent.chunk, &view, slot, end);
            }
            let (lines, old_lines) = (view.lines(), view.old_lines());
            let (node, chunk) = self.prepare(up, lines, old_lines, has_chunk.then_some(&image))?;

            if has_chunk {
                self.publish(up, addr, path, above, &image, chunk);
            }
            self.rewrite(up, path, above, node, |view| view.edit_kid(edit));
        } else {
            self.root = Step {
                node: at(0).node,
                chunk: at(0).chunk,
                index: 0,
            };
            if !self.wide {
                up.table.root.publish(u64::from(CHILD | at(0).chunk));
            }
        }
        if self.wide && first <= WIDE_LEVEL {
            if level >= WIDE_LEVEL {
                let slot = F::head16(addr);
                let chunk = chunk::hinted(at(WIDE_LEVEL).chunk, 1);
                self.fill(up, slot, slot.wrapping_add(1), chunk);
            } else {
                let low = F::byte(addr, level);
                let high = low.wrapping_add(shadow::key_span(key_of(p)));
                self.fill_level(up, p, at(level).node, low, high);
            }
        }
        Ok(())
    }

    /// Removes `p`, the only thing in its node, with all nodes that become empty.
    #[inline(never)]
    fn prune(&mut self, up: &mut Update<'_, F>, p: Prefix<F>, path: &Path) -> Result<(), Error> {
        let top = self.top();
        let level = path.depth.wrapping_sub(1);
        let addr = p.addr();
        // The first level that goes.
        let mut first = level;
        while first > 0 {
            let view = View::new(up.own(), path.at(first.wrapping_sub(1)).node);
            if view.pfxs() > 0 || view.kids() > 1 {
                break;
            }
            first = first.wrapping_sub(1);
        }
        let cover = cover_of(up.own(), path.at(level).node);
        up.reserve(LEVELS as u32 + 1)?;

        if first > 0 {
            let above = first.wrapping_sub(1);
            let parent = path.at(above);
            let edit = Edit::Remove(path.at(first).index);
            let mut image = Image::new();
            let view = View::new(up.own(), parent.node).edit_kid(edit);
            let has_chunk = above >= top;
            if has_chunk {
                let slot = F::byte(addr, above);
                let end = slot.wrapping_add(1);
                image.splice(up.shared(), parent.chunk, &view, slot, end);
            }
            let (lines, old_lines) = (view.lines(), view.old_lines());
            let (node, chunk) = self.prepare(up, lines, old_lines, has_chunk.then_some(&image))?;

            if has_chunk {
                self.publish(up, addr, path, above, &image, chunk);
            }
            self.rewrite(up, path, above, node, |view| view.edit_kid(edit));
        } else {
            self.root = Step::default();
            if !self.wide {
                up.table.root.publish(0);
            }
        }
        if self.wide && first <= WIDE_LEVEL {
            let slot = F::head16(addr);
            let span = match level {
                0 | 1 => 1u32.wrapping_shl(16u32.wrapping_sub(u32::from(p.len()))),
                _ => 1,
            };
            self.fill(up, slot, slot.wrapping_add(span), cover);
        }
        for m in first..level.wrapping_add(1) {
            let step = path.at(m);
            if step.chunk != 0 {
                up.retire(step.chunk, chunk::size(up.shared(), step.chunk));
            }
            up.free(Place::Own, step.node, 1);
        }
        Ok(())
    }
}

/// Calls `f` for each node of the trie below `root` and its chunk, a node after its children.
fn for_nodes<F: Family>(
    up: &mut Update<'_, F>,
    root: Step,
    mut f: impl FnMut(&mut Update<'_, F>, Step),
) {
    if root.node == 0 {
        return;
    }
    let mut frames = [Step::default(); LEVELS];
    let mut depth = 0usize;
    frames[0] = Step { index: 0, ..root };
    loop {
        // `index` is that of the next child.
        let step = frames[depth & (LEVELS - 1)];
        let view = View::new(up.own(), step.node);
        if step.index < view.kids() && depth.wrapping_add(1) < LEVELS {
            let word = view.kid(step.index);
            frames[depth & (LEVELS - 1)].index = step.index.wrapping_add(1);
            depth = depth.wrapping_add(1);
            frames[depth & (LEVELS - 1)] = Step {
                node: shadow::kid_node(word),
                chunk: shadow::kid_chunk(word),
                index: 0,
            };
            continue;
        }
        f(up, step);
        if depth == 0 {
            return;
        }
        depth = depth.wrapping_sub(1);
    }
}

fn cover_of(own: &Blocks, node: u32) -> u32 {
    View::new(own, node).cover()
}

impl<F: Family> Engine<F> for Chunks<F> {
    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, own: &Blocks, p: Prefix<F>) -> Value {
        let level = level_of(p.len());
        let path = self.descend(own, p.addr(), level);
        if path.depth <= level {
            return 0;
        }
        let view = View::new(own, path.last().node);
        match view.find_pfx(key_of(p)) {
            (true, at) => shadow::pfx_value(view.pfx(at)),
            _ => 0,
        }
    }

    fn next(&self, own: &Blocks, after: Option<Prefix<F>>) -> Option<(Prefix<F>, Value)> {
        let Some(after) = after else {
            return Self::first(own, self.root.node, F::Addr::default(), 0);
        };
        let level = level_of(after.len());
        let path = self.descend(own, after.addr(), level);
        let mut at = path.depth;
        while at > 0 {
            at = at.wrapping_sub(1);
            let view = View::new(own, path.at(at).node);
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
            if let Some(found) = Self::pick(own, &view, pfx, kid, after.addr(), at) {
                return Some(found);
            }
        }
        None
    }

    fn insert(&mut self, up: &mut Update<'_, F>, p: Prefix<F>, v: Value) -> Result<Value, Error> {
        let level = level_of(p.len());
        let path = self.descend(up.own(), p.addr(), level);
        let mut old = 0;
        if path.depth > level {
            let key = key_of(p);
            let view = View::new(up.own(), path.last().node);
            let (found, at) = view.find_pfx(key);
            let word = shadow::pfx(key, v);
            let edit = if found {
                old = shadow::pfx_value(view.pfx(at));
                Edit::Replace(at, word)
            } else {
                Edit::Insert(at, word)
            };
            if old == v {
                return Ok(old);
            }
            self.change(up, p, &path, edit)?;
        } else {
            self.extend(up, p, v, &path)?;
        }
        if old == 0 {
            self.len = self.len.wrapping_add(1);
        }
        self.reshape(up);
        Ok(old)
    }

    fn remove(&mut self, up: &mut Update<'_, F>, p: Prefix<F>) -> Result<Value, Error> {
        let level = level_of(p.len());
        let path = self.descend(up.own(), p.addr(), level);
        if path.depth <= level {
            return Ok(0);
        }
        let view = View::new(up.own(), path.last().node);
        let (found, at) = view.find_pfx(key_of(p));
        if !found {
            return Ok(0);
        }
        let old = shadow::pfx_value(view.pfx(at));
        if view.pfxs() > 1 || view.kids() > 0 {
            self.change(up, p, &path, Edit::Remove(at))?;
        } else {
            self.prune(up, p, &path)?;
        }
        self.len = self.len.wrapping_sub(1);
        self.reshape(up);
        Ok(old)
    }

    fn build(
        up: &mut Update<'_, F>,
        len: usize,
        sorted: impl FnMut(&Blocks) -> Option<(Prefix<F>, Value)>,
        shape: Shape,
    ) -> Result<Self, Error> {
        build::build(up, len, sorted, shape)
    }

    fn root(&self) -> u64 {
        if self.wide {
            WIDE | u64::from(self.wide_base)
        } else if self.root.chunk != 0 {
            u64::from(CHILD | self.root.chunk)
        } else {
            0
        }
    }

    fn prepare_retire(&self, up: &mut Update<'_, F>) -> Result<(), Error> {
        let mut chunks = 0u32;
        for_nodes(up, self.root, |_, step| {
            chunks = chunks.wrapping_add(u32::from(step.chunk != 0));
        });
        up.reserve(chunks)
    }

    fn retire(self, up: &mut Update<'_, F>) {
        if self.wide {
            up.store.array = Some((self.wide_base, Grace::start()));
        }
        for_nodes(up, self.root, |up, step| {
            if step.chunk != 0 {
                up.retire(step.chunk, chunk::size(up.shared(), step.chunk));
            }
            let lines = View::new(up.own(), step.node).lines();
            up.free(Place::Own, step.node, lines);
        });
    }

    fn extra(&self) -> usize {
        if self.wide {
            WIDE_BYTES
        } else {
            0
        }
    }
}
